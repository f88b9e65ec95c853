"""All metrics of all models, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from nbrelapse.outcome.event_of import event_of, is_survival
from nbrelapse.validation.bootstrap_interval import bootstrap_interval
from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.compute_metrics import compute_metrics
from nbrelapse.validation.jackknife_weights import jackknife_weights
from nbrelapse.validation.judged_patients import JudgedPatients
from nbrelapse.validation.metric_kind import MetricKind
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.supported_horizons import SupportedHorizons

_FEWEST_PATIENTS = 10
_FEWEST_EVENTS = 5
"""With k events about exp(-k) of the resamples hold none: below 1 % from five on."""


@dataclass(frozen=True)
class Evaluation:
    """How well models predicted.

    Parameters
    ----------
    metrics : DataFrame
        ``model, population, metric, value, low, high, n, events``: a row a model, population and metric, with
        the 95 % interval; :class:`MetricKind` says which values are good. NaN where a model has no value, with a
        note.
    differences : DataFrame
        ``model, reference, population, metric, difference, low, high``: the model's value less the reference's
        in the same resamples.
    notes : list of str
        What was left out or shortened, and why.
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]


def evaluate(
    predictions: Mapping[str, Predictions],
    y: np.ndarray,
    *,
    populations: Mapping[str, np.ndarray],
    references: Sequence[str],
    n_bootstrap: int = 1000,
    seed: int = 0,
    interval: Literal["percentile", "bca"] = "percentile",
) -> Evaluation:
    """Judge models on the same patients, overall and within populations.

    Metrics: ``harrell_c``, ``uno_c``, ``cause_specific_c`` (where there are competing events), ``auc``, ``brier`` and
    ``ipa`` (the index of prediction accuracy) at ``_1y``, ``_2y``, ``_3y`` and ``_5y``, ``integrated_brier`` (over
    the predictions' times) and ``calibration_slope``. Uno's C counts events, and the Brier score is integrated,
    up to five years or the end of the follow-up, whichever is first. Of a binary endpoint: see
    :func:`binary_metrics`.

    Intervals come from bootstrap resamples of the patients of a population, the same for all models.
    They tell how much the figures depend on who was in the evaluation; the models stay as they are. The censoring
    distribution is that of the judged patients, estimated once: a hold-out may be followed differently from the
    patients that the models were trained on.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        By model; all with the same times.
    y : ndarray of shape (n,)
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
    _check(predictions, y, populations, references)
    if interval not in ("percentile", "bca"):
        raise ValueError(f"interval {interval!r} is neither 'percentile' nor 'bca'")
    censoring = CensoringDistribution.fit(y)
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    notes: list[str] = []
    for population, mask in populations.items():
        members = np.flatnonzero(mask)
        n, events = len(members), int((event_of(y)[members] == 1).sum())
        rarest = events if is_survival(y) else min(events, n - events)
        if n < _FEWEST_PATIENTS or rarest < _FEWEST_EVENTS:
            notes.append(f"{population}: left out, it has {n} patients and {events} events")
            continue
        weights = bootstrap_weights(n, n_bootstrap, seed)
        if interval == "bca":
            weights = np.hstack([weights, jackknife_weights(n, seed)])
        horizons = SupportedHorizons.of(y[members], censoring, next(iter(predictions.values())).times)
        judged = JudgedPatients(y[members], weights, censoring, horizons)
        inside = {model: prediction.take(members) for model, prediction in predictions.items()}
        replicates, found = _replicates(inside, judged, n_bootstrap)
        notes += [f"{population}: {note}" for note in found]
        for (model, metric), values in replicates.items():
            row: dict[str, object] = {"model": model, "population": population, "metric": metric}
            metrics.append(row | _interval("value", values, n_bootstrap) | {"n": n, "events": events})
            differences += [
                row
                | {"reference": reference}
                | _interval("difference", values - replicates[reference, metric], n_bootstrap)
                for reference in references
                if reference != model
            ]
    return Evaluation(
        pd.DataFrame(metrics, columns=["model", "population", "metric", "value", "low", "high", "n", "events"]),
        pd.DataFrame(differences, columns=["model", "reference", "population", "metric", "difference", "low", "high"]),
        notes,
    )


def _replicates(
    predictions: Mapping[str, Predictions], judged: JudgedPatients, n_bootstrap: int
) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    """Every metric of every model for each column of weights, and what is missing."""
    notes = [*judged.horizons.notes, *_folds_without_events(predictions, judged.y)]
    replicates = {}
    for model, prediction in predictions.items():
        for metric, values in compute_metrics(prediction, judged).items():
            replicates[model, metric] = values
            undefined = int(np.isnan(values[1 : n_bootstrap + 1]).sum())
            if np.isnan(values[0]):
                notes.append(f"{metric} of {model} is undefined, {MetricKind.of(metric).undefined}")
            elif undefined:
                notes.append(f"{metric} of {model} is undefined in {undefined} of {n_bootstrap} resamples")
    return replicates, notes


def _folds_without_events(predictions: Mapping[str, Predictions], y: np.ndarray) -> list[str]:
    notes = []
    for prediction in predictions.values():
        folds = [event_of(y)[row == name] for row in prediction.fold for name in np.unique(row)]
        without = sum(not (events == 1).any() for events in folds)
        if without:
            notes.append(f"{without} of {len(folds)} folds hold no event, they say nothing of the ranking")
    return list(dict.fromkeys(notes))


def _interval(name: str, values: np.ndarray, n_bootstrap: int) -> dict[str, object]:
    """Value and 95 % interval; with columns beyond the resamples, those of a jackknife, the BCa interval."""
    resamples, jackknife = np.split(values[1:], [n_bootstrap])
    low, high = bootstrap_interval(float(values[0]), resamples, jackknife if len(jackknife) else None)
    return {name: float(values[0]), "low": low, "high": high}


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
