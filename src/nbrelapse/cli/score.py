"""``nbrelapse score``: risks of a cohort's patients from a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def score(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[Path, typer.Option(help="The file of scores: .parquet, .csv or .json.")],
    allow_missing_assays: Annotated[
        bool, typer.Option(help="Score although nobody has an assay that the model reads.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score the patients of a cohort: risk, interval, mechanisms, and what was missing."""
    import json

    from nbrelapse.cohort import read_cohort
    from nbrelapse.scoring import load_model
    from nbrelapse.scoring import score as score_cohort
    from nbrelapse.scoring.scores import check_scores_file, write_scores

    check_scores_file(out)
    scores = score_cohort(load_model(model), read_cohort(cohort), allow_missing_assays=allow_missing_assays)
    file = write_scores(scores, out)
    warned = int((scores["warnings"] != "").sum())
    unscored = int(scores["log_risk"].isna().sum())
    if as_json:
        document = {"file": str(file), "patients": len(scores), "unscored": unscored, "with_warnings": warned}
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"{len(scores)} patients: {len(scores) - unscored} scored, {warned} with warnings: {file}")
