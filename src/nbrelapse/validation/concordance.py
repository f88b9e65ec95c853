"""Harrell's and Uno's concordance of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.risk_ranks import risk_ranks

_CHUNK_VALUES = 1 << 22


def concordance(
    y: np.ndarray,
    log_risk: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    censoring: CensoringDistribution,
    tau: float,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return Harrell's C and Uno's C for each column of patient weights.

    Both are ratios of bilinear forms, :math:`C(w) = w^T N w / w^T D w`: :math:`D_{ij}` says whether i is known
    to have had the event before j, and :math:`N_{ij}` is the credit for it (1 where i has the higher log risk,
    1/2 where the two are tied). Pairs are formed within a fold; repeats are summed before the ratio is taken.

    A patient with a competing event is known never to have the event, so he is comparable with every patient
    who has it [1]_. Uno's C weights a pair by :math:`1/G(T_i)^2`, or :math:`1/(G(T_i) G(T_j))` where j had the
    competing event first [2]_ [3]_, and takes events before ``tau`` only. Without competing events both equal
    scikit-survival's.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    log_risk, fold : ndarray of shape (n_repeats, n)
    weights : ndarray of float32, shape (n, n_columns)
        See :func:`bootstrap_weights`.
    censoring : CensoringDistribution
    tau : float
        Days; at most ``censoring.last_time``.

    Returns
    -------
    harrell, uno : ndarray of shape (n_columns,)
        NaN where the weighted patients hold no comparable pair.

    References
    ----------
    .. [1] Wolbers 2009, Epidemiology, 10.1097/EDE.0b013e3181a39056
    .. [2] Uno 2011, Statistics in Medicine, 10.1002/sim.4154
    .. [3] Wolbers 2014, Biostatistics, 10.1093/biostatistics/kxt059

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (1, 20.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> risk, fold, ones = np.array([[2.0, 0.0, 1.0]]), np.zeros((1, 3), int), np.ones((3, 1), np.float32)
    >>> harrell, uno = concordance(y, risk, fold, ones, CensoringDistribution.fit(y), tau=30.0)
    >>> harrell.round(3).tolist()
    [0.667]
    """
    sums = np.zeros((4, weights.shape[1]))
    inverse = np.zeros(len(y))
    early = y["time"] < tau
    inverse[early] = 1 / censoring.at(y["time"][early])
    for risk, folds in zip(log_risk, fold, strict=True):
        ranks = risk_ranks(risk, folds)
        for name in np.unique(folds):
            members = np.flatnonzero(folds == name)
            sums += _pair_sums(y[members], ranks[members], inverse[members], weights[members])
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[0] / sums[1], sums[2] / sums[3]


def _pair_sums(y: np.ndarray, ranks: np.ndarray, inverse: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Numerators and denominators of Harrell's and Uno's C in one fold, shape (4, n_columns)."""
    competing = y["event"] == 2
    order = np.lexsort((y["event"] != 1, y["time"], competing))
    time, ranks, inverse, weights = y["time"][order], ranks[order], inverse[order], weights[order]
    rows = np.flatnonzero(y["event"][order] == 1)
    n_others = len(y) - int(competing.sum())
    # Those censored at the time of an event outlived it; those with an event at the same time did not.
    tied = np.searchsorted(time[rows], time[rows], side="right") - np.searchsorted(time[rows], time[rows])
    later = np.searchsorted(time[:n_others], time[rows]) + tied
    at_risk = np.zeros((n_others + 1, weights.shape[1]), dtype=np.float32)
    np.cumsum(weights[:n_others][::-1], axis=0, out=at_risk[:n_others][::-1])

    sums = np.zeros((4, weights.shape[1]))
    step = max(1, _CHUNK_VALUES // len(y))
    for start in range(0, len(rows), step):
        chunk, after = rows[start : start + step], later[start : start + step]
        # Sums of halves and whole numbers: float32 holds them exactly.
        columns = slice(int(after[0]), n_others)
        credit = _credit(ranks[chunk], ranks[columns])
        credit[np.arange(columns.start, n_others) < after[:, None]] = 0
        pairs = [credit @ weights[columns], at_risk[after]]
        own = inverse[chunk, None]
        weighted = [own * part for part in pairs]
        if n_others < len(y):
            credit, competed = _credit(ranks[chunk], ranks[n_others:]), weights[n_others:]
            first = np.where(time[n_others:] < time[chunk, None], inverse[n_others:], own)
            pairs = [pairs[0] + credit @ competed, pairs[1] + competed.sum(axis=0)]
            weighted = [weighted[0] + (credit * first) @ competed, weighted[1] + first @ competed]
        here = weights[chunk].astype(float)
        sums[:2] += [(here * part).sum(axis=0) for part in pairs]
        here *= own
        sums[2:] += [(here * part).sum(axis=0) for part in weighted]
    return sums


def _credit(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Credit of every pair: 1 where the first has the higher risk, 1/2 where the two are tied; float32."""
    credit = (first[:, None] > second).astype(np.float32)
    credit[first[:, None] == second] = 0.5
    return credit
