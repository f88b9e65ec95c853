"""Observed incidence of a group of patients, with its interval."""

from __future__ import annotations

import numpy as np
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

_TAIL = 0.025


def observed_incidence(y: np.ndarray, horizon: float) -> tuple[float, float, float]:
    """Return the observed cumulative incidence of the event at a horizon and its 95% interval.

    The Aalen-Johansen estimate with the log-log interval, as in scikit-survival; without competing events,
    Kaplan-Meier's. Where nobody has the event by the horizon the upper limit is the exact binomial one [1]_ for the
    patients whose state is known then, and where everybody has it the lower one.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    horizon : float
        Days.

    Returns
    -------
    incidence, low, high : float
        NaN where the follow-up ends earlier, or there are no patients.

    References
    ----------
    .. [1] Clopper and Pearson 1934, Biometrika, 10.1093/biomet/26.4.404

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(0, 30.0), (0, 40.0), (0, 10.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> np.round(observed_incidence(y, 20.0), 3).tolist()
    [0.0, 0.0, 0.842]
    """
    event, time = y["event"].astype(int), y["time"]
    if not len(y) or (time.max() < horizon and (event[time == time.max()] == 0).any()):
        return np.nan, np.nan, np.nan
    known = int(((time >= horizon) | (event > 0)).sum())
    if not (event[time <= horizon] == 1).any():
        return 0.0, 0.0, 1 - _TAIL ** (1 / known)
    with np.errstate(divide="ignore", invalid="ignore"):
        if (event == 2).any():
            times, incidence, band = cumulative_incidence_competing_risks(event, time, conf_type="log-log")
            incidence, band = incidence[1], band[1]
        else:
            times, survival, survival_band = kaplan_meier_estimator(event == 1, time, conf_type="log-log")
            incidence, band = 1 - survival, 1 - survival_band
    last = int(np.searchsorted(times, horizon, side="right")) - 1
    if incidence[last] >= 1:
        return 1.0, _TAIL ** (1 / known), 1.0
    low, high = np.sort(band[:, last])
    return float(incidence[last]), float(low), float(high)
