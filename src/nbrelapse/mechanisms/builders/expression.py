"""Features from gene expression: single-sample rank scores of signatures and ranks of key genes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.catalogue import FeatureDefinition


def build(
    cohort: Cohort,
    definitions: Sequence[FeatureDefinition],
    gene_sets: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Score each patient's diagnosis sample, without looking at any other sample.

    Genes are ranked within the sample (ties share their mean rank), and a rank r among n measured genes becomes
    the percentile (r - 0.5) / n. A signature scores the mean percentile of its genes minus 0.5, so 0 is the score
    of a random gene set and the range is (-0.5, 0.5); where a signature has genes that go down, their score is
    subtracted. This is singscore (10.1186/s12859-018-2435-4) with a fixed instead of a signature-dependent range.
    Ranks do not change with the unit or the log base, and a patient scored alone gets the same bits as in a
    cohort, because sums of ranks are exact in double precision.

    Parameters
    ----------
    cohort : Cohort
        ``expression`` holds genes by samples; symbols that occur several times are averaged.
    definitions : sequence of FeatureDefinition
        Each has one of the parameters ``gene`` (percentile of one gene), ``genes`` with or without
        ``genes_down`` (a signature), ``gene_set`` with or without ``gene_set_down`` (names in `gene_sets`), or
        ``difference`` (the names of two other entries: first minus second).
    gene_sets : dict of str to sequence of str, optional
        Complete published sets that the user has named.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. NaN where the patient has no expression sample at diagnosis, or where
        too few genes were measured: at least a quarter of a signature is required, but never more than 8 genes
        and never fewer than 2.

    Notes
    -----
    Percentiles are relative to the genes of the matrix. Cohorts measured on different selections of genes (a
    panel, a pre-filtered matrix) are not comparable with genome-wide ones, nor with each other.

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.cohort.cohort import Cohort
    >>> from nbrelapse.mechanisms.catalogue import FeatureDefinition
    >>> cohort = Cohort(
    ...     "two",
    ...     pd.DataFrame({"patient_id": ["p1", "p2"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "patient_id": ["p1"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "assay": ["expression"]}),
    ...     expression=pd.DataFrame({"s1": [9.0, 2.0, 7.0, 1.0]}, index=["TERT", "CD8A", "MYCN", "ALK"]),
    ... )
    >>> tert = FeatureDefinition("telomere__tert_expression", "telomere", "TERT", "", "expression", "score",
    ...     "expression", {"gene": "TERT"})
    >>> build(cohort, [tert])["telomere__tert_expression"].to_dict()
    {'p1': 0.875, 'p2': nan}
    """
    sets = gene_sets or {}
    ranks, measured = _ranks(cohort)
    scores: dict[str, np.ndarray] = {}
    for definition in definitions:
        if "difference" not in definition.parameters:
            scores[definition.name] = _score(ranks, measured, definition.parameters, sets)
    unknown = np.full(len(ranks), np.nan)
    for definition in definitions:
        if "difference" in definition.parameters:
            first, second = (scores.get(name, unknown) for name in definition.parameters["difference"])
            scores[definition.name] = first - second
    table = pd.DataFrame({definition.name: scores[definition.name] for definition in definitions}, index=ranks.index)
    return table.astype(np.float64).reindex(cohort.patient_ids)


def _ranks(cohort: Cohort) -> tuple[pd.DataFrame, np.ndarray]:
    """Within-sample ranks (patients by genes, 1 = lowest) and the number of genes measured in each sample."""
    if cohort.expression is None:
        return pd.DataFrame(index=pd.Index([], name="patient_id")), np.empty(0)
    chosen = cohort.assayed_samples("expression")
    chosen = chosen[chosen.isin(cohort.expression.columns)]
    values = cohort.expression[chosen.tolist()].astype(np.float64)
    if not values.index.is_unique:
        values = values.groupby(level=0, sort=False).mean()
    ranks = values.rank(axis=0).T.set_axis(pd.Index(chosen.index, name="patient_id"), axis=0)
    return ranks, ranks.notna().sum(axis=1).to_numpy(dtype=np.float64)


def _score(
    ranks: pd.DataFrame,
    measured: np.ndarray,
    parameters: Mapping[str, Any],
    sets: Mapping[str, Sequence[str]],
) -> np.ndarray:
    """Score of one entry for every ranked patient."""
    if "gene" in parameters:
        gene = parameters["gene"]
        rank = ranks[gene].to_numpy() if gene in ranks.columns else np.full(len(ranks), np.nan)
        return (rank - 0.5) / measured
    if "gene_set" in parameters:
        genes, genes_down = (sets.get(parameters.get(key, ""), ()) for key in ("gene_set", "gene_set_down"))
    else:
        genes, genes_down = (parameters.get(key, ()) for key in ("genes", "genes_down"))
    score = _mean_percentile(ranks, measured, genes)
    if {"gene_set_down", "genes_down"} & parameters.keys():
        score = score - _mean_percentile(ranks, measured, genes_down)
    return score


def _mean_percentile(ranks: pd.DataFrame, measured: np.ndarray, genes: Iterable[str]) -> np.ndarray:
    """Mean rank percentile of the genes minus 0.5; NaN where too few of them were measured."""
    wanted = list(dict.fromkeys(genes))
    required = min(len(wanted), max(2, min(8, math.ceil(len(wanted) / 4))))
    found = ranks[[gene for gene in wanted if gene in ranks.columns]].to_numpy()
    counts = np.isfinite(found).sum(axis=1)
    enough = (counts >= required) & (counts > 0)
    # Ranks are multiples of one half: their sum is exact, so the order of summation cannot change a bit.
    total = np.where(enough, np.nansum(found, axis=1), np.nan)
    return (total / np.where(enough, counts, 1) - 0.5) / np.where(enough, measured, 1.0) - 0.5
