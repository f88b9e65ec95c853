"""What a terminal's encoding lacks is replaced; no command ends of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.cli.results import print_table

NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHONIO"))}
    command = [sys.executable, "-c", "from nbrelapse.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, check=False)


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}, NO_UTF8])
@pytest.mark.parametrize("arguments", [("mechanisms",), ("score", "--help")])
def test_commands_print_with_replacements(arguments: tuple[str, ...], environment: dict[str, str], empty: Path) -> None:
    found = run(empty, *arguments, **environment)
    assert found.returncode == 0, found.stderr
    assert b"Traceback" not in found.stderr
    assert len(found.stdout) > 500


def test_a_leaderboard_is_printed(study: Any) -> None:
    found = run(study.folder, "compare", "tiny", PYTHONIOENCODING="ascii")
    assert found.returncode == 0, found.stderr
    assert study.training.document["run_id"].encode() in found.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "tiny"),
        ("compare", "tiny", "--metric", "auc_3y"),
        ("features", "new", "--out", "f.csv", "--coverage"),
    ],
)
def test_tables_fit_eighty_columns(study: Any, arguments: tuple[str, ...]) -> None:
    lines = run(study.folder, *arguments, COLUMNS="80", PYTHONIOENCODING="utf-8").stdout.decode().splitlines()
    table = [line for line in lines if not line.startswith(("model ", "picture: "))]
    assert len(table) > 8
    assert max(map(len, table)) <= 80


def test_a_table_folds_names_and_keeps_numbers(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_table(("all patients", "minus the other one"), [("Ensemble of ridge models", "+0.061 (+0.025 to +0.098)")])
    said = capsys.readouterr().out
    assert "+0.061 (+0.025 to +0.098)" in said
    assert {"Ensemble", "ridge", "models"} <= set(said.split())


def test_a_message_is_printed(empty: Path) -> None:
    found = run(empty, "compare", "Größe≥1", PYTHONIOENCODING="ascii")
    assert found.returncode == 2
    assert b"error: " in found.stderr and b"Traceback" not in found.stderr


def test_signs_are_kept_where_they_can_be_printed(empty: Path) -> None:
    printed = run(empty, "mechanisms", PYTHONIOENCODING="utf-8").stdout.decode("utf-8")
    assert "■" in printed
    assert printed.replace("■", "?") == run(empty, "mechanisms", PYTHONIOENCODING="ascii").stdout.decode("ascii")
