"""Copy-number measures of genes, amplicons, arms, chromosomes and the whole genome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.genes import canonical_symbols
from nbrelapse.cohort.log2_scale import sample_centres
from nbrelapse.cohort.segments import CHROMOSOME_NUMBERS, MergedSegments, X
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.genome import _AUTOSOMES, _BUILDS, _GENE_SPANS, _band_span, chromosome_arms
from nbrelapse.mechanisms.profile import (
    _ALTERED,
    _AMPLIFIED,
    _BROAD,
    _DEEP,
    _FOCAL,
    _CopyNumberProfile,
    _in_copies,
    _place,
    _platform_scales,
    _shared_length,
    _without_purity,
)

MIN_ALTERED = 3_000_000
"""Bases of an arm that have to be altered."""
TELOMERE_DISTANCE = 10_000_000
"""A distal loss reaches within this distance of the end of the chromosome."""
COVERED = 0.5
"""Part of an arm, a band or the genome that must be covered before it counts as looked at."""
ARMS = tuple(f"{chromosome}{side}" for chromosome in _AUTOSOMES for side in "pq")

Parameters = Mapping[str, Any]


def arm_lengths(profile: _CopyNumberProfile) -> dict[str, pd.DataFrame]:
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
    centromere, end_of = (by_build(profile, name) for name in ("centromere", "length"))
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
            sums[name].append(by_chromosome(profile, weights))
    shape = (len(profile.patient_ids), len(ARMS))
    both = {name: np.stack(parts, axis=2).reshape(shape) for name, parts in sums.items()}
    tables = {name: pd.DataFrame(values, profile.patient_ids, ARMS) for name, values in both.items()}
    return {**tables, "lost_at_end": tables["lost_at_end"] > 0}


def by_build(profile: _CopyNumberProfile, name: str) -> np.ndarray:
    """Centromere or length of each segment's chromosome."""
    chromosomes = ["0", *_AUTOSOMES, "X"]
    table = np.stack([chromosome_arms(build)[name].reindex(chromosomes).fillna(0).to_numpy() for build in _BUILDS])
    return table[profile.build[profile.segments.sample], profile.segments.chromosome].astype(np.int64)


def by_chromosome(profile: _CopyNumberProfile, weights: np.ndarray) -> np.ndarray:
    """Sum a value by patient and autosome, shape (n_patients, 22)."""
    width = len(_AUTOSOMES) + 2
    place = profile.segments.sample.astype(np.int64) * width + profile.segments.chromosome
    cells = len(profile.patient_ids) * width
    return np.bincount(place, weights=weights, minlength=cells).reshape(len(profile.patient_ids), width)[:, 1:-1]


def arm(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where at least 3 Mb of the arm are segmentally changed."""
    name, change = _arm_name(parameters), parameters["change"]
    return called(tables, _altered(tables, change)[name].to_numpy() >= MIN_ALTERED, name)


def distal_loss(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where at least 3 Mb of the arm are lost, and a loss reaches the end of the chromosome."""
    name = _arm_name(parameters)
    lost = (tables.lost[name] >= MIN_ALTERED) & tables.lost_at_end[name]
    return called(tables, lost.to_numpy(), name)


def _arm_name(parameters: Parameters) -> str:
    if parameters["arm"] not in ARMS:
        raise illegal(parameters, "arm", ARMS)
    return str(parameters["arm"])


def _altered(tables: CopyNumberTables, change: str) -> pd.DataFrame:
    found = {"gain": tables.gained, "loss": tables.lost}
    if change not in found:
        raise illegal({"change": change}, "change", found)
    return found[change]


def called(tables: CopyNumberTables, positive: np.ndarray, name: str) -> np.ndarray:
    """Positive, negative where the arm was looked at, else missing."""
    looked_at = tables.covered[name].to_numpy() >= COVERED * _arm_length(tables.profile, name)
    return np.where(tables.known & (positive | looked_at), positive.astype(np.float64), np.nan)


def _arm_length(profile: _CopyNumberProfile, name: str) -> np.ndarray:
    """Length of an arm in each patient's build."""
    return np.array([length_of_arm(build, name) for build in _BUILDS], dtype=np.float64)[profile.build]


def length_of_arm(build: str, name: str) -> int:
    """Bases of an arm such as ``17q``."""
    arms = chromosome_arms(build)
    centromere = int(arms["centromere"][name[:-1]])
    return centromere if name.endswith("p") else int(arms["length"][name[:-1]]) - centromere


def arm_of_gene(name: str) -> str:
    """Arm on which a gene lies."""
    chromosome, _, last = _GENE_SPANS[_BUILDS[0]][name]
    return chromosome + ("p" if last <= chromosome_arms(_BUILDS[0])["centromere"][chromosome] else "q")


def band(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where half of a cytogenetic band is segmentally changed."""
    profile, segments = tables.profile, tables.profile.segments
    changed = {"gain": profile.segmental_gain, "loss": profile.segmental_loss}
    if parameters["change"] not in changed:
        raise illegal(parameters, "change", changed)
    spans = [_band_span(build, parameters["band"]) for build in _BUILDS]
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
    """log(1 + segmental gains and losses over all arms, or those of one direction)."""
    if "change" in parameters:
        found = (_altered(tables, parameters["change"]) >= MIN_ALTERED).sum(axis=1).to_numpy()
    else:
        found = _segmental_arms(tables)
    return genome_wide(tables, np.log1p(found))


def _segmental_arms(tables: CopyNumberTables) -> np.ndarray:
    return ((tables.gained >= MIN_ALTERED).sum(axis=1) + (tables.lost >= MIN_ALTERED).sum(axis=1)).to_numpy()


def numerical_count(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Count the autosomes with a change of the whole chromosome."""
    profile = tables.profile
    changed = by_chromosome(profile, profile.base != 0) > 0
    return genome_wide(tables, changed.sum(axis=1))


def numerical_only(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where whole chromosomes are changed and no arm is segmentally."""
    some = np.minimum(numerical_count(tables, {}), 1.0)
    return np.where(_segmental_arms(tables) > 0, some * 0.0, some)


def fraction_altered(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Altered part of the covered autosomes."""
    profile = tables.profile
    length = autosomal_length(profile)
    altered = tables.per_patient(length * (profile.gained | profile.lost))
    return genome_wide(tables, altered / np.maximum(tables.per_patient(length), 1))


def ploidy_shift(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Mean level of the autosomes in copies; amplicons do not count."""
    profile = tables.profile
    length = np.where(profile.amplified, 0, autosomal_length(profile))
    shift = tables.per_patient(length * profile.copies) / np.maximum(tables.per_patient(length), 1)
    return genome_wide(tables, shift)


def breakpoints(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log(1 + steps of at least half a copy within autosomes)."""
    return genome_wide(tables, np.log1p(tables.per_patient(steps(tables.profile))))


def steps(profile: _CopyNumberProfile) -> np.ndarray:
    """Which segments begin with a step of at least half a copy from their neighbour, on autosomes."""
    threshold = profile.scales[["threshold_gain", "threshold_loss"]].max(axis=1).to_numpy()[profile.segments.sample]
    found = profile.segments.follows & profile.autosomal
    found[1:] &= np.abs(np.diff(profile.copies)) > threshold[1:]
    return found


def autosomal_length(profile: _CopyNumberProfile) -> np.ndarray:
    return np.where(profile.autosomal, profile.segments.end - profile.segments.start, 0)


def genome_wide(tables: CopyNumberTables, values: np.ndarray) -> np.ndarray:
    """Return the values of patients of whose genome enough is covered."""
    return np.where(tables.known & tables.looked_at, values, np.nan)


DISCRETE = {-2.0: -_DEEP, -1.0: -1.0, 0.0: 0.0, 1.0: 1.0, 2.0: _AMPLIFIED}
"""GISTIC's discrete calls, in copies."""
CHANGES = ("amplification", "gain", "loss", "deep_deletion")
STRONGER = {"gain": "amplification", "loss": "deep_deletion"}
EXTENTS = ("focal", "broad")
ROUNDING = 1e-9


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
    values = values[values.index.isin(_GENE_SPANS["hg19"]) & ~values.index.duplicated()]
    if _is_discrete(cohort):
        return values.replace(DISCRETE)
    scale = _platform_scales(cohort).reindex(chosen)
    sample = np.repeat(np.arange(len(chosen)), len(values))
    copies = _in_copies(values.to_numpy().T.ravel(), scale, sample)
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


def _smoothed_hit(profile: _CopyNumberProfile, name: str, change: str, extent: str | None) -> np.ndarray:
    here = _of_extent(profile.segments, _rows_over_gene(profile, profile.segments, name), extent)
    altered = here[(profile.gained if change == "gain" else profile.lost)[here]]
    looked_at = _known(profile) & _covered(profile, name)
    return np.where(looked_at, _any(profile, profile.segments.sample[altered], looked_at), np.nan)


def _level_hit(profile: _CopyNumberProfile, name: str, change: str, extent: str | None) -> np.ndarray:
    rows = rows_hit(profile, name, change, extent)
    looked_at = _known(profile) & _covered(profile, name)
    found = _any(profile, profile.raw.sample[rows], looked_at)
    # A flat profile says nothing of what is missing, and an amplicon is seen on any scale.
    return found if change == "amplification" else np.where(looked_at, found, np.nan)


def rows_hit(profile: _CopyNumberProfile, name: str, change: str, extent: str | None = None) -> np.ndarray:
    """Places of the segments as given that hit a gene."""
    raw = profile.raw
    here = _of_extent(raw, _given_rows(profile, name), extent)
    copies = _in_copies(raw.log2_ratio[here], profile.scales, raw.sample[here])
    if change != "amplification":
        return here[_beyond(copies, change)]
    copies = _without_purity(copies, profile.scales, raw.sample[here])
    hit = _beyond(copies, change)
    hit[hit] = _is_focal(profile, here[hit], copies[hit])
    return here[hit]


def _is_focal(profile: _CopyNumberProfile, rows: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Whether at most 20 Mb share the level of segments as given; what surrounds them is read from the smoothed."""
    raw = profile.raw
    around = np.searchsorted(profile.place, _place(raw.where(rows)), side="right") - 1
    shared = _shared_length(profile.segments, profile.level, around, level, _BROAD)
    return np.maximum(raw.end[rows] - raw.start[rows], shared) <= _BROAD


def _beyond(copies: np.ndarray, change: str) -> np.ndarray:
    return {
        "amplification": copies >= _AMPLIFIED,
        "gain": copies > _ALTERED,
        "loss": copies < -_ALTERED,
        "deep_deletion": copies <= -_DEEP,
    }[change]


def _of_extent(segments: MergedSegments, rows: np.ndarray, extent: str | None) -> np.ndarray:
    if extent is None:
        return rows
    focal = segments.end[rows] - segments.start[rows] <= _FOCAL
    return rows[focal if extent == "focal" else ~focal]


def _any(profile: _CopyNumberProfile, samples: np.ndarray, looked_at: np.ndarray) -> np.ndarray:
    """1 for the samples, else 0 where it was looked at, else missing."""
    hit = np.where(looked_at, 0.0, np.nan)
    hit[samples] = 1.0
    return hit


def _known(profile: _CopyNumberProfile) -> np.ndarray:
    return profile.scales["known"].to_numpy(dtype=bool)


def _covered(profile: _CopyNumberProfile, name: str) -> np.ndarray:
    """Whether a segment of each patient covers the gene."""
    covered = np.zeros(len(profile.patient_ids), dtype=bool)
    covered[profile.raw.sample[_given_rows(profile, name)]] = True
    return covered


def _given_rows(profile: _CopyNumberProfile, name: str) -> np.ndarray:
    """Places of the segments as given that overlap a gene."""
    if name not in profile.of_gene:
        profile.of_gene[name] = _rows_over_gene(profile, profile.raw, name)
    return profile.of_gene[name]


def _rows_over_gene(profile: _CopyNumberProfile, segments: MergedSegments, name: str) -> np.ndarray:
    missing = [build for build in _BUILDS if name not in _GENE_SPANS[build]]
    if missing:
        raise illegal({"gene": name}, "gene", sorted(set.intersection(*(set(_GENE_SPANS[build]) for build in _BUILDS))))
    return _rows_over(profile, segments, {build: _GENE_SPANS[build][name] for build in _BUILDS})


def _rows_over(
    profile: _CopyNumberProfile, segments: MergedSegments, spans: Mapping[str, tuple[str, int, int]]
) -> np.ndarray:
    """Places of the segments that overlap a span, in the build of their sample."""
    rows = np.flatnonzero(segments.chromosome == CHROMOSOME_NUMBERS[spans[_BUILDS[0]][0]])
    build = profile.build[segments.sample[rows]]
    first, last = (np.array([spans[name][place] for name in _BUILDS]) for place in (1, 2))
    return rows[(segments.start[rows] <= last[build]) & (segments.end[rows] >= first[build])]


def other_amplification(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where there is an amplicon that does not overlap a cytogenetic band."""
    profile = tables.profile
    found = profile.amplified & profile.autosomal & ~overlaps_band(profile, parameters["outside_band"])
    return _any(profile, profile.segments.sample[found], tables.known)


def overlaps_band(profile: _CopyNumberProfile, band: str) -> np.ndarray:
    """Whether a smoothed segment overlaps a cytogenetic band, in the build of its sample."""
    found = np.zeros(len(profile.segments.sample), dtype=bool)
    found[_rows_over(profile, profile.segments, {build: _band_span(build, band) for build in _BUILDS})] = True
    return found


def deletion_on_x(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """1 where a gene is deleted relative to the rest of X: in males its only copy, in females at least one."""
    profile, name = tables.profile, parameters["gene"]
    if _GENE_SPANS[_BUILDS[0]].get(name, ("",))[0] != "X":
        raise illegal(parameters, "gene", [key for key, span in _GENE_SPANS[_BUILDS[0]].items() if span[0] == "X"])
    raw = profile.raw.where(profile.raw.chromosome == X)
    here = _rows_over_gene(profile, raw, name)
    level = _level_of_x(raw, len(profile.patient_ids))
    copies = _in_copies(raw.log2_ratio - level[raw.sample], profile.scales.assign(centre=0.0), raw.sample)
    lowest = np.full(len(profile.patient_ids), np.inf)
    np.minimum.at(lowest, raw.sample[here], copies[here])
    # Half way to the loss of one of two copies, and to that of the only copy.
    one, only = lowest <= -_ALTERED, lowest <= -_DEEP / 2 - ROUNDING
    female, male = (tables.female == sex for sex in (True, False))
    found = np.select([female, male, lowest <= -_DEEP, ~one], [one, only, 1.0, 0.0], np.nan)
    return np.where(tables.known & np.isfinite(lowest), found, np.nan)


def _level_of_x(segments: MergedSegments, n_samples: int) -> np.ndarray:
    """Median log2 ratio of X by length, shape (n_samples,)."""
    level = np.zeros(n_samples)
    if len(segments.sample):
        level[np.unique(segments.sample)] = sample_centres(segments)
    return level


@dataclass(frozen=True)
class CopyNumberTables:
    """Profile of the patients, what of each arm is altered, and genes of patients without segments.

    Parameters
    ----------
    profile : CopyNumberProfile
    covered, gained, lost : DataFrame
        Bases of each arm (columns ``1p`` to ``22q``) that are covered, segmentally gained and segmentally lost; rows
        as in ``profile.patient_ids``.
    lost_at_end : DataFrame of bool
        Whether a segmental loss reaches the end of the chromosome.
    female : ndarray of object, shape (n_patients,)
        True, False, or None where the sex is not known.
    gene_copies : DataFrame
        Genes by ``patient_id``, in copies, from ``gene_copy_number``.
    """

    profile: _CopyNumberProfile
    covered: pd.DataFrame
    gained: pd.DataFrame
    lost: pd.DataFrame
    lost_at_end: pd.DataFrame
    female: np.ndarray
    gene_copies: pd.DataFrame

    @property
    def known(self) -> np.ndarray:
        """Whether the scale of each patient's profile can be told."""
        return self.profile.scales["known"].to_numpy(dtype=bool)

    @cached_property
    def looked_at(self) -> np.ndarray:
        """Whether enough of each patient's genome is covered."""
        arms = chromosome_arms("hg19")["length"]
        return self.covered.sum(axis=1).to_numpy() >= COVERED * arms[list(_AUTOSOMES)].sum()

    def per_patient(self, weights: np.ndarray) -> np.ndarray:
        """Sum a value of the smoothed segments by patient."""
        return np.bincount(self.profile.segments.sample, weights=weights, minlength=len(self.known))


def illegal(parameters: Mapping[str, Any], key: str, legal: Mapping[str, Any] | Sequence[str]) -> InputError:
    """Return the error for a parameter value that a copy-number measure does not know."""
    return InputError(
        f"illegal {key} {parameters.get(key)!r} of a copy-number feature in the catalogue",
        column=key,
        expected=", ".join(legal),
    )


def oscillation(tables: CopyNumberTables, parameters: Mapping[str, Any]) -> np.ndarray:
    """Count the switches in the longest series in which a chromosome alternates between two states.

    States are lost, neutral and gained, of the smoothed profile. A shattered chromosome whose pieces were joined
    again alternates between few states many times (10.1016/j.cell.2011.11.023).

    Parameters
    ----------
    tables : CopyNumberTables
    parameters : dict
        ``at_least``: say whether there are so many switches; else the logarithm of 1 + their number is returned.

    Returns
    -------
    ndarray, shape (n_patients,)
        The largest value over the autosomes.
    """
    profile, segments = tables.profile, tables.profile.segments
    state = profile.gained.astype(np.int8) - profile.lost.astype(np.int8)
    # A run of segments of one state is one piece.
    starts = ~segments.follows
    starts[1:] |= state[1:] != state[:-1]
    rows = np.flatnonzero(starts & profile.autosomal)
    switches = _longest_alternation(state[rows], ~segments.follows[rows])
    longest = np.zeros(len(profile.patient_ids), dtype=np.int64)
    np.maximum.at(longest, segments.sample[rows], switches)
    if "at_least" in parameters:
        return genome_wide(tables, longest >= parameters["at_least"])
    return genome_wide(tables, np.log1p(longest))


def _longest_alternation(state: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Count the switches of the alternating series that ends at each piece.

    0 at the first piece of a chromosome, then 1, and one more wherever a piece has the state of the last but one.
    """
    place = np.arange(len(state))
    since_first = place - np.maximum.accumulate(np.where(first, place, 0)) if len(state) else place
    returns = np.zeros(len(state), dtype=bool)
    returns[2:] = state[2:] == state[:-2]
    returns &= since_first >= 2
    # Where a piece does not return, a new series begins with the switch into it.
    begins = np.maximum.accumulate(np.where(returns, 0, place)) if len(state) else place
    return np.where(since_first == 0, 0, place - begins + 1)
