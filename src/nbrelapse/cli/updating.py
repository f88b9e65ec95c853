"""``nbrelapse update``: recalibrate a saved model on the patients of another hospital."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbrelapse.cli.data import Where, read_patients
from nbrelapse.cli.help import say_next
from nbrelapse.cli.models import Sign, Trust

if TYPE_CHECKING:
    from nbrelapse.scoring.update import UpdatedModel


def update(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder; none of its patients may have trained the model.")],
    out: Annotated[Path, typer.Option(help="Folder for the updated model; the model that is updated stays as it is.")],
    where: Where = None,
    bootstrap: Annotated[int, typer.Option(min=100, help="Bootstrap resamples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples and folds.")] = 0,
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Update although nobody has an assay that the model reads.")
    ] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Update although training patients seem to be among these.")
    ] = False,
    trust: Trust = None,
    sign: Sign = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a model that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Recalibrate a saved model on other patients, in the large or its slope too, as a new model.

    Exit code 1: nothing is to be changed, and no model is written.
    """
    from nbrelapse.mechanisms.feature_table import later_columns
    from nbrelapse.scoring.reading import load_model
    from nbrelapse.scoring.signature import check_key
    from nbrelapse.scoring.storage import check_model_folder, write_bundle
    from nbrelapse.scoring.update import update_bundle

    check_model_folder(out, overwrite=overwrite)
    if sign is not None:
        check_key(sign)
    bundle = load_model(model, trust=trust)
    patients = read_patients(cohort, where, barred=later_columns(bundle.endpoint, bundle.landmark_days))
    found = update_bundle(
        bundle,
        patients,
        n_bootstrap=bootstrap,
        seed=seed,
        allow_missing_assays=allow_missing_assays,
        allow_overlap=allow_overlap,
    )
    folder = None if found.bundle is None else write_bundle(found.bundle, out, sign=sign, overwrite=overwrite)
    if as_json:
        _print_document(found, bundle.endpoint, folder)
    else:
        typer.echo(found.sentence())
        typer.echo(found.in_lines())
        for note in found.notes:
            typer.echo(f"note: {note}", err=True)
        typer.echo("No model is written: use the one there is." if folder is None else f"Updated model: {folder}")
        say_next("score", model if folder is None else folder, "COHORT", "--out", "scores.csv")
    if folder is None:
        raise typer.Exit(1)


def _print_document(found: UpdatedModel, endpoint: str, folder: Path | None) -> None:
    import json

    figures = found.figures.astype(object).where(found.figures.notna(), None)
    document = {
        "endpoint": endpoint,
        "patients": found.patients,
        "events": found.events,
        "competing_events": found.competing,
        "method": found.update.method,
        **found.update.numbers(),
        "tests": list(found.update.tests),
        "figures": figures.to_dict("records"),
        "notes": found.notes,
        "folder": None if folder is None else str(folder),
    }
    typer.echo(json.dumps(document, indent=2, allow_nan=False))
