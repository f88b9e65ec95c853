"""How long mechanism attributions take, beside the raw TreeSHAP call of XGBoost and beside SurvSHAP(t).

`explain` gives the tables by feature and by mechanism and checks that they add up, for 100,000 patients, 60 features
and 300 trees of depth 4; XGBoost's own call gives the features' alone, the matrix counted on both sides, both on all
cores. Repetitions alternate, and the median of their ratios is reported: by the clock, and by processor time, which
other work on the machine disturbs less. Intervals are the least and the greatest of the repetitions.

SurvSHAP(t) (Krzyzinski 2023, 10.1016/j.knosys.2022.110234) explains survival functions; its default goes over all 2^p
coalitions of p features, so it is given 8, and a background of 100 patients. Both explain the same model of these 8
for the same patients, ours on the log risk and on the probability at each of the times that SurvSHAP(t) explains.
NBRELAPSE_SURVSHAP names the folder of `pip install --target FOLDER survshap` where the package is not installed; what
is installed here goes first. NBRELAPSE_SCALE divides the 100,000, for a quick look.
"""

from __future__ import annotations

import gc
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import xgboost

from _document import DataAbsentError, main
from nbrelapse.explanation import explain, to_probability
from nbrelapse.mechanisms import Catalogue, build_features
from nbrelapse.models.trees import Boosted
from nbrelapse.outcome import make_outcome
from nbrelapse.simulation import simulate_cohort

PATIENTS, TRAINING, FEATURES, TREES, DEPTH = 100_000, 3_000, 60, 300, 4
ROUNDS = 5
GOAL, PEER_GOAL = 1.3, 100.0
PEER_ROUNDS, PEER_FEATURES, PEER_BACKGROUND, PEER_PATIENTS, PEER_TIMES = 3, 8, 100, 20, 20


def model_of(features: int) -> tuple[Boosted, pd.DataFrame, np.ndarray, Catalogue]:
    """Fit 300 trees of depth 4 on simulated patients, on the features that are known of most of them and vary most."""
    cohort = simulate_cohort(TRAINING, seed=1)
    table = build_features(cohort)
    outcome = make_outcome(cohort, "relapse")
    X = table.values.loc[outcome.patient_ids, table.model_columns()]
    varied = X.nunique().sort_values(ascending=False, kind="stable").index[:features]
    X = X[[name for name in X.columns if name in set(varied)]]
    return Boosted(n_estimators=TREES, max_depth=DEPTH, seed=1).fit(X, outcome.y), X, outcome.y, table.catalogue


def many_like(X: pd.DataFrame, patients: int) -> pd.DataFrame:
    """Patients whose every value, or lack of one, is that of a patient drawn at random."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: rng.choice(X[name].to_numpy(), patients) for name in X.columns})


def timed(function: Callable[[], object]) -> np.ndarray:
    """Seconds by the clock and of the processor."""
    gc.collect()
    start, used = time.perf_counter(), time.process_time()
    function()
    return np.array([time.perf_counter() - start, time.process_time() - used])


def result(name: str, values: list[float], goal: float | None = None, *, at_least: bool = False) -> dict[str, object]:
    value = statistics.median(values)
    met = None if goal is None else value >= goal if at_least else value <= goal
    return {"name": name, "value": value, "low": min(values), "high": max(values), "goal": goal, "met": met}


def beside_the_raw_call() -> list[dict[str, object]]:
    patients = PATIENTS // int(os.environ.get("NBRELAPSE_SCALE", "1"))
    model, X, _, catalogue = model_of(FEATURES)
    many = many_like(X, patients)[list(model.feature_names_in_)]
    raw_booster = model.booster_.copy()
    raw_booster.set_param({"nthread": 0})

    def raw() -> np.ndarray:
        return raw_booster.predict(xgboost.DMatrix(many.to_numpy()), pred_contribs=True)

    def ours() -> object:
        return explain(model, many, catalogue)

    gap = np.abs(raw()[:, :-1] - explain(model, many, catalogue).features.to_numpy()).max()
    pairs = []
    for number in range(ROUNDS):
        first, second = (raw, ours) if number % 2 else (ours, raw)
        found = {first: timed(first), second: timed(second)}
        pairs.append((found[ours], found[raw]))
    what = f"{patients} patients, {many.shape[1]} features"
    return [
        result(f"times the raw call, by the clock ({what})", [float(a[0] / b[0]) for a, b in pairs], GOAL),
        result("times the raw call, processor time", [float(a[1] / b[1]) for a, b in pairs], GOAL),
        result("seconds, mechanism attributions", [float(a[0]) for a, _ in pairs]),
        result("seconds, raw call", [float(b[0]) for _, b in pairs]),
        result("largest difference of the features' contributions", [float(gap)]),
    ]


def survshap() -> ModuleType:
    """Import SurvSHAP(t), from the folder given where it is not installed."""
    folder = os.environ.get("NBRELAPSE_SURVSHAP")
    if folder:
        sys.path.append(folder)
    try:
        return importlib.import_module("survshap")
    except ImportError as error:
        raise DataAbsentError(
            f"survshap cannot be imported ({error}); pip install --target FOLDER survshap and set NBRELAPSE_SURVSHAP"
        ) from None


def beside_survshap() -> list[dict[str, object]]:
    peer = survshap()
    from sksurv.functions import StepFunction

    model, X, y, catalogue = model_of(PEER_FEATURES)
    background, patients = X.iloc[:PEER_BACKGROUND], X.iloc[-PEER_PATIENTS:]
    times = np.quantile(y["time"][y["event"] == 1], np.linspace(0.05, 0.95, PEER_TIMES))

    def survival(model: Boosted, rows: pd.DataFrame) -> np.ndarray:
        curves = model.predict_survival(pd.DataFrame(rows, columns=X.columns), times)
        return np.array([StepFunction(times, curve) for curve in curves], dtype=object)

    outcome = np.array(list(zip(y["event"] == 1, y["time"], strict=True)), dtype=[("event", bool), ("time", float)])
    wrapped = peer.SurvivalModelExplainer(model, background, outcome[:PEER_BACKGROUND], survival)

    integrals: dict[object, pd.Series] = {}

    def theirs() -> None:
        for patient in patients.index:
            explanation = peer.PredictSurvSHAP()
            explanation.fit(wrapped, patients.loc[[patient]])
            integrals[patient] = explanation.result.set_index("variable_name")["aggregated_change"]

    def ours() -> None:
        explanation = explain(model, patients, catalogue)
        for day in times:
            to_probability(explanation, model, float(day))

    pairs = [(timed(ours), timed(theirs)) for _ in range(PEER_ROUNDS)]
    importance = explain(model, patients, catalogue).features.abs().mean()
    agreement = pd.DataFrame(integrals).mean(axis=1)[importance.index].corr(importance, method="spearman")
    what = f"{len(X.columns)} features, {PEER_TIMES} times, {PEER_PATIENTS} patients"
    return [
        result(f"times faster than survshap, by the clock ({what})", [float(b[0] / a[0]) for a, b in pairs], PEER_GOAL,
               at_least=True),
        result("times faster than survshap, processor time", [float(b[1] / a[1]) for a, b in pairs], PEER_GOAL,
               at_least=True),
        result("milliseconds a patient, ours", [float(a[0]) * 1e3 / len(patients) for a, _ in pairs]),
        result("milliseconds a patient, survshap", [float(b[0]) * 1e3 / len(patients) for _, b in pairs]),
        result("rank correlation of the features' importance with survshap's", [float(agreement)]),
    ]  # fmt: skip


def attribution_speed() -> list[dict[str, object]]:
    results = beside_the_raw_call()
    try:
        return results + beside_survshap()
    except DataAbsentError as error:
        print(f"attribution_speed: the comparison with survshap is left out, {error}", file=sys.stderr)
        return results


if __name__ == "__main__":
    main("attribution_speed", attribution_speed)
