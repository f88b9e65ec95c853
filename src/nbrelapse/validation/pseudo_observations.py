"""What every patient adds to the observed cumulative incidence."""

from __future__ import annotations

import numpy as np


def pseudo_observations(y: np.ndarray, horizon: float) -> np.ndarray:
    r"""Return the jackknife pseudo-observations of the cumulative incidence of the event at a horizon.

    :math:`n \hat F(t) - (n - 1) \hat F_{-i}(t)` with the estimator of Aalen and Johansen, exactly, from one pass
    over the sorted times [1]_ [2]_. A pseudo-observation stands in for what is not known of a censored patient: its
    expectation given the covariates is the patient's incidence, so it can be regressed on a prediction as if
    nobody were censored. Without censoring it is 1 after the event and 0 otherwise. Censoring must not depend on
    the covariates.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    horizon : float
        Days, before the end of the follow-up.

    Returns
    -------
    ndarray of shape (n,)
        Below 0 or above 1 for some.

    References
    ----------
    .. [1] Andersen 2003, Biometrika, 10.1093/biomet/90.1.15
    .. [2] Graw 2009, Lifetime Data Analysis, 10.1007/s10985-008-9107-z

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 10.0), (0, 20.0), (1, 30.0), (0, 40.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> pseudo_observations(y, 35.0).round(3).tolist()
    [1.0, 0.5, 1.5, -0.5]
    """
    n = len(y)
    times, index = np.unique(y["time"], return_inverse=True)
    events, competing = (np.bincount(index, y["event"] == code, len(times)) * (times <= horizon) for code in (1, 2))
    at_risk = n - np.searchsorted(np.sort(y["time"]), times)
    free = np.cumprod(1 - (events + competing) / at_risk)
    incidence = np.cumsum(np.concatenate([[1.0], free[:-1]]) * events / at_risk)

    # Until a patient's own time there is one fewer at risk without the patient; nobody else's time is his last.
    fewer = np.maximum(at_risk - 1, 1)
    free_before = np.concatenate([[1.0], np.cumprod(1 - (events + competing) / fewer)[:-1]])
    before = np.concatenate([[0.0], np.cumsum(free_before * events / fewer)[:-1]])
    # After it everything is as it was, from a different share still free.
    after = np.divide(incidence[-1] - incidence, free, out=np.zeros(len(times)), where=free > 0)
    early = y["time"] <= horizon
    own_event, own_competing = early & (y["event"] == 1), early & (y["event"] == 2)
    left_events = (events[index] - own_event) / fewer[index]
    left = left_events + (competing[index] - own_competing) / fewer[index]
    without = before[index] + free_before[index] * (left_events + (1 - left) * after[index])
    return n * incidence[-1] - (n - 1) * without
