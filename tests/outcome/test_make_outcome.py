from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.outcome import make_outcome

COURSE = ("event", "event_days", "death", "followup_days")


def cohort_of(*rows: tuple, **columns: list) -> Cohort:
    patients = pd.DataFrame(list(rows), columns=list(COURSE)) if rows else pd.DataFrame()
    for name, values in columns.items():
        patients[name] = values
    patients.insert(0, "patient_id", [f"p{number}" for number in range(1, len(patients) + 1)])
    return Cohort("hand-written", patients, pd.DataFrame(), pd.DataFrame())


EVERY_KIND = cohort_of(
    ("relapse", 200.0, 1, 500.0),
    ("progression", 90.0, 0, 700.0),
    ("death", 31.0, 1, 31.0),
    ("second_malignancy", 1500.0, 0, 1600.0),
    ("none", 2000.0, 0, 2000.0),
    ("none", None, 0, 1200.0),
    ("unspecified", 300.0, 0, 900.0),
)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("relapse", [(1, 200), (1, 90), (2, 31), (2, 1500), (0, 2000), (0, 1200), (1, 300)]),
        ("efs", [(1, 200), (1, 90), (1, 31), (1, 1500), (0, 2000), (0, 1200), (1, 300)]),
        ("os", [(1, 500), (0, 700), (1, 31), (0, 1600), (0, 2000), (0, 1200), (0, 900)]),
    ],
)
def test_each_kind_of_first_event(endpoint: str, expected: list[tuple[int, float]]) -> None:
    outcome = make_outcome(EVERY_KIND, endpoint)
    assert outcome.y.tolist() == expected
    assert outcome.patient_ids.tolist() == [f"p{number}" for number in range(1, 8)]
    assert outcome.excluded == {}


def test_unspecified_first_events_follow_the_choice() -> None:
    censored = make_outcome(EVERY_KIND, "relapse", unspecified="censor")
    assert censored.y[-1].tolist() == (0, 300.0)
    assert censored.choices["unspecified"] == "censor"
    excluded = make_outcome(EVERY_KIND, "relapse", unspecified="exclude")
    assert len(excluded.y) == 6
    assert excluded.excluded == {"kind of first event not recorded": 1}
    assert make_outcome(EVERY_KIND, "efs", unspecified="exclude").y[-1].tolist() == (1, 300.0)


@pytest.mark.parametrize("unspecified", ["event", "censor", "exclude"])
def test_an_unspecified_event_on_the_day_of_death_is_the_death(unspecified: str) -> None:
    cohort = cohort_of(("unspecified", 80.0, 1, 80.0), ("relapse", 5.0, 0, 9.0))
    assert make_outcome(cohort, "relapse", unspecified=unspecified).y.tolist() == [(2, 80.0), (1, 5.0)]


def test_death_without_another_event_is_the_first_event() -> None:
    cohort = cohort_of(("none", 400.0, 1, 450.0), ("relapse", 10.0, 0, 20.0))
    assert make_outcome(cohort, "relapse").y.tolist() == [(2, 450.0), (1, 10.0)]
    assert make_outcome(cohort, "efs").y.tolist() == [(1, 450.0), (1, 10.0)]


def test_patients_without_an_outcome_are_left_out_and_counted() -> None:
    cohort = cohort_of(
        ("relapse", 10.0, None, None),
        (None, None, None, None),
        (None, 55.0, 1, 60.0),
        ("none", None, None, None),
        ("none", 0.0, 0, 0.0),
    )
    relapse = make_outcome(cohort, "relapse")
    assert relapse.patient_ids.tolist() == ["p1"]
    assert relapse.excluded == {
        "first event not recorded": 2,
        "event-free time not recorded": 1,
        "censored on the day of diagnosis": 1,
    }
    os = make_outcome(cohort, "os")
    assert os.patient_ids.tolist() == ["p3"]
    assert os.excluded == {"death not recorded": 3, "censored on the day of diagnosis": 1}


def test_an_event_on_the_day_of_diagnosis_counts_as_half_a_day() -> None:
    cohort = cohort_of(("death", 0.0, 1, 0.0), ("relapse", 5.0, 0, 9.0))
    assert make_outcome(cohort, "relapse").y.tolist() == [(2, 0.5), (1, 5.0)]
    assert make_outcome(cohort, "os").y["time"].tolist() == [0.5, 9.0]


@pytest.mark.parametrize(
    ("row", "endpoint", "problem", "column"),
    [
        (("relapse", -1.0, 0, 9.0), "relapse", "negative time", "event_days"),
        (("none", 5.0, 0, -9.0), "os", "negative time", "followup_days"),
        (("relapse", None, 0, 9.0), "efs", "a first event has no time", "event_days"),
        (("relapse", 10.0, 0, 9.0), "relapse", "after the end of follow-up", "event_days"),
        (("none", 10.0, 1, None), "relapse", "a first event has no time", "event_days"),
        (("relapse", 10.0, 1, None), "os", "a death has no time", "followup_days"),
    ],
)
def test_contradictions_are_refused_with_their_rows(row: tuple, endpoint: str, problem: str, column: str) -> None:
    cohort = cohort_of(("relapse", 5.0, 1, 9.0), row)
    with pytest.raises(InputError, match=problem) as caught:
        make_outcome(cohort, endpoint)
    assert caught.value.column == column
    assert caught.value.rows == [2]


@pytest.mark.parametrize("endpoint", ["relapse", "efs", "os"])
def test_a_cohort_without_events_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match=f"endpoint '{endpoint}'"):
        make_outcome(cohort_of(("none", 50.0, 0, 60.0), ("none", 70.0, 0, 70.0)), endpoint)


def test_a_cohort_without_outcome_columns_is_refused() -> None:
    with pytest.raises(InputError, match="no patient"):
        make_outcome(cohort_of(sex=["male", "female"]), "relapse")


@pytest.mark.parametrize("argument", ["endpoint", "unspecified", "progressive"])
def test_illegal_arguments_name_the_legal_ones(argument: str) -> None:
    arguments = {"endpoint": "relapse", argument: "pfs"}
    with pytest.raises(InputError, match="'pfs'") as caught:
        make_outcome(EVERY_KIND, **arguments)
    assert caught.value.expected


def test_refractory_is_less_than_a_partial_response() -> None:
    cohort = cohort_of(induction_response=["CR", "PR", "MR", "SD", "PD", None])
    outcome = make_outcome(cohort, "refractory")
    assert outcome.y.tolist() == [0, 0, 1, 1, 1]
    assert not outcome.is_survival
    assert outcome.excluded == {"response to induction not recorded": 1}
    without = make_outcome(cohort, "refractory", progressive="exclude")
    assert without.y.tolist() == [0, 0, 1, 1]
    assert without.excluded == {"response to induction not recorded": 1, "progressive disease during induction": 1}


@pytest.mark.parametrize("responses", [["CR", "PR"], ["SD", "MR"], [None, None]])
def test_refractory_needs_both_kinds(responses: list) -> None:
    with pytest.raises(InputError, match="refractory"):
        make_outcome(cohort_of(induction_response=responses), "refractory")


def test_refractory_needs_the_column() -> None:
    with pytest.raises(InputError, match="0 patients"):
        make_outcome(EVERY_KIND, "refractory")


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(7)))
def test_row_order_does_not_matter(order: list[int]) -> None:
    shuffled = Cohort("shuffled", EVERY_KIND.patients.iloc[list(order)], pd.DataFrame(), pd.DataFrame())
    for endpoint in ("relapse", "efs", "os"):
        expected = make_outcome(EVERY_KIND, endpoint)
        np.testing.assert_array_equal(make_outcome(shuffled, endpoint).take(expected.patient_ids).y, expected.y)


def test_nullable_types_give_the_same_outcome() -> None:
    typed = EVERY_KIND.patients.astype({"event": "string", "event_days": "Float64", "death": "boolean"})
    cohort = Cohort("typed", typed, pd.DataFrame(), pd.DataFrame())
    for endpoint in ("relapse", "efs", "os"):
        np.testing.assert_array_equal(make_outcome(cohort, endpoint).y, make_outcome(EVERY_KIND, endpoint).y)
