"""Features from structural variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.gene_symbols import canonical_symbols
from nbrelapse.cohort.rearrangement_class import CLASSES, rearrangement_class
from nbrelapse.mechanisms.assay_coverage import assay_coverage, covers_all
from nbrelapse.mechanisms.breakpoint_clusters import clustered_breakpoints
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.genome import BUILDS
from nbrelapse.mechanisms.rearrangement_rule import RearrangementRule, rearrangement_rule

SITES = ("site1", "site2")
COLUMNS = ["sample_id", *(f"{site}_{name}" for site in SITES for name in ("gene", "chromosome", "position")), "class"]
ELSEWHERE, UNKNOWN = -1, -2


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Say which patients carry a rearrangement of a gene, or count their rearrangements.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        Parameters: ``genes``; ``windows``, by genome build ``"chromosome:start-end"`` (both ends included; a list has
        one a gene), in which a breakpoint must lie. ``both_ends = true`` asks for both breakpoints in the same window,
        ``partner_outside = true`` for one in a window and the other known to be elsewhere; ``classes`` keeps those
        of some classes (any spelling). A breakpoint without usable coordinates (no position, no window for the
        build) is judged by its gene symbol. Kind ``count`` is log(1 + number of rearrangements), of all where the entry
        names no genes; with ``clusters = { size = 10, density = 10 }`` log(1 + number of chromosomes that have a
        cluster of breakpoints, see :func:`nbrelapse.mechanisms.breakpoint_clusters.clustered_breakpoints`).

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. 1 = found, 0 = looked at and negative. NaN = no diagnosis sample looked
        at for rearrangements; no finding on a panel that lacks one of the genes; no finding, but a rearrangement that
        cannot be judged: neither usable coordinates nor gene symbols, of unknown class, or of unknown partner where
        that matters. A count of all is NaN on any panel, a count of clusters also where a rearrangement has no place.

    Raises
    ------
    InputError
        An entry has an unknown parameter or an illegal value.

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
    rules = [rearrangement_rule(definition) for definition in definitions]
    coverage = assay_coverage(cohort, "rearrangements")
    calls = _calls(cohort.rearrangements, coverage)
    columns = {}
    for rule in rules:
        looked_at = covers_all(coverage, cohort.panels, rule.genes or None).to_numpy(dtype=bool)
        columns[rule.name] = _feature(calls, rule, looked_at)
    return pd.DataFrame(columns, index=coverage.index, dtype=np.float64).reindex(cohort.patient_ids)


@dataclass(frozen=True)
class _Calls:
    """Rearrangements of the samples looked at, as numbers; site arrays have shape (2, n)."""

    sample: np.ndarray
    build: np.ndarray
    kind: np.ndarray
    chromosome: np.ndarray
    chromosomes: list[str]
    position: np.ndarray
    gene: np.ndarray
    symbols: pd.Index


def _calls(table: pd.DataFrame | None, coverage: pd.DataFrame) -> _Calls:
    calls = pd.DataFrame(columns=COLUMNS, dtype="str") if table is None else table.reindex(columns=COLUMNS)
    sample = pd.Index(coverage["sample_id"]).get_indexer(pd.Index(calls["sample_id"]))
    calls, sample = calls[sample >= 0], sample[sample >= 0]
    places = pd.concat([calls[f"{site}_chromosome"] for site in SITES], ignore_index=True).astype("str")
    symbols = pd.concat([calls[f"{site}_gene"] for site in SITES], ignore_index=True).astype("str")
    chromosome, chromosomes = pd.factorize(places)
    gene, distinct = pd.factorize(canonical_symbols(symbols))
    build_of = pd.Index(BUILDS).get_indexer(pd.Index(coverage["genome_build"], dtype="str"))
    return _Calls(
        sample,
        build_of[sample],
        pd.Index(CLASSES).get_indexer(pd.Index(rearrangement_class(calls))),
        chromosome.reshape(2, -1),
        list(chromosomes),
        np.stack([calls[f"{site}_position"].to_numpy(dtype=np.float64, na_value=np.nan) for site in SITES]),
        gene.reshape(2, -1),
        pd.Index(distinct),
    )


def _feature(calls: _Calls, rule: RearrangementRule, looked_at: np.ndarray) -> np.ndarray:
    """Value of one entry for every patient looked at."""
    if rule.clusters is not None:
        counts, unclear = _clustered_chromosomes(calls, len(looked_at), *rule.clusters)
        return np.where(looked_at & ~unclear, np.log1p(counts), np.nan)
    found, unclear = _match(calls, rule)
    counts = np.bincount(calls.sample[found], minlength=len(looked_at))
    unsure = np.bincount(calls.sample[unclear], minlength=len(looked_at)) > 0
    if rule.counted:
        return np.where(looked_at & ~unsure, np.log1p(counts), np.nan)
    return np.where(counts > 0, 1.0, np.where(looked_at & ~unsure, 0.0, np.nan))


def _match(calls: _Calls, rule: RearrangementRule) -> tuple[np.ndarray, np.ndarray]:
    """Which rearrangements an entry finds, and which it cannot judge."""
    if not rule.genes:
        every = np.ones(len(calls.sample), dtype=bool)
        return every, ~every
    first, second = _where(calls, rule)
    inside, unknown = (first >= 0) | (second >= 0), (first == UNKNOWN) | (second == UNKNOWN)
    if rule.both_ends:
        found, unclear = (first >= 0) & (first == second), unknown & (inside | (first == second))
    elif rule.partner_outside:
        found, unclear = inside & (first != second) & ~unknown, unknown & (inside | (first == second))
    else:
        found, unclear = inside, (first == UNKNOWN) & (second == UNKNOWN)
    if rule.classes:
        wanted = np.isin(calls.kind, [CLASSES.index(name) for name in rule.classes])
        found, unclear = found & wanted, (unclear & (wanted | (calls.kind < 0))) | (found & (calls.kind < 0))
    return found, unclear


def _where(calls: _Calls, rule: RearrangementRule) -> np.ndarray:
    """Return the number of the gene at each site, ELSEWHERE or UNKNOWN; shape (2, n)."""
    numbers = pd.Index(rule.genes).get_indexer(calls.symbols)
    places = np.append(numbers, UNKNOWN)[calls.gene]
    located = np.isfinite(calls.position) & (calls.chromosome >= 0)
    for genome_build, windows in rule.windows.items():
        judged = located & (calls.build == BUILDS.index(genome_build))
        places[judged] = ELSEWHERE
        for number, (chromosome, start, end) in enumerate(windows):
            on_chromosome = np.array([name == chromosome for name in calls.chromosomes] + [False])[calls.chromosome]
            places[judged & on_chromosome & (calls.position >= start) & (calls.position <= end)] = number
    return places


def _clustered_chromosomes(calls: _Calls, patients: int, size: int, density: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of chromosomes with a cluster, and who has a rearrangement without a place."""
    located = np.isfinite(calls.position) & (calls.chromosome >= 0)
    samples = np.broadcast_to(calls.sample, located.shape)[located]
    clustered = clustered_breakpoints(
        samples, calls.chromosome[located], calls.position[located], size=size, density=density
    )
    hit = np.unique(np.stack([samples[clustered], calls.chromosome[located][clustered]]), axis=1)
    unclear = np.bincount(calls.sample[~located.any(axis=0)], minlength=patients) > 0
    return np.bincount(hit[0], minlength=patients), unclear
