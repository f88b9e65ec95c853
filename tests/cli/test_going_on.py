"""A training that is told to end, or killed, ends with all that it started; the next one goes on to the same result."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.cli import training
from nbrelapse.validation.fold_cache import CACHE_FOLDER

CODE = "from nbrelapse.cli import main; main()"


@pytest.fixture
def undone(study: Any, tmp_path: Path, _empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trained study once more, before its training, as the working directory."""
    shutil.copytree(study.folder / "cohort", tmp_path / "cohort")
    shutil.copy(study.folder / "tiny.toml", tmp_path)
    (tmp_path / "mlruns").mkdir()
    shutil.copyfile(_empty_database, tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def statuses(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "mlruns" / "mlflow.db", timeout=30)) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in database.execute("select status from runs")]


def left_of(session: int) -> list[Path]:
    """Processes of a session that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = stat.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(own) == session and state != "Z":
            found.append(stat.parent)
    return found


def stopped(
    folder: Path, number: int, reached: Callable[[], bool], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Start a training in a session of its own and send it a signal when it has come so far."""
    command = [sys.executable, "-c", CODE, "train", "tiny.toml", *arguments]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + 120
    while not reached():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate()
    until = time.monotonic() + 10
    while left_of(process.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert left_of(process.pid) == []
    return subprocess.CompletedProcess(command, process.returncode, None, said)


def figures(document: Any) -> Any:
    """What a training found, without the ids of its runs and the places of its files."""
    return {name: document[name] for name in ("chosen", "verdicts", "cross_validation", "holdout", "notes")}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_training_goes_on_after_signals_and_kills(undone: Path, study: Any, nbrelapse: Callable[..., Any]) -> None:
    cache = undone / CACHE_FOLDER
    ended = stopped(undone, signal.SIGTERM, lambda: any(cache.glob("*/*.npz")), "--jobs", "2")
    assert ended.returncode == 143, ended.stderr
    assert ended.stderr.endswith(
        f"What is finished is kept in {CACHE_FOLDER}: the same command goes on from there.\nterminated\n"
    )
    assert "Traceback" not in ended.stderr and "Warning" not in ended.stderr
    assert statuses(undone) == []
    kept = set(cache.glob("*/*.npz"))

    ended = stopped(undone, signal.SIGKILL, lambda: len(list(cache.glob("*/*.npz"))) > 12, "--jobs", "1")
    assert ended.returncode == -9
    assert kept < set(cache.glob("*/*.npz"))
    assert statuses(undone) == []
    assert "came from the cache" not in ended.stderr

    done = nbrelapse("train", "tiny.toml", "--jobs", 1, "--json")
    assert done.code == 0, done.err
    found = re.search(r"^(\d+) of \d+ folds.* came from the cache", done.err, flags=re.M)
    assert found is not None and int(found[1]) >= len(kept)
    assert set(statuses(undone)) == {"FINISHED"}
    assert figures(done.document) == figures(study.training.document)


def test_a_stage_is_a_line_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 10.5, 12.0, 75.0])
    monkeypatch.setattr(training.time, "monotonic", lambda: next(seconds))
    with redirect_stderr(StringIO()) as said, training.progress_bar() as progress:
        for done in (0, 1, 2, 3, 4):
            progress("final models", done, 4)
    assert said.getvalue() == "final models: 0 of 4, 0:00\nfinal models: 2 of 4, 0:10\nfinal models: 4 of 4, 1:15\n"


def test_an_unfinished_quickstart_says_how_it_goes_on(empty: Path, nbrelapse: Callable[..., Any]) -> None:
    (empty / "demo" / CACHE_FOLDER).mkdir(parents=True)
    nbrelapse("quickstart").assert_refused("the folder is there already", "--overwrite: it goes on")
    (empty / "demo" / "scores.csv").touch()
    assert "goes on" not in nbrelapse("quickstart").err


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals_are_exit_codes(
    number: int, code: int, word: str, empty: Path, nbrelapse: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shell lets its background jobs ignore SIGINT, and whoever ignores it is not ended by it.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    monkeypatch.setattr("nbrelapse.experiment.health.check_health", lambda: signal.raise_signal(number))
    # The processes that other tests started in this one are not its to end.
    monkeypatch.setattr("nbrelapse.models.processes.end_processes", lambda: None)
    found = nbrelapse("doctor")
    assert (found.code, found.out, found.err) == (code, "", f"{word}\n")
    after = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    signal.signal(signal.SIGINT, usual)
    assert after == before
