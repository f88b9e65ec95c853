"""How few patients and events a figure at a horizon can rest on: coverage of its 95 % interval in simulated cohorts.

Cohorts of 40, 60, 100 and 200 patients from models that are exactly right, with competing events, early and late
horizons, and follow-up that ends soon after the horizon or much later. Each is counted by the patients at risk and the
events that it happens to have there. The truth is that of 400,000 patients nobody of whom is censored.
"""

from __future__ import annotations

import os

os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import warnings
from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from _document import main
from nbrelapse.metrics import (
    METRICS,
    CensoringDistribution,
    bootstrap_interval,
    brier_score,
    calibration_intercept,
    dynamic_auc,
    null_brier_score,
)
from nbrelapse.metrics.resampling import _interval_weights, _scaled_interval
from nbrelapse.outcome import FEWEST_AT_RISK, FEWEST_EVENTS_BY, SURVIVAL_DTYPE, YEAR

SIZES = (40, 60, 100, 200)
HAZARDS = (0.05, 0.15, 0.3)
EFFECTS = (0.8, 1.6)
YEARS = (1, 3, 5)
RIVAL = 0.03
RESAMPLES = 300
FIGURES = ("auc", "brier", "ipa", "calibration_intercept")
RULES = [(at_risk, events) for at_risk in (1, 5, 10, 15) for events in (1, 3, 5, 8)]
BINS = [0, 2, 4, 9, 14, 24, 1000]
LEAST = 0.92
COHORTS, SEED = 200, 1


def draw(rng: np.random.Generator, n: int, hazard: float, effect: float, years: int) -> tuple[np.ndarray, ...]:
    """Log risks, latent times in years, which event comes, and the incidence by the horizon."""
    x = effect * rng.normal(size=n)
    own = hazard * np.exp(x)
    event = np.where(rng.random(n) < own / (own + RIVAL), 1, 2)
    incidence = own / (own + RIVAL) * (1 - np.exp(-(own + RIVAL) * years))
    return x, rng.exponential(1 / (own + RIVAL)), event, incidence


@cache
def truth(hazard: float, effect: float, years: int) -> dict[str, float]:
    x, happens, event, incidence = draw(np.random.default_rng(99), 400_000, hazard, effect, years)
    case = (happens <= years) & (event == 1)
    share, brier, n_cases = case.mean(), float(((incidence - case) ** 2).mean()), int(case.sum())
    auc = (rankdata(x)[case].sum() - n_cases * (n_cases + 1) / 2) / (n_cases * (len(x) - n_cases))
    return {"auc": float(auc), "brier": brier, "ipa": 1 - brier / (share * (1 - share)), "calibration_intercept": 0.0}


def cohort_rows(rng: np.random.Generator, n: int, hazard: float, effect: float, years: int) -> Iterator[tuple]:
    """One cohort: a row a figure and kind of interval."""
    x, happens, event, incidence = draw(rng, n, hazard, effect, years)
    censored = rng.uniform(0.3 * years, years * np.exp(rng.uniform(np.log(1.01), np.log(2.5))), n)
    y = np.empty(n, SURVIVAL_DTYPE)
    y["event"], y["time"] = np.where(happens <= censored, event, 0), np.minimum(happens, censored) * YEAR
    horizon = years * YEAR
    at_risk, events = int((y["time"] > horizon).sum()), int(((y["time"] <= horizon) & (y["event"] == 1)).sum())
    if not at_risk or not events:
        return
    weights = _interval_weights(n, RESAMPLES, int(rng.integers(2**31)), "bca")
    own = {"weights": weights, "censoring": CensoringDistribution.fit(y)}
    brier = np.asarray(brier_score(y, incidence, horizon, **own))
    found = {
        "auc": np.asarray(dynamic_auc(y, x, horizon, **own)),
        "brier": brier,
        "ipa": 1 - brier / np.asarray(null_brier_score(y, horizon, **own)),
        "calibration_intercept": np.asarray(calibration_intercept(y, incidence, horizon, weights=weights)),
    }
    expected = truth(hazard, effect, years)
    for figure, values in found.items():
        values = np.where(np.isfinite(values), values, np.nan)
        value, resamples, jackknife = float(values[0]), values[1 : RESAMPLES + 1], values[RESAMPLES + 1 :]
        scale = METRICS[f"{figure}_3y"].scale
        intervals = {
            "percentile": bootstrap_interval(value, resamples),
            "bca": bootstrap_interval(value, resamples, jackknife),
            "printed": bootstrap_interval(value, resamples)
            if scale is None
            else _scaled_interval(value, resamples, scale),
        }
        for kind, (low, high) in intervals.items():
            covered = np.nan if np.isnan(low) else float(low <= expected[figure] <= high)
            yield n, effect, at_risk, events, figure, kind, covered


def coverage_of(table: pd.DataFrame, name: str, goal: float | None = None) -> dict[str, object]:
    share = float(table["covered"].mean())
    found: dict[str, object] = {"name": f"{name} ({int(table['covered'].notna().sum())} cohorts)", "value": share}
    return found if goal is None else found | {"goal": goal, "met": share >= goal}


def thin_data() -> list[dict[str, object]]:
    warnings.simplefilter("ignore", RuntimeWarning)
    rng = np.random.default_rng(SEED)
    settings = [(n, h, e, y) for n in SIZES for h in HAZARDS for e in EFFECTS for y in YEARS]
    rows = [row for setting in settings for _ in range(COHORTS) for row in cohort_rows(rng, *setting)]
    table = pd.DataFrame(rows, columns=["n", "effect", "at_risk", "events", "figure", "interval", "covered"])
    results = []
    for figure in FIGURES:
        own = table[(table["figure"] == figure) & (table["interval"] == "printed")]
        for at_risk, events in RULES:
            kept = own[(own["at_risk"] >= at_risk) & (own["events"] >= events)]
            goal = LEAST if (at_risk, events) == (FEWEST_AT_RISK, FEWEST_EVENTS_BY) else None
            rule = f"{figure}, {at_risk} at risk and {events} events at least"
            results += [coverage_of(kept[kept["n"] == n], f"{rule}, n = {n}", goal) for n in SIZES]
    for column, other, enough in (("at_risk", "events", FEWEST_EVENTS_BY), ("events", "at_risk", FEWEST_AT_RISK)):
        kept = table[table[other] >= enough]
        for (figure, interval, part), own in kept.groupby(
            ["figure", "interval", pd.cut(kept[column], BINS)], observed=True, sort=False
        ):
            name = f"{figure}, {interval}, {column} {part.left + 1:g} to {part.right:g}, {other} {enough} at least"
            results.append(coverage_of(own, name))
    return results


if __name__ == "__main__":
    main("thin_data", thin_data)
