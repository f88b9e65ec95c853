"""How far a single copy moves the log2 ratio on each platform, estimated without labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort.merge_segments import merge_segments

AUTOSOMES = tuple(str(number) for number in range(1, 23))
MIN_LENGTH = 5_000_000
"""Shorter segments are left out: amplicons, deletions and noise do not show the level of one copy."""
ENOUGH_STEPS = 3
"""With fewer steps a level is drawn, in proportion, toward the one that the other direction or the default implies."""
DEFAULT_PURITY = 0.6
"""Effective share of tumour cells behind the default levels: the levels that this file finds on the three array
platforms of 10.1038/sdata.2018.240 correspond to 0.5 to 0.8."""
MIN_PURITY = 0.1
"""Steps smaller than a single copy makes at this share of tumour cells are noise: a flat profile has no level."""
NEUTRAL = 0.5
"""A segment within this fraction of a single-copy level is neutral."""


def estimate_platform_scales(segments: pd.DataFrame, assays: pd.DataFrame) -> dict[str, dict[str, float | str]]:
    """Estimate the scale of the log2 ratios of each platform from the steps between neighbouring segments.

    Contamination by normal cells and the compression of arrays shrink all ratios, so a fixed threshold fits one
    platform only. Where a chromosome is broken once, the step from the neutral side to the altered side is the level
    of a single copy, however the sample was centred. Per platform, the level of loss (gain) is the median of the
    downward (upward) steps that are larger than half this median: a fixed point, found by iteration from the upper
    quartile, and equivariant to any rescaling of the ratios.

    Parameters
    ----------
    segments : DataFrame
        ``sample_id``, ``chromosome``, ``start``, ``end``, ``log2_ratio``; autosomes without ``chr``.
    assays : DataFrame
        ``sample_id``, ``assay``, and ``platform`` of the ``copy_number`` rows; a missing platform is ``"unknown"``.

    Returns
    -------
    dict of str to dict
        By platform, in log2 units: ``centre`` (median over samples of the length-weighted median), ``loss``
        (negative) and ``gain`` relative to the centre, ``noise`` (robust standard deviation of neutral segments),
        ``source``: ``"estimated"``; ``"shrunk"`` where fewer than 3 steps of a direction were seen, and its level
        was drawn toward the one that the other direction or 60 % tumour cells imply; ``"default"`` where there was no
        step at all.

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
    table = merge_segments(segments[segments["chromosome"].isin(AUTOSOMES)])
    table = table[table["end"] - table["start"] >= MIN_LENGTH]
    table = table.assign(platform=table["sample_id"].map(profiled).fillna("unknown"))
    found = {str(name): _scale(part) for name, part in table.groupby("platform")}
    return {str(name): found.get(str(name), _scale(table.iloc[:0])) for name in sorted(profiled.unique())}


def _scale(table: pd.DataFrame) -> dict[str, float | str]:
    """Scale of one platform."""
    length = (table["end"] - table["start"]).to_numpy(dtype=np.float64)
    centre = _sample_centres(table, length).median() if len(table) else 0.0
    level = table["log2_ratio"].to_numpy() - centre
    steps = _steps(table, level)
    loss, seen_down = _single_copy_step(-steps[steps < np.log2(1 - MIN_PURITY / 2)])
    gain, seen_up = _single_copy_step(steps[steps > np.log2(1 + MIN_PURITY / 2)])
    trust_loss, trust_gain = min(1.0, seen_down / ENOUGH_STEPS), min(1.0, seen_up / ENOUGH_STEPS)
    # Tumour cells at share p have the levels log2(1 - p/2) and log2(1 + p/2), so one direction informs the other.
    purity_of_loss = trust_loss * 2 * (1 - 2**-loss) + (1 - trust_loss) * DEFAULT_PURITY
    purity_of_gain = min(1.0, trust_gain * 2 * (2**gain - 1) + (1 - trust_gain) * DEFAULT_PURITY)
    loss = trust_loss * loss - (1 - trust_loss) * np.log2(1 - purity_of_gain / 2)
    gain = trust_gain * gain + (1 - trust_gain) * np.log2(1 + purity_of_loss / 2)
    neutral = (level > -NEUTRAL * loss) & (level < NEUTRAL * gain)
    noise = 1.4826 * _weighted_median(np.abs(level[neutral]), length[neutral])
    trust = (trust_loss, trust_gain)
    source = "estimated" if min(trust) == 1 else "shrunk" if max(trust) > 0 else "default"
    return {
        "centre": round(float(centre), 6),
        "loss": round(-float(loss), 6),
        "gain": round(float(gain), 6),
        "noise": round(float(noise), 6),
        "source": source,
    }


def _sample_centres(table: pd.DataFrame, length: np.ndarray) -> pd.Series:
    """Length-weighted median of each sample."""
    order = table.assign(length=length).sort_values(["sample_id", "log2_ratio", "length"])
    grouped = order.groupby("sample_id")["length"]
    reached = grouped.cumsum() >= grouped.transform("sum") / 2
    return order[reached].groupby("sample_id")["log2_ratio"].first()


def _steps(table: pd.DataFrame, level: np.ndarray) -> np.ndarray:
    """Signed steps between neighbours on a chromosome, from the side closer to the centre to the other."""
    same = table["sample_id"].eq(table["sample_id"].shift()) & table["chromosome"].eq(table["chromosome"].shift())
    pairs = np.column_stack([level[:-1], level[1:]])[same.to_numpy()[1:]]
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


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted median; 0 where there are no values."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
