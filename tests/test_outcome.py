"""What an outcome tells of itself, and how it is cut."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from sklearn.model_selection import train_test_split

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import FeatureTable, load_catalogue
from nbrelapse.models.design import align_patients
from nbrelapse.outcome import (
    BINARY,
    SURVIVAL,
    SURVIVAL_DTYPE,
    Outcome,
    count_endpoints,
    kind_of,
    kind_of_endpoint,
    left_out_notes,
    make_outcome,
    summarize_outcome,
    values_of,
)


@pytest.fixture
def relapse() -> Outcome:
    y = np.array([(1, 200.0), (2, 31.0), (0, 900.0), (1, 1250.5)], dtype=SURVIVAL_DTYPE)
    ids = pd.Index(list("abcd"), name="patient_id", dtype="str")
    return Outcome("relapse", ids, y, {"first event not recorded": 1200}, {"unspecified": "event"})


@pytest.fixture
def refractory() -> Outcome:
    return Outcome("refractory", pd.Index(list("abc")), np.array([1, 0, 0], dtype=np.int8))


def test_events_times_and_patients(relapse: Outcome, refractory: Outcome) -> None:
    assert relapse.events.tolist() == [1, 2, 0, 1]
    assert relapse.times.tolist() == [200.0, 31.0, 900.0, 1250.5]
    assert relapse.index is relapse.patient_ids
    assert (len(relapse), relapse.shape) == (4, (4,))
    assert refractory.events.tolist() == [1, 0, 0]
    assert refractory.events.dtype == relapse.events.dtype == np.int64
    relapse.times[0] = 0.0
    assert relapse.y["time"][0] == 200.0


def test_a_binary_outcome_has_no_times(refractory: Outcome) -> None:
    with pytest.raises(InputError, match="endpoint 'refractory' has no times") as error:
        _ = refractory.times
    assert error.value.fix == "use `events`, 1 = refractory"


def test_as_an_array_it_is_y(relapse: Outcome, refractory: Outcome) -> None:
    assert np.asarray(relapse).dtype == SURVIVAL_DTYPE
    np.testing.assert_array_equal(np.asarray(relapse), relapse.y)
    assert np.shares_memory(np.asarray(relapse), relapse.y)
    assert np.asarray(refractory, dtype=float).tolist() == [1.0, 0.0, 0.0]


def test_it_is_cut_by_patient_and_by_row(relapse: Outcome) -> None:
    taken = relapse.take(pd.Index(["d", "a"]))
    assert taken.times.tolist() == [1250.5, 200.0]
    for rows in ([3, 0], np.array([3, 0])):
        assert relapse[rows].patient_ids.tolist() == ["d", "a"]
        assert relapse[rows].times.tolist() == [1250.5, 200.0]
    assert relapse[relapse.events == 1].patient_ids.tolist() == ["a", "d"]
    assert relapse[1:3].choices == relapse.choices
    with pytest.raises(TypeError, match="its values are `y`"):
        relapse[0]
    with pytest.raises(TypeError, match="its values are `y`"):
        relapse["event"]
    train, test = train_test_split(relapse, test_size=0.5, random_state=0)
    assert sorted([*train.patient_ids, *test.patient_ids]) == list("abcd")


def test_its_summary_is_that_of_the_module(relapse: Outcome) -> None:
    assert relapse.summary() == summarize_outcome(relapse)


def test_its_text_says_what_happened_and_who_was_left_out(relapse: Outcome, refractory: Outcome) -> None:
    assert repr(relapse).splitlines() == [
        "Outcome 'relapse': 4 patients, 2 events, 1 competing, 1 censored",
        "  times: 31 to 1250.5 days",
        "  left out: 1,200 first event not recorded",
        "  choices: unspecified = event",
    ]
    assert repr(relapse[[0]]).splitlines()[0] == "Outcome 'relapse': 1 patient, 1 event, 0 censored"
    assert repr(refractory) == "Outcome 'refractory': 3 patients, 1 refractory, 2 responding"
    assert repr(relapse[[]]).startswith("Outcome 'relapse': 0 patients, 0 events, 0 censored")


def test_its_html_is_escaped(relapse: Outcome) -> None:
    odd = Outcome("relapse", relapse.patient_ids, relapse.y, {"<b>": 1})
    assert odd._repr_html_() == (
        "<p>Outcome &#x27;relapse&#x27;: 4 patients, 2 events, 1 competing, 1 censored</p>"
        "<ul><li>times: 31 to 1250.5 days</li><li>left out: 1 &lt;b&gt;</li></ul>"
    )


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
    assert caught.value.column == column
    assert caught.value.rows == [2]


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
    with pytest.raises(InputError, match=f"endpoint '{endpoint}'"):
        make_outcome(cohort_of(("none", 50.0, 0, 60.0), ("none", 70.0, 0, 70.0)), endpoint)


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
    assert caught.value.expected


def test_refractory_is_less_than_a_partial_response() -> None:
    cohort = cohort_of(induction_response=["CR", "PR", "MR", "SD", "PD", None])
    outcome = make_outcome(cohort, "refractory")
    assert outcome.y.tolist() == [0, 0, 1, 1, 1]
    assert outcome.kind is BINARY
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


YEAR = 365.25


def outcome_of(rows: list[tuple[int, float]], endpoint: str = "relapse") -> Outcome:
    return Outcome(endpoint, pd.RangeIndex(len(rows)), np.array(rows, dtype=SURVIVAL_DTYPE))


def test_hand_computed_estimates() -> None:
    rows = [(1, 0.5 * YEAR), (0, 0.8 * YEAR), (1, 1.5 * YEAR), (0, 4 * YEAR), (0, 6 * YEAR)]
    summary = summarize_outcome(outcome_of(rows, "efs"))
    assert summary["n"] == 5
    assert summary["events"] == {"event": 2, "censored": 3}
    by_year = {row["years"]: row["estimate"] for row in summary["event_free"]}
    assert by_year == pytest.approx({1.0: 4 / 5, 2.0: 4 / 5 * 2 / 3, 3.0: 4 / 5 * 2 / 3, 5.0: 4 / 5 * 2 / 3})
    assert summary["median_followup_years"] == pytest.approx(4.0)
    assert "cumulative_incidence" not in summary


def test_before_the_first_event_and_beyond_follow_up() -> None:
    summary = summarize_outcome(outcome_of([(1, 1.5 * YEAR), (0, 2.5 * YEAR)], "os"))
    assert summary["event_free"][0] == {"years": 1.0, "estimate": 1.0, "low": None, "high": None}
    assert summary["event_free"][2] == {"years": 3.0, "estimate": None, "low": None, "high": None}


def test_median_follow_up_is_none_when_not_reached() -> None:
    assert summarize_outcome(outcome_of([(1, 3.0), (1, 4.0), (0, 1.0)], "os"))["median_followup_years"] is None


def test_agrees_with_lifelines() -> None:
    rng = np.random.default_rng(5)
    time = rng.exponential(3 * YEAR, 300).round(6)
    code = rng.choice([0, 1, 2], 300, p=[0.4, 0.45, 0.15])
    summary = summarize_outcome(outcome_of(list(zip(code.tolist(), time.tolist(), strict=True))))
    survival = KaplanMeierFitter().fit(time, code > 0)
    incidence = AalenJohansenFitter(calculate_variance=False).fit(time, code, event_of_interest=1)
    for row, incident in zip(summary["event_free"], summary["cumulative_incidence"], strict=True):
        day = row["years"] * YEAR
        assert row["estimate"] == pytest.approx(float(survival.predict(day)))
        limits = survival.confidence_interval_.loc[:day].iloc[-1]
        assert [row["low"], row["high"]] == pytest.approx(limits.tolist())
        assert incident["estimate"] == pytest.approx(float(incidence.cumulative_density_.loc[:day].iloc[-1, 0]))
        assert incident["low"] < incident["estimate"] < incident["high"]
    assert summary["events"] == {
        kind: int((code == key).sum()) for kind, key in (("event", 1), ("competing", 2), ("censored", 0))
    }


def test_refractory_counts() -> None:
    outcome = Outcome("refractory", pd.RangeIndex(3), np.array([1, 0, 0], dtype=np.int8), {"why": 2}, {"a": "b"})
    summary = summarize_outcome(outcome)
    assert summary["events"] == {"refractory": 1, "responding": 2}
    assert summary["excluded"] == {"why": 2}


def test_is_plain_json() -> None:
    json.dumps(summarize_outcome(outcome_of([(1, 100.0), (2, 200.0), (0, 900.0)])), allow_nan=False)


def ids(text: str) -> pd.Index:
    return pd.Index(list(text), name="patient_id", dtype="str")


@pytest.fixture
def table() -> FeatureTable:
    values = pd.DataFrame({"mycn__amplified": [1.0, 0.0, np.nan, 0.0]}, index=ids("abcd"))
    return FeatureTable(values, load_catalogue())


def outcome(patients: str, excluded: dict[str, int] | None = None) -> Outcome:
    y = np.array([(position % 2, 10.0 + position) for position in range(len(patients))], dtype=SURVIVAL_DTYPE)
    return Outcome("efs", ids(patients), y, excluded or {})


def test_the_same_patients_are_left_as_they_are(table: FeatureTable) -> None:
    y = outcome("abcd")
    features, values = align_patients(table, y)
    assert features is table.values
    assert values is y.y


def test_another_order_becomes_that_of_the_outcome(table: FeatureTable) -> None:
    y = outcome("dbca")
    for X in (table, table.values):
        features, values = align_patients(X, y)
        assert features.index.tolist() == list("dbca")
        assert features["mycn__amplified"].tolist()[3] == 1.0
        assert values is y.y


def test_patients_that_the_outcome_says_it_has_left_out_are_left_out(table: FeatureTable) -> None:
    features, values = align_patients(table, outcome("ca", {"first event not recorded": 1, "death not recorded": 1}))
    assert features.index.tolist() == ["c", "a"]
    assert len(values) == 2


@pytest.mark.parametrize(
    ("patients", "excluded", "problem", "fix"),
    [
        ("ca", {}, "2 of X are not in y", r"X.take\(y.patient_ids\)"),
        ("abc", {"death not recorded": 2}, "1 of X is not in y", r"X.take\(y.patient_ids\)"),
        ("abcdef", {}, "2 of y are not in X", r"y.take\(X.index\)"),
        ("abcx", {"death not recorded": 1}, "1 of X is not in y, 1 of y is not in X", "intersection"),
        ("aacd", {}, "y has more than one row of a patient: 1 of its 4 rows", "leave out the repeated rows"),
    ],
)
def test_other_patients_are_refused_by_number(
    table: FeatureTable, patients: str, excluded: dict[str, int], problem: str, fix: str
) -> None:
    with pytest.raises(InputError, match=problem) as error:
        align_patients(table, outcome(patients, excluded))
    assert pd.Series([error.value.fix]).str.contains(fix).all()
    assert error.value.rows is None


def test_a_patient_twice_in_the_features_is_refused(table: FeatureTable) -> None:
    with pytest.raises(InputError, match="X has more than one row of a patient: 1 of its 5 rows"):
        align_patients(table.values.loc[list("abcda")], outcome("abcd"))


def test_a_series_is_matched_by_its_index(table: FeatureTable) -> None:
    features, values = align_patients(table, pd.Series([0, 0, 1, 1], index=list("dcba")))
    assert features.index.tolist() == list("dcba")
    assert values.tolist() == [0, 0, 1, 1]
    with pytest.raises(InputError, match="4 of X are not in y, 4 of y are not in X"):
        align_patients(table, pd.Series([0, 0, 1, 1]))
    with pytest.raises(InputError, match=r"X.take\(y.index\)"):
        align_patients(table, pd.Series([0], index=["a"]))


def test_arrays_are_matched_by_row(table: FeatureTable) -> None:
    y = outcome("wxyz")
    features, values = align_patients(table.values.to_numpy(), y)
    assert features.columns.tolist() == ["x0"]
    assert values is y.y
    # Resampled rows bear an id more than once.
    drawn = table.values.loc[list("aabd")]
    assert align_patients(drawn, y.y)[0] is drawn


def test_arrays_of_other_lengths_are_refused(table: FeatureTable) -> None:
    with pytest.raises(InputError, match="X has 4 patients and y has 3"):
        align_patients(table, outcome("abc").y)
    with pytest.raises(InputError, match="X has 4 patients and y has 3"):
        align_patients(table.values.to_numpy(), outcome("abc", {"death not recorded": 1}))
    with pytest.raises(InputError, match="X has 1 dimensions"):
        align_patients(np.zeros(4), outcome("abcd"))
    with pytest.raises(InputError, match="y has one value"):
        align_patients(table, np.array(1))


TIMED = np.array([(1, 30.0), (0, 900.0), (2, 400.0)], dtype=SURVIVAL_DTYPE)
YES_OR_NO = np.array([1, 0, 0, 1], dtype=np.int8)


def test_an_outcome_and_its_array_are_of_one_kind():
    for y, endpoint, kind in ((TIMED, "efs", SURVIVAL), (YES_OR_NO, "refractory", BINARY)):
        outcome = Outcome(endpoint, pd.RangeIndex(len(y)), y)
        assert kind_of(y) is kind_of(outcome) is outcome.kind is kind_of_endpoint(endpoint) is kind
        assert values_of(outcome) is y


def test_kinds_are_equal_after_a_journey_to_another_process():
    assert pickle.loads(pickle.dumps(BINARY)) == BINARY != SURVIVAL


@pytest.mark.parametrize(("y", "event", "rarest"), [(TIMED, [1, 0, 2], 1), (YES_OR_NO, [1, 0, 0, 1], 2)])
def test_events_and_the_rarest_that_is_needed(y, event, rarest):
    assert kind_of(y).event(y).tolist() == event
    assert kind_of(y).rarest(y) == rarest


def test_those_without_a_binary_event_outlive_those_with_it():
    assert BINARY.with_times(YES_OR_NO).tolist() == [(1, 1.0), (0, 2.0), (0, 2.0), (1, 1.0)]
    assert SURVIVAL.with_times(TIMED) is TIMED


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
    with pytest.raises(InputError, match="illegal landmark"):
        make_outcome(cohort, "relapse", landmark_days=landmark)


def test_a_landmark_beyond_the_events_or_the_follow_up_is_refused(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="after the landmark") as error:
        make_outcome(cohort, "relapse", landmark_days=500)
    assert "1 patients are under observation" in str(error.value.expected)
    with pytest.raises(InputError, match="after the landmark") as error:
        make_outcome(cohort, "relapse", landmark_days=5000)
    assert "0 patients are under observation" in str(error.value.expected)


def test_a_binary_endpoint_has_no_landmark(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="'refractory' has no landmark"):
        make_outcome(cohort, "refractory", landmark_days=90)
