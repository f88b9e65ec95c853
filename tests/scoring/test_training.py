"""What a bundle remembers of its training patients, and what it cannot tell about any one of them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import TrainingSummary, is_simulated
from nbrelapse.scoring._training import _marks_of, _resemblance, _risk_groups, _unseen_groups
from nbrelapse.simulation import simulate_cohort


@pytest.fixture(scope="module")
def trained() -> Cohort:
    return simulate_cohort(300, seed=7)


@pytest.fixture(scope="module")
def others() -> Cohort:
    return simulate_cohort(300, seed=8)


def joined(first: Cohort, second: Cohort) -> Cohort:
    """Return the patients of two cohorts in one, those of the second under other names."""
    renamed = second.patients.assign(patient_id="x" + second.patients["patient_id"])
    return replace(first, name="both", patients=pd.concat([first.patients, renamed], ignore_index=True))


@pytest.mark.parametrize("number", [299, 103, 60, 30])
def test_part_of_the_training_patients_is_recognised(trained: Cohort, number: int) -> None:
    marks = _marks_of(trained, trained.patient_ids)
    assert marks is not None
    found = _resemblance(marks, trained, trained.patient_ids[-number:])
    assert found is not None and found.beyond_chance
    assert 0.7 * number <= found.alike <= number == found.compared


def test_some_among_others_are_recognised_and_about_as_many(trained: Cohort, others: Cohort) -> None:
    both = joined(trained, others)
    marks = _marks_of(trained, trained.patient_ids)
    assert marks is not None
    found = _resemblance(marks, both, both.patient_ids[200:400])
    assert found is not None and found.beyond_chance
    assert 70 <= found.alike <= 130


def test_other_patients_are_not_taken_for_training_patients(trained: Cohort) -> None:
    marks = _marks_of(trained, trained.patient_ids)
    assert marks is not None
    for seed in range(20, 26):
        cohort = simulate_cohort(80, seed=seed)
        found = _resemblance(marks, cohort, cohort.patient_ids)
        assert found is not None and not found.beyond_chance


def test_ages_in_whole_years_are_no_resemblance(trained: Cohort, others: Cohort) -> None:
    def in_years(cohort: Cohort) -> Cohort:
        years = (cohort.patients["age_days"] / 365.25).round() * 365.25
        rough = {name: (cohort.patients[name] / 365.25).round() * 365.25 for name in ("event_days", "followup_days")}
        return replace(cohort, patients=cohort.patients.assign(age_days=years, **rough))

    marks = _marks_of(in_years(trained), trained.patient_ids)
    assert marks is not None
    found = _resemblance(marks, in_years(others), others.patient_ids)
    assert found is None or not found.beyond_chance


def test_one_patient_cannot_be_recognised(trained: Cohort, others: Cohort) -> None:
    """A quarter of the bits are turned: a set bit of a patient raises nobody's odds more than threefold."""
    marks = _marks_of(trained, trained.patient_ids)
    assert marks is not None
    assert _resemblance(marks, trained, trained.patient_ids[:1]) is None
    turned = []
    for left_out in range(40):
        ids = trained.patient_ids.delete(left_out)
        first, second = (np.unpackbits(np.frombuffer(base64.b64decode(m["bits"]), np.uint8))[: m["size"]]
                         for m in (marks, _marks_of(trained, ids)) if m is not None)  # fmt: skip
        turned.append(np.mean(first[: len(second)] != second))
    # Salt and noise are drawn anew, so two rows of bits that differ by one patient share nothing.
    assert min(turned) > 0.3
    share = np.unpackbits(np.frombuffer(base64.b64decode(marks["bits"]), np.uint8)).mean()
    assert 0.25 < share < 0.31


def test_the_same_patients_have_the_same_marks_in_any_order(trained: Cohort) -> None:
    shuffled = replace(trained, patients=trained.patients.sample(frac=1, random_state=1).reset_index(drop=True))
    assert _marks_of(shuffled, shuffled.patient_ids) == _marks_of(trained, trained.patient_ids)


def test_too_few_with_an_age_have_no_marks(trained: Cohort) -> None:
    ages = trained.patients["age_days"].where(trained.patients.index < 9)
    assert _marks_of(replace(trained, patients=trained.patients.assign(age_days=ages)), trained.patient_ids) is None


def test_a_summary_tells_groups_and_no_patient(trained: Cohort) -> None:
    summary = TrainingSummary.of(trained, make_outcome(trained, "efs"))
    text = json.dumps(summary.to_dict())
    assert TrainingSummary.from_dict(json.loads(text)) == summary
    assert sum((summary.groups or {}).values()) == 300
    assert "SIM-0" not in text
    assert summary.of_simulated
    assert TrainingSummary.of(None, make_outcome(trained, "efs")).groups is None


def test_simulated_patients_are_known_under_another_name(trained: Cohort) -> None:
    hidden = replace(trained, name="mine", metadata={})
    assert is_simulated(hidden)
    assert not is_simulated(replace(hidden, patients=hidden.patients.assign(patient_id="T" + hidden.patient_ids)))
    assert TrainingSummary(cohort="simulated").of_simulated
    assert not TrainingSummary(cohort="target").of_simulated


def test_groups_are_the_recorded_ones_else_those_of_the_rules(trained: Cohort) -> None:
    unrecorded = trained.patients.assign(risk_group=pd.NA, high_risk=pd.array([pd.NA] * 300, dtype="boolean"))
    unrecorded["risk_group"] = unrecorded["risk_group"].astype(trained.patients["risk_group"].dtype)
    by_rule = _risk_groups(replace(trained, patients=unrecorded))
    recorded = _risk_groups(trained)
    assert recorded.tolist() == trained.patients["risk_group"].tolist()
    assert by_rule.notna().mean() > 0.5
    known = by_rule.notna()
    assert (by_rule[known].eq("high") == recorded[known].eq("high")).mean() > 0.8
    only = unrecorded.assign(high_risk=pd.array([True, False] * 150, dtype="boolean"))
    assert _risk_groups(replace(trained, patients=only)).tolist() == ["high", "not high"] * 150


@pytest.mark.parametrize(
    ("groups", "patients", "high_risk", "unseen", "told"),
    [
        ({"high": 122}, 122, 122, {"low", "intermediate", "not high"}, "high-risk patients only"),
        ({"high": 96, "low": 4}, 100, 96, {"low", "intermediate", "not high"}, "almost only (96 of 100)"),
        ({"low": 50, "intermediate": 50}, 100, 0, {"high"}, "no high-risk patients"),
        ({"not high": 99, "high": 1}, 100, 1, {"high"}, "hardly any high-risk patients (1 of 100)"),
        ({"low": 50, "high": 50}, 100, 50, {"intermediate"}, "no intermediate-risk patients"),
        (None, 122, 122, {"low", "intermediate", "not high"}, "high-risk patients only"),
    ],
)
def test_groups_that_training_did_not_see(
    groups: dict[str, int] | None, patients: int, high_risk: int, unseen: set[str], told: str
) -> None:
    found = _unseen_groups(groups, patients, high_risk)
    assert found is not None
    assert found.groups == unseen
    assert told in found.told


@pytest.mark.parametrize(
    ("groups", "patients", "high_risk"),
    [
        ({"low": 40, "intermediate": 20, "high": 40}, 100, 40),
        ({"high": 40, "not high": 60}, 100, 40),
        ({"high": 30}, 100, 30),  # of most it is not known
        ({}, 100, 0),
        (None, 500, 178),
        (None, 500, 0),  # nobody high-risk, or not recorded
        (None, None, None),
    ],
)
def test_nothing_is_said_where_all_groups_were_seen_or_nothing_is_known(
    groups: dict[str, int] | None, patients: int | None, high_risk: int | None
) -> None:
    assert _unseen_groups(groups, patients, high_risk) is None
