"""Calibration at fixed horizons, for every bootstrap resample at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.pseudo_observations import pseudo_observations
from nbrelapse.validation.smooth_calibration import integrated_calibration_index
from nbrelapse.validation.weighted_incidence import weighted_incidence

_ROUNDING = 1e-9

if TYPE_CHECKING:
    from nbrelapse.validation.judged_patients import JudgedPatients
    from nbrelapse.validation.predictions import Predictions


def calibration_metrics(prediction: Predictions, judged: JudgedPatients) -> dict[str, np.ndarray]:
    """Return ``calibration_intercept_{years}y`` and ``ici_{years}y`` for each column of patient weights.

    Parameters
    ----------
    prediction : Predictions
    judged : JudgedPatients
        With the horizons.

    Returns
    -------
    dict of str to ndarray of shape (n_columns,)
        By metric; see :func:`calibration_intercept` and :func:`integrated_calibration_index`.
    """
    found = {}
    for years, column in judged.horizons.incidence_at.items():
        predicted, horizon = prediction.incidence[:, :, column], years * YEAR
        found[f"calibration_intercept_{years}y"] = calibration_intercept(predicted, judged.y, horizon, judged.weights)
        pseudo = pseudo_observations(judged.y, horizon)
        found[f"ici_{years}y"] = integrated_calibration_index(predicted, pseudo, judged.weights)
    return found


def calibration_intercept(predicted: np.ndarray, y: np.ndarray, horizon: float, weights: np.ndarray) -> np.ndarray:
    """Return calibration in the large at a horizon, for each column of patient weights.

    The log of the observed over the expected cumulative hazard: complementary log-log of the observed incidence
    (Aalen-Johansen) less that of the mean prediction [1]_. 0 is perfect, below it the event is rarer than predicted.

    Parameters
    ----------
    predicted : ndarray of shape (n_repeats, n)
        Cumulative incidence at the horizon; repeats are averaged.
    y : structured ndarray of shape (n,)
    horizon : float
        Days.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN where nobody has the event by the horizon, or everybody.

    References
    ----------
    .. [1] van Geloven 2022, BMJ, 10.1136/bmj-2021-069249, who shift single predictions on the same scale

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 30.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> calibration_intercept(np.array([[0.3, 0.7]]), y, 20.0, np.ones((2, 1))).tolist()
    [0.0]
    """
    observed = weighted_incidence(y, weights, np.array([horizon]))[0]
    observed[observed > 1 - _ROUNDING] = 1.0
    expected = predicted.mean(axis=0) @ weights / weights.sum(axis=0, dtype=float)
    with np.errstate(divide="ignore"):
        found = np.log(-np.log1p(-observed)) - np.log(-np.log1p(-expected))
    return np.where(np.isfinite(found), found, np.nan)
