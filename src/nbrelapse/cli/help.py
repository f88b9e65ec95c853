"""What the list of commands says of each, and the examples at the end of its ``--help``."""

from __future__ import annotations

import shlex
from typing import NamedTuple

import typer


class _Help(NamedTuple):
    """A line for the list of commands, at most 60 characters, and examples that can be run."""

    line: str
    examples: tuple[str, ...]


_HELP = {
    "quickstart": _Help("The whole job on simulated patients: a first look.", ("nbrelapse quickstart --out demo",)),
    "mechanisms": _Help(
        "List every mechanism and feature, with its sources.",
        ("nbrelapse mechanisms --mechanism mycn", "nbrelapse mechanisms --json"),
    ),
    "features": _Help(
        "Compute the mechanisms' features of every patient.",
        ("nbrelapse features cohorts/mine --out features.parquet --coverage",),
    ),
    "train": _Help(
        "Tune, validate, track and explain models.",
        (
            "nbrelapse train experiments/mine.toml --jobs 2",
            "nbrelapse train experiments/mine.toml --dry-run",
            "nbrelapse train experiments/mine.toml --set validation.repeats=5 --name mine-5",
        ),
    ),
    "compare": _Help(
        "Show an experiment's models beside the clinical groups.",
        ("nbrelapse compare mine", "nbrelapse compare mine --metric brier_5y"),
    ),
    "evaluate": _Help(
        "Judge a saved model on another cohort.",
        ("nbrelapse evaluate models/quickstart cohorts/other --out evaluated",),
    ),
    "explain": _Help(
        "Tie predictions to mechanisms: tables and pages.",
        (
            "nbrelapse explain models/quickstart cohorts/mine --out explained",
            "nbrelapse explain models/quickstart cohorts/mine --out explained --patient ID",
        ),
    ),
    "score": _Help(
        "Score the patients of a cohort with a saved model.",
        (
            "nbrelapse score models/quickstart cohorts/mine --out scores.csv",
            "nbrelapse score auto cohorts/mine --out scores.csv",
        ),
    ),
    "serve": _Help(
        "Serve a saved model to programs and a browser.",
        ("nbrelapse serve models/quickstart --port 8000",),
    ),
    "verify": _Help(
        "Say what a saved model is, and that it is whole.",
        ("nbrelapse verify models/quickstart", "nbrelapse verify models/theirs --trust keyring"),
    ),
    "export": _Help("Write a model as a folder to copy or sign.", ("nbrelapse export models:/m-… models/mine",)),
    "update": _Help(
        "Recalibrate a saved model on other patients.",
        ("nbrelapse update models/quickstart cohorts/other --out models/updated",),
    ),
    "register": _Help(
        "Register a model under a name and version.",
        ("nbrelapse register models/mine --name relapse --alias champion",),
    ),
    "promote": _Help(
        "Give an alias to a version shown to be better.",
        ("nbrelapse promote relapse 2 --alias champion",),
    ),
    "models": _Help(
        "List models; whom of a cohort each could score.",
        ("nbrelapse models", "nbrelapse models cohorts/mine"),
    ),
    "ui": _Help(
        "Open MLflow's page on an experiment's models.", ("nbrelapse ui mine --port 5000", "nbrelapse ui mine other")
    ),
    "doctor": _Help("Look at installation, store, disks and runs.", ("nbrelapse doctor",)),
    "cohort": _Help("Import, check, cut, join and simulate cohorts.", ()),
    "cohort check": _Help("Say what is in a cohort and what is missing.", ("nbrelapse cohort check cohorts/mine",)),
    "cohort fetch": _Help(
        "Fetch a public study, after its terms.",
        ("nbrelapse cohort fetch --list", "nbrelapse cohort fetch seqc --out downloads/seqc"),
    ),
    "cohort overlap": _Help(
        "Find patients who are in two cohorts.",
        ("nbrelapse cohort overlap cohorts/mine cohorts/other",),
    ),
    "cohort subset": _Help(
        "Keep some of a cohort's patients.",
        ("nbrelapse cohort subset cohorts/mine --where \"risk_group == 'high'\" --out cohorts/high",),
    ),
    "cohort simulate": _Help(
        "Write the raw files of simulated patients.",
        ("nbrelapse cohort simulate --patients 300 --seed 7 --out raw",),
    ),
    "cohort merge": _Help(
        "Make one cohort of several, each patient once.",
        ("nbrelapse cohort merge cohorts/a cohorts/b --out cohorts/both",),
    ),
    "cohort import": _Help("Turn the files of a study into a cohort.", ()),
    "cohort import geo": _Help(
        "Join GEO series matrices on sample titles.",
        (
            "nbrelapse cohort import geo GSE49711_series_matrix.txt.gz --expression expression.tsv.gz \\",
            "    --out cohorts/seqc",
        ),
    ),
    "cohort import tables": _Help(
        "Read tables of your own through a mapping file.",
        ("nbrelapse cohort import tables mapping.toml --source FOLDER --out cohorts/mine",),
    ),
    "cohort import gdc": _Help(
        "Join TARGET workbooks with GDC's molecular files.",
        ("nbrelapse cohort import gdc FOLDER --out cohorts/target",),
    ),
    "cohort import cbioportal": _Help(
        "Read a cBioPortal study as downloaded.",
        ("nbrelapse cohort import cbioportal FOLDER --out cohorts/mine",),
    ),
}


def say_next(*words: object) -> None:
    """Say on standard error which command is useful after this one.

    Parameters
    ----------
    *words : object
        The command's words; capitals, as of ``FOLDER``, are to be filled in.

    Examples
    --------
    >>> say_next("cohort", "check", "cohorts/mine")
    """
    typer.echo(f"next: nbrelapse {shlex.join(map(str, words))}", err=True)


def _add_help(app: typer.Typer, above: str = "") -> None:
    """Give every command of an app, and of the apps in it, its line and its examples."""
    for command in app.registered_commands:
        assert command.callback is not None
        told = _HELP.get(f"{above}{command.name or command.callback.__name__}")
        if told is not None:
            command.short_help = told.line
            command.epilog = "\n".join(["\b", "Examples:", *(f"  {example}" for example in told.examples)])
    for group in app.registered_groups:
        assert group.typer_instance is not None
        told = _HELP.get(f"{above}{group.name}")
        if told is not None:
            group.short_help = told.line
        _add_help(group.typer_instance, f"{above}{group.name} ")
