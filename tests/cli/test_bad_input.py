"""Each mistake of a user: one message that says what and where, exit code 2, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import read_cohort, write_cohort

Run = Callable[..., Any]

MAPPING = """
name = "demo"
[patients]
file = "clinical.tsv"
[patients.columns]
patient_id = "id"
age_days = "age"
inss_stage = "stage"
mycn_status = "mycn"
event = "event"
event_days = "event_days"
death = "death"
followup_days = "followup"
[assays]
file = "assays.tsv"
[assays.columns]
sample_id = "id"
assay = { constant = "mutations" }
genome_build = "build"
"""

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 99\n"


def clinical() -> pd.DataFrame:
    """24 patients whose records are in order; every third relapsed."""
    number = np.arange(24)
    relapsed = number % 3 == 0
    followup = 900 + 100 * number
    return pd.DataFrame(
        {
            "id": [f"p{n:02d}" for n in number],
            "age": 300 + 40 * number,
            "stage": "4",
            "mycn": np.where(relapsed, "amplified", "not amplified"),
            "event": np.where(relapsed, "relapse", "none"),
            "event_days": np.where(relapsed, 400, followup),
            "death": 0,
            "followup": followup,
        }
    )


def write_study(folder: Path, patients: pd.DataFrame, *, second_build: str = "hg19") -> Path:
    patients.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    builds = np.where(patients.index < 12, "hg19", second_build)
    pd.DataFrame({"id": patients["id"], "build": builds}).to_csv(folder / "assays.tsv", sep="\t", index=False)
    (folder / "map.toml").write_text(MAPPING)
    return folder / "map.toml"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(answer: Any, *texts: str) -> None:
    """The answer is exit code 2 and one message, on standard error, that holds the texts."""
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert answer.err.count("error: ") == 1
    assert "Traceback" not in answer.err
    for text in texts:
        assert text in answer.err


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_study_in_order_is_imported(empty: Path, nbrelapse: Run) -> None:
    write_study(empty, clinical())
    assert nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort").code == 0
    assert len(read_cohort(empty / "cohort").patients) == 24


def with_value(column: str, row: int, value: object) -> pd.DataFrame:
    patients = clinical()
    patients[column] = patients[column].astype("object")
    patients.loc[row, column] = value
    return patients


def in_months() -> pd.DataFrame:
    patients = clinical()
    for column in ("event_days", "followup"):
        patients[column] = (patients[column] / 30.4375).round(1)
    return patients


@pytest.mark.parametrize(
    ("patients", "texts"),
    [
        pytest.param(
            clinical().drop(columns="stage"),
            ["a column that the mapping names is missing", "column: stage", "expected: one of id, age, mycn"],
            id="missing column",
        ),
        pytest.param(
            with_value("id", 23, "p00"), ["duplicated patient", "column: patient_id", "rows: 1, 24"], id="duplicate"
        ),
        pytest.param(
            with_value("event_days", 2, -5), ["negative value", "column: event_days", "rows: 3"], id="negative time"
        ),
        pytest.param(
            in_months(), ["the times look like months, not days", "column: event_days", 'unit = "months"'], id="months"
        ),
        pytest.param(
            with_value("stage", 3, "5"),
            ["unknown code", "column: inss_stage", "rows: 4", "expected: 1, 2, 2A, 2B, 3, 4, 4S"],
            id="unknown stage",
        ),
        pytest.param(
            with_value("event_days", 1, "soon"), ["column: event_days", "rows: 2"], id="a time that is no number"
        ),
    ],
)
def test_patients_that_cannot_be_used(empty: Path, nbrelapse: Run, patients: pd.DataFrame, texts: list[str]) -> None:
    write_study(empty, patients)
    before = names(empty)
    answer = nbrelapse("cohort", "import", "tables", "map.toml", "--out", "new/cohort", "--json")
    refused(answer, "file: clinical.tsv", *texts)
    assert names(empty) == before


@pytest.mark.parametrize("value", ["", "Unknown", "Not Reported", "NA"])
def test_what_is_not_known_is_no_mistake(empty: Path, nbrelapse: Run, value: str) -> None:
    patients = with_value("stage", 3, value)
    patients["mycn"] = np.where(patients.index == 5, value, patients["mycn"])
    write_study(empty, patients)
    assert nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort").code == 0
    read = read_cohort(empty / "cohort").patients
    assert read["inss_stage"].isna().tolist() == [row == 3 for row in range(24)]
    assert read["mycn_status"].isna().tolist() == [row == 5 for row in range(24)]


def test_mixed_genome_builds(empty: Path, nbrelapse: Run) -> None:
    write_study(empty, clinical(), second_build="hg38")
    before = names(empty)
    answer = nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort")
    refused(answer, "mixed genome builds in mutations: hg19, hg38", "file: assays.tsv", "column: genome_build")
    assert names(empty) == before


@pytest.mark.parametrize("replaced", ["clinical.tsv", "map.toml"])
def test_a_git_lfs_pointer(empty: Path, nbrelapse: Run, replaced: str) -> None:
    write_study(empty, clinical())
    (empty / replaced).write_text(POINTER)
    before = names(empty)
    answer = nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort")
    refused(answer, "the file is a Git LFS pointer, not the data", f"file: {replaced}", "git lfs pull")
    assert names(empty) == before


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
    ],
    ids=lambda arguments: " ".join(arguments[:-1]),
)
def test_a_file_or_folder_that_does_not_exist(empty: Path, nbrelapse: Run, arguments: tuple[str, ...]) -> None:
    refused(nbrelapse(*arguments), "none.x")
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
def test_an_experiment_file_that_cannot_be_used(empty: Path, nbrelapse: Run, text: str, expected: list[str]) -> None:
    (empty / "a.toml").write_text(text)
    refused(nbrelapse("train", "a.toml", "--json"), *expected)
    assert names(empty) == ["a.toml"]


def test_a_folder_where_an_experiment_file_is_expected(empty: Path, nbrelapse: Run) -> None:
    refused(nbrelapse("train", "."), "a file was expected, this is a folder")


def without_events(source: Path, target: Path) -> Path:
    cohort = read_cohort(source)
    patients = cohort.patients.assign(event="none", event_days=cohort.patients["followup_days"], death=0.0)
    return write_cohort(replace(cohort, patients=patients), target)


def test_a_cohort_with_no_events(study: Any, nbrelapse: Run, tmp_path: Path) -> None:
    folder = without_events(study.folder / "cohort", tmp_path / "calm")
    before = names(study.folder)
    problem = "no patient of cohort 'simulated' has the event of endpoint 'relapse'"
    refused(nbrelapse("train", "tiny.toml", "--cohort", folder, "--reports", tmp_path / "reports", "--json"), problem)
    refused(nbrelapse("evaluate", study.model, folder, "--json"), problem)
    assert names(study.folder) == before
    assert not (tmp_path / "reports").exists()


def test_a_cohort_with_no_events_leaves_no_store(empty: Path, study: Any, nbrelapse: Run) -> None:
    import os

    without_events(study.folder / "cohort", empty / "calm")
    os.chdir(empty)
    before = names(empty)
    refused(nbrelapse("train", study.folder / "tiny.toml", "--cohort", "calm"), "has the event of endpoint 'relapse'")
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
    refused(answer, "nobody on this side of the split has the event", "column: split.validation")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "model",
    ["models:/nope@champion", "models:/nope/1", "models:/m-0123456789abcdef", "runs:/0123456789abcdef/model", "nope"],
)
@pytest.mark.parametrize("command", ["score", "evaluate", "explain", "export"])
def test_a_model_that_does_not_exist(study: Any, nbrelapse: Run, tmp_path: Path, command: str, model: str) -> None:
    before = names(study.folder)
    arguments = {
        "score": ("new", "--out", tmp_path / "scores.csv"),
        "evaluate": ("new",),
        "explain": ("new", "--out", tmp_path / "explained"),
        "export": (tmp_path / "model",),
    }
    refused(nbrelapse(command, model, *arguments[command], "--json"), model)
    assert names(study.folder) == before
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "tiny"),
        ("ui",),
        ("score", "models:/nope@champion", "cohort", "--out", "scores.csv"),
        ("export", "runs:/0123456789abcdef/model", "model"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_store_none_is_made(empty: Path, nbrelapse: Run, arguments: tuple[str, ...]) -> None:
    refused(nbrelapse(*arguments), "there is no MLflow store yet", "train first")
    assert names(empty) == []


def test_an_experiment_that_was_never_trained(study: Any, nbrelapse: Run) -> None:
    refused(nbrelapse("compare", "nope", "--json"), "the store has no experiment named 'nope'", "tiny")


def test_a_store_that_cannot_be_opened(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.db").write_text("no database, but long enough to be taken for one by its size" * 20)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'notes.db'}")
    refused(nbrelapse("compare", "tiny"), "MLflow cannot open its store", "MLFLOW_TRACKING_URI")
    # Known before the hours that training may take, not after.
    monkeypatch.setattr("nbrelapse.experiment.run_experiment", interrupt)
    refused(nbrelapse("train", "tiny.toml"), "MLflow cannot open its store")


def test_a_file_where_the_reports_should_go(
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reports").write_text("mine")
    monkeypatch.setattr("nbrelapse.experiment.run_experiment", interrupt)
    refused(nbrelapse("train", "tiny.toml", "--reports", tmp_path / "reports"), "a folder was expected", "reports")


@pytest.mark.parametrize("command", ["score", "evaluate", "explain"])
def test_a_cohort_that_lacks_what_the_model_needs(study: Any, nbrelapse: Run, tmp_path: Path, command: str) -> None:
    cohort = read_cohort(study.folder / "new")
    assays = cohort.assays[cohort.assays["assay"] == "fish"].reset_index(drop=True)
    molecular = dict.fromkeys(("segments", "mutations", "rearrangements", "expression"))
    folder = write_cohort(replace(cohort, assays=assays, **molecular), tmp_path / "clinical_only")
    out = tmp_path / "out.csv"
    arguments = [] if command == "evaluate" else ["--out", out]
    answer = nbrelapse(command, study.model, folder, *arguments, "--json")
    refused(answer, "the cohort lacks what the model reads: nobody has", "copy_number", "expression")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clinical_only"]


def test_nothing_is_read_before_the_name_of_the_output_is_right(study: Any, nbrelapse: Run, tmp_path: Path) -> None:
    answer = nbrelapse("score", study.model, "new", "--out", tmp_path / "deep" / "scores.xlsx", "--json")
    refused(answer, "scores cannot be written to such a file", "scores.xlsx", "expected: .parquet, .csv, .json")
    answer = nbrelapse("features", "new", "--out", tmp_path / "deep" / "features.txt", "--json")
    refused(answer, "a feature table cannot be a .txt", "features.txt", "expected: .parquet or .csv")
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
def test_a_file_where_a_folder_is_needed(study: Any, nbrelapse: Run, tmp_path: Path, arguments: tuple[str]) -> None:
    file = tmp_path / "taken"
    file.write_text("mine")
    refused(nbrelapse(*(text.format(model=study.model, file=file) for text in arguments)), "taken")
    assert file.read_text() == "mine"
    assert names(tmp_path) == ["taken"]


def test_an_earlier_quickstart_is_kept(empty: Path, nbrelapse: Run) -> None:
    (empty / "demo" / "raw").mkdir(parents=True)
    (empty / "demo" / "raw" / "mine.txt").write_text("mine")
    refused(nbrelapse("quickstart", "--out", "demo"), "the folder is there already", "--overwrite")
    # What no quickstart has written is never removed.
    refused(nbrelapse("quickstart", "--out", "demo", "--overwrite"), "the folder is not empty")
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
    monkeypatch.setattr("nbrelapse.experiment.run_experiment", interrupt)
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
    study: Any, nbrelapse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupt)
    answer = nbrelapse("score", study.model, "new", "--out", tmp_path / "scores.csv")
    assert answer.code == 130
    assert names(tmp_path) == []
