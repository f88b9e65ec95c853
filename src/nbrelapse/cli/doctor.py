"""``nbrelapse doctor``: whether this installation, its store and its disks are fit for work."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at libraries, store, disks, optional parts and unended runs, and compute something small.

    Nothing is changed. Exit code 1: something is wrong, and is said with its fix.
    """
    from nbrelapse.experiment.health import check_health

    findings = check_health()
    healthy = all(found.state != "wrong" for found in findings)
    if as_json:
        document = {"healthy": healthy, "findings": [found._asdict() for found in findings]}
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
    else:
        for found in findings:
            typer.echo(f"{found.state:<6}{found.subject}: {found.text}")
            if found.fix is not None:
                typer.echo(f"      fix: {found.fix}")
        typer.echo("All is well." if healthy else "Something is wrong: see the lines that begin so.")
    if not healthy:
        raise typer.Exit(1)
