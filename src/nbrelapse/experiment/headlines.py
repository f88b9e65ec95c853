"""What MLflow's page says of an experiment and its models: the figures that one compares, and the notes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from nbrelapse.experiment.run import ExperimentResult
from nbrelapse.metrics.evaluation import Evaluation, chosen_difference, discrimination
from nbrelapse.metrics.table import METRICS, metric_title, population_title
from nbrelapse.models.families import model_title
from nbrelapse.report.sentences import verdict
from nbrelapse.tracking.figures import FIGURE_DIGITS, figure_row, headline_figures, leading_figures, rounded_figures
from nbrelapse.tracking.names import FOLD_CURVE, LEADING_FIGURE, PATH_CURVE


def _headlines(result: ExperimentResult, model: str) -> dict[str, float]:
    """Return the figures of one model that one compares: see :func:`nbrelapse.tracking.headline_figures`.

    They are of nested cross-validation of all training patients. ``c.holdout`` is the leading metric on the hold-out;
    the chosen model has ``c.after_choice``, corrected for having been chosen. What has no value is absent.
    """
    found = headline_figures(result.cross_validation, model)
    if result.holdout is not None:
        found |= leading_figures(f"{LEADING_FIGURE}.holdout", result.holdout, model)
    if model == result.chosen:
        found[f"{LEADING_FIGURE}.after_choice"] = result.guards.corrected
    return rounded_figures(found)


def _curves(result: ExperimentResult, model: str) -> dict[str, list[tuple[int, float]]]:
    """Return curves of one model by MLflow name: steps, from 1, and values.

    ``c.fold`` is the leading metric in each fold of the cross-validation (fold k of repeat r of n folds is step
    (r - 1) n + k), ``deviance_explained`` that of the training patients after each step of the fit. A fold without
    two patients to compare is absent, and so is a curve without a value.
    """
    training = result.data.training
    path = result.models[model].plain.training_path(result.data.features(training), training.y)
    curves = {FOLD_CURVE: list(_steps(_fold_figures(result, model))), PATH_CURVE: list(_steps(path.tolist()))}
    return {name: steps for name, steps in curves.items() if steps}


def _fold_figures(result: ExperimentResult, model: str) -> list[float]:
    y, predictions = result.data.training.y, result.predictions[model]
    return [
        float(discrimination(y[fold == number], risk[fold == number], fold=compared[fold == number]))
        for risk, fold, compared in zip(predictions.log_risk, predictions.fold, predictions.compared, strict=True)
        for number in np.unique(fold)
    ]


def _steps(values: Sequence[float]) -> Iterator[tuple[int, float]]:
    for step, value in enumerate(values, start=1):
        if math.isfinite(value):
            yield step, round(float(value), FIGURE_DIGITS)


def _experiment_note(result: ExperimentResult) -> str:
    """Describe an experiment in Markdown: the verdict and the leaderboard of the patients that it rests on."""
    judged = result.cross_validation if result.holdout is None else result.holdout
    metric = METRICS[judged.kind.leading_metric]
    where = "nested cross-validation of the training patients" if result.holdout is None else "the hold-out"
    parts = [
        *_verdicts(judged, result.chosen),  # first: the page shows one line of a folded description
        *([result.config.description] if result.config.description else []),
        f"Endpoint: {result.config.endpoint}. For research. Not for treatment decisions.",
        f"{metric_title(metric.name)} (95% interval) in {where}, and the difference from the strongest clinical "
        "baseline; * chosen by nested cross-validation:",
        "\n".join(_leaderboard(judged, result.chosen)),
    ]
    return "\n\n".join(parts)


def _model_note(result: ExperimentResult, model: str) -> str:
    """Describe a model in Markdown: what it is, and the verdict on it."""
    judged = result.cross_validation if result.holdout is None else result.holdout
    if model in result.baselines:
        return f"{model_title(model)}, a clinical baseline for {result.config.endpoint}."
    chosen = ", chosen by nested cross-validation" if model == result.chosen else ""
    title = f"{model_title(model)} for {result.config.endpoint}{chosen}. For research. Not for treatment decisions."
    return "\n\n".join([title, *_verdicts(judged, model)])


def _verdicts(judged: Evaluation, model: str) -> Iterator[str]:
    for population in dict.fromkeys(["all", *judged.metrics["population"]]):
        said = verdict(judged, model, population)
        yield f"**{population_title(population)}: {said.headline}.** {said.sentence}"


def _leaderboard(judged: Evaluation, chosen: str) -> Iterator[str]:
    metric = METRICS[judged.kind.leading_metric]
    table = judged.metrics[judged.metrics["metric"] == metric.name]
    populations = list(dict.fromkeys(table["population"]))
    titles = [part for name in populations for part in (population_title(name), "minus baseline")]
    yield "| model | " + " | ".join(titles) + " |"
    yield "|---" * (1 + len(titles)) + "|"
    first = table[table["population"] == populations[0]] if populations else table
    for model in first.sort_values("value", key=metric.goodness, ascending=False, kind="stable")["model"]:
        cells = [part for name in populations for part in _cells(judged, str(model), name)]
        yield f"| {model_title(str(model))}{' *' if model == chosen else ''} | " + " | ".join(cells) + " |"


def _cells(judged: Evaluation, model: str, population: str) -> tuple[str, str]:
    row = figure_row(judged, model, population, judged.kind.leading_metric)
    compared = chosen_difference(judged, model, population)
    difference = "–"
    if compared is not None:
        difference = f"{compared.difference:+.3f} ({compared.low:+.3f} to {compared.high:+.3f})"
    if not row or pd.isna(row["value"]):
        return "–", difference
    interval = "" if pd.isna(row["low"]) else f" ({row['low']:.3f} to {row['high']:.3f})"
    return f"{row['value']:.3f}{interval}", difference
