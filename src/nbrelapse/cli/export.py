"""``nbrelapse export``: copy a model out of MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    overwrite: Annotated[bool, typer.Option(help="Replace a folder that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check a model and write it as a folder that can be copied, archived and scored with."""
    import json

    from nbrelapse.scoring import load_model, write_bundle

    bundle = load_model(model)
    target = write_bundle(bundle, folder, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps({"folder": str(target), "endpoint": bundle.endpoint, "family": bundle.model.family}))
        return
    typer.echo(f"{bundle.model.family} model of {bundle.endpoint}: {target}")
