from .base import Attribution as Attribution, BinaryModel as BinaryModel, ModelState as ModelState, RiskModel as RiskModel, SurvivalModel as SurvivalModel, weighted_logistic as weighted_logistic
from .blend import Blend as Blend
from .clinical import CLINICAL_COLUMNS as CLINICAL_COLUMNS, ClinicalBaseline as ClinicalBaseline, ClinicalLogistic as ClinicalLogistic, ClinicalReference as ClinicalReference
from .design import read_columns as read_columns
from .families import BINARY_FAMILIES as BINARY_FAMILIES, FAMILIES as FAMILIES, SURVIVAL_FAMILIES as SURVIVAL_FAMILIES, clinical_baselines as clinical_baselines, create_model as create_model, model_from_state as model_from_state
from .hazards import FEWEST_COMPETING_EVENTS as FEWEST_COMPETING_EVENTS, log_likelihood as log_likelihood, partial_log_likelihood as partial_log_likelihood
from .prior import prior_of_model as prior_of_model
from .resamples import bootstrap_refits as bootstrap_refits, bootstrap_rows as bootstrap_rows, fold_refits as fold_refits, prediction_interval as prediction_interval
