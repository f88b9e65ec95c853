"""How good the best of several models is, freed of the luck that made it the best."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.discrimination import discriminations
from nbrelapse.validation.predictions import Predictions


def corrected_choice(
    predictions: Mapping[str, Predictions], y: np.ndarray, *, n_bootstrap: int = 200, seed: int = 0
) -> float:
    """Return the discrimination to expect of the model with the highest, in patients who had no part in the choice.

    Bootstrap bias-corrected cross-validation [1]_: in each resample of the patients the model with the highest figure
    is chosen, and judged by the patients who are not in the resample. No model is fitted again.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        Out-of-sample ones of the models that were chosen between.
    y : ndarray of shape (n,)
    n_bootstrap, seed : int

    Returns
    -------
    float
        Harrell's C, or the AUC of a binary outcome. NaN with fewer than two models, or without a resample that leaves
        patients to compare.

    References
    ----------
    .. [1] Tsamardinos 2018, Machine Learning, 10.1007/s10994-018-5714-4

    Examples
    --------
    >>> zeros = np.zeros((1, 4))
    >>> one = Predictions("m", np.array([[3.0, 1.0, 2.0, 0.0]]), zeros.astype(int), zeros[:, :, None], np.ones(1))
    >>> corrected_choice({"m": one}, np.array([1, 1, 0, 0]))
    nan
    """
    if len(predictions) < 2:
        return float("nan")
    inside = bootstrap_weights(len(y), n_bootstrap, seed)[:, 1:]
    outside = (inside == 0).astype(np.float32)
    chosen_by = np.stack([discriminations(y, prediction, inside) for prediction in predictions.values()])
    judged_by = np.stack([discriminations(y, prediction, outside) for prediction in predictions.values()])
    usable = ~np.isnan(chosen_by).any(axis=0) & ~np.isnan(judged_by).any(axis=0)
    if not usable.any():
        return float("nan")
    best = chosen_by[:, usable].argmax(axis=0)
    return float(judged_by[:, usable][best, np.arange(usable.sum())].mean())
