"""Where the time of an experiment goes with 20,000 columns of genes or rows of layers: processor seconds by part.

A table as large as SEQC's training half, 249 patients, some 90 events, 60 features and 20,000 columns made of 30 hidden
factors and noise. `cox_prior` reads all of them. Each part is measured alone and multiplied by how often the experiment
needs it: 3 × 5 outer folds and the final model, 30 trials in 5 inner folds, most of them stopped early, 100 refits and
5 without a fold. With --whole, seconds of the whole experiment on the training half of SEQC instead, with its layers
and with a made-up one more, which brings them to 20,000 rows; the hold-out is not read.
"""

from __future__ import annotations

import os

os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from _document import experiment_config, main, read_seqc
from nbrelapse.cohort import Cohort, read_cohort, write_cohort
from nbrelapse.experiment import run_experiment
from nbrelapse.explanation import explain, stability
from nbrelapse.mechanisms import Catalogue, PriorKnowledge, load_catalogue
from nbrelapse.models import CoxPrior, bootstrap_rows, refit
from nbrelapse.scoring import TrainingSummary, make_bundle
from nbrelapse.validation.guards import label_leakage

PATIENTS, FEATURES = 249, 60
COLUMNS = 20_000
OUTER, INNER = 16, 5
TRIALS = 16 * 145
"""Fits of the tuning: of 150 a fold as many as are left where poor trials are stopped."""
REFITS = 105


def table() -> tuple[pd.DataFrame, np.ndarray, Catalogue, CoxPrior]:
    rng = np.random.default_rng(20_000)
    factors = rng.normal(size=(PATIENTS, 30))
    width = FEATURES + COLUMNS
    values = factors @ rng.normal(size=(30, width)) + 4 * rng.normal(size=(PATIENTS, width))
    names = [f"cell_state__column{number}" for number in range(width)]
    X = pd.DataFrame(values, columns=names, index=[f"p{number}" for number in range(PATIENTS)])
    y = np.zeros(PATIENTS, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = rng.random(PATIENTS) < 0.36, rng.exponential(1500 * np.exp(-factors[:, 0] / 2))
    catalogue = load_catalogue()
    pattern = catalogue.features["cell_state__ntrk1_expression"]
    catalogue = replace(catalogue, features={name: replace(pattern, name=name) for name in names})
    prior = PriorKnowledge({names[0]: 0.3}, blocks=dict.fromkeys(names[FEATURES:], "genes"))
    return X, y, catalogue, CoxPrior(names, prior)


def whole_experiment() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, gene_sets = read_seqc(Path(scratch), layers=True)
        more = write_cohort(_with_another_layer(read_cohort(folder)), Path(scratch) / "more")
        for path in (folder, more):
            config = experiment_config("seqc_relapse", path, gene_sets)
            training_half = config.split.model_copy(update={"validation": ()})
            start = time.perf_counter()
            result = run_experiment(
                config.model_copy(update={"split": training_half}), n_jobs=len(os.sched_getaffinity(0))
            )
            name = f"experiment on {len(result.data.columns):,} features, seconds"
            rows.append({"name": name, "value": time.perf_counter() - start})
    rows[-1] |= {"goal": 120.0, "met": bool(rows[-1]["value"] <= 120.0)}
    return rows


def _with_another_layer(cohort: Cohort) -> Cohort:
    samples = cohort.layers["transcripts"].columns
    missing = COLUMNS - sum(len(layer) for layer in cohort.layers.values())
    values = np.random.default_rng(1).normal(size=(missing, len(samples)))
    layer = pd.DataFrame(values, pd.Index([f"row{number}" for number in range(missing)], name="feature"), samples)
    about = {"unit": "score", "mechanism": "none", "file": "none"}
    own = cohort.assays[cohort.assays["assay"] == "layer:transcripts"].assign(assay="layer:more")
    return replace(
        cohort,
        layers={**cohort.layers, "more": layer},
        assays=pd.concat([cohort.assays, own], ignore_index=True),
        metadata={**cohort.metadata, "layers": {**cohort.metadata["layers"], "more": about}},
    )


def many_columns(*, whole: bool = False) -> list[dict[str, object]]:
    if whole:
        return whole_experiment()
    X, y, catalogue, model = table()
    half = PATIENTS * 4 // 5
    inner = np.arange(half) % INNER > 0
    rows: list[dict[str, object]] = []

    def part(name: str, times: int, work: Callable[[], Any], share: int = 1) -> Any:
        start = time.process_time()
        found = work()
        spent = (time.process_time() - start) / share
        rows.append({"name": f"{name}: seconds each", "value": spent})
        rows.append({"name": f"{name}: seconds in all ({times} times)", "value": spent * times})
        return found

    part("features that tell the outcome", 1, lambda: label_leakage(X, y))
    outer, known = X.iloc[:half], y[:half]
    fold = part(
        "inner fold prepared", OUTER * INNER, lambda: model.trial_fold(outer[inner], known[inner], outer[~inner])
    )
    trials = [4.0, 9.0, 20.0]
    part("trial", TRIALS, lambda: [fold(clone(model).set_params(penalty=each)) for each in trials], share=len(trials))
    part("fit", OUTER, lambda: refit(model, outer, known).predict_log_risk(X))
    resamples = bootstrap_rows(y, 3, 1)
    fitted = model.fit(X, y)
    refits = part("refit", REFITS, lambda: [refit(model, X, y, own) for own in resamples], share=len(resamples))
    explanation = part("explanation", 1, lambda: explain(fitted, X, catalogue))
    many = refits * 4
    part("stability, a refit", REFITS, lambda: stability(explanation, many, catalogue, "efs"), share=len(many))
    part(
        "saved model",
        1,
        lambda: make_bundle(
            "efs",
            fitted,
            X,
            refits=tuple(refits),
            references={},
            catalogue=catalogue,
            gene_sets={},
            training=TrainingSummary(patients=len(y)),
        ),
    )
    whole = sum(float(str(row["value"])) for row in rows if "in all" in str(row["name"]))
    return [*rows, {"name": "all of these, seconds", "value": whole}]


if __name__ == "__main__":
    main("many_columns", many_columns, {"whole": "measure the whole experiment on SEQC's training half"})
