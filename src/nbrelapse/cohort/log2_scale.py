"""How far a single copy moves the log2 ratio on each platform, estimated without labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort.columns import _decoded, is_among
from nbrelapse.cohort.segments import (
    MergedSegments,
    X,
    _weighted_median,
    merge_segments,
    smooth_segments,
    weighted_median_rows,
)

MIN_LENGTH = 5_000_000
"""Shorter segments are left out: amplicons, deletions and noise do not show the level of one copy."""
_ENOUGH_STEPS = 3
"""With fewer steps a level is drawn, in proportion, toward the one that the other direction or the default implies."""
_DEFAULT_PURITY = 0.6
"""Effective share of tumour cells behind the default levels: the levels that this file finds on the three array
platforms of 10.1038/sdata.2018.240 correspond to 0.5 to 0.8."""
_MIN_PURITY = 0.1
"""Steps smaller than a single copy makes at this share of tumour cells are noise: a flat profile has no level. So a
lower purity is none that a profile could bear out."""
_NEUTRAL = 0.5
"""A segment within this fraction of a single-copy level is neutral."""
_MAX_SAMPLES = 2_000
"""Of a larger platform as many samples are looked at, evenly spread over the sorted identifiers."""
_ROUNDS = 5
"""Rounds of smoothing and estimation: the first smooths as for the smallest single-copy level, the next as for the
level found, until it stays."""


def estimate_platform_scales(
    segments: pd.DataFrame, assays: pd.DataFrame, samples: pd.DataFrame | None = None
) -> dict[str, dict[str, float | str]]:
    """Estimate the scale of the log2 ratios of each platform from the steps between neighbouring segments.

    Contamination by normal cells and the compression of arrays shrink all ratios, so a fixed threshold fits one
    platform only. Where a chromosome is broken once, the step from the neutral side to the altered side is the level
    of a single copy, however the sample was centred. Per platform, the level of loss (gain) is the median of the
    downward (upward) steps that are larger than half this median: a fixed point, found by iteration from the upper
    quartile, and equivariant to any rescaling of the ratios. Steps that are noise are smoothed away first.

    Parameters
    ----------
    segments : DataFrame
        ``sample_id``, ``chromosome``, ``start``, ``end``, ``log2_ratio``; only autosomes count.
    assays : DataFrame
        ``sample_id``, ``assay``, and ``platform`` of the ``copy_number`` rows; a missing platform is ``"unknown"``.

    samples : DataFrame, optional
        ``sample_id``, ``purity``.

    Returns
    -------
    dict of str to dict
        By platform, in log2 units: ``centre`` (median over samples of the length-weighted median), ``loss``
        (negative) and ``gain`` relative to the centre, ``noise`` (robust standard deviation of neutral segments),
        ``source``: ``"estimated"``; ``"shrunk"`` where fewer than 3 steps of a direction were seen, and its level
        was drawn toward the one that the other direction or 60 % tumour cells imply; ``"default"`` where there was no
        step at all. ``purity``, where some are known and plausible: their median, which the levels stand for.

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": [f"s{i // 2}" for i in range(80)], "chromosome": "11",
    ...     "start": [1, 70_000_001] * 40, "end": [70_000_000, 134_000_000] * 40,
    ...     "log2_ratio": [0.01, -0.4] * 20 + [0.01, 0.3] * 20})
    >>> assays = pd.DataFrame({"sample_id": segments["sample_id"].unique(), "assay": "copy_number", "platform": "P"})
    >>> {name: round(value, 2) for name, value in estimate_platform_scales(segments, assays)["P"].items()
    ...     if name != "source"}
    {'centre': 0.01, 'loss': -0.41, 'gain': 0.29, 'noise': 0.0}
    """
    profiled = assays[assays["assay"] == "copy_number"].set_index("sample_id")["platform"].fillna("unknown")
    names = sorted({*profiled.unique()})
    looked_at = {name: _spread(profiled.index[profiled == name]) for name in names}
    scales = {str(name): _platform_scale(_merged(segments, ids)) for name, ids in looked_at.items()}
    if samples is not None and "purity" in samples:
        platform = samples["sample_id"].map(profiled)
        usable = samples["purity"].where(plausible_purity(samples["purity"]))
        for name, purity in usable.groupby(platform).median().dropna().items():
            scales[str(name)]["purity"] = round(float(purity), 6)
    return scales


def plausible_purity(purity: pd.Series | np.ndarray) -> np.ndarray:
    """Which recorded shares of tumour cells can be true of a tumour whose profile shows anything.

    Parameters
    ----------
    purity : Series or ndarray of float64, shape (n_samples,)
        As a fraction; NaN where it is not known.

    Returns
    -------
    ndarray of bool, shape (n_samples,)
        From 0.1 to 1. Below, a single copy is no more than noise: 0 and a few percent are no purity.

    Examples
    --------
    >>> plausible_purity(np.array([0.0, 0.05, 0.1, 1.0, 80.0, np.nan])).tolist()
    [False, False, True, True, False, False]
    """
    values = np.asarray(purity, dtype=np.float64)
    return (values >= _MIN_PURITY) & (values <= 1)


def _merged(segments: pd.DataFrame, samples: pd.Index) -> MergedSegments:
    """Merge the segments of some samples; the others, which may be most, need not be sorted."""
    own = segments[is_among(segments["sample_id"], pd.Series(samples, dtype="str"))]
    return merge_segments(_decoded(own), samples)


def _spread(samples: pd.Index) -> pd.Index:
    """Return at most MAX_SAMPLES of the samples, in order."""
    ordered = samples.sort_values()
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), _MAX_SAMPLES)).round().astype(np.int64)
    return ordered[places]


def _platform_scale(table: MergedSegments) -> dict[str, float | str]:
    """Scale of one platform: smoothing needs the level of a copy, and the level is read from smoothed profiles."""
    table = table.where(table.chromosome != X)
    level, scale = -float(np.log2(1 - _MIN_PURITY / 2)), _scale(table.where(np.zeros(len(table.start), dtype=bool)))
    for _ in range(_ROUNDS):
        smooth = smooth_segments(table, np.full(len(table.sample_ids), level))
        scale = _scale(smooth.where(smooth.end - smooth.start >= MIN_LENGTH))
        found = min(abs(float(scale["loss"])), float(scale["gain"]))
        if found == level:
            break
        level = found
    return scale


def _scale(table: MergedSegments) -> dict[str, float | str]:
    """Scale of one platform."""
    length = (table.end - table.start).astype(np.float64)
    centre = float(np.median(sample_centres(table))) if len(length) else 0.0
    level = table.log2_ratio - centre
    steps = _steps(table, level)
    loss, seen_down = _single_copy_step(-steps[steps < np.log2(1 - _MIN_PURITY / 2)])
    gain, seen_up = _single_copy_step(steps[steps > np.log2(1 + _MIN_PURITY / 2)])
    trust_loss, trust_gain = min(1.0, seen_down / _ENOUGH_STEPS), min(1.0, seen_up / _ENOUGH_STEPS)
    # Tumour cells at share p have the levels log2(1 - p/2) and log2(1 + p/2), so one direction informs the other.
    purity_of_loss = trust_loss * 2 * (1 - 2**-loss) + (1 - trust_loss) * _DEFAULT_PURITY
    purity_of_gain = min(1.0, trust_gain * 2 * (2**gain - 1) + (1 - trust_gain) * _DEFAULT_PURITY)
    loss = trust_loss * loss - (1 - trust_loss) * np.log2(1 - purity_of_gain / 2)
    gain = trust_gain * gain + (1 - trust_gain) * np.log2(1 + purity_of_loss / 2)
    neutral = (level > -_NEUTRAL * loss) & (level < _NEUTRAL * gain)
    noise = 1.4826 * _weighted_median(np.abs(level[neutral]), length[neutral]) if neutral.any() else 0.0
    trust = (trust_loss, trust_gain)
    source = "estimated" if min(trust) == 1 else "shrunk" if max(trust) > 0 else "default"
    return {
        "centre": round(centre, 6),
        "loss": round(-float(loss), 6),
        "gain": round(float(gain), 6),
        "noise": round(float(noise), 6),
        "source": source,
    }


def sample_centres(table: MergedSegments) -> np.ndarray:
    """Length-weighted median of each sample that has segments."""
    order = np.lexsort((table.log2_ratio, table.sample))
    return table.log2_ratio[order][weighted_median_rows((table.end - table.start)[order], table.sample[order])]


def _steps(table: MergedSegments, level: np.ndarray) -> np.ndarray:
    """Signed steps between neighbours on a chromosome, from the side closer to the centre to the other."""
    pairs = np.column_stack([level[:-1], level[1:]])[table.follows[1:]]
    closer = np.abs(pairs).argmin(axis=1)
    rows = np.arange(len(pairs))
    return pairs[rows, 1 - closer] - pairs[rows, closer]


def _single_copy_step(steps: np.ndarray) -> tuple[float, int]:
    """Median of the steps that exceed half of it, and how many do; 0 and 0 where there are no steps."""
    if not len(steps):
        return 0.0, 0
    previous, level = 0.0, float(np.quantile(steps, 0.75))
    # The median never falls when the threshold rises, so the sequence is monotone and ends.
    while level != previous:
        previous, level = level, float(np.median(steps[steps > level / 2]))
    return level, int((steps > level / 2).sum())
