"""How fast concordances are: one at n = 50,000 beside those of scikit-survival and survival 2, and bootstraps.

Ours are Harrell's C, Uno's C and the cause-specific C together, given the censoring distribution that Harrell's C does
not need; scikit-survival's is Harrell's C alone, survival's (Rust) Harrell's C with its variance. Three in ten of the
simulated patients are censored, and times are whole days, so that some are tied. The calls take turns; every figure is
the processor time of its fastest run, on one thread. Beside them a Cox regression: ours, with as good as no penalty,
and survival's, both with Breslow's ties.
"""

from __future__ import annotations

import os

os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import survival
from sksurv.metrics import concordance_index_censored

from _document import main
from nbrelapse.metrics.discrimination import Concordance, concordance
from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.resampling import bootstrap_weights
from nbrelapse.models.hazards import _ridge_cox
from nbrelapse.outcome import SURVIVAL_DTYPE

PATIENTS, BOOTSTRAP_PATIENTS, RESAMPLES = 50_000, 1_000, 1_000
SEED = 4
COX_PATIENTS, COX_FEATURES = 2_000, 30
RUNS = 5
RATIO, PEER, SECONDS, DIFFERENCE, COX_DIFFERENCE = 50, 1.0, 1.0, 1e-9, 1e-6


def cohort(n: int, *, competing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(SEED)
    risk = generator.normal(size=n)
    times = np.stack(
        [
            generator.exponential(1500 * np.exp(-risk)),
            generator.exponential(9000, size=n) if competing else np.full(n, np.inf),
            generator.uniform(300, 5000, size=n),
        ]
    )
    y = np.empty(n, dtype=SURVIVAL_DTYPE)
    y["event"], y["time"] = np.array([1, 2, 0])[times.argmin(axis=0)], np.ceil(times.min(axis=0))
    return y, risk


def prepared(y: np.ndarray, risk: np.ndarray, weights: np.ndarray) -> Callable[[], Concordance]:
    censoring = CensoringDistribution.fit(y)
    return lambda: concordance(y, risk, weights=weights, censoring=censoring, tau=1800.0)


def best(*calls: Callable[[], Any], runs: int = RUNS) -> list[tuple[float, Any]]:
    """Fastest of several runs of each call, which take turns, and what it returned."""
    seconds = [np.inf] * len(calls)
    found: list[Any] = [None] * len(calls)
    for _ in range(runs):
        for number, call in enumerate(calls):
            start = time.process_time()
            found[number] = call()
            seconds[number] = min(seconds[number], time.process_time() - start)
    return list(zip(seconds, found, strict=True))


def goal(name: str, value: float, limit: float, *, least: bool = False) -> dict[str, object]:
    return {"name": name, "value": value, "goal": limit, "met": value >= limit if least else value <= limit}


def large_bootstrap() -> list[dict[str, object]]:
    """Measure 100 resamples of the large cohort, competing events included, and the memory beside the weights."""
    ours = prepared(*cohort(PATIENTS, competing=True), bootstrap_weights(PATIENTS, 100, SEED))
    [(seconds, _)] = best(ours, runs=1)
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = f"100 resamples, n = {PATIENTS:,}, competing events"
    return [
        {"name": f"{size}, seconds", "value": seconds},
        {"name": f"{size}, MB beside the weights", "value": peak / 1e6},
    ]


def cox_regression() -> list[dict[str, object]]:
    y, _ = cohort(COX_PATIENTS)
    X = np.random.default_rng(SEED).normal(size=(COX_PATIENTS, COX_FEATURES))
    nothing = np.zeros(COX_FEATURES)
    peer = survival.CoxPHEstimator(ties="breslow")
    table = np.column_stack([y["time"], y["event"] == 1])
    (own_seconds, own), (seconds, fitted) = best(
        lambda: _ridge_cox(X, y, nothing + 1e-9, nothing), lambda: peer.fit(X, table)
    )
    size = f"Cox regression, {COX_PATIENTS:,} patients, {COX_FEATURES} features"
    difference = float(np.abs(own - np.asarray(fitted.coef_)).max())
    return [
        {"name": f"{size}, ours, seconds", "value": own_seconds},
        {"name": f"{size}, survival, seconds", "value": seconds},
        goal("Cox regression: times faster than survival", seconds / own_seconds, PEER, least=True),
        goal("Cox regression: difference of the coefficients", difference, COX_DIFFERENCE),
    ]


def concordance_speed() -> list[dict[str, object]]:
    y, risk = cohort(PATIENTS)
    had_event = y["event"] == 1
    ours = prepared(y, risk, bootstrap_weights(PATIENTS, 0, SEED))
    (own_seconds, own), (rust_seconds, rust) = best(
        ours,
        lambda: survival.concordance(survival.Surv(y["time"], had_event), scores=risk, reverse=True),
        runs=5 * RUNS,
    )
    [(peer_seconds, peer)] = best(lambda: concordance_index_censored(had_event, y["time"], risk)[0], runs=2)
    results = [
        {"name": f"ours, n = {PATIENTS:,}, seconds", "value": own_seconds},
        {"name": f"survival, n = {PATIENTS:,}, seconds", "value": rust_seconds},
        {"name": f"scikit-survival, n = {PATIENTS:,}, seconds", "value": peer_seconds},
        goal("times faster than survival", rust_seconds / own_seconds, PEER, least=True),
        goal("times faster than scikit-survival", peer_seconds / own_seconds, RATIO, least=True),
        goal("difference from survival", float(abs(own.harrell[0] - rust.concordance)), DIFFERENCE),
        goal("difference from scikit-survival", float(abs(own.harrell[0] - peer)), DIFFERENCE),
    ]
    weights = bootstrap_weights(BOOTSTRAP_PATIENTS, RESAMPLES, SEED)
    size = f"{RESAMPLES:,} resamples, n = {BOOTSTRAP_PATIENTS:,}"
    for name, competing in ((size, False), (f"{size}, competing events", True)):
        ours = prepared(*cohort(BOOTSTRAP_PATIENTS, competing=competing), weights)
        results.append(goal(f"{name}, seconds", best(ours)[0][0], SECONDS))
    return results + large_bootstrap() + cox_regression()


if __name__ == "__main__":
    main("concordance_speed", concordance_speed)
