"""All metrics of all models, with intervals and paired differences, overall and by group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from nbrelapse.metrics.chance import _ici_by_chance
from nbrelapse.metrics.choice import _AFTER_CHOICE, ChosenDifference, FigureSpread, _spread_rows, _with_choice
from nbrelapse.metrics.discrimination import harrell_c
from nbrelapse.metrics.horizons import HorizonSupport
from nbrelapse.metrics.predictions import Predictions, _JudgedModel, _JudgedPatients, enough_patients
from nbrelapse.metrics.resampling import (
    IntervalKind,
    _interval_weights,
    _Scale,
    _scaled_interval,
    _Value,
    bootstrap_interval,
    cross_validation_stretch,
    few_events_stretch,
)
from nbrelapse.metrics.table import METRICS, Metric, metric_title, population_in_words, population_title
from nbrelapse.models.families import model_title
from nbrelapse.outcome import OutcomeKind, event_of, kind_of, values_of

if TYPE_CHECKING:
    from nbrelapse.metrics.decisions import ClinicalUtility
    from nbrelapse.outcome import Outcome


_COUNTS = ("n", "events", "at_risk", "events_by")
_METRIC_COLUMNS = ["model", "population", "metric", "value", "low", "high", *_COUNTS, "by_chance"]


@dataclass(frozen=True)
class Evaluation:
    """How well models predicted.

    Parameters
    ----------
    metrics : DataFrame
        ``model, population, metric, value, low, high, n, events, at_risk, events_by, by_chance``: a row a model,
        population and metric, with the 95 % interval; ``METRICS`` says which values are good. NaN where a model has no
        value, with a note. ``at_risk`` and ``events_by`` are the patients at risk at the horizon of a metric that has
        one, and the events by then. ``by_chance`` is what the calibration index of a perfectly calibrated model with
        the same predictions would be in as many patients; that index has no interval.
    differences : DataFrame
        ``model, reference, population, metric, difference, low, high``: the model's value less the reference's
        in the same resamples. ``chosen_difference, chosen_low, chosen_high`` and ``families``: the same if the model
        was chosen among so many families, see :func:`difference_after_choice`; read them with
        :func:`chosen_difference`.
    notes : list of str
        What was left out or shortened, and why.
    kind : OutcomeKind
        Of the outcome; its ``leading_metric`` is the one that models are ranked by.
    utility : ClinicalUtility, optional
        Of the model judged, where one model is judged.
    spread : DataFrame
        ``model, population`` and the fields of :class:`FigureSpread`; read it with :func:`figure_spread`.
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]
    kind: OutcomeKind
    utility: ClinicalUtility | None = None
    spread: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(
        cls,
        metrics: list[dict[str, object]],
        differences: list[dict[str, object]],
        notes: list[str],
        kind: OutcomeKind,
        spread: list[dict[str, object]],
    ) -> Self:
        """Put rows together; without any, the tables are empty and have their columns."""
        return cls(
            pd.DataFrame(metrics, columns=_METRIC_COLUMNS).astype({"at_risk": "Int64", "events_by": "Int64"}),
            pd.DataFrame(
                differences,
                columns=["model", "reference", "population", "metric", "difference", "low", "high", *_AFTER_CHOICE],
            ),
            notes,
            kind,
            spread=pd.DataFrame(spread, columns=["model", "population", *FigureSpread.__dataclass_fields__]),
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
    undetermined: Callable[[str, str], bool] = lambda model, metric: False,
    named_beforehand: bool = False,
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
    distribution is that of the population judged, estimated once: a hold-out, or the high-risk patients, may be
    followed differently from others. A figure at a horizon needs 10 patients at risk then and 5 events by then in the
    population, see :class:`HorizonSupport`; it is left out otherwise, with a note. AUC, Brier score and IPA have
    intervals that are normal on another scale, whatever ``interval`` is, because these hold the truth where there are
    few events.

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
    undetermined : callable
        Whether the predictions of a model (the first argument) do not determine a metric (the second): the figure is
        NaN then, without a note.
    named_beforehand : bool
        Whether no model was, or will be, chosen by these figures, as on a hold-out. Otherwise the intervals after the
        choice are those of one of all models that are no references.

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
    gaps: list[_Gap] = []
    judged_in: list[str] = []
    spread: list[dict[str, object]] = []
    leading = kind_of(y).leading_metric
    for population, mask in populations.items():
        members = np.flatnonzero(mask)
        n, events = len(members), int((event_of(y)[members] == 1).sum())
        if not enough_patients(y[members]):
            notes.append(f"{population_title(population)}: left out, it has {n} patients and {events} events")
            continue
        judged_in.append(population)
        weights = _interval_weights(n, n_bootstrap, seed, interval)
        judged = _JudgedPatients(y[members], weights, next(iter(predictions.values())).times)
        inside = {model: prediction.take(members) for model, prediction in predictions.items()}
        replicates = _metric_replicates(inside, judged)
        determined = {key: values for key, values in replicates.items() if not undetermined(*key)}
        gaps += _gaps(determined, population, n_bootstrap)
        replicates |= {key: np.full(weights.shape[1], np.nan) for key in replicates.keys() - determined.keys()}
        notes += [f"{population_title(population)}: {note}" for note in _population_notes(inside, judged)]
        fold = next(iter(inside.values())).fold
        rows = _evaluation_rows(replicates, references, population, judged.y, judged.support, n_bootstrap, fold)
        metrics += _with_chance(rows[0], inside, judged, seed)
        differences += _with_choice(
            rows[1], replicates, references, leading, events=events, n_bootstrap=n_bootstrap, alone=named_beforehand
        )
        spread += _spread_rows(predictions, y, population, members)
    notes += _gap_notes(gaps, judged_in, n_bootstrap)
    return Evaluation.of(metrics, differences, notes, kind_of(y), spread)


def _metric_replicates(
    predictions: Mapping[str, Predictions], judged: _JudgedPatients
) -> dict[tuple[str, str], np.ndarray]:
    """Compute every metric of every model for each column of patient weights.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        Of the patients judged, by model.
    judged : JudgedPatients

    Returns
    -------
    dict of (model, metric) to ndarray of shape (n_columns,)
    """
    replicates = {}
    for model, prediction in predictions.items():
        own = _JudgedModel(prediction, judged)
        for metric in METRICS.values():
            found = metric.compute(own) if judged.kind in metric.kinds else None
            if found is not None:
                replicates[model, metric.name] = np.asarray(found)
    return replicates


def _population_notes(predictions: Mapping[str, Predictions], judged: _JudgedPatients) -> list[str]:
    return [*judged.notes, *_folds_without_events(predictions, judged.y)]


_UNDEFINED, _SOMETIMES, _NO_INTERVAL = "undefined", "undefined in some resamples", "without an interval"


@dataclass(frozen=True)
class _Gap:
    """A figure without a value, without one in some of the resamples, or without an interval."""

    kind: str
    population: str
    model: str
    metric: Metric
    resamples: int = 0

    @property
    def reason(self) -> str:
        return "such a value leaves the resamples no room" if self.kind == _NO_INTERVAL else self.metric.undefined


def _gaps(
    replicates: Mapping[tuple[str, str], np.ndarray],
    population: str,
    n_bootstrap: int,
) -> list[_Gap]:
    gaps = []
    for (model, name), values in replicates.items():
        metric, resamples = METRICS[name], values[1 : n_bootstrap + 1]
        missing = int(np.isnan(resamples).sum())
        if np.isnan(values[0]):
            gaps.append(_Gap(_UNDEFINED, population, model, metric))
        elif missing:
            gaps.append(_Gap(_SOMETIMES, population, model, metric, missing))
        if (
            metric.scale
            and not np.isnan(values[0])
            and np.isnan(_scaled_interval(values[0], resamples, metric.scale)[0])
        ):
            gaps.append(_Gap(_NO_INTERVAL, population, model, metric))
    return gaps


def _gap_notes(gaps: Sequence[_Gap], populations: Collection[str], n_bootstrap: int) -> list[str]:
    """Say what is undefined and why: a note a reason, not one a model, population and metric.

    Examples
    --------
    >>> slope = METRICS["calibration_slope"]
    >>> gaps = [_Gap("undefined", "high_risk", name, slope) for name in ("clinical_risk_group", "clinical_inrg")]
    >>> _gap_notes(gaps, ["all", "high_risk"], 1000)
    ['Calibration slope is undefined, the log risk is constant or separates the events: Recorded risk group,
    INRG risk group (high-risk patients)']
    """
    notes = []
    for kind in (_UNDEFINED, _SOMETIMES, _NO_INTERVAL):
        own = [gap for gap in gaps if gap.kind == kind]
        for reason in dict.fromkeys(gap.reason for gap in own):
            alike = [gap for gap in own if gap.reason == reason]
            subjects = list(dict.fromkeys(gap.metric.subject for gap in alike))
            models = ", ".join(dict.fromkeys(model_title(gap.model) for gap in alike))
            within = list(dict.fromkeys(gap.population for gap in alike))
            where = ", ".join(population_in_words(name) for name in within)
            where = "" if set(within) == set(populations) else f" ({where})"
            most = max(gap.resamples for gap in alike)
            what = f"undefined in up to {most} of {n_bootstrap} resamples" if kind == _SOMETIMES else kind
            are = "is" if len(subjects) == 1 else "are"
            notes.append(f"{', '.join(subjects)} {are} {what}, {reason}: {models}{where}")
    return notes


def _with_chance(
    rows: list[dict[str, object]], predictions: Mapping[str, Predictions], judged: _JudgedPatients, seed: int
) -> list[dict[str, object]]:
    """Add what chance makes of the calibration index to the rows of metrics of one population."""
    known = [row for row in rows if not METRICS[str(row["metric"])].has_interval]
    models = dict.fromkeys(str(row["model"]) for row in known)
    chance = {model: _ici_by_chance(predictions[model], judged, seed) for model in models}
    for row in known:
        row["by_chance"] = chance[str(row["model"])][METRICS[str(row["metric"])].years]
    return rows


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


def chosen_difference(
    evaluation: Evaluation, model: str, population: str = "all", metric: str | None = None
) -> ChosenDifference | None:
    """Return what a verdict rests on: the difference from the strongest reference, after the choice.

    Parameters
    ----------
    evaluation : Evaluation
        Where it was recorded by an earlier version, the interval is that of a model named beforehand.
    model : str
    population : str
    metric : str, optional
        By default the leading one.

    Returns
    -------
    ChosenDifference or None
        None without a reference, or where the difference has no interval.

    Examples
    --------
    >>> y = np.array([(i % 2, 10.0 + i) for i in range(60)], dtype=[("event", "i1"), ("time", "f8")])
    >>> risk = np.random.default_rng(0).normal(size=(4, 60)) - 0.05 * np.arange(60)
    >>> shape = np.zeros((1, 60), int), np.full((1, 60, 1), 0.2), np.array([20.0])
    >>> models = {name: Predictions(name, own[None], *shape) for name, own in zip("abcr", risk)}
    >>> found = evaluate(models, y, populations={"all": np.ones(60, bool)}, references=["r"], n_bootstrap=200)
    >>> best = max("abc", key=lambda name: found.metrics.set_index(["metric", "model"])["value"]["harrell_c", name])
    >>> one = chosen_difference(found, best)
    >>> one.families, one.low < one.difference < one.observed < one.high
    (3, True)
    """
    metric = metric or evaluation.kind.leading_metric
    reference = strongest_reference(evaluation, population, metric)
    table = evaluation.differences
    found = table[
        (table["model"] == model)
        & (table["reference"] == reference)
        & (table["population"] == population)
        & (table["metric"] == metric)
    ].dropna(subset=["difference", "low", "high"])
    if reference is None or found.empty:
        return None
    row = found.iloc[0].to_dict()
    difference, low, high, families = (row.get(name, np.nan) for name in _AFTER_CHOICE)
    observed = float(row["difference"])
    return ChosenDifference(
        reference,
        observed,
        observed if np.isnan(difference) else float(difference),
        float(np.fmin(row["low"], low)),
        float(np.fmax(row["high"], high)),
        1 if np.isnan(families) else int(families),
    )


def figure_spread(evaluation: Evaluation, model: str, population: str = "all") -> FigureSpread | None:
    """Return how far a model's leading figure moves with the folds; None where that is not known."""
    table = evaluation.spread
    if table.empty:
        return None
    found = table[(table["model"] == model) & (table["population"] == population)]
    if found.empty:
        return None
    row = found.iloc[0]
    counts = (int(row[name]) for name in ("repeats", "empty", "folds"))
    return FigureSpread(float(row["lowest"]), float(row["highest"]), *counts)


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
    gaps: list[_Gap] = []
    spread: list[dict[str, object]] = []
    leading = kind_of(y).leading_metric
    by_group: list[dict[tuple[str, str], np.ndarray]] = []
    supports: list[Mapping[int, HorizonSupport]] = []
    names = [str(name) for name in np.unique(groups)]
    for name in names:
        members = np.flatnonzero(groups == name)
        # Of the name, so that a group is drawn alike whichever others there are.
        child = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0])
        weights = _interval_weights(len(members), n_bootstrap, child, interval)
        times = next(iter(predictions.values())).times
        judged = _JudgedPatients(y[members], weights, times)
        inside = {model: prediction.take(members) for model, prediction in predictions.items()}
        replicates = _metric_replicates(inside, judged)
        gaps += _gaps(replicates, name, n_bootstrap)
        notes += [f"{name}: {note}" for note in _population_notes(inside, judged)]
        by_group.append(replicates)
        supports.append(judged.support)
        rows = _evaluation_rows(replicates, references, name, judged.y, judged.support, n_bootstrap)
        metrics += rows[0]
        events = int((event_of(judged.y) == 1).sum())
        differences += _with_choice(rows[1], replicates, references, leading, events=events, n_bootstrap=n_bootstrap)
        spread += _spread_rows(inside, y[members], name, np.arange(len(members)))
    shared = [key for key in by_group[0] if all(key in group for group in by_group)]
    mean = {key: _mean([group[key] for group in by_group], n_bootstrap) for key in shared}
    some = {metric for group in by_group for _, metric in group} - {metric for _, metric in shared}
    partial = [metric_title(metric) for metric in METRICS if metric in some]
    if partial:
        notes.append(f"{MEAN}: {', '.join(partial)} left out, not every group has it")
    carried = {years: [own[years] for own in supports] for years in set.intersection(*(set(own) for own in supports))}
    together = {
        years: HorizonSupport(sum(own.at_risk for own in each), sum(own.events_by for own in each))
        for years, each in carried.items()
    }
    rows = _evaluation_rows(mean, references, MEAN, y, together, n_bootstrap)
    events = int((event_of(y) == 1).sum())
    differences += _with_choice(rows[1], mean, references, leading, events=events, n_bootstrap=n_bootstrap)
    spread += [row | {"repeats": 1} for row in _spread_rows(predictions, y, MEAN, np.arange(len(y)))]
    notes += _gap_notes(gaps, names, n_bootstrap)
    return Evaluation.of(metrics + rows[0], differences, notes, kind_of(y), spread)


def _mean(groups: Sequence[np.ndarray], n_bootstrap: int) -> np.ndarray:
    """Mean over groups in the sample and in each resample, then with patients of one group after another left out."""
    own = np.mean([values[: n_bootstrap + 1] for values in groups], axis=0)
    left_out = [own[0] + (values[n_bootstrap + 1 :] - values[0]) / len(groups) for values in groups]
    return np.concatenate([own, *left_out])


def _evaluation_rows(
    replicates: Mapping[tuple[str, str], np.ndarray],
    references: Sequence[str],
    population: str,
    y: np.ndarray,
    support: Mapping[int, HorizonSupport],
    n_bootstrap: int,
    fold: np.ndarray | None = None,
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of metrics, and of paired differences from the references, of one population.

    Parameters
    ----------
    replicates : mapping of (model, metric) to ndarray of shape (n_columns,)
        From :func:`_metric_replicates`: the sample itself, the resamples, and for BCa intervals a jackknife.
    references : sequence of str
    population : str
    y : ndarray of shape (n,)
        Of the population.
    support : mapping of int to HorizonSupport
        By year; of the mean of groups, what all carry together.
    n_bootstrap : int
    fold : ndarray of int, shape (n_repeats, n), optional
        Whose model predicted each patient, for which the intervals are stretched about the values.

    Returns
    -------
    metrics, differences : list of dict
        The columns of :class:`Evaluation`.
    """
    metrics: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    everybody = {"n": len(y), "events": int((event_of(y) == 1).sum())}
    fewest = kind_of(y).rarest(y)
    for (model, name), values in replicates.items():
        metric = METRICS[name]
        stretch = 1.0 if fold is None else cross_validation_stretch(fold, metric.training)
        row: dict[str, object] = {"model": model, "population": population, "metric": name}
        carried = support.get(metric.years) if metric.years else None
        at = {} if carried is None else {"at_risk": carried.at_risk, "events_by": carried.events_by}
        wider = stretch * few_events_stretch(fewest if carried is None else carried.fewest)
        scaled = {"scale": metric.scale, "stretch": stretch} if metric.scale else {"stretch": wider}
        own = _interval("value", values, n_bootstrap, metric, bounded=True, **scaled)
        metrics.append(row | own | everybody | at)
        differences += [
            row
            | {"reference": reference}
            | _interval("difference", values - replicates[reference, name], n_bootstrap, metric, stretch=wider)
            for reference in references
            if reference != model and (reference, name) in replicates
        ]
    return metrics, differences


def _interval(
    name: str,
    values: np.ndarray,
    n_bootstrap: int,
    metric: Metric,
    scale: _Scale | None = None,
    *,
    stretch: float = 1.0,
    bounded: bool = False,
) -> dict[str, object]:
    """Value and 95 % interval; with columns beyond the resamples, those of a jackknife, the BCa interval.

    A stretched interval ends where the metric does, where all of its resamples are between 0 and 1.
    """
    value = float(values[0])
    resamples, jackknife = np.split(values[1:], [n_bootstrap])
    if not metric.has_interval:
        low, high = np.nan, np.nan
    elif scale is not None:
        low, high = _scaled_interval(value, resamples, scale, stretch)
    else:
        low, high = bootstrap_interval(value, resamples, jackknife if len(jackknife) else None, stretch=stretch)
        defined = values[~np.isnan(values)]
        if bounded and stretch > 1 and len(defined) and defined.min() >= 0 and defined.max() <= 1:
            low, high = max(low, 0.0), min(high, 1.0)
    return {name: value, "low": float(low), "high": float(high)}


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
