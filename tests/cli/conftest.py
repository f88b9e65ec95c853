from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.cli import main
from nbrelapse.cohort import write_cohort
from nbrelapse.simulation import simulate_cohort

EXPERIMENT = """
name = "tiny"
seed = 3
refits = 20
[cohort]
path = "cohort"
[split]
train = ["discovery"]
validation = ["validation"]
[validation]
folds = 3
repeats = 1
inner_folds = 2
trials = 2
bootstrap = 100
"""


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    def assert_refused(self, *texts: str) -> None:
        """Exit code 2 and one message, on standard error, that holds the texts."""
        assert self.code == 2, self.err
        assert self.out == ""
        assert self.err.count("error: ") == 1
        assert "Traceback" not in self.err
        for text in texts:
            assert text in self.err


def run_command(*arguments: object) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["nbrelapse", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as done:
            code = int(done.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def nbrelapse() -> Callable[..., Answer]:
    """The command line in this process: ``nbrelapse("score", model, cohort, "--out", file)``."""
    return run_command


@pytest.fixture(scope="session")
def names() -> Callable[[Path], list[str]]:
    """All that is in a folder and below it."""
    return lambda folder: sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@dataclass(frozen=True)
class Study:
    """A working directory with two cohorts and a trained experiment.

    ``cohort`` (180 patients), ``new`` (40 others), ``tiny.toml`` and what ``train tiny.toml --json`` left and said.
    """

    folder: Path
    training: Answer

    @property
    def model(self) -> str:
        document = self.training.document
        return str(document["models"][document["chosen"]])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, _empty_database: Path) -> Study:
    folder = tmp_path_factory.mktemp("study")
    (folder / "mlruns").mkdir()
    shutil.copyfile(_empty_database, folder / "mlruns" / "mlflow.db")
    write_cohort(simulate_cohort(180, seed=5), folder / "cohort")
    write_cohort(simulate_cohort(40, seed=6), folder / "new")
    (folder / "tiny.toml").write_text(EXPERIMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return Study(folder, run_command("train", "tiny.toml", "--jobs", 1, "--json"))


@pytest.fixture
def study(trained: Study, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """The trained study, as the working directory."""
    monkeypatch.chdir(trained.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield trained


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder
