from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentConfig, ExperimentResult, publish, run_experiment
from nbrelapse.experiment.leave_one_out import patient_groups
from nbrelapse.experiment.prepare import prepare_data
from nbrelapse.tracking import read_experiment
from nbrelapse.tracking.store import open_store

Settings = Callable[..., ExperimentConfig]
MEAN = "mean of groups"


@pytest.fixture(scope="module")
def study_folder(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COG and GPOH, and ten patients of JAP whose course is not recorded."""
    study = np.array(["COG", "GPOH"] * 90, dtype=object)
    study[:10] = "JAP"
    patients = cohort.patients.assign(study=pd.array(study, dtype="string"))
    patients.loc[patients["study"] == "JAP", ["event", "event_days"]] = [None, float("nan")]
    return write_cohort(replace(cohort, patients=patients), tmp_path_factory.mktemp("study") / "cohort")


@pytest.fixture(scope="module")
def grouped(settings: Settings, study_folder: Path) -> ExperimentResult:
    config = settings(cohort={"path": study_folder}, split=None, models=["cox"], leave_one_out={"column": "study"})
    return run_experiment(config)


def test_each_group_and_the_mean_are_judged_beside_the_baselines(grouped: ExperimentResult) -> None:
    found = grouped.leave_one_out
    assert found is not None
    assert list(dict.fromkeys(found.metrics["population"])) == ["COG", "GPOH", MEAN]
    assert set(found.metrics["model"]) == set(grouped.models)
    rows = found.differences.query("model == 'cox' and metric == 'harrell_c'")
    assert set(rows["reference"]) == set(grouped.baselines)
    assert set(rows["population"]) == {"COG", "GPOH", MEAN}
    assert "JAP: left out, nobody in it has an outcome of endpoint 'relapse'" in found.notes
    assert "leave one group out: JAP: left out, nobody in it has an outcome of endpoint 'relapse'" in grouped.notes


def test_it_is_logged_shown_and_read_back(grouped: ExperimentResult, store: Path, tmp_path: Path) -> None:
    published = publish(grouped, tmp_path / "report.html")
    html = published.report.read_text()
    assert "Leave one group out" in html and "mean of groups: " in html and "COG: " in html
    read = read_experiment(grouped.config.name)
    assert read.leave_one_out is not None and grouped.leave_one_out is not None
    pd.testing.assert_frame_equal(read.leave_one_out.metrics, grouped.leave_one_out.metrics)
    metrics = open_store().get_run(published.run_id).data.metrics
    table = grouped.leave_one_out.metrics.set_index(["model", "population", "metric"])["value"]
    assert metrics["relapse/leave_one_out/mean_of_groups/harrell_c"] == table["cox", MEAN, "harrell_c"]
    assert metrics["relapse/leave_one_out/COG/harrell_c"] == table["cox", "COG", "harrell_c"]


def test_without_the_section_nothing_is_left_out(result: ExperimentResult) -> None:
    assert result.leave_one_out is None


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("hospital", "lacks the column whose values are to be left out"),
        ("patient_id", "lacks the column whose values are to be left out"),
        ("age_days", "values are too many to leave out one by one"),
    ],
)
def test_columns_that_are_no_groups(settings: Settings, study_folder: Path, column: str, problem: str) -> None:
    data = prepare_data(settings(cohort={"path": study_folder}, split=None))
    with pytest.raises(InputError, match=problem):
        patient_groups(column, data)
