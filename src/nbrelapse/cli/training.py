"""``nbrelapse train`` and ``quickstart``: run an experiment file, with a progress bar and a summary."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbrelapse.cli.data import Executor, executing_on
from nbrelapse.cli.models import Sign
from nbrelapse.cli.results import (
    evaluation_document,
    multiplicity_document,
    print_groups,
    print_leaderboard,
    print_table,
    verdict_document,
    verdicts,
)

if TYPE_CHECKING:
    from nbrelapse.experiment.config import ExperimentConfig
    from nbrelapse.experiment.null_check import NullCheck
    from nbrelapse.experiment.publish import Published
    from nbrelapse.experiment.run import ExperimentResult
    from nbrelapse.validation.fold_cache import FoldCache


def train(
    experiment: Annotated[Path, typer.Argument(help="The experiment file (TOML).")],
    cohort: Annotated[Path | None, typer.Option(help="A cohort folder instead of the file's.")] = None,
    gene_sets: Annotated[Path | None, typer.Option(help="Gene sets (GMT or TSV) instead of the file's.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the results do not depend on it.")] = 2,
    reports: Annotated[Path, typer.Option(help="Folder for the HTML report.")] = Path("reports"),
    name: Annotated[str | None, typer.Option(help="Of the experiment and the report instead of the file's.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="validation.repeats=5 instead of the file's; may be said again."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done: folds, events, models, time. Nothing is written.")
    ] = False,
    null_check: Annotated[
        bool,
        typer.Option("--null-check", help="Only see what is found in permuted outcomes; exit 1 = a leak."),
    ] = False,
    permutations: Annotated[int, typer.Option(min=5, help="Of --null-check.")] = 20,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of fold predictions; .nbrelapse-cache beside the experiment file.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compute everything, keep nothing.")] = False,
    learning_curve: Annotated[
        bool, typer.Option("--learning-curve", help="Also train on parts of the patients: would more of them help?")
    ] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Train although patients look as if they were there twice.")
    ] = False,
    sign: Sign = None,
    log_trials: Annotated[
        bool, typer.Option("--log-trials", help="Record each trial of the tuning in MLflow, below its model.")
    ] = False,
    executor: Executor = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tune, validate, track and explain the models of an experiment file."""
    from nbrelapse.cohort.files import check_writable
    from nbrelapse.errors import InputError
    from nbrelapse.experiment.config import read_config
    from nbrelapse.experiment.publish import publish
    from nbrelapse.experiment.run import run_experiment
    from nbrelapse.scoring.signature import check_key
    from nbrelapse.tracking.store import check_store

    named = [] if name is None else [f"name={json.dumps(name)}"]
    config = read_config(experiment, [*(changes or []), *named])
    if sign is not None:
        check_key(sign)
    if reports.exists() and not reports.is_dir():
        raise InputError("a folder was expected, this is a file", file=reports, fix="name another with --reports")
    check_writable(reports, "the report", "name another folder with --reports")
    source = config.cohort
    if cohort is not None:
        source = source.model_copy(update={"path": cohort, "paths": None, "simulate": None})
    if gene_sets is not None:
        source = source.model_copy(update={"gene_sets": gene_sets})
    allowed = config.allow_overlap or allow_overlap
    config = config.model_copy(update={"cohort": source, "allow_overlap": allowed})
    if learning_curve:
        validation = config.validation.model_copy(update={"learning_curve": True})
        config = config.model_copy(update={"validation": validation})
    if dry_run:
        from nbrelapse.cli.planning import print_plan
        from nbrelapse.experiment.plan import plan_experiment

        with progress_bar() as progress:
            plan = plan_experiment(config, n_jobs=jobs, progress=progress)
        print_plan(config, plan, as_json=as_json)
        return
    if null_check:
        with executing_on(executor, jobs) as jobs:
            _check_null(config, permutations, jobs, as_json)
        return
    check_store(config.name)
    _close_abandoned()
    kept = None if no_cache else _cache(experiment.parent, cache)
    with executing_on(executor, jobs) as jobs, _going_on(kept), progress_bar() as progress:
        result = run_experiment(config, n_jobs=jobs, cache=kept, progress=progress)
        report = reports / f"{config.name}.html"
        with _recording(kept):
            published = publish(result, report, n_jobs=jobs, progress=progress, sign=sign, log_trials=log_trials)
    print_summary(result, published, as_json=as_json)


def _close_abandoned() -> None:
    """Close the runs of processes that were killed, and say so in a line."""
    from nbrelapse.tracking.abandoned import close_abandoned

    closed = close_abandoned()
    if closed:
        typer.echo(f"{closed} MLflow run{'s' * (closed > 1)} of processes that are gone: closed as KILLED", err=True)


def _cache(beside: Path, folder: Path | None = None) -> FoldCache | None:
    """Return the cache; a folder that nobody asked for and that cannot be written is done without."""
    from nbrelapse.errors import InputError
    from nbrelapse.validation.fold_cache import CACHE_FOLDER, FoldCache

    kept = FoldCache(folder or beside / CACHE_FOLDER)
    try:
        kept.prepare()
    except InputError as error:
        if folder is not None:
            raise
        typer.echo(f"{error.problem}: {kept.folder}; everything is computed", err=True)
        return None
    return kept


@contextmanager
def _going_on(kept: FoldCache | None) -> Iterator[None]:
    """Say what came from the cache, and, where the training is told to end, how it goes on."""
    if kept is None:
        yield
        return
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if not kept.discard_if_empty():
            typer.echo(f"What is finished is kept in {kept.folder}: the same command goes on from there.", err=True)
        raise
    except BaseException:
        kept.discard_if_empty()
        raise
    kept.discard_if_empty()
    _tell(kept)


@contextmanager
def _recording(kept: FoldCache | None) -> Iterator[None]:
    """Say of what cannot be recorded that it was computed: the same command takes it from the cache."""
    from nbrelapse.errors import InputError

    try:
        yield
    except InputError as error:
        if kept is None:
            raise
        again = f"then say the same command again: the folds are in the cache {kept.folder}"
        fix = again if error.fix is None else f"{error.fix}; {again}"
        raise InputError(
            error.problem, file=error.file, column=error.column, rows=error.rows, expected=error.expected, fix=fix
        ) from None


def _tell(kept: FoldCache) -> None:
    found = [f"{kept.hits} of {kept.hits + kept.misses} folds"] if kept.hits else []
    found += [f"{kept.trials} trials"] if kept.trials else []
    found += [f"{kept.refits} of {kept.refits + kept.refits_missed} refits"] if kept.refits else []
    if found:
        typer.echo(f"{', '.join(found)} came from the cache {kept.folder}", err=True)
    if kept.damaged:
        typer.echo(f"{kept.damaged} damaged entries of the cache were computed anew", err=True)
    if kept.failure:
        typer.echo(f"not everything could be kept in the cache: {kept.failure}", err=True)


def _check_null(config: ExperimentConfig, permutations: int, jobs: int, as_json: bool) -> None:
    from nbrelapse.experiment.null_check import null_check

    with progress_bar() as progress:
        found = null_check(config, permutations=permutations, n_jobs=jobs, progress=progress)
    print_null_check(config, found, as_json=as_json)
    if not found.compatible:
        raise typer.Exit(1)


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for everything but the MLflow store.")] = Path("demo"),
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the results do not depend on it.")] = 2,
    overwrite: Annotated[
        bool, typer.Option(help="Replace what an earlier quickstart left in the folder, or go on where it was stopped.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Simulate a cohort, train, compare, explain, report and score, and say where everything is."""
    import shutil
    from importlib import resources

    from nbrelapse.cohort.files import check_writable, write_beside
    from nbrelapse.cohort.storage import write_cohort
    from nbrelapse.errors import InputError
    from nbrelapse.experiment.config import read_config
    from nbrelapse.experiment.publish import publish
    from nbrelapse.experiment.run import run_experiment
    from nbrelapse.mechanisms.feature_table import write_features
    from nbrelapse.models.processes import starting_processes
    from nbrelapse.readers.cbioportal import import_cbioportal
    from nbrelapse.scoring.reading import load_model
    from nbrelapse.scoring.scores import score, write_scores
    from nbrelapse.simulation.files import TRUTH_FILE, simulate_cohort, write_raw_files
    from nbrelapse.tracking.store import check_store
    from nbrelapse.validation.fold_cache import CACHE_FOLDER

    with resources.as_file(resources.files("nbrelapse.experiment") / "quickstart.toml") as file:
        config = read_config(file)
    simulation = config.cohort.simulate
    assert simulation is not None
    if out.exists() and not overwrite:
        unfinished = (out / CACHE_FOLDER).is_dir() and not (out / "scores.csv").exists()
        fix = "name another, or say --overwrite" + ": it goes on from what is finished" * unfinished
        raise InputError("the folder is there already", file=out, fix=fix)
    check_writable(out, "the folder", "name another with --out")
    check_store(config.name)
    _close_abandoned()
    if (out / "raw" / TRUTH_FILE).is_file():
        # What an earlier quickstart made of other patients must not stay beside this one's cohort.
        shutil.rmtree(out / "raw")
        for name in ("features.parquet", "features.parquet.json", "report.html", "scores.csv"):
            (out / name).unlink(missing_ok=True)
    if (out / "raw").exists() and any((out / "raw").iterdir()):
        raise InputError("the folder is not empty", file=out / "raw", fix="choose a new folder")
    out.mkdir(parents=True, exist_ok=True)
    with starting_processes(jobs):
        with write_beside(out / "raw") as beside:
            write_raw_files(beside, simulation.patients, simulation.seed)
        write_cohort(import_cbioportal(out / "raw"), out / "cohort", overwrite=True)

    source = config.cohort.model_copy(update={"path": out / "cohort", "simulate": None})
    config = config.model_copy(update={"cohort": source})
    kept = _cache(out)
    with _going_on(kept), progress_bar() as progress:
        result = run_experiment(config, n_jobs=jobs, cache=kept, progress=progress)
        write_features(result.data.table, out / "features.parquet")
        published = publish(result, out / "report.html", n_jobs=jobs, progress=progress)
    new_patients = simulate_cohort(50, simulation.seed + 1)
    scores = score(load_model(published.model_uris[published.chosen]), new_patients)
    write_scores(scores, out / "scores.csv")
    outputs = {
        "cohort": str(out / "cohort"),
        "features": str(out / "features.parquet"),
        "scores": f"{out / 'scores.csv'} (50 new patients)",
    }
    print_summary(result, published, as_json=as_json, outputs=outputs)


def print_null_check(config: ExperimentConfig, found: NullCheck, *, as_json: bool) -> None:
    """Print the figures of permuted outcomes and whether they are those of chance: text, or one JSON document."""
    import typer

    from nbrelapse.experiment.null_check import TOLERATED

    if as_json:
        typer.echo(json.dumps(_null_check_document(config, found), indent=2, allow_nan=False))
        return
    from rich.console import Console

    from nbrelapse.metrics.table import metric_title
    from nbrelapse.models.families import model_title
    from nbrelapse.outcome import kind_of_endpoint

    metric = metric_title(kind_of_endpoint(config.endpoint).leading_metric)
    typer.echo(
        f"{config.name}: {metric} in nested cross-validation\n{len(found.values)} permutations of the outcomes\n"
    )
    low, high = TOLERATED
    rows = [
        (
            model_title(str(name)),
            f"{row['mean']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['sd']:.3f}",
            f"{row['smallest']:.3f} to {row['largest']:.3f}",
            f"{row['inside']:.0f} of {len(found.values)}",
        )
        for name, row in found.summary.iterrows()
    ]
    print_table(("model", "mean", "95% interval", "sd", "range", f"within {low}–{high}"), rows)
    console = Console()
    answer = "compatible with chance" if found.compatible else "NOT compatible with chance: look for a leak"
    console.print(f"The means are {answer} ({low} to {high}).", highlight=False)
    for note in found.notes:
        console.print(f"note: {note}", style="dim", highlight=False)


def _null_check_document(config: ExperimentConfig, found: NullCheck) -> dict[str, Any]:
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
    from nbrelapse.tracking.view import models_link

    console = Console()
    evaluation, label = _judging(result)
    title = f"{result.config.name}: {result.config.endpoint}, {label}"
    metric = evaluation.kind.leading_metric
    print_leaderboard(title, evaluation, metric, result.chosen)
    if result.leave_one_out is not None:
        title = f"{result.config.name}: {result.config.endpoint}, left out"
        print_groups(title, result.leave_one_out, metric, result.chosen)
    for said in verdicts(result, metric).values():
        console.print(said.sentence, highlight=False)
    console.print(multiplicity_sentence(published.multiplicity), highlight=False)
    for note in result.notes:
        console.print(f"note: {note}", style="dim", highlight=False)
    for name, value in {**_outputs(published), **(outputs or {})}.items():
        console.print(f"{name + ':':<14}{value}", highlight=False, soft_wrap=True)
    console.print(f"Look at the models with: nbrelapse ui {shlex.quote(result.config.name)}", highlight=False)
    console.print(f"which opens {models_link(result.config.name)}", highlight=False, soft_wrap=True)
    cohort = next((shlex.quote(str(folder)) for folder in result.config.cohort.folders), "COHORT")
    explain = f"nbrelapse explain {published.model_uris[published.chosen]} {cohort} --out explained --patient ID"
    console.print(f"A patient's page: {explain}", highlight=False, soft_wrap=True)


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
        "verdicts": verdict_document(verdicts(result, result.cross_validation.kind.leading_metric)),
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


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback ``(stage, done, total)`` that draws a bar a stage; without a terminal it writes plain lines."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _progress_lines()
        return
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    stages: dict[str, TaskID] = {}
    with Progress(*columns, console=console) as bar:

        def update(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bar.add_task(stage, total=total)
            bar.update(stages[stage], completed=done, total=total)

        yield update


_SELDOM = 10.0
"""Seconds between two lines of a stage in a log. A choice."""


def _progress_lines() -> Callable[[str, int, int], None]:
    """Return a callback that writes a line when a stage begins and ends, and every so many seconds between."""
    begun: dict[str, float] = {}
    written: dict[str, float] = {}

    def update(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        since = begun.setdefault(stage, now)
        if done < total and now - written.get(stage, -_SELDOM) < _SELDOM:
            return
        written[stage] = now
        minutes, seconds = divmod(int(now - since), 60)
        typer.echo(f"{stage}: {done} of {total}, {minutes}:{seconds:02d}", err=True)

    return update
