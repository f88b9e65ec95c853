"""The log2 scale of each sample: its own, as far as its profile shows it, drawn toward its platform's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.log2_scale import MIN_LENGTH, estimate_platform_scales
from nbrelapse.cohort.merge_segments import MergedSegments, X

SCALE = ["centre", "loss", "gain", "noise", "purity"]
SEGMENT_COLUMNS = ["sample_id", "chromosome", "start", "end", "log2_ratio"]
PLATFORM_WEIGHT = 8
"""The platform's level weighs as much as this many steps of the sample's own."""
CENTRE_WEIGHT = 0.5
"""Share of the way from the platform's centre to the sample's own neutral level."""
NEUTRAL = 0.6
"""The neutral level is looked for within this fraction of a single copy around the platform's centre."""
ENOUGH_NEUTRAL = 0.3
"""A smaller neutral share of the genome counts in proportion: it may be another ploidy's level."""
SMALLEST_STEP, LARGEST_STEP = 0.2, 3.0
"""Steps outside are noise or amplicons, in units of the platform's single copy."""
FACTOR_LIMITS = SMALLEST_STEP, LARGEST_STEP
ROUNDS = 30
"""More than the fixed point of any sample takes: it moves monotonely over a few dozen steps."""
PARTS = 1_000_000
"""Log2 ratios are compared in millionths."""


def platform_scales(cohort: Cohort) -> pd.DataFrame:
    """Return the log2 scale of the platform that each copy-number sample was looked at with.

    Parameters
    ----------
    cohort : Cohort
        ``metadata["platforms"]`` comes first; a platform that is not there is estimated from the segments.

    Returns
    -------
    DataFrame of float64
        Indexed by ``sample_id``: ``centre``, ``loss``, ``gain``, ``noise``, ``purity``, as
        :func:`nbrelapse.cohort.log2_scale.estimate_platform_scales` describes them.
    """
    assays = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    platform = assays["platform"].fillna("unknown") if "platform" in assays else pd.Series("unknown", assays.index)
    scales: Mapping[str, Any] = cohort.metadata.get("platforms", {})
    if not set(platform.unique()) <= set(scales):
        segments = pd.DataFrame(columns=SEGMENT_COLUMNS) if cohort.segments is None else cohort.segments
        named = platform.rename("platform").reset_index().assign(assay="copy_number")
        scales = {**estimate_platform_scales(segments, named, cohort.samples), **scales}
    table = pd.DataFrame.from_dict(dict(scales), orient="index").reindex(columns=SCALE)
    return table.astype(np.float64).reindex(platform).set_axis(platform.index)


def sample_scales(segments: MergedSegments, platform: pd.DataFrame, purity: np.ndarray) -> pd.DataFrame:
    """Estimate the scale of each sample and draw it toward its platform's.

    Tumours of one platform differ in their share of tumour cells, which moves both levels by one factor. The factor
    is the median of the sample's steps (and of the levels of chromosomes in one piece), in units of the platform's
    single copy, that exceed half this median: the fixed point by which the platform itself was measured. With n such
    steps the factor is shrunk by n / (n + 8) on the log scale. The centre moves half the way toward the sample's own
    neutral level. No sample influences another.

    Parameters
    ----------
    segments : MergedSegments
        Smoothed; ``segments.sample`` is a row of `platform`.
    platform : DataFrame, shape (n_samples, 5)
        Rows of :func:`platform_scales`.
    purity : ndarray, shape (n_samples,)
        Share of tumour cells, NaN where it is not known. A known purity takes the place of the platform's level as
        what the sample is drawn toward: a single-copy loss (gain) is expected at log2(1 - p/2) (log2(1 + p/2)), times
        the platform's ratio of its level to the one that its ``purity`` implies.

    Returns
    -------
    DataFrame of float64, shape (n_samples, 5)
        As `platform`, with the sample's ``centre``, ``loss`` and ``gain``; the index of `platform`.
    """
    expected = _scaled(platform, _purity_factor(platform, purity))
    large = segments.where((segments.chromosome != X) & (segments.end - segments.start >= MIN_LENGTH))
    expected = expected.assign(centre=expected["centre"] + CENTRE_WEIGHT * _neutral_shift(large, expected))
    factor, steps = _single_copy_factor(large, expected)
    found = _scaled(expected, factor ** (steps / (steps + PLATFORM_WEIGHT)))
    return found.assign(centre=found["centre"] + CENTRE_WEIGHT * _neutral_shift(large, found))


def in_copies(log2_ratio: np.ndarray, scales: pd.DataFrame, sample: np.ndarray) -> np.ndarray:
    """Divide log2 ratios by the single-copy level of their direction.

    Parameters
    ----------
    log2_ratio : ndarray, shape (n,)
    scales : DataFrame
        ``centre``, ``loss``, ``gain``; a row a sample.
    sample : ndarray of int, shape (n,)
        Row of `scales`.

    Returns
    -------
    ndarray, shape (n,)
    """
    level = log2_ratio - scales["centre"].to_numpy()[sample]
    gain, loss = scales["gain"].to_numpy()[sample], scales["loss"].to_numpy()[sample]
    return np.where(level > 0, level / gain, level / -loss)


def _scaled(scales: pd.DataFrame, factor: np.ndarray) -> pd.DataFrame:
    return scales.assign(loss=scales["loss"] * factor, gain=scales["gain"] * factor)


def _purity_factor(platform: pd.DataFrame, purity: np.ndarray) -> np.ndarray:
    """Level that the purity implies, relative to the platform's purity's; 1 where one of them is not known."""
    usable = np.where(purity > 0, np.minimum(purity, 1.0), np.nan)
    typical = platform["purity"].to_numpy()
    return np.nan_to_num(np.log2(1 - usable / 2) / np.log2(1 - typical / 2), nan=1.0)


def _neutral_shift(segments: MergedSegments, scales: pd.DataFrame) -> np.ndarray:
    """Median level of the neutral segments by length, relative to the centre; drawn to 0 where they are few."""
    copies = in_copies(segments.log2_ratio, scales, segments.sample)
    neutral = segments.where(np.abs(copies) < NEUTRAL)
    # One integer sorts faster than two keys; a millionth is far below any noise.
    ratio = np.rint(neutral.log2_ratio * PARTS).astype(np.int64)
    order = np.argsort(neutral.sample.astype(np.int64) << 32 | ratio + (1 << 31), kind="stable")
    sample, length = neutral.sample[order], (neutral.end - neutral.start)[order]
    shift = np.zeros(len(scales))
    if not len(sample):
        return shift
    first = np.flatnonzero(np.diff(sample, prepend=-1))
    total, ends, found = np.add.reduceat(length, first), np.cumsum(length), sample[first]
    half = ends[first] - length[first] - (-total // 2)
    level = ratio[order][np.searchsorted(ends, half)] / PARTS - scales["centre"].to_numpy()[found]
    covered = np.bincount(segments.sample, weights=segments.end - segments.start, minlength=len(scales))
    shift[found] = level * np.minimum(1.0, total / covered[found] / ENOUGH_NEUTRAL)
    return shift


def _single_copy_factor(segments: MergedSegments, scales: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Single-copy level of each sample in units of its scale, and how many steps show it."""
    copies = in_copies(segments.log2_ratio, scales, segments.sample)
    follows = segments.follows
    whole = ~follows & ~np.append(follows[1:], False)
    steps = np.concatenate([np.abs(np.diff(copies))[follows[1:]], np.abs(copies[whole])])
    sample = np.concatenate([segments.sample[follows], segments.sample[whole]])
    usable = (steps > SMALLEST_STEP) & (steps < LARGEST_STEP)
    order = np.lexsort((steps[usable], sample[usable]))
    return _fixed_points(steps[usable][order], sample[usable][order], len(scales))


def _fixed_points(steps: np.ndarray, sample: np.ndarray, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Median of each sample's steps that exceed half of it, and how many do; 1 and 0 where there are no steps."""
    count = np.bincount(sample, minlength=n_samples)
    stop = np.cumsum(count)
    some = np.flatnonzero(count)
    level = np.ones(n_samples)
    # From the upper quartile down, as for the platform.
    level[some] = steps[stop[some] - count[some] + 3 * (count[some] - 1) // 4]
    above = count
    for _ in range(ROUNDS):
        above = np.bincount(sample[steps > level[sample] / 2], minlength=n_samples)
        top, last = above[some], stop[some]
        found = (steps[last - top + (top - 1) // 2] + steps[last - top + top // 2]) / 2
        if np.array_equal(found, level[some]):
            break
        level[some] = found
    return np.clip(level, *FACTOR_LIMITS), above
