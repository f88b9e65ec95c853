"""How long it takes to log one run with its model to MLflow, offline, and whether the model then scores the same.

A run with metrics, parameters, tables, a figure and a saved model (100 bootstrap refits) goes to a fresh SQLite store,
as a parent and a child; making the database, once in a store's life, is measured apart. The peer logs a run with a
scikit-learn model of the same columns through ``mlflow.sklearn.log_model``, once as it comes (it infers the
requirements) and once with requirements and signature given.

Drawing, in CPU seconds of one process: the pictures of an explanation, once for page and store, and once for each of
the three files that come of it (an SVG in the page, a PNG and an SVG in the store), as it was before version 0.4.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from _document import main
from nbrelapse.explanation import explain
from nbrelapse.mechanisms import build_features
from nbrelapse.models.families import _CLINICAL_BASELINES, create_model
from nbrelapse.models.resamples import bootstrap_refits
from nbrelapse.outcome import make_outcome
from nbrelapse.report import draw_figures, explanation_figures
from nbrelapse.scoring import Bundle, TrainingSummary, load_model, make_bundle, write_bundle
from nbrelapse.scoring.scores import _score_features
from nbrelapse.simulation import simulate_cohort
from nbrelapse.tracking import DatasetRecord, ExperimentRecord, ModelRecord, log_experiment, open_store

PATIENTS = 500
REFITS = 100
ROUNDS = 5
GOAL = 2.0


def bundle_of(family: str) -> tuple[Bundle, pd.DataFrame]:
    cohort = simulate_cohort(PATIENTS, seed=1)
    table = build_features(cohort)
    outcome = make_outcome(cohort, "relapse")
    X, y = table.values.loc[outcome.patient_ids], outcome.y
    model = create_model(family, columns=table.model_columns()).fit(X, y)
    bundle = make_bundle(
        "relapse",
        model,
        X,
        refits=tuple(bootstrap_refits(model, X, y, n_refits=REFITS, seed=0, n_jobs=os.cpu_count() or 1)),
        references={name: create_model(name).fit(X, y) for name in _CLINICAL_BASELINES},
        catalogue=table.catalogue,
        gene_sets={},
        training=TrainingSummary(patients=len(y)),
    )
    return bundle, X


def record_of(name: str, bundle: Bundle, X: pd.DataFrame) -> ExperimentRecord:
    figure = Figure()
    figure.add_subplot().plot([0, 1])
    metrics = {f"relapse/metric_{number}": 0.5 for number in range(48)}
    model = ModelRecord(
        bundle.model.family,
        {f"parameter_{number}": "1" for number in range(10)},
        metrics,
        lambda path, description: write_bundle(bundle, path, mlflow_model=description),
        tables={"feature_attributions": X.reset_index(drop=True)},
        pictures=draw_figures({"mechanisms": figure}),
        card="# Card\n",
    )
    dataset = DatasetRecord("simulated", "0" * 64, len(X), 100, tuple(X.columns))
    return ExperimentRecord(name, "", dataset, {"endpoint": "relapse"}, {}, metrics, (model,))


def seconds(function: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return found


def timed(name: str, times: list[float], goal: float | None = None) -> dict[str, object]:
    value = statistics.median(times)
    met = None if goal is None else value <= goal
    return {"name": name, "value": value, "low": min(times), "high": max(times), "goal": goal, "met": met}


def peer_times(X: pd.DataFrame) -> dict[str, list[float]]:
    import mlflow.sklearn
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(X.fillna(0.0), np.arange(len(X)) % 2)
    given = {
        "signature": mlflow.models.infer_signature(X.astype(float), np.zeros(1)),
        "pip_requirements": ["scikit-learn"],
    }

    def log(options: dict[str, object]) -> None:
        with mlflow.start_run():
            mlflow.log_metrics({f"metric_{number}": 0.5 for number in range(48)})
            mlflow.sklearn.log_model(model, name="model", **options)

    return {
        "requirements given": seconds(lambda: log(given)),
        "as it comes": seconds(lambda: log({}), rounds=2),
    }


def scored_elsewhere(uri: str, X: pd.DataFrame, scratch: Path) -> pd.DataFrame:
    X.to_parquet(scratch / "features.parquet")
    code = (
        "import pandas as pd; from nbrelapse.scoring import load_model\n"
        "from nbrelapse.scoring.scores import _score_features\n"
        f"_score_features(load_model({uri!r}), pd.read_parquet('features.parquet')).to_parquet('scores.parquet')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=scratch)
    return pd.read_parquet(scratch / "scores.parquet")


def drawing(bundle: Bundle, X: pd.DataFrame) -> list[dict[str, object]]:
    def figures() -> dict[str, Figure]:
        plots = explanation_figures(explain(bundle.model, X, bundle.catalogue), bundle.catalogue)
        return {name: plot() for name, plot in plots.items()}

    def each(found: dict[str, Figure]) -> None:
        for figure in found.values():
            for kind in ("svg", "png", "svg"):
                figure.savefig(io.BytesIO(), format=kind, dpi=180)

    def cpu(draw: Callable[[dict[str, Figure]], object]) -> float:
        found = figures()
        start = time.process_time()
        draw(found)
        return time.process_time() - start

    once, thrice = (statistics.median(cpu(draw) for _ in range(3)) for draw in (draw_figures, each))
    return [
        {"name": "drawing the pictures of an explanation once (CPU)", "value": once},
        {
            "name": "ratio of drawing once to drawing for each file",
            "value": once / thrice,
            "goal": 0.7,
            "met": once / thrice <= 0.7,
        },
    ]


def tracking_overhead(scratch: Path) -> list[dict[str, object]]:
    # Through the environment, which processes started from here inherit.
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{scratch / 'mlruns' / 'mlflow.db'}"
    results = [timed("making the database (once)", seconds(open_store, rounds=1))]
    for family in ("cox", "boosted"):
        bundle, X = bundle_of(family)
        results += drawing(bundle, X) if family == "cox" else []
        record = record_of(family, bundle, X)
        times = seconds(lambda record=record: log_experiment(record))
        results.append(timed(f"logging a run with its {family} model", times, GOAL))
        uri = log_experiment(record).model_uris[family]
        results.append(timed(f"loading the {family} model", seconds(lambda uri=uri: load_model(uri))))
        here = _score_features(bundle, X).select_dtypes("number").to_numpy()
        there = scored_elsewhere(uri, X, scratch).select_dtypes("number").to_numpy()
        gap = float(np.nanmax(np.abs(here - there))) if np.array_equal(np.isnan(here), np.isnan(there)) else np.inf
        name = f"largest difference of {family} scores between processes"
        results.append({"name": name, "value": gap, "goal": 1e-9, "met": gap <= 1e-9})
        size = sum(file.stat().st_size for file in write_bundle(bundle, scratch / family).rglob("*") if file.is_file())
        results.append({"name": f"megabytes of the {family} model", "value": size / 1e6})
    ours = statistics.median(times)
    for name, times in peer_times(X).items():
        results.append(timed(f"peer: mlflow.sklearn.log_model, {name}", times))
        results.append({"name": f"ratio of ours to the peer, {name}", "value": ours / statistics.median(times)})
    return results


if __name__ == "__main__":
    main("tracking_overhead", tracking_overhead)
