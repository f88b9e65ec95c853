"""Measures of genes and amplicons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.gene_symbols import canonical_symbols
from nbrelapse.cohort.log2_scale import sample_centres
from nbrelapse.cohort.merge_segments import CHROMOSOME_NUMBERS, MergedSegments, X
from nbrelapse.mechanisms.builders.copy_number_tables import CopyNumberTables, illegal
from nbrelapse.mechanisms.copy_number_profile import ALTERED, AMPLIFIED, DEEP, FOCAL, CopyNumberProfile
from nbrelapse.mechanisms.genome import BUILDS, GENE_SPANS, band_span
from nbrelapse.mechanisms.sample_scales import in_copies, platform_scales

DISCRETE = {-2.0: -DEEP, -1.0: -1.0, 0.0: 0.0, 1.0: 1.0, 2.0: AMPLIFIED}
"""GISTIC's discrete calls, in copies."""
CHANGES = ("amplification", "gain", "loss", "deep_deletion")
STRONGER = {"gain": "amplification", "loss": "deep_deletion"}
EXTENTS = ("focal", "broad")
ROUNDING = 1e-9

Parameters = Mapping[str, Any]


def gene_copies(cohort: Cohort) -> pd.DataFrame:
    """Read the gene copy numbers of each patient's diagnosis sample in copies.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    DataFrame of float64
        Canonical gene symbols by ``patient_id``: discrete calls as they stand, log2 ratios on the platform's scale.
    """
    matrix = cohort.gene_copy_number
    if matrix is None:
        return pd.DataFrame()
    chosen = cohort.assayed_samples("copy_number")
    chosen = chosen[chosen.isin(matrix.columns)]
    values = matrix[chosen.to_list()].astype(np.float64).set_axis(chosen.index, axis=1)
    # A row with the current symbol comes before one with a former symbol of the same gene.
    current = matrix.index == canonical_symbols(matrix.index)
    values = pd.concat([values[current], values[~current]])
    values.index = canonical_symbols(values.index)
    values = values[values.index.isin(GENE_SPANS["hg19"]) & ~values.index.duplicated()]
    if _is_discrete(cohort):
        return values.replace(DISCRETE)
    scale = platform_scales(cohort).reindex(chosen)
    sample = np.repeat(np.arange(len(chosen)), len(values))
    copies = in_copies(values.to_numpy().T.ravel(), scale, sample)
    return pd.DataFrame(copies.reshape(len(chosen), -1).T, values.index, values.columns)


def _is_discrete(cohort: Cohort) -> bool:
    """Whether the study says that the values are discrete, or all of them are."""
    assert cohort.gene_copy_number is not None
    unit = cohort.metadata.get("gene_copy_number", {}).get("unit")
    if unit is not None:
        return bool(unit == "gistic")
    values = cohort.gene_copy_number.to_numpy(dtype=np.float64)
    return bool(np.isin(values[~np.isnan(values)], list(DISCRETE)).all())


def gene(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where the gene is hit by the change."""
    name, change, extent = parameters["gene"], parameters["change"], parameters.get("extent")
    if change not in CHANGES:
        raise illegal(parameters, "change", CHANGES)
    if extent not in (None, *EXTENTS):
        raise illegal(parameters, "extent", EXTENTS)
    # The smoothed profile tells gains and losses from noise; an amplicon or a lost gene may be small.
    hit = _level_hit(tables.profile, name, STRONGER.get(str(change), str(change)), extent)
    if change in STRONGER:
        hit = np.where(hit == 1, 1.0, _smoothed_hit(tables.profile, name, change, extent))
    if name in tables.gene_copies.index and extent is None:
        copies = tables.gene_copies.loc[name].reindex(tables.profile.patient_ids).to_numpy()
        from_gene = np.where(np.isnan(copies), np.nan, _beyond(copies, change))
        hit = np.where(np.isnan(hit) & ~_covered(tables.profile, name), from_gene, hit)
    return hit


def _smoothed_hit(profile: CopyNumberProfile, name: str, change: str, extent: str | None) -> np.ndarray:
    here = _overlaps_gene(profile, profile.segments, name)
    altered = (profile.gained if change == "gain" else profile.lost) & here & _of_extent(profile.segments, extent)
    looked_at = _known(profile) & _covered(profile, name)
    return np.where(looked_at, _any(profile, profile.segments.sample[altered], looked_at), np.nan)


def _level_hit(profile: CopyNumberProfile, name: str, change: str, extent: str | None) -> np.ndarray:
    raw = profile.raw
    here = np.flatnonzero(_overlaps_gene(profile, raw, name) & _of_extent(raw, extent))
    copies = in_copies(raw.log2_ratio[here], profile.scales, raw.sample[here])
    looked_at = _known(profile) & _covered(profile, name)
    found = _any(profile, raw.sample[here[_beyond(copies, change)]], looked_at)
    # A flat profile says nothing of what is missing, and an amplicon is seen on any scale.
    return found if change == "amplification" else np.where(looked_at, found, np.nan)


def _beyond(copies: np.ndarray, change: str) -> np.ndarray:
    return {
        "amplification": copies >= AMPLIFIED,
        "gain": copies > ALTERED,
        "loss": copies < -ALTERED,
        "deep_deletion": copies <= -DEEP,
    }[change]


def _of_extent(segments: MergedSegments, extent: str | None) -> np.ndarray:
    if extent is None:
        return np.ones(len(segments.sample), dtype=bool)
    focal = segments.end - segments.start <= FOCAL
    return focal if extent == "focal" else ~focal


def _any(profile: CopyNumberProfile, samples: np.ndarray, looked_at: np.ndarray) -> np.ndarray:
    """1 for the samples, else 0 where it was looked at, else missing."""
    hit = np.where(looked_at, 0.0, np.nan)
    hit[samples] = 1.0
    return hit


def _known(profile: CopyNumberProfile) -> np.ndarray:
    return profile.scales["known"].to_numpy(dtype=bool)


def _covered(profile: CopyNumberProfile, name: str) -> np.ndarray:
    """Whether a segment of each patient covers the gene."""
    covered = np.zeros(len(profile.patient_ids), dtype=bool)
    covered[profile.raw.sample[_overlaps_gene(profile, profile.raw, name)]] = True
    return covered


def _overlaps_gene(profile: CopyNumberProfile, segments: MergedSegments, name: str) -> np.ndarray:
    missing = [build for build in BUILDS if name not in GENE_SPANS[build]]
    if missing:
        raise illegal({"gene": name}, "gene", sorted(set.intersection(*(set(GENE_SPANS[build]) for build in BUILDS))))
    return _overlaps(profile, segments, {build: GENE_SPANS[build][name] for build in BUILDS})


def _overlaps(
    profile: CopyNumberProfile, segments: MergedSegments, spans: Mapping[str, tuple[str, int, int]]
) -> np.ndarray:
    """Whether a segment overlaps a place, in the build of its sample."""
    rows = np.flatnonzero(segments.chromosome == CHROMOSOME_NUMBERS[spans[BUILDS[0]][0]])
    build = profile.build[segments.sample[rows]]
    first, last = (np.array([spans[name][place] for name in BUILDS]) for place in (1, 2))
    found = np.zeros(len(segments.sample), dtype=bool)
    found[rows] = (segments.start[rows] <= last[build]) & (segments.end[rows] >= first[build])
    return found


def other_amplification(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where there is an amplicon that does not overlap a cytogenetic band."""
    profile = tables.profile
    inside = _overlaps(
        profile, profile.segments, {build: band_span(build, parameters["outside_band"]) for build in BUILDS}
    )
    found = profile.amplified & profile.autosomal & ~inside
    return _any(profile, profile.segments.sample[found], tables.known)


def deletion_on_x(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where a gene is deleted relative to the rest of X: in males its only copy, in females at least one."""
    profile, name = tables.profile, parameters["gene"]
    if GENE_SPANS[BUILDS[0]].get(name, ("",))[0] != "X":
        raise illegal(parameters, "gene", [key for key, span in GENE_SPANS[BUILDS[0]].items() if span[0] == "X"])
    raw = profile.raw.where(profile.raw.chromosome == X)
    here = _overlaps_gene(profile, raw, name)
    level = _level_of_x(raw, len(profile.patient_ids))
    copies = in_copies(raw.log2_ratio - level[raw.sample], profile.scales.assign(centre=0.0), raw.sample)
    lowest = np.full(len(profile.patient_ids), np.inf)
    np.minimum.at(lowest, raw.sample[here], copies[here])
    # Half way to the loss of one of two copies, and to that of the only copy.
    one, only = lowest <= -ALTERED, lowest <= -DEEP / 2 - ROUNDING
    female, male = (tables.female == sex for sex in (True, False))
    found = np.select([female, male, lowest <= -DEEP, ~one], [one, only, 1.0, 0.0], np.nan)
    return np.where(tables.known & np.isfinite(lowest), found, np.nan)


def _level_of_x(segments: MergedSegments, n_samples: int) -> np.ndarray:
    """Median log2 ratio of X by length, shape (n_samples,)."""
    level = np.zeros(n_samples)
    if len(segments.sample):
        level[np.unique(segments.sample)] = sample_centres(segments)
    return level
