"""Features from copy-number segments, and from gene copy numbers where there are no segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.copy_number_profile import (
    ALTERED,
    AMPLIFIED,
    DEEP,
    copy_number_profile,
    in_copies,
    platform_scales,
)
from nbrelapse.mechanisms.genome import BUILDS, GENE_SPANS, band_span, chromosome_arms

MIN_ALTERED = 3_000_000
"""Bases of an arm that have to be altered."""
TELOMERE_DISTANCE = 10_000_000
"""A distal loss reaches within this distance of the end of the chromosome."""
DISCRETE = {-2.0: -DEEP, -1.0: -1.0, 0.0: 0.0, 1.0: 1.0, 2.0: AMPLIFIED}
"""GISTIC's discrete calls, in copies."""


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Call segmental, numerical and focal copy-number changes, relative to the log2 scale of each platform.

    A segment is altered beyond half of the platform's single-copy level (and beyond twice its noise). A change of at
    least 90 % of a chromosome in one direction is numerical; only what exceeds it by as much again is segmental.
    Levels of five copies and more over at most 10 Mb are amplicons and do not count as a gain of the arm.

    Parameters
    ----------
    cohort : Cohort
        ``segments``, or ``gene_copy_number`` (GISTIC's -2 to 2, or log2 ratios) for the gene features of patients
        without segments.
    definitions : sequence of FeatureDefinition
        The parameter ``measure`` is one of

        - ``arm``: ``arm`` (``"11q"``) carries at least 3 Mb of segmental ``change`` (``gain`` or ``loss``);
        - ``distal_loss``: as ``arm``, and the loss reaches within 10 Mb of the end of the chromosome;
        - ``segmental_count`` and ``any_segmental``: over the arms in ``losses`` and ``gains``;
        - ``numerical_count``: autosomes with a numerical change;
        - ``fraction_altered``: altered part of the covered autosomes;
        - ``breakpoints``: log(1 + number of steps within chromosomes);
        - ``other_amplification``: an amplicon that does not overlap the cytogenetic band ``outside_band``;
        - ``gene``: ``gene`` is hit by ``change`` (``amplification``, ``gain`` or ``deep_deletion``).

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``; NaN where the diagnosis sample has no copy-number data of the arm or gene.

    Raises
    ------
    InputError
        A profiled sample has no genome build, or an entry names a measure, arm, change or gene that does not exist.

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "11", "start": [1, 70_000_001],
    ...     "end": [70_000_000, 134_000_000], "log2_ratio": [0.0, -0.4]})
    >>> cohort = Cohort("two", pd.DataFrame({"patient_id": ["p", "q"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "patient_id": ["p"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "assay": ["copy_number"], "genome_build": ["hg19"], "platform": ["P"]}),
    ...     segments=segments)
    >>> loss = FeatureDefinition("instability__loss_11q", "instability", "11q loss", "", "copy_number", "binary",
    ...     "copy_number", {"measure": "arm", "arm": "11q", "change": "loss"})
    >>> build(cohort, [loss])["instability__loss_11q"].to_dict()
    {'p': 1.0, 'q': nan}
    """
    profile = _with_build(copy_number_profile(cohort))
    tables = _Tables(profile, _pieces(profile), _gene_copies(cohort, profile))
    columns = {}
    for definition in definitions:
        measure = MEASURES.get(definition.parameters.get("measure", ""))
        if measure is None:
            raise _illegal(definition.parameters, "measure", MEASURES)
        columns[definition.name] = measure(tables, definition.parameters)
    return pd.DataFrame(columns, index=cohort.patient_ids, dtype=np.float64)


@dataclass(frozen=True)
class _Tables:
    """What the measures read: segments, segments cut at the centromere, and genes by patients without segments."""

    profile: pd.DataFrame
    pieces: pd.DataFrame
    gene_copies: pd.DataFrame


def _with_build(profile: pd.DataFrame) -> pd.DataFrame:
    if profile["build"].isna().any():
        raise InputError(
            "copy-number samples have no genome build",
            column="assays.genome_build",
            expected="hg19 or hg38",
            mend="name the build of the segments when importing the cohort",
        )
    return profile


def _pieces(profile: pd.DataFrame) -> pd.DataFrame:
    """Segments cut at the centromere: ``arm``, ``length``, ``to_telomere`` and whether segmentally gained or lost."""
    arms = pd.concat({build: chromosome_arms(build) for build in BUILDS})
    arms = arms.reindex(pd.MultiIndex.from_frame(profile[["build", "chromosome"]])).set_axis(profile.index)
    ends = np.minimum(profile["end"], arms["centromere"])
    starts = np.maximum(profile["start"], arms["centromere"])
    cut = pd.concat(
        [
            profile.assign(arm=profile["chromosome"] + "p", end=ends, to_telomere=profile["start"]),
            profile.assign(arm=profile["chromosome"] + "q", start=starts, to_telomere=arms["length"] - profile["end"]),
        ],
        ignore_index=True,
    )
    gained = np.minimum(cut["copies"], cut["copies"] - cut["base"]) > cut["threshold_gain"]
    lost = np.maximum(cut["copies"], cut["copies"] - cut["base"]) < -cut["threshold_loss"]
    cut = cut.assign(length=cut["end"] - cut["start"], gain=gained & ~cut["amplified"], loss=lost)
    return cut[cut["length"] > 0].reset_index(drop=True)


def _gene_copies(cohort: Cohort, profile: pd.DataFrame) -> pd.DataFrame:
    """Gene copy numbers of the patients without segments: genes by ``patient_id``, in copies."""
    chosen = cohort.assayed_samples("copy_number")
    matrix = cohort.gene_copy_number
    if matrix is None:
        return pd.DataFrame()
    chosen = chosen[~chosen.index.isin(profile["patient_id"]) & chosen.isin(matrix.columns)]
    values = matrix[chosen.to_list()].astype(np.float64).set_axis(chosen.index, axis=1)
    if matrix.isin(DISCRETE).to_numpy()[matrix.notna().to_numpy()].all():
        return values.replace(DISCRETE)
    scale = platform_scales(cohort).reindex(chosen)
    return pd.DataFrame(in_copies(values.to_numpy().T, scale.map(np.atleast_1d)).T, values.index, values.columns)


def _arm(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    change = parameters.get("change")
    if change not in ("gain", "loss"):
        raise _illegal(parameters, "change", ("gain", "loss"))
    return _altered(_of_arm(tables, parameters), change)


def _distal_loss(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    pieces = _of_arm(tables, parameters)
    reaches = pieces["loss"] & (pieces["to_telomere"] <= TELOMERE_DISTANCE)
    return _altered(pieces, "loss").where(reaches.groupby(pieces["patient_id"]).any(), 0.0)


def _of_arm(tables: _Tables, parameters: Mapping[str, Any]) -> pd.DataFrame:
    legal = [f"{chromosome}{side}" for chromosome in chromosome_arms("hg19").index for side in "pq"]
    if parameters.get("arm") not in legal:
        raise _illegal(parameters, "arm", legal)
    return tables.pieces[tables.pieces["arm"] == parameters["arm"]]


def _altered(pieces: pd.DataFrame, change: str) -> pd.Series:
    lengths = pieces["length"].where(pieces[change], 0).groupby(pieces["patient_id"]).sum()
    return (lengths >= MIN_ALTERED).astype(np.float64)


def _segmental_count(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    calls = [
        _arm(tables, {"arm": arm, "change": change})
        for change, arms in (("loss", parameters["losses"]), ("gain", parameters["gains"]))
        for arm in arms
    ]
    return pd.concat(calls, axis=1).sum(axis=1, skipna=False)


def _any_segmental(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    return _segmental_count(tables, parameters).clip(upper=1)


def _numerical_count(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    by_chromosome = tables.profile.groupby(["patient_id", "chromosome"])["base"].first()
    return by_chromosome.ne(0).groupby("patient_id").sum()


def _fraction_altered(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    profile = tables.profile
    length = profile["end"] - profile["start"]
    altered = (profile["copies"] > profile["threshold_gain"]) | (profile["copies"] < -profile["threshold_loss"])
    by_patient = pd.DataFrame({"altered": length.where(altered, 0), "covered": length}).groupby(profile["patient_id"])
    sums = by_patient.sum()
    return sums["altered"] / sums["covered"]


def _breakpoints(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    profile = tables.profile
    before = profile.groupby(["patient_id", "chromosome"])["copies"].shift()
    steps = (profile["copies"] - before).abs() > profile[["threshold_gain", "threshold_loss"]].max(axis=1)
    return steps.groupby(profile["patient_id"]).sum().map(np.log1p)


def _other_amplification(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    profile = tables.profile
    inside = pd.Series(False, index=profile.index)
    for genome_build in BUILDS:
        inside |= _overlaps(profile, genome_build, *band_span(genome_build, parameters["outside_band"]))
    return (profile["amplified"] & ~inside).groupby(profile["patient_id"]).any()


def _gene(tables: _Tables, parameters: Mapping[str, Any]) -> pd.Series:
    change, gene, profile = parameters.get("change"), parameters.get("gene"), tables.profile
    if change not in GENE_CHANGES:
        raise _illegal(parameters, "change", GENE_CHANGES)
    if gene not in GENE_SPANS["hg19"]:
        raise _illegal(parameters, "gene", GENE_SPANS["hg19"])
    hit = pd.Series(False, index=profile.index)
    for genome_build, spans in GENE_SPANS.items():
        hit |= _overlaps(profile, genome_build, *spans[gene])
    copies = profile.loc[hit, "copies"].groupby(profile.loc[hit, "patient_id"])
    found = copies.min() if change == "deep_deletion" else copies.max()
    if gene in tables.gene_copies.index:
        found = pd.concat([found, tables.gene_copies.loc[gene].dropna()])
    return GENE_CHANGES[change](found)


GENE_CHANGES: dict[str, Callable[[pd.Series], pd.Series]] = {
    "amplification": lambda copies: copies >= AMPLIFIED,
    "gain": lambda copies: copies > ALTERED,
    "deep_deletion": lambda copies: copies <= -DEEP,
}

MEASURES: dict[str, Callable[[_Tables, Mapping[str, Any]], pd.Series]] = {
    "arm": _arm,
    "distal_loss": _distal_loss,
    "segmental_count": _segmental_count,
    "any_segmental": _any_segmental,
    "numerical_count": _numerical_count,
    "fraction_altered": _fraction_altered,
    "breakpoints": _breakpoints,
    "other_amplification": _other_amplification,
    "gene": _gene,
}


def _overlaps(profile: pd.DataFrame, build: str, chromosome: str, first: int, last: int) -> pd.Series:
    at_place = (profile["build"] == build) & (profile["chromosome"] == chromosome)
    return at_place & (profile["start"] <= last) & (profile["end"] >= first)


def _illegal(parameters: Mapping[str, Any], key: str, legal: Mapping[str, Any] | Sequence[str]) -> InputError:
    return InputError(
        f"illegal {key} {parameters.get(key)!r} of a copy-number feature in the catalogue",
        column=key,
        expected=", ".join(legal),
    )
