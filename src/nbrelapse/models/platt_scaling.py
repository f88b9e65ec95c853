"""Recalibrate log odds by a straight line."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from nbrelapse.models.weighted_logistic import weighted_logistic


def platt_scaling(y: np.ndarray, log_odds: np.ndarray) -> tuple[float, float]:
    """Fit intercept and slope of the true log odds on predicted ones.

    Platt's sigmoid [1]_ on log odds of patients that the model had not seen. Its targets are not 0 and 1 but what
    a uniform prior leaves of them, so that a perfect separation still has a finite slope. A straight line has two
    parameters, keeps the ranking, and keeps additive attributions additive; isotonic regression needs about a
    thousand patients before it does better [2]_, and its steps tie patients.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1, both present.
    log_odds : ndarray of shape (n,)
        Cross-fitted.

    Returns
    -------
    intercept, slope : float
        The slope is never negative: where out-of-sample log odds point the wrong way they say nothing, everybody
        gets the same probability, and the direction that was learned is not turned round by a few patients.

    References
    ----------
    .. [1] Platt 1999, Advances in Large Margin Classifiers, 61-74; Lin 2007, 10.1007/s10994-007-5018-6
    .. [2] Niculescu-Mizil and Caruana 2005, 10.1145/1102351.1102430

    Examples
    --------
    Predictions twice as extreme as what happens:

    >>> y = np.repeat([0, 1, 0, 1], [300, 100, 100, 300])
    >>> intercept, slope = platt_scaling(y, np.repeat([-2 * np.log(3), 2 * np.log(3)], 400))
    >>> abs(round(intercept, 2)), round(slope, 2)
    (0.0, 0.5)
    """
    n_cases, n_controls = int(np.sum(y == 1)), int(np.sum(y == 0))
    target = np.where(y == 1, (n_cases + 1) / (n_cases + 2), 1 / (n_controls + 2))
    intercept, slope = weighted_logistic(
        np.column_stack([np.ones(len(y)), log_odds]), target, np.ones((len(y), 1))
    ).ravel()
    if np.isnan(slope) or slope < 0:
        return float(logit(target.mean())), 0.0
    return float(intercept), float(slope)
