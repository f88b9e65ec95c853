from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import mlflow.data
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.scoring import load_model
from nbrelapse.tracking import (
    TRIAL_CURVE,
    DatasetRecord,
    ExperimentRecord,
    ModelRecord,
    TrialRecord,
    log_experiment,
    open_store,
    store_uri,
)
from nbrelapse.tracking.view import _VIEW_TAG

Record = Callable[..., ExperimentRecord]
FEATURES = ("mycn__amplified", "instability__loss_11q", "cell_state__adrn_minus_mes", "clinical__log2_age")


def files(folder: str) -> set[str]:
    root = Path(folder.removeprefix("file://"))
    return {file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}


def test_a_parent_run_with_a_child_a_model(store: Path, record: Record) -> None:
    logged = log_experiment(record())
    client = open_store()
    parent = client.get_run(logged.run_id)
    children = client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{logged.run_id}'")
    by_model = {child.data.tags["nbrelapse.model"]: child for child in children}
    assert set(by_model) == {"cox", "boosted", "clinical_cox"}
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
    assert parent.data.params == {"endpoint": "relapse", "validation.folds": "5"}
    assert parent.data.tags["mlflow.source.git.commit"] == "abc123"
    assert parent.data.tags["mlflow.source.name"] == "nbrelapse"
    assert parent.data.tags["mlflow.note.content"].startswith("A small experiment.\n\n## cox\n")
    # With those of the experiment: models of two experiments differ by them.
    assert by_model["cox"].data.params == {"penalty": "0.05"} | parent.data.params
    assert by_model["cox"].data.metrics == {
        "c": 0.71,
        "c.low": 0.65,
        "c.high": 0.77,
        "c.minus_baseline": 0.01,
        "c.high_risk": 0.6,
    }
    # A hold-out is opened once by an experiment, not once more by each of its models.
    assert "nbrelapse.holdout" in parent.data.tags
    assert not any("nbrelapse.holdout" in child.data.tags for child in children)


def test_the_files_of_the_runs(store: Path, record: Record, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<html>")
    logged = log_experiment(record(report=lambda run_id, uris: tmp_path / "report.html"))
    client = open_store()
    parent = client.get_run(logged.run_id)
    assert files(parent.info.artifact_uri) == {
        "experiment.json",
        "plots/leaderboard.png",
        "plots/leaderboard.svg",
        "report.html",
        *(f"tables/cross_validation_differences.{kind}" for kind in ("csv", "json", "parquet")),
        *(f"tables/cross_validation_metrics.{kind}" for kind in ("csv", "json", "parquet")),
    }
    condition = f"tags.mlflow.parentRunId = '{logged.run_id}' and tags.`nbrelapse.model` = 'cox'"
    (child,) = client.search_runs([parent.info.experiment_id], condition)
    assert files(child.info.artifact_uri) == {
        "model_card.md",
        "plots/curve.png",
        "plots/curve.svg",
        *(f"tables/mechanism_importance.{kind}" for kind in ("csv", "json", "parquet")),
    }


def test_the_dataset_is_a_name_and_a_fingerprint(store: Path, record: Record) -> None:
    logged = log_experiment(record())
    (found,) = open_store().get_run(logged.run_id).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("made-up", "f" * 36)
    assert json.loads(found.dataset.profile) == {"num_rows": 160, "num_events": 80, "num_features": 4}
    columns = json.loads(found.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == list(FEATURES)
    assert mlflow.data.get_source(found).to_dict() == {"tags": {"commit": "abc123"}}


def test_the_hold_out_is_a_dataset_for_validation_with_its_own_figures(store: Path, record: Record) -> None:
    plain = record()
    held = DatasetRecord("made-up", "e" * 64, 40, 20, ("x",), "validation")
    model = replace(plain.models[0], metrics={"c": 0.7, "c.holdout": 0.6, "c.holdout.low": 0.5})
    logged = log_experiment(replace(plain, datasets=(*plain.datasets, held), models=(model,)))
    client = open_store()
    for run in client.search_runs([client.get_experiment_by_name("small").experiment_id]):
        found = {item.tags[0].value: item.dataset.digest for item in run.inputs.dataset_inputs}
        assert found == {"training": "f" * 36, "validation": "e" * 36}
    metrics = client.get_logged_model(logged.model_uris["cox"].removeprefix("models:/")).metrics
    of = {metric.key: metric.dataset_digest for metric in metrics}
    assert of == {"c": "f" * 36, "c.holdout": "e" * 36, "c.holdout.low": "e" * 36}


def test_columns_that_no_schema_holds_are_counted(store: Path, record: Record) -> None:
    many = DatasetRecord(
        "made-up", "f" * 64, 160, 80, tuple(f"mechanism__feature_{number}" for number in range(20_000))
    )
    logged = log_experiment(record(datasets=(many,), models=()))
    (found,) = open_store().get_run(logged.run_id).inputs.dataset_inputs
    assert not found.dataset.schema
    assert json.loads(found.dataset.profile)["num_features"] == 20_000


def test_curves_are_steps_of_one_metric(store: Path, record: Record) -> None:
    model = replace(
        record().models[2], curves={"c.fold": [(1, 0.6), (3, 0.8)], "long": [(n, 0.0) for n in range(1100)]}
    )
    logged = log_experiment(record(models=(model,)))
    client = open_store()
    (child,) = client.search_runs(["1"], f"tags.mlflow.parentRunId = '{logged.run_id}'")
    assert [(point.step, point.value) for point in client.get_metric_history(child.info.run_id, "c.fold")] == [
        (1, 0.6),
        (3, 0.8),
    ]
    assert len(client.get_metric_history(child.info.run_id, "long")) == 1100
    assert child.data.metrics["c"] == 0.7


def test_trials_are_runs_below_their_model_that_no_list_shows(store: Path, record: Record) -> None:
    trials = (
        TrialRecord("trial 0, all", {"penalty": "0.1", "state": "finished"}, (-3.0, -2.5)),
        TrialRecord("trial 1, all", {"penalty": "9.0", "state": "failed"}, (), fitted=False),
    )
    started = datetime(2026, 11, 1, tzinfo=UTC)
    plain = record(started=started)
    logged = log_experiment(replace(plain, models=(replace(plain.models[2], trials=trials), plain.models[0])))
    client = open_store()
    everything = client.search_runs(["1"])
    assert len(everything) == 5
    (model,) = client.search_runs(["1"], "tags.`nbrelapse.model` = 'clinical_cox'")
    below = client.search_runs(["1"], f"tags.mlflow.parentRunId = '{model.info.run_id}'")
    found = {run.info.run_name: run for run in below}
    assert set(found) == {"trial 0, all", "trial 1, all"}
    first = found["trial 0, all"]
    assert first.data.params == {"penalty": "0.1", "state": "finished"}
    history = client.get_metric_history(first.info.run_id, TRIAL_CURVE)
    assert [(point.step, point.value) for point in history] == [(1, -3.0), (2, -2.5)]
    assert [found[name].info.status for name in sorted(found)] == ["FINISHED", "FAILED"]
    assert {run.info.start_time for run in below} == {int(started.timestamp() * 1000)}
    view = json.loads(client.get_experiment("1").tags[_VIEW_TAG])
    listed = client.search_runs(["1"], view["searchFilter"])
    assert {run.data.tags["nbrelapse.model"] for run in listed} == {"clinical_cox", "cox"}
    assert set(logged.model_uris) == {"cox"}


@pytest.mark.parametrize("family", ["cox", "boosted"])
def test_a_logged_model_is_loaded_by_each_of_its_addresses(
    store: Path, record: Record, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLflow registers models in the global store, whatever the client's.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri())
    logged = log_experiment(record())
    client = open_store()
    model_id = logged.model_uris[family].removeprefix("models:/")
    model = client.get_logged_model(model_id)
    assert str(model.status) == "READY"
    client.create_registered_model("nb-relapse")
    version = client.create_model_version("nb-relapse", logged.model_uris[family], model_id=model_id).version
    client.set_registered_model_alias("nb-relapse", "champion", version)
    addresses = [
        logged.model_uris[family],
        f"runs:/{model.source_run_id}/model",
        f"runs:/{model.source_run_id}/small-{family}",
        f"models:/nb-relapse/{version}",
        "models:/nb-relapse@champion",
        model.artifact_location,
        model.artifact_location.removeprefix("file://"),
    ]
    assert {load_model(address).model.family for address in addresses} == {family}


def test_the_metrics_belong_to_the_model_and_the_dataset(store: Path, record: Record) -> None:
    logged = log_experiment(record())
    model = open_store().get_logged_model(logged.model_uris["cox"].removeprefix("models:/"))
    found = {metric.key: (metric.value, metric.dataset_digest) for metric in model.metrics}
    assert found["c"] == (0.71, "f" * 36)
    assert model.params == {"penalty": "0.05"}


def test_a_logged_model_says_what_it_is(store: Path, record: Record) -> None:
    plain = record()
    model = replace(plain.models[0], model_type="survival risk model", tags={"evidence_needed": "0.25"})
    logged = log_experiment(replace(plain, models=(model,)))
    found = open_store().get_logged_model(logged.model_uris["cox"].removeprefix("models:/"))
    assert found.model_type == "survival risk model"
    assert (found.tags["evidence_needed"], found.tags["nbrelapse.model"]) == ("0.25", "cox")


def test_the_source_is_the_experiment_file(store: Path, record: Record) -> None:
    tags = {"experiment_file": "seqc.toml", "experiment_file.sha256": "ab", "cohort.path_sha256": "cd"}
    logged = log_experiment(record(tags=tags, models=()))
    run = open_store().get_run(logged.run_id)
    assert run.data.tags["mlflow.source.name"] == "seqc.toml"
    (found,) = run.inputs.dataset_inputs
    assert mlflow.data.get_source(found).to_dict() == {"tags": tags}


def test_more_parameters_and_longer_ones_than_mlflow_takes_at_once(store: Path, record: Record) -> None:
    parameters = {f"p{number}": "v" for number in range(250)} | {"long": "x" * 7000}
    logged = log_experiment(record(parameters=parameters))
    found = open_store().get_run(logged.run_id).data.params
    assert len(found) == 251
    assert found["long"] == "x" * 6000


def test_a_failure_marks_every_run_that_was_begun(store: Path, record: Record) -> None:
    def fail(path: str, description: object) -> None:
        raise OSError("disk full")

    broken = ModelRecord("cox", {}, {}, fail)
    with pytest.raises(InputError, match="disk full"):
        log_experiment(record(models=(broken,)))
    client = open_store()
    experiment = client.get_experiment_by_name("small").experiment_id
    runs = client.search_runs([experiment])
    assert len(runs) == 2
    assert {run.info.status for run in runs} == {"FAILED"}
    assert {str(model.status) for model in client.search_logged_models([experiment])} == {"FAILED"}


def test_no_network_is_asked(store: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    logged = log_experiment(record())
    assert load_model(logged.model_uris["cox"]).model.family == "cox"


def test_names_of_models_and_data_are_free(store: Path, record: Record) -> None:
    plain = record()
    dataset = DatasetRecord("Köln 2024/a", "e" * 64, 1, 1, ())
    logged = log_experiment(
        replace(plain, name="Ünï/code", datasets=(dataset,), models=(), tables={"t": pd.DataFrame()})
    )
    assert logged.model_uris == {}
