from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, assemble_cohort, find_overlap
from nbrelapse.errors import InputError
from nbrelapse.readers import import_geo, import_tables
from nbrelapse.simulation import simulate_cohort

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data"))


COLUMNS = ["age_days", "inss_stage", "mycn_status", "event", "event_days", "death", "followup_days"]


def cohort_of(*rows: tuple, name: str = "hand-written", **columns: list) -> Cohort:
    patients = pd.DataFrame(list(rows), columns=COLUMNS).assign(**columns)
    patients.insert(0, "patient_id", [f"{name}-{number}" for number in range(len(rows))])
    return assemble_cohort(name, {"patients": patients})


FIRST = cohort_of(
    (912, "4", "0", "relapse", 640, 1, 900),
    (31, "4S", "0", "none", 2100, 0, 2100),
    (455, "3", "1", "relapse", 300, 0, 1400),
    name="first",
)


def test_patients_of_another_cohort_under_other_names_with_newer_follow_up() -> None:
    second = cohort_of(
        (912, "4", "0", "relapse", 640, 1, 900),
        (31, "4S", "0", "none", 2600, 0, 2600),
        (461, "3", "1", "relapse", 305, 0, 1600),
        name="second",
    )
    found = find_overlap(FIRST, second)
    assert found.pairs[["first_id", "second_id", "same_time"]].to_numpy().tolist() == [
        ["first-0", "second-0", True],
        ["first-1", "second-1", False],
    ]
    assert found.counts["found"].tolist() == [1, 2]
    assert found.beyond_chance
    assert found.to_text().startswith("2 of 3 patients of second look the same as one of first; 0.0 expected by chance")
    with pytest.raises(InputError, match="2 of 3 patients of second") as caught:
        found.notes()
    assert "second-0" not in str(caught.value)
    assert found.notes(allowed=True) == [found.to_text().splitlines()[0]]


ALIVE, DEAD = (500, "4", "1", "none", 900, 0, 1000), (500, "4", "1", "relapse", 700, 1, 1000)


@pytest.mark.parametrize(
    ("one", "two", "agrees"),
    [
        (ALIVE, (501, "4", "1", "none", 900, 0, 1000), True),
        (ALIVE, (502, "4", "1", "none", 900, 0, 1000), False),
        (ALIVE, (500, "3", "1", "none", 900, 0, 1000), False),
        (ALIVE, (500, "4", "0", "none", 900, 0, 1000), False),
        (ALIVE, (500, None, None, None, None, None, None), True),
        # The event, or the death, came after the earlier data were closed.
        (ALIVE, (500, "4", "1", "relapse", 1500, 1, 1800), True),
        (ALIVE, (500, "4", "1", "relapse", 898, 0, 1800), True),
        (ALIVE, (500, "4", "1", "relapse", 897, 0, 1800), False),
        (ALIVE, (500, "4", "1", "none", 800, 1, 997), False),
        (DEAD, (500, "4", "1", "relapse", 702, 1, 998), True),
        (DEAD, (500, "4", "1", "progression", 703, 1, 1000), False),
        (DEAD, (500, "4", "1", "relapse", 700, 1, 1003), False),
        (DEAD, (500, "4", "1", "relapse", 700, 0, 990), True),
        (DEAD, (500, "4", "1", "relapse", 700, 0, 1003), False),
        (DEAD, (500, "4", "1", "unspecified", None, 1, 1000), True),
        # Two times of one course agree: a stage that contradicts them is an error in one of the records.
        (DEAD, (500, "4S", "1", "relapse", 700, 1, 1000), True),
        (DEAD, (500, "4S", "1", "relapse", 700, 1, 1003), False),
        ((500, "4", "1", "none", 900, 0, 900), (500, "4S", "1", "none", 900, 0, 900), False),
    ],
)
def test_what_two_records_of_one_patient_may_say(one: tuple, two: tuple, agrees: bool) -> None:
    for first, second in ((one, two), (two, one)):
        assert len(find_overlap(cohort_of(first), cohort_of(second)).pairs) == agrees


def test_sex_and_the_parts_of_stage_2() -> None:
    row = (500, "2A", "0", "none", 900, 0, 1000)
    assert len(find_overlap(cohort_of(row, sex=["f"]), cohort_of((500, "2", *row[2:]))).pairs) == 1
    assert find_overlap(cohort_of(row, sex=["f"]), cohort_of(row, sex=["m"])).pairs.empty


def part(cohort: Cohort, rows: np.ndarray) -> Cohort:
    return replace(cohort, patients=cohort.patients[rows].reset_index(drop=True))


@pytest.fixture(scope="module")
def simulated() -> Cohort:
    return simulate_cohort(600, seed=3)


def test_halves_of_a_simulated_cohort_share_nobody_beyond_chance(simulated: Cohort) -> None:
    for seed in range(5):
        half = np.random.default_rng(seed).random(600) < 0.5
        found = find_overlap(part(simulated, half), part(simulated, ~half))
        assert not found.beyond_chance
        assert found.counts.loc["agree", "expected"] > 5
    assert not find_overlap(simulated).beyond_chance


def test_two_patients_who_are_there_twice_are_enough(simulated: Cohort) -> None:
    again = simulated.patients.iloc[[3, 77]].assign(patient_id=["x", "y"])
    patients = pd.concat([simulated.patients, again], ignore_index=True)
    found = find_overlap(replace(simulated, patients=patients))
    assert found.beyond_chance
    assert found.pairs.loc[found.pairs["same_time"], "second_row"].tolist() == [601, 602]


@pytest.mark.parametrize("unit", [365.25, 30.4375, 7, 36.525, 3.6525, 3.04375])
def test_ages_in_whole_units_are_compared_with_ages_shifted_by_units(simulated: Cohort, unit: float) -> None:
    ages = np.floor(simulated.patients["age_days"] / unit) * unit
    whole = replace(simulated, patients=simulated.patients.assign(age_days=ages, event=None, death=None))
    half = np.arange(600) % 2 == 0
    found = find_overlap(part(whole, half), part(whole, ~half))
    assert found.counts.loc["agree", "found"] < 2 * found.counts.loc["agree", "expected"]


def test_a_cohort_without_ages_cannot_be_compared(simulated: Cohort) -> None:
    bare = replace(simulated, patients=simulated.patients.assign(age_days=np.nan))
    with pytest.raises(InputError, match="has an age"):
        find_overlap(simulated, bare)


@pytest.mark.skipif(not DATA.exists(), reason=f"no data in {DATA}")
def test_german_patients_of_two_public_cohorts() -> None:
    seqc = import_geo(sorted((DATA / "seqc").glob("GSE*")))
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    others = import_tables(mapping, DATA / "high_risk_copy_number")
    counts = {}
    for group in ("GPOH", "COG", "JAP"):
        found = find_overlap(seqc, part(others, (others.patients["study"] == group).to_numpy()))
        counts[group] = (found.counts["found"].tolist(), found.beyond_chance)
    assert counts == {"GPOH": ([33, 43], True), "COG": ([0, 3], False), "JAP": ([0, 0], False)}
