"""All metrics of all models, with intervals and paired differences, overall and by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from nbrelapse.metrics.discrimination import harrell_c
from nbrelapse.metrics.predictions import Predictions, _JudgedModel, _JudgedPatients, enough_patients
from nbrelapse.metrics.resampling import (
    IntervalKind,
    _interval_weights,
    _Value,
    bootstrap_interval,
    cross_validation_stretch,
)
from nbrelapse.metrics.table import METRICS
from nbrelapse.outcome import OutcomeKind, event_of, kind_of, values_of

if TYPE_CHECKING:
    from nbrelapse.metrics.decisions import ClinicalUtility
    from nbrelapse.outcome import Outcome


@dataclass(frozen=True)
class Evaluation:
    """How well models predicted.

    Parameters
    ----------
    metrics : DataFrame
        ``model, population, metric, value, low, high, n, events``: a row a model, population and metric, with
        the 95 % interval; ``METRICS`` says which values are good. NaN where a model has no value, with a
        note.
    differences : DataFrame
        ``model, reference, population, metric, difference, low, high``: the model's value less the reference's
        in the same resamples.
    notes : list of str
        What was left out or shortened, and why.
    kind : OutcomeKind
        Of the outcome; its ``leading_metric`` is the one that models are ranked by.
    utility : ClinicalUtility, optional
        Of the model judged, where one model is judged.
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]
    kind: OutcomeKind
    utility: ClinicalUtility | None = None

    @classmethod
    def of(
        cls,
        metrics: list[dict[str, object]],
        differences: list[dict[str, object]],
        notes: list[str],
        kind: OutcomeKind,
    ) -> Self:
        """Put rows together; without any, the tables are empty and have their columns."""
        return cls(
            pd.DataFrame(metrics, columns=["model", "population", "metric", "value", "low", "high", "n", "events"]),
            pd.DataFrame(
                differences, columns=["model", "reference", "population", "metric", "difference", "low", "high"]
            ),
            notes,
            kind,
        )


def evaluate(
    predictions: Mapping[str, Predictions],
    y: np.ndarray | Outcome,
    *,
    populations: Mapping[str, np.ndarray],
    references: Sequence[str],
    n_bootstrap: int = 1000,
    seed: int = 0,
    interval: IntervalKind = "percentile",
) -> Evaluation:
    """Judge models on the same patients, overall and within populations.

    Metrics: ``harrell_c``, ``uno_c``, ``cause_specific_c`` (where there are competing events), ``auc``, ``brier`` and
    ``ipa`` (the index of prediction accuracy) at ``_1y``, ``_2y``, ``_3y`` and ``_5y``, ``integrated_brier`` (over
    the predictions' times) and ``calibration_slope``. Uno's C counts events, and the Brier score is integrated,
    up to five years or the end of the follow-up, whichever is first. Of a binary endpoint: ``auc``, ``brier``, ``ipa``,
    ``calibration_slope``, ``calibration_intercept`` and ``ici``. See ``METRICS``.

    Intervals come from bootstrap resamples of the patients of a population, the same for all models.
    They tell how much the figures depend on who was in the evaluation; the models stay as they are. Of cross-validated
    predictions they are stretched, so that they hold for the final model in new patients: see
    :func:`nbrelapse.metrics.resampling.cross_validation_stretch`. The censoring
    distribution is that of the judged patients, estimated once: a hold-out may be followed differently from the
    patients that the models were trained on.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        By model; all with the same times.
    y : ndarray of shape (n,) or Outcome
        ``event`` and ``time`` of the patients that the predictions are of, or 0 and 1.
    populations : mapping of str to bool ndarray of shape (n,)
        One with fewer than 10 patients or 5 events (or, binary, 5 patients without it) is left out, with a note.
    references : sequence of str
        Models that the others are compared with.
    n_bootstrap, seed : int
    interval : {"percentile", "bca"}
        See :func:`bootstrap_interval`.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        The predictions are of other patients or times than each other, a reference is not among them, or there
        is no such interval.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> risk = rng.normal(size=(1, 60))
    >>> y = np.array([(i % 2, t) for i, t in enumerate(900 * rng.exponential(np.exp(-risk[0])))], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> fold, times = np.zeros((1, 60), int), np.array([90.0, 180.0])
    >>> models = {name: Predictions(name, x, fold, np.full((1, 60, 2), 0.2), times) for name, x in
    ...           {"good": risk, "none": 0 * risk}.items()}
    >>> found = evaluate(models, y, populations={"all": np.ones(60, bool)}, references=["none"], n_bootstrap=100)
    >>> found.metrics.query("metric == 'harrell_c'")[["model", "value", "n", "events"]].round(2).values.tolist()
    [['good', 0.75, 60, 30], ['none', 0.5, 60, 30]]
    """
    y = values_of(y)
    _check(predictions, y, populations, references)
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    notes: list[str] = []
    for population, mask in populations.items():
        members = np.flatnonzero(mask)
        n, events = len(members), int((event_of(y)[members] == 1).sum())
        if not enough_patients(y[members]):
            notes.append(f"{population}: left out, it has {n} patients and {events} events")
            continue
        weights = _interval_weights(n, n_bootstrap, seed, interval)
        judged = _JudgedPatients(y[members], weights, next(iter(predictions.values())).times, observed=y)
        inside = {model: prediction.take(members) for model, prediction in predictions.items()}
        replicates, found = _metric_replicates(inside, judged, n_bootstrap)
        notes += [f"{population}: {note}" for note in found]
        rows = _evaluation_rows(
            replicates,
            references,
            population,
            n=n,
            events=events,
            n_bootstrap=n_bootstrap,
            stretch=cross_validation_stretch(next(iter(inside.values())).fold),
        )
        metrics += rows[0]
        differences += rows[1]
    return Evaluation.of(metrics, differences, notes, kind_of(y))


def _metric_replicates(
    predictions: Mapping[str, Predictions], judged: _JudgedPatients, n_bootstrap: int
) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    """Compute every metric of every model for each column of patient weights, and say what is missing.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        Of the patients judged, by model.
    judged : JudgedPatients
    n_bootstrap : int
        Columns of weights that are resamples: the second to the one after the last of them.

    Returns
    -------
    replicates : dict of (model, metric) to ndarray of shape (n_columns,)
    notes : list of str
    """
    notes = [*judged.notes, *_folds_without_events(predictions, judged.y)]
    replicates = {}
    for model, prediction in predictions.items():
        own = _JudgedModel(prediction, judged)
        for metric in METRICS.values():
            found = metric.compute(own) if judged.kind in metric.kinds else None
            if found is None:
                continue
            values = np.asarray(found)
            replicates[model, metric.name] = values
            undefined = int(np.isnan(values[1 : n_bootstrap + 1]).sum())
            if np.isnan(values[0]):
                notes.append(f"{metric.name} of {model} is undefined, {metric.undefined}")
            elif undefined:
                notes.append(f"{metric.name} of {model} is undefined in {undefined} of {n_bootstrap} resamples")
    return replicates, notes


def _folds_without_events(predictions: Mapping[str, Predictions], y: np.ndarray) -> list[str]:
    notes = []
    for prediction in predictions.values():
        folds = [event_of(y)[row == name] for row in prediction.fold for name in np.unique(row)]
        without = sum(not (events == 1).any() for events in folds)
        if without:
            notes.append(f"{without} of {len(folds)} folds hold no event, they say nothing of the ranking")
    return list(dict.fromkeys(notes))


def strongest_reference(evaluation: Evaluation, population: str, metric: str | None = None) -> str | None:
    """Return the reference model with the best value (of the leading metric) in a population; None without one."""
    metric = metric or evaluation.kind.leading_metric
    references = set(evaluation.differences["reference"])
    table = evaluation.metrics
    table = table[
        (table["population"] == population) & (table["metric"] == metric) & table["model"].isin(references)
    ].dropna(subset=["value"])
    return None if table.empty else str(METRICS[metric].goodness(table.set_index("model")["value"]).idxmax())


def _check(
    predictions: Mapping[str, Predictions],
    y: np.ndarray,
    populations: Mapping[str, np.ndarray],
    references: Sequence[str],
) -> None:
    unknown = [name for name in references if name not in predictions]
    if not predictions or unknown:
        raise ValueError(f"no predictions of {', '.join(unknown) or 'any model'}")
    times = next(iter(predictions.values())).times
    for name, prediction in predictions.items():
        if prediction.log_risk.shape[1] != len(y):
            raise ValueError(f"{name} predicted {prediction.log_risk.shape[1]} patients, the outcome has {len(y)}")
        if not np.array_equal(prediction.times, times):
            raise ValueError(f"{name} predicted for other times than the first model")
    for name, mask in populations.items():
        if mask.shape != y.shape or mask.dtype != bool:
            raise ValueError(f"population {name} is no mask of the {len(y)} patients")


MEAN = "mean of groups"
"""The population that holds the mean over the groups."""


def evaluate_groups(
    predictions: Mapping[str, Predictions],
    y: np.ndarray,
    groups: np.ndarray,
    *,
    references: Sequence[str],
    n_bootstrap: int = 1000,
    seed: int = 0,
    interval: IntervalKind = "percentile",
) -> Evaluation:
    """Judge models within each group and by the mean of each metric over the groups.

    In a resample every group is drawn anew from its own patients, independently of the others; the mean's interval is
    that of the means of these resamples. It says how much the figure depends on the patients, not on which groups
    there were. Groups count equally, whatever their size. Censoring is that of the group judged.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        By model.
    y : ndarray of shape (n,)
    groups : ndarray of str, shape (n,)
    references : sequence of str
        Models that the others are compared with.
    n_bootstrap, seed : int
    interval : {"percentile", "bca"}
        See :func:`bootstrap_interval`. The jackknife of the mean leaves out the patients of every group in turn.

    Returns
    -------
    Evaluation
        The populations are the groups and ``mean of groups``. A metric that some group does not have (a horizon
        beyond its follow-up, say) has no mean, with a note.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> risk = rng.normal(size=(1, 60))
    >>> y = np.array([(i % 2, t) for i, t in enumerate(900 * rng.exponential(np.exp(-risk[0])))], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> fold, times = np.zeros((1, 60), int), np.array([90.0, 180.0])
    >>> models = {"good": Predictions("good", risk, fold, np.full((1, 60, 2), 0.2), times)}
    >>> found = evaluate_groups(models, y, np.repeat(["A", "B"], 30), references=[], n_bootstrap=100)
    >>> found.metrics.query("metric == 'harrell_c'").set_index("population")["value"].round(2).to_dict()
    {'A': 0.76, 'B': 0.72, 'mean of groups': 0.74}
    """
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    notes: list[str] = []
    by_group: list[dict[tuple[str, str], np.ndarray]] = []
    names = [str(name) for name in np.unique(groups)]
    for name in names:
        members = np.flatnonzero(groups == name)
        # Of the name, so that a group is drawn alike whichever others there are.
        child = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0])
        weights = _interval_weights(len(members), n_bootstrap, child, interval)
        times = next(iter(predictions.values())).times
        judged = _JudgedPatients(y[members], weights, times, observed=y[members])
        inside = {model: prediction.take(members) for model, prediction in predictions.items()}
        replicates, found = _metric_replicates(inside, judged, n_bootstrap)
        notes += [f"{name}: {note}" for note in found]
        by_group.append(replicates)
        _add(metrics, differences, replicates, references, name, y[members], n_bootstrap)
    shared = [key for key in by_group[0] if all(key in group for group in by_group)]
    mean = {key: _mean([group[key] for group in by_group], n_bootstrap) for key in shared}
    partial = sorted({metric for group in by_group for _, metric in group} - {metric for _, metric in shared})
    if partial:
        notes.append(f"{MEAN}: {', '.join(partial)} left out, not every group has it")
    _add(metrics, differences, mean, references, MEAN, y, n_bootstrap)
    return Evaluation.of(metrics, differences, notes, kind_of(y))


def _mean(groups: Sequence[np.ndarray], n_bootstrap: int) -> np.ndarray:
    """Mean over groups in the sample and in each resample, then with patients of one group after another left out."""
    own = np.mean([values[: n_bootstrap + 1] for values in groups], axis=0)
    left_out = [own[0] + (values[n_bootstrap + 1 :] - values[0]) / len(groups) for values in groups]
    return np.concatenate([own, *left_out])


def _add(
    metrics: list[dict[str, object]],
    differences: list[dict[str, object]],
    replicates: Mapping[tuple[str, str], np.ndarray],
    references: Sequence[str],
    population: str,
    y: np.ndarray,
    n_bootstrap: int,
) -> None:
    events = int((event_of(y) == 1).sum())
    rows = _evaluation_rows(replicates, references, population, n=len(y), events=events, n_bootstrap=n_bootstrap)
    metrics += rows[0]
    differences += rows[1]


def _evaluation_rows(
    replicates: Mapping[tuple[str, str], np.ndarray],
    references: Sequence[str],
    population: str,
    *,
    n: int,
    events: int,
    n_bootstrap: int,
    stretch: float = 1.0,
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of metrics, and of paired differences from the references, of one population.

    Parameters
    ----------
    replicates : mapping of (model, metric) to ndarray of shape (n_columns,)
        From :func:`_metric_replicates`: the sample itself, the resamples, and for BCa intervals a jackknife.
    references : sequence of str
    population : str
    n, events, n_bootstrap : int
    stretch : float
        Of the intervals, about the values.

    Returns
    -------
    metrics, differences : list of dict
        The columns of :class:`Evaluation`.
    """
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    for (model, metric), values in replicates.items():
        row: dict[str, object] = {"model": model, "population": population, "metric": metric}
        metrics.append(
            row | _interval("value", values, n_bootstrap, stretch, bounded=True) | {"n": n, "events": events}
        )
        differences += [
            row
            | {"reference": reference}
            | _interval("difference", values - replicates[reference, metric], n_bootstrap, stretch)
            for reference in references
            if reference != model
        ]
    return metrics, differences


def _interval(
    name: str, values: np.ndarray, n_bootstrap: int, stretch: float, *, bounded: bool = False
) -> dict[str, object]:
    """Value and 95 % interval; with columns beyond the resamples, those of a jackknife, the BCa interval.

    A stretched interval ends where the metric does, where all of its resamples are between 0 and 1.
    """
    resamples, jackknife = np.split(values[1:], [n_bootstrap])
    low, high = bootstrap_interval(float(values[0]), resamples, jackknife if len(jackknife) else None)
    if stretch == 1.0:
        return {name: float(values[0]), "low": low, "high": high}
    low, high = values[0] - stretch * (values[0] - low), values[0] + stretch * (high - values[0])
    defined = values[~np.isnan(values)]
    if bounded and len(defined) and defined.min() >= 0 and defined.max() <= 1:
        low, high = max(low, 0.0), min(high, 1.0)
    return {name: float(values[0]), "low": float(low), "high": float(high)}


def discrimination(
    y: np.ndarray | Outcome, log_risk: np.ndarray, *, fold: np.ndarray | None = None, weights: np.ndarray | None = None
) -> _Value:
    """Return Harrell's C of a time to an event, or the AUC of a yes or no.

    For the figures that are computed hundreds of times over (permutations, subsamples, resamples), where
    :func:`evaluate` with its intervals would be too much.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
        Structured, ``event`` 0/1/2 and ``time``; or 0/1.
    log_risk, fold, weights
        As in :func:`nbrelapse.metrics.discrimination.harrell_c`.

    Returns
    -------
    float, or ndarray of shape (n_columns,) where the weights have columns
        0.5 is chance. NaN where no fold holds two patients to compare.

    Raises
    ------
    ValueError
        The shapes do not agree.

    Examples
    --------
    >>> discrimination(np.array([1, 1, 0, 0]), np.array([3.0, 1.0, 2.0, 0.0]))
    0.75
    """
    return harrell_c(kind_of(y).with_times(values_of(y)), log_risk, fold=fold, weights=weights)
