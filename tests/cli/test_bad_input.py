"""Each mistake of a user: one message that says what and where, exit code 2, nothing left behind."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbrelapse.cohort import read_cohort, write_cohort

Run = Callable[..., Any]
Names = Callable[[Path], list[str]]

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 99\n"


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "arguments",
    [
        ("cohort", "import", "tables", "none.x", "--out", "new"),
        ("cohort", "import", "geo", "none.x", "--out", "new"),
        ("cohort", "import", "cbioportal", "none.x", "--out", "new"),
        ("cohort", "check", "none.x"),
        ("features", "none.x", "--out", "new.csv"),
        ("train", "none.x"),
        ("score", "none.x", "none", "--out", "new.csv"),
        ("evaluate", "none.x", "none"),
        ("explain", "none.x", "none", "--out", "new"),
        ("export", "none.x", "new"),
        ("register", "none.x"),
    ],
    ids=lambda arguments: " ".join(arguments[:-1]),
)
def test_a_file_or_folder_that_does_not_exist(
    empty: Path, nbrelapse: Run, names: Names, arguments: tuple[str, ...]
) -> None:
    nbrelapse(*arguments).assert_refused("none.x")
    assert names(empty) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "a"\nfolds = 3\n[cohort]\npath = "c"\n', ["unknown key", "column: folds", "expected: name, endpoint"]),
        (
            'name = "a"\n[cohort]\npath = "c"\n[validation]\nfold = 3\n',
            ["unknown key", "column: validation.fold", "expected: folds, repeats, inner_folds, trials, bootstrap"],
        ),
        ('name = "a"\n', ["a required key is missing", "column: cohort"]),
        ('name = "../a"\n[cohort]\npath = "c"\n', ["illegal value '../a'", "column: name"]),
        ('name = "a"\n[cohort]\npath = "c"\n', ["the cohort folder does not exist", "file: c"]),
        ("name = ", ["the experiment file is not valid TOML"]),
        (POINTER, ["the file is a Git LFS pointer"]),
    ],
    ids=["unknown key", "unknown key of a section", "missing key", "name", "no cohort", "no TOML", "pointer"],
)
def test_an_experiment_file_that_cannot_be_used(
    empty: Path, nbrelapse: Run, names: Names, text: str, expected: list[str]
) -> None:
    (empty / "a.toml").write_text(text)
    nbrelapse("train", "a.toml", "--json").assert_refused(*expected)
    assert names(empty) == ["a.toml"]


def test_a_folder_where_an_experiment_file_is_expected(empty: Path, nbrelapse: Run) -> None:
    nbrelapse("train", ".").assert_refused("a file was expected, this is a folder")


def without_events(source: Path, target: Path) -> Path:
    cohort = read_cohort(source)
    patients = cohort.patients.assign(event="none", event_days=cohort.patients["followup_days"], death=0.0)
    return write_cohort(replace(cohort, patients=patients), target)


def test_a_cohort_with_no_events(study: Any, nbrelapse: Run, names: Names, tmp_path: Path) -> None:
    folder = without_events(study.folder / "cohort", tmp_path / "calm")
    before = names(study.folder)
    problem = "no patient of cohort 'simulated' has the event of endpoint 'relapse'"
    nbrelapse("train", "tiny.toml", "--cohort", folder, "--reports", tmp_path / "reports", "--json").assert_refused(
        problem
    )
    nbrelapse("evaluate", study.model, folder, "--json").assert_refused(problem)
    assert names(study.folder) == before
    assert not (tmp_path / "reports").exists()


def test_a_cohort_with_no_events_leaves_no_store(
    empty: Path, study: Any, nbrelapse: Run, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_events(study.folder / "cohort", empty / "calm")
    monkeypatch.chdir(empty)
    before = names(empty)
    nbrelapse("train", study.folder / "tiny.toml", "--cohort", "calm").assert_refused(
        "has the event of endpoint 'relapse'"
    )
    assert names(empty) == before


def test_a_holdout_with_no_events(study: Any, nbrelapse: Run, tmp_path: Path) -> None:
    cohort = read_cohort(study.folder / "cohort")
    patients = cohort.patients.copy()
    held = patients["split"] == "validation"
    patients.loc[held, "event"] = "none"
    patients.loc[held, "death"] = 0.0
    patients.loc[held, "event_days"] = patients.loc[held, "followup_days"]
    folder = write_cohort(replace(cohort, patients=patients), tmp_path / "calm")
    answer = nbrelapse("train", "tiny.toml", "--cohort", folder, "--reports", tmp_path / "reports")
    answer.assert_refused("nobody on this side of the split has the event", "column: split.validation")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "model",
    ["models:/nope@champion", "models:/nope/1", "models:/m-0123456789abcdef", "runs:/0123456789abcdef/model", "nope"],
)
@pytest.mark.parametrize("command", ["score", "evaluate", "explain", "export", "verify", "register"])
def test_a_model_that_does_not_exist(
    study: Any, nbrelapse: Run, names: Names, tmp_path: Path, command: str, model: str
) -> None:
    before = names(study.folder)
    arguments = {
        "score": ("new", "--out", tmp_path / "scores.csv"),
        "evaluate": ("new",),
        "explain": ("new", "--out", tmp_path / "explained"),
        "export": (tmp_path / "model",),
        "verify": (),
        "register": ("--name", "nb"),
    }
    nbrelapse(command, model, *arguments[command], "--json").assert_refused(model)
    assert names(study.folder) == before
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "tiny"),
        ("ui",),
        ("score", "models:/nope@champion", "cohort", "--out", "scores.csv"),
        ("export", "runs:/0123456789abcdef/model", "model"),
        ("register", "models:/nope/1"),
        ("promote", "nope", "1"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_store_none_is_made(empty: Path, nbrelapse: Run, names: Names, arguments: tuple[str, ...]) -> None:
    nbrelapse(*arguments).assert_refused("there is no MLflow store yet", "train first")
    assert names(empty) == []


def test_an_experiment_that_was_never_trained(study: Any, nbrelapse: Run) -> None:
    nbrelapse("compare", "nope", "--json").assert_refused("the store has no experiment named 'nope'", "tiny")


def test_a_store_that_cannot_be_opened(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.db").write_text("no database, but long enough to be taken for one by its size" * 20)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'notes.db'}")
    nbrelapse("compare", "tiny").assert_refused("MLflow cannot open its store", "MLFLOW_TRACKING_URI")
    # Known before the hours that training may take, not after.
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", interrupt)
    nbrelapse("train", "tiny.toml").assert_refused("MLflow cannot open its store")
    for command in (("models",), ("promote", "nb", 1), ("evaluate", study.folder / "cohort", "new")):
        nbrelapse(*command).assert_refused("MLflow cannot open its store", "MLFLOW_TRACKING_URI")


def test_a_store_of_an_older_mlflow(
    study: Any, nbrelapse: Run, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command that opens a store says so, and leaves the store as it was."""
    old = tmp_path / "mlflow.db"
    shutil.copyfile(study.folder / "mlruns" / "mlflow.db", old)
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("update alembic_version set version_num = '0a8213491aaa'")
    before = old.read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{old}")
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", interrupt)
    for command in (
        ("train", "tiny.toml"),
        ("compare", "tiny"),
        ("ui", "tiny", "--no-browser"),
        ("evaluate", study.model, "new"),
        ("explain", study.model, "new", "--out", tmp_path / "explained"),
        ("score", study.model, "new", "--out", tmp_path / "scores.csv"),
        ("export", study.model, tmp_path / "model"),
        ("verify", study.model),
    ):
        nbrelapse(*command).assert_refused("an earlier version of MLflow", f"mlflow db upgrade sqlite:///{old}")
    assert old.read_bytes() == before
    assert names(tmp_path) == ["mlflow.db"]


def test_the_page_of_a_server_is_named_and_not_served(
    study: Any, nbrelapse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbrelapse.tracking.view.models_link", lambda *_, **__: "https://mlflow.example.org/#/x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    answer = nbrelapse("ui", "tiny")
    assert (answer.code, answer.out) == (0, "The models, best first: https://mlflow.example.org/#/x\n")


def test_several_experiments_are_shown_side_by_side(
    study: Any, nbrelapse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(
        "nbrelapse.tracking.view.comparison_link",
        lambda names, **_: asked.append(names) or "https://mlflow.example.org/#/y",  # type: ignore[func-returns-value]
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    answer = nbrelapse("ui", "tiny", "other", "tiny")
    assert (answer.code, answer.out) == (0, "The chosen models side by side: https://mlflow.example.org/#/y\n")
    assert asked == [["tiny", "other"]]


def test_reports_that_cannot_be_written(study: Any, nbrelapse: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", interrupt)
    nbrelapse("train", "tiny.toml", "--reports", "/proc/none").assert_refused(
        "the report cannot be written", "file: /proc/none", "--reports"
    )


def test_a_file_where_the_reports_should_go(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reports").write_text("mine")
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", interrupt)
    nbrelapse("train", "tiny.toml", "--reports", tmp_path / "reports").assert_refused(
        "a folder was expected", "reports"
    )


@pytest.mark.parametrize("command", ["score", "evaluate", "explain"])
def test_a_cohort_that_lacks_what_the_model_needs(study: Any, nbrelapse: Run, tmp_path: Path, command: str) -> None:
    cohort = read_cohort(study.folder / "new")
    assays = cohort.assays[cohort.assays["assay"] == "fish"].reset_index(drop=True)
    molecular = dict.fromkeys(("segments", "mutations", "rearrangements", "expression"))
    folder = write_cohort(replace(cohort, assays=assays, **molecular), tmp_path / "clinical_only")
    out = tmp_path / "out.csv"
    arguments = [] if command == "evaluate" else ["--out", out]
    answer = nbrelapse(command, study.model, folder, *arguments, "--json")
    answer.assert_refused("the cohort lacks what the model reads: nobody has", "copy_number", "expression")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clinical_only"]


def test_nothing_is_read_before_the_name_of_the_output_is_right(
    study: Any, nbrelapse: Run, names: Names, tmp_path: Path
) -> None:
    answer = nbrelapse("score", study.model, "new", "--out", tmp_path / "deep" / "scores.xlsx", "--json")
    answer.assert_refused("scores cannot be written to such a file", "scores.xlsx", "expected: .parquet, .csv, .json")
    answer = nbrelapse("features", "new", "--out", tmp_path / "deep" / "features.txt", "--json")
    answer.assert_refused("a feature table cannot be a .txt", "features.txt", "expected: .parquet or .csv")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "{model}", "new", "--out", "{file}/scores.csv"),
        ("explain", "{model}", "new", "--out", "{file}/explained"),
        ("features", "new", "--out", "{file}/features.csv"),
        ("export", "{model}", "{file}/model"),
        ("cohort", "simulate", "--patients", "20", "--out", "{file}/raw"),
        ("quickstart", "--out", "{file}/demo"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_file_where_a_folder_is_needed(
    study: Any, nbrelapse: Run, names: Names, tmp_path: Path, arguments: tuple[str]
) -> None:
    file = tmp_path / "taken"
    file.write_text("mine")
    nbrelapse(*(text.format(model=study.model, file=file) for text in arguments)).assert_refused("taken")
    assert file.read_text() == "mine"
    assert names(tmp_path) == ["taken"]


def test_an_earlier_quickstart_is_kept(empty: Path, nbrelapse: Run, names: Names) -> None:
    (empty / "demo" / "raw").mkdir(parents=True)
    (empty / "demo" / "raw" / "mine.txt").write_text("mine")
    nbrelapse("quickstart", "--out", "demo").assert_refused("the folder is there already", "--overwrite")
    # What no quickstart has written is never removed.
    nbrelapse("quickstart", "--out", "demo", "--overwrite").assert_refused("the folder is not empty")
    assert names(empty) == ["demo", "demo/raw", "demo/raw/mine.txt"]


@pytest.mark.parametrize(
    "arguments",
    [("train",), ("nope",), ("score", "model"), ("ui", "--port", "0"), ("evaluate", "m", "c", "--bootstrap", "1")],
    ids=" ".join,
)
def test_wrong_usage(empty: Path, nbrelapse: Run, arguments: tuple[str, ...]) -> None:
    answer = nbrelapse(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "Usage: nbrelapse" in answer.err
    assert "Traceback" not in answer.err


def test_interrupted_while_training(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", interrupt)
    answer = nbrelapse("train", "tiny.toml", "--reports", tmp_path / "reports")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.endswith("interrupted\n")
    assert "Traceback" not in answer.err
    assert not (tmp_path / "reports").exists()


def test_interrupted_while_saving_a_model(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("nbrelapse.experiment.publish"), "write_bundle", interrupt)
    answer = nbrelapse("train", "tiny.toml", "--jobs", 1, "--reports", tmp_path / "reports")
    assert (answer.code, answer.out) == (130, "")
    # The last finished run is still the one that is shown.
    assert nbrelapse("compare", "tiny", "--json").document["run_id"] == study.training.document["run_id"]


def test_interrupted_while_writing_scores(
    study: Any, nbrelapse: Run, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupt)
    answer = nbrelapse("score", study.model, "new", "--out", tmp_path / "scores.csv")
    assert answer.code == 130
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        ("landmark_days = 90000", ("after the landmark", "0 patients are under observation then", "earlier landmark")),
        ("landmark_days = -1", ("illegal value -1", "landmark_days")),
        ('leave_one_out = { column = "hospital" }', ("column whose values are to be left out", "hospital")),
        ('leave_one_out = { column = "split" }', ("too few groups to leave one out: discovery",)),
        ('leave_one_out = { columns = "study" }', ("unknown key", "leave_one_out.columns", "expected: column")),
    ],
)
def test_landmarks_and_groups_that_the_cohort_does_not_carry(
    study: Any, nbrelapse: Run, tmp_path: Path, settings: str, texts: tuple[str, ...]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(f"{settings}\n" + (study.folder / "tiny.toml").read_text())
    answer = nbrelapse("train", file, "--cohort", study.folder / "cohort", "--reports", tmp_path / "reports", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert all(text in " ".join(answer.err.split()) for text in texts), answer.err


def test_a_cache_that_cannot_be_written(study: Any, nbrelapse: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file")
    nbrelapse("train", "tiny.toml", "--cache", tmp_path / "mine").assert_refused(
        "the cache cannot be written", "--no-cache"
    )
