"""SHAP attributions, rolled up to mechanisms."""

from nbrelapse.explanation.direction_agreement import direction_agreement
from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.explanation.stability import Stability, stability
from nbrelapse.explanation.to_probability import to_probability

__all__ = ["Explanation", "Stability", "direction_agreement", "explain", "stability", "to_probability"]
