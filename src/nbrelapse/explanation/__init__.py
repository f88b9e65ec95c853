"""SHAP attributions, rolled up to mechanisms."""

from nbrelapse.explanation.attribution_table import attribution_table
from nbrelapse.explanation.direction_agreement import direction_agreement
from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.explanation.stability import Stability, stability
from nbrelapse.explanation.to_probability import to_probability

__all__ = [
    "Explanation",
    "Stability",
    "attribution_table",
    "direction_agreement",
    "explain",
    "grouped_shapley",
    "roll_up_difference",
    "stability",
    "to_probability",
]
