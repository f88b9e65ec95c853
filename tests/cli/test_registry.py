"""``register``, ``promote``, ``models``, and the runs that ``evaluate`` leaves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from mlflow import MlflowClient

from nbrelapse.cli.models import _logs
from nbrelapse.cohort import read_cohort
from nbrelapse.tracking import open_store, read_experiment
from nbrelapse.tracking.view import _FINISHED_MODELS

Run = Callable[..., Any]


@pytest.fixture
def registered(study: Any, nbrelapse: Run) -> Iterator[str]:
    """The chosen model as version 1 and champion of ``tiny``, the other one as version 2."""
    document = study.training.document
    other = next(uri for name, uri in document["models"].items() if name != document["chosen"])
    assert nbrelapse("register", study.model, "--name", "tiny", "--alias", "champion").code == 0
    assert nbrelapse("register", other, "--name", "tiny").code == 0
    yield "models:/tiny@champion"
    client = open_store()
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)


def test_a_model_goes_by_its_name(study: Any, registered: str, nbrelapse: Run, tmp_path: Path) -> None:
    again = nbrelapse("register", study.model, "--name", "tiny")
    assert again.out == "the same model is registered already: models:/tiny/1 @champion\n"
    assert not nbrelapse("register", registered, "--name", "tiny", "--json").document["new"]
    scores = {}
    for address in (study.model, registered, "models:/tiny/1"):
        assert nbrelapse("score", address, "new", "--out", tmp_path / "scores.csv").code == 0
        scores[address] = (tmp_path / "scores.csv").read_bytes()
    assert len(set(scores.values())) == 1
    nbrelapse("score", "models:/tiny@champoin", "new", "--out", tmp_path / "none.csv").assert_refused(
        "'tiny' has no alias 'champoin'", "@champion (version 1); versions 1, 2"
    )
    nbrelapse("explain", "models:/tini@champion", "new", "--out", tmp_path / "none").assert_refused(
        "did you mean tiny?"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_a_registered_model_is_exported_signed_and_checked(registered: str, nbrelapse: Run, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (tmp_path / "ring").write_text(f"{line} Ada\n")
    assert "not signed" in nbrelapse("verify", registered).out
    nbrelapse("verify", registered, "--trust", tmp_path / "ring").assert_refused("the model is not signed")
    assert nbrelapse("export", registered, tmp_path / "mine", "--sign", tmp_path / "key").code == 0
    assert "signed by Ada" in nbrelapse("verify", tmp_path / "mine", "--trust", tmp_path / "ring").out
    # Signed or not, it is the same model.
    assert not nbrelapse("register", tmp_path / "mine", "--name", "tiny", "--json").document["new"]
    shipped = nbrelapse("register", tmp_path / "mine", "--name", "shipped", "--trust", tmp_path / "ring", "--json")
    assert shipped.document["origin"] == "experiment tiny, signed by Ada, imported"
    assert "signed by Ada" in nbrelapse("verify", "models:/shipped/1", "--trust", tmp_path / "ring").out


def test_models_lists_registry_and_folder_alike(study: Any, registered: str, nbrelapse: Run, tmp_path: Path) -> None:
    assert nbrelapse("export", registered, tmp_path / "models" / "mine").code == 0
    assert nbrelapse("export", registered, tmp_path / "models" / "broken").code == 0
    (tmp_path / "models" / "broken" / "data" / "model.json").write_text("{}")
    (tmp_path / "models" / "notes").mkdir()
    text = nbrelapse("models", "--folder", tmp_path / "models").out
    assert max(map(len, text.replace(str(tmp_path), "").splitlines())) <= 80
    heads = [line for line in text.splitlines() if not line.startswith(" ")]
    folder = tmp_path / "models"
    assert heads == ["models:/tiny/1 @champion", "models:/tiny/2", str(folder / "broken"), str(folder / "mine")]
    assert "  cannot be used: the model was changed since it was saved: data/model.json" in text
    first, second, broken, mine = nbrelapse("models", "--folder", folder, "--json").document
    assert (first["aliases"], second["aliases"], broken["endpoint"]) == (["champion"], [], None)
    same = ("endpoint", "c", "c.low", "c.high", "c.where", "needs")
    assert [first[name] for name in same] == [mine[name] for name in same]
    holdout = read_experiment("tiny").holdout
    assert holdout is not None
    table = holdout.metrics.set_index(["model", "population", "metric"])
    row = table.loc[(study.training.document["chosen"], "all", "harrell_c")]
    assert (first["c"], first["c.low"]) == (round(row["value"], 3), round(row["low"], 3))
    assert first["c.where"] == "the hold-out"
    assert first["origin"] == mine["origin"] == "experiment tiny, not signed"


def test_without_a_store_the_folder_is_listed_and_none_is_made(empty: Path, nbrelapse: Run) -> None:
    done = nbrelapse("models")
    assert (done.code, done.out) == (0, "")
    assert "nothing is registered: nbrelapse register MODEL" in done.err
    assert nbrelapse("models", "--json").document == []
    assert list(empty.iterdir()) == []


def test_the_champion_stays_until_another_is_shown_to_be_better(registered: str, nbrelapse: Run) -> None:
    refused = nbrelapse("promote", "tiny", 2)
    refused.assert_refused(
        "version 2 of 'tiny' is not shown to be better than version 1, the champion",
        "in the cross-validation of tiny (89 patients, ",
        "difference -",
        "(95% interval ",
        "--force REASON",
    )
    document = nbrelapse("promote", "tiny", 2, "--force", "needs no expression", "--json").document
    assert (document["before"], document["version"], document["forced"]) == (1, 2, "needs no expression")
    (comparison,) = document["comparisons"]
    assert comparison["low"] < comparison["difference"] < 0
    assert nbrelapse("models", "--json").document[1]["aliases"] == ["champion"]
    assert "is version 2 already" in nbrelapse("promote", "tiny", 2).out
    nbrelapse("promote", "tiny", 3).assert_refused("'tiny' has no version 3", "@champion (version 2); versions 1, 2")
    nbrelapse("promote", "tiny", 1, "--alias", "latest").assert_refused("illegal alias 'latest'")


def evaluations(experiment: str) -> list[Any]:
    client = open_store()
    found = client.get_experiment_by_name(experiment)
    runs = [] if found is None else client.search_runs([found.experiment_id], "tags.`nbrelapse.kind` = 'evaluation'")
    return [client.get_run(run.info.run_id) for run in runs]


def test_evaluate_leaves_a_run_beside_the_models(study: Any, registered: str, nbrelapse: Run, tmp_path: Path) -> None:
    before = nbrelapse("compare", "tiny", "--json").document
    command = ("evaluate", registered, "cohort", "--bootstrap", 100, "--where", "split == 'validation'")
    done = nbrelapse(*command, "--allow-overlap", "--json")
    assert done.code == 0, done.err
    document = done.document
    # Others, which tests before it have left there, are no concern of this one.
    (run,) = (run for run in evaluations(document["experiment"]) if run.info.run_id == document["run_id"])
    assert document["experiment"] == "tiny"
    assert run.info.status == "FINISHED"
    own = [
        row for row in document["metrics"] if row["model"] == run.data.params["family"] and row["population"] == "all"
    ]
    by_metric = {row["metric"]: row for row in own}
    assert run.data.metrics["c"] == round(by_metric["harrell_c"]["value"], 4)
    assert run.data.metrics["c.low"] == round(by_metric["harrell_c"]["low"], 4)
    assert run.data.metrics["brier"] == round(by_metric["brier_3y"]["value"], 4)
    assert run.data.metrics["patients"] == document["patients"]["judged"]
    assert len(run.data.metrics) <= 25
    assert run.data.tags["nbrelapse.registered"] == "tiny/1"
    assert run.data.tags["endpoint"] == run.data.params["endpoint"] == "relapse"
    assert run.data.params["cohort.where"] == "split == 'validation'"
    assert run.data.tags["mlflow.note.content"].startswith("**All patients: ")
    model_id = study.model.removeprefix("models:/")
    assert [found.model_id for found in run.inputs.model_inputs] == [model_id]
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.tags[0].value == "evaluation"
    # MLflow keeps one dataset of the same patients and features: that of the training, where the hold-out is judged.
    assert str(Path.cwd()) not in dataset.dataset.source
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    tables = {f"tables/{name}.{kind}" for name in ("metrics", "differences") for kind in ("csv", "json", "parquet")}
    assert tables | {"report.html", "paired_replicates.json", "plots/leaderboard.png"} <= files
    assert len(pd.read_csv(folder / "tables" / "metrics.csv")) == len(document["metrics"])
    patients = [str(name).encode() for name in read_cohort("cohort").patient_ids]
    contents = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert b"harrell_c" in contents
    assert not [name for name in patients if name in contents]
    # The list of models, and what is read of the experiment, are as before.
    listed = open_store().search_runs([run.info.experiment_id], _FINISHED_MODELS)
    assert run.info.run_id not in {one.info.run_id for one in listed}
    assert nbrelapse("compare", "tiny", "--json").document == before
    # Both were judged in the same patients: that decides now.
    assert nbrelapse("evaluate", "models:/tiny/2", *command[2:], "--allow-overlap").code == 0
    nbrelapse("promote", "tiny", 2).assert_refused("an interval above 0 in the cohort simulated where split ==")


def test_evaluate_records_where_it_is_told_to_and_nothing_where_it_fails(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("evaluate", study.model, "cohort", "--bootstrap", 100)
    before = {run.info.run_id for run in evaluations("tiny")}
    answer = nbrelapse(*command, "--experiment", "elsewhere")
    assert (answer.code, len(evaluations("elsewhere"))) == (0, 1)
    assert "Recorded in the experiment 'elsewhere': run " in answer.err
    assert evaluations("elsewhere")[0].data.tags["nbrelapse.withheld"].startswith("about ")
    nbrelapse(*command, "--no-log", "--experiment", "x").assert_refused("column: --experiment")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "artifacts")

    monkeypatch.setattr(MlflowClient, "log_artifacts", full)
    nbrelapse(*command).assert_refused("the evaluation cannot be recorded: No space left on device")
    assert {run.info.run_id for run in evaluations("tiny")} == before


def test_evaluate_makes_no_store_unless_it_is_asked_to(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _empty_database: Path
) -> None:
    assert nbrelapse("export", study.model, tmp_path / "model").code == 0
    monkeypatch.chdir(tmp_path)
    command = ("evaluate", "model", study.folder / "cohort", "--bootstrap", 100, "--json")
    assert "run_id" not in nbrelapse(*command).document
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (_logs(True, None), _logs(None, "mine"), _logs(None, None)) == (True, True, False)
    (tmp_path / "mlruns").mkdir()
    shutil.copyfile(_empty_database, tmp_path / "mlruns" / "mlflow.db")
    document = nbrelapse(*command).document
    (run,) = evaluations("tiny")
    assert document["run_id"] == run.info.run_id
    assert run.inputs.model_inputs == []
    assert "nbrelapse.bundle" in run.data.tags
