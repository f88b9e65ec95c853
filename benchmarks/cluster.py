"""A Dask cluster of this machine beside its own processes, and what a hundred workers would take, reckoned from parts.

The same nested cross-validation by two local processes, by one worker, by two, and by two of which one is killed; the
predictions must be the same bits. Processor time is that of this process and all that it started. Then what the
estimate assumes, measured: tasks that do nothing, the bytes of a task and of the tables, one outer fold, one refit and
the judging of three families at 10,000 simulated patients.

The estimate is of 1,000 experiments with the default settings, 25 outer folds tuned by 40 trials in 5 inner folds and
100 refits of each family, on 100 workers as fast as this machine. A fold is tuned here by few trials; its time is taken
to grow with them, as it does unless trials are stopped early, so that the estimate is high rather than low.
"""

from __future__ import annotations

import os

os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import pickle
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
from distributed import LocalCluster
from joblib import delayed
from joblib.externals.loky import get_reusable_executor

from _document import main
from nbrelapse.mechanisms import build_features
from nbrelapse.metrics import Predictions, evaluate, prediction_times
from nbrelapse.models import bootstrap_rows, create_model, executing_on, in_processes, refit
from nbrelapse.outcome import make_outcome
from nbrelapse.simulation import simulate_cohort
from nbrelapse.validation import nested_cross_validation, repeated_folds, tune

FAMILIES = ("ensemble", "cox", "boosted")
SMALL, LARGE = 400, 10_000
FOLDS, INNER_FOLDS, TRIALS = 5, 5, 4
SEED = 8786
EMPTY_TASKS = 1000

EXPERIMENTS, WORKERS = 1000, 100
OUTER, ALL_TRIALS, REFITS = 25, 40, 100
FEW_TRIALS = 2


def study(patients: int) -> tuple[dict[str, Any], pd.DataFrame, np.ndarray]:
    cohort = simulate_cohort(patients, seed=SEED)
    table, outcome = build_features(cohort), make_outcome(cohort, "relapse")
    columns = table.model_columns()
    models = {name: create_model(name, columns=columns) for name in FAMILIES}
    return models, table.values.loc[outcome.patient_ids], outcome.y


def cluster() -> list[dict[str, object]]:
    models, X, y = study(SMALL)
    rows: list[dict[str, object]] = []
    spent: dict[str, float] = {}
    reference: dict[str, Predictions] | None = None
    for name, workers in (("local, 2 processes", 0), ("Dask, 1 worker", 1), ("Dask, 2 workers", 2), ("one killed", 2)):
        found, cpu, spent[name] = validated(models, X, y, workers, kill=name == "one killed")
        reference = reference or found
        assert_same(reference, found)
        rows += [
            {"name": f"{name}: seconds", "value": spent[name]},
            {"name": f"{name}: processor seconds", "value": cpu},
        ]
    ratio = spent["Dask, 1 worker"] / spent["Dask, 2 workers"]
    rows.append({"name": "1 worker over 2 workers, seconds", "value": ratio})
    overhead = seconds_of_nothing()
    rows.append({"name": "a task that does nothing, two workers: ms", "value": 1000 * overhead})
    return [*rows, *estimate(overhead)]


def validated(
    models: Mapping[str, Any], X: pd.DataFrame, y: np.ndarray, workers: int, *, kill: bool
) -> tuple[dict[str, Predictions], float, float]:
    """Predictions, processor seconds with those of the workers' start, and seconds without it."""
    get_reusable_executor().shutdown(wait=True)
    before = sum(os.times()[:4])
    with ExitStack() as stack:
        jobs, progress = 2, None
        if workers:
            started = stack.enter_context(local_cluster(workers))
            jobs = stack.enter_context(executing_on(f"dask:{started.scheduler_address}", workers))
            progress = killer(started) if kill else None
        list(in_processes([delayed(create_model)("boosted") for _ in range(2 * jobs)], jobs))
        start = time.perf_counter()
        found = nested_cross_validation(
            models,
            X,
            y,
            n_repeats=1,
            n_folds=FOLDS,
            n_inner_folds=INNER_FOLDS,
            n_trials=TRIALS,
            seed=SEED,
            n_jobs=jobs,
            times=prediction_times(y),
            progress=progress,
        )
        wall = time.perf_counter() - start
    get_reusable_executor().shutdown(wait=True)
    return found, sum(os.times()[:4]) - before, wall


def local_cluster(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0", silence_logs=50
    )


def killer(started: LocalCluster) -> Callable[[int, int], None]:
    """Kill a worker when a third is done."""

    def progress(done: int, total: int) -> None:
        if done == total // 3:
            os.kill(next(iter(started.workers.values())).pid, signal.SIGKILL)

    return progress


def assert_same(one: Mapping[str, Predictions], other: Mapping[str, Predictions]) -> None:
    for name, predicted in one.items():
        for kind in ("log_risk", "incidence"):
            assert getattr(predicted, kind).tobytes() == getattr(other[name], kind).tobytes(), (name, kind)


def seconds_of_nothing() -> float:
    with local_cluster(2) as started, executing_on(f"dask:{started.scheduler_address}", 2):
        list(in_processes([delayed(abs)(1) for _ in range(20)], 2))
        start = time.perf_counter()
        list(in_processes([delayed(abs)(1) for _ in range(EMPTY_TASKS)], 2, ordered=False))
        return (time.perf_counter() - start) / EMPTY_TASKS


def estimate(overhead: float) -> list[dict[str, object]]:
    """Reckon what many experiments would take on many workers; return it beside what it is reckoned from."""
    models, X, y = study(LARGE)
    table = len(pickle.dumps(X, protocol=5)) + len(pickle.dumps(y, protocol=5))
    train = repeated_folds(y, n_repeats=1, n_folds=5, seed=SEED)[0][2]
    drawn = bootstrap_rows(y, 1, SEED)[0]
    rows: list[dict[str, object]] = [{"name": f"tables of {LARGE:,} patients: MB, once a worker", "value": table / 1e6}]
    work, tasks, predicted = 0.0, 0, {}
    for name, model in models.items():
        fold = processor_seconds(lambda model=model: tune_and_fit(model, X.iloc[train], y[train])) / FEW_TRIALS
        one = processor_seconds(lambda model=model: refit(model, X, y, drawn))
        rows += [
            {"name": f"{name}: an outer fold of {ALL_TRIALS} trials, processor seconds", "value": fold * ALL_TRIALS},
            {"name": f"{name}: a refit, processor seconds", "value": one},
        ]
        # The final model is tuned once more, on all patients.
        work += (OUTER + 1.25) * fold * ALL_TRIALS + REFITS * one
        tasks += OUTER + 1 + REFITS
        fitted = refit(model, X, y)
        log_risk, incidence = fitted.predict_risk(X, times := prediction_times(y))
        fold_of = np.arange(len(y))[np.newaxis] % 5
        predicted[name] = Predictions(name, log_risk[np.newaxis], fold_of, incidence[np.newaxis], times)
    everybody = np.ones(len(y), bool)
    judging = processor_seconds(
        lambda: evaluate(predicted, y, populations={"all": everybody}, references=["cox"], n_bootstrap=1000, seed=SEED)
    )
    computing = EXPERIMENTS * work / WORKERS
    sending = EXPERIMENTS * tasks * overhead
    longest = max(float(str(row["value"])) for row in rows if "outer fold" in str(row["name"]))
    return [
        *rows,
        {"name": "an experiment's judging, in its own process, processor seconds", "value": judging},
        {"name": "an experiment: tasks", "value": tasks},
        {"name": "an experiment: hours of one worker", "value": work / 3600},
        {"name": "an experiment alone on 100 workers: longest task, hours", "value": longest / 3600},
        {"name": f"{EXPERIMENTS:,} experiments on {WORKERS} workers: days", "value": computing / 86400},
        {"name": "of the scheduler, tasks one after the other: hours", "value": sending / 3600},
        {"name": "of the scheduler, share of the whole", "value": sending / computing},
        {
            "name": "processes beside the workers that judge, of so many needed",
            "value": EXPERIMENTS * judging / computing,
        },
        {"name": "sent in all: TB, where every worker has every table", "value": EXPERIMENTS * WORKERS * table / 1e12},
    ]


def tune_and_fit(model: Any, X: pd.DataFrame, y: np.ndarray) -> None:
    refit(tune(model, X, y, n_trials=FEW_TRIALS, n_folds=5, seed=SEED), X, y)


def processor_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main("cluster", cluster)
