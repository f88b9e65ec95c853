"""``nbrelapse compare`` and ``ui``: look at runs and their leaderboards."""

from __future__ import annotations

import json
import math
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.experiment.run import ExperimentResult
    from nbrelapse.metrics.evaluation import Evaluation
    from nbrelapse.scoring.case_mix import CaseMix
    from nbrelapse.tracking.read import RecordedExperiment
    from nbrelapse.validation.guards import Multiplicity


def compare(
    experiment: Annotated[str, typer.Argument(help="The experiment's name in MLflow.")],
    metric: Annotated[
        str | None, typer.Option(help="The metric that is shown: c (the default), brier, or such as auc_3y.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON document.")] = False,
) -> None:
    """Show the models of an experiment's latest run beside the clinical baselines, with intervals."""
    from nbrelapse.errors import InputError, did_you_mean
    from nbrelapse.tracking.names import LEADING_FIGURE, metric_of_figure
    from nbrelapse.tracking.read import read_experiment

    found = read_experiment(experiment)
    known = list(dict.fromkeys(found.cross_validation.metrics["metric"]))
    metric = metric_of_figure(metric or LEADING_FIGURE, found.cross_validation.kind)
    if metric not in known:
        raise InputError(
            f"the run has no metric {metric!r}",
            column="--metric",
            expected=", ".join(known),
            fix=did_you_mean(metric, known),
        )
    if as_json:
        typer.echo(json.dumps(_document(found, metric), indent=2, allow_nan=False))
        return
    _print(found, metric)


def _print(found: RecordedExperiment, metric: str) -> None:
    from rich.console import Console

    from nbrelapse.models.families import model_title
    from nbrelapse.report.guard_sections import multiplicity_sentence

    console = Console()
    for label, evaluation in (("hold-out", found.holdout), ("nested cross-validation", found.cross_validation)):
        if evaluation is not None:
            print_leaderboard(f"{found.name}: {found.endpoint}, {label}", evaluation, metric, found.chosen)
    if found.leave_one_out is not None:
        print_groups(f"{found.name}: {found.endpoint}, left out", found.leave_one_out, metric, found.chosen)
    for said in verdicts(found, metric).values():
        console.print(said.sentence, highlight=False)
    if found.multiplicity is not None:
        console.print(multiplicity_sentence(found.multiplicity), highlight=False)
    console.print(f"run: {found.run_id}, {found.started:%Y-%m-%d %H:%M} UTC", highlight=False)
    for name, uri in found.model_uris.items():
        console.print(f"model {model_title(name)}: {uri}", highlight=False, soft_wrap=True)


def verdicts(found: RecordedExperiment | ExperimentResult, metric: str) -> dict[str, Any]:
    """Return the verdict on the chosen model by population, of the patients that the answer rests on."""
    from nbrelapse.report.sentences import verdict

    judged = found.cross_validation if found.holdout is None else found.holdout
    if not found.chosen:
        return {}
    populations = dict.fromkeys(["all", *judged.metrics["population"]])
    return {population: verdict(judged, found.chosen, population, metric) for population in populations}


def verdict_document(said: dict[str, Any]) -> dict[str, Any]:
    """Return verdicts as JSON data, with the figures that they rest on; what is unknown is null."""
    figures = ("difference", "low", "high")
    return {
        population: {"answer": one.answer, "sentence": one.sentence, "families": one.families}
        | {name: None if math.isnan(getattr(one, name)) else getattr(one, name) for name in figures}
        for population, one in said.items()
    }


def _document(found: RecordedExperiment, metric: str) -> dict[str, Any]:
    said = verdicts(found, metric)
    return {
        "experiment": found.name,
        "run_id": found.run_id,
        "started": found.started.isoformat(),
        "endpoint": found.endpoint,
        "chosen": found.chosen,
        "models": found.model_uris,
        "metric": metric,
        "verdicts": verdict_document(said),
        "multiplicity": multiplicity_document(found.multiplicity),
        "cross_validation": evaluation_document(found.cross_validation),
        "holdout": evaluation_document(found.holdout),
        "leave_one_out": evaluation_document(found.leave_one_out),
    }


def print_leaderboard(title: str, evaluation: Evaluation, metric: str, chosen: str | None = None) -> None:
    """Print a table a population: value, interval, difference from the strongest clinical baseline, a row a model.

    Nothing is printed of a metric that has no value, which a note of the evaluation explains.
    """
    if not (evaluation.metrics["metric"] == metric).any():
        return
    from nbrelapse.metrics.table import METRICS, metric_title

    typer.echo(f"{title}\n{metric_title(metric)} (95% intervals; {METRICS[metric].direction})")
    for header, cells in _by_population(evaluation, metric, chosen):
        typer.echo()
        print_table(header, cells)
    if chosen is not None:
        typer.echo("\n* chosen by nested cross-validation of the training patients")
    typer.echo()


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as wide as the terminal, or 80 columns where there is none.

    Where the room is short, headers are folded to the width of their numbers and names between words. Numbers are never
    cut: what a narrow terminal has no room for, it breaks itself.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
        The names first, then numbers.
    """
    from rich.console import Console
    from rich.table import Table

    terminal, columns = (
        Console().width,
        list(zip(header[1:], zip(*(row[1:] for row in rows), strict=True), strict=True)),
    )
    widths = [max(map(len, [title, *cells])) for title, cells in columns]
    if max(map(len, [header[0], *(row[0] for row in rows)])) + sum(widths) + 2 * len(widths) > terminal:
        widths = [max(map(len, [*cells, *title.split()])) for title, cells in columns]
    narrowest = max(len(word) for row in rows for word in row[0].split()) + sum(widths)
    gap = 2 if narrowest + 2 * len(widths) <= terminal else 1
    table = Table(box=None, pad_edge=False, header_style="", padding=(0, gap, 0, 0))
    table.add_column(header[0])
    for title, width in zip(header[1:], widths, strict=True):
        table.add_column("\n".join(textwrap.wrap(title, width)), no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=max(terminal, narrowest + gap * len(widths)), highlight=False).print(table)


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


def case_mix_document(found: CaseMix | None) -> dict[str, Any] | None:
    """Return how patients differ from the training patients as JSON data; NaN becomes null."""
    return None if found is None else {name: _records(table) for name, table in found.tables().items()}


def _records(table: pd.DataFrame) -> Any:
    return json.loads(table.to_json(orient="records", double_precision=15))


def multiplicity_document(tried: Multiplicity | None) -> dict[str, Any] | None:
    """Return how many models were tried as JSON data; what is unknown is null."""
    if tried is None:
        return None
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in asdict(tried).items()
    }


def _by_population(
    evaluation: Evaluation, metric: str, chosen: str | None
) -> Iterator[tuple[tuple[str, str, str], list[tuple[str, str, str]]]]:
    """Yield header and rows of each population, the models in the order of the first."""
    from nbrelapse.metrics.evaluation import strongest_reference
    from nbrelapse.metrics.table import METRICS, metric_title, population_title
    from nbrelapse.models.families import model_title

    rows = evaluation.metrics[evaluation.metrics["metric"] == metric]
    populations = list(dict.fromkeys(rows["population"]))
    first = rows[rows["population"] == populations[0]].sort_values(
        "value", key=METRICS[metric].goodness, ascending=False, kind="stable"
    )
    values = rows.set_index(["model", "population"])
    differences = evaluation.differences[evaluation.differences["metric"] == metric]
    paired = differences.set_index(["model", "population", "reference"])
    for population in populations:
        baseline = strongest_reference(evaluation, population, metric)
        against = "minus baseline" if baseline is None else f"minus {model_title(baseline)}"
        title = population_title(population) + _carried(rows[rows["population"] == population])
        cells = [
            (
                model_title(str(model)) + (" *" if model == chosen else ""),
                _cell(values, (model, population), "value", ""),
                _cell(paired, (model, population, baseline), "difference", "+"),
            )
            for model in first["model"]
        ]
        yield (title, metric_title(metric), against), cells


def _cell(table: Any, key: tuple[object, ...], value: str, sign: str) -> str:
    if key not in table.index:
        return "–"
    row = table.loc[key]
    if math.isnan(row["low"]):
        chance = row.get("by_chance", math.nan)
        return f"{row[value]:{sign}.3f}" + ("" if math.isnan(chance) else f" (by chance {chance:.3f})")
    return f"{row[value]:{sign}.3f} ({row['low']:{sign}.3f} to {row['high']:{sign}.3f})"


def _carried(rows: Any) -> str:
    """Say how many patients carry a figure at a horizon; tables of before 0.4.0 do not know."""
    if "at_risk" not in rows or rows["at_risk"].isna().all():
        return ""
    row = rows.iloc[0]
    return f", {row['at_risk']} at risk, {row['events_by']} events by then"


def ui(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT]...",
            help="The experiment whose models are shown; by default the one trained last. Of several, the chosen "
            "models side by side.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on the loopback address.")] = 5000,
    browser: Annotated[
        bool, typer.Option(help="Open the page in a browser, where standard output is a terminal with a screen.")
    ] = True,
) -> None:
    """Show the models of an experiment in MLflow's page, best first; Ctrl-C ends it.

    In that list tick two models and press Compare. Several experiments open the comparison of their chosen models.

    The page is served on the loopback address, from the tracking store in use, and tells nobody. SIGINT (Ctrl-C),
    SIGTERM and SIGHUP end the server with all its processes and free the port; the exit code is then 128 and the
    signal's number: 130, 143 or 129. Where the store is a server, the link leads there and nothing is served.
    """
    import webbrowser

    from nbrelapse.tracking.store import serve, store_is_server
    from nbrelapse.tracking.view import comparison_link, models_link

    named = list(dict.fromkeys(experiments or []))
    several = len(named) > 1
    link = comparison_link(named, port=port) if several else models_link(*named, port=port)
    said = f"The chosen models side by side: {link}" if several else f"The models, best first: {link}"

    def show() -> None:
        typer.echo(said)
        if browser and _has_screen():
            webbrowser.open(link)

    if store_is_server():
        show()
        return
    ended_by = serve(port, show)
    if ended_by is not None:
        raise typer.Exit(128 + ended_by)


def _has_screen() -> bool:
    """Whether a browser would open in a window, not in the terminal or where nobody looks."""
    if not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
