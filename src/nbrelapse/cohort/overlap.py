"""Patients who look the same in two cohorts, or twice in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import poisson

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError

_AGE_DAYS, _TIME_DAYS = 1, 2
"""Days by which two records of one patient differ: how centres count the day of birth, diagnosis or event."""
_SHIFTS = np.arange(5, 66, 3)
"""Days by which ages are shifted both ways to see what agrees by chance. Neighbouring windows of one day either side do
not overlap, and age distributions change little over two months."""
_UNITS = (365.25, 36.525, 30.4375, 7.0, 3.6525, 3.04375)
"""Years and their tenths, months, weeks, and what years of two decimals and months of one are rounded to, in days."""
_CHANCE = 0.001
_CLINICAL = ("sex", "stage", "inrgss", "mycn")


@dataclass(frozen=True)
class Overlap:
    """Patients who look the same in two cohorts, or twice in one; build it with :func:`find_overlap`.

    Parameters
    ----------
    first, second : str
        Names of the cohorts; equal where one was compared with itself.
    compared : tuple of int
        Patients of both whose age is known: only these can be compared.
    pairs : DataFrame
        A row a pair that agrees: ``first_id``, ``second_id``, ``first_row`` and ``second_row`` (from 1, in
        ``patients``), ``age_days`` (of the first), ``same_time`` (whether an event, a death or the end of follow-up
        falls on the same days, beyond not contradicting each other).
    counts : DataFrame
        Index ``same_time`` and ``agree`` (which includes them): ``found``, patients of the second cohort that look
        like one of the first; ``expected``, how many would by chance; ``probability`` of at least so many by chance.

    Examples
    --------
    >>> counts = pd.DataFrame({"found": [2, 2], "expected": [0.0, 0.1], "probability": [3e-5, 0.004]},
    ...     index=["same_time", "agree"])
    >>> Overlap("a", "b", (40, 30), pd.DataFrame(), counts).beyond_chance
    True
    """

    first: str
    second: str
    compared: tuple[int, int]
    pairs: pd.DataFrame
    counts: pd.DataFrame

    @property
    def beyond_chance(self) -> bool:
        """Whether more patients look the same than chance makes (probability below 0.001 on either count)."""
        return bool((self.counts["probability"] < _CHANCE).any())

    def notes(self, *, allowed: bool = False) -> list[str]:
        """Return what is to be said of patients that look the same on the sides of a judgement.

        Parameters
        ----------
        allowed : bool
            Only say what would be refused.

        Raises
        ------
        InputError
            More look the same than chance makes, and this is not allowed.
        """
        if self.beyond_chance and not allowed:
            fix = "leave them out (`nbrelapse cohort overlap` lists them), or say --allow-overlap"
            raise InputError(
                self.to_text().replace("\n", "; "),
                column="patients",
                expected="each patient once, on one side: a model looks good on patients that it was trained on",
                fix=fix,
            )
        told = self.beyond_chance or self.pairs["same_time"].any()
        return [self.to_text().splitlines()[0 if self.beyond_chance else 1]] if told else []

    def to_text(self) -> str:
        """Return what was found, without identifiers."""
        counts = self.counts.to_dict("index")
        same, agree = counts["same_time"], counts["agree"]
        whom = "another one" if self.first == self.second else f"one of {self.first}"
        start = f"of {self.compared[1]} patients of {self.second} look the same as {whom}"
        lines = [
            f"{agree['found']:.0f} {start}; {agree['expected']:.1f} expected by chance ({_probability(agree)})",
            f"{same['found']:.0f} {start}, with an event, a death or the end of follow-up on the same days; "
            f"{same['expected']:.1f} expected by chance ({_probability(same)})",
        ]
        return "\n".join(lines)


def _probability(count: Mapping[Any, float]) -> str:
    return "p < 0.001" if count["probability"] < _CHANCE else f"p = {count['probability']:.3f}"


def find_overlap(first: Cohort, second: Cohort | None = None) -> Overlap:
    """Find patients who look the same in two cohorts under whatever names, or twice in one cohort.

    Two patients agree where their ages in days differ by at most 1, and sex, stage, MYCN status and times do not
    contradict each other. Of two first events, or two deaths, the times differ by at most 2 days; the later follow-up
    of one may be longer, and hold an event that the other does not have yet. What is unknown contradicts nothing.
    Where an event and the later end of follow-up both fall on the same days, a contradicting stage or MYCN status does
    not part them: one of the records is wrong.

    What agrees by chance is counted in the same way with the ages of one cohort shifted by 5 to 65 days both ways,
    or by the unit where both cohorts record ages in years, months or weeks, whole or with decimals.

    Parameters
    ----------
    first : Cohort
    second : Cohort, optional
        Without it, `first` is compared with itself.

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        Nobody in a cohort has an age.

    Examples
    --------
    >>> from nbrelapse.cohort import assemble_cohort
    >>> first = pd.DataFrame({"patient_id": ["A1", "A2"], "age_days": [912, 455], "inss_stage": ["4", "3"],
    ...     "event": ["relapse", "relapse"], "event_days": [640, 300]})
    >>> second = pd.DataFrame({"patient_id": ["B1", "B2"], "age_days": [912, 456], "inss_stage": ["4", "3"],
    ...     "event": ["relapse", "relapse"], "event_days": [641, 305]})
    >>> overlap = find_overlap(*(assemble_cohort("demo", {"patients": table}) for table in (first, second)))
    >>> overlap.pairs[["first_id", "second_id", "same_time"]].values.tolist()
    [['A1', 'B1', True]]
    """
    other = first if second is None else second
    one, two = _course_of(first), _course_of(other)
    shifts = _shifts(one["age"], two["age"])
    left, right = _close_in_age(one["age"], two["age"], float(shifts.max()) + _AGE_DAYS)
    if second is None:
        once = left < right
        left, right = left[once], right[once]
    agrees, same_time = _agree(one.iloc[left].reset_index(drop=True), two.iloc[right].reset_index(drop=True))
    left, right, same_time = left[agrees], right[agrees], same_time[agrees]
    apart = two["age"].to_numpy()[right] - one["age"].to_numpy()[left]
    now = np.abs(apart) <= _AGE_DAYS
    counts = pd.DataFrame(
        [_counted(now & kind, apart, right, shifts, kind) for kind in (same_time, np.ones_like(same_time))],
        index=pd.Index(["same_time", "agree"]),
    )
    pairs = pd.DataFrame(
        {
            "first_id": one["patient_id"].to_numpy()[left[now]],
            "second_id": two["patient_id"].to_numpy()[right[now]],
            "first_row": one["row"].to_numpy()[left[now]],
            "second_row": two["row"].to_numpy()[right[now]],
            "age_days": one["age"].to_numpy()[left[now]],
            "same_time": same_time[now],
        }
    )
    return Overlap(first.name, other.name, (len(one), len(two)), pairs, counts)


def _course_of(cohort: Cohort) -> pd.DataFrame:
    """Return what is compared of the patients whose age is known."""
    patients = cohort.patients
    event = patients["event"].astype("object")
    known = (event.notna() & patients["event_days"].notna()).to_numpy()
    course = pd.DataFrame(
        {
            "patient_id": patients["patient_id"],
            "row": np.arange(1, len(patients) + 1),
            "age": patients["age_days"],
            "sex": patients["sex"],
            # 2A and 2B are both 2 where another source does not part them.
            "stage": patients["inss_stage"].str.replace("2[AB]", "2", regex=True),
            "inrgss": patients["inrgss_stage"],
            "mycn": patients["mycn_status"],
            "event": np.where(known, (event != "none").astype(float), np.nan),
            "event_time": patients["event_days"],
            "death": patients["death"].where(patients["followup_days"].notna()),
            "death_time": patients["followup_days"],
        }
    )
    course = course[course["age"].notna().to_numpy()]
    if course.empty:
        raise InputError(
            f"nobody of cohort {cohort.name!r} has an age: patients cannot be compared",
            file="patients",
            column="age_days",
            expected="days at diagnosis",
        )
    return course.reset_index(drop=True)


def _shifts(first: pd.Series, second: pd.Series) -> np.ndarray:
    """Days to shift ages by: what they are rounded to where both cohorts record them in a unit."""
    for unit in _UNITS:
        if all(
            (np.abs(ages / unit - np.round(ages / unit)) * unit <= _AGE_DAYS).mean() > 0.9 for ages in (first, second)
        ):
            return unit * np.arange(1, max(2, round(_SHIFTS[-1] / unit)) + 1)
    return _SHIFTS.astype(np.float64)


def _close_in_age(first: pd.Series, second: pd.Series, days: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of all pairs whose ages differ by at most so many days."""
    order = np.argsort(second.to_numpy(), kind="stable")
    ages = second.to_numpy()[order]
    low = np.searchsorted(ages, first.to_numpy() - days, side="left")
    number = np.searchsorted(ages, first.to_numpy() + days, side="right") - low
    left = np.repeat(np.arange(len(first)), number)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return left, order[np.repeat(low, number) + within]


def _agree(one: pd.DataFrame, two: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether two records may be of one patient, and whether a time is the same in both; row by row."""
    agrees = {name: _may_be_equal(one[name], two[name]) for name in _CLINICAL}
    possible, same = np.ones(len(one), dtype=bool), np.zeros((2, len(one)), dtype=bool)
    for number, what in enumerate(("event", "death")):
        happened, other = one[what].to_numpy(float), two[what].to_numpy(float)
        apart = two[f"{what}_time"].to_numpy(float) - one[f"{what}_time"].to_numpy(float)
        close = np.abs(apart) <= _TIME_DAYS
        known = ~np.isnan(happened) & ~np.isnan(other)
        # Whoever has the event was seen at least as long as the one who does not have it yet.
        later = np.where(happened == 1, apart <= _TIME_DAYS, apart >= -_TIME_DAYS)
        possible &= ~known | np.where(happened == other, close | (happened == 0), later)
        same[number] = known & (happened == other) & close
    two_times = (one["event"] == 1) & ((one["death_time"] - one["event_time"]).abs() > _TIME_DAYS)
    certain = agrees["sex"] & same.all(axis=0) & two_times.to_numpy(dtype=bool)
    return possible & (np.all(list(agrees.values()), axis=0) | certain), same[0] | same[1]


def _may_be_equal(one: pd.Series, two: pd.Series) -> np.ndarray:
    return (one.isna() | two.isna() | (one == two)).to_numpy(dtype=bool)


def _counted(
    now: np.ndarray, apart: np.ndarray, right: np.ndarray, shifts: np.ndarray, kind: np.ndarray
) -> dict[str, float]:
    """Count patients of the second cohort that look like one of the first, now and with ages shifted."""
    both = np.concatenate([-shifts, shifts])
    place = np.abs(apart[:, None] - both[None, :]) <= _AGE_DAYS
    rows, columns = (place & kind[:, None]).nonzero()
    shifted = len(np.unique(np.column_stack([columns, right[rows]]), axis=0))
    found, expected = len(np.unique(right[now])), shifted / len(both)
    # Where no shift finds any, half a patient over all shifts is what may have been missed.
    probability = float(poisson.sf(found - 1, max(expected, 0.5 / len(both))))
    return {"found": found, "expected": expected, "probability": probability}
