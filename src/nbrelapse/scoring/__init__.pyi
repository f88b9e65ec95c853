from .bundle import Bundle as Bundle, ClinicalGroup as ClinicalGroup, NearPatients as NearPatients, ObservedOutcomes as ObservedOutcomes, SimilarOutcomes as SimilarOutcomes, TrainingSummary as TrainingSummary, make_bundle as make_bundle
from .evaluate import evaluate_bundle as evaluate_bundle
from .explain import ExplainRequest as ExplainRequest, ExplainedCohort as ExplainedCohort, explain_cohort as explain_cohort
from .groups import clinical_groups as clinical_groups, judge_decisions as judge_decisions, patient_groups as patient_groups, populations as populations
from .patient import describe_patient as describe_patient
from .scores import check_scores_file as check_scores_file, score as score, write_scores as write_scores
from .storage import load_model as load_model, save_model as save_model, write_bundle as write_bundle
