"""From the recorded course of patients to the outcome of an endpoint."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.outcome import BINARY, count_endpoints, left_out_notes, make_outcome

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


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # The day before the death is not the day of death, and a month before is not either.
        (("unspecified", 79.0, 1, 80.0), (1, 79.0)),
        (("unspecified", 50.0, 1, 80.0), (1, 50.0)),
        # On the last day of follow-up of a patient who lives.
        (("unspecified", 80.0, 0, 80.0), (1, 80.0)),
        # A kind that is recorded stands, also on the day of death.
        (("relapse", 80.0, 1, 80.0), (1, 80.0)),
        (("progression", 80.0, 1, 80.0), (1, 80.0)),
        (("second_malignancy", 80.0, 1, 80.0), (2, 80.0)),
    ],
)
def test_only_an_unspecified_event_on_the_very_day_of_death_is_the_death(row: tuple, expected: tuple) -> None:
    assert make_outcome(cohort_of(row, ("relapse", 5.0, 0, 9.0)), "relapse").y[0].tolist() == expected


def test_death_without_another_event_is_the_first_event() -> None:
    cohort = cohort_of(("none", 400.0, 1, 450.0), ("relapse", 10.0, 0, 20.0))
    assert make_outcome(cohort, "relapse").y.tolist() == [(2, 450.0), (1, 10.0)]
    assert make_outcome(cohort, "efs").y.tolist() == [(1, 450.0), (1, 10.0)]


def test_event_free_time_is_the_one_recorded_and_follow_up_only_where_there_is_none() -> None:
    # Seen without event on day 1000, known to live on day 1200; the other was seen after his last follow-up.
    cohort = cohort_of(("none", 1000.0, 0, 1200.0), ("none", 70.0, 0, 60.0), ("relapse", 5.0, 0, 9.0))
    for endpoint in ("relapse", "efs"):
        assert make_outcome(cohort, endpoint).y.tolist() == [(0, 1000.0), (0, 70.0), (1, 5.0)]


def test_overall_survival_reads_death_and_follow_up_only() -> None:
    cohort = cohort_of(
        ("relapse", -1.0, 1, 9.0), ("relapse", 90.0, 0, 60.0), ("relapse", None, 0, 30.0), (None, None, 0, None)
    )
    outcome = make_outcome(cohort, "os")
    assert outcome.y.tolist() == [(1, 9.0), (0, 60.0), (0, 30.0)]
    assert outcome.excluded == {"follow-up time not recorded": 1}


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


def test_only_censoring_on_day_0_is_left_out() -> None:
    cohort = cohort_of(("none", 1.0, 0, 1.0), ("none", 0.5, 0, 0.5), ("none", 0.0, 0, 0.0), ("relapse", 1.0, 0, 9.0))
    for endpoint in ("relapse", "efs"):
        outcome = make_outcome(cohort, endpoint)
        assert outcome.y.tolist() == [(0, 1.0), (0, 0.5), (1, 1.0)]
        assert outcome.excluded == {"censored on the day of diagnosis": 1}


def test_a_patient_is_counted_under_the_first_reason_to_leave_him_out() -> None:
    cohort = cohort_of(
        ("unspecified", 0.0, 0, 90.0), (None, 0.0, 0, 90.0), ("unspecified", 40.0, 0, 90.0), ("relapse", 80.0, 0, 90.0)
    )
    assert make_outcome(cohort, "efs").excluded == {"first event not recorded": 1}
    expected = {"kind of first event not recorded": 2, "first event not recorded": 1}
    for landmark in (0, 50):
        outcome = make_outcome(cohort, "relapse", unspecified="exclude", landmark_days=landmark)
        assert outcome.excluded == expected


def test_choices_name_what_the_endpoint_depends_on() -> None:
    relapse = {"day_0_events": "half a day", "unspecified": "event"}
    assert make_outcome(EVERY_KIND, "relapse").choices == relapse
    assert make_outcome(EVERY_KIND, "efs").choices == {"day_0_events": "half a day"}
    assert make_outcome(EVERY_KIND, "os", landmark_days=30).choices == {
        "day_0_events": "half a day",
        "landmark_days": 30.0,
    }


@pytest.mark.parametrize(
    ("row", "endpoint", "problem", "column"),
    [
        (("none", -0.5, 0, 9.0), "relapse", "negative time", "event_days"),
        (("none", 5.0, 0, -9.0), "relapse", "negative time", "followup_days"),
        (("relapse", 9.5, 0, 9.0), "relapse", "after the end of follow-up", "event_days"),
        (("relapse", -1.0, 0, 9.0), "relapse", "negative time", "event_days"),
        (("none", 5.0, 0, -9.0), "os", "negative time", "followup_days"),
        (("relapse", 10.0, 0, 9.0), "relapse", "after the end of follow-up", "event_days"),
        # Event-free beyond what rounding to months explains; also of those who died.
        (("none", 1500.0, 0, 1000.0), "relapse", "event-free after the end of follow-up", "event_days"),
        (("none", 1500.0, None, 1000.0), "efs", "event-free after the end of follow-up", "event_days"),
        (("none", 1500.0, 1, 1000.0), "efs", "event-free after the end of follow-up", "event_days"),
        (("none", 41.5, 0, 9.0), "relapse", "event-free after the end of follow-up", "event_days"),
    ],
)
def test_contradictions_are_refused_with_their_rows(row: tuple, endpoint: str, problem: str, column: str) -> None:
    cohort = cohort_of(("relapse", 5.0, 1, 9.0), row)
    with pytest.raises(InputError, match=problem) as caught:
        make_outcome(cohort, endpoint)
    assert (caught.value.file, caught.value.column, caught.value.rows) == ("patients", column, [2])


@pytest.mark.parametrize(
    ("column", "code", "endpoints"),
    [
        ("event", "Relapse", ["relapse", "efs"]),
        ("death", 2, ["relapse", "efs", "os"]),
        ("induction_response", "VGPR", ["refractory"]),
    ],
)
def test_an_unknown_code_is_refused_and_never_read_as_no_event(column: str, code: object, endpoints: list[str]) -> None:
    rows = [("none", 40.0, 0, 90.0), ("relapse", 5.0, 0, 9.0), ("death", 8.0, 1, 8.0)]
    patients = cohort_of(*rows, induction_response=["CR", "SD", None]).patients.astype({column: "object"})
    patients.loc[0, column] = code
    cohort = Cohort("unread", patients, pd.DataFrame(), pd.DataFrame())
    for endpoint in ("relapse", "efs", "os", "refractory"):
        if endpoint in endpoints:
            with pytest.raises(InputError, match="unknown code") as caught:
                make_outcome(cohort, endpoint)
            assert (caught.value.column, caught.value.rows) == (column, [1])
            assert count_endpoints(cohort)[endpoint]["problem"] == "unknown code, rows: 1"
        else:
            assert make_outcome(cohort, endpoint).y[0].tolist() in [(0, 40.0), (0, 90.0), 0]


@pytest.mark.parametrize(
    ("row", "endpoint", "reason"),
    [
        # An event and a time of death, but no event-free time, as in 4 of 159 patients of a published cohort.
        (("unspecified", None, 1, 400.0), "efs", "first event has no time"),
        (("unspecified", None, 1, 400.0), "relapse", "first event has no time"),
        (("death", None, 1, 400.0), "relapse", "first event has no time"),
        (("none", 10.0, 1, None), "relapse", "first event has no time"),
        (("relapse", None, 0, 9.0), "efs", "first event has no time"),
        (("relapse", 10.0, 1, None), "os", "death has no time"),
        (("relapse", 10.0, 0, None), "os", "follow-up time not recorded"),
        (("none", None, 0, None), "efs", "event-free time not recorded"),
    ],
)
def test_a_missing_time_is_a_missing_outcome(row: tuple, endpoint: str, reason: str) -> None:
    cohort = cohort_of(row, ("relapse", 5.0, 1, 9.0))
    for landmark in (0, 2):
        outcome = make_outcome(cohort, endpoint, landmark_days=landmark)
        assert outcome.patient_ids.tolist() == ["p2"]
        assert outcome.excluded == {reason: 1}
    assert count_endpoints(cohort)[endpoint] == {
        "patients": 1,
        "events": 1,
        "competing": 0,
        "unspecified": 0,
        "left_out": {reason: 1},
        "dead_left_out": int(row[2] == 1),
        "problem": None,
    }


def test_a_month_of_rounding_is_no_contradiction_and_overall_survival_asks_for_no_event() -> None:
    cohort = cohort_of(("none", 40.0, 0, 9.0), ("none", 40.0, 1, 9.0), ("relapse", 5.0, 0, 9.0))
    assert make_outcome(cohort, "efs").y.tolist() == [(0, 40.0), (1, 9.0), (1, 5.0)]
    late = cohort_of(("none", 1500.0, 0, 1000.0), ("relapse", 5.0, 1, 9.0))
    assert make_outcome(late, "os").y.tolist() == [(0, 1000.0), (1, 9.0)]
    assert count_endpoints(late)["efs"]["problem"] == "event-free after the end of follow-up, rows: 1"


DEAD = cohort_of(
    ("relapse", 100.0, 1, 300.0),
    ("none", None, 0, 2000.0),
    # No first event is recorded.
    (None, None, 1, 400.0),
    (None, 55.0, 1, 700.0),
    (None, None, 1, 0.0),
    # The day of the death is not known, nobody knows whether he lives, he lives; a first event without its day.
    (None, None, 1, None),
    (None, None, None, 900.0),
    (None, None, 0, 900.0),
    ("unspecified", None, 1, 800.0),
    ("none", None, 1, None),
)


@pytest.mark.parametrize("endpoint", ["efs", "relapse"])
def test_patients_without_a_recorded_first_event_are_left_out_and_the_dead_among_them_named(endpoint: str) -> None:
    outcome = make_outcome(DEAD, endpoint)
    assert outcome.y.tolist() == [(1, 100.0), (0, 2000.0)]
    assert outcome.excluded == {"first event not recorded": 6, "first event has no time": 2}
    assert outcome.dead_left_out == 6
    assert "left out: 6 first event not recorded, 2 first event has no time; 6 of them dead" in repr(outcome)
    assert left_out_notes(outcome) == [
        "patients without an outcome, left out: 6 first event not recorded, 2 first event has no time; 6 of them are "
        "dead, which flatters the others"
    ]
    assert outcome[:2].dead_left_out == 6
    assert make_outcome(DEAD, "efs", landmark_days=50).dead_left_out == 6
    assert count_endpoints(DEAD)[endpoint]["dead_left_out"] == 6
    assert left_out_notes(make_outcome(EVERY_KIND, "efs")) == []


def test_an_event_without_a_time_still_counts_where_its_time_is_not_asked_for() -> None:
    cohort = cohort_of(("unspecified", None, 1, 400.0), ("relapse", 5.0, 0, 9.0))
    assert make_outcome(cohort, "os").y.tolist() == [(1, 400.0), (0, 9.0)]


def test_endpoints_that_cannot_be_used_are_counted_with_the_reason() -> None:
    counts = count_endpoints(cohort_of(("relapse", 9.5, 0, 9.0), ("death", None, 0, 60.0)))
    assert counts["efs"]["patients"] is None
    assert counts["efs"]["problem"] == "a first event comes after the end of follow-up, rows: 1"
    assert (counts["os"]["patients"], counts["os"]["events"]) == (2, 0)
    assert counts["os"]["problem"] == "no patient of cohort 'hand-written' has the event of endpoint 'os'"
    assert (counts["refractory"]["patients"], counts["refractory"]["left_out"]) == (
        0,
        {"response to induction not recorded": 2},
    )


@pytest.mark.parametrize("endpoint", ["relapse", "efs", "os"])
def test_a_cohort_without_events_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match=f"of cohort 'hand-written' has the event of endpoint '{endpoint}'") as caught:
        make_outcome(cohort_of(("none", 50.0, 0, 60.0), ("none", 70.0, 0, 70.0)), endpoint)
    assert "fill event, event_days, death and followup_days" in str(caught.value.fix)


@pytest.mark.parametrize(("landmark", "problem"), [(0, "no patient of cohort"), (30, "after the landmark")])
def test_competing_events_alone_are_no_events(landmark: float, problem: str) -> None:
    cohort = cohort_of(("death", 50.0, 1, 50.0), ("none", 70.0, 0, 70.0), ("relapse", 20.0, 0, 30.0))
    others = Cohort("deaths", cohort.patients.iloc[: 3 if landmark else 2], pd.DataFrame(), pd.DataFrame())
    with pytest.raises(InputError, match=problem) as caught:
        make_outcome(others, "relapse", landmark_days=landmark)
    assert "2 patients" in str(caught.value.expected)


def test_a_cohort_without_outcome_columns_is_refused() -> None:
    with pytest.raises(InputError, match="no patient"):
        make_outcome(cohort_of(sex=["male", "female"]), "relapse")


@pytest.mark.parametrize("argument", ["endpoint", "unspecified", "progressive"])
def test_illegal_arguments_name_the_legal_ones(argument: str) -> None:
    arguments = {"endpoint": "relapse", argument: "pfs"}
    with pytest.raises(InputError, match="'pfs'") as caught:
        make_outcome(EVERY_KIND, **arguments)
    assert caught.value.column == argument
    assert caught.value.expected


def test_refractory_is_less_than_a_partial_response() -> None:
    cohort = cohort_of(induction_response=["CR", "PR", "MR", "SD", "PD", None])
    outcome = make_outcome(cohort, "refractory")
    assert outcome.y.tolist() == [0, 0, 1, 1, 1]
    assert outcome.kind is BINARY
    assert (outcome.endpoint, outcome.choices) == ("refractory", {"progressive": "refractory"})
    assert outcome.excluded == {"response to induction not recorded": 1}
    without = make_outcome(cohort, "refractory", progressive="exclude")
    assert without.y.tolist() == [0, 0, 1, 1]
    assert without.excluded == {"response to induction not recorded": 1, "progressive disease during induction": 1}


@pytest.mark.parametrize("responses", [["CR", "PR"], ["SD", "MR"], ["PD"], ["CR"], [None, None]])
def test_refractory_needs_both_kinds(responses: list) -> None:
    cohort = cohort_of(induction_response=responses)
    with pytest.raises(InputError, match="cannot be used for endpoint 'refractory'") as caught:
        make_outcome(cohort, "refractory")
    assert caught.value.column == "induction_response"
    assert count_endpoints(cohort)["refractory"]["problem"] == caught.value.problem


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


@pytest.fixture
def cohort() -> Cohort:
    """Relapses on days 0, 90 and 400, a death on day 60, ends of observation on days 90, 91 and 900."""
    patients = pd.DataFrame(
        {
            "patient_id": ["r0", "r90", "r400", "d60", "c90", "c91", "c900", "unknown"],
            "event": ["relapse", "relapse", "relapse", "death", "none", "none", "none", None],
            "event_days": [0.0, 90.0, 400.0, 60.0, 90.0, 91.0, 900.0, None],
            "death": [0, 1, 0, 1, 0, 0, 0, None],
            "followup_days": [500.0, 300.0, 500.0, 60.0, 90.0, 91.0, 900.0, None],
        }
    )
    return Cohort("eight", patients, pd.DataFrame(), pd.DataFrame())


def test_those_event_free_and_observed_after_the_landmark_remain_and_time_counts_from_it(cohort: Cohort) -> None:
    outcome = make_outcome(cohort, "relapse", landmark_days=90)
    assert list(outcome.patient_ids) == ["r400", "c91", "c900"]
    assert outcome.y.tolist() == [(1, 310.0), (0, 1.0), (0, 810.0)]
    assert outcome.excluded == {
        "event by day 90, the landmark": 2,
        "competing event by day 90, the landmark": 1,
        "observation ended by day 90, the landmark": 1,
        "first event not recorded": 1,
    }
    assert outcome.choices["landmark_days"] == 90.0


def test_a_patient_who_relapsed_before_the_landmark_is_still_at_risk_of_death(cohort: Cohort) -> None:
    outcome = make_outcome(cohort, "os", landmark_days=90)
    assert dict(zip(outcome.patient_ids, outcome.y.tolist(), strict=True))["r90"] == (1, 210.0)


def test_day_0_is_no_landmark(cohort: Cohort) -> None:
    plain, zero = make_outcome(cohort, "relapse"), make_outcome(cohort, "relapse", landmark_days=0)
    assert np.array_equal(plain.y, zero.y) and "landmark_days" not in zero.choices


@pytest.mark.parametrize("landmark", [-1.0, float("nan"), float("inf")])
def test_illegal_landmarks(cohort: Cohort, landmark: float) -> None:
    with pytest.raises(InputError, match="illegal landmark") as caught:
        make_outcome(cohort, "relapse", landmark_days=landmark)
    assert caught.value.column == "landmark_days"


def test_a_landmark_beyond_the_events_or_the_follow_up_is_refused(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="after the landmark") as error:
        make_outcome(cohort, "relapse", landmark_days=500)
    assert "1 patients are under observation" in str(error.value.expected)
    with pytest.raises(InputError, match="after the landmark") as error:
        make_outcome(cohort, "relapse", landmark_days=5000)
    assert "0 patients are under observation" in str(error.value.expected)


def test_a_binary_endpoint_has_no_landmark(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="'refractory' has no landmark") as caught:
        make_outcome(cohort, "refractory", landmark_days=90)
    assert caught.value.column == "landmark_days"
