"""What ``train`` and ``quickstart`` print at their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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

    from nbrelapse.report.verdict import verdict

    console = Console()
    evaluation, label = _judging(result)
    # Numbers are not cut to the width of a narrow terminal.
    Console(width=max(console.width, 100)).print(_leaderboard(result, evaluation, label))
    for population in evaluation.metrics["population"].unique():
        console.print(verdict(evaluation, result.chosen, population).sentence, highlight=False)
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


def _leaderboard(result: ExperimentResult, evaluation: Any, label: str) -> Any:
    from rich.table import Table

    title = f"{result.config.name}: {result.config.endpoint}, {label} (95% intervals)"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("model", "Harrell C", "C, high-risk", "AUC 3 y"):
        table.add_column(name, no_wrap=True)
    metrics = evaluation.metrics.set_index(["model", "population", "metric"])
    for model in evaluation.metrics["model"].unique():
        cells = [
            _interval(metrics, (model, population, metric))
            for population, metric in (
                ("all", "harrell_c"),
                ("high_risk", "harrell_c"),
                ("all", "auc_3y"),
            )
        ]
        style = "bold" if model == result.chosen else None
        table.add_row(model + (" *" if model == result.chosen else ""), *cells, style=style)
    table.caption = "* chosen by nested cross-validation of the training patients"
    table.caption_justify = "left"
    return table


def _interval(metrics: Any, key: tuple[str, str, str]) -> str:
    if key not in metrics.index:
        return "–"
    row = metrics.loc[key]
    return f"{row['value']:.3f} ({row['low']:.3f}–{row['high']:.3f})"


def _document(result: ExperimentResult, published: Published, outputs: dict[str, str]) -> dict[str, Any]:
    def rows(table: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
        return found

    document = {
        "experiment": result.config.name,
        "endpoint": result.config.endpoint,
        "chosen": result.chosen,
        "cross_validation": {
            "metrics": rows(result.cross_validation.metrics),
            "differences": rows(result.cross_validation.differences),
        },
        "holdout": None,
        "notes": result.notes,
        "run_id": published.run_id,
        "models": published.model_uris,
        "report": str(published.report),
        "outputs": outputs,
    }
    if result.holdout is not None:
        document["holdout"] = {
            "metrics": rows(result.holdout.metrics),
            "differences": rows(result.holdout.differences),
        }
    return document
