"""``nbrelapse evaluate``: external validation of a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nbrelapse.cli.leaderboard import evaluation_document, print_leaderboard


def evaluate(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder; none of its patients may have trained the model.")],
    bootstrap: Annotated[int, typer.Option(min=100, help="Bootstrap resamples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
    interval: Annotated[Literal["percentile", "bca"], typer.Option(help="Kind of the 95% intervals.")] = "percentile",
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Evaluate although nobody has an assay that the model reads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Judge a saved model on another cohort, beside the clinical baselines it was trained with."""
    import json

    from nbrelapse.cohort import read_cohort
    from nbrelapse.experiment.evaluate_bundle import evaluate_bundle
    from nbrelapse.report.decisions import decisions_section
    from nbrelapse.report.verdict import verdict
    from nbrelapse.scoring import load_model

    bundle = load_model(model)
    evaluation = evaluate_bundle(
        bundle,
        read_cohort(cohort),
        n_bootstrap=bootstrap,
        seed=seed,
        interval=interval,
        allow_missing_assays=allow_missing_assays,
    )
    if as_json:
        document = {"endpoint": bundle.endpoint, **(evaluation_document(evaluation) or {}), "notes": evaluation.notes}
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    for metric in dict.fromkeys(evaluation.metrics["metric"]):
        print_leaderboard(f"{cohort.name}: {bundle.endpoint}", evaluation, metric)
    for population in evaluation.metrics["population"].unique():
        typer.echo(verdict(evaluation, bundle.model.family, population).sentence)
    if evaluation.utility is not None:
        for sentence in decisions_section(evaluation.utility)["sentences"]:
            typer.echo(sentence)
    for note in evaluation.notes:
        typer.echo(f"note: {note}", err=True)
