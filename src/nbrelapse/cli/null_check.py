"""What ``train --null-check`` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbrelapse.experiment.config import ExperimentConfig
    from nbrelapse.experiment.null_check import NullCheck


def print_null_check(config: ExperimentConfig, found: NullCheck, *, as_json: bool) -> None:
    """Print the figures of permuted outcomes and whether they are those of chance: text, or one JSON document."""
    import typer

    from nbrelapse.experiment.null_check import TOLERATED

    if as_json:
        typer.echo(json.dumps(_document(config, found), indent=2, allow_nan=False))
        return
    from rich.console import Console
    from rich.table import Table

    from nbrelapse.report.wording import model_title

    metric = "AUC" if config.endpoint == "refractory" else "Harrell C"
    title = f"{config.name}: {metric} in nested cross-validation of {len(found.values)} permutations of the outcomes"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    low, high = TOLERATED
    for column in ("model", "mean", "95% interval", "sd", "range", f"within {low}–{high}"):
        table.add_column(column, no_wrap=True)
    for name, row in found.summary.iterrows():
        table.add_row(
            model_title(str(name)),
            f"{row['mean']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['sd']:.3f}",
            f"{row['smallest']:.3f} to {row['largest']:.3f}",
            f"{row['inside']:.0f} of {len(found.values)}",
        )
    console = Console()
    Console(width=max(console.width, 130)).print(table)
    answer = "compatible with chance" if found.compatible else "NOT compatible with chance: look for a leak"
    console.print(f"The means are {answer} ({low} to {high}).", highlight=False)
    for note in found.notes:
        console.print(f"note: {note}", style="dim", highlight=False)


def _document(config: ExperimentConfig, found: NullCheck) -> dict[str, Any]:
    from nbrelapse.experiment.null_check import TOLERATED

    return {
        "experiment": config.name,
        "endpoint": config.endpoint,
        "compatible": found.compatible,
        "tolerated": list(TOLERATED),
        "summary": [{"model": str(name), **row.to_dict()} for name, row in found.summary.iterrows()],
        "permutations": found.values.to_dict(orient="records"),
        "notes": found.notes,
    }
