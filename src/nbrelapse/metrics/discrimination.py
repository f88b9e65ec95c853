"""Concordance, ROC area and time-dependent AUC, by patient weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.resampling import _as_columns, _as_given, _as_log_risks, _Value, _weight_chunks
from nbrelapse.outcome import BINARY, SURVIVAL, values_of

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome


class Concordance(NamedTuple):
    """Three concordances; NaN where there is no comparable pair.

    Parameters
    ----------
    harrell, uno, cause_specific : float or ndarray of shape (n_columns,)
    """

    harrell: _Value
    uno: _Value
    cause_specific: _Value


def harrell_c(
    y: np.ndarray | Outcome, log_risk: np.ndarray, *, fold: np.ndarray | None = None, weights: np.ndarray | None = None
) -> _Value:
    """Return Harrell's C: how often the patient with the event first has the higher log risk.

    A patient with a competing event is known never to have the event, so he is comparable with every patient who has
    it. 1 is perfect, 0.5 is chance; the formula is at :func:`concordance`.

    Parameters
    ----------
    y : structured ndarray of shape (n,) or Outcome
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    log_risk : ndarray of shape (n,) or (n_repeats, n)
        Higher is worse.
    fold : ndarray of int of the same shape, optional
        Only patients of one fold are compared, because log risks of different models have no common scale.
    weights : ndarray of shape (n,) or (n, n_columns), optional
        How often each patient counts; by default once.

    Returns
    -------
    float, or ndarray of shape (n_columns,) where the weights have columns
        NaN where there is no comparable pair.

    Raises
    ------
    ValueError
        The outcome is binary, or the shapes do not agree.

    Examples
    --------
    >>> y = np.array([(1, 10.0), (1, 20.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> round(harrell_c(y, np.array([2.0, 0.0, 1.0])), 3)
    0.667
    """
    return concordance(y, log_risk, fold=fold, weights=weights).harrell


def uno_c(
    y: np.ndarray | Outcome,
    log_risk: np.ndarray,
    *,
    fold: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    censoring: CensoringDistribution | None = None,
    tau: float | None = None,
) -> _Value:
    """Return Uno's C, which does not depend on how long patients were followed.

    Pairs are weighted by the inverse probability of being observed, and events before ``tau`` count; see
    :func:`concordance`.

    Parameters
    ----------
    y, log_risk, fold, weights
        As in :func:`harrell_c`.
    censoring : CensoringDistribution, optional
        By default that of ``y``.
    tau : float, optional
        Days; by default the longest time of ``censoring``.

    Returns
    -------
    float, or ndarray of shape (n_columns,) where the weights have columns
        NaN where there is no comparable pair.

    Raises
    ------
    ValueError
        The outcome is binary, or the shapes do not agree.

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 15.0), (1, 20.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> round(uno_c(y, np.array([2.0, 0.0, 0.0, 1.0])), 3)
    0.571
    """
    return concordance(y, log_risk, fold=fold, weights=weights, censoring=censoring, tau=tau).uno


def cause_specific_c(
    y: np.ndarray | Outcome, log_risk: np.ndarray, *, fold: np.ndarray | None = None, weights: np.ndarray | None = None
) -> _Value:
    """Return Harrell's C with competing events censored: the ranking of those still at risk.

    Parameters
    ----------
    y, log_risk, fold, weights
        As in :func:`harrell_c`.

    Returns
    -------
    float, or ndarray of shape (n_columns,) where the weights have columns
        NaN where there is no comparable pair.

    Raises
    ------
    ValueError
        The outcome is binary, or the shapes do not agree.

    Examples
    --------
    >>> y = np.array([(2, 10.0), (1, 20.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> risk = np.array([2.0, 1.0, 0.0])
    >>> cause_specific_c(y, risk), harrell_c(y, risk)
    (1.0, 0.5)
    """
    return concordance(y, log_risk, fold=fold, weights=weights).cause_specific


def concordance(
    y: np.ndarray | Outcome,
    log_risk: np.ndarray,
    *,
    fold: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    censoring: CensoringDistribution | None = None,
    tau: float | None = None,
) -> Concordance:
    r"""Return Harrell's C, Uno's C and the cause-specific C in one go.

    All are ratios of bilinear forms, :math:`C(w) = w^T N w / w^T D w`: :math:`D_{ij}` says whether i is known
    to have had the event before j, and :math:`N_{ij}` is the credit for it (1 where i has the higher log risk,
    1/2 where the two are tied). Pairs are formed within a fold; repeats are summed before the ratio is taken.
    See :class:`_ComparablePairs` for how the sums cost O(n log n) a column; memory grows with n log n.

    A patient with a competing event is known never to have the event, so he is comparable with every patient
    who has it [1]_. Uno's C weights a pair by :math:`1/G(T_i)^2`, or :math:`1/(G(T_i) G(T_j))` where j had the
    competing event first [2]_ [3]_, and takes events before ``tau`` only. The cause-specific C is Harrell's with
    competing events censored at their time: it judges the ranking of those still at risk, which is what a model
    of the cause-specific hazard is trained for. Without competing events it is Harrell's, and Harrell's and Uno's
    equal scikit-survival's.

    Parameters
    ----------
    y, log_risk, fold, weights
        As in :func:`harrell_c`.
    censoring : CensoringDistribution, optional
        By default that of ``y``.
    tau : float, optional
        Days; at most ``censoring.last_time``, which is the default.

    Returns
    -------
    Concordance

    Raises
    ------
    ValueError
        The outcome is binary, or the shapes do not agree.

    References
    ----------
    .. [1] Wolbers 2009, Epidemiology, 10.1097/EDE.0b013e3181a39056
    .. [2] Uno 2011, Statistics in Medicine, 10.1002/sim.4154
    .. [3] Wolbers 2014, Biostatistics, 10.1093/biostatistics/kxt059

    Examples
    --------
    >>> y = np.array([(1, 10.0), (1, 20.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> found = concordance(y, np.array([[2.0, 0.0, 1.0]]), weights=np.ones((3, 2)))
    >>> found.harrell.round(3).tolist()
    [0.667, 0.667]
    """
    y = values_of(y, SURVIVAL)
    log_risk, fold = _as_log_risks(log_risk, fold, len(y))
    columns_of = _as_columns(weights, len(y))
    censoring = CensoringDistribution.fit(y) if censoring is None else censoring
    tau = censoring.last_time if tau is None else tau
    times, when = np.unique(y["time"], return_inverse=True)
    early = times < tau
    inverse = np.zeros(len(times))
    inverse[early] = 1 / censoring.at(times[early])
    later, earlier = _pairs(y["event"], when, log_risk, fold)
    patients = np.tile(np.arange(len(y)), len(log_risk))
    inverse, one = inverse[when[patients]], np.ones(len(patients))
    sums = np.zeros((2, 3, columns_of.shape[1]))
    for columns in _weight_chunks(len(patients), columns_of.shape[1]):
        own = columns_of[:, columns].astype(float)[patients]
        harrell, uno = later.sums(own, own, np.stack([one, inverse**2])).swapaxes(0, 1)
        sums[:, 2, columns] = harrell
        if earlier is not None:
            harrell = harrell + earlier.sums(own, own, one[None])[:, 0]
            uno = uno + earlier.sums(own, own * inverse[:, None], inverse[None])[:, 0]
        sums[:, 0, columns], sums[:, 1, columns] = harrell, uno
    with np.errstate(invalid="ignore", divide="ignore"):
        return Concordance(*(_as_given(ratio, weights) for ratio in sums[0] / sums[1]))


def _pairs(
    event: np.ndarray, when: np.ndarray, log_risk: np.ndarray, fold: np.ndarray
) -> tuple[_ComparablePairs, _ComparablePairs | None]:
    """Pairs of an event with those who were at risk later, and with earlier competing events if there are any."""
    names, folds = np.unique(fold, return_inverse=True)
    stratum = (folds.reshape(fold.shape) + len(names) * np.arange(len(fold))[:, None]).ravel()
    rank = _risk_ranks(log_risk.ravel(), stratum)
    had_event = np.tile(event == 1, len(fold))
    # Those censored at the time of an event outlived it; those with an event at the same time did not.
    position = np.tile(2 * when, len(fold)) + ~had_event
    later = _ComparablePairs.of(stratum, position, rank, query=had_event, source=np.ones_like(had_event))
    if not (event == 2).any():
        return later, None
    competing = np.tile(event == 2, len(fold))
    backwards = position.max() - position
    return later, _ComparablePairs.of(stratum, backwards, rank, query=had_event, source=competing)


_BLOCK_BITS = 5
_BLOCKS_AT_ONCE = 64
"""What BLAS is given at a time stays in the processor's cache."""


@dataclass(frozen=True)
class _ComparablePairs:
    """Pairs of a query and a source behind it, arranged so that the sum over all of them costs O(n log n).

    Items are numbered by rank, and stand in the order of their positions. The numbers are read bit by bit, from the
    highest. Where all higher bits agree, a query with a 1 outranks the sources with a 0: one cumulative sum over these
    gives the credit of all queries. Then the items are divided by the bit and keep their order, so that those which
    agree stand together for the next bit. The last bits are not worth it: what agrees up to them is a block of 32
    items, every pair of which is looked at. Half the credit is for those of the same rank, who never outrank another,
    as they are numbered by position.

    Parameters
    ----------
    items : ndarray of int, shape (n_items,)
        By rank.
    every : stretches
        All pairs.
    credited : tuple of (float, stretches)
        The credit of the query, and the pairs that it is given for.
    blocks : ndarray of bool, shape (n_blocks, 32, 32)
        Whether the item of the row is a query and outranks the item of the column, a source behind it.

    Examples
    --------
    >>> import numpy as np
    >>> yes, ones = np.ones(3, bool), np.ones((3, 1))
    >>> pairs = _ComparablePairs.of(np.zeros(3, int), np.array([0, 1, 2]), np.array([2, 0, 1]), query=yes, source=yes)
    >>> pairs.sums(ones, ones, np.ones((1, 3))).ravel().tolist()  # (2 > 0) + (2 > 1), of 3 pairs
    [2.0, 3.0]
    """

    items: np.ndarray
    every: _Stretches
    credited: tuple[tuple[float, _Stretches], ...]
    blocks: np.ndarray

    @classmethod
    def of(
        cls, stratum: np.ndarray, position: np.ndarray, rank: np.ndarray, *, query: np.ndarray, source: np.ndarray
    ) -> Self:
        """Arrange items: a query is compared with the sources of its stratum whose position is higher.

        Parameters
        ----------
        stratum, position, rank : ndarray of int, shape (n_items,)
            Not negative. A higher stratum has the higher ranks: nobody in it is outranked by, or stands before,
            anybody of a lower one, which keeps the pairs of two strata apart.
        query, source : ndarray of bool, shape (n_items,)
        """
        items = np.flatnonzero(query | source)
        place = stratum * (position.max(initial=0) + 1) + position
        # Of those at one position the lower rank stands first: nobody outranks one behind him who is tied with him.
        items = items[_order(place[items], rank[items])]
        by_rank = _order(rank[items], np.arange(len(items)))
        number = np.empty(len(items), dtype=np.int64)
        number[by_rank] = np.arange(len(items))
        ranked = items[by_rank]
        query, source, rank = query[ranked], source[ranked], rank[ranked]
        stands = _Standing(number, query, source)
        every = stands.pairs(place[items], stratum[items])
        credited = []
        if (rank[1:] == rank[:-1]).any():
            credited = [(0.5, _Standing(np.arange(len(items)), query, source).pairs(place[ranked], rank))]
        for bit in reversed(range(_BLOCK_BITS, len(items).bit_length())):
            stretches, stands = stands.divided(bit)
            credited.append((1.0, stretches))
        return cls(ranked, every, tuple(credited), stands.blocks())

    def sums(self, own: np.ndarray, given: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Return the summed credit and the number of pairs, both weighted.

        Parameters
        ----------
        own, given : ndarray of shape (n_items, n_columns)
            Weights of items as queries and as sources.
        factors : ndarray of shape (n_factors, n_items)
            Further factors of the queries; each gives sums of its own.

        Returns
        -------
        ndarray of shape (2, n_factors, n_columns)
        """
        own, given, factors = own.take(self.items, axis=0), given.take(self.items, axis=0), factors[:, self.items]
        whole = np.zeros((*self.blocks.shape[:2], given.shape[1]))
        flat = whole.reshape(whole.shape[0] * whole.shape[1], given.shape[1])
        flat[: len(given)] = given
        for first in range(0, len(whole), _BLOCKS_AT_ONCE):
            some = slice(first, first + _BLOCKS_AT_ONCE)
            whole[some] = self.blocks[some].astype(float) @ whole[some]
        credit = factors @ (own * flat[: len(own)])
        for share, stretches in self.credited:
            credit += share * stretches.sums(own, given, factors)
        return np.stack([credit, self.every.sums(own, given, factors)])


@dataclass(frozen=True)
class _Stretches:
    """Queries, and the sources from ``start`` to ``stop`` that each is paired with."""

    sources: np.ndarray
    queries: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    def sums(self, own: np.ndarray, given: np.ndarray, factors: np.ndarray) -> np.ndarray:
        mass = np.zeros((len(self.sources) + 1, given.shape[1]))
        np.cumsum(given.take(self.sources, axis=0), axis=0, out=mass[1:])
        found = mass.take(self.stop, axis=0)
        found -= mass.take(self.start, axis=0)
        found *= own.take(self.queries, axis=0)
        return factors.take(self.queries, axis=1) @ found


@dataclass(frozen=True)
class _Standing:
    """Items in some order, by their numbers; which numbers ask, and which are asked about."""

    number: np.ndarray
    query: np.ndarray
    source: np.ndarray

    def pairs(self, place: np.ndarray, group: np.ndarray) -> _Stretches:
        """Pair queries with the sources of their group behind all at their place; both stand together."""
        asked = self.source[self.number]
        before = _before(asked)
        start, stop = before[_ends(place)], before[_ends(group)]
        asks = np.flatnonzero(self.query[self.number] & (start < stop))
        return _Stretches(self.number[asked], self.number[asks], start[asks], stop[asks])

    def divided(self, bit: int) -> tuple[_Stretches, _Standing]:
        """Pair queries with the sources behind them that differ first in a bit and have a 0 there; divide by the bit.

        Items whose numbers agree above the bit stand together; as no number is missing, where they end is known.
        """
        one = self.number & (1 << bit) != 0
        ones, zeros = np.flatnonzero(one), np.flatnonzero(~one)
        queries, lower = self.number[ones], self.number[zeros]
        asked = self.source[lower]
        before = _before(asked)
        # How many with a 0 stand before each with a 1, and before the end of its group, in which all have a place.
        start, stop = before[ones - np.arange(len(ones))], before[((queries >> (bit + 1)) + 1) << bit]
        asks = np.flatnonzero(self.query[queries] & (start < stop))
        stretches = _Stretches(lower[np.flatnonzero(asked)], queries[asks], start[asks], stop[asks])
        return stretches, replace(self, number=_side_by_side(lower, queries, 1 << bit))

    def blocks(self) -> np.ndarray:
        """Compare all items of a block by themselves: those that differ in the last bits only."""
        size = 1 << _BLOCK_BITS
        n_blocks = -(-len(self.number) // size)
        place = np.zeros((n_blocks, size), dtype=np.uint8)
        query, source = np.zeros((2, n_blocks, size), dtype=bool)
        place.put(self.number, np.arange(len(self.number)) % size)
        query.flat[: len(self.query)], source.flat[: len(self.source)] = self.query, self.source
        found = place[:, :, None] < place[:, None, :]
        found &= np.tri(size, k=-1, dtype=bool)
        found &= query[:, :, None]
        found &= source[:, None, :]
        return found


def _before(chosen: np.ndarray) -> np.ndarray:
    """Return how many are chosen before each place, and before the end."""
    if chosen.all():
        return np.arange(len(chosen) + 1)
    return np.concatenate([[0], np.cumsum(chosen)])


def _side_by_side(first: np.ndarray, second: np.ndarray, size: int) -> np.ndarray:
    """Return so many of the first, so many of the second, and so on, until none is left."""
    found = np.empty(len(first) + len(second), dtype=first.dtype)
    pairs = min(len(first), len(second)) // size
    whole = pairs * size
    found[: 2 * whole].reshape(pairs, 2, size)[:, 0] = first[:whole].reshape(pairs, size)
    found[: 2 * whole].reshape(pairs, 2, size)[:, 1] = second[:whole].reshape(pairs, size)
    found[2 * whole :] = np.concatenate([first[whole:], second[whole:]])
    return found


def _order(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the order by two numbers that are not negative; one sort of one number is several times as fast."""
    return np.argsort(first * (second.max(initial=0) + 1) + second)


def _ends(values: np.ndarray) -> np.ndarray:
    """Return where the run of equal values ends that each place is in."""
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]) + 1, len(values))
    return np.repeat(ends, np.diff(ends, prepend=0))


_TIED = 1e-8


def _risk_ranks(log_risk: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Rank patients by fold and, within it, by log risk.

    Parameters
    ----------
    log_risk : ndarray of shape (n,)
        Neighbours no further apart than 1e-8 are tied, as in scikit-survival.
    fold : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)
        Dense ranks from 0; tied patients of one fold share a rank.

    Examples
    --------
    >>> import numpy as np
    >>> _risk_ranks(np.array([0.3, 0.1, 0.3, -1.0]), np.array([0, 0, 0, 1])).tolist()
    [1, 0, 1, 2]
    """
    order = np.argsort(log_risk)
    order = order[np.argsort(fold[order].astype(np.min_scalar_type(fold.max(initial=0))), kind="stable")]
    step = (np.diff(log_risk[order]) > _TIED) | (np.diff(fold[order]) != 0)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(step)])
    return ranks


def auc(
    y: np.ndarray | Outcome, log_odds: np.ndarray, *, fold: np.ndarray | None = None, weights: np.ndarray | None = None
) -> _Value:
    """Return the probability that a patient with the event has higher log odds than one without; ties count half.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
        0 or 1. A time to an event has an AUC at each horizon, see :func:`dynamic_auc`.
    log_odds : ndarray of shape (n,) or (n_repeats, n)
        Or probabilities: the order counts.
    fold, weights
        As in :func:`nbrelapse.metrics.discrimination.harrell_c`.

    Returns
    -------
    float, or ndarray of shape (n_columns,) where the weights have columns
        0.5 is chance. NaN where no fold holds a patient with the event and one without.

    Raises
    ------
    ValueError
        The outcome is a time to an event, or the shapes do not agree.

    Examples
    --------
    >>> auc(np.array([1, 1, 0, 0]), np.array([2.0, 0.5, 1.0, 0.5]))
    0.625
    """
    y = values_of(y, BINARY)
    log_odds, fold = _as_log_risks(log_odds, fold, len(y))
    return _as_given(roc_area(log_odds, fold, _as_columns(weights, len(y)), y == 1, y == 0), weights)


def roc_area(
    log_risk: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    case: np.ndarray,
    control: np.ndarray,
    inverse: np.ndarray | None = None,
) -> np.ndarray:
    """Return the probability that a case has a higher log risk than a control, for each column of patient weights.

    Pairs are formed within a fold, because log risks of different fold models have no common scale; repeats are
    summed before the ratio is taken. Tied pairs count half. With one fold it is the Mann-Whitney statistic over the
    number of pairs [1]_, and equals scikit-learn's ``roc_auc_score``.

    Parameters
    ----------
    log_risk, fold : ndarray of shape (n_repeats, n)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    case, control : bool ndarray of shape (n,)
        A patient may be neither.
    inverse : ndarray of shape (n,), optional
        Weight of each patient whatever the column, such as one over the probability of being observed.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where no fold holds both a case and a control.

    References
    ----------
    .. [1] Hanley and McNeil 1982, Radiology, 10.1148/radiology.143.1.7063747

    Examples
    --------
    >>> import numpy as np
    >>> y, risk = np.array([1, 1, 0, 0]), np.array([[2.0, 0.5, 1.0, 0.5]])
    >>> roc_area(risk, np.zeros((1, 4), int), np.ones((4, 1)), y == 1, y == 0).tolist()
    [0.625]
    """
    cases, controls = np.flatnonzero(case), np.flatnonzero(control)
    inverse = np.ones(len(case)) if inverse is None else inverse
    sums = np.zeros((2, weights.shape[1]))
    for risk, folds in zip(log_risk, fold, strict=True):
        ranks = _risk_ranks(risk, folds)
        lowest_first = controls[np.argsort(ranks[controls], kind="stable")]
        below = np.searchsorted(ranks[lowest_first], ranks[cases], side="left")
        not_above = np.searchsorted(ranks[lowest_first], ranks[cases], side="right")
        start = np.searchsorted(folds[lowest_first], folds[cases], side="left")
        stop = np.searchsorted(folds[lowest_first], folds[cases], side="right")
        for columns in _weight_chunks(len(risk), weights.shape[1]):
            mass = np.zeros((len(controls) + 1, columns.stop - columns.start))
            np.cumsum(weights[lowest_first, columns] * inverse[lowest_first, None], axis=0, out=mass[1:])
            own = weights[cases, columns] * inverse[cases, None]
            sums[0, columns] += (own * ((mass[below] + mass[not_above]) / 2 - mass[start])).sum(axis=0)
            sums[1, columns] += (own * (mass[stop] - mass[start])).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[0] / sums[1]


def dynamic_auc(
    y: np.ndarray | Outcome,
    log_risk: np.ndarray,
    times: _Value,
    *,
    fold: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    censoring: CensoringDistribution | None = None,
) -> _Value:
    """Return the cumulative/dynamic AUC at horizons.

    Cases had the event by the horizon; controls are those without it: still under observation then, or with a
    competing event before (the second definition of [1]_). Cases and competing events are weighted by 1/G at
    their time, the others by 1/G at the horizon. Pairs are formed within a fold, see :func:`roc_area`.
    Without competing events it equals scikit-survival's ``cumulative_dynamic_auc``.

    Parameters
    ----------
    y, log_risk, fold, weights, censoring
        As in :func:`nbrelapse.metrics.discrimination.uno_c`.
    times : float or ndarray of shape (n_times,)
        Horizons in days, before ``censoring.last_time``.

    Returns
    -------
    float, or ndarray of shape (n_times,), (n_columns,) or (n_times, n_columns)
        An axis where the times are an array, and one where the weights have columns. NaN where no fold holds both a
        case and a control.

    Raises
    ------
    ValueError
        The outcome is binary, or the shapes do not agree.

    References
    ----------
    .. [1] Blanche 2013, Statistics in Medicine, 10.1002/sim.5958

    Examples
    --------
    >>> y = np.array([(1, 10.0), (1, 20.0), (0, 30.0), (2, 15.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> risk = np.array([2.0, 0.5, 1.0, 0.0])
    >>> dynamic_auc(y, risk, 25.0), dynamic_auc(y, risk, np.array([12.0, 25.0])).tolist()
    (0.75, [1.0, 0.75])
    """
    y = values_of(y, SURVIVAL)
    log_risk, fold = _as_log_risks(log_risk, fold, len(y))
    censoring = CensoringDistribution.fit(y) if censoring is None else censoring
    columns = _as_columns(weights, len(y))
    found = [_at(y, log_risk, fold, columns, censoring, horizon) for horizon in np.atleast_1d(times)]
    return _as_given(np.stack(found), weights, times)


def _at(
    y: np.ndarray,
    log_risk: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    censoring: CensoringDistribution,
    horizon: float,
) -> np.ndarray:
    past = y["time"] <= horizon
    case, control = past & (y["event"] == 1), ~past | (y["event"] == 2)
    inverse = 1 / censoring.at(np.minimum(y["time"], horizon))
    return roc_area(log_risk, fold, weights, case, control, inverse)
