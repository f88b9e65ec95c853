"""How fast concordances are: one at n = 50,000 beside scikit-survival's in the same run, and a bootstrap at n = 1,000.

Ours are Harrell's C, Uno's C and the cause-specific C together, given the censoring distribution that Harrell's C does
not need; scikit-survival's is Harrell's C alone. Three in ten of the simulated patients are censored, and times are
whole days, so that some are tied. Every figure is the best of its runs, on one thread.
"""

from __future__ import annotations

import os

os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from sksurv.metrics import concordance_index_censored

from _document import main
from nbrelapse.metrics.discrimination import Concordance, concordance
from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.resampling import bootstrap_weights
from nbrelapse.outcome import SURVIVAL_DTYPE

PATIENTS, BOOTSTRAP_PATIENTS, RESAMPLES = 50_000, 1_000, 1_000
SEED = 4
RUNS = 5
RATIO, SECONDS, DIFFERENCE = 50, 1.0, 1e-9


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


def best(call: Callable[[], Any], runs: int = RUNS) -> tuple[float, Any]:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def goal(name: str, value: float, limit: float, *, least: bool = False) -> dict[str, object]:
    return {"name": name, "value": value, "goal": limit, "met": value >= limit if least else value <= limit}


def large_bootstrap() -> list[dict[str, object]]:
    """Measure 100 resamples of the large cohort, competing events included, and the memory beside the weights."""
    ours = prepared(*cohort(PATIENTS, competing=True), bootstrap_weights(PATIENTS, 100, SEED))
    seconds, _ = best(ours, runs=1)
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = f"100 resamples, n = {PATIENTS:,}, competing events"
    return [
        {"name": f"{size}, seconds", "value": seconds},
        {"name": f"{size}, MB beside the weights", "value": peak / 1e6},
    ]


def concordance_speed() -> list[dict[str, object]]:
    y, risk = cohort(PATIENTS)
    one = bootstrap_weights(PATIENTS, 0, SEED)
    own_seconds, own = best(prepared(y, risk, one))
    peer_seconds, peer = best(lambda: concordance_index_censored(y["event"] == 1, y["time"], risk)[0], runs=2)
    results = [
        {"name": f"ours, n = {PATIENTS:,}, seconds", "value": own_seconds},
        {"name": f"scikit-survival, n = {PATIENTS:,}, seconds", "value": peer_seconds},
        goal("times faster than scikit-survival", peer_seconds / own_seconds, RATIO, least=True),
        goal("difference of the values", float(abs(own.harrell[0] - peer)), DIFFERENCE),
    ]
    weights = bootstrap_weights(BOOTSTRAP_PATIENTS, RESAMPLES, SEED)
    size = f"{RESAMPLES:,} resamples, n = {BOOTSTRAP_PATIENTS:,}"
    for name, competing in ((size, False), (f"{size}, competing events", True)):
        ours = prepared(*cohort(BOOTSTRAP_PATIENTS, competing=competing), weights)
        results.append(goal(f"{name}, seconds", best(ours)[0], SECONDS))
    results += large_bootstrap()
    return results


if __name__ == "__main__":
    main("concordance_speed", concordance_speed)
