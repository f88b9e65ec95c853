"""Describe an outcome: events, follow-up, and survival at fixed times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from nbrelapse.outcome.outcome import Outcome

DAYS_PER_YEAR = 365.25
YEARS = (1, 2, 3, 5)


def summarize_outcome(outcome: Outcome, years: Sequence[float] = YEARS) -> dict[str, Any]:
    """Count events and estimate follow-up and survival.

    Parameters
    ----------
    outcome : Outcome
    years : sequence of float, default (1, 2, 3, 5)
        Times, in years from diagnosis, at which survival is read.

    Returns
    -------
    dict
        JSON types only. ``n``, ``events`` (by kind), ``excluded``, ``choices``, and for survival endpoints:

        - ``median_followup_years``: by the reverse Kaplan-Meier method (10.1016/0197-2456(96)00075-X); None where
          fewer than half are estimated to have been censored.
        - ``event_free``: Kaplan-Meier estimates with 95% log-log intervals, as ``{years, estimate, low, high}``.
          For ``relapse`` a competing event ends the event-free time as well.
        - ``cumulative_incidence``: of the event, in the presence of the competing one (Aalen-Johansen); only
          where there is a competing event.

        The estimate is None beyond the longest observed time, an interval limit None while nobody has had an event.

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.outcome.outcome import SURVIVAL_DTYPE
    >>> y = np.array([(1, 100.0), (0, 2000.0), (0, 3000.0), (1, 400.0)], dtype=SURVIVAL_DTYPE)
    >>> summary = summarize_outcome(Outcome("efs", pd.Index(list("abcd")), y))
    >>> summary["events"], summary["event_free"][0]["estimate"]
    ({'event': 2, 'censored': 2}, 0.75)
    """
    summary: dict[str, Any] = {"endpoint": outcome.endpoint, "n": len(outcome.y)}
    if not outcome.is_survival:
        refractory = int(outcome.y.sum())
        summary["events"] = {"refractory": refractory, "responding": len(outcome.y) - refractory}
        return summary | {"excluded": dict(outcome.excluded), "choices": dict(outcome.choices)}
    event, time = outcome.y["event"].astype(int), outcome.y["time"]
    kinds = {"event": 1, "competing": 2, "censored": 0}
    counts = {kind: int((event == code).sum()) for kind, code in kinds.items()}
    summary["events"] = {kind: count for kind, count in counts.items() if count or kind != "competing"}
    summary["excluded"] = dict(outcome.excluded)
    summary["choices"] = dict(outcome.choices)
    summary["median_followup_years"] = _median_followup(event > 0, time)
    times, survival, interval = kaplan_meier_estimator(event > 0, time, conf_type="log-log")
    summary["event_free"] = _at(years, times, survival, interval, start=1.0)
    if counts["competing"] and counts["event"]:
        times, incidence, intervals = cumulative_incidence_competing_risks(event, time, conf_type="log-log")
        summary["cumulative_incidence"] = _at(years, times, incidence[1], intervals[1], start=0.0)
    return summary


def _median_followup(had_event: np.ndarray, time: np.ndarray) -> float | None:
    times, still_followed = kaplan_meier_estimator(had_event, time, reverse=True)
    reached = np.flatnonzero(still_followed <= 0.5)
    return float(times[reached[0]] / DAYS_PER_YEAR) if len(reached) else None


def _at(
    years: Sequence[float], times: np.ndarray, estimate: np.ndarray, interval: np.ndarray, start: float
) -> list[dict[str, float | None]]:
    """Value of a step function and its interval at some times; `start` is its value before the first step."""
    rows: list[dict[str, float | None]] = []
    for year in years:
        day = year * DAYS_PER_YEAR
        step = int(np.searchsorted(times, day, side="right")) - 1
        if day > times[-1]:
            values = (np.nan, np.nan, np.nan)
        elif step < 0 or estimate[step] == start:
            values = (start, np.nan, np.nan)
        else:
            values = (estimate[step], interval[0, step], interval[1, step])
        low, high = (None if np.isnan(value) else float(value) for value in values[1:])
        rows.append(
            {
                "years": float(year),
                "estimate": None if np.isnan(values[0]) else float(values[0]),
                "low": low,
                "high": high,
            }
        )
    return rows
