from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking import (
    TRAINING_TAG,
    ExperimentRecord,
    ModelRecord,
    count_experiments,
    count_holdout_openings,
    fetched_model,
    log_experiment,
    open_store,
    read_experiment,
)

Record = Callable[..., ExperimentRecord]


def test_what_was_logged_is_read(store: Path, record: Record) -> None:
    written = record()
    logged = log_experiment(written)
    found = read_experiment("small")
    assert (found.run_id, found.endpoint, found.chosen) == (logged.run_id, "relapse", "cox")
    assert found.model_uris == logged.model_uris
    pd.testing.assert_frame_equal(found.cross_validation.metrics, written.tables["cross_validation_metrics"])
    pd.testing.assert_frame_equal(found.cross_validation.differences, written.tables["cross_validation_differences"])
    assert found.holdout is None


def test_the_hold_out_is_read_where_there_is_one(store: Path, record: Record) -> None:
    tables = dict(record().tables)
    tables |= {name.replace("cross_validation", "holdout"): table for name, table in tables.items()}
    log_experiment(record(tables=tables))
    holdout = read_experiment("small").holdout
    assert holdout is not None
    assert holdout.metrics["value"].iloc[0] == 0.71


def test_the_latest_finished_run_is_read(store: Path, record: Record) -> None:
    def fail(path: str, description: object) -> None:
        raise OSError("disk full")

    log_experiment(record())
    second = log_experiment(record())
    with pytest.raises(InputError, match="disk full"):
        log_experiment(record(models=(ModelRecord("cox", {}, {}, fail),)))
    assert read_experiment("small").run_id == second.run_id


def test_an_unknown_experiment_names_those_that_there_are(store: Path, record: Record) -> None:
    log_experiment(record(models=()))
    with pytest.raises(InputError, match="no experiment named 'smal'") as caught:
        read_experiment("smal")
    assert "experiments: small" in str(caught.value)


def test_an_experiment_without_a_finished_run(store: Path) -> None:
    with pytest.raises(InputError, match="no finished run"):
        read_experiment("Default")


def test_a_run_without_its_tables(store: Path, record: Record) -> None:
    log_experiment(record(tables={}))
    with pytest.raises(InputError, match="no table of its metrics"):
        read_experiment("small")


def test_a_folder_is_given_as_it_is(tmp_path: Path) -> None:
    with fetched_model(tmp_path) as folder:
        assert folder == tmp_path


def test_a_download_is_a_copy_that_is_removed(store: Path, record: Callable[..., ExperimentRecord]) -> None:
    uri = log_experiment(record()).model_uris["cox"]
    with fetched_model(uri) as folder:
        assert (folder / "MLmodel").is_file()
        assert store not in folder.parents
    assert not folder.exists()


@pytest.mark.parametrize(
    "uri",
    [
        "models:/nb@champion",
        "models:/nb/1",
        "models:/m-0123",
        "runs:/0123/model",
        "models:/",
        "runs:/x",
        "models:/a/b/c",
    ],
)
def test_an_address_of_nothing_is_bad_input(store: Path, uri: str) -> None:
    with pytest.raises(InputError, match=uri) as caught, fetched_model(uri):
        pass
    assert "models:/<name>@<alias>" in str(caught.value)


def test_a_run_without_such_a_model(store: Path, record: Callable[..., ExperimentRecord]) -> None:
    logged = log_experiment(record())
    for name in ("nothing", "experiment.json"):
        with pytest.raises(InputError, match="model"), fetched_model(f"runs:/{logged.run_id}/{name}"):
            pass


def test_without_a_store_none_is_made(no_store: Path) -> None:
    with pytest.raises(InputError, match="there is no MLflow store yet"), fetched_model("models:/nb@champion"):
        pass
    assert not no_store.exists()


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such model"), fetched_model(tmp_path / "nothing"):
        pass


def test_the_store_is_left_as_it_was(store: Path, record: Callable[..., ExperimentRecord]) -> None:
    uri = log_experiment(record()).model_uris["cox"]
    location = Path(
        open_store().get_logged_model(uri.removeprefix("models:/")).artifact_location.removeprefix("file://")
    )
    before = sorted(location.rglob("*"))
    with fetched_model(uri):
        pass
    assert sorted(location.rglob("*")) == before


def test_experiments_count_by_their_mark_and_runs_of_models_do_not(store: Path, record: Record) -> None:
    log_experiment(record(tags={TRAINING_TAG: "patients-1"}))
    log_experiment(record(name="another", tags={TRAINING_TAG: "patients-1"}))
    log_experiment(record(tags={TRAINING_TAG: "patients-2"}))
    assert [count_experiments(TRAINING_TAG, f"patients-{number}") for number in (1, 2, 3)] == [2, 1, 0]


def test_what_an_experiment_tried_is_read_with_the_present_count(store: Path, record: Record) -> None:
    tags = {TRAINING_TAG: "patients-1", "nbrelapse.families": "2", "nbrelapse.trials": "40"}
    log_experiment(record(tags=tags | {"nbrelapse.before_choice": "0.71", "nbrelapse.after_choice": "0.7004999"}))
    log_experiment(record(name="another", tags=tags))
    tried = read_experiment("small").multiplicity
    assert tried is not None
    assert (tried.families, tried.trials, tried.experiments) == (2, 40, 2)
    assert (tried.apparent, tried.corrected) == (0.71, 0.7004999)


def test_versions_before_0_4_kept_it_in_metrics(store: Path, record: Record) -> None:
    tags = {TRAINING_TAG: "patients-1", "nbrelapse.families": "2", "nbrelapse.trials": "40"}
    log_experiment(record(tags=tags, metrics={"before_correction": 0.71, "corrected_for_choice": 0.70}))
    tried = read_experiment("small").multiplicity
    assert tried is not None
    assert (tried.apparent, tried.corrected) == (0.71, 0.70)


def test_an_older_run_does_not_say(store: Path, record: Record) -> None:
    log_experiment(record())
    assert read_experiment("small").multiplicity is None


def test_no_store_means_no_opening_and_makes_none(no_store: Path) -> None:
    assert count_holdout_openings("holdout-1") == 0
    assert not (no_store / "mlflow.db").exists()


def test_every_experiment_counts_once_under_whatever_name(store: Path, record: Record) -> None:
    assert count_holdout_openings("holdout-1") == 0
    log_experiment(record())
    assert count_holdout_openings("holdout-1") == 1
    log_experiment(record(name="another"))
    log_experiment(record(tags={"nbrelapse.holdout": "holdout-2"}))
    assert count_holdout_openings("holdout-1") == 2
    assert count_holdout_openings("holdout-2") == 1


def test_failed_and_deleted_runs_have_looked_too(store: Path, record: Record) -> None:
    def fail(path: str, description: object) -> None:
        raise OSError("disk full")

    with pytest.raises(InputError, match="disk full"):
        log_experiment(record(models=(ModelRecord("cox", {}, {}, fail),)))
    open_store().delete_run(log_experiment(record()).run_id)
    assert count_holdout_openings("holdout-1") == 2
