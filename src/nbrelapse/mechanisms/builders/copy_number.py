"""Features from copy-number segments, and from gene copy numbers where there are no segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.log2_scale import sample_centres
from nbrelapse.cohort.segments import X
from nbrelapse.mechanisms.builder_rules import check_parameters
from nbrelapse.mechanisms.builders import _copy_number_burden as burden
from nbrelapse.mechanisms.builders import _copy_number_measures as arms
from nbrelapse.mechanisms.builders import _copy_number_measures as genes
from nbrelapse.mechanisms.builders._copy_number_measures import CopyNumberTables, illegal, oscillation
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.genome import _AUTOSOMES, _BUILDS
from nbrelapse.mechanisms.profile import (
    _DEEP,
    _FOCAL,
    _copy_number_profile,
    _CopyNumberProfile,
    _in_copies,
    _segment_blocks,
    _SegmentBlock,
    _shared_length,
)

_MEASURES: dict[str, tuple[Callable[[CopyNumberTables, Mapping[str, Any]], np.ndarray], tuple[str, ...]]] = {
    "arm": (arms.arm, ("arm", "change")),
    "band": (arms.band, ("band", "change")),
    "distal_loss": (arms.distal_loss, ("arm",)),
    "segmental_count": (arms.segmental_count, ("losses", "gains")),
    "any_segmental": (arms.any_segmental, ("losses", "gains")),
    "segmental_arms": (arms.segmental_arms, ("change",)),
    "numerical_count": (arms.numerical_count, ()),
    "numerical_only": (arms.numerical_only, ()),
    "fraction_altered": (arms.fraction_altered, ()),
    "ploidy_shift": (arms.ploidy_shift, ()),
    "breakpoints": (arms.breakpoints, ()),
    "oscillation": (oscillation, ("at_least",)),
    "other_amplification": (genes.other_amplification, ("outside_band",)),
    "gene": (genes.gene, ("gene", "change", "extent")),
    "deletion_on_x": (genes.deletion_on_x, ("gene",)),
    "stretches": (burden.stretches, ()),
    "stretch_length": (burden.stretch_length, ()),
    "steps_of_a_chromosome": (burden.steps_of_a_chromosome, ()),
    "broken_chromosomes": (burden.broken_chromosomes, ()),
    "segmental_load": (burden.segmental_load, ()),
    "amplicons": (burden.amplicons, ("inside_band", "outside_band")),
    "amplicon_span": (burden.amplicon_span, ("inside_band", "outside_band")),
    "arm_level": (burden.arm_level, ("arm",)),
    "chromosome_level": (burden.chromosome_level, ("chromosome",)),
    "chromosome_load": (burden.chromosome_load, ("chromosome",)),
}
"""What a copy-number feature may measure: the function, and the parameters that it reads."""
_OPTIONAL = {
    "oscillation": {"at_least"},
    "gene": {"extent"},
    "segmental_arms": {"change"},
    "amplicons": {"inside_band", "outside_band"},
    "amplicon_span": {"inside_band", "outside_band"},
}
"""Parameters that a measure can do without."""
_BLOCK = "block"
"""Of any entry: what it is weighed together with, see :func:`nbrelapse.models.ensemble_blocks`; no measure reads it."""
_WORKERS = 2


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Call segmental, numerical and focal copy-number changes, relative to the log2 scale of each sample.

    A segment is altered beyond half of a single copy (and beyond twice the platform's noise). A change of at least
    90 % of a chromosome in one direction is numerical; only what exceeds it by as much again is segmental. Levels of
    five copies and more that at most 10 Mb share are amplicons and do not count as a gain of the arm. A recorded
    purity is a hint for the scale, within what the sample's own steps bear out, and has no part in amplifications.

    Parameters
    ----------
    cohort : Cohort
        ``segments``, or ``gene_copy_number`` (GISTIC's -2 to 2, or log2 ratios) for the gene features of patients
        without segments of the gene.
    definitions : sequence of FeatureDefinition
        The parameter ``measure`` is one of

        - ``arm``: ``arm`` (``"11q"``) carries at least 3 Mb of segmental ``change`` (``gain`` or ``loss``);
        - ``band``: half of the cytogenetic ``band`` (``"1q42.2"``) is segmentally changed;
        - ``distal_loss``: as ``arm``, and the loss reaches within 10 Mb of the end of the chromosome;
        - ``segmental_count`` and ``any_segmental``: over the arms in ``losses`` and ``gains``;
        - ``segmental_arms``: log(1 + number of segmental gains and losses over all arms), or with ``change`` of those;
        - ``stretches``: log(1 + number of segmentally altered stretches of at least 3 Mb); ``stretch_length``: log2 of
          their median length in megabases, NaN where there are none;
        - ``segmental_load``: mean segmental change of the covered autosomes in copies, gains and losses alike, at most
          two copies each; ``chromosome_load``: that of a ``chromosome``;
        - ``arm_level``: mean altered level of an ``arm``, from -2 to 2 copies, 0 where it is not altered;
          ``chromosome_level``: level of the numerical change of a ``chromosome``;
        - ``numerical_count``: autosomes with a numerical change; ``numerical_only``: there are some, and no arm
          has a segmental change;
        - ``fraction_altered``: altered part of the covered autosomes; ``ploidy_shift``: mean level of the autosomes,
          in copies;
        - ``breakpoints``: log(1 + number of steps within chromosomes); ``steps_of_a_chromosome``: log(1 + those of the
          chromosome that has most); ``broken_chromosomes``: how many have one;
        - ``oscillation``: log(1 + switches between two copy-number states in the longest such series on a
          chromosome), or with ``at_least`` whether there are so many;
        - ``other_amplification``: an amplicon that does not overlap the cytogenetic band ``outside_band``;
        - ``amplicons``, ``amplicon_span``: log(1 + number), log(1 + megabases) of the amplicons that do not overlap
          ``outside_band``, or of those that overlap ``inside_band``; neighbouring amplified segments are one;
        - ``gene``: ``gene`` is hit by ``change`` (``amplification``, ``gain``, ``loss`` or ``deep_deletion``); an
          amplified level that more than 20 Mb share is a gain. With
          ``extent = "focal"`` (``"broad"``) only by a stretch of at most (more than) 10 Mb;
        - ``deletion_on_x``: ``gene`` is deleted relative to the rest of the X chromosome: every copy of it, or in
          females at least one.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. NaN where the diagnosis sample has no copy-number data of the arm or gene
        (less than half of the arm or band, or of the genome for genome-wide measures), and where the scale of its
        profile cannot be told; an amplification that is seen counts in any case.

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
    for definition in definitions:
        _check(definition)
    sex = cohort.patients.set_index(cohort.patient_ids).get("sex", pd.Series(dtype="object"))
    gene_copies = genes.gene_copies(cohort)
    # NumPy works outside the interpreter's lock, so two blocks at a time keep two processors busy.
    with ThreadPoolExecutor(_WORKERS) as workers:
        measured = partial(_measure, definitions=definitions, sex=sex, gene_copies=gene_copies)
        parts = list(workers.map(measured, _segment_blocks(cohort)))
    empty = pd.DataFrame({definition.name: [] for definition in definitions}, dtype=np.float64)
    return pd.concat([empty, *parts]).reindex(cohort.patient_ids)


def _measure(
    block: _SegmentBlock,
    definitions: Sequence[FeatureDefinition],
    sex: pd.Series,
    gene_copies: pd.DataFrame,
) -> pd.DataFrame:
    """Compute the features of a block of patients."""
    profile = _copy_number_profile(block)
    female = sex.reindex(profile.patient_ids).map({"female": True, "male": False}).astype("object").to_numpy()
    tables = CopyNumberTables(profile, **arms.arm_lengths(profile), female=female, gene_copies=gene_copies)
    columns = {
        definition.name: _MEASURES[definition.parameters["measure"]][0](tables, definition.parameters)
        for definition in definitions
    }
    return pd.DataFrame(columns, index=profile.patient_ids, dtype=np.float64)


def _check(definition: FeatureDefinition) -> None:
    measure = definition.parameters.get("measure")
    if measure not in _MEASURES:
        raise illegal(definition.parameters, "measure", _MEASURES)
    names = _MEASURES[measure][1]
    optional = _OPTIONAL.get(measure, set())
    check_parameters(definition, ("measure", _BLOCK, *names), [name for name in names if name not in optional])


CALLS = (
    "neutral",
    "segmental gain",
    "segmental loss",
    "numerical gain",
    "numerical loss",
    "amplified",
    "deep deletion",
    "not assessable",
)
_ARMS = tuple(f"{chromosome}{side}" for chromosome in (*_AUTOSOMES, "X") for side in "pq")
_ENOUGH_X = 3
"""Patients of a sex and a platform whose median says where its unchanged X lies."""


def copy_number_calls(cohort: Cohort) -> pd.DataFrame:
    """Call every chromosome arm of every patient, segmental and numerical changes apart.

    An arm is ``amplified`` where it holds an amplicon (at most 10 Mb) or an amplified gene of the catalogue;
    ``deep deletion`` where at most 10 Mb of it lie at the level of two lost copies; ``segmental gain`` or ``loss``
    (the longer of them) where at least 3 Mb are changed beyond any change of the whole chromosome; ``numerical gain``
    or ``loss`` where nine tenths of the chromosome are changed in one direction; ``not assessable`` where less than
    half of it is covered, or the scale of the profile cannot be told. The first that holds is the call; the other
    columns keep what stands behind it.

    Parameters
    ----------
    cohort : Cohort
        With ``segments``.

    Returns
    -------
    DataFrame
        A row a patient and arm (``1p`` to ``22q``, ``Xp``, ``Xq``), patients as in the cohort:

        - ``patient_id``, ``arm``, ``call``;
        - ``copies``: mean level of what the call is about, of amplicons and deep deletions the extreme one, as in a
          diploid tumour: 2 is neutral, 3 and 1 are single-copy changes; NaN where it is not assessable;
        - ``altered_mb``: megabases that the call is about;
        - ``gained_mb``, ``lost_mb``: segmental changes of either direction; ``whole_chromosome``: copies of the
          numerical change, 2 without one; ``amplified_genes``: of the catalogue, separated by commas;
        - ``covered``: part of the arm that segments cover;
        - ``centre``, ``single_loss``, ``single_gain``: the sample's scale in log2 ratio units; ``scale_source``:
          ``platform``, ``own steps`` or ``own steps and purity``; ``own_steps``: how many; ``scale_told``: whether
          the scale can be told from the profile.

    Raises
    ------
    InputError
        A profiled sample has no genome build.

    Notes
    -----
    X is called where the sex is known and at least three patients of that sex were profiled on the same platform:
    their median is its neutral level, because files do not say whose DNA the reference was.

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": ["11", "11", "7"], "start": [1, 70_000_001, 1],
    ...     "end": [70_000_000, 135_000_000, 159_000_000], "log2_ratio": [0.0, -0.4, 0.3]})
    >>> cohort = Cohort("one", pd.DataFrame({"patient_id": ["p"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "patient_id": ["p"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "assay": ["copy_number"], "genome_build": ["hg19"], "platform": ["P"]}),
    ...     segments=segments,
    ...     metadata={"platforms": {"P": {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.02}}})
    >>> calls = copy_number_calls(cohort).set_index("arm")
    >>> calls.loc[["7p", "11p", "11q", "1p"], ["call", "copies"]].to_dict("index")["11q"]
    {'call': 'segmental loss', 'copies': 1.0}
    >>> calls.loc[["7p", "11p", "1p"], "call"].tolist()
    ['numerical gain', 'neutral', 'not assessable']
    """
    genes = sorted(
        {
            entry.parameters["gene"]
            for entry in load_catalogue().by_builder("copy_number")
            if entry.parameters.get("change") == "amplification"
        }
    )
    parts = [_arm_calls(_copy_number_profile(block), genes) for block in _blocks_with_x(cohort)]
    every = pd.MultiIndex.from_product([cohort.patient_ids, _ARMS], names=["patient_id", "arm"])
    table = pd.concat(parts).reindex(every) if parts else pd.DataFrame(index=every, columns=list(_COLUMNS))
    table["call"] = table["call"].fillna("not assessable")
    table["scale_told"] = table["scale_told"].eq(True)
    table["amplified_genes"] = table["amplified_genes"].fillna("")
    return table.astype(_COLUMNS)[list(_COLUMNS)].reset_index()


_COLUMNS = {
    "call": "str",
    "copies": "float64",
    "altered_mb": "float64",
    "gained_mb": "float64",
    "lost_mb": "float64",
    "whole_chromosome": "float64",
    "amplified_genes": "str",
    "covered": "float64",
    "centre": "float64",
    "single_loss": "float64",
    "single_gain": "float64",
    "scale_source": "str",
    "own_steps": "float64",
    "scale_told": "bool",
}


def copy_number_segments(cohort: Cohort) -> pd.DataFrame:
    """Return the smoothed segments that arms are called from, each with its level in copies and its call.

    Parameters
    ----------
    cohort : Cohort
        With ``segments``.

    Returns
    -------
    DataFrame
        ``patient_id``, ``genome_build``, ``chromosome`` (``"1"`` to ``"22"``, ``"X"``), ``start``, ``end`` (bases),
        ``log2_ratio`` (of X relative to its neutral level), ``copies`` and ``call`` as in :func:`copy_number_calls`.
        X is there where it can be called.

    Raises
    ------
    InputError
        A profiled sample has no genome build.

    Examples
    --------
    >>> segments = pd.DataFrame({"sample_id": "s", "chromosome": "11", "start": [1, 70_000_001],
    ...     "end": [70_000_000, 135_000_000], "log2_ratio": [0.0, -0.4]})
    >>> cohort = Cohort("one", pd.DataFrame({"patient_id": ["p"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "patient_id": ["p"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s"], "assay": ["copy_number"], "genome_build": ["hg19"], "platform": ["P"]}),
    ...     segments=segments,
    ...     metadata={"platforms": {"P": {"centre": 0.0, "loss": -0.4, "gain": 0.3, "noise": 0.02}}})
    >>> copy_number_segments(cohort)[["copies", "call"]].to_numpy().tolist()
    [[2.0, 'neutral'], [1.0, 'segmental loss']]
    """
    names = np.array(["", *_AUTOSOMES, "X"], dtype=object)
    parts = []
    for profile in map(_copy_number_profile, _blocks_with_x(cohort)):
        one = profile.segments
        parts.append(
            pd.DataFrame(
                {
                    "patient_id": profile.patient_ids[one.sample],
                    "genome_build": np.array(_BUILDS, dtype=object)[profile.build[one.sample]],
                    "chromosome": names[one.chromosome],
                    "start": one.start,
                    "end": one.end,
                    "log2_ratio": one.log2_ratio,
                    "copies": _diploid(profile.copies),
                    "call": _segment_calls(profile),
                }
            )
        )
    columns = ["patient_id", "genome_build", "chromosome", "start", "end", "log2_ratio", "copies", "call"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _diploid(copies: np.ndarray) -> np.ndarray:
    """Return the copies of a tumour cell whose neutral level is 2: a single-copy gain makes 3, a loss 1."""
    return np.where(copies > 0, 2 * 1.5**copies, 2 * 2.0**copies)


def _segment_calls(profile: _CopyNumberProfile) -> np.ndarray:
    known = profile.scales["known"].to_numpy(dtype=bool)[profile.segments.sample]
    return np.select(
        [
            profile.amplified,
            ~known,
            _deeply_deleted(profile),
            profile.segmental_gain,
            profile.segmental_loss,
            profile.base > 0,
            profile.base < 0,
        ],
        [CALLS[place] for place in (5, 7, 6, 1, 2, 3, 4)],
        CALLS[0],
    )


def _deeply_deleted(profile: _CopyNumberProfile) -> np.ndarray:
    """Which segments lie at the level of two lost copies that at most 10 Mb share."""
    found = profile.copies <= -_DEEP
    rows = np.flatnonzero(found)
    found[rows] = _shared_length(profile.segments, -profile.copies, rows, -profile.copies[rows], _FOCAL) <= _FOCAL
    return found


def _blocks_with_x(cohort: Cohort) -> list[_SegmentBlock]:
    """Blocks of patients whose X is relative to its neutral level, and left out where that is not known."""
    blocks = list(_segment_blocks(cohort))
    expected = _neutral_x(cohort, blocks)
    found = []
    for block in blocks:
        one, on_x = block.segments, block.segments.chromosome == X
        level = expected.reindex(block.platform.index).to_numpy()[one.sample]
        moved = replace(one, log2_ratio=np.where(on_x, one.log2_ratio - level, one.log2_ratio))
        found.append(replace(block, segments=moved.where(~on_x | ~np.isnan(level))))
    return found


def _neutral_x(cohort: Cohort, blocks: Sequence[_SegmentBlock]) -> pd.Series:
    """Log2 ratio of an unchanged X above the centre, by patient: the median of a sex on a platform."""
    levels = []
    for block in blocks:
        on_x = block.segments.where(block.segments.chromosome == X)
        some = np.unique(on_x.sample)
        values = sample_centres(on_x) - block.platform["centre"].to_numpy()[some] if len(some) else []
        levels.append(pd.Series(values, block.platform.index[some], dtype=np.float64))
    level = pd.concat(levels) if levels else pd.Series(dtype=np.float64)
    patients = cohort.patients.set_index(cohort.patient_ids)
    sex = patients.get("sex", pd.Series(np.nan, patients.index, dtype="object")).reindex(level.index)
    assays = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    names = assays.get("platform", pd.Series("unknown", assays.index)).fillna("unknown")
    platform = names.reindex(cohort.assayed_samples("copy_number").reindex(level.index)).to_numpy()
    grouped = level.groupby([platform, sex.to_numpy()])
    return grouped.transform("median").where(grouped.transform("size") >= _ENOUGH_X)


def _arm_calls(profile: _CopyNumberProfile, genes: Sequence[str]) -> pd.DataFrame:
    """Call the arms of a block of patients; indexed by patient and arm."""
    one, copies = profile.segments, profile.copies
    gain, loss, deep = profile.segmental_gain, profile.segmental_loss, _deeply_deleted(profile)
    of_arm = _ArmSums(profile)
    gained, lost, numerical = of_arm.sum(gain), of_arm.sum(loss), of_arm.sum(profile.base != 0)
    amplicons, deletions, covered = of_arm.sum(profile.amplified), of_arm.sum(deep), of_arm.sum(np.ones(len(copies)))
    named, gene_level, gene_length = _amplified_genes(profile, genes)
    amplified = (amplicons > 0) | (named != "")
    covered_part = covered / of_arm.arm_length
    known = np.repeat(profile.scales["known"].to_numpy(dtype=bool), len(_ARMS))
    segmental = (gained >= arms.MIN_ALTERED) | (lost >= arms.MIN_ALTERED)
    assessable = known & ((covered_part >= arms.COVERED) | segmental | (deletions > 0))
    base = of_arm.mean(profile.base, profile.base != 0)
    highest = np.maximum(of_arm.extreme(copies, profile.amplified), gene_level)
    # What is called, how many bases of it, and at which level; the first that holds.
    rules = [
        (amplified, CALLS[5], np.maximum(amplicons, gene_length), highest),
        (~assessable, CALLS[7], np.full(len(known), np.nan), np.full(len(known), np.nan)),
        (deletions > 0, CALLS[6], deletions, -of_arm.extreme(-copies, deep)),
        (segmental & (gained >= lost), CALLS[1], gained, of_arm.mean(copies, gain)),
        (segmental, CALLS[2], lost, of_arm.mean(copies, loss)),
        (base > 0, CALLS[3], numerical, base),
        (base < 0, CALLS[4], numerical, base),
    ]
    conditions, names, lengths, levels = zip(*rules, strict=True)
    level = np.select(conditions, levels, of_arm.mean(copies, np.ones(len(copies), dtype=bool)))
    scales = profile.scales
    step, hint = scales["steps"].to_numpy(), scales["purity_hint"].to_numpy()
    source: np.ndarray = np.select([step == 0, hint == 1], ["platform", "own steps"], "own steps and purity")
    seen = np.where(assessable, 1.0, np.nan)
    table = pd.DataFrame(
        {
            "call": np.select(conditions, names, CALLS[0]),
            "copies": _diploid(level).round(2),
            "altered_mb": (np.select(conditions, lengths, 0.0) / 1e6).round(3),
            "gained_mb": (gained / 1e6 * seen).round(3),
            "lost_mb": (lost / 1e6 * seen).round(3),
            "whole_chromosome": _diploid(np.nan_to_num(base) * seen).round(2),
            "amplified_genes": named,
            "covered": np.minimum(covered_part, 1.0).round(3),
        },
        index=pd.MultiIndex.from_product([profile.patient_ids, _ARMS], names=["patient_id", "arm"]),
    )
    of_sample = {
        "centre": scales["centre"].to_numpy().round(4),
        "single_loss": scales["loss"].to_numpy().round(4),
        "single_gain": scales["gain"].to_numpy().round(4),
        "scale_source": source,
        "own_steps": step,
        "scale_told": scales["known"].to_numpy(dtype=bool),
    }
    # A patient without any segment has a platform, but no profile whose scale could be shown.
    with_profile = np.repeat(np.isin(np.arange(len(scales)), one.sample), len(_ARMS))
    return table.assign(**{name: np.repeat(values, len(_ARMS)) for name, values in of_sample.items()})[with_profile]


class _ArmSums:
    """Sums over the pieces of segments that lie on each arm; flat arrays of patients times arms."""

    def __init__(self, profile: _CopyNumberProfile) -> None:
        one, centromere = profile.segments, arms.by_build(profile, "centromere")
        length = np.stack(
            [np.minimum(one.end, centromere) - one.start, one.end - np.maximum(one.start, centromere)], axis=1
        )
        self._length = np.maximum(length, 0)
        first = one.sample.astype(np.int64) * len(_ARMS) + (one.chromosome.astype(np.int64) - 1) * 2
        self._cell = first[:, None] + np.array([0, 1])
        self._cells = len(profile.patient_ids) * len(_ARMS)
        lengths = np.array([[arms.length_of_arm(build, arm) for arm in _ARMS] for build in _BUILDS], dtype=np.float64)
        self.arm_length = lengths[np.maximum(profile.build, 0)].ravel()

    def sum(self, weights: np.ndarray) -> np.ndarray:
        """Weighted bases of each arm."""
        values = self._length * weights[:, None]
        return np.bincount(self._cell.ravel(), weights=values.ravel(), minlength=self._cells)

    def mean(self, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Mean of the chosen segments by bases; NaN where there are none."""
        total = self.sum(chosen)
        with np.errstate(invalid="ignore"):
            return self.sum(np.where(chosen, values, 0.0)) / total

    def extreme(self, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Highest value of the chosen segments; -infinity where there are none."""
        highest = np.full(self._cells, -np.inf)
        here = (self._length > 0) & chosen[:, None]
        np.maximum.at(highest, self._cell[here], np.broadcast_to(values[:, None], here.shape)[here])
        return highest


def _amplified_genes(profile: _CopyNumberProfile, genes: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amplified genes of each arm, the highest of their levels and the bases at it."""
    cells = len(profile.patient_ids) * len(_ARMS)
    named, level, length = np.full(cells, "", dtype=object), np.full(cells, -np.inf), np.zeros(cells)
    raw = profile.raw
    for gene in genes:
        rows = arms.rows_hit(profile, gene, "amplification")
        cell = raw.sample[rows].astype(np.int64) * len(_ARMS) + _ARMS.index(arms.arm_of_gene(gene))
        found = np.unique(cell)
        named[found] = np.where(named[found] == "", gene, named[found] + f", {gene}")
        np.maximum.at(level, cell, _in_copies(raw.log2_ratio[rows], profile.scales, raw.sample[rows]))
        np.maximum.at(length, cell, raw.end[rows] - raw.start[rows])
    return named, level, length
