"""Pictures of models, cohorts and patients, each a matplotlib Figure."""

from nbrelapse.report.plots.attributions import beeswarm, deletion_curves, dependence, patient_waterfall
from nbrelapse.report.plots.coverage import feature_coverage, patients_looked_at
from nbrelapse.report.plots.mechanisms import mechanism_bar, mechanism_cooccurrence_plot, risk_group_heatmap
from nbrelapse.report.plots.performance import (
    binary_calibration,
    calibration,
    decision_curve_plot,
    incidence_course,
    kaplan_meier_by_risk,
    leaderboard_forest,
    learning_curve,
)

__all__ = [
    "beeswarm",
    "binary_calibration",
    "calibration",
    "decision_curve_plot",
    "deletion_curves",
    "dependence",
    "feature_coverage",
    "incidence_course",
    "kaplan_meier_by_risk",
    "leaderboard_forest",
    "learning_curve",
    "mechanism_bar",
    "mechanism_cooccurrence_plot",
    "patient_waterfall",
    "patients_looked_at",
    "risk_group_heatmap",
]
