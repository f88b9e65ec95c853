"""All metrics of all models, with intervals and paired differences, overall and by group."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
import pandas as pd

from nbrelapse.metrics.brier import binary_brier, brier_score, integrated_brier
from nbrelapse.metrics.calibration import binary_calibration, calibration_metrics, calibration_slope
from nbrelapse.metrics.discrimination import concordance, dynamic_auc, roc_area
from nbrelapse.metrics.horizons import YEAR, CensoringDistribution, SupportedHorizons
from nbrelapse.metrics.predictions import JudgedPatients, Predictions, enough_patients
from nbrelapse.metrics.resampling import IntervalKind, bootstrap_interval, interval_weights
from nbrelapse.outcome import SURVIVAL_DTYPE, event_of, is_survival

if TYPE_CHECKING:
    from nbrelapse.metrics.decisions import ClinicalUtility


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
        replicates, found = _replicates(
            predictions, y[members], members, n_bootstrap, interval_weights(len(members), n_bootstrap, child, interval)
        )
        notes += [f"{name}: {note}" for note in found]
        by_group.append(replicates)
        _add(metrics, differences, replicates, references, name, y[members], n_bootstrap)
    shared = [key for key in by_group[0] if all(key in group for group in by_group)]
    mean = {key: _mean([group[key] for group in by_group], n_bootstrap) for key in shared}
    partial = sorted({metric for group in by_group for _, metric in group} - {metric for _, metric in shared})
    if partial:
        notes.append(f"{MEAN}: {', '.join(partial)} left out, not every group has it")
    _add(metrics, differences, mean, references, MEAN, y, n_bootstrap)
    return Evaluation.of(metrics, differences, notes)


def _replicates(
    predictions: Mapping[str, Predictions], y: np.ndarray, members: np.ndarray, n_bootstrap: int, weights: np.ndarray
) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    censoring = CensoringDistribution.fit(y)
    horizons = SupportedHorizons.of(y, censoring, next(iter(predictions.values())).times)
    inside = {model: prediction.take(members) for model, prediction in predictions.items()}
    return metric_replicates(inside, JudgedPatients(y, weights, censoring, horizons), n_bootstrap)


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
    rows = evaluation_rows(replicates, references, population, n=len(y), events=events, n_bootstrap=n_bootstrap)
    metrics += rows[0]
    differences += rows[1]


def evaluation_rows(
    replicates: Mapping[tuple[str, str], np.ndarray],
    references: Sequence[str],
    population: str,
    *,
    n: int,
    events: int,
    n_bootstrap: int,
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of metrics, and of paired differences from the references, of one population.

    Parameters
    ----------
    replicates : mapping of (model, metric) to ndarray of shape (n_columns,)
        From :func:`metric_replicates`: the sample itself, the resamples, and for BCa intervals a jackknife.
    references : sequence of str
    population : str
    n, events, n_bootstrap : int

    Returns
    -------
    metrics, differences : list of dict
        The columns of :class:`Evaluation`.
    """
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
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
    return metrics, differences


def _interval(name: str, values: np.ndarray, n_bootstrap: int) -> dict[str, object]:
    """Value and 95 % interval; with columns beyond the resamples, those of a jackknife, the BCa interval."""
    resamples, jackknife = np.split(values[1:], [n_bootstrap])
    low, high = bootstrap_interval(float(values[0]), resamples, jackknife if len(jackknife) else None)
    return {name: float(values[0]), "low": low, "high": high}


def compute_metrics(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    """Compute every metric that the patients support.

    Parameters
    ----------
    prediction : Predictions
    judged : JudgedPatients

    Returns
    -------
    dict of str to ndarray of shape (n_columns,)
        By metric, a value a column of patient weights; NaN where a metric is undefined, for the reason that
        :class:`MetricKind` gives.
    """
    if not is_survival(judged.y):
        return binary_metrics(prediction, judged.y, judged.weights)
    return _discrimination(prediction, judged) | _accuracy(prediction, judged) | _calibration(prediction, judged)


def _discrimination(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    patients = (judged.y, prediction.log_risk, prediction.fold, judged.weights, judged.censoring)
    c = concordance(*patients, judged.horizons.tau)
    found = {"harrell_c": c.harrell, "uno_c": c.uno}
    if judged.compete:
        found["cause_specific_c"] = c.cause_specific
    for years in judged.horizons.auc_years:
        found[f"auc_{years}y"] = dynamic_auc(*patients, years * YEAR)
    return found


def _accuracy(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    horizons, y, weights, censoring = judged.horizons, judged.y, judged.weights, judged.censoring
    if horizons.incidence_at:
        at = list(horizons.incidence_at.values())
        brier = brier_score(y, prediction.incidence[:, :, at], prediction.times[at], weights, censoring)
        with np.errstate(invalid="ignore", divide="ignore"):
            accuracy = np.where(judged.null_brier > np.finfo(float).eps, 1 - brier / judged.null_brier, np.nan)
        for name, values in (("brier", brier), ("ipa", accuracy)):
            found |= {f"{name}_{years}y": row for years, row in zip(horizons.incidence_at, values, strict=True)}
    if horizons.n_times > 1:
        until = slice(horizons.n_times)
        incidence, times = prediction.incidence[:, :, until], prediction.times[until]
        found["integrated_brier"] = integrated_brier(y, incidence, times, weights, censoring)
    return found


def _calibration(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    slope = calibration_slope(judged.y, prediction.log_risk, prediction.fold, judged.weights)
    return {"calibration_slope": slope} | calibration_metrics(prediction, judged)


def metric_replicates(
    predictions: Mapping[str, Predictions], judged: JudgedPatients, n_bootstrap: int
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


def binary_metrics(prediction: Predictions, y: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``auc``, ``brier``, ``ipa``, ``calibration_slope``, ``calibration_intercept`` and ``ici``.

    Parameters
    ----------
    prediction : Predictions
        With one time, infinity.
    y : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    dict of str to ndarray of shape (n_columns,)

    Examples
    --------
    >>> import numpy as np
    >>> risk = np.array([[-1.0, 1.0, 0.5, 2.0]])
    >>> probability = 1 / (1 + np.exp(-risk))[:, :, None]
    >>> prediction = Predictions("m", risk, np.zeros((1, 4), int), probability, np.array([np.inf]))
    >>> float(binary_metrics(prediction, np.array([0, 0, 1, 1]), np.ones((4, 1)))["auc"][0])
    0.75
    """
    brier, ipa = binary_brier(y, prediction.incidence[:, :, 0], weights)
    return {
        "auc": roc_area(prediction.log_risk, prediction.fold, weights, y == 1, y == 0),
        "brier": brier,
        "ipa": ipa,
        **binary_calibration(y, prediction.log_risk, prediction.fold, weights),
    }


_Values = TypeVar("_Values", float, np.ndarray, pd.Series)


@dataclass(frozen=True)
class MetricKind:
    """Which values of a metric are good, what chance gives, and why a model may have none.

    Parameters
    ----------
    best : float
        The value of a perfect model; the nearer the better.
    undefined : str
        Why a model may have no value, as a clause.
    chance : float or None
        The value of a model that knows nothing, where that does not depend on the patients.
    """

    best: float
    undefined: str = "its patients do not determine it"
    chance: float | None = None

    @classmethod
    def of(cls, metric: str) -> MetricKind:
        """Return the kind of a metric, whatever its horizon.

        Examples
        --------
        >>> MetricKind.of("auc_3y").chance, MetricKind.of("integrated_brier").best
        (0.5, 0.0)
        """
        return _KINDS[re.sub(r"_\d+y$", "", metric)]

    def goodness(self, values: _Values) -> _Values:
        """Return a number that is higher the better a value is; NaN stays NaN.

        Examples
        --------
        >>> MetricKind.of("calibration_slope").goodness(1.5), MetricKind.of("brier_5y").goodness(0.25)
        (-0.5, -0.25)
        """
        return -abs(values - self.best)


_NO_PAIR = "no fold has patients to compare"
_NO_SLOPE = "its log risk is constant or separates the events"
_KINDS = {
    "harrell_c": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "uno_c": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "cause_specific_c": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "auc": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "brier": MetricKind(0.0),
    "ipa": MetricKind(1.0, "nobody has the event by then", chance=0.0),
    "integrated_brier": MetricKind(0.0),
    "calibration_slope": MetricKind(1.0, _NO_SLOPE),
    "calibration_intercept": MetricKind(0.0, "nobody has the event by then, or everybody"),
    "ici": MetricKind(0.0, _NO_SLOPE),
}


def leading_metric(metrics: pd.DataFrame) -> str:
    """Return ``harrell_c`` for a time to an event, ``auc`` for a binary endpoint.

    Parameters
    ----------
    metrics : DataFrame
        Of an :class:`Evaluation`.

    Examples
    --------
    >>> leading_metric(pd.DataFrame({"metric": ["auc", "brier"]}))
    'auc'
    """
    return "auc" if "auc" in set(metrics["metric"]) else "harrell_c"


def strongest_reference(evaluation: Evaluation, population: str, metric: str | None = None) -> str | None:
    """Return the reference model with the best value (of the leading metric) in a population; None without one."""
    metric = metric or leading_metric(evaluation.metrics)
    references = set(evaluation.differences["reference"])
    table = evaluation.metrics
    table = table[
        (table["population"] == population) & (table["metric"] == metric) & table["model"].isin(references)
    ].dropna(subset=["value"])
    return None if table.empty else str(MetricKind.of(metric).goodness(table.set_index("model")["value"]).idxmax())


def discrimination(y: np.ndarray, prediction: Predictions) -> float:
    """Return Harrell's C of a time to an event, or the AUC of a yes or no.

    For the figures that are computed hundreds of times over (permutations, subsamples, resamples), where
    :func:`evaluate` with its intervals would be too much.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Structured, ``event`` 0/1/2 and ``time``; or 0/1.
    prediction : Predictions
        Patients are compared within a fold only.

    Returns
    -------
    float
        0.5 is chance. NaN where no fold holds two patients to compare.

    Examples
    --------
    >>> zeros = np.zeros((1, 4))
    >>> ranked = Predictions("m", np.array([[3.0, 1.0, 2.0, 0.0]]), zeros.astype(int), zeros[:, :, None], np.ones(1))
    >>> discrimination(np.array([1, 1, 0, 0]), ranked)
    0.75
    """
    return float(discriminations(y, prediction, np.ones((len(y), 1), dtype=np.float32))[0])


def discriminations(y: np.ndarray, prediction: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the same for each column of patient weights; see :func:`bootstrap_weights`.

    Parameters
    ----------
    y, prediction
        As in :func:`discrimination`.
    weights : ndarray of shape (n, n_columns)

    Returns
    -------
    ndarray of shape (n_columns,)
    """
    if not is_survival(y):
        # The AUC is the concordance of those with the event, all at one time, and those who outlive it.
        timed = np.empty(len(y), dtype=SURVIVAL_DTYPE)
        timed["event"], timed["time"] = y, 2.0 - y
        y = timed
    censoring = CensoringDistribution.fit(y)
    return concordance(y, prediction.log_risk, prediction.fold, weights, censoring, censoring.last_time).harrell
