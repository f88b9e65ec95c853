"""Features from copy-number segments, and from gene copy numbers where there are no segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builder_rules import check_parameters
from nbrelapse.mechanisms.builders import _copy_number_measures as arms
from nbrelapse.mechanisms.builders import _copy_number_measures as genes
from nbrelapse.mechanisms.builders._copy_number_measures import CopyNumberTables, illegal, oscillation
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.profile import _copy_number_profile, _segment_blocks, _SegmentBlock

_MEASURES: dict[str, tuple[Callable[[CopyNumberTables, Mapping[str, Any]], np.ndarray], tuple[str, ...]]] = {
    "arm": (arms.arm, ("arm", "change")),
    "band": (arms.band, ("band", "change")),
    "distal_loss": (arms.distal_loss, ("arm",)),
    "segmental_count": (arms.segmental_count, ("losses", "gains")),
    "any_segmental": (arms.any_segmental, ("losses", "gains")),
    "segmental_arms": (arms.segmental_arms, ()),
    "numerical_count": (arms.numerical_count, ()),
    "numerical_only": (arms.numerical_only, ()),
    "fraction_altered": (arms.fraction_altered, ()),
    "ploidy_shift": (arms.ploidy_shift, ()),
    "breakpoints": (arms.breakpoints, ()),
    "oscillation": (oscillation, ("at_least",)),
    "other_amplification": (genes.other_amplification, ("outside_band",)),
    "gene": (genes.gene, ("gene", "change", "extent")),
    "deletion_on_x": (genes.deletion_on_x, ("gene",)),
}
"""What a copy-number feature may measure: the function, and the parameters that it reads."""
_OPTIONAL = {"at_least", "extent"}
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
        - ``segmental_arms``: log(1 + number of segmental gains and losses over all arms);
        - ``numerical_count``: autosomes with a numerical change; ``numerical_only``: there are some, and no arm
          has a segmental change;
        - ``fraction_altered``: altered part of the covered autosomes; ``ploidy_shift``: mean level of the autosomes,
          in copies;
        - ``breakpoints``: log(1 + number of steps within chromosomes);
        - ``oscillation``: log(1 + switches between two copy-number states in the longest such series on a
          chromosome), or with ``at_least`` whether there are so many;
        - ``other_amplification``: an amplicon that does not overlap the cytogenetic band ``outside_band``;
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
    check_parameters(definition, ("measure", *names), [name for name in names if name not in _OPTIONAL])
