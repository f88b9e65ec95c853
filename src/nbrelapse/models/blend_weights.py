"""Weights of a convex combination of log risks."""

from __future__ import annotations

import numpy as np

from nbrelapse.models.partial_likelihood import partial_log_likelihood


def blend_weights(y: np.ndarray, log_risks: np.ndarray) -> np.ndarray:
    """Maximise the partial likelihood of a weighted mean of log risks.

    The weights are at least 0 and sum to 1, as in Breiman's stacked regressions (1996, 10.1007/BF00117832) and the
    survival super learner (Golmakani and Polley 2020, 10.1515/ijb-2019-0065). The partial likelihood is concave in
    them, so a local maximum is the maximum.

    Parameters
    ----------
    y : structured ndarray of shape (n_samples,)
        ``event`` (1 = the event) and ``time``.
    log_risks : ndarray of shape (n_samples, n_models)
        Of patients that the models were fitted without.

    Returns
    -------
    ndarray of shape (n_models,)
        Equal where the log risks do not tell the models apart.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> risk = rng.normal(size=200)
    >>> y["event"], y["time"] = 1, rng.exponential(np.exp(-risk))
    >>> bool(blend_weights(y, np.column_stack([risk, rng.normal(size=200)]))[0] > 0.8)
    True
    """
    from scipy.optimize import minimize

    count = log_risks.shape[1]
    equal = np.full(count, 1 / count)
    if count == 1:
        return equal
    found = minimize(
        lambda weights: -partial_log_likelihood(y, log_risks @ weights),
        equal,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-10},
    )
    weights = np.clip(found.x, 0.0, None)
    return weights / weights.sum()
