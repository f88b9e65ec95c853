"""All metrics of all models, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from nbrelapse.outcome.event_of import event_of
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.enough_patients import enough_patients
from nbrelapse.validation.evaluation_rows import evaluation_rows
from nbrelapse.validation.interval_weights import IntervalKind, interval_weights
from nbrelapse.validation.judged_patients import JudgedPatients
from nbrelapse.validation.metric_replicates import metric_replicates
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.supported_horizons import SupportedHorizons

if TYPE_CHECKING:
    from nbrelapse.validation.clinical_utility import ClinicalUtility


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
    utility : ClinicalUtility, optional
        Of the model judged, where one model is judged.
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]
    utility: ClinicalUtility | None = None

    @classmethod
    def of(cls, metrics: list[dict[str, object]], differences: list[dict[str, object]], notes: list[str]) -> Self:
        """Put rows together; without any, the tables are empty and have their columns."""
        return cls(
            pd.DataFrame(metrics, columns=["model", "population", "metric", "value", "low", "high", "n", "events"]),
            pd.DataFrame(
                differences, columns=["model", "reference", "population", "metric", "difference", "low", "high"]
            ),
            notes,
        )


def evaluate(
    predictions: Mapping[str, Predictions],
    y: np.ndarray,
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
    censoring = CensoringDistribution.fit(y)
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    notes: list[str] = []
    for population, mask in populations.items():
        members = np.flatnonzero(mask)
        n, events = len(members), int((event_of(y)[members] == 1).sum())
        if not enough_patients(y[members]):
            notes.append(f"{population}: left out, it has {n} patients and {events} events")
            continue
        weights = interval_weights(n, n_bootstrap, seed, interval)
        horizons = SupportedHorizons.of(y[members], censoring, next(iter(predictions.values())).times)
        judged = JudgedPatients(y[members], weights, censoring, horizons)
        inside = {model: prediction.take(members) for model, prediction in predictions.items()}
        replicates, found = metric_replicates(inside, judged, n_bootstrap)
        notes += [f"{population}: {note}" for note in found]
        rows = evaluation_rows(replicates, references, population, n=n, events=events, n_bootstrap=n_bootstrap)
        metrics += rows[0]
        differences += rows[1]
    return Evaluation.of(metrics, differences, notes)


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
