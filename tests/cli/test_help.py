"""What the command line says of itself."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from nbrelapse.cli import app
from nbrelapse.cli.help import _HELP

ROOT = typer.main.get_command(app)
LONGEST_LINE = 60


def commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in getattr(group, "commands", {}).items():
        yield f"{above}{name}", command
        yield from commands(command, f"{above}{name} ")


COMMANDS = dict(commands(ROOT))


def test_every_command_has_its_line_and_every_line_its_command() -> None:
    assert set(_HELP) == set(COMMANDS)
    assert {name for name, told in _HELP.items() if len(told.line) > LONGEST_LINE} == set()
    assert {name for name, told in _HELP.items() if not told.examples} == {"cohort", "cohort import"}


@pytest.mark.parametrize("name", [name for name in _HELP if _HELP[name].examples])
def test_every_example_is_a_command_that_is_understood(name: str) -> None:
    command = COMMANDS[name]
    for example in " ".join(_HELP[name].examples).replace("\\ ", " ").split("nbrelapse ")[1:]:
        words = shlex.split(example)
        assert words[: len(name.split())] == name.split()
        assert command.make_context(name, words[len(name.split()) :]).params


def test_each_command_ends_with_the_next_one(nbrelapse: Callable[..., Any], empty: Path) -> None:
    """From raw files to scores by what is said last; capitals are to be filled in."""
    model = Path(__file__).parents[2] / "models" / "quickstart"
    followed = [nbrelapse("cohort", "simulate", "--patients", 40, "--seed", 3, "--out", "raw")]
    for name in ("cohort import cbioportal", "features", "train"):
        words = next_words(followed[-1])
        assert words[: len(name.split())] == name.split()
        if name != "train":
            followed.append(nbrelapse(*words))
    cohort = "cohorts/simulated"
    others = [
        nbrelapse("cohort", "check", cohort),
        nbrelapse("cohort", "subset", cohort, "--where", "age_days < 900", "--out", "young"),
        nbrelapse("score", model, cohort, "--out", "s.csv", "--where", "age_days < 900"),
        nbrelapse("export", model, "copy"),
    ]
    told = [next_words(answer) for answer in [*followed, *others]]
    assert told[-2][-2:] == ["--where", "age_days < 900"]
    for words in told:
        name = next(
            name for name in sorted(COMMANDS, key=len, reverse=True) if words[: len(name.split())] == name.split()
        )
        assert COMMANDS[name].make_context(name, words[len(name.split()) :]).params
    assert "next: " not in nbrelapse("cohort", "check", cohort, "--json").err


def next_words(answer: Any) -> list[str]:
    assert answer.code == 0, answer.err
    said = answer.err.splitlines()[-1]
    assert said.startswith("next: nbrelapse ")
    return shlex.split(said)[2:]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_a_terminal_and_ends_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app([*name.split(), "--help"], prog_name="nbrelapse")
    said = capsys.readouterr().out
    assert ended.value.code == 0
    wide = [line for line in said.splitlines() if len(line) > 80 and "nbrelapse " not in line]
    assert wide == []
    assert "..." not in said.partition("\nCommands:\n")[2]
    assert ("Examples:" in said) == bool(name and _HELP[name].examples)


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "nbrelapse", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nbrelapse ")


def test_completion_can_be_shown_for_a_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbrelapse"],
        env=os.environ | {"_NBRELAPSE_COMPLETE": "complete_bash", "COMP_WORDS": "nbrelapse coh", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cohort" in done.stdout
