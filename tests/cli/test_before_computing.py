"""What would stop a command at its end stops it at its beginning: one message, exit code 2, nothing left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.cohort import write_cohort
from nbrelapse.errors import InputError
from nbrelapse.simulation import simulate_cohort

Run = Callable[..., Any]


def interrupt(*_: object, **__: object) -> None:
    raise AssertionError("something was computed")


MODEL = Path(__file__).parents[2] / "models" / "quickstart"
EXPERIMENT = """
name = "tiny"
[cohort]
path = "cohort"
"""


@pytest.fixture
def place(empty: Path, cohort_folder: Path) -> Path:
    """A working directory with an experiment file and two cohorts; nothing was trained."""
    (empty / "tiny.toml").write_text(EXPERIMENT)
    for name in ("cohort", "new"):
        (empty / name).symlink_to(cohort_folder)
    return empty


NOWHERE = "/proc/none"
WRITING = {
    "train": (["train", "tiny.toml", "--reports", NOWHERE], "experiment.run.run_experiment", "the report"),
    "cache": (["train", "tiny.toml", "--cache", NOWHERE], "experiment.run.run_experiment", "the cache"),
    "quickstart": (["quickstart", "--out", NOWHERE], "simulation.files.write_raw_files", "the folder"),
    "import": (
        ["cohort", "import", "cbioportal", "raw", "--out", f"{NOWHERE}/cohort"],
        "readers.cbioportal.import_cbioportal",
        "the cohort",
    ),
    "subset": (
        ["cohort", "subset", "cohort", "--where", "high_risk", "--out", f"{NOWHERE}/cohort"],
        "cohort.storage.read_cohort",
        "the cohort",
    ),
    "merge": (
        ["cohort", "merge", "cohort", "new", "--out", f"{NOWHERE}/cohort"],
        "cohort.merge.merge_folders",
        "the cohort",
    ),
    "features": (
        ["features", "cohort", "--out", f"{NOWHERE}/f.csv"],
        "mechanisms.build.build_features",
        "the feature table",
    ),
    "calls": (
        ["features", "cohort", "--out", "f.csv", "--calls", f"{NOWHERE}/calls.csv"],
        "mechanisms.build.build_features",
        "the table of calls",
    ),
    "genome": (
        ["features", "cohort", "--out", "f.csv", "--genome", f"{NOWHERE}/genome.png"],
        "mechanisms.build.build_features",
        "the picture",
    ),
    "score": (["score", "MODEL", "new", "--out", f"{NOWHERE}/s.csv"], "scoring.scores.score", "the scores"),
    "explain": (["explain", "MODEL", "new", "--out", NOWHERE], "scoring.explain.build_features", "the explanation"),
    "evaluate": (
        ["evaluate", "MODEL", "new", "--no-log", "--out", NOWHERE],
        "scoring.evaluate.evaluate_bundle",
        "the evaluation",
    ),
    "update": (["update", "MODEL", "new", "--out", NOWHERE], "scoring.update.update_bundle", "the model"),
    "export": (["export", "MODEL", f"{NOWHERE}/model"], "scoring.storage._write", "the model"),
}


@pytest.mark.parametrize("name", WRITING)
def test_a_place_that_cannot_be_written(
    place: Path, nbrelapse: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    command, work, what = WRITING[name]
    monkeypatch.setattr(f"nbrelapse.{work}", interrupt)
    before = sorted(place.iterdir())
    words = [MODEL if word == "MODEL" else word for word in command]
    nbrelapse(*words).assert_refused(f"{what} cannot be written", f"file: {NOWHERE}", "fix: ")
    assert sorted(place.iterdir()) == before


RECORDING = {
    "train": ["train", "tiny.toml", "--reports", "OUT"],
    "quickstart": ["quickstart", "--out", "OUT"],
    "compare": ["compare", "tiny"],
    "score": ["score", "MODEL", "new", "--out", "OUT.csv"],
    "explain": ["explain", "MODEL", "new", "--out", "OUT"],
    "evaluate": ["evaluate", "MODEL", "new", "--log"],
    "update": ["update", "MODEL", "new", "--out", "OUT"],
    "export": ["export", "MODEL", "OUT"],
    "serve": ["serve", "MODEL", "--port", "59999"],
    "register": ["register", "MODEL", "--name", "tiny"],
    "ui": ["ui", "--no-browser"],
    "models": ["models"],
}


@pytest.mark.parametrize("name", RECORDING)
@pytest.mark.parametrize("driver", [True, False], ids=["lost", "without a driver"])
def test_a_database_that_cannot_be_opened(
    place: Path, nbrelapse: Run, monkeypatch: pytest.MonkeyPatch, name: str, driver: bool
) -> None:
    if driver:
        pytest.importorskip("psycopg")
    else:
        monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://anna:secret@127.0.0.1:9/mlflow")
    for work in ("experiment.run.run_experiment", "simulation.files.write_raw_files", "scoring.scores.score"):
        monkeypatch.setattr(f"nbrelapse.{work}", interrupt)
    before = sorted(place.iterdir())
    answer = nbrelapse(*[word.replace("MODEL", "models:/m-0123").replace("OUT", "out") for word in RECORDING[name]])
    said = "the database does not answer" if driver else 'fix: pip install "nbrelapse[postgres]"'
    answer.assert_refused("MLflow cannot open its store", said)
    assert "secret" not in answer.err
    assert sorted(place.iterdir()) == before


def test_a_temporary_folder_without_room(
    place: Path, nbrelapse: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", interrupt)
    monkeypatch.setattr("tempfile.tempdir", NOWHERE)
    nbrelapse("train", "tiny.toml", "--no-cache", "--reports", tmp_path / "reports").assert_refused(
        "what is to be recorded cannot be written", "TMPDIR"
    )


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    cohort = simulate_cohort(60, seed=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**15, before[1]))
    try:
        monkey = pytest.MonkeyPatch()
        monkey.setattr("nbrelapse.cohort.files._PROBE", 1)  # there is room when it is looked at
        with pytest.raises(InputError, match=r"the cohort cannot be written: [^$]*make room"):
            write_cohort(cohort, tmp_path / "cohort")
    finally:
        monkey.undo()
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_recorded_is_in_the_cache(
    place: Path, nbrelapse: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nbrelapse.experiment.run.run_experiment", lambda *_, **__: None)

    def lost(*_: object, **__: object) -> None:
        raise InputError("the database does not answer", fix="start it")

    monkeypatch.setattr(import_module("nbrelapse.experiment.publish"), "publish", lost)
    nbrelapse("train", "tiny.toml", "--cache", tmp_path, "--reports", tmp_path / "reports").assert_refused(
        "the database does not answer",
        f"fix: start it; then say the same command again: the folds are in the cache {tmp_path}",
    )
