"""What ``nbrelapse train --dry-run`` prints."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from nbrelapse.experiment.config import ExperimentConfig
    from nbrelapse.experiment.plan import ExperimentPlan


def print_plan(config: ExperimentConfig, plan: ExperimentPlan, *, as_json: bool) -> None:
    """Print what an experiment would do: patients, events a fold, models and how long they may take."""
    if as_json:
        typer.echo(json.dumps(_document(config, plan), indent=2, allow_nan=False))
        return
    from nbrelapse.models.families import model_title

    lines = [f"{config.name}: {config.endpoint}; nothing is computed, recorded or written", ""]
    for side, row in plan.patients.iterrows():
        events = "" if math.isnan(row["events"]) else f", {row['events']:.0f} with the event"
        lines.append(f"{side}: {row['patients']:.0f} patients{events}")
    lines.append(f"features: {plan.features} that the models may read, {plan.left_out} left out")
    lines.append(
        f"folds: {plan.folds['repeat'].max()} x {plan.folds['fold'].max()}, trained on "
        f"{_range(plan.folds['train'])} patients with {_range(plan.folds['train_events'])} events, "
        f"judged on {_range(plan.folds['test'])} with {_range(plan.folds['test_events'])}"
    )
    lines += ["", f"{'model':<30}{'trials':>8}{'tunings':>9}{'refits':>8}{'s a fold':>10}{'s a refit':>11}"]
    for name, row in plan.models.iterrows():
        lines.append(
            f"{model_title(str(name))[:29]:<30}{row['trials']:>8.0f}{row['tunings']:>9.0f}{row['refits']:>8.0f}"
            f"{row['fold_seconds']:>10.2f}{row['fit_seconds']:>11.2f}"
        )
    processes = f"{plan.n_jobs} process{'es' * (plan.n_jobs > 1)}"
    lines += [
        "",
        f"tuning and fits on {processes}: about {_duration(plan.seconds)}, by a few trials of each on this machine;",
    ]
    lines.append("intervals, explanations and pictures come on top")
    lines += [f"note: {note}" for note in plan.notes]
    typer.echo("\n".join(lines))


def _range(values: Any) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low}-{high}"


def _duration(seconds: float) -> str:
    """Say how long in words.

    Examples
    --------
    >>> _duration(42.4), _duration(200.0), _duration(9000.0)
    ('42 s', '3 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _document(config: ExperimentConfig, plan: ExperimentPlan) -> dict[str, Any]:
    sides = {
        str(side): {
            "patients": int(row["patients"]),
            "events": None if math.isnan(row["events"]) else int(row["events"]),
        }
        for side, row in plan.patients.iterrows()
    }
    return {
        "experiment": config.name,
        "endpoint": config.endpoint,
        "patients": sides,
        "features": plan.features,
        "left_out": plan.left_out,
        "folds": plan.folds.to_dict(orient="records"),
        "models": [{"model": str(name), **row.to_dict()} for name, row in plan.models.iterrows()],
        "jobs": plan.n_jobs,
        "seconds": plan.seconds,
        "notes": plan.notes,
    }
