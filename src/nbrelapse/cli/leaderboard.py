"""How the commands show an evaluation: a table of one metric, or plain data."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.validation.evaluate import Evaluation
    from nbrelapse.validation.multiplicity import Multiplicity


def print_leaderboard(title: str, evaluation: Evaluation, metric: str, chosen: str | None = None) -> None:
    """Print value and interval, and the difference from the strongest clinical baseline, a row a model.

    Numbers are not cut to the width of a narrow terminal. Nothing is printed of a metric that has no value, which a
    note of the evaluation explains.
    """
    if not (evaluation.metrics["metric"] == metric).any():
        return
    from rich.console import Console

    Console(width=max(Console().width, 130)).print(_table(title, evaluation, metric, chosen))


def print_groups(title: str, evaluation: Evaluation, metric: str, chosen: str | None = None) -> None:
    """Print the leaderboard of each group left out, a table a group, the mean of the groups last."""
    for population in dict.fromkeys(evaluation.metrics["population"]):
        metrics, differences = (
            table[table["population"] == population] for table in (evaluation.metrics, evaluation.differences)
        )
        part = replace(evaluation, metrics=metrics, differences=differences)
        print_leaderboard(title, part, metric, chosen)


def evaluation_document(evaluation: Evaluation | None) -> dict[str, Any] | None:
    """Return an evaluation as JSON data; NaN becomes null."""
    if evaluation is None:
        return None
    document: dict[str, Any] = {
        name: _records(table)
        for name, table in (("metrics", evaluation.metrics), ("differences", evaluation.differences))
    }
    if evaluation.utility is not None:
        document["utility"] = {name: _records(table) for name, table in evaluation.utility.tables().items()}
    return document


def _records(table: pd.DataFrame) -> Any:
    return json.loads(table.to_json(orient="records", double_precision=15))


def multiplicity_document(tried: Multiplicity | None) -> dict[str, Any] | None:
    """Return how many models were tried as JSON data; what is unknown is null."""
    if tried is None:
        return None
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in asdict(tried).items()
    }


def _table(title: str, evaluation: Evaluation, metric: str, chosen: str | None) -> Any:
    from rich.table import Table

    from nbrelapse.report.verdict import strongest_reference
    from nbrelapse.validation.metric_kind import MetricKind

    rows = evaluation.metrics[evaluation.metrics["metric"] == metric]
    populations = list(dict.fromkeys(rows["population"]))
    reference = {population: strongest_reference(evaluation, population) for population in populations}
    table = Table(title=f"{title}: {metric} (95% intervals)", title_justify="left", box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for population in populations:
        table.add_column(population, no_wrap=True)
        table.add_column(f"minus {reference[population] or 'baseline'}", no_wrap=True)
    first = rows[rows["population"] == populations[0]].sort_values(
        "value", key=MetricKind.of(metric).goodness, ascending=False, kind="stable"
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
    if chosen is not None:
        table.caption, table.caption_justify = "* chosen by nested cross-validation of the training patients", "left"
    return table


def _cell(table: Any, key: tuple[object, ...], value: str, sign: str) -> str:
    if key not in table.index:
        return "–"
    row = table.loc[key]
    return f"{row[value]:{sign}.3f} ({row['low']:{sign}.3f} to {row['high']:{sign}.3f})"
