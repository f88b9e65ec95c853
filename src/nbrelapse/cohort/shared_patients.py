"""Which patients of one cohort are patients of another, study by study, so that each can be kept once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from nbrelapse.cohort.cohort import Cohort, counted
from nbrelapse.cohort.overlap import _CHANCE, Overlap, find_overlap
from nbrelapse.errors import InputError

UNCERTAIN = ("stop", "join", "keep")
"""What may be done with patients who look the same, but of whom it is not sure: see :func:`merge_cohorts`."""

_SURE = 0.1
"""Pairs are taken for one patient each where at most so large a share of them would agree by chance. A choice."""
_MOST_STUDIES = 30
"""More values than that are no studies: the cohort is compared as a whole. A choice."""


def _shared_patients(first: Cohort, second: Cohort, uncertain: str) -> tuple[dict[str, str], list[str]]:
    """Find the patients of the second cohort who are patients of the first.

    Each study of one is compared with each study of the other by :func:`find_overlap`: a source that two cohorts share
    shows within its study, and drowns among the patients of others. Pairs that agree and share an event, a death or the
    end of follow-up on the same days are one patient each, where that many would not agree by chance (probability
    below 0.001) and at most a tenth of them would. If more of the other patients look the same than chance makes, it is
    not sure which they are.

    Parameters
    ----------
    first, second : Cohort
        With a study for each patient.
    uncertain : {"stop", "join", "keep"}
        What to do then: refuse, take all of these for one patient each, or for two.

    Returns
    -------
    same : dict of str to str
        The patient of the first cohort that a patient of the second is; nobody is there twice.
    notes : list of str
        What was found, without identifiers.

    Raises
    ------
    InputError
        It is not sure who is in both, or cannot be looked at as nobody has an age, and `uncertain` says stop.
    """
    same: dict[str, str] = {}
    for cohort in (first, second):
        if cohort.patients["age_days"].isna().all():
            return same, [_not_compared(cohort, uncertain)]
    notes = []
    for one in _by_study(first):
        for two in _by_study(second):
            found, said = _in_two_studies(_without(one, set(same.values())), _without(two, set(same)), uncertain)
            same |= found
            notes += said
    return same, notes


def _not_compared(cohort: Cohort, uncertain: str) -> str:
    problem = f"nobody of {cohort.name} has an age: whether patients are in both cohorts cannot be looked at"
    if uncertain == "stop":
        raise InputError(
            problem,
            file=cohort.name,
            column="age_days",
            fix="add the ages in days; where no patient is in both, say --uncertain keep",
        )
    return problem


def _by_study(cohort: Cohort) -> Iterator[Cohort]:
    studies = cohort.patients["study"]
    if studies.nunique() > _MOST_STUDIES:
        yield cohort
        return
    for study, patients in cohort.patients.groupby("study", sort=True):
        yield replace(cohort, name=str(study), patients=patients.reset_index(drop=True))


def _without(cohort: Cohort, ids: set[str]) -> Cohort:
    patients = cohort.patients
    return replace(cohort, patients=patients[~patients["patient_id"].isin(ids)].reset_index(drop=True))


def _in_two_studies(one: Cohort, two: Cohort, uncertain: str) -> tuple[dict[str, str], list[str]]:
    if one.patients["age_days"].isna().all() or two.patients["age_days"].isna().all():
        return {}, []
    overlap = find_overlap(one, two)
    same, notes = {}, []
    count = overlap.counts.to_dict("index")["same_time"]
    if count["probability"] < _CHANCE and count["expected"] <= _SURE * count["found"]:
        same = _one_to_one(overlap.pairs[overlap.pairs["same_time"]])
        notes.append(
            f"{counted(len(same), 'patient')} of {two.name} found in {one.name}, with an event, a death or the end of "
            f"follow-up on the same days ({count['expected']:.1f} expected by chance), kept once"
        )
        one, two = _without(one, set(same.values())), _without(two, set(same))
        if one.patients["age_days"].isna().all() or two.patients["age_days"].isna().all():
            return same, notes
        overlap = find_overlap(one, two)
    if not overlap.beyond_chance:
        return same, notes
    others = _one_to_one(overlap.pairs)
    notes.append(_unsure(overlap, len(others), uncertain))
    return same | (others if uncertain == "join" else {}), notes


def _unsure(overlap: Overlap, number: int, uncertain: str) -> str:
    """Say what is not sure, or refuse it."""
    expected = overlap.counts.to_dict("index")["agree"]["expected"]
    found = (
        f"{counted(number, 'more patient')} of {overlap.second} may be in {overlap.first}: age, stage, MYCN and course "
        f"do not contradict each other, and {expected:.1f} would agree by chance"
    )
    if uncertain == "stop":
        raise InputError(
            found,
            column="patients",
            expected="each patient once: a model looks good on patients that it was trained on",
            fix="see `nbrelapse cohort overlap`; then say --uncertain join (take them for one patient each) or "
            '--uncertain keep (for two); in an experiment file `uncertain = "join"` or "keep" under [cohort]',
        )
    return f"{found}; {'kept once' if uncertain == 'join' else 'both records are kept'}"


def _one_to_one(pairs: pd.DataFrame) -> dict[str, str]:
    """Patients of the second cohort with theirs of the first, each patient once, those of the same days first."""
    ordered = pairs.sort_values("same_time", ascending=False, kind="stable")
    ordered = ordered.drop_duplicates("second_id").drop_duplicates("first_id")
    return dict(zip(ordered["second_id"], ordered["first_id"], strict=True))
