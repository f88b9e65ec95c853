"""Copy-number calls when the log2 ratios are compressed, shifted and made noisy, scales estimated anew, no labels.

What another hospital's array does to the same tumours: all ratios of the 397 profiles are multiplied, shifted and given
noise per segment, and everything is estimated and called again as at an import. Then what the next file may do besides:
another share of tumour cells or another centre in each sample, segments cut finely and noisy, and each sample alone,
without any other of its platform.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from _document import ROOT, data_folder, main
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.log2_scale import estimate_platform_scales
from nbrelapse.readers.tables import import_tables
from segmental_calls import MYCN, PUBLISHED, accuracies, calls

FACTORS = (1.0, 0.8, 0.6, 0.4)
SHIFTS = (-0.05, 0.0, 0.05)
NOISE = 0.02
PIECE = 8_000_000
SEED = 0


def rescaled(cohort: Cohort, segments: pd.DataFrame) -> Cohort:
    """Return the cohort with other segments and the scales that an import would find in them."""
    platforms = estimate_platform_scales(segments, cohort.assays)
    return replace(cohort, segments=segments, metadata={**cohort.metadata, "platforms": platforms})


def shifted(cohort: Cohort, factor: float, shift: float, noise: float) -> Cohort:
    assert cohort.segments is not None
    ratio = cohort.segments["log2_ratio"].to_numpy()
    ratio = factor * ratio + shift + noise * np.random.default_rng(SEED).standard_normal(len(ratio))
    return rescaled(cohort, cohort.segments.assign(log2_ratio=ratio))


def by_sample(cohort: Cohort, factors: tuple[float, float], shift: float) -> Cohort:
    """Give each sample a factor of its own, and a normally distributed shift."""
    assert cohort.segments is not None
    random = np.random.default_rng(SEED)
    sample, names = pd.factorize(cohort.segments["sample_id"])
    factor, moved = random.uniform(*factors, len(names)), random.normal(0, shift, len(names))
    ratio = cohort.segments["log2_ratio"] * factor[sample] + moved[sample]
    return rescaled(cohort, cohort.segments.assign(log2_ratio=ratio))


def finely_cut(cohort: Cohort, factor: float, noise: float) -> Cohort:
    """Cut each segment into pieces of about 8 Mb, each with noise of its own."""
    segments = cohort.segments
    assert segments is not None
    pieces = np.maximum(1, ((segments["end"] - segments["start"]) / PIECE).astype(int)).to_numpy()
    table = segments.loc[segments.index.repeat(pieces)].reset_index(drop=True)
    place = np.concatenate([np.arange(count) for count in pieces])
    length = (table["end"] - table["start"]) / np.repeat(pieces, pieces)
    ratio = factor * table["log2_ratio"] + noise * np.random.default_rng(SEED).standard_normal(len(table))
    start, end = table["start"] + (place * length).round(), table["start"] + ((place + 1) * length).round()
    return rescaled(cohort, table.assign(start=start + (place > 0), end=end, log2_ratio=ratio))


def alone(cohort: Cohort, factor: float) -> Cohort:
    """Give each sample a platform of its own."""
    return shifted(replace(cohort, assays=cohort.assays.assign(platform=cohort.assays["sample_id"])), factor, 0.0, 0.0)


def settings(cohort: Cohort) -> Iterator[tuple[str, Cohort, float | None]]:
    """Yield what is changed, the changed cohort and the goal of the arms' mean; the last have none."""
    for factor, shift in product(FACTORS, SHIFTS):
        goal = 0.93 if factor >= 0.6 else 0.90
        yield f"ratios x {factor:g}, shift {shift:+g}, noise {NOISE:g}", shifted(cohort, factor, shift, NOISE), goal
    yield "a factor of 0.35 to 1.2 in each sample", by_sample(cohort, (0.35, 1.2), 0.0), None
    yield "a shift of 0.04 (s.d.) in each sample", by_sample(cohort, (1.0, 1.0), 0.04), None
    yield f"ratios x 0.6, pieces of 8 Mb, noise {NOISE:g}", finely_cut(cohort, 0.6, NOISE), None
    yield "ratios x 0.6, pieces of 8 Mb, noise 0.035", finely_cut(cohort, 0.6, 0.035), None
    for factor in (1.0, 0.6, 0.4):
        yield f"each sample alone, ratios x {factor:g}", alone(cohort, factor), None


def platform_shift() -> list[dict[str, Any]]:
    folder = data_folder("high_risk_copy_number")
    cohort = import_tables(ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml", source=folder)
    published = pd.read_csv(folder / "samples.txt", sep="\t", dtype={"Name": "str"}).set_index("Name")
    results: list[dict[str, Any]] = []
    for setting, changed, goal in settings(cohort):
        called = calls(changed).loc[published.index]
        arms = float(accuracies(called, published, PUBLISHED).mean())
        mycn = float(accuracies(called, published, MYCN)[0])
        for what, value, aim in (("mean of the seven arms", arms, goal), ("MYCN amplification", mycn, goal and 0.95)):
            met = None if aim is None else bool(value >= aim)
            results.append({"name": f"{what}, {setting}", "value": value, "goal": aim, "met": met})
    return results


if __name__ == "__main__":
    main("platform_shift", platform_shift)
