"""``nbrelapse explain``: what drives a model's predictions in a cohort, and in one patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.experiment.explain_cohort import ExplainedCohort
    from nbrelapse.explanation import Stability


def explain(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the attributions, pictures and pages.")],
    patient: Annotated[str | None, typer.Option(help="Write the page of this patient, patient.html.")] = None,
    horizon: Annotated[
        float | None,
        typer.Option(help="Years of the explained probability; the longest of 1, 2, 3 and 5 that training reaches."),
    ] = None,
    background: Annotated[
        Path | None, typer.Option(help="A cohort folder to compare with: contributions start from its mean.")
    ] = None,
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Explain although nobody has an assay that the model reads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Attribute a model's predictions to mechanisms: tables, pictures and HTML pages."""
    import json

    from nbrelapse.cohort import read_cohort
    from nbrelapse.experiment.explain_cohort import ExplainRequest, explain_cohort
    from nbrelapse.scoring import load_model

    bundle = load_model(model)
    request = ExplainRequest(
        patient=patient,
        horizon_years=horizon,
        background=None if background is None else read_cohort(background),
        allow_missing_assays=allow_missing_assays,
    )
    found = explain_cohort(bundle, read_cohort(cohort), out, request)
    document = {"model": model, "endpoint": bundle.endpoint, **_document(found)}
    if as_json:
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    typer.echo(f"Mean absolute contribution to the {found.explanation.scale}:")
    for name, value in document["mechanisms"].items():
        title = bundle.catalogue.mechanisms[name].title
        typer.echo(f"  {title:<28}{value:8.3f}{_over_refits(found.stability, name)}")
    typer.echo(f"{document['patients']} patients explained: {found.report}")
    if found.patient_report is not None:
        typer.echo(f"Page of the patient: {found.patient_report}")


def _document(found: ExplainedCohort) -> dict[str, Any]:
    explanation, stable = found.explanation, found.stability
    document = {
        "patients": len(explanation.values),
        "mechanisms": {name: float(value) for name, value in explanation.mechanism_importance().items()},
        "stability": None if stable is None else _stability_document(stable),
        **found.attributions,
        **({} if found.game is None else {"game": _nulls(found.game)}),
        "report": str(found.report),
        "figures": [str(file) for file in found.figures],
    }
    return document | ({} if found.patient_report is None else {"patient_report": str(found.patient_report)})


def _over_refits(stable: Stability | None, mechanism: str) -> str:
    if stable is None:
        return ""
    row = stable.mechanisms.loc[mechanism]
    return f"   {row['low']:.3f} to {row['high']:.3f}   rank {row['rank_low']} to {row['rank_high']}   {row['status']}"


def _stability_document(stable: Stability) -> dict[str, Any]:
    """Return the tables that a reader of JSON wants; NaN as null."""
    tables = {
        "mechanisms": stable.mechanisms,
        "rank_agreement": stable.rank_agreement,
        "disagreements": stable.disagreements.drop(columns="agrees"),
    }
    document = {name: _nulls(table) for name, table in tables.items()}
    return {"patients": stable.n_patients, "refits": stable.n_refits, **document}


def _nulls(table: pd.DataFrame) -> dict[Any, Any]:
    return table.astype(object).where(table.notna(), None).to_dict("index")
