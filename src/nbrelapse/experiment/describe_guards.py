"""What is said and logged of an experiment's guards."""

from __future__ import annotations

from nbrelapse.experiment.result import ExperimentResult
from nbrelapse.report.guard_sections import GuardSection, sample_size_section


def guard_sections(result: ExperimentResult) -> list[GuardSection]:
    """Return the sections of the report and of the model cards."""
    used = {str(name): features_used(result, name) for name in result.config.models}
    return [sample_size_section(result.guards.size, used)]


def guard_metrics(result: ExperimentResult, model: str) -> dict[str, float]:
    """Return figures to log beside the metrics.

    ``events_per_parameter`` (candidates), ``patients_needed`` and ``expected_shrinkage`` (see
    :func:`nbrelapse.validation.sample_size.sample_size`), and for the compared families ``parameters_used``.
    """
    size = result.guards.size
    found = {
        "events_per_parameter": size.events_per_parameter,
        "patients_needed": float(size.patients_needed),
        "expected_shrinkage": size.shrinkage,
    }
    return found | ({"parameters_used": float(features_used(result, model))} if model in result.explanations else {})


def features_used(result: ExperimentResult, model: str) -> int:
    """Return how many features move the prediction of a training patient in the final model."""
    return int((result.explanations[model].features != 0).any(axis=0).sum())
