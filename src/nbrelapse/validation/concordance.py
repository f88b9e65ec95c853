"""Harrell's, Uno's and the cause-specific concordance of every bootstrap resample at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.comparable_pairs import ComparablePairs
from nbrelapse.validation.risk_ranks import risk_ranks


class Concordance(NamedTuple):
    """Three concordances for each column of patient weights; NaN where these hold no comparable pair.

    Parameters
    ----------
    harrell, uno, cause_specific : ndarray of shape (n_columns,)
    """

    harrell: np.ndarray
    uno: np.ndarray
    cause_specific: np.ndarray


def concordance(
    y: np.ndarray,
    log_risk: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    censoring: CensoringDistribution,
    tau: float,
) -> Concordance:
    r"""Return Harrell's C, Uno's C and the cause-specific C for each column of patient weights.

    All are ratios of bilinear forms, :math:`C(w) = w^T N w / w^T D w`: :math:`D_{ij}` says whether i is known
    to have had the event before j, and :math:`N_{ij}` is the credit for it (1 where i has the higher log risk,
    1/2 where the two are tied). Pairs are formed within a fold; repeats are summed before the ratio is taken.
    See :class:`ComparablePairs` for how the sums cost O(n log n) a column; memory grows with n log n.

    A patient with a competing event is known never to have the event, so he is comparable with every patient
    who has it [1]_. Uno's C weights a pair by :math:`1/G(T_i)^2`, or :math:`1/(G(T_i) G(T_j))` where j had the
    competing event first [2]_ [3]_, and takes events before ``tau`` only. The cause-specific C is Harrell's with
    competing events censored at their time: it judges the ranking of those still at risk, which is what a model
    of the cause-specific hazard is trained for. Without competing events it is Harrell's, and Harrell's and Uno's
    equal scikit-survival's.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    log_risk, fold : ndarray of shape (n_repeats, n)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    censoring : CensoringDistribution
    tau : float
        Days; at most ``censoring.last_time``.

    Returns
    -------
    Concordance

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
    >>> concordance(y, risk, fold, ones, CensoringDistribution.fit(y), tau=30.0).harrell.round(3).tolist()
    [0.667]
    """
    times, when = np.unique(y["time"], return_inverse=True)
    early = times < tau
    inverse = np.zeros(len(times))
    inverse[early] = 1 / censoring.at(times[early])
    later, earlier = _pairs(y["event"], when, log_risk, fold)
    patients = np.tile(np.arange(len(y)), len(log_risk))
    inverse, one = inverse[when[patients]], np.ones(len(patients))
    sums = np.zeros((2, 3, weights.shape[1]))
    for columns in weight_chunks(len(patients), weights.shape[1]):
        own = weights[:, columns].astype(float)[patients]
        harrell, uno = later.sums(own, own, np.stack([one, inverse**2])).swapaxes(0, 1)
        sums[:, 2, columns] = harrell
        if earlier is not None:
            harrell = harrell + earlier.sums(own, own, one[None])[:, 0]
            uno = uno + earlier.sums(own, own * inverse[:, None], inverse[None])[:, 0]
        sums[:, 0, columns], sums[:, 1, columns] = harrell, uno
    with np.errstate(invalid="ignore", divide="ignore"):
        return Concordance(*(sums[0] / sums[1]))


def _pairs(
    event: np.ndarray, when: np.ndarray, log_risk: np.ndarray, fold: np.ndarray
) -> tuple[ComparablePairs, ComparablePairs | None]:
    """Pairs of an event with those who were at risk later, and with earlier competing events if there are any."""
    names, folds = np.unique(fold, return_inverse=True)
    stratum = (folds.reshape(fold.shape) + len(names) * np.arange(len(fold))[:, None]).ravel()
    ranks = risk_ranks(log_risk.ravel(), stratum)
    lowest = np.full(stratum.max() + 1, len(ranks))
    np.minimum.at(lowest, stratum, ranks)
    had_event = np.tile(event == 1, len(fold))
    # Those censored at the time of an event outlived it; those with an event at the same time did not.
    position = np.tile(2 * when, len(fold)) + ~had_event
    rank = ranks - lowest[stratum]
    later = ComparablePairs.of(stratum, position, rank, query=had_event, source=np.ones_like(had_event))
    if not (event == 2).any():
        return later, None
    competing = np.tile(event == 2, len(fold))
    return later, ComparablePairs.of(stratum, -position, rank, query=had_event, source=competing)
