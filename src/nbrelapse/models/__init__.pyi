from .base import Attribution as Attribution, BinaryModel as BinaryModel, Features as Features, ModelState as ModelState, RiskModel as RiskModel, SurvivalModel as SurvivalModel, weighted_logistic as weighted_logistic
from .blend import Blend as Blend
from .boosted_prior import BoostedPrior as BoostedPrior
from .clinical import CLINICAL_COLUMNS as CLINICAL_COLUMNS, ClinicalCox as ClinicalCox, ClinicalLogistic as ClinicalLogistic, ClinicalReference as ClinicalReference
from .design import LEAST_OBSERVED as LEAST_OBSERVED, read_columns as read_columns, uninformative as uninformative
from .families import BINARY_FAMILIES as BINARY_FAMILIES, FAMILIES as FAMILIES, SURVIVAL_FAMILIES as SURVIVAL_FAMILIES, clinical_baselines as clinical_baselines, create_model as create_model, model_from_state as model_from_state
from .forest import Forest as Forest
from .hazards import FEWEST_COMPETING_EVENTS as FEWEST_COMPETING_EVENTS, log_likelihood as log_likelihood, partial_log_likelihood as partial_log_likelihood
from .linear import Cox as Cox
from .logistic import Logistic as Logistic
from .prior import CoxPrior as CoxPrior, prior_of_model as prior_of_model
from .resamples import bootstrap_refits as bootstrap_refits, bootstrap_rows as bootstrap_rows, fold_refits as fold_refits, prediction_interval as prediction_interval
from .trees import Boosted as Boosted, BoostedClassifier as BoostedClassifier
