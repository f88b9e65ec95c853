"""Segments in copies relative to each sample's platform: the form in which every copy-number feature reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.log2_scale import estimate_platform_scales
from nbrelapse.cohort.merge_segments import merge_segments
from nbrelapse.mechanisms.genome import AUTOSOMES, normalise_chromosome

ALTERED = 0.5
"""Midway between no change and the platform's single-copy level."""
NOISE_WIDTHS = 2.0
"""A change must also exceed this many standard deviations of neutral segments."""
AMPLIFIED = float(np.log2(5 / 2) / np.log2(3 / 2))
"""Five copies where a single-copy gain is three, in units of the single-copy gain: 2.26."""
DEEP = 2.0
"""Deep deletion, in units of the single-copy loss: losing both copies is 2.2 at 30 % tumour cells, and more above."""
FOCAL = 10_000_000
"""A longer stretch at an amplified level is a gain, not an amplicon."""
NUMERICAL = 0.9
"""Part of the covered chromosome that a numerical change has to reach."""

SEGMENT_COLUMNS = ["sample_id", "chromosome", "start", "end", "log2_ratio"]


def copy_number_profile(cohort: Cohort) -> pd.DataFrame:
    """Express the segments of every patient's diagnosis sample in units of a single-copy change.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    DataFrame
        A row a segment of an autosome, sorted by sample, chromosome and start: ``patient_id``, ``chromosome``,
        ``start``, ``end``, ``build``, ``copies`` (0 = neutral, 1 = the platform's single-copy gain, -1 = its
        single-copy loss), ``threshold_gain`` and ``threshold_loss`` (positive, same unit), ``base`` (the level of the
        numerical change of the whole chromosome, 0 where there is none), ``amplified``.

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "1", "start": [1, 50_000_001],
    ...     "end": [50_000_000, 249_000_000], "log2_ratio": [-0.4, 0.0]})
    >>> cohort = Cohort("one", pd.DataFrame({"patient_id": ["p"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "patient_id": ["p"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "assay": ["copy_number"], "genome_build": ["hg19"], "platform": ["P"]}),
    ...     segments=segments,
    ...     metadata={"platforms": {"P": {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.02}}})
    >>> copy_number_profile(cohort)[["chromosome", "end", "copies"]].to_numpy().tolist()
    [['1', 50000000, -1.0], ['1', 249000000, 0.0]]
    """
    chosen = cohort.assayed_samples("copy_number")
    segments = pd.DataFrame(columns=SEGMENT_COLUMNS) if cohort.segments is None else cohort.segments
    segments = segments.assign(chromosome=normalise_chromosome(segments["chromosome"]))
    wanted = segments["sample_id"].isin(chosen) & segments["chromosome"].isin(AUTOSOMES)
    table = merge_segments(segments[wanted])
    assays = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    scale = platform_scales(cohort).reindex(table["sample_id"])
    gain, loss, noise = (scale[name].abs().to_numpy() for name in ("gain", "loss", "noise"))
    copies = in_copies(table["log2_ratio"].to_numpy(dtype=np.float64), scale)
    patients = pd.Series(chosen.index, index=chosen.to_numpy(), dtype="object")
    profile = pd.DataFrame(
        {
            "patient_id": table["sample_id"].map(patients),
            "chromosome": table["chromosome"],
            "start": table["start"],
            "end": table["end"],
            "build": table["sample_id"].map(assays["genome_build"]),
            "copies": copies,
            "threshold_gain": np.maximum(ALTERED, NOISE_WIDTHS * noise / gain),
            "threshold_loss": np.maximum(ALTERED, NOISE_WIDTHS * noise / loss),
            "amplified": (copies >= AMPLIFIED) & ((table["end"] - table["start"]) <= FOCAL),
        }
    )
    return profile.assign(base=_numerical_base(profile))


def platform_scales(cohort: Cohort) -> pd.DataFrame:
    """Return the log2 scale that each copy-number sample is read with.

    Parameters
    ----------
    cohort : Cohort
        ``metadata["platforms"]`` comes first; a platform that is not there is estimated from the segments.

    Returns
    -------
    DataFrame of float64
        Indexed by ``sample_id``: ``centre``, ``loss``, ``gain``, ``noise``, as
        :func:`nbrelapse.cohort.log2_scale.estimate_platform_scales` describes them.
    """
    assays = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    platform = assays["platform"].fillna("unknown") if "platform" in assays else pd.Series("unknown", assays.index)
    scales: Mapping[str, Any] = cohort.metadata.get("platforms", {})
    if not set(platform) <= set(scales):
        segments = pd.DataFrame(columns=SEGMENT_COLUMNS) if cohort.segments is None else cohort.segments
        segments = segments.assign(chromosome=normalise_chromosome(segments["chromosome"]))
        named = platform.rename("platform").reset_index().assign(assay="copy_number")
        scales = {**estimate_platform_scales(segments, named), **scales}
    table = pd.DataFrame.from_dict(dict(scales), orient="index").reindex(columns=["centre", "loss", "gain", "noise"])
    return table.astype(np.float64).reindex(platform).set_axis(platform.index)


def in_copies(log2_ratio: np.ndarray, scale: pd.DataFrame) -> np.ndarray:
    """Divide log2 ratios by the single-copy level of their direction.

    Parameters
    ----------
    log2_ratio : ndarray, shape (n,)
    scale : DataFrame, shape (n, 4)
        Rows of :func:`platform_scales`.

    Returns
    -------
    ndarray, shape (n,)
    """
    level = log2_ratio - scale["centre"].to_numpy()
    return np.where(level > 0, level / scale["gain"].to_numpy(), level / -scale["loss"].to_numpy())


def _numerical_base(profile: pd.DataFrame) -> np.ndarray:
    """Level that the share NUMERICAL of a chromosome reaches or exceeds where it is altered, else 0; by segment."""
    keys = ["patient_id", "chromosome"]
    table = profile.assign(length=profile["end"] - profile["start"]).sort_values([*keys, "copies"])
    grouping = [table[key] for key in keys]
    lengths = table.groupby(keys, sort=False)["length"]
    until, total = lengths.cumsum(), lengths.transform("sum")
    low = table["copies"].where(until > (1 - NUMERICAL) * total).groupby(grouping).transform("min")
    high = table["copies"].where(until - table["length"] < NUMERICAL * total).groupby(grouping).transform("max")
    gained = low.where(low > table["threshold_gain"], 0.0)
    lost = high.where(high < -table["threshold_loss"], 0.0)
    return (gained + lost).reindex(profile.index).to_numpy()
