"""``nbrelapse compare``: the leaderboard of an experiment."""

from __future__ import annotations

from typing import Annotated

import typer


def compare(
    experiment: Annotated[str, typer.Argument(help="The experiment's name in MLflow.")],
    metric: Annotated[str, typer.Option(help="The metric that is shown, such as harrell_c or auc_3y.")] = "harrell_c",
    as_json: Annotated[bool, typer.Option("--json", help="Print all metrics as one JSON document.")] = False,
) -> None:
    """Show the models of an experiment's latest run beside the clinical baselines, with intervals."""
    import json

    from nbrelapse.errors import InputError
    from nbrelapse.tracking import read_leaderboard

    board = read_leaderboard(experiment)
    if as_json:
        typer.echo(json.dumps(json.loads(board.to_json(orient="records", double_precision=15)), indent=2))
        return
    shown = board[board["metric"].str.split("/").str[-1] == metric]
    if shown.empty:
        names = sorted(set(board["metric"].str.split("/").str[-1]))
        raise InputError(f"the run has no metric {metric!r}", column="--metric", expected=", ".join(names))
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{experiment}: {metric} (95% intervals)", title_justify="left")
    populations = list(dict.fromkeys(shown["metric"].str.rpartition("/")[0]))
    for name in ("model", *populations):
        table.add_column(name)
    cells = shown.assign(
        text=[f"{row.value:.3f} ({row.low:.3f}–{row.high:.3f})" for row in shown.itertuples()],
        population=shown["metric"].str.rpartition("/")[0],
    ).pivot(index="model", columns="population", values="text")
    best = shown[shown["metric"] == shown["metric"].iloc[0]].set_index("model")["value"]
    for model in best.sort_values(ascending=False).index:
        table.add_row(str(model), *(str(cells.at[model, name]) for name in populations))
    Console().print(table)
