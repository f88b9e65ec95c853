"""Whether all is there that sixteen processes record at once in a store that does not exist yet.

Each records an experiment with its models, trials, tables and a picture by :func:`log_experiment`, four of them under
one name, in a new SQLite database and in an empty PostgreSQL database. Then all is counted and compared with what each
was given: runs, models, parameters, metrics and every step of their curves, files. The exit code is 1 where something
is missing, there twice, or not ended. PostgreSQL is started as ``tools/team_test.py`` does; where there is none, this
is said. With ``--named`` the store is that of ``MLFLOW_TRACKING_URI`` alone, which must be empty; ``--few``: five.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import mlflow.store.tracking.sqlalchemy_store  # before the fork
import pandas as pd
from matplotlib.figure import Figure

from _document import ROOT, main
from nbrelapse.report import draw_figures
from nbrelapse.scoring import load_model, write_bundle
from nbrelapse.tracking import (
    TRIAL_CURVE,
    DatasetRecord,
    ExperimentRecord,
    ModelRecord,
    TrialRecord,
    log_experiment,
    open_store,
)

assert mlflow

WRITERS, FEW, NAMES = 16, 5, 4
FAMILIES, TRIALS, STEPS, FIGURES = ("cox", "boosted", "clinical"), 4, 5, 20


def record_of(writer: int, bundle: Any, pictures: Any) -> ExperimentRecord:
    """Return what one writer records: the numbers are the writer's own."""
    figures = {f"figure_{number}": writer + number / 100 for number in range(FIGURES)}
    trials = tuple(
        TrialRecord(f"trial {number}", {"trial": str(number)}, [writer + step / 10 for step in range(STEPS)])
        for number in range(TRIALS)
    )
    models = tuple(
        ModelRecord(
            family,
            {"family": family, "writer": str(writer)},
            {name: value + 100 * place for name, value in figures.items()},
            None if family == "clinical" else lambda path, told: write_bundle(bundle, path, mlflow_model=told),
            tables={"importance": pd.DataFrame({"writer": [writer]})},
            curves={"c.fold": [(step, writer + step / 10) for step in range(STEPS)]},
            card=f"# {family} of writer {writer}\n",
            trials=trials,
        )
        for place, family in enumerate(FAMILIES)
    )
    # Of one name and fingerprint: those of a name share the row.
    dataset = DatasetRecord("made-up", "f" * 64, 100, 50, ("mycn__amplified",))
    return ExperimentRecord(
        f"shared-{writer % NAMES}",
        "Sixteen writers.",
        (dataset,),
        {"writer": str(writer)},
        {"writer": str(writer)},
        figures,
        models,
        tables={"figures": pd.DataFrame({"writer": [writer]})},
        pictures=pictures,
        documents={"experiment.json": json.dumps({"writer": writer})},
    )


def write(writer: int, record: ExperimentRecord, start: Barrier, folder: Path) -> None:
    """Make the store, all at once, then record, all at once; what went wrong is left in a file."""
    try:
        start.wait()
        open_store()
        start.wait()
        log_experiment(record)
    except Exception as error:
        (folder / f"{writer}.txt").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")


def write_at_once(folder: Path, writers: int) -> tuple[list[str], float]:
    """Let all writers begin at the same moment; return what went wrong, and the processor time."""
    context = multiprocessing.get_context("fork")
    bundle, figure = load_model(ROOT / "models" / "quickstart"), Figure()
    figure.add_subplot().plot([0, 1])
    pictures, start = draw_figures({"curve": figure}), context.Barrier(writers, timeout=120)
    before = _processor_seconds()
    processes = [
        context.Process(target=write, args=(writer, record_of(writer, bundle, pictures), start, folder))
        for writer in range(writers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    broken = [f"exit code {process.exitcode}" for process in processes if process.exitcode]
    return broken + [file.read_text(encoding="utf-8") for file in folder.glob("*.txt")], _processor_seconds() - before


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def counted(writers: int) -> tuple[Counter[str], Counter[str]]:
    """Return how many of each thing the store should hold, and how many it holds that are as they should be."""
    client = open_store(create=False)
    expected: Counter[str] = Counter()
    found: Counter[str] = Counter()
    experiments = [one for one in client.search_experiments() if one.name != "Default"]
    runs = [run for one in experiments for run in client.search_runs([one.experiment_id], max_results=5000)]
    children = Counter(run.data.tags.get("mlflow.parentRunId", "") for run in runs)
    expected["experiments"], found["experiments"] = min(NAMES, writers), len({one.name for one in experiments})
    per_kind = {"experiment": 1, "model": len(FAMILIES), "trial": len(FAMILIES) * TRIALS}
    for run in runs:
        kind = run.data.tags["nbrelapse.kind"]
        found[f"runs of kind {kind}"] += run.info.status == "FINISHED"
        found["parameters"] += len(run.data.params)
        found["metrics"] += len(run.data.metrics)
        found["steps of curves"] += sum(
            len({one.step for one in client.get_metric_history(run.info.run_id, name)})
            for name in ("c.fold", TRIAL_CURVE)
            if name in run.data.metrics
        )
        found["files"] += _files(run.info.artifact_uri)
        found["inputs"] += len(run.inputs.dataset_inputs)
        found["runs below"] += children[run.info.run_id]
    models = [
        model
        for one in experiments
        for model in client.search_logged_models([one.experiment_id], max_results=5000)
        if model.status.value == "READY"
    ]
    found["models"] = len(models)
    found["figures of models"] = sum(len({metric.key for metric in model.metrics or []}) for model in models)
    for kind, number in per_kind.items():
        expected[f"runs of kind {kind}"] = writers * number
    expected["parameters"] = writers * (1 + len(FAMILIES) * 2 + len(FAMILIES) * TRIALS)
    expected["metrics"] = writers * (FIGURES + len(FAMILIES) * (FIGURES + 1) + len(FAMILIES) * TRIALS)
    expected["steps of curves"] = writers * len(FAMILIES) * (1 + TRIALS) * STEPS
    expected["files"] = writers * (6 + len(FAMILIES) * 4)
    expected["inputs"] = writers * (1 + len(FAMILIES))
    expected["runs below"] = writers * len(FAMILIES) * (1 + TRIALS)
    expected["models"] = writers * (len(FAMILIES) - 1)
    expected["figures of models"] = writers * (len(FAMILIES) - 1) * FIGURES
    return expected, found


def _files(uri: str) -> int:
    folder = Path(uri.removeprefix("file://"))
    return sum(path.is_file() for path in folder.rglob("*"))


def at_once(store: str, writers: int) -> list[dict[str, object]]:
    """Write to the current store and count."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        problems, seconds = write_at_once(Path(folder), writers)
    clock = time.perf_counter() - began
    for problem in problems:
        print(f"{store}: {problem}", file=sys.stderr)
    expected, found = counted(writers)
    results: list[dict[str, object]] = [
        {"name": f"{store}: {what}", "value": found[what], "goal": number, "met": found[what] == number}
        for what, number in expected.items()
    ]
    failed = {"name": f"{store}: writers that failed", "value": len(problems), "goal": 0, "met": not problems}
    return [
        *results,
        failed,
        {"name": f"{store}: seconds by the clock", "value": clock},
        {"name": f"{store}: processor seconds", "value": seconds},
    ]


def measure(named: bool, few: bool) -> list[dict[str, object]]:
    """Write to a new SQLite database and an empty PostgreSQL database, or to the store that is named."""
    writers = FEW if few else WRITERS
    if named:
        return at_once("the store", writers)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nbrelapse-writers-")))
        stack.callback(os.chdir, Path.cwd())
        os.chdir(folder)  # where MLflow puts the files of a database that is none
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'new.db'}"
        results = at_once("SQLite", writers)
        uri = _postgres(stack, folder)
        if uri is None:
            print("PostgreSQL is not installed: left out", file=sys.stderr)
            return results
        os.environ["MLFLOW_TRACKING_URI"] = uri
        return results + at_once("PostgreSQL", writers)


def _postgres(stack: ExitStack, folder: Path) -> str | None:
    """Start a database server that ends with the stack; None where there is none to start."""
    sys.path.insert(0, str(ROOT / "tools"))
    from team_test import HOST, programs, start_database

    if programs() is None:
        return None
    folder.chmod(0o711)  # PostgreSQL runs as another user
    port, password = start_database(stack, folder)
    return f"postgresql://mlflow:{password}@{HOST}:{port}/mlflow"


if __name__ == "__main__":
    failures: list[dict[str, object]] = []

    def counted_at_once(named: bool, few: bool) -> list[dict[str, object]]:
        """Measure, and remember what is not as it should be."""
        results = measure(named, few)
        failures.extend(result for result in results if result.get("met") is False)
        return results

    main(
        "many_writers",
        counted_at_once,
        {"named": "write to the store of MLFLOW_TRACKING_URI alone", "few": f"{FEW} writers"},
    )
    sys.exit(1 if failures else 0)
