"""Every metric of predictions of a binary endpoint."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.binary_brier import binary_brier
from nbrelapse.validation.binary_calibration import binary_calibration
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.roc_area import roc_area


def binary_metrics(prediction: Predictions, y: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``auc``, ``brier``, ``ipa``, ``calibration_slope``, ``calibration_intercept`` and ``ici``.

    Parameters
    ----------
    prediction : Predictions
        With one time, infinity.
    y : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    dict of str to ndarray of shape (n_columns,)

    Examples
    --------
    >>> import numpy as np
    >>> risk = np.array([[-1.0, 1.0, 0.5, 2.0]])
    >>> probability = 1 / (1 + np.exp(-risk))[:, :, None]
    >>> prediction = Predictions("m", risk, np.zeros((1, 4), int), probability, np.array([np.inf]))
    >>> float(binary_metrics(prediction, np.array([0, 0, 1, 1]), np.ones((4, 1)))["auc"][0])
    0.75
    """
    brier, ipa = binary_brier(y, prediction.incidence[:, :, 0], weights)
    return {
        "auc": roc_area(prediction.log_risk, prediction.fold, weights, y == 1, y == 0),
        "brier": brier,
        "ipa": ipa,
        **binary_calibration(y, prediction.log_risk, prediction.fold, weights),
    }
