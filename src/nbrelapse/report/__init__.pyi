from . import plots as plots
from .decisions import decisions_section as decisions_section
from .experiment_report import ReportContent as ReportContent, experiment_figures as experiment_figures, write_experiment_report as write_experiment_report
from .explanation_report import ExplanationContent as ExplanationContent, explanation_figures as explanation_figures, write_explanation_report as write_explanation_report
from .facts import NO_RECOMMENDATION as NO_RECOMMENDATION, agents_in_words as agents_in_words, assay_title as assay_title, coverage_table as coverage_table, disagreements as disagreements, feature_facts as feature_facts, feature_patients as feature_patients, hazard_ratios as hazard_ratios, mechanism_patients as mechanism_patients, therapy_facts as therapy_facts
from .guard_sections import GuardSection as GuardSection, learning_section as learning_section, multiplicity_section as multiplicity_section, multiplicity_sentence as multiplicity_sentence, optimism_section as optimism_section, sample_size_section as sample_size_section
from .mechanism_page import mechanism_page as mechanism_page
from .patient_report import GroupCourse as GroupCourse, PatientContent as PatientContent, PatientPrediction as PatientPrediction, SimilarPatients as SimilarPatients, write_patient_report as write_patient_report
from .render import check_picture as check_picture, save_figure as save_figure, save_figures as save_figures
from .sentences import ProbabilityImportance as ProbabilityImportance, stability_sentences as stability_sentences, verdict as verdict
from .wording import ENDPOINTS as ENDPOINTS, model_title as model_title
