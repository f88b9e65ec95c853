from . import cohort as cohort, experiment as experiment, explanation as explanation, mechanisms as mechanisms, metrics as metrics, models as models, outcome as outcome, readers as readers, report as report, scoring as scoring, simulation as simulation, tracking as tracking, validation as validation
from .cohort import Cohort as Cohort, CohortReport as CohortReport, check_cohort as check_cohort, read_cohort as read_cohort, write_cohort as write_cohort
from .errors import InputError as InputError, NbRelapseError as NbRelapseError
from .experiment import ExperimentResult as ExperimentResult, publish as publish, read_config as read_config, run_experiment as run_experiment
from .explanation import Explanation as Explanation, explain as explain
from .mechanisms import Catalogue as Catalogue, FeatureTable as FeatureTable, build_features as build_features, load_catalogue as load_catalogue, read_features as read_features, read_gene_sets as read_gene_sets, write_features as write_features
from .metrics import Evaluation as Evaluation, evaluate as evaluate
from .models import Blend as Blend, Boosted as Boosted, BoostedClassifier as BoostedClassifier, BoostedPrior as BoostedPrior, ClinicalCox as ClinicalCox, ClinicalLogistic as ClinicalLogistic, Cox as Cox, CoxPrior as CoxPrior, Forest as Forest, Logistic as Logistic, RiskModel as RiskModel
from .outcome import Outcome as Outcome, make_outcome as make_outcome, summarize_outcome as summarize_outcome
from .readers import import_cbioportal as import_cbioportal, import_gdc as import_gdc, import_geo as import_geo, import_tables as import_tables
from .report import plots as plots
from .scoring import Bundle as Bundle, load_model as load_model, save_model as save_model, score as score
from .simulation import simulate_cohort as simulate_cohort
from .validation import CrossValidation as CrossValidation, cross_validate as cross_validate

__version__: str
