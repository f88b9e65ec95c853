from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.experiment.compare_with_training import group_course, similar_patients
from nbrelapse.experiment.observed_in_training import observed_in_training
from nbrelapse.report.patient_content import GroupCourse, SimilarPatients
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.observed_course import observed_course
from nbrelapse.validation.predictions import Predictions

N = 180
TIMES = np.arange(1, 21) * YEAR / 4


@pytest.fixture(scope="module")
def features(cohort: Cohort) -> pd.DataFrame:
    level = np.repeat([0.0, 1.0, 2.0, np.nan], [19, 60, 100, 1])
    return pd.DataFrame({"clinical__risk_group": level}, index=pd.Index(cohort.patients["patient_id"]))


@pytest.fixture(scope="module")
def y() -> np.ndarray:
    rng = np.random.default_rng(1)
    outcome = np.zeros(N, dtype=[("event", "i1"), ("time", "f8")])
    outcome["event"], outcome["time"] = rng.integers(0, 3, N), rng.uniform(10, 9 * YEAR, N)
    return outcome


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    incidence = np.linspace(0, 0.9, N)[None, :, None] * (TIMES / TIMES[-1])
    both = np.concatenate([incidence, incidence + 0.1])
    return Predictions("cox", np.zeros((2, N)), np.zeros((2, N), int), both, TIMES)


@pytest.fixture(scope="module")
def training(cohort: Cohort, features: pd.DataFrame, y: np.ndarray, predictions: Predictions) -> dict[str, Any]:
    return json.loads(json.dumps({"observed": observed_in_training(cohort, features, y, predictions)}, allow_nan=False))


def test_groups_of_twenty_keep_their_course(training: dict[str, Any], y: np.ndarray) -> None:
    groups = [group for group in training["observed"]["clinical_groups"] if group["grouping"] == "clinical_risk_group"]
    assert [(group["level"], group["patients"]) for group in groups] == [(1, 60), (2, 100)]
    assert groups[0]["events"] == int((y["event"][19:79] == 1).sum())
    assert groups[0]["course"] == observed_course(y[19:79])


def test_likeness_is_of_the_mean_prediction_over_repeats(training: dict[str, Any]) -> None:
    similar = training["observed"]["similar"]
    assert similar["horizon_days"] == 5 * YEAR
    assert similar["points"][0]["probability"] == pytest.approx(0.05)
    assert similar["points"][-1]["probability"] == pytest.approx(0.95)
    assert {point["patients"] for point in similar["points"]} == {45}


def test_no_identifier_is_kept(training: dict[str, Any], cohort: Cohort) -> None:
    text = json.dumps(training)
    assert not any(patient in text for patient in cohort.patients["patient_id"])


def test_a_binary_endpoint_has_no_courses(cohort: Cohort, features: pd.DataFrame) -> None:
    refractory = np.repeat([0, 1], N // 2).astype(np.int8)
    odds = np.linspace(0, 1, N)
    predictions = Predictions("logistic", odds[None], np.zeros((1, N), int), odds[None, :, None], np.array([np.inf]))
    found = observed_in_training(cohort, features, refractory, predictions)
    assert found["clinical_groups"] == []
    assert found["similar"]["horizon_days"] is None
    own = similar_patients({"observed": found}, {None: 0.9})
    assert isinstance(own, SimilarPatients)
    assert own.observed["incidence"].tolist() == [1.0]


def row(features: pd.DataFrame, cohort: Cohort, level: float) -> tuple[Cohort, pd.DataFrame]:
    """The first patient alone, of a risk group and with nothing recorded beside it."""
    patients = cohort.patients.assign(high_risk=pd.array([None] * N, dtype="boolean"))
    return replace(cohort, patients=patients), features.iloc[[0]].assign(clinical__risk_group=level)


def test_a_patient_is_shown_the_course_of_the_group(
    training: dict[str, Any], features: pd.DataFrame, cohort: Cohort
) -> None:
    group = group_course(training, *row(features, cohort, 2.0))
    assert isinstance(group, GroupCourse)
    assert (group.title, group.patients) == ("Recorded risk group: high", 100)
    assert list(group.curve) == ["days", "incidence", "low", "high"]


def test_a_missing_course_has_its_reason(training: dict[str, Any], features: pd.DataFrame, cohort: Cohort) -> None:
    assert "too few training patients" in str(group_course(training, *row(features, cohort, 0.0)))
    assert "is unknown" in str(group_course(training, *row(features, cohort, np.nan)))
    assert "was saved without" in str(group_course({}, *row(features, cohort, 2.0)))


def test_the_nearest_point_is_found_and_what_lies_beyond_is_said(training: dict[str, Any]) -> None:
    near = similar_patients(training, {5 * YEAR: 0.5, YEAR: 0.1})
    far = similar_patients(training, {5 * YEAR: 0.99})
    assert isinstance(near, SimilarPatients)
    assert isinstance(far, SimilarPatients)
    assert near.low < 0.5 < near.high
    assert (near.beyond, far.beyond) == (False, True)


def test_missing_likeness_has_its_reason(training: dict[str, Any]) -> None:
    assert "was saved without" in str(similar_patients({}, {5 * YEAR: 0.5}))
    assert "no prediction" in str(similar_patients(training, {YEAR: 0.5}))
    few = {"observed": {"similar": {"horizon_days": 5 * YEAR, "points": []}}}
    assert "too few patients" in str(similar_patients(few, {5 * YEAR: 0.5}))
