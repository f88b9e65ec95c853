"""Small cohorts: Cox regression from the literature (`cox_prior`) against the elastic net (`cox`), mean Harrell C.

Training patients are drawn again and again, with the cohort's share of events, from the training half of SEQC
(event-free survival), and from the high-risk patients of COG and GPOH with copy number; the patients not drawn judge.
Both models are tuned on the patients drawn. The prior is the catalogue's: nothing of it was learned from these
cohorts, but its form (blocks, the range of the penalty) was settled while looking at the training half of SEQC. The
hold-out of SEQC is not read. Intervals are over draws; as draws share patients, they are too narrow for a new cohort.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from _document import ROOT, data_folder, experiment_config, main, read_seqc
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.prepare import _prepare_data, _PreparedData
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.metrics.discrimination import harrell_c
from nbrelapse.models.families import create_model
from nbrelapse.readers import import_tables
from nbrelapse.validation.tuning import tune

SIZES = (40, 80, 160)
DRAWS = 40
TRIALS = 25
FAMILIES = ("cox", "cox_prior")
GOALS = {40: 0.02, 80: -0.005, 160: -0.005}


def prior_small_cohorts(scratch: Path) -> list[dict[str, object]]:
    config = experiment_config("seqc_relapse", *read_seqc(scratch))
    config = config.model_copy(update={"features": config.features.model_copy(update={"genes": False})})
    results = _compare("SEQC training half", _prepare_data(config), GOALS)
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(import_tables(mapping, data_folder("high_risk_copy_number")), scratch / "cohort")
    high_risk = experiment_config("high_risk_copy_number", scratch / "cohort").model_copy(update={"split": None})
    return results + _compare("high-risk copy number", _prepare_data(high_risk), {})


def _compare(label: str, data: _PreparedData, goals: dict[int, float]) -> list[dict[str, object]]:
    X, y = data.features(data.training), data.training.y
    prior = PriorKnowledge.of_catalogue(data.table.catalogue, data.columns, "efs")
    models = {name: create_model(name, columns=data.columns, prior=prior) for name in FAMILIES}
    results: list[dict[str, object]] = []
    for size in SIZES:
        found = Parallel(n_jobs=os.cpu_count())(delayed(_draw)(models, X, y, size, draw) for draw in range(DRAWS))
        table = pd.DataFrame(found)
        results += [_row(f"{label}, {size} patients: mean C of {name}", table[name]) for name in FAMILIES]
        difference = _row(f"{label}, {size} patients: cox_prior minus cox", table["cox_prior"] - table["cox"])
        if size in goals:
            difference |= {"goal": goals[size], "met": bool(difference["value"] >= goals[size])}
        results += [difference, _row(f"{label}, {size} patients: trust in the prior", table["trust"])]
    return results


def _draw(models: dict, X: pd.DataFrame, y: np.ndarray, size: int, draw: int) -> dict[str, float]:
    rng = np.random.default_rng([size, draw])
    events, others = np.flatnonzero(y["event"] == 1), np.flatnonzero(y["event"] != 1)
    n_events = round(size * len(events) / len(y))
    drawn = np.concatenate([rng.choice(events, n_events, False), rng.choice(others, size - n_events, False)])
    judges = np.setdiff1d(np.arange(len(y)), drawn)
    found: dict[str, float] = {}
    for name, model in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            tuned = tune(model, X.iloc[drawn], y[drawn], n_trials=TRIALS, n_folds=5, seed=draw)
            fitted = tuned.fit(X.iloc[drawn], y[drawn])
        found[name] = float(harrell_c(y[judges], fitted.predict_log_risk(X.iloc[judges])))
    return found | {"trust": fitted.trust_}


def _row(name: str, values: pd.Series) -> dict[str, object]:
    error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return {"name": name, "value": values.mean(), "low": values.mean() - error, "high": values.mean() + error}


if __name__ == "__main__":
    main("prior_small_cohorts", prior_small_cohorts)
