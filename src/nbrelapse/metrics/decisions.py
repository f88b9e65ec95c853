"""Decisions by a model beside the clinical groups: net benefit, reclassification, observed risk by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.metrics.event_free_time import _distinct, event_free_time
from nbrelapse.metrics.horizons import YEAR, HorizonSupport, reached_years
from nbrelapse.metrics.incidence import observed_incidence, weighted_incidence
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import (
    bootstrap_interval,
    bootstrap_weights,
    cross_validation_stretch,
    few_events_stretch,
)
from nbrelapse.models.families import model_title
from nbrelapse.outcome import FEWEST_AT_RISK, FEWEST_EVENTS_BY, kind_of

_THRESHOLDS = np.arange(2, 33) / 40
"""A choice: from 5 % to 80 %, beyond which nobody would or everybody would treat."""

TREAT_ALL = "treat all"
TREAT_NONE = "treat none"


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit of strategies of treatment.

    Parameters
    ----------
    net_benefit : DataFrame
        ``strategy, years, threshold, net_benefit, low, high, treated``: ``treated`` is the share of the patients.
        Models treat whose predicted incidence reaches the threshold; groups treat the same patients at each.
        ``years`` is NaN of a binary endpoint, which has no horizon.
    differences : DataFrame
        ``strategy, reference, years, threshold, difference, low, high``: a model's net benefit less that of the
        reference, the first clinical group or treating everybody, in the same resamples; empty without groups.
    notes : list of str
        Horizons that were left out.
    """

    net_benefit: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]


def decision_curve(
    models: Mapping[str, Predictions],
    groups: Mapping[str, np.ndarray],
    y: np.ndarray,
    *,
    years: Sequence[int] = (3, 5),
    thresholds: np.ndarray = _THRESHOLDS,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> DecisionCurve:
    """Compare treating by models, by clinical groups, everybody and nobody.

    A threshold is the probability of the event from which on the treatment is worth its harm. A model helps at the
    thresholds where its net benefit is above that of the groups and of treating all or none; see
    :func:`net_benefit`. Intervals are percentiles of bootstrap resamples of the patients, widened where few events
    carry them, and those of cross-validated models to hold for the final model in new patients.

    Parameters
    ----------
    models : mapping of str to Predictions
        Repeats are averaged as decisions.
    groups : mapping of str to bool ndarray of shape (n,)
        Whom a clinical group treats. The first is a reference of the differences, treating everybody the other.
    y : ndarray of shape (n,)
        Of the patients: structured, ``event`` and ``time``, or binary.
    years : sequence of int
        Horizons, not read of a binary outcome; one that the predictions do not reach or too few patients carry is left
        out, with a note, see :class:`HorizonSupport`.
    thresholds : ndarray of shape (n_thresholds,)
        Between 0 and 1.
    n_bootstrap, seed : int

    Returns
    -------
    DecisionCurve

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hazard = np.exp(rng.normal(size=200)) / 1500
    >>> y = np.array([(t < 1500, min(t, 1500)) for t in rng.exponential(1 / hazard)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = (1 - np.exp(-hazard * 3 * 365.25)).reshape(1, 200, 1)
    >>> model = Predictions("cox", np.log(hazard)[None], np.zeros((1, 200), int), incidence, np.array([3 * 365.25]))
    >>> found = decision_curve({"cox": model}, {"high_risk": hazard > 0.001}, y, thresholds=np.array([0.5]))
    >>> found.net_benefit[["strategy", "net_benefit", "treated"]].round(2).values.tolist()
    [['treat all', 0.03, 1.0], ['treat none', 0.0, 0.0], ['high_risk', 0.22, 0.34], ['cox', 0.25, 0.54]]
    >>> found.notes
    ['net benefit at 5 years is left out: 0 patients are at risk then, 10 are needed']
    """
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    everyone = np.ones((1, len(y)), dtype=bool)
    rows: list[pd.DataFrame] = []
    differences: list[pd.DataFrame] = []
    horizons, notes = _horizons(min((model.times for model in models.values()), key=lambda times: times[-1]), y, years)
    for year, horizon in horizons.items():
        wider = few_events_stretch(_fewest(y, horizon))
        treated = {TREAT_ALL: everyone, TREAT_NONE: ~everyone}
        treated |= {name: np.asarray(mask, dtype=bool)[None] for name, mask in groups.items()}
        treated |= {name: model.incidence_at(horizon)[:, :, None] >= thresholds for name, model in models.items()}
        found = {name: net_benefit(mask, y, horizon, thresholds, weights) for name, mask in treated.items()}
        stretch = {name: wider * cross_validation_stretch(model.fold) for name, model in models.items()}
        for name, values in found.items():
            own = _table({"strategy": name}, year, thresholds, "net_benefit", values, stretch.get(name, wider))
            rows.append(own.assign(treated=np.broadcast_to(treated[name].mean(axis=(0, 1)), thresholds.shape)))
        for reference in [*list(groups)[:1], TREAT_ALL] if groups else []:
            for name in models:
                names = {"strategy": name, "reference": reference}
                change = found[name] - found[reference]
                differences.append(_table(names, year, thresholds, "difference", change, stretch[name]))
    columns = ["years", "threshold"]
    return DecisionCurve(
        _concatenate(rows, ["strategy", *columns, "net_benefit", "low", "high", "treated"]),
        _concatenate(differences, ["strategy", "reference", *columns, "difference", "low", "high"]),
        notes,
    )


def _horizons(times: np.ndarray, y: np.ndarray, years: Sequence[int]) -> tuple[dict[int | None, float], list[str]]:
    """Return the days of the horizons that are predicted and carried by enough patients, and why others are not.

    Of a binary outcome there is one, infinity, that no number of years stands for.

    Examples
    --------
    >>> _horizons(np.array([np.inf]), np.repeat([0, 1], [10, 5]), (3, 5))
    ({None: inf}, [])
    >>> _horizons(np.array([np.inf]), np.repeat([0, 1], [10, 4]), (3, 5))[1]
    ['net benefit is left out: it needs 10 patients without the event and 5 with it']
    """
    if not kind_of(y).has_time:
        if (y == 0).sum() >= FEWEST_AT_RISK and (y == 1).sum() >= FEWEST_EVENTS_BY:
            return {None: np.inf}, []
        needed = f"it needs {FEWEST_AT_RISK} patients without the event and {FEWEST_EVENTS_BY} with it"
        return {}, [f"net benefit is left out: {needed}"]
    reached = reached_years(times, y, years)
    missing = {year: HorizonSupport.of(y, year * YEAR).reason for year in years if year not in reached}
    return {year: year * YEAR for year in reached}, [
        f"net benefit at {year} years is left out: {why or 'it was not predicted so far'}"
        for year, why in missing.items()
    ]


def _fewest(y: np.ndarray, horizon: float) -> int:
    """Return what there is less of by a horizon: patients at risk or events; of a binary outcome, of 0 or 1."""
    return HorizonSupport.of(y, horizon).fewest if kind_of(y).has_time else kind_of(y).rarest(y)


def at_years(table: pd.DataFrame, years: int | None) -> pd.DataFrame:
    """Return the rows of a table of decisions at one horizon; None for that of a binary endpoint.

    Examples
    --------
    >>> table = pd.DataFrame({"years": [3, 5], "threshold": [0.1, 0.1]})
    >>> len(at_years(table, 3)), len(at_years(table.assign(years=np.nan), None))
    (1, 2)
    """
    return table[table["years"].isna() if years is None else table["years"] == years]


def _table(
    names: Mapping[str, str],
    years: int | None,
    thresholds: np.ndarray,
    value: str,
    replicates: np.ndarray,
    stretch: float,
) -> pd.DataFrame:
    own = replicates[:, 0]
    low, high = own + stretch * (np.quantile(replicates[:, 1:], [0.025, 0.975], axis=1) - own)
    found = {
        **names,
        "years": np.nan if years is None else years,
        "threshold": thresholds,
        value: own,
        "low": low,
        "high": high,
    }
    return pd.DataFrame(found)


def _concatenate(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def net_benefit(
    treated: np.ndarray, y: np.ndarray, horizon: float, thresholds: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    r"""Return the net benefit of treating given patients, at thresholds, for each column of patient weights.

    True positives less false positives weighted by the odds of the threshold, per patient [1]_:
    :math:`P(T) F - P(T) (1 - F) p / (1 - p)`, with the share treated P(T) and their observed incidence F at the
    horizon, by Aalen-Johansen among the treated [2]_.

    Parameters
    ----------
    treated : ndarray of shape (n_repeats, n) or (n_repeats, n, n_thresholds)
        Bool: the same patients at every threshold, or others at each. Repeats are averaged.
    y : ndarray of shape (n,)
        Structured, ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days; or binary.
    horizon : float
        Days; infinity of a binary outcome. Where the treated are followed less long, their last incidence is carried
        forward.
    thresholds : ndarray of shape (n_thresholds,)
        Probabilities of the event above which a patient would be treated; between 0 and 1.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    ndarray of shape (n_thresholds, n_columns)
        0 where nobody is treated.

    References
    ----------
    .. [1] Vickers 2006, Medical Decision Making, 10.1177/0272989X06295361
    .. [2] Vickers 2008, BMC Medical Informatics and Decision Making, 10.1186/1472-6947-8-53

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 30.0), (0, 30.0), (1, 15.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> treated = np.array([[True, True, False, True]])
    >>> net_benefit(treated, y, 20.0, np.array([0.25, 0.5]), np.ones((4, 1))).round(3).tolist()
    [[0.417], [0.25]]
    """
    times = np.array([horizon])
    total = len(treated) * weights.sum(axis=0, dtype=float)
    # Counts of repeats, not shares: sums of whole numbers are exact.
    counts = treated.sum(axis=0).reshape(len(y), -1)
    benefit = np.empty((counts.shape[1], weights.shape[1], 2))
    for column, count in enumerate(counts.T):
        chosen = np.flatnonzero(count)
        own = weights[chosen] * count[chosen, None]
        share = own.sum(axis=0, dtype=float) / total
        incidence = weighted_incidence(y[chosen], own, times)[0]
        benefit[column, :, 0], benefit[column, :, 1] = share * incidence, share * (1 - incidence)
    odds = (thresholds / (1 - thresholds))[:, None]
    return benefit[:, :, 0] - benefit[:, :, 1] * odds


@dataclass(frozen=True)
class Reclassification:
    """Clinical groups against groups by predicted incidence.

    Parameters
    ----------
    cells : DataFrame
        ``clinical, model, n, predicted, observed, low, high``: a row a cell with patients, both groups as ranks
        from 0, lowest risk first. ``observed`` is the incidence at the horizon with its 95 % interval, see
        :func:`observed_incidence`.
    improvement : DataFrame
        ``component, value, low, high``: ``events`` and ``nonevents``, the parts of the net reclassification
        improvement with their bootstrap intervals.
    cuts : ndarray
        Predicted incidences from which on the next group begins.
    unknown : int
        Patients without a clinical group, who are left out.
    """

    cells: pd.DataFrame
    improvement: pd.DataFrame
    cuts: np.ndarray
    unknown: int


def reclassification(
    clinical: np.ndarray,
    predictions: Predictions,
    y: np.ndarray,
    horizon_days: float,
    *,
    cuts: Sequence[float] | None = None,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Reclassification:
    r"""Cross clinical groups with groups of predicted incidence.

    The parts of the net reclassification improvement are the net shares of patients with the event who move up, and
    of those without who move down, with censoring and competing events as in [1]_:
    :math:`[P(U) F_U - P(D) F_D] / F` and :math:`[P(D)(1 - F_D) - P(U)(1 - F_U)] / (1 - F)`, F being the observed
    incidence of all, of those who move up and of those who move down. They are not added up, because the sum
    weighs events and non-events as if they were equally frequent; it is known to favour miscalibrated models and
    useless markers [2]_. Net benefit (:func:`decision_curve`) answers whether decisions get better.

    Parameters
    ----------
    clinical : ndarray of shape (n,)
        Group of each patient as a number, higher is worse; NaN where it is not known.
    predictions : Predictions
        Repeats are averaged.
    y : ndarray of shape (n,)
        Structured, ``event`` and ``time`` in days; or binary.
    horizon_days : float
        One of the predictions' times.
    cuts : sequence of float, optional
        Predicted incidences that part the model's groups, one fewer than there are clinical groups. By default
        those that give the groups the sizes of the clinical ones; tied predictions stay together.
    n_bootstrap, seed : int
        Of the intervals of the improvement; the cuts stay.

    Returns
    -------
    Reclassification

    Raises
    ------
    ValueError
        There are fewer than two clinical groups, or the cuts are not one fewer or do not rise.

    References
    ----------
    .. [1] Pencina 2011, Statistics in Medicine, 10.1002/sim.4085
    .. [2] Kerr 2014, Epidemiology, 10.1097/EDE.0000000000000018

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0), (1, 15.0), (0, 40.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> incidence = np.array([0.6, 0.2, 0.9, 0.1]).reshape(1, 4, 1)
    >>> model = Predictions("cox", np.zeros((1, 4)), np.zeros((1, 4), int), incidence, np.array([20.0]))
    >>> found = reclassification(np.array([0, 1, 1, 0]), model, y, 20.0)
    >>> found.cells[["clinical", "model", "n", "observed"]].values.tolist()
    [[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    >>> found.improvement["value"].tolist()
    [0.5, 0.5]
    """
    known = ~np.isnan(np.asarray(clinical, dtype=float))
    levels, group = np.unique(np.asarray(clinical, dtype=float)[known], return_inverse=True)
    if len(levels) < 2:
        raise ValueError(f"reclassification needs two clinical groups, there are {len(levels)}")
    own = y[known]
    risk = predictions.incidence_at(horizon_days).mean(axis=0)[known]
    edges = _equal_sizes(risk, group) if cuts is None else np.asarray(cuts, dtype=float)
    if len(edges) != len(levels) - 1 or (np.diff(edges) < 0).any():
        raise ValueError(f"{len(levels)} clinical groups need {len(levels) - 1} rising cuts, not {edges.tolist()}")
    predicted = np.searchsorted(edges, risk, side="right")
    weights = bootstrap_weights(len(own), n_bootstrap, seed)
    return Reclassification(
        _cells(group, predicted, risk, own, horizon_days),
        _improvement(np.sign(predicted - group), own, horizon_days, weights),
        edges,
        int((~known).sum()),
    )


def _equal_sizes(risk: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the lowest predicted incidence of each group but the first, were the groups as large as given ones."""
    return np.sort(risk)[np.cumsum(np.bincount(group))[:-1]]


def _cells(
    clinical: np.ndarray, predicted: np.ndarray, risk: np.ndarray, y: np.ndarray, horizon: float
) -> pd.DataFrame:
    rows = []
    for first, second in np.unique(np.stack([clinical, predicted]), axis=1).T:
        inside = (clinical == first) & (predicted == second)
        rows.append((first, second, inside.sum(), risk[inside].mean(), *observed_incidence(y[inside], horizon)))
    columns = ["clinical", "model", "n", "predicted", "observed", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"clinical": int, "model": int, "n": int})


def _improvement(move: np.ndarray, y: np.ndarray, horizon: float, weights: np.ndarray) -> pd.DataFrame:
    times, total = np.array([horizon]), weights.sum(axis=0, dtype=float)
    wider = few_events_stretch(_fewest(y, horizon))
    everybody = weighted_incidence(y, weights, times)[0]
    events, nonevents = np.zeros((2, weights.shape[1]))
    for sign in (1, -1):
        moved = move == sign
        share = weights[moved].sum(axis=0, dtype=float) / total
        incidence = weighted_incidence(y[moved], weights[moved], times)[0]
        events += sign * share * incidence
        nonevents -= sign * share * (1 - incidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = {"events": events / everybody, "nonevents": nonevents / (1 - everybody)}
    rows = [
        (
            name,
            values[0],
            *bootstrap_interval(values[0], np.where(np.isfinite(values[1:]), values[1:], np.nan), stretch=wider),
        )
        for name, values in parts.items()
    ]
    return pd.DataFrame(rows, columns=["component", "value", "low", "high"])


_UTILITY_YEARS = (3, 5)

MOST_UNKNOWN = 0.2
"""Share of the patients. A choice: a rule that leaves more patients without a group is no strategy for all of them."""


@dataclass(frozen=True)
class ClinicalUtility:
    """Decisions by one model beside decisions by the clinical groups.

    Parameters
    ----------
    model : str
    years : tuple of int or None
        Horizons that the predictions reach and enough patients carry; None for that of a binary endpoint.
    decisions : DecisionCurve
    tertiles : DataFrame
        ``years`` and the columns of :func:`tertile_calibration`.
    grouping : str or None
        The clinical grouping that is crossed with the model at the last horizon; None without one.
    reclassification : Reclassification or None
    event_free : DataFrame
        Of :func:`nbrelapse.metrics.event_free_time.event_free_time`; empty of a binary endpoint.
    notes : list of str
        What was left out.
    """

    model: str
    years: tuple[int | None, ...]
    decisions: DecisionCurve
    tertiles: pd.DataFrame
    grouping: str | None
    reclassification: Reclassification | None
    event_free: pd.DataFrame
    notes: list[str]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return everything that has rows, by name."""
        found = {
            "net_benefit": self.decisions.net_benefit,
            "net_benefit_differences": self.decisions.differences,
            "tertile_calibration": self.tertiles,
            "event_free_time": self.event_free,
        }
        if self.reclassification is not None:
            found["reclassification"] = self.reclassification.cells.assign(grouping=self.grouping)
            found["reclassification_improvement"] = self.reclassification.improvement
        return {name: table for name, table in found.items() if len(table)}


def clinical_utility(
    model: str,
    predictions: Mapping[str, Predictions],
    groups: Mapping[str, np.ndarray],
    y: np.ndarray,
    *,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> ClinicalUtility:
    """Ask what decisions by a model would be worth: at three and five years, or of a binary endpoint.

    Parameters
    ----------
    model : str
        Which of the predictions.
    predictions : mapping of str to Predictions
        By model; ``clinical_cox`` or ``clinical_logistic`` is judged beside the model where it is among them.
    groups : mapping of str to ndarray of shape (n,)
        Clinical groupings as numbers, higher is worse, NaN where it is not known; one unknown of more than a fifth of
        the patients is left out, with a note. Of each the highest group is treated, patients of unknown group are
        not; of groupings that treat the same patients the first stands for all. The first is a reference of the
        differences; that of most patients, and then of most groups, is crossed with the model.
    y : ndarray of shape (n,)
        Structured, ``event`` and ``time`` in days; or binary.
    n_bootstrap, seed : int

    Returns
    -------
    ClinicalUtility

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hazard = np.exp(rng.normal(size=200)) / 1500
    >>> y = np.array([(t < 1500, min(t, 1500)) for t in rng.exponential(1 / hazard)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = (1 - np.exp(-hazard * 3 * 365.25)).reshape(1, 200, 1)
    >>> cox = Predictions("cox", np.log(hazard)[None], np.zeros((1, 200), int), incidence, np.array([3 * 365.25]))
    >>> found = clinical_utility("cox", {"cox": cox}, {"high_risk": (hazard > 0.001) * 1.0}, y, n_bootstrap=100)
    >>> found.years, found.grouping, list(found.tables())[:2]
    ((3,), 'high_risk', ['net_benefit', 'net_benefit_differences'])
    """
    own = predictions[model]
    horizons, _ = _horizons(own.times, y, _UTILITY_YEARS)
    levels, unknown = _known_groups(groups)
    treated = _distinct({name: group == np.nanmax(group) for name, group in levels.items()})
    judged = dict.fromkeys([model, "clinical_cox", "clinical_logistic"])
    models = {name: predictions[name] for name in judged if name in predictions}
    decisions = decision_curve(models, treated, y, years=_UTILITY_YEARS, n_bootstrap=n_bootstrap, seed=seed)
    tertiles = [
        tertile_calibration(own, y, days).assign(years=np.nan if year is None else year)
        for year, days in horizons.items()
    ]
    crossed, grouping = None, None
    if levels and horizons:
        grouping = max(levels, key=lambda name: _patients_and_groups(levels[name]))
        crossed = reclassification(
            levels[grouping], own, y, [*horizons.values()][-1], n_bootstrap=n_bootstrap, seed=seed
        )
    table = pd.concat(tertiles, ignore_index=True) if tertiles else pd.DataFrame()
    event_free, thin = pd.DataFrame(), list[str]()
    if kind_of(y).has_time:
        event_free, thin = event_free_time(own, levels, y, n_bootstrap=n_bootstrap, seed=seed)
    notes = decisions.notes + unknown + thin
    return ClinicalUtility(model, tuple(horizons), decisions, table, grouping, crossed, event_free, notes)


def _known_groups(groups: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the groupings that most patients have, and what is to be said of unknown ones."""
    levels: dict[str, np.ndarray] = {}
    left_out, partly = [], []
    for name, values in groups.items():
        group = np.asarray(values, dtype=float)
        unknown, title = np.isnan(group), model_title(name)
        if unknown.mean() > MOST_UNKNOWN:
            left_out.append(f"{title} ({unknown.sum()} of {len(group)} patients)")
            continue
        levels[name] = group
        if unknown.any():
            partly.append(f"{title} ({unknown.sum()} patients)")
    notes = []
    if left_out:
        notes.append(f"decisions by groupings that too many patients lack are left out: {', '.join(left_out)}")
    if partly:
        notes.append(f"patients of an unknown group count as not treated by it: {', '.join(partly)}")
    return levels, notes


def _patients_and_groups(group: np.ndarray) -> tuple[int, int]:
    known = group[~np.isnan(group)]
    return len(known), len(np.unique(known))


_NAMES = {1: ("all",), 2: ("lower", "higher"), 3: ("lowest", "middle", "highest")}


def tertile_calibration(predictions: Predictions, y: np.ndarray, horizon_days: float) -> pd.DataFrame:
    """Compare predicted and observed incidence at a horizon by third of predicted incidence.

    Of event-free survival the same is true with all figures taken from 1.

    Parameters
    ----------
    predictions : Predictions
        Repeats are averaged.
    y : ndarray of shape (n,)
        Of these patients: structured, ``event`` and ``time``, or binary.
    horizon_days : float
        One of the predictions' times.

    Returns
    -------
    DataFrame
        ``group`` (lowest, middle, highest; fewer where predictions are tied), ``n``, ``predicted`` (mean),
        ``observed``, ``low``, ``high`` (Aalen-Johansen with its 95 % interval, see :func:`observed_incidence`) and
        ``within``: whether the interval holds the prediction. NaN and False where the follow-up of the group ends
        earlier.

    Raises
    ------
    ValueError
        Nothing was predicted for the horizon.

    Examples
    --------
    >>> y = np.array([(0, 40.0), (1, 10.0), (0, 30.0), (0, 50.0), (1, 10.0), (1, 15.0)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = np.array([0.1, 0.1, 0.4, 0.4, 0.9, 0.9]).reshape(1, 6, 1)
    >>> found = tertile_calibration(Predictions("m", np.zeros((1, 6)), np.zeros((1, 6), int), incidence,
    ...                                         np.array([20.0])), y, 20.0)
    >>> found[["group", "n", "predicted", "observed", "within"]]
         group  n  predicted  observed  within
    0   lowest  2        0.1       0.5    True
    1   middle  2        0.4       0.0    True
    2  highest  2        0.9       1.0    True
    """
    table = observed_by_group(predictions.incidence_at(horizon_days).mean(axis=0), y, horizon_days, 3)
    table["within"] = table["predicted"].between(table["low"], table["high"])
    table["group"] = _NAMES[len(table)]
    return table[["group", "n", "predicted", "observed", "low", "high", "within"]]


def observed_by_group(probability: np.ndarray, y: np.ndarray, horizon: float, groups: int) -> pd.DataFrame:
    """Mean predicted and observed cumulative incidence at a horizon, by group of predicted probability.

    Parameters
    ----------
    probability : ndarray of shape (n_patients,)
    y : ndarray of shape (n_patients,)
        Structured, ``event`` and ``time`` in days; or binary.
    horizon : float
        Days; not read of a binary outcome.
    groups : int
        Groups of equal size; fewer where the predictions are tied.

    Returns
    -------
    DataFrame
        ``predicted``, ``observed``, ``low``, ``high`` and ``n``, a row a group in rising order of prediction; see
        :func:`observed_incidence` for the interval. NaN where the follow-up of the group ends earlier.

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0), (1, 10.0), (1, 15.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> observed_by_group(np.array([0.1, 0.1, 0.9, 0.9]), y, 20.0, 2)[["predicted", "observed", "n"]]
       predicted  observed  n
    0        0.1       0.5  2
    1        0.9       1.0  2
    """
    label = pd.qcut(probability, groups, labels=False, duplicates="drop")
    label = np.where(pd.isna(label), 0, label)
    rows = []
    for group in np.unique(label):
        own = label == group
        rows.append((probability[own].mean(), *observed_incidence(y[own], horizon), int(own.sum())))
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "n"])
