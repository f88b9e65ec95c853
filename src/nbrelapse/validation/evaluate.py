"""All metrics of all models, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.calibration_slope import calibration_slope
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.concordance import concordance
from nbrelapse.validation.dynamic_auc import dynamic_auc
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.integrated_brier import integrated_brier
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
        the 95 % interval. ``integrated_brier`` is better when lower and ``calibration_slope`` when closer to 1;
        all others when higher. NaN where a model has no value, with a note.
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
) -> Evaluation:
    """Judge models on the same patients, overall and within populations.

    Metrics: ``harrell_c``, ``uno_c``, ``auc_1y``, ``auc_2y``, ``auc_3y``, ``auc_5y``, ``integrated_brier`` (over
    the predictions' times) and ``calibration_slope``. Uno's C counts events, and the Brier score is integrated,
    up to five years or the end of the follow-up, whichever is first.

    Intervals are percentiles of bootstrap resamples of the patients of a population, the same for all models.
    They tell how much the figures depend on who was in the evaluation; the models stay as they are. The censoring
    distribution is that of the judged patients, estimated once: a hold-out may be followed differently from the
    patients that the models were trained on.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        By model; all with the same times.
    y : structured ndarray of shape (n,)
        ``event`` and ``time`` of the patients that the predictions are of.
    populations : mapping of str to bool ndarray of shape (n,)
        One with fewer than 10 patients or 5 events is left out, with a note.
    references : sequence of str
        Models that the others are compared with.
    n_bootstrap, seed : int

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        The predictions are of other patients or times than each other, or a reference is not among them.

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
    censoring = CensoringDistribution.fit(y)
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    notes: list[str] = []
    for population, mask in populations.items():
        members = np.flatnonzero(mask)
        n, events = len(members), int((y["event"][members] == 1).sum())
        if n < _FEWEST_PATIENTS or events < _FEWEST_EVENTS:
            notes.append(f"{population}: left out, it has {n} patients and {events} events")
            continue
        inside = {model: prediction.take(members) for model, prediction in predictions.items()}
        weights = bootstrap_weights(n, n_bootstrap, seed)
        replicates, found = _replicates(inside, y[members], weights, censoring)
        notes += [f"{population}: {note}" for note in found]
        for (model, metric), values in replicates.items():
            row: dict[str, object] = {"model": model, "population": population, "metric": metric}
            metrics.append(row | _interval("value", values) | {"n": n, "events": events})
            differences += [
                row | {"reference": reference} | _interval("difference", values - replicates[reference, metric])
                for reference in references
                if reference != model
            ]
    return Evaluation(
        pd.DataFrame(metrics, columns=["model", "population", "metric", "value", "low", "high", "n", "events"]),
        pd.DataFrame(differences, columns=["model", "reference", "population", "metric", "difference", "low", "high"]),
        notes,
    )


def _replicates(
    predictions: Mapping[str, Predictions], y: np.ndarray, weights: np.ndarray, censoring: CensoringDistribution
) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    """Every metric of every model for each column of weights, and what is missing."""
    horizons = SupportedHorizons.of(y, censoring, next(iter(predictions.values())).times)
    notes = list(horizons.notes)
    replicates = {}
    for model, prediction in predictions.items():
        for metric, values in _metrics(prediction, y, weights, censoring, horizons).items():
            replicates[model, metric] = values
            undefined = int(np.isnan(values[1:]).sum())
            if np.isnan(values[0]):
                reason = "its log risk is constant or separates the events"
                if metric != "calibration_slope":
                    reason = "no fold has patients to compare"
                notes.append(f"{metric} of {model} is undefined, {reason}")
            elif undefined:
                notes.append(f"{metric} of {model} is undefined in {undefined} of {len(values) - 1} resamples")
    return replicates, notes


def _metrics(
    prediction: Predictions,
    y: np.ndarray,
    weights: np.ndarray,
    censoring: CensoringDistribution,
    horizons: SupportedHorizons,
) -> dict[str, np.ndarray]:
    risk, fold = prediction.log_risk, prediction.fold
    harrell, uno = concordance(y, risk, fold, weights, censoring, horizons.tau)
    found = {"harrell_c": harrell, "uno_c": uno}
    for years in horizons.auc_years:
        found[f"auc_{years}y"] = dynamic_auc(y, risk, fold, weights, censoring, years * YEAR)
    if horizons.n_times > 1:
        incidence, times = prediction.incidence[:, :, : horizons.n_times], prediction.times[: horizons.n_times]
        found["integrated_brier"] = integrated_brier(y, incidence, times, weights, censoring)
    found["calibration_slope"] = calibration_slope(y, risk, fold, weights)
    return found


def _interval(name: str, values: np.ndarray) -> dict[str, object]:
    """Value and 95 % percentile interval over the resamples in which it is defined."""
    defined = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(defined):
        return {name: float(values[0]), "low": np.nan, "high": np.nan}
    low, high = np.quantile(defined, [0.025, 0.975])
    return {name: float(values[0]), "low": float(low), "high": float(high)}


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
