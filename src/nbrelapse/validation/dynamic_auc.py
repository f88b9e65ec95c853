"""Time-dependent area under the ROC curve of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.roc_area import roc_area


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
    their time, the others by 1/G at the horizon. Pairs are formed within a fold, see :func:`roc_area`.
    Without competing events it equals scikit-survival's ``cumulative_dynamic_auc``.

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
    case, control = past & (y["event"] == 1), ~past | (y["event"] == 2)
    inverse = 1 / censoring.at(np.minimum(y["time"], horizon))
    return roc_area(log_risk, fold, weights, case, control, inverse)
