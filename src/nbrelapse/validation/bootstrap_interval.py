"""Intervals from bootstrap resamples."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm


def bootstrap_interval(value: float, resamples: np.ndarray, jackknife: np.ndarray | None = None) -> tuple[float, float]:
    """Return the 95 % percentile interval, or with a jackknife the bias-corrected and accelerated one.

    The BCa interval [1]_ takes other quantiles of the same resamples: shifted by the share of them below the value,
    and by how fast the standard error changes with the value, which the skewness of the jackknife values tells.
    It equals that of ``scipy.stats.bootstrap``, except that a value with every resample on one side of it counts as
    having half a resample on the other.

    Parameters
    ----------
    value : float
        Of the sample itself.
    resamples : ndarray of shape (n_resamples,)
        NaN where the value is undefined: the interval is that of the others.
    jackknife : ndarray of shape (n_left_out,), optional
        Values with patients left out in turn, see :func:`jackknife_weights`.

    Returns
    -------
    low, high : float
        NaN where the value, or all resamples, are.

    References
    ----------
    .. [1] Efron 1987, Journal of the American Statistical Association, 10.1080/01621459.1987.10478410

    Examples
    --------
    >>> resamples = np.arange(101.0)
    >>> bootstrap_interval(50.0, resamples)
    (2.5, 97.5)
    >>> low, high = bootstrap_interval(50.0, resamples, np.array([0.0, 1.0, 5.0]))
    >>> round(low, 1), round(high, 1)
    (1.4, 96.1)
    """
    defined = resamples[~np.isnan(resamples)]
    if np.isnan(value) or not len(defined):
        return np.nan, np.nan
    tails = np.array([0.025, 0.975])
    if jackknife is not None:
        below = ((defined < value).mean() + (defined <= value).mean()) / 2
        bias = norm.ppf(np.clip(below, 0.5 / len(defined), 1 - 0.5 / len(defined)))
        shifted = bias + norm.ppf(tails)
        # A quantile beyond the pole is the outermost.
        stretch = np.maximum(1 - _acceleration(jackknife) * shifted, np.finfo(float).tiny)
        tails = norm.cdf(bias + shifted / stretch)
    low, high = np.quantile(defined, tails)
    return float(low), float(high)


def _acceleration(jackknife: np.ndarray) -> float:
    """Return a sixth of the skewness of the influences, over the root of their number; 0 where nobody has any."""
    defined = jackknife[~np.isnan(jackknife)]
    if not len(defined) or np.ptp(defined) == 0:
        return 0.0
    influence = defined.mean() - defined
    return float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))
