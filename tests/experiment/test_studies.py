"""Several studies in one experiment: a baseline hazard each, each left out, patients ranked within their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, merge_folders, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentConfig, ExperimentResult, run_experiment
from nbrelapse.experiment.config import read_config
from nbrelapse.experiment.describe import _provenance
from nbrelapse.experiment.prepare import _studies
from nbrelapse.metrics import harrell_c
from nbrelapse.simulation import simulate_cohort
from nbrelapse.validation.splits import repeated_folds

Settings = Callable[..., ExperimentConfig]


@pytest.fixture(scope="module")
def folders(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two simulated studies: the second on an array of half the signal, with fewer genes, and with worse courses."""
    other = simulate_cohort(120, seed=6)
    assert other.segments is not None and other.expression is not None
    segments = other.segments.assign(log2_ratio=other.segments["log2_ratio"] * 0.5)
    patients = other.patients.assign(
        event_days=other.patients["event_days"] * 0.6, followup_days=other.patients["followup_days"] * 0.6
    )
    metadata = {key: value for key, value in other.metadata.items() if key != "platforms"}
    weaker = replace(
        other,
        name="other",
        patients=patients,
        segments=segments,
        expression=other.expression.iloc[::2],
        metadata=metadata,
    )
    home = tmp_path_factory.mktemp("studies")
    return [write_cohort(part, home / part.name) for part in (cohort, weaker)]


@pytest.fixture(scope="module")
def several(settings: Settings, folders: list[Path]) -> ExperimentResult:
    return run_experiment(settings(cohort={"paths": folders}, split=None, models=["cox"], endpoint="efs"))


def test_two_studies_of_other_platforms_are_one_cohort(several: ExperimentResult) -> None:
    data = several.data
    assert data.studies is not None
    assert sorted(data.studies.unique()) == ["other", "simulated"]
    values, studies = data.features(data.training), data.studies.loc[data.training.patient_ids].to_numpy()
    name = "instability__loss_11q"
    # Each platform is read on its own scale: as many losses are found with half the signal.
    shares = values.groupby(studies)[name].mean()
    assert shares["other"] == pytest.approx(shares["simulated"], abs=0.15)
    assert shares.min() > 0.1


def test_every_study_is_left_out_and_stands_beside_the_pooled_figures(several: ExperimentResult) -> None:
    assert several.leave_one_out is not None
    assert set(several.leave_one_out.metrics["population"]) == {"simulated", "other", "mean of groups"}
    found = several.cross_validation.metrics
    assert {"all", "high_risk", "simulated", "other"} <= set(found["population"])
    counts = found[found["metric"] == "harrell_c"].drop_duplicates("population").set_index("population")["n"]
    assert counts["simulated"] + counts["other"] == counts["all"]
    assert any("has a baseline hazard of its own in training" in note for note in several.notes)


def test_patients_are_ranked_within_their_study(several: ExperimentResult) -> None:
    data, own = several.data, several.predictions["cox"]
    assert data.studies is not None and own.within is not None
    studies = data.studies.loc[data.training.patient_ids].to_numpy()
    codes = pd.factorize(studies)[0]
    expected = harrell_c(data.training.y, own.log_risk, fold=own.fold * 2 + codes)
    assert several.metric("cox", "harrell_c")["value"] == expected
    assert expected != harrell_c(data.training.y, own.log_risk, fold=own.fold)
    # A shift of a whole study changes no figure of ranking.
    shifted = replace(own, log_risk=own.log_risk + 5.0 * (studies == "other"))
    assert harrell_c(data.training.y, shifted.log_risk, fold=shifted.compared) == expected
    # Each fold has its part of either study.
    for fold in np.unique(own.fold):
        assert (studies[own.fold[0] == fold] == "other").mean() == pytest.approx((studies == "other").mean(), abs=0.03)


def test_models_are_stratified_and_keep_no_patient(several: ExperimentResult) -> None:
    for model in several.models.values():
        assert set(model.study_baselines_) == {"other", "simulated"}
        text = repr(model) + str(model.state().document)
        assert not any(patient in text for patient in several.data.training.patient_ids)


def test_strata_are_the_studies_of_several_unless_the_file_says_otherwise(
    settings: Settings, folders: list[Path], cohort: Cohort
) -> None:
    merged = merge_folders(folders)
    found = _studies(settings(), merged, merged.patient_ids)
    assert found is not None
    assert found.to_dict() == merged.patients.set_index("patient_id")["study"].to_dict()
    assert _studies(settings(strata="none"), merged, merged.patient_ids) is None
    assert _studies(settings(), cohort, cohort.patient_ids) is None
    named = _studies(settings(strata="split"), cohort, cohort.patient_ids)
    assert named is not None
    assert set(named) == {"discovery", "validation"}
    for column, text in (("nothing", "lacks the column whose values are to have"), ("ldh", "values are too many")):
        with pytest.raises(InputError, match=text):
            _studies(settings(strata=column), cohort, cohort.patient_ids)


def test_a_patient_without_a_stratum_is_counted_and_refused(settings: Settings, cohort: Cohort) -> None:
    gaps = replace(cohort, patients=cohort.patients.assign(study=["A"] * 100 + [None] * 80))
    with pytest.raises(InputError, match="of 80 of 180 patients with an outcome it is not known") as caught:
        _studies(settings(strata="study"), gaps, gaps.patient_ids)
    assert 'where = "study is not None"' in str(caught.value)


def test_the_file_names_several_folders_from_its_own(tmp_path: Path, folders: list[Path]) -> None:
    file = tmp_path / "several.toml"
    file.write_text('name = "several"\n[cohort]\npaths = ["a", "/b"]\nuncertain = "join"\n')
    config = read_config(file)
    assert config.cohort.folders == (tmp_path / "a", Path("/b"))
    assert config.leave_one_out is None
    for text, problem in (
        ('paths = ["a"]', "at least 2"),
        ('paths = ["a", "b"]\npath = "c"', "one of `path`, `paths`"),
    ):
        file.write_text(f'name = "several"\n[cohort]\n{text}\n')
        with pytest.raises(InputError, match=problem):
            read_config(file)


def test_a_run_names_no_folder_of_several(several: ExperimentResult, folders: list[Path]) -> None:
    found = _provenance(several)
    assert "cohort.path" not in found
    assert len(found["cohort.path_sha256"]) == 64


def test_folds_hold_their_part_of_every_study_and_its_events() -> None:
    y = np.array([(number % 3 == 0, 9.0) for number in range(90)], dtype=[("event", "i1"), ("time", "f8")])
    strata = np.array(["A"] * 60 + ["B"] * 30)
    for *_, test in repeated_folds(y, n_repeats=2, n_folds=5, seed=0, strata=strata):
        assert (strata[test] == "B").sum() == 6
        assert (y["event"][test][strata[test] == "B"] == 1).sum() == 2
