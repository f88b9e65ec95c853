"""``nbrelapse quickstart``: the whole job on a simulated cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for everything but the MLflow store.")] = Path("demo"),
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the results do not depend on it.")] = 2,
    overwrite: Annotated[bool, typer.Option(help="Replace what an earlier quickstart left in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Simulate a cohort, train, compare, explain, report and score, and say where everything is."""
    import shutil
    from importlib import resources

    from nbrelapse.cli.progress import progress_bar
    from nbrelapse.cli.summary import print_summary
    from nbrelapse.cohort import write_cohort
    from nbrelapse.cohort.readers import read_cbioportal
    from nbrelapse.cohort.simulation import simulate_cohort, write_raw_files
    from nbrelapse.cohort.simulation.read_truth import TRUTH_FILE
    from nbrelapse.errors import InputError
    from nbrelapse.experiment import publish, read_config, run_experiment
    from nbrelapse.mechanisms import build_features
    from nbrelapse.mechanisms.storage import write_features
    from nbrelapse.scoring import load_model, score
    from nbrelapse.scoring.scores import write_scores

    with resources.as_file(resources.files("nbrelapse.experiment") / "quickstart.toml") as file:
        config = read_config(file)
    simulation = config.cohort.simulate
    assert simulation is not None
    if out.exists() and not overwrite:
        raise InputError("the folder is there already", file=out, mend="name another, or say --overwrite")
    if (out / "raw" / TRUTH_FILE).is_file():
        shutil.rmtree(out / "raw")
    out.mkdir(parents=True, exist_ok=True)
    write_raw_files(out / "raw", simulation.patients, simulation.seed)
    cohort = read_cbioportal(out / "raw")
    write_cohort(cohort, out / "cohort", overwrite=True)
    write_features(build_features(cohort), out / "features.parquet")

    source = config.cohort.model_copy(update={"path": out / "cohort", "simulate": None})
    with progress_bar() as progress:
        result = run_experiment(config.model_copy(update={"cohort": source}), n_jobs=jobs, progress=progress)
        published = publish(result, out / "report.html", progress=progress)
    new_patients = simulate_cohort(50, simulation.seed + 1)
    scores = score(load_model(published.model_uris[published.chosen]), new_patients)
    write_scores(scores, out / "scores.csv")
    outputs = {
        "cohort": str(out / "cohort"),
        "features": str(out / "features.parquet"),
        "scores": f"{out / 'scores.csv'} (50 new patients)",
    }
    print_summary(result, published, as_json=as_json, outputs=outputs)
