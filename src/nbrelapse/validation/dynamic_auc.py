"""Time-dependent area under the ROC curve of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.risk_ranks import risk_ranks


def dynamic_auc(
    y: np.ndarray,
    log_risk: np.ndarray,
    fold: np.ndarray,
    weights: np.ndarray,
    censoring: CensoringDistribution,
    horizon: float,
) -> np.ndarray:
    """Return the cumulative/dynamic AUC at a horizon for each column of patient weights.

    Cases had the event by the horizon; controls are those without it: still under observation then, or with a
    competing event before (the second definition of [1]_). Cases and competing events are weighted by 1/G at
    their time, the others by 1/G at the horizon. Pairs are formed within a fold; repeats are summed before the
    ratio is taken. Without competing events it equals scikit-survival's ``cumulative_dynamic_auc``.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
    log_risk, fold : ndarray of shape (n_repeats, n)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.
    censoring : CensoringDistribution
    horizon : float
        Days, before ``censoring.last_time``.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where no fold holds both a case and a control.

    References
    ----------
    .. [1] Blanche 2013, Statistics in Medicine, 10.1002/sim.5958

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (1, 20.0), (0, 30.0), (2, 15.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> risk, fold, ones = np.array([[2.0, 0.5, 1.0, 0.0]]), np.zeros((1, 4), int), np.ones((4, 1), np.float32)
    >>> dynamic_auc(y, risk, fold, ones, CensoringDistribution.fit(y), horizon=25.0).tolist()
    [0.75]
    """
    past = y["time"] <= horizon
    cases = np.flatnonzero(past & (y["event"] == 1))
    controls = np.flatnonzero(~past | (y["event"] == 2))
    inverse = 1 / censoring.at(np.minimum(y["time"], horizon))
    sums = np.zeros((2, weights.shape[1]))
    for risk, folds in zip(log_risk, fold, strict=True):
        ranks = risk_ranks(risk, folds)
        lowest_first = controls[np.argsort(ranks[controls], kind="stable")]
        below = np.searchsorted(ranks[lowest_first], ranks[cases], side="left")
        not_above = np.searchsorted(ranks[lowest_first], ranks[cases], side="right")
        start = np.searchsorted(folds[lowest_first], folds[cases], side="left")
        stop = np.searchsorted(folds[lowest_first], folds[cases], side="right")
        for columns in weight_chunks(len(y), weights.shape[1]):
            mass = np.zeros((len(controls) + 1, columns.stop - columns.start))
            np.cumsum(weights[lowest_first, columns] * inverse[lowest_first, None], axis=0, out=mass[1:])
            own = weights[cases, columns] * inverse[cases, None]
            sums[0, columns] += (own * ((mass[below] + mass[not_above]) / 2 - mass[start])).sum(axis=0)
            sums[1, columns] += (own * (mass[stop] - mass[start])).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[0] / sums[1]
