"""Copy-number calls when the log2 ratios are compressed, shifted and made noisy, scales estimated anew, no labels.

What another hospital's array does to the same tumours: all ratios of the 397 profiles are multiplied, shifted and given
noise per segment, and everything is estimated and called again as at an import.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from _document import ROOT, data_folder, main
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.log2_scale import estimate_platform_scales
from nbrelapse.cohort.readers.tables import read_tables
from segmental_calls import MYCN, PUBLISHED, accuracies, calls

FACTORS = (1.0, 0.8, 0.6, 0.4)
SHIFTS = (-0.05, 0.0, 0.05)
NOISE = 0.02
SEED = 0


def shifted(cohort: Cohort, factor: float, shift: float, noise: float) -> Cohort:
    assert cohort.segments is not None
    ratio = cohort.segments["log2_ratio"].to_numpy()
    ratio = factor * ratio + shift + noise * np.random.default_rng(SEED).standard_normal(len(ratio))
    segments = cohort.segments.assign(log2_ratio=ratio)
    platforms = estimate_platform_scales(segments, cohort.assays)
    return replace(cohort, segments=segments, metadata={**cohort.metadata, "platforms": platforms})


def platform_shift() -> list[dict[str, Any]]:
    folder = data_folder("high_risk_copy_number")
    cohort = read_tables(ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml", source=folder)
    published = pd.read_csv(folder / "samples.txt", sep="\t", dtype={"Name": "str"}).set_index("Name")
    results: list[dict[str, Any]] = []
    for factor, shift in product(FACTORS, SHIFTS):
        called = calls(shifted(cohort, factor, shift, NOISE)).loc[published.index]
        arms = float(accuracies(called, published, PUBLISHED).mean())
        mycn = float(accuracies(called, published, MYCN)[0])
        setting = f"ratios x {factor:g}, shift {shift:+g}, noise {NOISE:g}"
        for name, value, goal in (
            ("mean of the seven arms", arms, 0.93 if factor >= 0.6 else 0.90),
            ("MYCN amplification", mycn, 0.95),
        ):
            results.append({"name": f"{name}, {setting}", "value": value, "goal": goal, "met": bool(value >= goal)})
    return results


if __name__ == "__main__":
    main("platform_shift", platform_shift)
