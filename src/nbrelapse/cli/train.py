"""``nbrelapse train``: run an experiment file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nbrelapse.experiment.config import ExperimentConfig
    from nbrelapse.validation.fold_cache import FoldCache


def train(
    experiment: Annotated[Path, typer.Argument(help="The experiment file (TOML).")],
    cohort: Annotated[Path | None, typer.Option(help="A cohort folder instead of the file's.")] = None,
    gene_sets: Annotated[Path | None, typer.Option(help="Gene sets (GMT or TSV) instead of the file's.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the results do not depend on it.")] = 2,
    reports: Annotated[Path, typer.Option(help="Folder for the HTML report.")] = Path("reports"),
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tune, validate, track and explain the models of an experiment file."""
    from nbrelapse.cli.progress import progress_bar
    from nbrelapse.cli.summary import print_summary
    from nbrelapse.errors import InputError
    from nbrelapse.experiment import publish, read_config, run_experiment
    from nbrelapse.tracking import check_store

    config = read_config(experiment)
    if reports.exists() and not reports.is_dir():
        raise InputError("a folder was expected, this is a file", file=reports, mend="name another with --reports")
    source = config.cohort
    if cohort is not None:
        source = source.model_copy(update={"path": cohort, "simulate": None})
    if gene_sets is not None:
        source = source.model_copy(update={"gene_sets": gene_sets})
    config = config.model_copy(update={"cohort": source})
    if learning_curve:
        validation = config.validation.model_copy(update={"learning_curve": True})
        config = config.model_copy(update={"validation": validation})
    if null_check:
        _check_null(config, permutations, jobs, as_json)
        return
    check_store()
    kept = None if no_cache else _cache(experiment, cache)
    with progress_bar() as progress:
        try:
            result = run_experiment(config, n_jobs=jobs, cache=kept, progress=progress)
        finally:
            if kept is not None:
                kept.discard_if_empty()
        published = publish(result, reports / f"{config.name}.html", progress=progress)
    if kept is not None:
        _tell(kept)
    print_summary(result, published, as_json=as_json)


def _cache(experiment: Path, folder: Path | None) -> FoldCache | None:
    """Return the cache; a folder that nobody asked for and that cannot be written is done without."""
    from nbrelapse.errors import InputError
    from nbrelapse.validation.fold_cache import CACHE_FOLDER, FoldCache

    kept = FoldCache(folder or experiment.parent / CACHE_FOLDER)
    try:
        kept.prepare()
    except InputError as error:
        if folder is not None:
            raise
        typer.echo(f"{error.problem}: {kept.folder}; everything is computed", err=True)
        return None
    return kept


def _tell(kept: FoldCache) -> None:
    if kept.hits:
        typer.echo(f"{kept.hits} of {kept.hits + kept.misses} folds came from the cache {kept.folder}", err=True)
    if kept.damaged:
        typer.echo(f"{kept.damaged} damaged entries of the cache were computed anew", err=True)
    if kept.failure:
        typer.echo(f"not all folds could be kept in the cache: {kept.failure}", err=True)


def _check_null(config: ExperimentConfig, permutations: int, jobs: int, as_json: bool) -> None:
    from nbrelapse.cli.null_check import print_null_check
    from nbrelapse.cli.progress import progress_bar
    from nbrelapse.experiment.null_check import null_check

    with progress_bar() as progress:
        found = null_check(config, permutations=permutations, n_jobs=jobs, progress=progress)
    print_null_check(config, found, as_json=as_json)
    if not found.compatible:
        raise typer.Exit(1)
