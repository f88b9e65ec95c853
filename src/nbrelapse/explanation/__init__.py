"""SHAP attributions, rolled up to mechanisms."""

from nbrelapse.explanation.attribution_table import attribution_table
from nbrelapse.explanation.deletion_curve import DeletionCurve, deletion_curve
from nbrelapse.explanation.direction_agreement import direction_agreement
from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.explanation.grouped_shapley import grouped_shapley
from nbrelapse.explanation.patient_intervals import patient_intervals
from nbrelapse.explanation.roll_up_difference import roll_up_difference
from nbrelapse.explanation.stability import Stability, stability
from nbrelapse.explanation.to_probability import to_probability
from nbrelapse.explanation.truth_agreement import TruthAgreement, truth_agreement

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
