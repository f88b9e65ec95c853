"""The outcome of an endpoint, patient by patient, and its summary."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import counted
from nbrelapse.errors import InputError
from nbrelapse.outcome.kinds import HORIZON_YEARS, YEAR, OutcomeKind, event_of, kind_of


@dataclass(frozen=True)
class Outcome:
    """Outcome of one endpoint; build it with :func:`nbrelapse.outcome`.

    ``numpy.asarray(outcome)`` is :attr:`y`, ``len(outcome)`` the number of patients, and ``outcome[rows]`` the outcome
    of some of them by position or mask, as scikit-learn's splitters ask for it.

    Parameters
    ----------
    endpoint : {"relapse", "efs", "os", "refractory"}
    patient_ids : Index
        The patients that have an outcome, in cohort order.
    y : ndarray of shape (n_patients,)
        Survival endpoints: structured, ``event`` (0 censored, 1 the event, 2 a competing event) and ``time``
        (days, > 0). ``refractory``: int8, 1 = refractory.
    excluded : dict of str to int
        How many patients were left out, by reason.
    choices : dict
        The rules applied where the data leave room (for instance ``unspecified``).
    dead_left_out : int
        How many of those left out are known to be dead: leaving them out flatters the survival of the others. Those
        before a landmark do not count.

    Examples
    --------
    >>> from nbrelapse.outcome import SURVIVAL_DTYPE
    >>> y = np.array([(1, 200.0), (2, 31.0), (0, 900.0)], dtype=SURVIVAL_DTYPE)
    >>> outcome = Outcome("relapse", pd.Index(["p1", "p2", "p3"]), y, {"first event not recorded": 1})
    >>> outcome.events.tolist(), outcome.times.tolist()
    ([1, 2, 0], [200.0, 31.0, 900.0])
    >>> outcome
    Outcome 'relapse': 3 patients, 1 event, 1 competing, 1 censored
      times: 31 to 900 days
      left out: 1 first event not recorded
    """

    endpoint: str
    patient_ids: pd.Index
    y: np.ndarray
    excluded: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)
    dead_left_out: int = 0

    @property
    def kind(self) -> OutcomeKind:
        """What depends on whether it is a time to an event or a yes or no."""
        return kind_of(self.y)

    @property
    def index(self) -> pd.Index:
        """The patients that have an outcome: another name of ``patient_ids``, as tables call it."""
        return self.patient_ids

    @property
    def shape(self) -> tuple[int]:
        """Number of patients, as arrays tell it."""
        return (len(self.y),)

    @property
    def events(self) -> np.ndarray:
        """What happened to each patient: 0 no event seen, 1 the event, 2 a competing event."""
        return event_of(self.y).astype(np.int64)

    @property
    def times(self) -> np.ndarray:
        """Days to the event or to the end of observation; InputError for ``refractory``, which has none."""
        if not self.kind.has_time:
            raise InputError(
                f"endpoint {self.endpoint!r} has no times: it says whether a patient responded, not when",
                expected="a time to an event: relapse, efs or os",
                fix="use `events`, 1 = refractory",
            )
        return np.array(self.y["time"])

    def take(self, patient_ids: pd.Index) -> Outcome:
        """Return the outcome of the given patients, in their order."""
        position = self.patient_ids.get_indexer(patient_ids)
        if (position < 0).any():
            raise KeyError(f"{int((position < 0).sum())} of the patients have no outcome")
        return replace(self, patient_ids=patient_ids, y=self.y[position])

    def summary(self) -> dict[str, Any]:
        """Count events and estimate follow-up and survival, see :func:`nbrelapse.outcome`."""
        return summarize_outcome(self)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: Any) -> Outcome:
        # scikit-learn asks for rows by position as y[rows, ...].
        position = rows[0] if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis else rows
        if not isinstance(position, slice) and np.ndim(position) != 1:
            raise TypeError("an outcome is read by several rows at once: a list, a mask or a slice; its values are `y`")
        return replace(self, patient_ids=self.patient_ids[position], y=self.y[position])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.y, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        lines = [self._headline()]
        if self.kind.has_time and len(self):
            lines.append(f"  times: {self.times.min():g} to {self.times.max():g} days")
        if self.excluded:
            dead = f"; {self.dead_left_out:,} of them dead" if self.dead_left_out else ""
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.excluded.items())
            lines.append(f"  left out: {reasons}{dead}")
        if self.choices:
            lines.append(f"  choices: {', '.join(f'{name} = {choice}' for name, choice in self.choices.items())}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        headline, *details = repr(self).split("\n")
        items = "".join(f"<li>{escape(line.strip())}</li>" for line in details)
        return f"<p>{escape(headline)}</p>" + (f"<ul>{items}</ul>" if items else "")

    def _headline(self) -> str:
        happened = np.bincount(self.events, minlength=3).tolist()
        if self.kind.has_time:
            counts = [counted(happened[1], "event"), f"{happened[2]:,} competing", f"{happened[0]:,} censored"]
            counts = counts if happened[2] else [counts[0], counts[2]]
        else:
            counts = [f"{happened[1]:,} refractory", f"{happened[0]:,} responding"]
        return f"Outcome {self.endpoint!r}: {counted(len(self), 'patient')}, {', '.join(counts)}"


def left_out_notes(outcome: Outcome) -> list[str]:
    """Say how many of those left out are dead; nothing where nobody is.

    Examples
    --------
    >>> y = np.zeros(0, dtype=np.int8)
    >>> left_out_notes(Outcome("efs", pd.Index([]), y, {"first event has no time": 3}, dead_left_out=2))
    ['patients without an outcome, left out: 3 first event has no time; 2 of them are dead, which flatters the others']
    """
    if not outcome.dead_left_out:
        return []
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in outcome.excluded.items())
    dead = f"{outcome.dead_left_out:,} of them are dead, which flatters the others"
    return [f"patients without an outcome, left out: {reasons}; {dead}"]


def summarize_outcome(outcome: Outcome, years: Sequence[float] = HORIZON_YEARS) -> dict[str, Any]:
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
    >>> from nbrelapse.outcome import SURVIVAL_DTYPE
    >>> y = np.array([(1, 100.0), (0, 2000.0), (0, 3000.0), (1, 400.0)], dtype=SURVIVAL_DTYPE)
    >>> summary = summarize_outcome(Outcome("efs", pd.Index(list("abcd")), y))
    >>> summary["events"], summary["event_free"][0]["estimate"]
    ({'event': 2, 'censored': 2}, 0.75)
    """
    summary: dict[str, Any] = {"endpoint": outcome.endpoint, "n": len(outcome.y)}
    if not outcome.kind.has_time:
        refractory = int(outcome.y.sum())
        summary["events"] = {"refractory": refractory, "responding": len(outcome.y) - refractory}
        return summary | {"excluded": dict(outcome.excluded), "choices": dict(outcome.choices)}
    from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

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
    from sksurv.nonparametric import kaplan_meier_estimator

    times, still_followed = kaplan_meier_estimator(had_event, time, reverse=True)
    reached = np.flatnonzero(still_followed <= 0.5)
    return float(times[reached[0]] / YEAR) if len(reached) else None


def _at(
    years: Sequence[float], times: np.ndarray, estimate: np.ndarray, interval: np.ndarray, start: float
) -> list[dict[str, float | None]]:
    """Value of a step function and its interval at some times; `start` is its value before the first step."""
    rows: list[dict[str, float | None]] = []
    for year in years:
        day = year * YEAR
        step = int(np.searchsorted(times, day, side="right")) - 1
        if day > times[-1]:
            values = (np.nan, np.nan, np.nan)
        elif step < 0 or estimate[step] == start:
            values = (start, np.nan, np.nan)
        else:
            values = (estimate[step], interval[0, step], interval[1, step])
        low, high = (None if np.isnan(value) else float(value) for value in values[1:])
        middle = None if np.isnan(values[0]) else float(values[0])
        rows.append({"years": float(year), "estimate": middle, "low": low, "high": high})
    return rows


def outcome_fingerprint(outcome: Outcome) -> str:
    """SHA-256 of the outcomes, in hex: one hold-out has one, whatever the features and the endpoint's name."""
    return hashlib.sha256(np.sort(hash_outcomes(outcome)).tobytes()).hexdigest()


def hash_outcomes(outcome: Outcome) -> np.ndarray:
    """Hash of each patient's outcome; shape (n_patients,), unsigned integers."""
    names = outcome.y.dtype.names
    frame = pd.DataFrame({"event": outcome.y} if names is None else {name: outcome.y[name] for name in names})
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def data_fingerprint(features: pd.DataFrame, outcome: Outcome) -> str:
    """SHA-256 of features and outcomes, in hex; patient identifiers and row order do not enter.

    Parameters
    ----------
    features : DataFrame of shape (n_patients, n_features)
        Of the patients of the outcome, in its order.
    outcome : Outcome
    """
    rows = pd.util.hash_pandas_object(features, index=False).to_numpy() ^ hash_outcomes(outcome)
    return hashlib.sha256(np.sort(rows).tobytes()).hexdigest()
