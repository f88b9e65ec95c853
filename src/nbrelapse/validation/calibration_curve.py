"""Observed against predicted incidence at a horizon, smooth and by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.observed_by_group import observed_by_group
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.pseudo_observations import pseudo_observations
from nbrelapse.validation.smooth_calibration import SmoothCalibration

_POINTS = 101
_DRAWN = (0.01, 0.99)
"""Quantiles of the predictions between which the curve is given: beyond, a handful of patients would make it."""


@dataclass(frozen=True)
class CalibrationCurve:
    """How observed and predicted incidence agree at one horizon.

    Parameters
    ----------
    horizon_days : float
    curve : DataFrame
        ``predicted``, ``observed``, ``low``, ``high``: the smooth curve between the 1st and the 99th percentile of the
        predictions, with its pointwise 95 % bootstrap band.
    groups : DataFrame
        ``predicted``, ``observed``, ``low``, ``high``, ``n``, see :func:`observed_by_group`.
    ici, e50, e90 : float
        Mean, median and 90th percentile of the distance between curve and prediction over the patients (Austin
        2019, 10.1002/sim.8281).
    """

    horizon_days: float
    curve: pd.DataFrame
    groups: pd.DataFrame
    ici: float
    e50: float
    e90: float


def calibration_curve(
    predictions: Predictions,
    y: np.ndarray,
    horizon_days: float,
    *,
    groups: int = 5,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> CalibrationCurve:
    """Compare observed and predicted incidence at a horizon, with competing events as such.

    Parameters
    ----------
    predictions : Predictions
        Repeats share the curve, see :class:`SmoothCalibration`; in groups they are averaged.
    y : structured ndarray of shape (n,)
        ``event`` and ``time`` of these patients.
    horizon_days : float
        One of the predictions' times, before the end of the follow-up.
    groups : int
        Groups of equal size, by predicted incidence.
    n_bootstrap, seed : int
        Of the band.

    Returns
    -------
    CalibrationCurve

    Raises
    ------
    ValueError
        Nothing was predicted for the horizon, or the follow-up ends before.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hazard = np.exp(rng.normal(size=200)) / 1000
    >>> y = np.array([(t < 900, min(t, 900)) for t in rng.exponential(1 / hazard)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = (1 - np.exp(-hazard * 365.25)).reshape(1, 200, 1)
    >>> predictions = Predictions("true", np.log(hazard)[None], np.zeros((1, 200), int), incidence, np.array([365.25]))
    >>> found = calibration_curve(predictions, y, 365.25, groups=3)
    >>> found.groups[["predicted", "observed", "n"]].round(2).values.tolist()
    [[0.13, 0.12, 67.0], [0.32, 0.32, 66.0], [0.65, 0.54, 67.0]]
    >>> round(found.ici, 3)
    0.051
    """
    if y["time"].max() <= horizon_days:
        raise ValueError(f"the follow-up ends after {y['time'].max():g} days, before {horizon_days:g}")
    predicted = predictions.incidence_at(horizon_days)
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    smooth = SmoothCalibration.fit(predicted, pseudo_observations(y, horizon_days), weights)
    first, last = np.quantile(predicted, _DRAWN)
    grid = np.linspace(first, last, _POINTS)
    observed = smooth.at(grid)
    low, high = np.quantile(observed[:, 1:], [0.025, 0.975], axis=1)
    curve = pd.DataFrame({"predicted": grid, "observed": observed[:, 0], "low": low, "high": high})
    distance = np.abs(smooth.at(predicted, slice(1))[:, :, 0] - predicted)
    e50, e90 = np.quantile(distance, [0.5, 0.9])
    by_group = observed_by_group(predicted.mean(axis=0), y, horizon_days, groups)
    return CalibrationCurve(horizon_days, curve, by_group, float(distance.mean()), float(e50), float(e90))
