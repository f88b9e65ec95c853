"""Segmental calls and MYCN amplification from log2 ratios alone, against the published calls of 397 patients.

Depuydt 2018, Sci Data 5:180240. Balanced accuracy with bootstrap intervals; a profile whose scale cannot be told (not
assayed) counts as called negative. The published calls are fixed cuts of the log2 ratio, one pair a platform, so a
tumour with few tumour cells is negative there where it should be positive. The caller's main threshold, the fraction of
a single-copy level, is also chosen on two platforms and judged on the third, to see whether it is fitted to them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from _document import ROOT, data_folder, main
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.mechanisms.builders import copy_number
from nbrelapse.readers.tables import import_tables

PUBLISHED = {
    "instability__loss_1p": "chr1p",
    "instability__loss_3p": "chr3p",
    "instability__loss_4p": "chr4p",
    "instability__loss_11q": "chr11q",
    "instability__gain_1q": "chr1q",
    "instability__gain_2p": "chr2p",
    "instability__gain_17q": "chr17q",
}
FURTHER = {"instability__loss_14q": "chr14q", "instability__numerical_profile": "Numerical"}
MYCN = {"mycn__amplified_copy_number": "MYCN"}
FRACTIONS = (0.3, 0.4, 0.5, 0.6, 0.7)
BOOTSTRAP = 1000


def calls(cohort: Cohort) -> pd.DataFrame:
    catalogue = load_catalogue()
    return copy_number.build(cohort, [catalogue.features[name] for name in (*PUBLISHED, *FURTHER, *MYCN)])


def balanced_accuracy(called: np.ndarray, published: np.ndarray) -> float:
    if published.min() == published.max():
        return np.nan
    return (called[published == 1].mean() + 1 - called[published == 0].mean()) / 2


def accuracies(called: pd.DataFrame, published: pd.DataFrame, pairs: dict[str, str]) -> np.ndarray:
    negative = called.fillna(0.0)
    return np.array([balanced_accuracy(negative[a].to_numpy(), published[b].to_numpy()) for a, b in pairs.items()])


def with_fraction(cohort: Cohort, fraction: float) -> Cohort:
    """Rescale the single-copy levels: half of the new levels is another fraction of the estimated ones."""
    platforms = {
        name: {**scale, "loss": scale["loss"] * 2 * fraction, "gain": scale["gain"] * 2 * fraction, "noise": 0.0}
        for name, scale in cohort.metadata["platforms"].items()
    }
    return replace(cohort, metadata={**cohort.metadata, "platforms": platforms})


def judged(name: str, value: float, draws: np.ndarray, goal: float | None) -> dict[str, Any]:
    low, high = np.nanquantile(draws, [0.025, 0.975])
    met = None if goal is None else bool(value >= goal)
    return {"name": name, "value": value, "low": low, "high": high, "goal": goal, "met": met}


def left_out(cohort: Cohort, published: pd.DataFrame) -> list[dict[str, Any]]:
    by_fraction = {fraction: calls(with_fraction(cohort, fraction)) for fraction in FRACTIONS}
    results = []
    for platform in published["Platform"].unique():
        test = (published["Platform"] == platform).to_numpy()

        def mean(fraction: float, rows: np.ndarray) -> float:
            return float(accuracies(by_fraction[fraction][rows], published[rows], PUBLISHED).mean())

        chosen = max(FRACTIONS, key=lambda fraction, rows=~test: mean(fraction, rows))
        name = f"mean on {platform}, fraction {chosen} chosen on the other platforms"
        results.append({"name": name, "value": mean(chosen, test)})
    return results


def segmental_calls() -> list[dict[str, Any]]:
    folder: Path = data_folder("high_risk_copy_number")
    cohort = import_tables(ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml", source=folder)
    published = pd.read_csv(folder / "samples.txt", sep="\t", dtype={"Name": "str"}).set_index("Name")
    called = calls(cohort).loc[published.index]
    random = np.random.default_rng(0)
    pairs = {**PUBLISHED, **FURTHER, **MYCN}
    drawn = (random.integers(0, len(called), len(called)) for _ in range(BOOTSTRAP))
    draws = np.array([accuracies(called.iloc[rows], published.iloc[rows], pairs) for rows in drawn])
    values = accuracies(called, published, pairs)
    goals = {**dict.fromkeys(PUBLISHED, 0.92), **dict.fromkeys(FURTHER), **dict.fromkeys(MYCN, 0.95)}
    results = [judged(name, values[place], draws[:, place], goals[name]) for place, name in enumerate(pairs)]
    arms = len(PUBLISHED)
    results.append(judged("mean of the seven arms", values[:arms].mean(), draws[:, :arms].mean(axis=1), 0.95))
    unknown = float(called[next(iter(PUBLISHED))].isna().mean())
    results.append({"name": "share of profiles whose scale cannot be told", "value": unknown})
    return results + left_out(cohort, published)


if __name__ == "__main__":
    main("segmental_calls", segmental_calls)
