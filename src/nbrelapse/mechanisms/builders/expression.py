"""Features from gene expression: single-sample rank scores of signatures and ranks of key genes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.genes import canonical_symbols
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builder_rules import check_parameters
from nbrelapse.mechanisms.catalogue import FeatureDefinition

_FORMS = {"difference": ["difference"], "gene": ["gene"], "genes": ["genes", "genes_down"]}
"""The three forms of an entry, by the parameter that each needs, and what else it may say."""
_SAMPLES_AT_A_TIME = 32
"""So few that their values stay in the processor's cache."""

_Part = tuple[np.ndarray, int]
"""Columns of the genes that a score sums up, and how many of them must be measured."""


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
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
        ``expression`` holds genes by samples. Genes are matched by their current symbols, see :func:`_genes_of_rows`.
    definitions : sequence of FeatureDefinition
        Each has one of the parameters ``gene`` (percentile of one gene), ``genes`` with or without
        ``genes_down`` (a signature), or ``difference`` (the names of two other scores: first minus second).
        Gene sets that an entry names have become its ``genes`` in :func:`nbrelapse.mechanisms.build_features`.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``. NaN where the patient has no expression sample at diagnosis, where too few
        genes were measured (:func:`_required_genes`), and in differences with a score that is not built.

    Raises
    ------
    InputError
        An entry has a parameter that is not read, or lacks or misuses one.

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
    differences = {definition.name for definition in definitions if "difference" in definition.parameters}
    for definition in definitions:
        _check(definition, differences)
    table = _scores(cohort, [definition for definition in definitions if "difference" not in definition.parameters])
    for definition in definitions:
        if "difference" in definition.parameters:
            first, second = (table.get(name, np.nan) for name in definition.parameters["difference"])
            table[definition.name] = first - second
    names = [definition.name for definition in definitions]
    return table[names].astype(np.float64).reindex(cohort.patient_ids)


def _required_genes(asked: int) -> int:
    """Return how many of the genes of a signature must be measured for a score.

    Parameters
    ----------
    asked : int
        Number of genes in the signature.

    Returns
    -------
    int
        A quarter, but never more than 8 and never fewer than 2 (or all where it has fewer).

    Examples
    --------
    >>> [_required_genes(asked) for asked in (1, 2, 9, 369)]
    [1, 2, 3, 8]
    """
    return min(asked, max(2, min(8, math.ceil(asked / 4))))


def _genes_of_rows(symbols: pd.Index) -> pd.Index:
    """Return the gene that each row of an expression matrix stands for.

    Parameters
    ----------
    symbols : Index of str
        As published; a gene may come under several names, and under one name several times.

    Returns
    -------
    Index of str
        Current symbols. Rows that share one are averaged, missing values aside. Missing for a row under a former
        name whose current symbol has a row of its own: that one counts, the other is left out.

    Examples
    --------
    >>> _genes_of_rows(pd.Index(["MYCN", "NMYC", "KIAA1455"])).tolist()
    ['MYCN', nan, 'TENM3']
    """
    current = canonical_symbols(symbols)
    renamed = np.flatnonzero(current != symbols)
    counts = np.ones(len(symbols), dtype=bool)
    counts[renamed] = ~current[renamed].isin(symbols)
    return current.where(counts)


def _distinct_genes(genes: Collection[str]) -> pd.Index:
    """Return the current symbols of a signature's genes, each once."""
    return canonical_symbols(pd.Index(list(genes), dtype="str")).unique()


def _check(definition: FeatureDefinition, differences: Collection[str]) -> None:
    form = next((name for name in _FORMS if name in definition.parameters), "genes")
    check_parameters(definition, _FORMS[form], [form])
    for name, value in definition.parameters.items():
        texts = [value] if name == "gene" else value
        if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
            expected = "a gene symbol" if name == "gene" else "a list of names"
        elif name == "difference" and (len(texts) != 2 or not set(texts).isdisjoint(differences)):
            expected = "two scores that are not differences themselves"
        else:
            continue
        raise InputError(
            f"the parameter {name} is not legal",
            file="catalogue",
            column=f"[{definition.name.replace('__', '.', 1)}]",
            expected=expected,
        )


def _scores(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Score every definition that is no difference; a row an expressed patient."""
    names = [definition.name for definition in definitions]
    chosen = cohort.assayed_samples("expression")
    if cohort.expression is None or not names:
        return pd.DataFrame(index=chosen.index[:0], columns=names, dtype=np.float64)
    chosen = chosen[chosen.isin(cohort.expression.columns)]
    rows = _genes_of_rows(cohort.expression.index)
    codes, genes = pd.factorize(rows)
    single = np.array(["gene" in definition.parameters for definition in definitions])
    wanted = [str(definition.parameters["gene"]) for definition in definitions if "gene" in definition.parameters]
    places = genes.get_indexer(canonical_symbols(pd.Index(wanted, dtype="str")))
    parts = {place: _parts(definitions[place], genes) for place in np.flatnonzero(~single).tolist()}
    blocks = [np.empty((0, len(names)))]
    for values in _blocks(cohort.expression, chosen, codes):
        ranks = _within_sample_ranks(values)
        measured = np.isfinite(ranks).sum(axis=1, dtype=np.float64)
        block = np.empty((len(ranks), len(names)))
        block[:, single] = _percentiles(ranks, measured, places)
        for place, (up, *down) in parts.items():
            block[:, place] = _mean_percentile(ranks, measured, up)
            if down:
                block[:, place] -= _mean_percentile(ranks, measured, down[0])
        blocks.append(block)
    return pd.DataFrame(np.concatenate(blocks), index=pd.Index(chosen.index, name="patient_id"), columns=names)


def _parts(definition: FeatureDefinition, genes: pd.Index) -> list[_Part]:
    """Columns of the genes that raise the score and, in second place, of those that lower it."""
    parts = []
    for name in ("genes", "genes_down"):
        if name in definition.parameters:
            wanted = _distinct_genes(definition.parameters[name])
            places = genes.get_indexer(wanted)
            parts.append((places[places >= 0], _required_genes(len(wanted))))
    return parts


def _blocks(expression: pd.DataFrame, chosen: pd.Series, codes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the genes' values of some samples at a time (samples by genes), rows of one gene averaged."""
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for first in range(0, len(chosen), _SAMPLES_AT_A_TIME):
        samples = chosen.iloc[first : first + _SAMPLES_AT_A_TIME].tolist()
        values = expression[samples].to_numpy(dtype=np.float64).T.take(order, axis=1)
        if len(starts) < len(order):
            known = ~np.isnan(values)
            counts = np.add.reduceat(known, starts, axis=1, dtype=np.float64)
            sums = np.add.reduceat(np.where(known, values, 0.0), starts, axis=1)
            values = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
        yield values


def _percentiles(ranks: np.ndarray, measured: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rank percentiles of single genes; NaN where the matrix has not the gene (place -1)."""
    found = np.full((len(ranks), len(places)), np.nan)
    found[:, places >= 0] = (ranks[:, places[places >= 0]] - 0.5) / measured[:, np.newaxis]
    return found


def _mean_percentile(ranks: np.ndarray, measured: np.ndarray, part: _Part) -> np.ndarray:
    """Mean rank percentile of the genes minus 0.5; NaN where too few of them were measured."""
    places, required = part
    found = ranks[:, places]
    counts = np.isfinite(found).sum(axis=1)
    enough = (counts >= required) & (counts > 0)
    # Ranks are multiples of one half: their sum is exact, so the order of summation cannot change a bit.
    total = np.where(enough, np.nansum(found, axis=1), np.nan)
    return (total / np.where(enough, counts, 1) - 0.5) / np.where(enough, measured, 1.0) - 0.5


def _within_sample_ranks(values: np.ndarray) -> np.ndarray:
    """Rank each row.

    Parameters
    ----------
    values : ndarray of float64 (n_samples, n_genes)
        NaN = not measured.

    Returns
    -------
    ndarray of float64 (n_samples, n_genes)
        1 = lowest; equal values share their mean rank; NaN where the value is NaN.

    Examples
    --------
    >>> _within_sample_ranks(np.array([[7.0, 2.0, np.nan, 7.0]])).tolist()
    [[2.5, 1.0, nan, 2.5]]
    """
    genes = values.shape[1]
    order = np.argsort(values, axis=1) + np.arange(len(values))[:, np.newaxis] * genes
    in_order = values.ravel().take(order.ravel())
    opens = np.ones(values.size, dtype=bool)
    np.not_equal(in_order[1:], in_order[:-1], out=opens[1:])
    opens[:: max(genes, 1)] = True
    starts = np.flatnonzero(opens)
    ends = np.append(starts[1:], opens.size)
    # Places are counted through all rows. NaN is sorted last, so it moves no rank before it.
    shared = (starts + ends + 1) / 2 - starts // max(genes, 1) * genes
    ranks = np.empty(values.size)
    ranks[order.ravel()] = np.repeat(shared, ends - starts)
    ranks[np.isnan(values).ravel()] = np.nan
    return ranks.reshape(values.shape)
