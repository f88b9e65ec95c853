"""Features from structural variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.assay_coverage import assay_coverage, covers_all
from nbrelapse.mechanisms.catalogue import FeatureDefinition

SITES = ("site1", "site2")
COLUMNS = ["sample_id", *(f"{site}_{name}" for site in SITES for name in ("gene", "chromosome", "position")), "class"]


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Say which patients carry a rearrangement of a gene, or count their rearrangements.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        Parameters: ``genes``; ``windows``, by genome build ``"chromosome:start-end"`` (both ends included), in
        which a breakpoint must lie; ``both_ends = true`` asks for both breakpoints inside; ``classes`` keeps the
        classes that start with one of the words (``"DEL"`` finds DEL and DELETION). A breakpoint without usable
        coordinates (no position, no window for the build) is judged by its gene symbol. Kind ``count`` is
        log(1 + number of rearrangements), of all where the entry names no genes.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. 1 = found, 0 = looked at and negative. NaN = no diagnosis sample looked
        at for rearrangements; no finding on a panel that lacks the gene; no finding, but a rearrangement that has
        neither usable coordinates nor gene symbols. A count is NaN on any panel.

    Examples
    --------
    >>> cohort = Cohort(
    ...     "three",
    ...     pd.DataFrame({"patient_id": ["p1", "p2", "p3"]}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "patient_id": ["p1", "p2"], "timepoint": "diagnosis"}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "assay": "rearrangements", "genome_build": "hg19", "panel": None}),
    ...     rearrangements=pd.DataFrame({"sample_id": ["s1"], "site1_chromosome": ["5"], "site1_position": [1300000.0],
    ...         "site2_chromosome": ["7"], "site2_position": [5000000.0], "class": ["TRANSLOCATION"]}),
    ... )
    >>> tert = FeatureDefinition("telomere__tert_rearrangement", "telomere", "TERT", "", "rearrangements", "binary",
    ...     "rearrangements", {"genes": ["TERT"], "windows": {"hg19": "5:1203262-1345184"}})
    >>> build(cohort, [tert])["telomere__tert_rearrangement"].to_dict()
    {'p1': 1.0, 'p2': 0.0, 'p3': nan}
    """
    coverage = assay_coverage(cohort, "rearrangements")
    table = cohort.rearrangements
    calls = pd.DataFrame(columns=COLUMNS, dtype="str") if table is None else table.reindex(columns=COLUMNS)
    calls = calls[calls["sample_id"].isin(coverage["sample_id"])].reset_index(drop=True)
    builds = coverage.set_index("sample_id")["genome_build"]
    calls = calls.assign(genome_build=calls["sample_id"].map(builds))
    columns = {definition.name: _feature(calls, coverage, cohort.panels, definition) for definition in definitions}
    return pd.DataFrame(columns, index=coverage.index, dtype=np.float64).reindex(cohort.patient_ids)


def _feature(
    calls: pd.DataFrame, coverage: pd.DataFrame, panels: pd.DataFrame | None, definition: FeatureDefinition
) -> np.ndarray:
    """Value of one entry for every patient looked at."""
    parameters = definition.parameters
    found, unclear = _match(calls, parameters)
    looked_at = covers_all(coverage, panels, parameters.get("genes"))
    samples = coverage["sample_id"]
    if definition.kind == "count":
        counts = samples.map(calls.loc[found, "sample_id"].value_counts()).fillna(0)
        return np.log1p(counts).where(looked_at).to_numpy(dtype=np.float64)
    negative = looked_at & ~samples.isin(calls.loc[unclear, "sample_id"])
    positive = samples.isin(calls.loc[found, "sample_id"])
    return np.where(positive, 1.0, np.where(negative, 0.0, np.nan))


def _match(calls: pd.DataFrame, parameters: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Which rearrangements an entry finds, and which it cannot judge."""
    if "genes" not in parameters:
        return np.ones(len(calls), dtype=bool), np.zeros(len(calls), dtype=bool)
    inside, known = zip(*(_site(calls, site, parameters) for site in SITES), strict=True)
    found = inside[0] & inside[1] if parameters.get("both_ends", False) else inside[0] | inside[1]
    unclear = ~known[0] & ~known[1]
    if "classes" in parameters:
        words = tuple(word.upper() for word in parameters["classes"])
        of_class = calls["class"].astype("str").str.upper().str.startswith(words, na=False).to_numpy(dtype=bool)
        found, unclear = found & of_class, unclear & of_class
    return found, unclear


def _site(calls: pd.DataFrame, site: str, parameters: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Whether a breakpoint lies where the entry wants it, and whether that can be told."""
    position = calls[f"{site}_position"].astype(np.float64)
    chromosome = calls[f"{site}_chromosome"].astype("str")
    gene = calls[f"{site}_gene"].astype("str")
    within = np.zeros(len(calls), dtype=bool)
    usable = np.zeros(len(calls), dtype=bool)
    for build_name, window in parameters.get("windows", {}).items():
        place, _, span = window.partition(":")
        start, _, end = span.partition("-")
        located = ((calls["genome_build"] == build_name) & position.notna() & chromosome.notna()).to_numpy(dtype=bool)
        within |= (
            located & (chromosome == place).to_numpy(dtype=bool) & position.between(float(start), float(end)).to_numpy()
        )
        usable |= located
    by_symbol = gene.isin(parameters["genes"]).to_numpy(dtype=bool)
    return np.where(usable, within, by_symbol), usable | gene.notna().to_numpy(dtype=bool)
