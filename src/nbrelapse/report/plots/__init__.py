"""Pictures of models, cohorts and patients, each a matplotlib Figure."""

from nbrelapse.report.plots.beeswarm import beeswarm
from nbrelapse.report.plots.binary_calibration import binary_calibration
from nbrelapse.report.plots.calibration import calibration
from nbrelapse.report.plots.decision_curve import decision_curve_plot
from nbrelapse.report.plots.deletion_curves import deletion_curves
from nbrelapse.report.plots.dependence import dependence
from nbrelapse.report.plots.feature_coverage import feature_coverage
from nbrelapse.report.plots.incidence_course import incidence_course
from nbrelapse.report.plots.kaplan_meier import kaplan_meier_by_risk
from nbrelapse.report.plots.leaderboard_forest import leaderboard_forest
from nbrelapse.report.plots.learning_curve import learning_curve
from nbrelapse.report.plots.mechanism_bar import mechanism_bar
from nbrelapse.report.plots.mechanism_cooccurrence import mechanism_cooccurrence_plot
from nbrelapse.report.plots.patients_looked_at import patients_looked_at
from nbrelapse.report.plots.risk_group_heatmap import risk_group_heatmap
from nbrelapse.report.plots.waterfall import patient_waterfall

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
