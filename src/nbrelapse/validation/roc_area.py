"""Area under a ROC curve, pairs formed within folds, of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks
from nbrelapse.validation.risk_ranks import risk_ranks


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
        ranks = risk_ranks(risk, folds)
        lowest_first = controls[np.argsort(ranks[controls], kind="stable")]
        below = np.searchsorted(ranks[lowest_first], ranks[cases], side="left")
        not_above = np.searchsorted(ranks[lowest_first], ranks[cases], side="right")
        start = np.searchsorted(folds[lowest_first], folds[cases], side="left")
        stop = np.searchsorted(folds[lowest_first], folds[cases], side="right")
        for columns in weight_chunks(len(risk), weights.shape[1]):
            mass = np.zeros((len(controls) + 1, columns.stop - columns.start))
            np.cumsum(weights[lowest_first, columns] * inverse[lowest_first, None], axis=0, out=mass[1:])
            own = weights[cases, columns] * inverse[cases, None]
            sums[0, columns] += (own * ((mass[below] + mass[not_above]) / 2 - mass[start])).sum(axis=0)
            sums[1, columns] += (own * (mass[stop] - mass[start])).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[0] / sums[1]
