"""Measures of arms, chromosomes and the whole genome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.mechanisms.builders.copy_number_tables import CopyNumberTables, illegal
from nbrelapse.mechanisms.copy_number_profile import CopyNumberProfile
from nbrelapse.mechanisms.genome import AUTOSOMES, BUILDS, band_span, chromosome_arms

MIN_ALTERED = 3_000_000
"""Bases of an arm that have to be altered."""
TELOMERE_DISTANCE = 10_000_000
"""A distal loss reaches within this distance of the end of the chromosome."""
COVERED = 0.5
"""Part of an arm, a band or the genome that must be covered before it counts as looked at."""
ARMS = tuple(f"{chromosome}{side}" for chromosome in AUTOSOMES for side in "pq")

Parameters = Mapping[str, Any]


def arm_lengths(profile: CopyNumberProfile) -> dict[str, pd.DataFrame]:
    """Cut the smoothed segments at the centromeres and add up what is covered, gained and lost of each arm.

    Parameters
    ----------
    profile : CopyNumberProfile

    Returns
    -------
    dict of str to DataFrame
        ``covered``, ``gained``, ``lost`` in bases and ``lost_at_end``; see :class:`CopyNumberTables`.
    """
    segments = profile.segments
    centromere, end_of = (_by_build(profile, name) for name in ("centromere", "length"))
    sides = {
        "p": (segments.start, np.minimum(segments.end, centromere), segments.start),
        "q": (np.maximum(segments.start, centromere), segments.end, end_of - segments.end),
    }
    gain, loss = profile.segmental_gain, profile.segmental_loss
    sums: dict[str, list[np.ndarray]] = {"covered": [], "gained": [], "lost": [], "lost_at_end": []}
    for start, end, to_telomere in sides.values():
        length = np.where(profile.autosomal, np.maximum(end - start, 0), 0)
        distal = loss & (length > 0) & (to_telomere <= TELOMERE_DISTANCE)
        for name, weights in zip(sums, (length, length * gain, length * loss, distal), strict=True):
            sums[name].append(_by_chromosome(profile, weights))
    shape = (len(profile.patient_ids), len(ARMS))
    both = {name: np.stack(parts, axis=2).reshape(shape) for name, parts in sums.items()}
    tables = {name: pd.DataFrame(values, profile.patient_ids, ARMS) for name, values in both.items()}
    return {**tables, "lost_at_end": tables["lost_at_end"] > 0}


def _by_build(profile: CopyNumberProfile, name: str) -> np.ndarray:
    """Centromere or length of each segment's chromosome."""
    chromosomes = ["0", *AUTOSOMES, "X"]
    table = np.stack([chromosome_arms(build)[name].reindex(chromosomes).fillna(0).to_numpy() for build in BUILDS])
    return table[profile.build[profile.segments.sample], profile.segments.chromosome].astype(np.int64)


def _by_chromosome(profile: CopyNumberProfile, weights: np.ndarray) -> np.ndarray:
    """Sum a value by patient and autosome, shape (n_patients, 22)."""
    width = len(AUTOSOMES) + 2
    place = profile.segments.sample.astype(np.int64) * width + profile.segments.chromosome
    cells = len(profile.patient_ids) * width
    return np.bincount(place, weights=weights, minlength=cells).reshape(len(profile.patient_ids), width)[:, 1:-1]


def arm(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where at least 3 Mb of the arm are segmentally changed."""
    name, change = _arm_name(parameters), parameters["change"]
    return _called(tables, _altered(tables, change)[name].to_numpy() >= MIN_ALTERED, name)


def distal_loss(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where at least 3 Mb of the arm are lost, and a loss reaches the end of the chromosome."""
    name = _arm_name(parameters)
    lost = (tables.lost[name] >= MIN_ALTERED) & tables.lost_at_end[name]
    return _called(tables, lost.to_numpy(), name)


def _arm_name(parameters: Parameters) -> str:
    if parameters["arm"] not in ARMS:
        raise illegal(parameters, "arm", ARMS)
    return str(parameters["arm"])


def _altered(tables: CopyNumberTables, change: str) -> pd.DataFrame:
    found = {"gain": tables.gained, "loss": tables.lost}
    if change not in found:
        raise illegal({"change": change}, "change", found)
    return found[change]


def _called(tables: CopyNumberTables, positive: np.ndarray, name: str) -> np.ndarray:
    """Positive, negative where the arm was looked at, else missing."""
    looked_at = tables.covered[name].to_numpy() >= COVERED * _arm_length(tables.profile, name)
    return np.where(tables.known & (positive | looked_at), positive.astype(np.float64), np.nan)


def _arm_length(profile: CopyNumberProfile, name: str) -> np.ndarray:
    """Length of an arm in each patient's build."""
    return np.array([_length(build, name) for build in BUILDS], dtype=np.float64)[profile.build]


def _length(build: str, name: str) -> int:
    arms = chromosome_arms(build)
    centromere = int(arms["centromere"][name[:-1]])
    return centromere if name.endswith("p") else int(arms["length"][name[:-1]]) - centromere


def band(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where half of a cytogenetic band is segmentally changed."""
    profile, segments = tables.profile, tables.profile.segments
    changed = {"gain": profile.segmental_gain, "loss": profile.segmental_loss}
    if parameters["change"] not in changed:
        raise illegal(parameters, "change", changed)
    spans = [band_span(build, parameters["band"]) for build in BUILDS]
    first, last = (np.array([span[place] for span in spans]) for place in (1, 2))
    here = segments.chromosome == int(spans[0][0])
    of_segment = profile.build[segments.sample]
    inside = np.minimum(segments.end, last[of_segment]) - np.maximum(segments.start, first[of_segment])
    inside = np.where(here, np.maximum(inside, 0), 0)
    half = COVERED * (last - first)[profile.build]
    positive = tables.per_patient(inside * changed[parameters["change"]]) >= half
    return np.where(tables.known & (tables.per_patient(inside) >= half), positive.astype(np.float64), np.nan)


def segmental_count(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Count the named arms that are segmentally lost or gained."""
    return np.sum(_named_arms(tables, parameters), axis=0)


def _named_arms(tables: CopyNumberTables, parameters: Parameters) -> list[np.ndarray]:
    return [
        arm(tables, {"arm": name, "change": change})
        for change, names in (("loss", parameters["losses"]), ("gain", parameters["gains"]))
        for name in names
    ]


def any_segmental(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where at least one of the named arms is segmentally lost or gained."""
    calls = np.array(_named_arms(tables, parameters))
    return np.where((calls == 1).any(axis=0), 1.0, calls.max(axis=0))


def segmental_arms(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log(1 + segmental gains and losses over all arms)."""
    return genome_wide(tables, np.log1p(_segmental_arms(tables)))


def _segmental_arms(tables: CopyNumberTables) -> np.ndarray:
    return ((tables.gained >= MIN_ALTERED).sum(axis=1) + (tables.lost >= MIN_ALTERED).sum(axis=1)).to_numpy()


def numerical_count(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Count the autosomes with a change of the whole chromosome."""
    profile = tables.profile
    changed = _by_chromosome(profile, profile.base != 0) > 0
    return genome_wide(tables, changed.sum(axis=1))


def numerical_only(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where whole chromosomes are changed and no arm is segmentally."""
    some = np.minimum(numerical_count(tables, {}), 1.0)
    return np.where(_segmental_arms(tables) > 0, some * 0.0, some)


def fraction_altered(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Altered part of the covered autosomes."""
    profile = tables.profile
    length = _autosomal_length(profile)
    altered = tables.per_patient(length * (profile.gained | profile.lost))
    return genome_wide(tables, altered / np.maximum(tables.per_patient(length), 1))


def ploidy_shift(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Mean level of the autosomes in copies; amplicons do not count."""
    profile = tables.profile
    length = np.where(profile.amplified, 0, _autosomal_length(profile))
    shift = tables.per_patient(length * profile.copies) / np.maximum(tables.per_patient(length), 1)
    return genome_wide(tables, shift)


def breakpoints(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log(1 + steps of at least half a copy within autosomes)."""
    profile = tables.profile
    threshold = profile.scales[["threshold_gain", "threshold_loss"]].max(axis=1).to_numpy()[profile.segments.sample]
    steps = profile.segments.follows & profile.autosomal
    steps[1:] &= np.abs(np.diff(profile.copies)) > threshold[1:]
    return genome_wide(tables, np.log1p(tables.per_patient(steps)))


def _autosomal_length(profile: CopyNumberProfile) -> np.ndarray:
    return np.where(profile.autosomal, profile.segments.end - profile.segments.start, 0)


def genome_wide(tables: CopyNumberTables, values: np.ndarray) -> np.ndarray:
    """Return the values of patients of whose genome enough is covered."""
    arms = chromosome_arms("hg19")["length"]
    looked_at = tables.covered.sum(axis=1).to_numpy() >= COVERED * arms[list(AUTOSOMES)].sum()
    return np.where(tables.known & looked_at, values, np.nan)
