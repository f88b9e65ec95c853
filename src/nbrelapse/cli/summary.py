"""What ``train`` and ``quickstart`` print at their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbrelapse.cli.leaderboard import evaluation_document, multiplicity_document, print_groups, print_leaderboard

if TYPE_CHECKING:
    from nbrelapse.experiment.publish import Published
    from nbrelapse.experiment.result import ExperimentResult


def print_summary(
    result: ExperimentResult, published: Published, *, as_json: bool, outputs: dict[str, str] | None = None
) -> None:
    """Print the leaderboard and where everything is: text, or one JSON document.

    Parameters
    ----------
    result : ExperimentResult
    published : Published
    as_json : bool
    outputs : dict of str to str, optional
        Further files by what they are.
    """
    import typer

    if as_json:
        typer.echo(json.dumps(_document(result, published, outputs or {}), indent=2, allow_nan=False))
        return
    from rich.console import Console

    from nbrelapse.report.guard_sections import multiplicity_sentence
    from nbrelapse.report.verdict import verdict
    from nbrelapse.validation.leading_metric import leading_metric

    console = Console()
    evaluation, label = _judging(result)
    title = f"{result.config.name}: {result.config.endpoint}, {label}"
    metric = leading_metric(evaluation.metrics)
    print_leaderboard(title, evaluation, metric, result.chosen)
    if result.leave_one_out is not None:
        title = f"{result.config.name}: {result.config.endpoint}, left out"
        print_groups(title, result.leave_one_out, metric, result.chosen)
    for population in dict.fromkeys(["all", *evaluation.metrics["population"]]):
        console.print(verdict(evaluation, result.chosen, population).sentence, highlight=False)
    console.print(multiplicity_sentence(published.multiplicity), highlight=False)
    for note in result.notes:
        console.print(f"note: {note}", style="dim", highlight=False)
    for name, value in {**_outputs(published), **(outputs or {})}.items():
        console.print(f"{name + ':':<14}{value}", highlight=False, soft_wrap=True)
    console.print("Look at the runs with: nbrelapse ui", highlight=False)


def _judging(result: ExperimentResult) -> tuple[Any, str]:
    if result.holdout is not None:
        return result.holdout, "hold-out"
    return result.cross_validation, "nested cross-validation"


def _outputs(published: Published) -> dict[str, str]:
    return {"report": str(published.report), "model": published.model_uris[published.chosen], "run": published.run_id}


def _document(result: ExperimentResult, published: Published, outputs: dict[str, str]) -> dict[str, Any]:
    return {
        "experiment": result.config.name,
        "endpoint": result.config.endpoint,
        "chosen": result.chosen,
        "cross_validation": evaluation_document(result.cross_validation),
        "holdout": evaluation_document(result.holdout),
        "leave_one_out": evaluation_document(result.leave_one_out),
        "multiplicity": multiplicity_document(published.multiplicity),
        "notes": result.notes,
        "run_id": published.run_id,
        "models": published.model_uris,
        "report": str(published.report),
        "outputs": outputs,
    }
