"""Features from later, labels among the features, patients on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentConfig, ExperimentResult, run_experiment
from nbrelapse.experiment.leakage import _leakage_check
from nbrelapse.experiment.prepare import _prepare_data, _PreparedData
from nbrelapse.mechanisms import FeatureTable

RESPONSE = """
[clinical.response]
title = "Response to induction"
definition = "0 complete to 4 progressive."
assay = "clinical"
kind = "ordinal"
builder = "clinical"
known_at_days = {days}
levels = {{ induction_response = {{ CR = 0, PR = 1, MR = 2, SD = 3, PD = 4 }} }}
"""


@pytest.fixture
def data(result: ExperimentResult) -> _PreparedData:
    return result.data


def with_feature(data: _PreparedData, values: np.ndarray) -> _PreparedData:
    """The first feature replaced by values of the training patients."""
    table = data.table.values.copy()
    table.loc[data.training.patient_ids, data.columns[0]] = values
    return replace(data, table=FeatureTable(table, data.table.catalogue))


def test_the_simulated_cohort_passes_without_a_word(result: ExperimentResult) -> None:
    assert _leakage_check(result.config, result.data) == []


@pytest.mark.parametrize(("days", "expected"), [(0, "known only after diagnosis"), (120, "known only 120 days after")])
def test_a_response_to_treatment_is_refused_at_diagnosis(
    settings: Callable[..., ExperimentConfig], tmp_path: Path, days: int, expected: str
) -> None:
    (tmp_path / "own.toml").write_text(RESPONSE.format(days=days))
    config = settings().model_copy(update={"catalogue": tmp_path / "own.toml"})
    with pytest.raises(InputError, match=expected) as error:
        run_experiment(config)
    assert error.value.column == "clinical__response"


def test_a_landmark_after_it_lets_it_in(
    settings: Callable[..., ExperimentConfig], data: _PreparedData, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text(RESPONSE.format(days=120))
    config = settings().model_copy(update={"catalogue": tmp_path / "own.toml"})
    prepared = _prepare_data(config)
    assert "clinical__response" in prepared.columns
    _leakage_check(config.model_copy(update={"landmark_days": 120}), prepared)
    with pytest.raises(InputError, match="known only 120 days after"):
        _leakage_check(config.model_copy(update={"landmark_days": 119}), prepared)


def test_the_label_among_the_features_is_refused(result: ExperimentResult, data: _PreparedData) -> None:
    event = (data.training.y["event"] == 1).astype(float)
    with pytest.raises(InputError, match="equal the outcome") as error:
        _leakage_check(result.config, with_feature(data, event))
    assert error.value.column == data.columns[0]
    with pytest.raises(InputError, match="that they are missing"):
        _leakage_check(result.config, with_feature(data, np.where(event == 1, np.nan, 0.5)))


def test_nearly_the_label_is_pointed_out(result: ExperimentResult, data: _PreparedData) -> None:
    event = (data.training.y["event"] == 1).astype(float)
    event[0] = 1 - event[0]
    notes = _leakage_check(result.config, with_feature(data, event))
    assert len(notes) == 1
    assert notes[0].startswith(f"{data.columns[0]} alone tells who has the event with a concordance of 0.9")


def renamed(cohort: Cohort, old: str, new: str) -> Cohort:
    """A cohort in which a patient's molecular profile also stands under another patient's sample."""
    samples = cohort.assayed_samples("expression")
    assert cohort.expression is not None
    return replace(cohort, expression=cohort.expression.assign(**{samples[new]: cohort.expression[samples[old]]}))


def test_one_expression_profile_under_two_names_is_refused(result: ExperimentResult, data: _PreparedData) -> None:
    assert data.holdout is not None
    profiled = data.cohort.assayed_samples("expression").index
    inside = data.training.patient_ids.intersection(profiled)
    outside = data.holdout.patient_ids.intersection(profiled)
    with pytest.raises(
        InputError, match="1 hold-out patients have the expression profile of a training patient"
    ) as error:
        _leakage_check(result.config, replace(data, cohort=renamed(data.cohort, inside[0], outside[0])))
    assert not any(str(patient) in str(error.value) for patient in (inside[0], outside[0]))
    with pytest.raises(InputError, match="1 training patients have the expression profile of another"):
        _leakage_check(result.config, replace(data, cohort=renamed(data.cohort, inside[0], inside[1])))


def test_one_copy_number_profile_under_two_names_is_refused(result: ExperimentResult, data: _PreparedData) -> None:
    assert data.holdout is not None and data.cohort.segments is not None
    samples = data.cohort.assayed_samples("copy_number")
    old = samples[data.training.patient_ids.intersection(samples.index)[0]]
    new = samples[data.holdout.patient_ids.intersection(samples.index)[0]]
    segments = data.cohort.segments
    # In another order: a profile is a set of segments.
    copied = segments[segments["sample_id"] == old].iloc[::-1].assign(sample_id=new)
    cohort = replace(data.cohort, segments=pd.concat([segments[segments["sample_id"] != new], copied]))
    with pytest.raises(InputError, match="copy-number profile of a training patient"):
        _leakage_check(result.config, replace(data, cohort=cohort))


def with_copies(data: _PreparedData, number: int) -> Cohort:
    """A cohort in which hold-out patients have the ages and courses of training patients."""
    assert data.holdout is not None
    patients = data.cohort.patients.set_index("patient_id")
    copied = [name for name in patients if name not in ("split", "study")]
    old, new = data.training.patient_ids[:number], data.holdout.patient_ids[:number]
    patients.loc[new, copied] = patients.loc[old, copied].to_numpy()
    return replace(data.cohort, patients=patients.reset_index().astype(data.cohort.patients.dtypes))


def test_a_patient_on_both_sides_is_pointed_out(result: ExperimentResult, data: _PreparedData) -> None:
    notes = _leakage_check(result.config, replace(data, cohort=with_copies(data, 1)))
    assert len(notes) == 1
    assert notes[0].startswith("1 of ")
    assert "patients of the hold-out look the same as one of the training patients, with an event" in notes[0]


def test_more_patients_on_both_sides_than_chance_makes_are_refused(
    result: ExperimentResult, data: _PreparedData
) -> None:
    doubled = replace(data, cohort=with_copies(data, 5))
    with pytest.raises(InputError, match="patients of the hold-out look the same") as error:
        _leakage_check(result.config, doubled)
    assert "--allow-overlap" in str(error.value.fix)
    notes = _leakage_check(result.config.model_copy(update={"allow_overlap": True}), doubled)
    assert "patients of the hold-out look the same as one of the training patients" in notes[0]


def test_a_cohort_without_profiles_or_ages_has_nothing_to_compare(
    settings: Callable[..., ExperimentConfig], cohort: Cohort, tmp_path: Path
) -> None:
    assays = cohort.assays[cohort.assays["assay"].isin(["clinical", "fish", "mutations"])].reset_index(drop=True)
    bare = replace(cohort, expression=None, segments=None, gene_copy_number=None, rearrangements=None, assays=assays)
    config = settings(cohort={"path": write_cohort(bare, tmp_path / "bare")})
    assert _leakage_check(config, _prepare_data(config)) == []
