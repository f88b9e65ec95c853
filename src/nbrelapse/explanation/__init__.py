"""SHAP attributions, rolled up to mechanisms."""

from nbrelapse.explanation.checks import (
    DeletionCurve,
    TruthAgreement,
    deletion_curve,
    direction_agreement,
    grouped_shapley,
    roll_up_difference,
    truth_agreement,
)
from nbrelapse.explanation.explanation import Explanation, attribution_table, explain
from nbrelapse.explanation.probability import to_probability
from nbrelapse.explanation.stability import Stability, patient_intervals, stability

__all__ = [
    "DeletionCurve",
    "Explanation",
    "Stability",
    "TruthAgreement",
    "attribution_table",
    "deletion_curve",
    "direction_agreement",
    "explain",
    "grouped_shapley",
    "patient_intervals",
    "roll_up_difference",
    "stability",
    "to_probability",
    "truth_agreement",
]
