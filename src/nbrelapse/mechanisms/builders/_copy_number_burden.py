"""Copy-number measures of burden: stretches, steps, loads in copies, amplicons, and levels of arms and chromosomes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders._copy_number_measures import (
    ARMS,
    COVERED,
    MIN_ALTERED,
    CopyNumberTables,
    Parameters,
    autosomal_length,
    by_build,
    by_chromosome,
    called,
    genome_wide,
    illegal,
    overlaps_band,
    steps,
)
from nbrelapse.mechanisms.genome import _AUTOSOMES, _BUILDS, chromosome_arms

HIGHEST = 2.0
"""Levels count up to two copies either way: beyond them noise and purity decide how many are read."""
_MEGABASE = 1_000_000


def stretches(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log(1 + segmentally altered stretches of at least 3 Mb)."""
    sample, _ = _altered_stretches(tables)
    return genome_wide(tables, np.log1p(np.bincount(sample, minlength=len(tables.known))))


def stretch_length(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log2 of the median length of these stretches in megabases; missing where there are none."""
    sample, length = _altered_stretches(tables)
    median = pd.Series(length, dtype=np.float64).groupby(sample).median().reindex(range(len(tables.known)))
    return genome_wide(tables, np.log2(median.to_numpy() / _MEGABASE))


def _altered_stretches(tables: CopyNumberTables) -> tuple[np.ndarray, np.ndarray]:
    """Patient and length of each; neighbours that are both gained or both lost are one, whatever their levels."""
    profile = tables.profile
    state = profile.segmental_gain.astype(np.int8) - profile.segmental_loss.astype(np.int8)
    first, length = _runs(tables, state)
    kept = (state[first] != 0) & profile.autosomal[first] & (length >= MIN_ALTERED)
    return profile.segments.sample[first][kept], length[kept]


def _runs(tables: CopyNumberTables, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first segment of each run of one state on a chromosome, and the bases of the run's segments."""
    segments = tables.profile.segments
    begins = ~segments.follows
    begins[1:] |= state[1:] != state[:-1]
    first = np.flatnonzero(begins)
    return first, np.add.reduceat(segments.end - segments.start, first) if len(first) else np.zeros(0, dtype=np.int64)


def steps_of_a_chromosome(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log(1 + steps on the autosome that has most)."""
    return genome_wide(tables, np.log1p(by_chromosome(tables.profile, steps(tables.profile)).max(axis=1)))


def broken_chromosomes(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Count the autosomes with a step."""
    return genome_wide(tables, (by_chromosome(tables.profile, steps(tables.profile)) > 0).sum(axis=1))


def segmental_load(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Mean segmental change of the covered autosomes, in copies whatever their direction."""
    length = _without_amplicons(tables)
    load = tables.per_patient(length * _segmental(tables)) / np.maximum(tables.per_patient(length), 1)
    return genome_wide(tables, load)


def _without_amplicons(tables: CopyNumberTables) -> np.ndarray:
    return np.where(tables.profile.amplified, 0, autosomal_length(tables.profile))


def _segmental(tables: CopyNumberTables) -> np.ndarray:
    """Return by how many copies a segment exceeds its chromosome's level, 0 where it is not segmentally changed."""
    profile = tables.profile
    changed = profile.segmental_gain | profile.segmental_loss
    return np.where(changed, np.minimum(np.abs(profile.copies - profile.base), HIGHEST), 0.0)


def amplicons(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log(1 + number of amplicons in or outside of a cytogenetic band)."""
    sample, _ = _amplicons(tables, parameters)
    return _where_seen(tables, np.log1p(np.bincount(sample, minlength=len(tables.known))))


def amplicon_span(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """log(1 + megabases of these amplicons)."""
    sample, length = _amplicons(tables, parameters)
    span = np.bincount(sample, weights=length, minlength=len(tables.known))
    return _where_seen(tables, np.log1p(span / _MEGABASE))


def _amplicons(tables: CopyNumberTables, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Patient and length of each; neighbouring amplified segments are one amplicon."""
    profile = tables.profile
    given = [name for name in ("inside_band", "outside_band") if name in parameters]
    if len(given) != 1:
        raise InputError(
            "an amplicon measure of the catalogue names no band, or two",
            column="inside_band",
            expected="inside_band or outside_band",
        )
    first, length = _runs(tables, profile.amplified)
    overlaps = overlaps_band(profile, parameters[given[0]])
    overlaps = np.add.reduceat(overlaps.astype(np.int64), first) > 0 if len(first) else np.zeros(0, dtype=bool)
    kept = profile.amplified[first] & profile.autosomal[first] & (overlaps == (given[0] == "inside_band"))
    return profile.segments.sample[first][kept], length[kept]


def _where_seen(tables: CopyNumberTables, values: np.ndarray) -> np.ndarray:
    """Return values that are missing where nothing was found and the scale cannot be told."""
    return np.where(tables.known | (values > 0), values, np.nan)


def arm_level(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Mean altered level of an arm in copies: 1 where all of it has one copy more, -0.5 where half has one less."""
    name, profile = parameters["arm"], tables.profile
    if name not in ARMS:
        raise illegal(parameters, "arm", ARMS)
    segments, centromere = profile.segments, by_build(profile, "centromere")
    here = segments.chromosome == int(name[:-1])
    start, end = (
        (segments.start, np.minimum(segments.end, centromere))
        if name.endswith("p")
        else (np.maximum(segments.start, centromere), segments.end)
    )
    length = np.where(here & ~profile.amplified, np.maximum(end - start, 0), 0)
    altered = np.where(profile.gained | profile.lost, np.clip(profile.copies, -HIGHEST, HIGHEST), 0.0)
    level = tables.per_patient(length * altered) / np.maximum(tables.per_patient(length), 1)
    # A level is never a positive call that stands without coverage.
    return called(tables, np.zeros(len(level), dtype=bool), name) + level


def chromosome_level(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Level of the numerical change of a chromosome in copies, 0 where there is none."""
    number, here = _on_chromosome(tables, parameters)
    level = tables.per_patient(here * np.clip(tables.profile.base, -HIGHEST, HIGHEST))
    return _of_chromosome(tables, number, level / np.maximum(tables.per_patient(here), 1))


def chromosome_load(tables: CopyNumberTables, parameters: Parameters) -> np.ndarray:
    """Mean segmental change of a chromosome, in copies whatever their direction."""
    number, here = _on_chromosome(tables, parameters)
    length = here * _without_amplicons(tables)
    load = tables.per_patient(length * _segmental(tables)) / np.maximum(tables.per_patient(length), 1)
    return _of_chromosome(tables, number, load)


def _on_chromosome(tables: CopyNumberTables, parameters: Parameters) -> tuple[str, np.ndarray]:
    """Return the name of the autosome and which segments lie on it."""
    name = parameters["chromosome"]
    if name not in _AUTOSOMES:
        raise illegal(parameters, "chromosome", _AUTOSOMES)
    return name, tables.profile.segments.chromosome == int(name)


def _of_chromosome(tables: CopyNumberTables, name: str, values: np.ndarray) -> np.ndarray:
    """Return the values of patients of whose chromosome enough is covered."""
    length = np.array([chromosome_arms(build)["length"][name] for build in _BUILDS])[tables.profile.build]
    covered = tables.covered[[f"{name}p", f"{name}q"]].sum(axis=1).to_numpy()
    return np.where(tables.known & (covered >= COVERED * length), values, np.nan)
