"""One number for how well a model ranks patients."""

from __future__ import annotations

import numpy as np

from nbrelapse.outcome.event_of import is_survival
from nbrelapse.outcome.outcome import SURVIVAL_DTYPE
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.concordance import concordance
from nbrelapse.validation.predictions import Predictions


def discrimination(y: np.ndarray, prediction: Predictions) -> float:
    """Return Harrell's C of a time to an event, or the AUC of a yes or no.

    For the figures that are computed hundreds of times over (permutations, subsamples, resamples), where
    :func:`evaluate` with its intervals would be too much.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Structured, ``event`` 0/1/2 and ``time``; or 0/1.
    prediction : Predictions
        Patients are compared within a fold only.

    Returns
    -------
    float
        0.5 is chance. NaN where no fold holds two patients to compare.

    Examples
    --------
    >>> zeros = np.zeros((1, 4))
    >>> ranked = Predictions("m", np.array([[3.0, 1.0, 2.0, 0.0]]), zeros.astype(int), zeros[:, :, None], np.ones(1))
    >>> discrimination(np.array([1, 1, 0, 0]), ranked)
    0.75
    """
    return float(discriminations(y, prediction, np.ones((len(y), 1), dtype=np.float32))[0])


def discriminations(y: np.ndarray, prediction: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the same for each column of patient weights; see :func:`bootstrap_weights`.

    Parameters
    ----------
    y, prediction
        As in :func:`discrimination`.
    weights : ndarray of shape (n, n_columns)

    Returns
    -------
    ndarray of shape (n_columns,)
    """
    if not is_survival(y):
        # The AUC is the concordance of those with the event, all at one time, and those who outlive it.
        timed = np.empty(len(y), dtype=SURVIVAL_DTYPE)
        timed["event"], timed["time"] = y, 2.0 - y
        y = timed
    censoring = CensoringDistribution.fit(y)
    return concordance(y, prediction.log_risk, prediction.fold, weights, censoring, censoring.last_time).harrell
