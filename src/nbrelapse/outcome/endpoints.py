"""Endpoints: from the recorded course of a cohort's patients to their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.check import ROUNDING_DAYS
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.schema import levels
from nbrelapse.errors import InputError
from nbrelapse.outcome.kinds import SURVIVAL_DTYPE, kind_of_endpoint
from nbrelapse.outcome.outcome import Outcome

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
    Patients of whom no first event is recorded are left out, the dead as the living: to count the deaths alone as
    events would choose patients by their outcome. How many of those left out are dead stands beside them.
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
        With the number of patients left out by reason and how many of them are dead, and the choices made.

    Raises
    ------
    InputError
        An argument is not legal; a code is unknown; a time is negative; an event, or more than a month without one,
        comes after the end of follow-up; no patient has the event (or, for ``refractory``, every patient has); the
        landmark is negative or beyond the follow-up, or the endpoint has no time to count from it.

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
    recorded = _recorded(cohort)
    if endpoint != "os":
        _refuse_unknown(recorded["event"], "event", levels("event"))
    _refuse_unknown(recorded["death"], "death", (0, 1))
    _refuse_contradictions(recorded, endpoint)
    course = _course(recorded)
    code, time, reason = _OUTCOMES[endpoint](course, unspecified)
    reason = reason.mask(reason.isna() & (code == 0) & (time == 0), "censored on the day of diagnosis")
    time = time.replace(0.0, 0.5)
    dead = int((reason.notna() & (course["death"] == 1)).sum())
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
    return Outcome(endpoint, cohort.patient_ids[kept], y, _counts(reason), choices, dead)


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
        By endpoint, JSON types only: ``patients``, ``events``, ``competing``, ``unspecified`` (of the patients, how
        many have a first event of unknown kind; only ``relapse`` asks for the kind), ``left_out`` (number of patients
        by reason) and ``dead_left_out`` (how many of these are dead), with the default choices of
        :func:`make_outcome`; and ``problem``, what would be refused, or None.
        The counts are None where records contradict each other.

    Examples
    --------
    >>> patients = pd.DataFrame({
    ...     "patient_id": ["p1", "p2"], "event": ["relapse", "relapse"], "event_days": [200.0, None],
    ...     "death": [0, 1], "followup_days": [900.0, 31.0]})
    >>> count_endpoints(Cohort("two", patients, pd.DataFrame(), pd.DataFrame()))["efs"]
    {'patients': 1, 'events': 1, 'competing': 0, 'unspecified': 0, 'left_out': {'first event has no time': 1},
     'dead_left_out': 1, 'problem': None}
    """
    counts: dict[str, dict[str, Any]] = {}
    events = cohort.patients.get("event", pd.Series(index=cohort.patients.index, dtype="str"))
    of_unknown_kind = cohort.patient_ids[(events == "unspecified").to_numpy(dtype=bool)]
    for endpoint in _ENDPOINTS:
        counts[endpoint] = {"patients": None, "events": None, "competing": None, "unspecified": None}
        counts[endpoint] |= {"left_out": {}, "dead_left_out": 0, "problem": None}
        try:
            outcome = _derive(cohort, endpoint, "event", "refractory", 0.0)
            _, of_interest, competing = np.bincount(outcome.events, minlength=3).tolist()
            counts[endpoint] |= {"patients": len(outcome), "events": of_interest, "competing": competing}
            unknown = outcome.patient_ids.isin(of_unknown_kind).sum() if endpoint == "relapse" else 0
            counts[endpoint] |= {"unspecified": int(unknown)}
            counts[endpoint] |= {"left_out": dict(outcome.excluded), "dead_left_out": outcome.dead_left_out}
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


def _recorded(cohort: Cohort) -> pd.DataFrame:
    """First event and death with their times, as they are recorded."""
    patients = cohort.patients.reset_index(drop=True)
    course = pd.DataFrame(index=patients.index)
    course["event"] = patients["event"].astype("object") if "event" in patients else None
    for name in ("event_days", "death", "followup_days"):
        numbers = pd.to_numeric(patients[name]) if name in patients else pd.Series(np.nan, index=patients.index)
        course[name] = numbers.astype("Float64").astype(np.float64)
    return course


def _course(recorded: pd.DataFrame) -> pd.DataFrame:
    """First event and death with their times, deaths without an earlier event made first events."""
    course = recorded.copy()
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
    beyond = (course["event"] == "none") & (course["event_days"] > course["followup_days"] + ROUNDING_DAYS)
    _refuse(
        beyond & (endpoint != "os"),
        "event-free after the end of follow-up",
        "event_days",
        f"event_days <= followup_days where event is none, or at most {ROUNDING_DAYS:g} days later by rounding",
        "correct event_days or followup_days; check that both are in days and counted from diagnosis",
    )


def _refuse_unknown(codes: pd.Series, column: str, legal: tuple[str, ...] | tuple[int, ...]) -> None:
    """Raise for a code that would be read as no event; tables that no reader has checked may have one."""
    expected = ", ".join(map(str, legal))
    _refuse(codes.notna() & ~codes.isin(legal), "unknown code", column, expected, "correct the value or leave it empty")


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
    _refuse_unknown(response, "induction_response", tuple(codes))
    reason = pd.Series(None, index=patients.index, dtype="object")
    reason[response.isna()] = "response to induction not recorded"
    if progressive == "exclude":
        reason[response == "PD"] = "progressive disease during induction"
    kept = reason.isna()
    y = response[kept].astype("object").map(codes).to_numpy(dtype=np.int8)
    return Outcome("refractory", cohort.patient_ids[kept], y, _counts(reason), {"progressive": progressive})


def _counts(reason: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in reason.value_counts().items()}
