"""``nbrelapse compare``: the leaderboard of an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nbrelapse.tracking import RecordedExperiment
    from nbrelapse.validation.evaluate import Evaluation


def compare(
    experiment: Annotated[str, typer.Argument(help="The experiment's name in MLflow.")],
    metric: Annotated[str, typer.Option(help="The metric that is shown, such as harrell_c or auc_3y.")] = "harrell_c",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON document.")] = False,
) -> None:
    """Show the models of an experiment's latest run beside the clinical baselines, with intervals."""
    import json

    from nbrelapse.errors import InputError
    from nbrelapse.tracking import read_experiment

    found = read_experiment(experiment)
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2, allow_nan=False))
        return
    known = list(dict.fromkeys(found.cross_validation.metrics["metric"]))
    if metric not in known:
        raise InputError(f"the run has no metric {metric!r}", column="--metric", expected=", ".join(known))
    _print(found, metric)


def _print(found: RecordedExperiment, metric: str) -> None:
    from rich.console import Console

    from nbrelapse.report.verdict import verdict

    console = Console()
    for label, evaluation in (("hold-out", found.holdout), ("nested cross-validation", found.cross_validation)):
        if evaluation is not None and metric in set(evaluation.metrics["metric"]):
            Console(width=max(console.width, 130)).print(
                _table(f"{found.name}: {found.endpoint}, {label}", evaluation, metric, found.chosen)
            )
            console.print()
    judged = found.cross_validation if found.holdout is None else found.holdout
    if found.chosen:
        for population in judged.metrics["population"].unique():
            console.print(verdict(judged, found.chosen, population).sentence, highlight=False)
    console.print(f"run: {found.run_id}, {found.started:%Y-%m-%d %H:%M} UTC", highlight=False)
    for name, uri in found.model_uris.items():
        console.print(f"model {name}: {uri}", highlight=False, soft_wrap=True)


def _table(title: str, evaluation: Evaluation, metric: str, chosen: str) -> Any:
    """Value and interval a population, and the difference from the strongest clinical baseline, a row a model."""
    from rich.table import Table

    from nbrelapse.report.verdict import strongest_reference

    rows = evaluation.metrics[evaluation.metrics["metric"] == metric]
    populations = list(dict.fromkeys(rows["population"]))
    reference = {population: strongest_reference(evaluation, population) for population in populations}
    table = Table(title=f"{title}: {metric} (95% intervals)", title_justify="left", box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for population in populations:
        table.add_column(population, no_wrap=True)
        table.add_column(f"minus {reference[population] or 'baseline'}", no_wrap=True)
    first = rows[rows["population"] == populations[0]].sort_values(
        "value", ascending=metric == "integrated_brier", kind="stable"
    )
    values = rows.set_index(["model", "population"])
    differences = evaluation.differences[evaluation.differences["metric"] == metric]
    paired = differences.set_index(["model", "population", "reference"])
    for model in first["model"]:
        cells = []
        for population in populations:
            cells.append(_cell(values, (model, population), "value", ""))
            cells.append(_cell(paired, (model, population, reference[population]), "difference", "+"))
        table.add_row(str(model) + (" *" if model == chosen else ""), *cells)
    table.caption, table.caption_justify = "* chosen by nested cross-validation of the training patients", "left"
    return table


def _cell(table: Any, key: tuple[object, ...], value: str, sign: str) -> str:
    if key not in table.index:
        return "–"
    row = table.loc[key]
    return f"{row[value]:{sign}.3f} ({row['low']:{sign}.3f} to {row['high']:{sign}.3f})"


def _document(found: RecordedExperiment) -> dict[str, Any]:
    return {
        "experiment": found.name,
        "run_id": found.run_id,
        "started": found.started.isoformat(),
        "endpoint": found.endpoint,
        "chosen": found.chosen,
        "models": found.model_uris,
        "cross_validation": _rows(found.cross_validation),
        "holdout": None if found.holdout is None else _rows(found.holdout),
    }


def _rows(evaluation: Evaluation) -> dict[str, Any]:
    import json

    return {
        name: json.loads(getattr(evaluation, name).to_json(orient="records", double_precision=15))
        for name in ("metrics", "differences")
    }
