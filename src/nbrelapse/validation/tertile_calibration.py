"""Whether the predicted incidence of each third of the patients is the observed one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.validation.observed_by_group import observed_by_group
from nbrelapse.validation.predictions import Predictions

_NAMES = {1: ("all",), 2: ("lower", "higher"), 3: ("lowest", "middle", "highest")}


def tertile_calibration(predictions: Predictions, y: np.ndarray, horizon_days: float) -> pd.DataFrame:
    """Compare predicted and observed incidence at a horizon by third of predicted incidence.

    Of event-free survival the same is true with all figures taken from 1.

    Parameters
    ----------
    predictions : Predictions
        Repeats are averaged.
    y : structured ndarray of shape (n,)
        ``event`` and ``time`` of these patients.
    horizon_days : float
        One of the predictions' times.

    Returns
    -------
    DataFrame
        ``group`` (lowest, middle, highest; fewer where predictions are tied), ``n``, ``predicted`` (mean),
        ``observed``, ``low``, ``high`` (Aalen-Johansen with its 95 % interval, see :func:`observed_incidence`) and
        ``within``: whether the interval holds the prediction. NaN and False where the follow-up of the group ends
        earlier.

    Raises
    ------
    ValueError
        Nothing was predicted for the horizon.

    Examples
    --------
    >>> y = np.array([(0, 40.0), (1, 10.0), (0, 30.0), (0, 50.0), (1, 10.0), (1, 15.0)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = np.array([0.1, 0.1, 0.4, 0.4, 0.9, 0.9]).reshape(1, 6, 1)
    >>> found = tertile_calibration(Predictions("m", np.zeros((1, 6)), np.zeros((1, 6), int), incidence,
    ...                                         np.array([20.0])), y, 20.0)
    >>> found[["group", "n", "predicted", "observed", "within"]]
         group  n  predicted  observed  within
    0   lowest  2        0.1       0.5    True
    1   middle  2        0.4       0.0    True
    2  highest  2        0.9       1.0    True
    """
    table = observed_by_group(predictions.incidence_at(horizon_days).mean(axis=0), y, horizon_days, 3)
    table["within"] = table["predicted"].between(table["low"], table["high"])
    table["group"] = _NAMES[len(table)]
    return table[["group", "n", "predicted", "observed", "low", "high", "within"]]
