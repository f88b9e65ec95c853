"""What an outcome tells of itself, and how it is cut."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from sklearn.model_selection import train_test_split

from nbrelapse.errors import InputError
from nbrelapse.outcome import (
    BINARY,
    SURVIVAL,
    SURVIVAL_DTYPE,
    Outcome,
    data_fingerprint,
    kind_of,
    kind_of_endpoint,
    outcome_fingerprint,
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
    assert taken.patient_ids.tolist() == ["d", "a"]
    assert taken.times.tolist() == [1250.5, 200.0]
    with pytest.raises(KeyError, match="1 of the patients have no outcome"):
        relapse.take(pd.Index(["a", "x"]))
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


def test_survival_is_read_from_the_first_step_on_and_falls_on_its_own_day() -> None:
    years = {"years": (0.25, 0.5, 1.0)}
    found = summarize_outcome(outcome_of([(1, 0.5 * YEAR), (0, 0.75 * YEAR), (1, 2 * YEAR)], "os"), **years)
    assert [row["estimate"] for row in found["event_free"]] == pytest.approx([1.0, 2 / 3, 2 / 3])
    assert [row["low"] is None for row in found["event_free"]] == [True, False, False]
    found = summarize_outcome(outcome_of([(1, 0.5 * YEAR), (0, 2 * YEAR)], "os"), **years)
    assert [row["estimate"] for row in found["event_free"]] == pytest.approx([1.0, 0.5, 0.5])


def test_before_the_first_event_and_beyond_follow_up() -> None:
    summary = summarize_outcome(outcome_of([(1, 1.5 * YEAR), (0, 2.5 * YEAR)], "os"))
    assert summary["event_free"][0] == {"years": 1.0, "estimate": 1.0, "low": None, "high": None}
    assert summary["event_free"][2] == {"years": 3.0, "estimate": None, "low": None, "high": None}


def test_median_follow_up_is_the_first_time_at_which_half_are_no_longer_followed() -> None:
    # Reverse Kaplan-Meier, 10.1016/0197-2456(96)00075-X: of four, half are censored by the end of the second year.
    rows = [(0, 1 * YEAR), (0, 2 * YEAR), (0, 3 * YEAR), (0, 4 * YEAR)]
    assert summarize_outcome(outcome_of(rows, "os"))["median_followup_years"] == pytest.approx(2.0)
    # A death is no end of follow-up: those who died would have been followed on.
    rows = [(1, 1 * YEAR), (1, 2 * YEAR), (0, 3 * YEAR), (0, 4 * YEAR)]
    assert summarize_outcome(outcome_of(rows, "os"))["median_followup_years"] == pytest.approx(3.0)


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
    assert summarize_outcome(outcome) == {
        "endpoint": "refractory",
        "n": 3,
        "events": {"refractory": 1, "responding": 2},
        "excluded": {"why": 2},
        "choices": {"a": "b"},
    }


def test_a_summary_tells_the_endpoint_who_was_left_out_and_the_choices(relapse: Outcome) -> None:
    summary = summarize_outcome(relapse)
    assert {name: summary[name] for name in ("endpoint", "n", "excluded", "choices")} == {
        "endpoint": "relapse",
        "n": 4,
        "excluded": {"first event not recorded": 1200},
        "choices": {"unspecified": "event"},
    }
    assert {"median_followup_years", "event_free", "cumulative_incidence"} <= set(summary)


def test_a_fingerprint_is_of_the_values_whatever_their_order_and_names(relapse: Outcome, refractory: Outcome) -> None:
    renamed = Outcome("efs", pd.Index(list("wxyz")), relapse.y)
    features = pd.DataFrame({"x": [1.0, 2.0, 3.0, np.nan]}, index=relapse.patient_ids)
    assert outcome_fingerprint(renamed) == outcome_fingerprint(relapse) == outcome_fingerprint(relapse[[2, 0, 3, 1]])
    there = data_fingerprint(features, relapse)
    assert there == data_fingerprint(features.set_axis(list("wxyz")), renamed)
    assert there == data_fingerprint(features.iloc[[2, 0, 3, 1]], relapse[[2, 0, 3, 1]])
    changed = relapse.y.copy()
    changed["time"][0] += 1
    others = [relapse[[0, 1, 2]], Outcome("relapse", relapse.patient_ids, changed), refractory]
    assert len({outcome_fingerprint(one) for one in (relapse, *others)}) == 4
    # The same values of other patients: features and outcomes that were shuffled against each other are other data.
    assert there != data_fingerprint(features.iloc[[1, 0, 2, 3]].set_axis(relapse.patient_ids), relapse)
    assert len(there) == len(outcome_fingerprint(refractory)) == 64


def test_is_plain_json() -> None:
    json.dumps(summarize_outcome(outcome_of([(1, 100.0), (2, 200.0), (0, 900.0)])), allow_nan=False)


TIMED = np.array([(1, 30.0), (0, 900.0), (2, 400.0)], dtype=SURVIVAL_DTYPE)
YES_OR_NO = np.array([1, 0, 0, 1], dtype=np.int8)


def test_an_outcome_and_its_array_are_of_one_kind():
    for y, endpoint, kind in ((TIMED, "efs", SURVIVAL), (YES_OR_NO, "refractory", BINARY)):
        outcome = Outcome(endpoint, pd.RangeIndex(len(y)), y)
        assert kind_of(y) is kind_of(outcome) is outcome.kind is kind_of_endpoint(endpoint) is kind
        assert values_of(outcome) is y
        assert values_of(outcome, kind) is values_of(y, kind) is y
        other = BINARY if kind is SURVIVAL else SURVIVAL
        with pytest.raises(ValueError, match=f"the outcome is {kind.name}, it must be {other.name}"):
            values_of(outcome, other)


def test_kinds_are_equal_after_a_journey_to_another_process():
    assert pickle.loads(pickle.dumps(BINARY)) == BINARY != SURVIVAL


@pytest.mark.parametrize(("y", "event", "rarest"), [(TIMED, [1, 0, 2], 1), (YES_OR_NO, [1, 0, 0, 1], 2)])
def test_events_and_the_rarest_that_is_needed(y, event, rarest):
    assert kind_of(y).event(y).tolist() == event
    assert kind_of(y).rarest(y) == rarest


def test_those_without_a_binary_event_outlive_those_with_it():
    assert BINARY.with_times(YES_OR_NO).tolist() == [(1, 1.0), (0, 2.0), (0, 2.0), (1, 1.0)]
    assert SURVIVAL.with_times(TIMED) is TIMED
