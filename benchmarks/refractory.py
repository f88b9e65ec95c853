"""Refractory disease on 2,000 simulated patients: discrimination and calibration, and MYCN's two signs.

Both families go through nested cross-validation (two repeats of five folds, three inner folds, 15 trials) beside the
clinical baselines. The simulation has the margins of Pinto 2019 (Eur J Cancer 112:66), which are weak: the AUC of the
log odds that the patients were drawn with, the most that any model can reach, stands beside the others.

MYCN amplified tumours respond better to induction, and relapse more: the coefficient of the amplification in a
regression on age, stage, MYCN, 11q and 1p, and the share of the MYCN mechanism in the tuned models, are shown for
both endpoints on the same cohort, with intervals over bootstrap refits. The sign of an endpoint is called found only
where its whole interval lies on its side.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from _document import main
from nbrelapse.experiment.config import parse_config
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data, _PreparedData
from nbrelapse.explanation import explain
from nbrelapse.metrics.discrimination import roc_area
from nbrelapse.metrics.evaluation import Evaluation, evaluate
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.resampling import bootstrap_weights
from nbrelapse.models.families import create_model
from nbrelapse.models.linear import _LinearModel
from nbrelapse.models.resamples import bootstrap_refits
from nbrelapse.scoring.evaluate import populations
from nbrelapse.simulation.patients import _draw_patients, _load_calibration
from nbrelapse.validation.nested import nested_cross_validation
from nbrelapse.validation.tuning import tune

PATIENTS = 2000
SEED = 20
REFITS = 200
TUNED_REFITS = 50
TRIALS = 15
FAMILIES = ("logistic", "boosted_classifier")
REFERENCE = "clinical_logistic"
COLUMNS = (
    "clinical__age_over_18_months",
    "clinical__stage_metastatic",
    "mycn__amplified",
    "instability__loss_11q",
    "instability__loss_1p",
)
ENDPOINTS = {"refractory": ("logistic", -1), "relapse": ("cox", 1)}
"""The linear family of each endpoint, and the sign of MYCN amplification in the literature."""


def prepared(endpoint: str) -> _PreparedData:
    source = {"simulate": {"patients": PATIENTS, "seed": SEED}}
    return _prepare_data(parse_config({"name": "refractory", "endpoint": endpoint, "seed": SEED, "cohort": source}))


def cross_validated(data: _PreparedData) -> Evaluation:
    config = parse_config(
        {"name": "refractory", "endpoint": "refractory", "seed": SEED, "cohort": {"simulate": {"patients": PATIENTS}}}
    )
    models, _ = _experiment_models(config, data)
    X, y = data.features(data.training), data.training.y
    predictions = nested_cross_validation(
        models,
        X,
        y,
        n_repeats=2,
        n_folds=5,
        n_inner_folds=3,
        n_trials=TRIALS,
        seed=SEED,
        n_jobs=2,
        times=prediction_times(y),
    )
    baselines = [name for name in models if name not in FAMILIES]
    masks = populations(data.cohort, data.training)
    return evaluate(predictions, y, populations=masks, references=baselines, seed=SEED)


def reachable(data: _PreparedData) -> dict[str, object]:
    """AUC of the log odds that the patients were drawn with."""
    calibration = _load_calibration()
    # The first stream of the seed is that of the patients, see write_raw_files.
    drawn = _draw_patients(np.random.default_rng(SEED).spawn(10)[0], PATIENTS, calibration)
    drawn.index = data.cohort.patient_ids
    effects = pd.Series(calibration["refractory"]["log_odds"])
    log_odds = (drawn[effects.index].astype(float) @ effects).loc[data.training.patient_ids].to_numpy()[None]
    y = data.training.y
    weights = bootstrap_weights(len(y), 1000, SEED)
    values = roc_area(log_odds, np.zeros(log_odds.shape, dtype=int), weights, y == 1, y == 0)
    low, high = (float(limit) for limit in np.quantile(values[1:], [0.025, 0.975]))
    return {
        "name": "log odds that the patients were drawn with: auc",
        "value": float(values[0]),
        "low": low,
        "high": high,
    }


def performance(evaluation: Evaluation) -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for row in evaluation.metrics.to_dict("records"):
        shown = row["metric"] == "auc" or (row["model"] in FAMILIES and row["population"] == "all")
        if shown:
            name = f"{row['model']}, {row['population']} (n={row['n']}, {row['events']} events): {row['metric']}"
            results.append({"name": name} | {key: float(row[key]) for key in ("value", "low", "high")})
        if shown and row["metric"] == "calibration_slope":
            results[-1] |= {"goal": 1.0, "met": bool(row["low"] <= 1.0 <= row["high"])}
    paired = evaluation.differences.query("metric == 'auc' and population == 'all' and reference == @REFERENCE")
    for row in paired[paired["model"].isin(FAMILIES)].to_dict("records"):
        change = {"value": float(row["difference"]), "low": float(row["low"]), "high": float(row["high"])}
        results.append({"name": f"{row['model']} minus {REFERENCE}: auc", **change, "goal": 0.0, "met": row["low"] > 0})
    return results


def coefficients(data: _PreparedData, endpoint: str) -> pd.DataFrame:
    """Coefficients of a regression without a penalty to speak of; the first row is that of all patients."""
    family = ENDPOINTS[endpoint][0]
    model = create_model(family, columns=COLUMNS, penalty=1e-4, l1_ratio=0.05, binary=endpoint == "refractory")
    if endpoint == "refractory":
        model.set_params(calibration_folds=0)
    X, y = data.features(data.training), data.training.y
    refits = bootstrap_refits(model, X, y, n_refits=REFITS, seed=SEED, n_jobs=2)
    return pd.DataFrame([fitted.coefficients_ for fitted in (model.fit(X, y), *refits)], columns=list(COLUMNS))


def mycn_share(data: _PreparedData, endpoint: str) -> np.ndarray:
    """Return what the MYCN mechanism adds to the log risk of amplified over other patients, in the tuned model."""
    family = ENDPOINTS[endpoint][0]
    model = create_model(family, columns=data.columns, binary=endpoint == "refractory")
    X, y = data.features(data.training), data.training.y
    tuned = tune(model, X, y, n_trials=TRIALS, n_folds=3, seed=SEED).fit(X, y)
    assert isinstance(tuned, _LinearModel)
    refits = bootstrap_refits(tuned, X, y, n_refits=TUNED_REFITS, seed=SEED, n_jobs=2)
    amplified = X["mycn__amplified"]
    shares = [explain(fitted, X, data.table.catalogue).mechanisms["mycn"] for fitted in (tuned, *refits)]
    return np.array([share[amplified == 1].mean() - share[amplified == 0].mean() for share in shares])


def with_interval(name: str, replicates: np.ndarray, sign: int) -> dict[str, object]:
    low, high = (float(limit) for limit in np.quantile(replicates[1:], [0.025, 0.975]))
    met = bool(min(sign * low, sign * high) > 0)
    return {"name": name, "value": float(replicates[0]), "low": low, "high": high, "goal": 0.0, "met": met}


def signs(data: dict[str, _PreparedData]) -> list[dict[str, object]]:
    results = []
    found = {}
    for endpoint, (_, sign) in ENDPOINTS.items():
        table = coefficients(data[endpoint], endpoint)
        found[endpoint] = table["mycn__amplified"].to_numpy()
        for column, expected in (("mycn__amplified", sign), ("instability__loss_11q", 1)):
            results.append(with_interval(f"{endpoint}: log ratio of {column}", table[column].to_numpy(), expected))
        share = mycn_share(data[endpoint], endpoint)
        results.append(with_interval(f"{endpoint}: MYCN mechanism, amplified minus others", share, sign))
    opposite = (found["refractory"] < 0) & (found["relapse"] > 0)
    results.append(
        {"name": "MYCN's signs are opposite", "value": float(opposite[0]), "goal": 1.0, "met": bool(opposite[0])}
    )
    results.append({"name": "MYCN's signs are opposite, share of refits", "value": float(opposite[1:].mean())})
    return results


def refractory() -> list[dict[str, object]]:
    data = {endpoint: prepared(endpoint) for endpoint in ENDPOINTS}
    return [reachable(data["refractory"]), *performance(cross_validated(data["refractory"])), *signs(data)]


if __name__ == "__main__":
    main("refractory", refractory)
