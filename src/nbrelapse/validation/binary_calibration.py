"""Calibration of log odds, of every bootstrap resample at once."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from nbrelapse.models.weighted_logistic import weighted_logistic
from nbrelapse.validation.bootstrap_weights import weight_chunks

_KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the knots of a spline with three of them (Harrell 2015, 10.1007/978-3-319-19425-7, table 2.3)."""

_CONSTANT = 1e-8


def binary_calibration(
    y: np.ndarray, log_odds: np.ndarray, fold: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return slope, intercept and integrated calibration index for each column of patient weights.

    - ``calibration_slope``: of the log odds in a logistic regression of the outcome [1]_; below 1 they are too extreme.
    - ``calibration_intercept``: of that regression with the slope held at 1 (calibration in the large); above 0 the
      event is commoner than predicted.
    - ``ici``: mean absolute distance between the predicted probability and a smooth curve of the observed one [2]_, a
      logistic regression on a restricted cubic spline of the log odds with knots at their deciles 1, 5 and 9; a
      straight line where too few log odds differ for a curve, as with two clinical groups.

    Repeats are pooled: log odds of calibrated models have one scale.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    log_odds, fold : ndarray of shape (n_repeats, n)
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    dict of str to ndarray of shape (n_columns,)
        NaN where there is no finite value: one class only, an outcome that the log odds separate, or (slope and index)
        the same log odds for all patients of each fold.

    References
    ----------
    .. [1] Cox 1958, Biometrika, 10.1093/biomet/45.3-4.562; Van Calster 2019, BMC Medicine, 10.1186/s12916-019-1466-7
    .. [2] Austin and Steyerberg 2019, Statistics in Medicine, 10.1002/sim.8281

    Examples
    --------
    Log odds twice as extreme as what happens, 1 of 4 and 3 of 4:

    >>> import numpy as np
    >>> y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    >>> log_odds = np.repeat([[-2.0, 2.0]], 4, axis=1) * np.log(3)
    >>> found = binary_calibration(y, log_odds, np.zeros((1, 8), int), np.ones((8, 1)))
    >>> {name: round(float(values[0]) + 0.0, 3) for name, values in found.items()}
    {'calibration_slope': 0.5, 'calibration_intercept': 0.0, 'ici': 0.15}
    """
    flat, target = log_odds.ravel(), np.tile(y.astype(float), len(log_odds))
    terms = _spline_terms(flat)
    varies = any(
        np.ptp(risk[folds == name]) > _CONSTANT
        for risk, folds in zip(log_odds, fold, strict=True)
        for name in np.unique(folds)
    )
    names = ("calibration_slope", "calibration_intercept", "ici")
    found = {name: np.full(weights.shape[1], np.nan) for name in names}
    for columns in weight_chunks(len(flat), weights.shape[1]):
        own = np.tile(weights[:, columns], (len(log_odds), 1))
        found["calibration_intercept"][columns] = weighted_logistic(terms[:, :1], target, own, offset=flat)[0]
        if varies:
            found["calibration_slope"][columns] = weighted_logistic(terms[:, :2], target, own)[1] / np.std(flat)
            observed = expit(terms @ weighted_logistic(terms, target, own))
            distance = np.abs(observed - expit(flat)[:, None])
            found["ici"][columns] = (own * distance).sum(axis=0) / own.sum(axis=0, dtype=float)
    return found


def _spline_terms(log_odds: np.ndarray) -> np.ndarray:
    """Return a constant, the standardised log odds, and the curved term of their restricted cubic spline."""
    spread = float(np.std(log_odds))
    x = (log_odds - log_odds.mean()) / (spread if spread > 0 else 1.0)
    terms = [np.ones(len(x)), x]
    first, middle, last = np.quantile(x, _KNOTS)
    if first < middle < last:
        cubes = [np.maximum(x - knot, 0) ** 3 for knot in (first, middle, last)]
        rising, falling = (last - first) / (last - middle), (middle - first) / (last - middle)
        terms.append((cubes[0] - rising * cubes[1] + falling * cubes[2]) / (last - first) ** 2)
    return np.column_stack(terms if np.linalg.matrix_rank(np.column_stack(terms)) == len(terms) else terms[:2])
