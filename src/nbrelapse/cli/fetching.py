"""``nbrelapse cohort fetch``: public studies, after their terms were shown."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbrelapse.cli.data import Json

if TYPE_CHECKING:
    from nbrelapse.readers import PublicStudy

_WIDTH = 80
_SECONDS = 5.0
"""Between two lines that say how much is there."""


def fetch(
    name: Annotated[str | None, typer.Argument(help="The study; without it, those that there are.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the studies that can be fetched.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to; downloads/NAME by default.")
    ] = None,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Accept the terms of use, which are shown before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch a public study, after its terms were shown: resumed where it stopped, and checked.

    Without a name, a table of the studies with their size, assays, terms and source.
    """
    import json

    from nbrelapse.readers import fetch_study, find_study

    if listed or name is None:
        _list(as_json=as_json)
        return
    study = find_study(name)
    folder = Path("downloads") / name if out is None else out
    _show(study)
    found = fetch_study(
        study, folder, accept_terms=_accepted(study, folder, accept_terms), progress=_line_now_and_then()
    )
    command = shlex.join([*found.command, "--out", f"cohorts/{name}"])
    if as_json:
        document = {"folder": str(folder), "files": found.files, "fetched": found.fetched, "notes": found.notes}
        typer.echo(json.dumps({**document, "next": command}))
        return
    done = f"fetched: {', '.join(found.fetched)}" if found.fetched else "complete already, nothing was downloaded"
    typer.echo("\n".join([f"{folder}: {done}", *found.notes, f"next: {command}"]))


def _accepted(study: PublicStudy, folder: Path, said: bool) -> bool:
    """Return whether the terms are accepted: by the option, before for this folder, or by an answer on a terminal."""
    from nbrelapse.readers import accepted_terms

    when = accepted_terms(study, folder)
    if when is not None:
        typer.echo(f"terms accepted for {folder} on {when[:10]}\n", err=True)
    if said or when is not None or not sys.stdin.isatty():
        return said
    typer.echo("Do you accept these terms? [y/N] ", err=True, nl=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        typer.echo("nothing was fetched", err=True)
        raise typer.Exit(1)
    return True


def _show(study: PublicStudy) -> None:
    """Print on standard error what a study is, and its terms in the source's words."""
    from textwrap import fill

    lines = [study.title, f"{_people(study)}: {', '.join(study.assays)}", study.citation, study.page, ""]
    for terms in study.terms:
        lines += [
            f"Terms: {terms.title}",
            terms.address,
            fill(" ".join(terms.text.split()), _WIDTH, break_on_hyphens=False),
            "",
        ]
    typer.echo("\n".join(lines), err=True)


def _list(*, as_json: bool) -> None:
    import json

    from rich.console import Console
    from rich.table import Table

    from nbrelapse.readers import public_studies

    studies = public_studies()
    if as_json:
        typer.echo(json.dumps({name: study.model_dump() for name, study in studies.items()}))
        return
    table = Table(box=None, pad_edge=False, header_style="", width=_WIDTH)
    for title in ("study", "holds", "MB", "terms", "source"):
        table.add_column(title, no_wrap=title != "holds", justify="right" if title == "MB" else "left")
    for name, study in studies.items():
        size = "?" if study.megabytes is None else f"{study.megabytes:,g}"
        held = f"{_people(study)}: {', '.join(study.assays)}"
        table.add_row(name, held, size, "\n".join(terms.short for terms in study.terms), study.source)
    Console(width=_WIDTH, highlight=False).print(table)
    typer.echo("\nMB: unpacked; ?: the source does not say. next: nbrelapse cohort fetch STUDY")


def _people(study: PublicStudy) -> str:
    return f"{study.people:,} {study.counted}"


def _line_now_and_then() -> Callable[[str, int, int | None], None]:
    """Return what says on standard error how much of a file is there, a line each few seconds."""
    last = time.monotonic()

    def say(name: str, there: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS:
            last = time.monotonic()
            whole = "" if total is None else f" of {total / 1e6:,.1f}"
            typer.echo(f"{name}: {there / 1e6:,.1f}{whole} MB", err=True)

    return say
