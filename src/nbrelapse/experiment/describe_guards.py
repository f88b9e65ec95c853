"""What is said and logged of an experiment's guards."""

from __future__ import annotations

import math

from nbrelapse.experiment.result import ExperimentResult
from nbrelapse.report.guard_sections import GuardSection, multiplicity_section, sample_size_section
from nbrelapse.tracking.records import APPARENT_METRIC, CORRECTED_METRIC
from nbrelapse.validation.multiplicity import Multiplicity


def multiplicity(result: ExperimentResult, experiments: int) -> Multiplicity:
    """Return how many models an experiment tried; ``experiments`` are on record of its patients and outcomes."""
    guards = result.guards
    trials = result.config.validation.trials
    return Multiplicity(len(result.config.models), trials, experiments, guards.apparent, guards.corrected)


def guard_sections(result: ExperimentResult, tried: Multiplicity) -> list[GuardSection]:
    """Return the sections of the report and of the model cards."""
    used = {str(name): features_used(result, name) for name in result.config.models}
    return [multiplicity_section(tried), sample_size_section(result.guards.size, used)]


def guard_metrics(result: ExperimentResult, model: str) -> dict[str, float]:
    """Return figures to log beside the metrics.

    ``events_per_parameter`` (candidates), ``patients_needed`` and ``expected_shrinkage`` (see
    :func:`nbrelapse.validation.sample_size.sample_size`), for the compared families ``parameters_used``, and for the
    chosen one its concordance ``before_correction`` and ``corrected_for_choice``.
    """
    guards = result.guards
    found = {
        "events_per_parameter": guards.size.events_per_parameter,
        "patients_needed": float(guards.size.patients_needed),
        "expected_shrinkage": guards.size.shrinkage,
    }
    if model in result.explanations:
        found["parameters_used"] = float(features_used(result, model))
    if model == result.chosen and math.isfinite(guards.corrected):
        found |= {APPARENT_METRIC: guards.apparent, CORRECTED_METRIC: guards.corrected}
    return found


def features_used(result: ExperimentResult, model: str) -> int:
    """Return how many features move the prediction of a training patient in the final model."""
    return int((result.explanations[model].features != 0).any(axis=0).sum())
