"""Endpoints: the outcome of a cohort's patients, as times to an event or as yes and no."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from nbrelapse.cohort.cohort import Cohort, counted
from nbrelapse.errors import InputError


def event_of(y: np.ndarray) -> np.ndarray:
    """Return what happened to each patient: 0 no event seen, 1 the event, 2 a competing event.

    Parameters
    ----------
    y : ndarray of shape (n,)
        As in :class:`Outcome`: structured, ``event`` and ``time``, for a time to an event; integers 0 and 1 for a
        binary endpoint.

    Examples
    --------
    >>> event_of(np.array([0, 1, 1])).tolist()
    [0, 1, 1]
    """
    return kind_of(y).event(y)


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

    Examples
    --------
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
        return Outcome(self.endpoint, patient_ids, self.y[position], self.excluded, self.choices)

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
        return Outcome(self.endpoint, self.patient_ids[position], self.y[position], self.excluded, self.choices)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.y, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        lines = [self._headline()]
        if self.kind.has_time and len(self):
            lines.append(f"  times: {self.times.min():g} to {self.times.max():g} days")
        if self.excluded:
            lines.append(f"  left out: {', '.join(f'{count:,} {reason}' for reason, count in self.excluded.items())}")
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


_ENDPOINTS = ("relapse", "efs", "os", "refractory")
_UNSPECIFIED = ("event", "censor", "exclude")
_PROGRESSIVE = ("refractory", "exclude")
_EVENTS = ("relapse", "progression", "death", "second_malignancy", "unspecified")


def make_outcome(
    cohort: Cohort,
    endpoint: str,
    *,
    unspecified: str = "event",
    progressive: str = "refractory",
    landmark_days: float = 0.0,
) -> Outcome:
    """Derive an endpoint's outcome, leaving out the patients that have none.

    - ``relapse``: 1 = relapse or progression as first event; 2 = a competing first event (death, second malignancy).
    - ``efs``: 1 = any first event, death included.
    - ``os``: 1 = death from any cause, at the end of follow-up.
    - ``refractory``: 1 = no partial response by the end of induction (MR, SD); 0 = CR or PR (INRC,
      10.1200/JCO.2016.72.0177).

    A patient who died and has no other first event had death as first event, at the end of follow-up; so did one whose
    first event is of unrecorded kind and falls on the day of death (in the high-risk cohort of 10.1038/sdata.2018.240
    one event in six, about the share of deaths among first events where the kind is recorded). Time is known
    to the day: an event on day 0 counts as half a day; a patient censored on day 0 says nothing and is left out.
    A missing time is a missing outcome: an event without one is left out and counted, which flatters the survival of
    those who stay where it happens to more than a few (:func:`count_endpoints` tells how many).

    Parameters
    ----------
    cohort : Cohort
    endpoint : {"relapse", "efs", "os", "refractory"}
    unspecified : {"event", "censor", "exclude"}, default "event"
        What a first event of unrecorded kind is for ``relapse``. Studies that record only "event" mean relapse or
        progression in about four of five high-risk patients (TARGET: 5-year cumulative incidence 47%, against
        11% for death or second malignancy first), so the default is the least wrong; ``efs`` always counts it.
    progressive : {"refractory", "exclude"}, default "refractory"
        What progressive disease at the end of induction is for ``refractory``. The default follows the studies of
        induction failure, which count less than a partial response whatever its kind (Pinto 2019, Eur J Cancer
        112:66); "exclude" keeps to refractory disease without progression.
    landmark_days : float, default 0
        A landmark analysis (van Houwelingen 2007, 10.1111/j.1467-9469.2006.00529.x): only patients who are event-free
        and under observation after this day, counted from diagnosis, have an outcome, and their time is counted from
        it. An event on the day itself is before the landmark.

    Returns
    -------
    Outcome
        With the number of patients left out by reason, and the choices made.

    Raises
    ------
    InputError
        An argument is not legal; a time is negative; an event comes after the end of follow-up; no patient has the
        event (or, for ``refractory``, every patient has); the landmark is negative or beyond the follow-up, or the
        endpoint has no time to count from it.

    Examples
    --------
    >>> patients = pd.DataFrame({
    ...     "patient_id": ["p1", "p2", "p3"], "event": ["relapse", "death", None], "event_days": [200.0, 31.0, None],
    ...     "death": [0, 1, None], "followup_days": [900.0, 31.0, None]})
    >>> outcome = make_outcome(Cohort("three", patients, pd.DataFrame(), pd.DataFrame()), "relapse")
    >>> outcome.y.tolist(), outcome.excluded
    ([(1, 200.0), (2, 31.0)], {'first event not recorded': 1})
    """
    _legal("endpoint", endpoint, _ENDPOINTS)
    _legal("unspecified", unspecified, _UNSPECIFIED)
    _legal("progressive", progressive, _PROGRESSIVE)
    if not 0 <= landmark_days < np.inf:
        raise InputError(f"illegal landmark {landmark_days!r}", column="landmark_days", expected="days, 0 or more")
    if landmark_days and not kind_of_endpoint(endpoint).has_time:
        raise InputError(
            f"endpoint {endpoint!r} has no landmark",
            column="landmark_days",
            expected="a landmark with the endpoints that are a time to an event only",
        )
    outcome = _derive(cohort, endpoint, unspecified, progressive, float(landmark_days))
    _refuse_without_events(outcome, cohort.name)
    return outcome


def _derive(cohort: Cohort, endpoint: str, unspecified: str, progressive: str, landmark: float) -> Outcome:
    """Return the outcome of the patients that have one, however few; raises for contradictions."""
    if not kind_of_endpoint(endpoint).has_time:
        return _refractory(cohort, progressive)
    course = _course(cohort)
    _refuse_contradictions(course, endpoint)
    code, time, reason = _OUTCOMES[endpoint](course, unspecified)
    reason = reason.mask(reason.isna() & (code == 0) & (time == 0), "censored on the day of diagnosis")
    time = time.replace(0.0, 0.5)
    if landmark:
        reason = reason.where(reason.notna(), _before_landmark(code, time, landmark))
        time = time - landmark
    kept = reason.isna()
    y = np.empty(int(kept.sum()), dtype=SURVIVAL_DTYPE)
    y["event"] = code[kept]
    y["time"] = time[kept]
    choices: dict[str, str | float] = {"day_0_events": "half a day"}
    choices |= {"unspecified": unspecified} if endpoint == "relapse" else {}
    choices |= {"landmark_days": landmark} if landmark else {}
    return Outcome(endpoint, cohort.patient_ids[kept], y, _counts(reason), choices)


def _refuse_without_events(outcome: Outcome, name: str) -> None:
    """Raise for an outcome that nothing can be learnt from."""
    landmark, happened = outcome.choices.get("landmark_days"), (outcome.events == 1).sum()
    if not outcome.kind.has_time and not 0 < happened < len(outcome):
        raise InputError(
            f"cohort {name!r} cannot be used for endpoint 'refractory': {len(outcome)} patients have a recorded "
            f"response, {happened} of them refractory",
            column="induction_response",
            expected="patients of both kinds: CR or PR, and MR or SD",
        )
    if happened:
        return
    if landmark:
        raise InputError(
            f"nobody of cohort {name!r} has the event of endpoint {outcome.endpoint!r} after the landmark",
            column="landmark_days",
            expected=f"an event after day {landmark:g}; {len(outcome)} patients are under observation then",
            fix="choose an earlier landmark",
        )
    raise InputError(
        f"no patient of cohort {name!r} has the event of endpoint {outcome.endpoint!r}",
        expected=f"at least one event among the {len(outcome)} patients whose outcome is recorded",
        fix="choose another endpoint, or fill event, event_days, death and followup_days of the patients table",
    )


def count_endpoints(cohort: Cohort) -> dict[str, dict[str, Any]]:
    """Count the patients and events that each endpoint would have, and say why the others are left out.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    dict of str to dict
        By endpoint, JSON types only: ``patients``, ``events``, ``competing`` and ``left_out`` (number of patients by
        reason), with the default choices of :func:`make_outcome`; and ``problem``, what would be refused, or None.
        The counts are None where records contradict each other.

    Examples
    --------
    >>> patients = pd.DataFrame({
    ...     "patient_id": ["p1", "p2"], "event": ["relapse", "relapse"], "event_days": [200.0, None],
    ...     "death": [0, 1], "followup_days": [900.0, 31.0]})
    >>> count_endpoints(Cohort("two", patients, pd.DataFrame(), pd.DataFrame()))["efs"]
    {'patients': 1, 'events': 1, 'competing': 0, 'left_out': {'first event has no time': 1}, 'problem': None}
    """
    counts: dict[str, dict[str, Any]] = {}
    for endpoint in _ENDPOINTS:
        counts[endpoint] = {"patients": None, "events": None, "competing": None, "left_out": {}, "problem": None}
        try:
            outcome = _derive(cohort, endpoint, "event", "refractory", 0.0)
            _, events, competing = np.bincount(outcome.events, minlength=3).tolist()
            counts[endpoint] |= {"patients": len(outcome), "events": events, "competing": competing}
            counts[endpoint]["left_out"] = dict(outcome.excluded)
            _refuse_without_events(outcome, cohort.name)
        except InputError as error:
            told, *details = str(error).split("\n")
            rows = [line.strip() for line in details if line.startswith("  rows: ")]
            counts[endpoint]["problem"] = ", ".join([told, *rows])
    return counts


def _legal(name: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise InputError(f"illegal {name} {value!r}", column=name, expected=", ".join(legal))


def _before_landmark(code: pd.Series, time: pd.Series, landmark: float) -> pd.Series:
    """Why a patient is not part of a landmark analysis; missing where he is."""
    words = {0: "observation ended", 1: "event", 2: "competing event"}
    return (code.map(words) + f" by day {landmark:g}, the landmark").where(time <= landmark)


def _course(cohort: Cohort) -> pd.DataFrame:
    """First event and death with their times, deaths without an earlier event already made first events."""
    patients = cohort.patients.reset_index(drop=True)
    course = pd.DataFrame(index=patients.index)
    course["event"] = patients["event"].astype("object") if "event" in patients else None
    for name in ("event_days", "death", "followup_days"):
        numbers = pd.to_numeric(patients[name]) if name in patients else pd.Series(np.nan, index=patients.index)
        course[name] = numbers.astype("Float64").astype(np.float64)
    dead_first = (course["event"] == "none") & (course["death"] == 1)
    course.loc[dead_first, "event"] = "death"
    course.loc[dead_first, "event_days"] = course["followup_days"]
    event_free = (course["event"] == "none") & course["event_days"].isna()
    course.loc[event_free, "event_days"] = course["followup_days"]
    return course


def _refuse_contradictions(course: pd.DataFrame, endpoint: str) -> None:
    """Raise for records that cannot all be true."""
    names = ("followup_days",) if endpoint == "os" else ("event_days", "followup_days")
    for name in names:
        _refuse(course[name] < 0, "negative time", name, "days from diagnosis, 0 or more", "correct the times")
    late = course["event"].isin(_EVENTS) & (course["event_days"] > course["followup_days"])
    _refuse(
        late & (endpoint != "os"),
        "a first event comes after the end of follow-up",
        "event_days",
        "event_days <= followup_days",
        "check that both are in days and counted from diagnosis",
    )


def _refuse(wrong: pd.Series, problem: str, column: str, expected: str, fix: str) -> None:
    if wrong.any():
        rows = (np.flatnonzero(wrong) + 1).tolist()
        raise InputError(problem, file="patients", column=column, rows=rows, expected=expected, fix=fix)


_Coded = tuple[pd.Series, pd.Series, pd.Series]


def _first_event(course: pd.DataFrame) -> pd.Series:
    """Why a patient has no first-event outcome; missing where there is one."""
    reason = pd.Series(None, index=course.index, dtype="object")
    reason[course["event_days"].isna()] = "event-free time not recorded"
    reason[course["event_days"].isna() & course["event"].isin(_EVENTS)] = "first event has no time"
    reason[course["event"].isna()] = "first event not recorded"
    return reason


def _relapse(course: pd.DataFrame, unspecified: str) -> _Coded:
    codes = {"none": 0, "relapse": 1, "progression": 1, "death": 2, "second_malignancy": 2}
    codes["unspecified"] = 1 if unspecified == "event" else 0
    on_day_of_death = (course["death"] == 1) & (course["event_days"] == course["followup_days"])
    event = course["event"].mask((course["event"] == "unspecified") & on_day_of_death, "death")
    reason = _first_event(course)
    if unspecified == "exclude":
        reason[reason.isna() & (event == "unspecified")] = "kind of first event not recorded"
    return event.map(codes), course["event_days"], reason


def _efs(course: pd.DataFrame, unspecified: str) -> _Coded:
    return course["event"].isin(_EVENTS).astype(int), course["event_days"], _first_event(course)


def _os(course: pd.DataFrame, unspecified: str) -> _Coded:
    reason = pd.Series(None, index=course.index, dtype="object")
    reason[course["followup_days"].isna()] = "follow-up time not recorded"
    reason[course["followup_days"].isna() & (course["death"] == 1)] = "death has no time"
    reason[course["death"].isna()] = "death not recorded"
    return course["death"], course["followup_days"], reason


_OUTCOMES: dict[str, Callable[[pd.DataFrame, str], _Coded]] = {"relapse": _relapse, "efs": _efs, "os": _os}


def _refractory(cohort: Cohort, progressive: str) -> Outcome:
    """Binary outcome of induction."""
    patients = cohort.patients.reset_index(drop=True)
    response = patients.get("induction_response", pd.Series(None, index=patients.index, dtype="object"))
    codes = {"CR": 0, "PR": 0, "MR": 1, "SD": 1, "PD": 1}
    reason = pd.Series(None, index=patients.index, dtype="object")
    reason[response.isna()] = "response to induction not recorded"
    if progressive == "exclude":
        reason[response == "PD"] = "progressive disease during induction"
    kept = reason.isna()
    y = response[kept].astype("object").map(codes).to_numpy(dtype=np.int8)
    return Outcome("refractory", cohort.patient_ids[kept], y, _counts(reason), {"progressive": progressive})


def _counts(reason: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in reason.value_counts().items()}


SURVIVAL_DTYPE = np.dtype([("event", np.int8), ("time", np.float64)])

YEAR = 365.25
"""Days."""

HORIZON_YEARS = (1, 2, 3, 5)
"""Horizons at which incidence is scored and predictions are judged."""

LONGEST_YEARS = 5
"""Nothing is judged beyond: first events are rare later, and few patients are followed so long."""

FEWEST_AT_RISK = 10
"""Patients still observed, free of any event, beyond a horizon: with fewer nothing is predicted or judged there."""

FEWEST_EVENTS_BY = 5
"""Events by a horizon, with fewer than which nothing is judged there. Both numbers come from simulation: see
``benchmarks/thin_data.py``."""

_STEPS_PER_YEAR = 4
_FEWEST_TIMES = 2


@dataclass(frozen=True)
class OutcomeKind(ABC):
    """What depends on whether an outcome is a time to an event or a yes or no.

    There are two, ``SURVIVAL`` and ``BINARY``; :func:`kind_of` says which one an outcome is of, and
    :func:`kind_of_endpoint` which one an endpoint has.

    Attributes
    ----------
    name : {"survival", "binary"}
    has_time : bool
        Whether the event has a time, so that there are horizons, censoring and competing events.
    scale : {"log hazard", "log odds"}
        Of the log risks of models.
    leading_metric : str
        The metric that models are chosen and ranked by.
    needed : mapping of int to str
        Event codes that training and judging cannot do without, and what their patients are called.
    """

    name: ClassVar[str]
    has_time: ClassVar[bool]
    scale: ClassVar[str]
    leading_metric: ClassVar[str]
    needed: ClassVar[Mapping[int, str]]

    @abstractmethod
    def event(self, y: np.ndarray) -> np.ndarray:
        """Return what happened to each patient: 0 no event seen, 1 the event, 2 a competing event."""

    @abstractmethod
    def with_times(self, y: np.ndarray) -> np.ndarray:
        """Return ``event`` and ``time``; those with a binary event all have it at one time, and the others outlive it.

        Harrell's C of the result is the AUC of a binary ``y``.
        """

    @abstractmethod
    def prediction_times(self, y: np.ndarray) -> np.ndarray:
        """Return the times to predict for in days; see :func:`nbrelapse.metrics.horizons.prediction_times`."""

    def rarest(self, y: np.ndarray) -> int:
        """Return the number of patients of the rarest code that is ``needed``."""
        event = self.event(y)
        return min(int((event == code).sum()) for code in self.needed)


@dataclass(frozen=True)
class _Survival(OutcomeKind):
    name = "survival"
    has_time = True
    scale = "log hazard"
    leading_metric = "harrell_c"
    needed: ClassVar[Mapping[int, str]] = {1: "events"}

    def event(self, y: np.ndarray) -> np.ndarray:
        return y["event"]

    def with_times(self, y: np.ndarray) -> np.ndarray:
        return y

    def prediction_times(self, y: np.ndarray) -> np.ndarray:
        grid = np.arange(1, LONGEST_YEARS * _STEPS_PER_YEAR + 1) * (YEAR / _STEPS_PER_YEAR)
        longest = float(np.max(y["time"], initial=0.0))
        carried = grid[grid < carried_days(y)]
        # A grid of two times lets any cohort be learned from and judged by its ranking; nothing is said at these times.
        grid = carried if len(carried) >= _FEWEST_TIMES else grid[grid < longest][:_FEWEST_TIMES]
        if len(grid) < _FEWEST_TIMES:
            raise InputError(
                f"the longest follow-up is {longest:g} days",
                column="time",
                expected="times in days, some of them longer than half a year",
                fix="check the unit of the times (months or years read as days?)",
            )
        return grid


@dataclass(frozen=True)
class _Binary(OutcomeKind):
    name = "binary"
    has_time = False
    scale = "log odds"
    leading_metric = "auc"
    needed: ClassVar[Mapping[int, str]] = {1: "events", 0: "patients without the event"}

    def event(self, y: np.ndarray) -> np.ndarray:
        return y

    def with_times(self, y: np.ndarray) -> np.ndarray:
        timed = np.empty(len(y), dtype=SURVIVAL_DTYPE)
        timed["event"], timed["time"] = y, 2.0 - y
        return timed

    def prediction_times(self, y: np.ndarray) -> np.ndarray:
        return np.array([np.inf])


def carried_days(y: np.ndarray) -> float:
    """Return the days before which at least ``FEWEST_AT_RISK`` patients are still at risk.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        ``event`` and ``time`` in days.

    Returns
    -------
    float
        0 where there are fewer patients than that.

    Examples
    --------
    >>> y = np.array([(0, 100.0 * i) for i in range(1, 13)], dtype=SURVIVAL_DTYPE)
    >>> carried_days(y), carried_days(y[:9])
    (300.0, 0.0)
    """
    if len(y) < FEWEST_AT_RISK:
        return 0.0
    return float(np.partition(y["time"], -FEWEST_AT_RISK)[-FEWEST_AT_RISK])


SURVIVAL: OutcomeKind = _Survival()
"""A time to an event: ``relapse``, ``efs``, ``os``."""

BINARY: OutcomeKind = _Binary()
"""A yes or no: ``refractory``."""


def kind_of(y: np.ndarray | Outcome) -> OutcomeKind:
    """Return the kind of an outcome.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
        Structured, ``event`` and ``time``, for a time to an event; integers 0 and 1 for a yes or no.

    Examples
    --------
    >>> kind_of(np.array([0, 1, 1])).leading_metric
    'auc'
    >>> kind_of(np.array([(1, 30.0), (0, 90.0)], dtype=SURVIVAL_DTYPE)).scale
    'log hazard'
    """
    return BINARY if values_of(y).dtype.names is None else SURVIVAL


def kind_of_endpoint(endpoint: str) -> OutcomeKind:
    """Return the kind of outcome that an endpoint has, before anybody's is known.

    Examples
    --------
    >>> kind_of_endpoint("refractory").name, kind_of_endpoint("efs").name
    ('binary', 'survival')
    """
    return BINARY if endpoint == "refractory" else SURVIVAL


def values_of(y: np.ndarray | Outcome, kind: OutcomeKind | None = None) -> np.ndarray:
    """Return the array of an outcome.

    Parameters
    ----------
    y : ndarray of shape (n,) or Outcome
    kind : OutcomeKind, optional
        The kind that is asked for.

    Raises
    ------
    ValueError
        The outcome is of the other kind.

    Examples
    --------
    >>> values_of(np.array([0, 1]), BINARY).tolist()
    [0, 1]
    """
    values = np.asarray(y if isinstance(y, np.ndarray) else getattr(y, "y", y))
    if kind is not None and kind_of(values) != kind:
        raise ValueError(f"the outcome is {kind_of(values).name}, it must be {kind.name}")
    return values


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
