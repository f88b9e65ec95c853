"""What is said and logged of an experiment's guards."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.experiment.result import ExperimentResult
from nbrelapse.report.guard_sections import (
    GuardSection,
    learning_section,
    multiplicity_section,
    optimism_section,
    sample_size_section,
)
from nbrelapse.report.plots import learning_curve
from nbrelapse.tracking.records import APPARENT_METRIC, CORRECTED_METRIC
from nbrelapse.validation.multiplicity import Multiplicity


def multiplicity(result: ExperimentResult, experiments: int) -> Multiplicity:
    """Return how many models an experiment tried; ``experiments`` are on record of its patients and outcomes."""
    guards = result.guards
    trials = result.config.validation.trials
    return Multiplicity(len(result.config.models), trials, experiments, guards.apparent, guards.corrected)


def guard_sections(result: ExperimentResult, tried: Multiplicity | None = None) -> list[GuardSection]:
    """Return the sections of the report and of the model cards; how many models were tried, where that is known."""
    guards = result.guards
    used = {str(name): features_used(result, name) for name in result.config.models}
    sections = [] if tried is None else [multiplicity_section(tried)]
    sections += [sample_size_section(guards.size, used), optimism_section(guards.optimism)]
    return sections if guards.learning is None else [*sections, learning_section(guards.learning, result.chosen)]


def guard_tables(result: ExperimentResult) -> dict[str, pd.DataFrame]:
    """Return tables to log: ``optimism``, and ``learning_curve`` where there is one."""
    guards = result.guards
    tables = {"optimism": pd.concat(guards.optimism, names=["model"]).reset_index()}
    return tables if guards.learning is None else tables | {"learning_curve": guards.learning.table}


def guard_figures(result: ExperimentResult) -> dict[str, Figure]:
    """Draw the learning curve, where there is one."""
    learning = result.guards.learning
    return {} if learning is None else {"learning_curve": learning_curve(learning.table)}


def guard_metrics(result: ExperimentResult, model: str) -> dict[str, float]:
    """Return figures to log beside the metrics.

    ``events_per_parameter`` (candidates), ``patients_needed`` and ``expected_shrinkage`` (see
    :func:`nbrelapse.validation.sample_size.sample_size`), for the compared families ``parameters_used``, and for the
    chosen one its concordance ``before_correction`` and ``corrected_for_choice``. Of the final models
    ``optimism/<metric>_apparent`` and ``_corrected``; with a learning curve ``gain_of_twice_the_patients``.
    """
    guards = result.guards
    found = {
        "events_per_parameter": guards.size.events_per_parameter,
        "patients_needed": float(guards.size.patients_needed),
        "expected_shrinkage": guards.size.shrinkage,
    }
    if model in result.explanations:
        found["parameters_used"] = float(features_used(result, model))
        for metric, row in guards.optimism[model].iterrows():
            found |= {f"optimism/{metric}_{name}": float(row[name]) for name in ("apparent", "corrected")}
    if model == result.chosen and guards.learning is not None:
        found["gain_of_twice_the_patients"] = guards.learning.gain
    if model == result.chosen and math.isfinite(guards.corrected):
        found |= {APPARENT_METRIC: guards.apparent, CORRECTED_METRIC: guards.corrected}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def features_used(result: ExperimentResult, model: str) -> int:
    """Return how many features move the prediction of a training patient in the final model."""
    return int((result.explanations[model].features != 0).any(axis=0).sum())
