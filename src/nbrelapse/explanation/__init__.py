"""SHAP attributions, rolled up to mechanisms."""

from nbrelapse.explanation.direction_agreement import direction_agreement
from nbrelapse.explanation.explanation import Explanation, explain

__all__ = ["Explanation", "direction_agreement", "explain"]
