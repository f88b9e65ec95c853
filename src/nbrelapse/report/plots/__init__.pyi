from .attributions import beeswarm as beeswarm, deletion_curves as deletion_curves, dependence as dependence, patient_waterfall as patient_waterfall
from .coverage import feature_coverage as feature_coverage, patients_looked_at as patients_looked_at
from .mechanisms import mechanism_bar as mechanism_bar, mechanism_cooccurrence_plot as mechanism_cooccurrence_plot, risk_group_heatmap as risk_group_heatmap
from .performance import binary_calibration as binary_calibration, calibration as calibration, decision_curve_plot as decision_curve_plot, incidence_course as incidence_course, kaplan_meier_by_risk as kaplan_meier_by_risk, leaderboard_forest as leaderboard_forest, learning_curve as learning_curve
