"""Net benefit of treating some patients, in every bootstrap resample at once."""

from __future__ import annotations

import numpy as np

from nbrelapse.validation.weighted_incidence import weighted_incidence


def net_benefit(
    treated: np.ndarray, y: np.ndarray, horizon: float, thresholds: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    r"""Return the net benefit of treating given patients, at thresholds, for each column of patient weights.

    True positives less false positives weighted by the odds of the threshold, per patient [1]_:
    :math:`P(T) F - P(T) (1 - F) p / (1 - p)`, with the share treated P(T) and their observed incidence F at the
    horizon, by Aalen-Johansen among the treated [2]_.

    Parameters
    ----------
    treated : ndarray of shape (n_repeats, n) or (n_repeats, n, n_thresholds)
        Bool: the same patients at every threshold, or others at each. Repeats are averaged.
    y : structured ndarray of shape (n,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    horizon : float
        Days. Where the treated are followed less long, their last incidence is carried forward.
    thresholds : ndarray of shape (n_thresholds,)
        Probabilities of the event above which a patient would be treated; between 0 and 1.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    ndarray of shape (n_thresholds, n_columns)
        0 where nobody is treated.

    References
    ----------
    .. [1] Vickers 2006, Medical Decision Making, 10.1177/0272989X06295361
    .. [2] Vickers 2008, BMC Medical Informatics and Decision Making, 10.1186/1472-6947-8-53

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 30.0), (0, 30.0), (1, 15.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> treated = np.array([[True, True, False, True]])
    >>> net_benefit(treated, y, 20.0, np.array([0.25, 0.5]), np.ones((4, 1))).round(3).tolist()
    [[0.417], [0.25]]
    """
    times = np.array([horizon])
    total = len(treated) * weights.sum(axis=0, dtype=float)
    # Counts of repeats, not shares: sums of whole numbers are exact.
    counts = treated.sum(axis=0).reshape(len(y), -1)
    benefit = np.empty((counts.shape[1], weights.shape[1], 2))
    for column, count in enumerate(counts.T):
        chosen = np.flatnonzero(count)
        own = weights[chosen] * count[chosen, None]
        share = own.sum(axis=0, dtype=float) / total
        incidence = weighted_incidence(y[chosen], own, times)[0]
        benefit[column, :, 0], benefit[column, :, 1] = share * incidence, share * (1 - incidence)
    odds = (thresholds / (1 - thresholds))[:, None]
    return benefit[:, :, 0] - benefit[:, :, 1] * odds
