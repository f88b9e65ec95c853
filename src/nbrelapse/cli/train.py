"""``nbrelapse train``: run an experiment file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    experiment: Annotated[Path, typer.Argument(help="The experiment file (TOML).")],
    cohort: Annotated[Path | None, typer.Option(help="A cohort folder instead of the file's.")] = None,
    gene_sets: Annotated[Path | None, typer.Option(help="Gene sets (GMT or TSV) instead of the file's.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the results do not depend on it.")] = 2,
    reports: Annotated[Path, typer.Option(help="Folder for the HTML report.")] = Path("reports"),
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
    check_store()
    source = config.cohort
    if cohort is not None:
        source = source.model_copy(update={"path": cohort, "simulate": None})
    if gene_sets is not None:
        source = source.model_copy(update={"gene_sets": gene_sets})
    config = config.model_copy(update={"cohort": source})
    with progress_bar() as progress:
        result = run_experiment(config, n_jobs=jobs, progress=progress)
        published = publish(result, reports / f"{config.name}.html", progress=progress)
    print_summary(result, published, as_json=as_json)
