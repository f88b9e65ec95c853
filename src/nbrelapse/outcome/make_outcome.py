"""Turn a cohort's recorded course of disease into the outcome of one endpoint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.outcome.outcome import SURVIVAL_DTYPE, Outcome

ENDPOINTS = ("relapse", "efs", "os", "refractory")
UNSPECIFIED = ("event", "censor", "exclude")
PROGRESSIVE = ("refractory", "exclude")
EVENTS = ("relapse", "progression", "death", "second_malignancy", "unspecified")


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
        An argument is not legal; a time is negative; an event has no time, or comes after the end of follow-up; no
        patient has the event (or, for ``refractory``, every patient has); the landmark is negative or beyond the
        follow-up, or the endpoint has no time to count from it.

    Examples
    --------
    >>> patients = pd.DataFrame({
    ...     "patient_id": ["p1", "p2", "p3"], "event": ["relapse", "death", None], "event_days": [200.0, 31.0, None],
    ...     "death": [0, 1, None], "followup_days": [900.0, 31.0, None]})
    >>> outcome = make_outcome(Cohort("three", patients, pd.DataFrame(), pd.DataFrame()), "relapse")
    >>> outcome.y.tolist(), outcome.excluded
    ([(1, 200.0), (2, 31.0)], {'first event not recorded': 1})
    """
    _legal("endpoint", endpoint, ENDPOINTS)
    _legal("unspecified", unspecified, UNSPECIFIED)
    _legal("progressive", progressive, PROGRESSIVE)
    if not 0 <= landmark_days < np.inf:
        raise InputError(f"illegal landmark {landmark_days!r}", column="landmark_days", expected="days, 0 or more")
    if endpoint == "refractory" and landmark_days:
        raise InputError(
            "endpoint 'refractory' has no landmark",
            column="landmark_days",
            expected="a landmark with the endpoints that are a time to an event only",
        )
    if endpoint == "refractory":
        return _refractory(cohort, progressive)
    course = _course(cohort)
    _refuse_contradictions(course, endpoint)
    code, time, reason = _OUTCOMES[endpoint](course, unspecified)
    reason = reason.mask(reason.isna() & (code == 0) & (time == 0), "censored on the day of diagnosis")
    time = time.replace(0.0, 0.5)
    if landmark_days:
        reason = reason.where(reason.notna(), _before_landmark(code, time, landmark_days))
        time = time - landmark_days
    kept = reason.isna()
    y = np.empty(int(kept.sum()), dtype=SURVIVAL_DTYPE)
    y["event"] = code[kept]
    y["time"] = time[kept]
    if landmark_days and not (y["event"] == 1).any():
        raise InputError(
            f"nobody of cohort {cohort.name!r} has the event of endpoint {endpoint!r} after the landmark",
            column="landmark_days",
            expected=f"an event after day {landmark_days:g}; {int(kept.sum())} patients are under observation then",
            mend="choose an earlier landmark",
        )
    if not (y["event"] == 1).any():
        raise InputError(
            f"no patient of cohort {cohort.name!r} has the event of endpoint {endpoint!r}",
            expected=f"at least one event among the {int(kept.sum())} patients whose outcome is recorded",
            mend="choose another endpoint, or fill event, event_days, death and followup_days of the patients table",
        )
    choices: dict[str, str | float] = {"day_0_events": "half a day"}
    choices |= {"unspecified": unspecified} if endpoint == "relapse" else {}
    choices |= {"landmark_days": float(landmark_days)} if landmark_days else {}
    return Outcome(endpoint, cohort.patient_ids[kept], y, _counts(reason), choices)


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
    if endpoint == "os":
        _refuse(
            (course["death"] == 1) & course["followup_days"].isna(),
            "a death has no time",
            "followup_days",
            "days from diagnosis to death",
            "give the time, or leave death empty so that the patient is left out",
        )
        return
    happened = course["event"].isin(EVENTS)
    _refuse(
        happened & course["event_days"].isna(),
        "a first event has no time",
        "event_days",
        "days from diagnosis to the event",
        "give the time, or leave event empty so that the patient is left out",
    )
    _refuse(
        happened & (course["event_days"] > course["followup_days"]),
        "a first event comes after the end of follow-up",
        "event_days",
        "event_days <= followup_days",
        "check that both are in days and counted from diagnosis",
    )


def _refuse(wrong: pd.Series, problem: str, column: str, expected: str, mend: str) -> None:
    if wrong.any():
        rows = (np.flatnonzero(wrong) + 1).tolist()
        raise InputError(problem, file="patients", column=column, rows=rows, expected=expected, mend=mend)


_Survival = tuple[pd.Series, pd.Series, pd.Series]


def _first_event(course: pd.DataFrame) -> pd.Series:
    """Why a patient has no first-event outcome; missing where there is one."""
    reason = pd.Series(None, index=course.index, dtype="object")
    reason[course["event_days"].isna()] = "event-free time not recorded"
    reason[course["event"].isna()] = "first event not recorded"
    return reason


def _relapse(course: pd.DataFrame, unspecified: str) -> _Survival:
    codes = {"none": 0, "relapse": 1, "progression": 1, "death": 2, "second_malignancy": 2}
    codes["unspecified"] = 1 if unspecified == "event" else 0
    on_day_of_death = (course["death"] == 1) & (course["event_days"] == course["followup_days"])
    event = course["event"].mask((course["event"] == "unspecified") & on_day_of_death, "death")
    reason = _first_event(course)
    if unspecified == "exclude":
        reason[reason.isna() & (event == "unspecified")] = "kind of first event not recorded"
    return event.map(codes), course["event_days"], reason


def _efs(course: pd.DataFrame, unspecified: str) -> _Survival:
    return course["event"].isin(EVENTS).astype(int), course["event_days"], _first_event(course)


def _os(course: pd.DataFrame, unspecified: str) -> _Survival:
    reason = pd.Series(None, index=course.index, dtype="object")
    reason[course["followup_days"].isna()] = "follow-up time not recorded"
    reason[course["death"].isna()] = "death not recorded"
    return course["death"], course["followup_days"], reason


_OUTCOMES: dict[str, Callable[[pd.DataFrame, str], _Survival]] = {"relapse": _relapse, "efs": _efs, "os": _os}


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
    if len(np.unique(y)) < 2:
        raise InputError(
            f"cohort {cohort.name!r} cannot be used for endpoint 'refractory': {len(y)} patients have a recorded "
            f"response, {int(y.sum())} of them refractory",
            column="induction_response",
            expected="patients of both kinds: CR or PR, and MR or SD",
        )
    return Outcome("refractory", cohort.patient_ids[kept], y, _counts(reason), {"progressive": progressive})


def _counts(reason: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in reason.value_counts().items()}
