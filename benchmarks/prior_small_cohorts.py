"""Small cohorts: `ensemble`, and Cox regression from the literature (`cox_prior`), against the elastic net (`cox`).

Mean Harrell C. Training patients are drawn again and again, with the cohort's share of events, from the training half
of SEQC (event-free survival), and from the high-risk patients of COG and GPOH with copy number; the patients not drawn
judge. Models that are tuned are tuned on the patients drawn. The prior is the catalogue's: nothing of it was learned
from these cohorts, but its form (blocks, the range of the penalty) was settled while looking at the training half of
SEQC. The hold-out of SEQC is not read. Intervals are over draws; as draws share patients, they are too narrow for a
new cohort.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from _document import ROOT, data_folder, experiment_config, main, read_seqc
from nbrelapse.cohort import write_cohort
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data
from nbrelapse.metrics.discrimination import harrell_c
from nbrelapse.readers import import_tables
from nbrelapse.validation.tuning import tune

SIZES = (40, 80, 160)
DRAWS = 40
TRIALS = 25
FAMILIES = ("cox", "cox_prior", "ensemble")
GOALS = {40: 0.02}
"""Of the ensemble less the elastic net."""

TOLERATED = -0.005
"""Of the ensemble less the better of the other two."""


def prior_small_cohorts(scratch: Path) -> list[dict[str, object]]:
    config = experiment_config("seqc_relapse", *read_seqc(scratch))
    config = config.model_copy(update={"features": config.features.model_copy(update={"genes": False})})
    results = _compare("SEQC training half", config, judged=True)
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    write_cohort(import_tables(mapping, data_folder("high_risk_copy_number")), scratch / "cohort")
    high_risk = experiment_config("high_risk_copy_number", scratch / "cohort").model_copy(update={"split": None})
    high_risk = high_risk.model_copy(update={"catalogue": None})
    return results + _compare("high-risk copy number", high_risk, judged=False)


def _compare(label: str, config: Any, *, judged: bool) -> list[dict[str, object]]:
    data = _prepare_data(config)
    X, y = data.features(data.training), data.training.y
    models = _experiment_models(config.model_copy(update={"models": FAMILIES}), data)[0]
    models = {name: models[name] for name in FAMILIES}
    results: list[dict[str, object]] = []
    for size in SIZES:
        found = Parallel(n_jobs=os.cpu_count())(delayed(_draw)(models, X, y, size, draw) for draw in range(DRAWS))
        table = pd.DataFrame(found)
        results += [_row(f"{label}, {size} patients: mean C of {name}", table[name]) for name in FAMILIES]
        for name in FAMILIES[1:]:
            difference = _row(f"{label}, {size} patients: {name} minus cox", table[name] - table["cox"])
            if judged and name == "ensemble" and size in GOALS:
                difference |= {"goal": GOALS[size], "met": bool(difference["value"] >= GOALS[size])}
            results.append(difference)
        best = table[list(FAMILIES[:2])].mean().idxmax()
        difference = _row(f"{label}, {size} patients: ensemble minus {best}", table["ensemble"] - table[best])
        if judged:
            difference |= {"goal": TOLERATED, "met": bool(difference["value"] >= TOLERATED)}
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
        if name == "cox_prior":
            found["trust"] = fitted.trust_
    return found


def _row(name: str, values: pd.Series) -> dict[str, object]:
    error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return {"name": name, "value": values.mean(), "low": values.mean() - error, "high": values.mean() + error}


if __name__ == "__main__":
    main("prior_small_cohorts", prior_small_cohorts)
