"""How often a verdict calls the chosen family better than the strongest baseline, where none is and where all are.

Log risks are simulated, nothing is fitted: the true log risk and noise. For the error all models are equally good and
their noise is independent, where choosing gains most. For the power all families are better by the same difference of
the true C, and half of the variance of the noise is shared by all models, as by models of the same patients. Beside the
error stands that of the interval of a model named beforehand, the 95 % percentiles of the same resamples.
"""

from __future__ import annotations

import os

os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

from collections import Counter
from itertools import product

import numpy as np

from _document import main
from nbrelapse.metrics import bootstrap_weights, difference_after_choice, harrell_c
from nbrelapse.outcome import SURVIVAL_DTYPE

FAMILIES, BASELINES = (1, 3, 5), (1, 4)
ERROR_COHORTS = {60: 1500, 200: 1000, 500: 600}
POWER_COHORTS = {200: 300, 500: 120}
DIFFERENCES = (0.03, 0.05)
RESAMPLES = 250
NOISE = 1.0
SHARED = 0.5
GOAL = 0.03
SEED = 13


def cohort(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes of which some 40 % are events, and the true log risks."""
    risk = generator.normal(size=n)
    event, censored = generator.exponential(1 / (0.12 * np.exp(0.8 * risk))), generator.uniform(1, 8, n)
    y = np.empty(n, SURVIVAL_DTYPE)
    y["event"], y["time"] = event <= censored, np.minimum(event, censored) * 365.25
    return y, risk


def concordances(y: np.ndarray, risks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Harrell's C of each model and column of weights: the bilinear forms written out, faster up to 500 patients."""
    pairs = ((y["event"] == 1)[:, None] & (y["time"][:, None] < y["time"])).astype(np.float32)
    counted = np.einsum("ib,ib->b", weights, pairs @ weights)
    return np.stack(
        [np.einsum("ib,ib->b", weights, (pairs * (own[:, None] > own)) @ weights) / counted for own in risks]
    )


def noise_for(difference: float) -> float:
    """Return the noise with which the true C is higher by a difference than with that of the baselines."""
    generator = np.random.default_rng(SEED)
    y, risk = cohort(generator, 40_000)
    noise = generator.normal(size=len(y))
    sizes = np.linspace(0.2, NOISE, 9)
    values = [float(harrell_c(y, risk + size * noise)) for size in sizes]
    return float(np.interp(values[-1] + difference, values[::-1], sizes[::-1]))


def answers(n: int, cohorts: int, noise: float, shared: float) -> dict[tuple[int, int], Counter[str]]:
    """Count the answers by numbers of families and of baselines, all seen in the same cohorts."""
    found: dict[tuple[int, int], Counter[str]] = {key: Counter() for key in product(FAMILIES, BASELINES)}
    most = max(FAMILIES)
    sizes = np.array([noise] * most + [NOISE] * max(BASELINES))[:, None]
    for number in range(cohorts):
        generator = np.random.default_rng([SEED, n, number])
        y, risk = cohort(generator, n)
        own = generator.normal(size=(len(sizes), n))
        common = generator.normal(size=n)
        risks = risk + sizes * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
        values = concordances(y, risks, bootstrap_weights(n, RESAMPLES, number))
        for (families, baselines), counts in found.items():
            ours, theirs = values[:families], values[most : most + baselines]
            best, strongest = int(ours[:, 0].argmax()), int(theirs[:, 0].argmax())
            _, low, high = difference_after_choice(
                ours, theirs, model=best, reference=strongest, events=int(y["event"].sum())
            )
            named = np.quantile((ours[best] - theirs[strongest])[1:], [0.025, 0.975])
            low, high = min(low, named[0]), max(high, named[1])
            signs = {"better": low > 0, "worse": high < 0, "named_better": named[0] > 0, "named_worse": named[1] < 0}
            counts.update(answer for answer, given in signs.items() if given)
    return found


def run() -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for n, cohorts in ERROR_COHORTS.items():
        for (families, baselines), counts in answers(n, cohorts, NOISE, 0.0).items():
            shares = {answer: counts[answer] / cohorts for answer in ("better", "worse", "named_better", "named_worse")}
            within = 2 * np.sqrt(GOAL * (1 - GOAL) / cohorts)
            name = f"n={n}, {families} families, {baselines} baselines"
            results += [
                {
                    "name": f"{name}: {answer}, wrongly (named beforehand: {shares['named_' + answer]:.3f})",
                    "value": shares[answer],
                    "goal": GOAL,
                    "met": bool(shares[answer] <= GOAL + within),
                }
                for answer in ("better", "worse")
            ]
    for difference, (n, cohorts) in product(DIFFERENCES, POWER_COHORTS.items()):
        for (families, baselines), counts in answers(n, cohorts, noise_for(difference), SHARED).items():
            name = f"n={n}, true difference {difference:g}, {families} families, {baselines} baselines"
            results.append({"name": f"{name}: better, rightly", "value": counts["better"] / cohorts})
    return results


if __name__ == "__main__":
    main("verdict_error", run)
