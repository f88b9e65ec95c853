"""``nbrelapse compare``: the leaderboard of an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbrelapse.cli.leaderboard import evaluation_document, multiplicity_document, print_groups, print_leaderboard

if TYPE_CHECKING:
    from nbrelapse.tracking import RecordedExperiment


def compare(
    experiment: Annotated[str, typer.Argument(help="The experiment's name in MLflow.")],
    metric: Annotated[
        str | None, typer.Option(help="The metric that is shown, such as auc_3y; by default harrell_c, or auc.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON document.")] = False,
) -> None:
    """Show the models of an experiment's latest run beside the clinical baselines, with intervals."""
    import json

    from nbrelapse.errors import InputError
    from nbrelapse.tracking import read_experiment
    from nbrelapse.validation.leading_metric import leading_metric

    found = read_experiment(experiment)
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2, allow_nan=False))
        return
    known = list(dict.fromkeys(found.cross_validation.metrics["metric"]))
    metric = metric or leading_metric(found.cross_validation.metrics)
    if metric not in known:
        raise InputError(f"the run has no metric {metric!r}", column="--metric", expected=", ".join(known))
    _print(found, metric)


def _print(found: RecordedExperiment, metric: str) -> None:
    from rich.console import Console

    from nbrelapse.report.guard_sections import multiplicity_sentence
    from nbrelapse.report.verdict import verdict

    console = Console()
    for label, evaluation in (("hold-out", found.holdout), ("nested cross-validation", found.cross_validation)):
        if evaluation is not None:
            print_leaderboard(f"{found.name}: {found.endpoint}, {label}", evaluation, metric, found.chosen)
            console.print()
    if found.leave_one_out is not None:
        print_groups(f"{found.name}: {found.endpoint}, left out", found.leave_one_out, metric, found.chosen)
        console.print()
    judged = found.cross_validation if found.holdout is None else found.holdout
    if found.chosen:
        for population in judged.metrics["population"].unique():
            console.print(verdict(judged, found.chosen, population).sentence, highlight=False)
    if found.multiplicity is not None:
        console.print(multiplicity_sentence(found.multiplicity), highlight=False)
    console.print(f"run: {found.run_id}, {found.started:%Y-%m-%d %H:%M} UTC", highlight=False)
    for name, uri in found.model_uris.items():
        console.print(f"model {name}: {uri}", highlight=False, soft_wrap=True)


def _document(found: RecordedExperiment) -> dict[str, Any]:
    return {
        "experiment": found.name,
        "run_id": found.run_id,
        "started": found.started.isoformat(),
        "endpoint": found.endpoint,
        "chosen": found.chosen,
        "models": found.model_uris,
        "multiplicity": multiplicity_document(found.multiplicity),
        "cross_validation": evaluation_document(found.cross_validation),
        "holdout": evaluation_document(found.holdout),
        "leave_one_out": evaluation_document(found.leave_one_out),
    }
