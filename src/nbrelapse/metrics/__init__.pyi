from .brier import brier_score as brier_score, integrated_brier as integrated_brier, ipa as ipa, null_brier_score as null_brier_score
from .calibration import CalibrationCurve as CalibrationCurve, calibration_curve as calibration_curve, calibration_intercept as calibration_intercept, calibration_slope as calibration_slope, ici as ici
from .decisions import ClinicalUtility as ClinicalUtility, DecisionCurve as DecisionCurve, Reclassification as Reclassification, TREAT_ALL as TREAT_ALL, TREAT_NONE as TREAT_NONE, clinical_utility as clinical_utility, decision_curve as decision_curve, net_benefit as net_benefit, observed_by_group as observed_by_group, reclassification as reclassification, tertile_calibration as tertile_calibration
from .discrimination import Concordance as Concordance, auc as auc, cause_specific_c as cause_specific_c, concordance as concordance, dynamic_auc as dynamic_auc, harrell_c as harrell_c, roc_area as roc_area, uno_c as uno_c
from .evaluation import Evaluation as Evaluation, MEAN as MEAN, discrimination as discrimination, evaluate as evaluate, evaluate_groups as evaluate_groups, strongest_reference as strongest_reference
from .horizons import CensoringDistribution as CensoringDistribution, longest_horizon as longest_horizon, prediction_times as prediction_times, reached_years as reached_years
from .incidence import observed_course as observed_course, observed_incidence as observed_incidence, pseudo_observations as pseudo_observations, similar_outcomes as similar_outcomes, weighted_incidence as weighted_incidence
from .predictions import FEWEST_EVENTS as FEWEST_EVENTS, FEWEST_PATIENTS as FEWEST_PATIENTS, Predictions as Predictions, enough_patients as enough_patients
from .resampling import IntervalKind as IntervalKind, bootstrap_interval as bootstrap_interval, bootstrap_weights as bootstrap_weights
from .table import METRICS as METRICS, Metric as Metric, metric_title as metric_title
