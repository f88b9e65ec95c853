"""Which features the models may read and why not, and who is on which side of a named split."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, select_patients, take_where, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentConfig, ExperimentResult
from nbrelapse.experiment.leakage import _leakage_check
from nbrelapse.experiment.prepare import _data_fingerprint, _prepare_data, _PreparedData
from nbrelapse.mechanisms import FeatureTable
from nbrelapse.outcome import outcome_fingerprint

Settings = Callable[..., ExperimentConfig]


@pytest.fixture(scope="module")
def everything(settings: Settings) -> _PreparedData:
    return _prepare_data(settings(features={"min_observed": 0.0}))


def test_every_feature_is_read_or_left_out_with_a_reason(everything: _PreparedData) -> None:
    assert sorted([*everything.columns, *everything.left_out]) == sorted(everything.table.model_columns())
    constant = [name for name, reason in everything.left_out.items() if reason == "the same in all training patients"]
    values = everything.features(everything.training)
    assert constant == [name for name in everything.table.model_columns() if values[name].nunique() < 2]


def test_include_and_exclude_are_shell_patterns(settings: Settings, everything: _PreparedData) -> None:
    chosen = _prepare_data(
        settings(features={"include": ["mycn__*", "clinical__*"], "exclude": ["*age*"], "min_observed": 0.0})
    )
    expected = [
        name for name in everything.columns if name.split("__")[0] in ("mycn", "clinical") and "age" not in name
    ]
    assert chosen.columns == expected
    assert "mycn__amplified" in expected and "clinical__log2_age" not in expected
    assert chosen.left_out["clinical__log2_age"] == "not chosen in the experiment file"
    assert chosen.left_out["cell_state__adrenergic"] == "not chosen in the experiment file"


def test_assays_that_are_not_read_are_as_if_they_had_not_been_done(
    settings: Settings, everything: _PreparedData
) -> None:
    chosen = _prepare_data(settings(features={"assays": ["fish", "copy_number"], "min_observed": 0.0}))
    catalogue = everything.table.catalogue
    read = {catalogue.features[name].assay for name in chosen.columns} - {"clinical", "fish", "copy_number"}
    assert read == set()
    assert any(catalogue.features[name].assay == "copy_number" for name in chosen.columns)
    # What combines assays is made of those that are left.
    values = chosen.features(chosen.training)
    assert values["mycn__amplified"].notna().any()
    assert values.filter(like="expression").isna().all(axis=None)


def test_an_assay_that_no_sample_has_is_refused(settings: Settings, cohort: Cohort, tmp_path: Path) -> None:
    done = cohort.assays
    without = replace(cohort, assays=done[done["assay"] != "expression"], expression=None)
    folder = write_cohort(without, tmp_path / "cohort")
    with pytest.raises(InputError, match="no sample of the cohort has this assay: expression") as error:
        _prepare_data(settings(cohort={"path": str(folder)}, features={"assays": ["expression"]}))
    assert "copy_number" in str(error.value)


def test_min_observed_is_a_share_of_the_training_patients(settings: Settings, everything: _PreparedData) -> None:
    share = everything.features(everything.training)[everything.columns].notna().mean()
    limit = float(share.median())
    assert share.min() < limit <= share.max()
    chosen = _prepare_data(settings(features={"min_observed": limit}))
    assert chosen.columns == list(share.index[share >= limit])
    rarest = str(share.idxmin())
    assert chosen.left_out[rarest] == (
        f"known in {share[rarest]:.0%} of the training patients (min_observed {limit:.0%})"
    )


def test_a_feature_that_only_the_holdout_has_is_left_out(settings: Settings, cohort: Cohort, tmp_path: Path) -> None:
    split = cohort.patients.set_index("patient_id")["split"]
    of_sample = cohort.samples.set_index("sample_id")["patient_id"].map(split)
    expression = cohort.expression
    assert expression is not None
    assays = cohort.assays
    kept = (assays["assay"] != "expression") | (assays["sample_id"].map(of_sample) == "validation")
    changed = replace(
        cohort,
        expression=expression.loc[:, of_sample[expression.columns] == "validation"],
        assays=assays[kept].reset_index(drop=True),
    )
    data = _prepare_data(settings(cohort={"path": write_cohort(changed, tmp_path / "cohort")}))
    assert data.left_out["cell_state__adrenergic"] == "known in 0% of the training patients (min_observed 20%)"
    assert data.holdout is not None
    assert data.features(data.holdout)["cell_state__adrenergic"].notna().any()


def test_no_feature_left(settings: Settings) -> None:
    with pytest.raises(InputError, match="no feature is left for the models"):
        _prepare_data(settings(features={"include": ["none__*"]}))


def test_a_split_by_a_column_that_is_not_there(settings: Settings) -> None:
    split = {"column": "cohort_split", "train": ["discovery"], "validation": ["validation"]}
    with pytest.raises(InputError, match="lacks the column that the split is made by") as error:
        _prepare_data(settings(split=split))
    assert error.value.column == "cohort_split"
    assert "inss_stage" in str(error.value.expected)


def test_a_split_by_a_value_that_nobody_has(settings: Settings) -> None:
    with pytest.raises(InputError, match="no patient has 'test'") as error:
        _prepare_data(settings(split={"train": ["discovery"], "validation": ["test"]}))
    assert error.value.expected == "discovery or validation"


def test_patients_of_neither_side_are_left_out(settings: Settings, cohort: Cohort) -> None:
    data = _prepare_data(settings(split={"column": "inss_stage", "train": ["1", "4"], "validation": ["3"]}))
    stage = cohort.patients.set_index("patient_id")["inss_stage"]
    assert data.holdout is not None
    assert set(stage[data.training.patient_ids]) == {"1", "4"}
    assert set(stage[data.holdout.patient_ids]) == {"3"}


def test_patients_without_an_outcome_are_left_out(settings: Settings, cohort: Cohort, tmp_path: Path) -> None:
    patients = cohort.patients.copy()
    patients.loc[patients.index[:3], ["event", "event_days"]] = [None, float("nan")]
    folder = write_cohort(replace(cohort, patients=patients), tmp_path / "cohort")
    data = _prepare_data(settings(cohort={"path": folder}, split=None))
    assert data.training.excluded == {"first event not recorded": 3}
    pd.testing.assert_index_equal(data.training.patient_ids, cohort.patient_ids[3:])
    assert data.features(data.training).index.equals(data.training.patient_ids)


def test_what_is_an_event_follows_the_settings(settings: Settings, cohort: Cohort) -> None:
    unspecified = int((cohort.patients["event"] == "unspecified").sum())
    counted, left_out = (
        _prepare_data(settings(split=None, unspecified=choice)).training for choice in ("event", "exclude")
    )
    assert 0 < len(counted.y) - len(left_out.y) <= unspecified
    deaths = _prepare_data(settings(split=None, endpoint="os")).training
    assert int((deaths.y["event"] == 1).sum()) == int((cohort.patients["death"] == 1).sum())


def test_a_simulated_cohort_needs_no_files(settings: Settings) -> None:
    data = _prepare_data(settings(cohort={"simulate": {"patients": 60, "seed": 1}}, split=None))
    assert (data.cohort.name, len(data.cohort.patients)) == ("simulated", 60)


@pytest.fixture
def data(result: ExperimentResult) -> _PreparedData:
    return result.data


def with_values(data: _PreparedData, values: object) -> _PreparedData:
    return replace(data, table=FeatureTable(values, data.table.catalogue))


def test_they_are_sha256_in_hex(data: _PreparedData) -> None:
    assert re.fullmatch("[0-9a-f]{64}", _data_fingerprint(data))
    assert re.fullmatch("[0-9a-f]{64}", outcome_fingerprint(data.training))
    assert _data_fingerprint(data) != outcome_fingerprint(data.training)


def test_the_order_of_patients_does_not_matter(data: _PreparedData) -> None:
    turned = replace(data, training=data.training.take(data.training.patient_ids[::-1]))
    assert _data_fingerprint(turned) == _data_fingerprint(data)
    assert outcome_fingerprint(turned.training) == outcome_fingerprint(data.training)


def test_the_names_of_patients_do_not_matter(data: _PreparedData) -> None:
    values = data.table.values.rename(index=lambda name: f"other {name}")
    training = replace(data.training, patient_ids=data.training.patient_ids.map(lambda name: f"other {name}"))
    renamed = replace(with_values(data, values), training=training)
    assert _data_fingerprint(renamed) == _data_fingerprint(data)
    assert outcome_fingerprint(training) == outcome_fingerprint(data.training)


def test_one_feature_of_one_patient_matters(data: _PreparedData) -> None:
    values = data.table.values.copy()
    values.loc[data.training.patient_ids[0], "clinical__log2_age"] += 1e-6
    assert _data_fingerprint(with_values(data, values)) != _data_fingerprint(data)


def test_two_patients_who_swap_their_outcomes_matter(data: _PreparedData) -> None:
    y = data.training.y.copy()
    y[[0, 1]] = y[[1, 0]]
    assert data.training.y[0] != data.training.y[1]
    swapped = replace(data, training=replace(data.training, y=y))
    assert _data_fingerprint(swapped) != _data_fingerprint(data)
    assert outcome_fingerprint(swapped.training) == outcome_fingerprint(data.training)


def test_features_that_are_not_read_and_the_holdout_do_not_matter(data: _PreparedData) -> None:
    assert data.holdout is not None
    values = data.table.values.copy()
    values.loc[data.holdout.patient_ids] = 0.0
    values[list(data.left_out)] = np.nan
    assert _data_fingerprint(with_values(data, values)) == _data_fingerprint(data)


def test_one_outcome_under_two_names_is_one_hold_out(data: _PreparedData) -> None:
    assert outcome_fingerprint(replace(data.training, endpoint="efs")) == outcome_fingerprint(data.training)


def test_one_time_matters(data: _PreparedData) -> None:
    y = data.training.y.copy()
    y["time"][0] += 1
    assert outcome_fingerprint(replace(data.training, y=y)) != outcome_fingerprint(data.training)


def test_only_patients_of_whom_the_condition_is_true(settings: Settings, cohort_folder: Path, cohort: Cohort) -> None:
    where = "risk_group == 'high' and has('expression')"
    whole = _prepare_data(settings(split=None))
    data = _prepare_data(settings(cohort={"path": cohort_folder, "where": where}, split=None))
    chosen = select_patients(cohort, where)
    assert 0 < len(data.training.y) < len(whole.training.y)
    assert data.training.patient_ids.tolist() == [name for name in whole.training.patient_ids if name in set(chosen)]
    assert data.cohort.where == where
    pd.testing.assert_frame_equal(
        data.features(data.training), whole.table.values.loc[data.training.patient_ids, data.table.values.columns]
    )
    simulated = _prepare_data(settings(cohort={"simulate": {"patients": 80}, "where": "high_risk"}, split=None))
    assert 0 < len(simulated.cohort.patients) < 80


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("risk_group == 'hihg'", "no patient has the risk_group 'hihg'"),
        ("age_days < 0", "true of none of 180 patients"),
        ("event_days > 365", "what became of them: event_days"),
        ("induction_response == 'CR'", "what became of them: induction_response"),
    ],
)
def test_conditions_that_no_experiment_can_have(
    settings: Settings, cohort_folder: Path, where: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        _prepare_data(settings(cohort={"path": cohort_folder, "where": where}, split=None))


def test_the_response_to_induction_is_known_at_a_landmark(settings: Settings, cohort_folder: Path) -> None:
    source = {"path": cohort_folder, "where": "induction_response != 'PD'"}
    data = _prepare_data(settings(cohort=source, split=None, landmark_days=180))
    assert data.cohort.where == source["where"]
    with pytest.raises(InputError, match="what became of them"):
        _prepare_data(settings(cohort=source, split=None, endpoint="refractory", landmark_days=180))


def test_a_side_can_be_left_out_without_being_held_out(settings: Settings, cohort: Cohort) -> None:
    split = cohort.patients.set_index("patient_id")["split"]
    for sides in ({"train": ["discovery"], "validation": []}, {"train": ["discovery"]}):
        data = _prepare_data(settings(split=sides))
        assert data.holdout is None
        assert set(split[data.training.patient_ids]) == {"discovery"}
        assert set(split[data.unsplit]) == {"validation"}


def test_a_cohort_that_was_chosen_by_outcomes_is_pointed_out(
    settings: Settings, cohort: Cohort, tmp_path: Path
) -> None:
    folders = {
        where: write_cohort(take_where(cohort, where), tmp_path / str(number))
        for number, where in enumerate(["event != 'none' or age_days < 900", "age_days < 900"])
    }
    notes = {}
    for where, folder in folders.items():
        config = settings(cohort={"path": folder}, split=None)
        notes[where] = " ".join(_leakage_check(config, _prepare_data(config)))
    assert [("chosen by what became of them (event)" in text) for text in notes.values()] == [True, False]
