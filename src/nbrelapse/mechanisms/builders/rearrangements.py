"""Features from structural variants: breakpoints in windows of the genome, between genes, or in clusters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.genes import canonical_symbols, may_mean
from nbrelapse.cohort.mutations import CLASSES, class_of_word, rearrangement_class
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builder_rules import check_parameters
from nbrelapse.mechanisms.builders._mutation_rules import is_unnamed
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.gene_sets import _finding_values, assay_coverage, covers_all
from nbrelapse.mechanisms.genome import _AUTOSOMES, _BUILDS

_SITES = ("site1", "site2")
_COLUMNS = ["sample_id", *(f"{site}_{name}" for site in _SITES for name in ("gene", "chromosome", "position")), "class"]
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
        cluster of breakpoints, see :func:`nbrelapse.mechanisms.builders.rearrangements.clustered_breakpoints`).

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
    rules = [_rearrangement_rule(definition) for definition in definitions]
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
    calls = pd.DataFrame(columns=_COLUMNS, dtype="str") if table is None else table.reindex(columns=_COLUMNS)
    sample = pd.Index(coverage["sample_id"]).get_indexer(pd.Index(calls["sample_id"]))
    calls, sample = calls[sample >= 0], sample[sample >= 0]
    places = pd.concat([calls[f"{site}_chromosome"] for site in _SITES], ignore_index=True).astype("str")
    symbols = pd.concat([calls[f"{site}_gene"] for site in _SITES], ignore_index=True).astype("str")
    symbols = symbols.mask(is_unnamed(symbols))
    chromosome, chromosomes = pd.factorize(places)
    gene, distinct = pd.factorize(canonical_symbols(symbols))
    build_of = pd.Index(_BUILDS).get_indexer(pd.Index(coverage["genome_build"], dtype="str"))
    return _Calls(
        sample,
        build_of[sample],
        pd.Index(CLASSES).get_indexer(pd.Index(rearrangement_class(calls))),
        chromosome.reshape(2, -1),
        list(chromosomes),
        np.stack([calls[f"{site}_position"].to_numpy(dtype=np.float64, na_value=np.nan) for site in _SITES]),
        gene.reshape(2, -1),
        pd.Index(distinct),
    )


def _feature(calls: _Calls, rule: _RearrangementRule, looked_at: np.ndarray) -> np.ndarray:
    """Value of one entry for every patient looked at."""
    if rule.clusters is not None:
        counts, unclear = _clustered_chromosomes(calls, len(looked_at), *rule.clusters)
        return _finding_values(counts, unclear, looked_at, counted=True)
    found, unsure = _match(calls, rule)
    counts, unclear = (np.bincount(calls.sample[which], minlength=len(looked_at)) for which in (found, unsure))
    return _finding_values(counts, unclear > 0, looked_at, counted=rule.counted)


def _match(calls: _Calls, rule: _RearrangementRule) -> tuple[np.ndarray, np.ndarray]:
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


def _where(calls: _Calls, rule: _RearrangementRule) -> np.ndarray:
    """Return the number of the gene at each site, ELSEWHERE or UNKNOWN; shape (2, n)."""
    numbers = pd.Index(rule.genes).get_indexer(calls.symbols)
    numbers[may_mean(calls.symbols, rule.genes)] = UNKNOWN
    places = np.append(numbers, UNKNOWN)[calls.gene]
    located = np.isfinite(calls.position) & (calls.chromosome >= 0)
    for genome_build, windows in rule.windows.items():
        judged = located & (calls.build == _BUILDS.index(genome_build))
        places[judged] = ELSEWHERE
        for number, (chromosome, start, end) in enumerate(windows):
            on_chromosome = np.array([name == chromosome for name in calls.chromosomes] + [False])[calls.chromosome]
            places[judged & on_chromosome & (calls.position >= start) & (calls.position <= end)] = number
    return places


def _clustered_chromosomes(calls: _Calls, patients: int, size: int, density: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of chromosomes with a cluster, and who has a rearrangement without a place."""
    located = np.isfinite(calls.position) & (calls.chromosome >= 0)
    samples = np.broadcast_to(calls.sample, located.shape)[located]
    clustered = _clustered_breakpoints(
        samples, calls.chromosome[located], calls.position[located], size=size, density=density
    )
    hit = np.unique(np.stack([samples[clustered], calls.chromosome[located][clustered]]), axis=1)
    unclear = np.bincount(calls.sample[~located.any(axis=0)], minlength=patients) > 0
    return np.bincount(hit[0], minlength=patients), unclear


_CHROMOSOMES = (*_AUTOSOMES, "X", "Y")
_Window = tuple[str, int, int]


def _breakpoint_windows(
    written: Mapping[str, str | Sequence[str]], genes: Sequence[str], where: str
) -> dict[str, list[_Window]]:
    """Read the windows of an entry.

    Parameters
    ----------
    written : dict of str to str or list of str
        By genome build ``"chromosome:start-end"``, both ends included; a list has one a gene.
    genes : sequence of str
    where : str
        The entry, for error messages.

    Returns
    -------
    dict of str to list of (chromosome, start, end)
        In the order of `genes`.

    Raises
    ------
    InputError
        A build or chromosome does not exist, a window is no such text, ends before it starts, or is not there for each
        gene.

    Examples
    --------
    >>> _breakpoint_windows({"hg19": "5:1203262-1345184"}, ["TERT"], "[telomere.tert_rearrangement]")
    {'hg19': [('5', 1203262, 1345184)]}
    """
    if not isinstance(written, Mapping):
        raise _illegal_window("windows are not given by genome build", where)
    foreign = [build for build in written if build not in _BUILDS]
    if foreign:
        raise InputError(
            f"unknown genome build {', '.join(foreign)!r}",
            file="catalogue",
            column=where,
            expected=" or ".join(_BUILDS),
        )
    windows = {}
    for build, given in written.items():
        texts = [given] if isinstance(given, str) else list(given)
        if len(texts) != len(genes):
            raise InputError(
                f"{len(texts)} windows for {len(genes)} genes",
                file="catalogue",
                column=where,
                expected="one a gene, in their order",
            )
        windows[build] = [_window(text, where) for text in texts]
    return windows


def _window(text: str, where: str) -> _Window:
    found = re.fullmatch(r"(\w+):(\d+)-(\d+)", str(text))
    if found is None or found[1] not in _CHROMOSOMES or int(found[2]) > int(found[3]):
        raise _illegal_window(f"{text!r} is no window", where)
    return found[1], int(found[2]), int(found[3])


def _illegal_window(problem: str, where: str) -> InputError:
    expected = 'hg19 = "5:1203262-1345184": chromosome without chr, first and last base'
    return InputError(problem, file="catalogue", column=where, expected=expected)


_PARAMETERS = ("genes", "windows", "both_ends", "partner_outside", "classes", "clusters")
_KINDS = ("binary", "count")


@dataclass(frozen=True)
class _RearrangementRule:
    """The parameters of an entry of the builder ``rearrangements``, checked.

    Parameters
    ----------
    name : str
        Of the feature.
    counted : bool
        Kind ``count``.
    genes : list of str
        Current symbols; empty for all rearrangements.
    windows : dict of str to list
        By genome build (chromosome, first, last base), one a gene.
    both_ends, partner_outside : bool
    classes : list of str
        Empty for any.
    clusters : (int, float) or None
        Breakpoints of a cluster, and how much denser they are.
    """

    name: str
    counted: bool
    genes: list[str]
    windows: dict[str, list[_Window]]
    both_ends: bool
    partner_outside: bool
    classes: list[str]
    clusters: tuple[int, float] | None


def _rearrangement_rule(definition: FeatureDefinition) -> _RearrangementRule:
    """Read the parameters of an entry.

    Raises
    ------
    InputError
        A parameter is unknown or illegal, or the entry does not say what it looks for.

    Examples
    --------
    >>> definition = FeatureDefinition("telomere__x", "telomere", "X", "", "rearrangements", "binary", "rearrangements",
    ...     {"genes": ["KIAA1455"], "classes": ["DEL"]})
    >>> rule = _rearrangement_rule(definition)
    >>> rule.genes, rule.classes, rule.windows
    (['TENM3'], ['DELETION'], {})
    """
    check_parameters(definition, _PARAMETERS)
    given = definition.parameters
    where = f"[{definition.mechanism}.{definition.name.removeprefix(f'{definition.mechanism}__')}]"
    genes = given.get("genes", [])
    if not isinstance(genes, (list, tuple)) or ("genes" in given and not genes):
        raise _illegal("genes is not a list of symbols", where, 'such as ["TERT"]')
    placed = any(name in given for name in ("windows", "both_ends", "partner_outside", "classes"))
    if definition.kind not in _KINDS or (not genes and (definition.kind == "binary" or placed)):
        raise _illegal("it is not clear which rearrangements are looked for", where, "kind binary or count, and genes")
    both_ends, partner_outside = (_flag(given, name, where) for name in ("both_ends", "partner_outside"))
    if both_ends and partner_outside:
        raise _illegal("both_ends and partner_outside exclude each other", where, "one of them")
    return _RearrangementRule(
        definition.name,
        definition.kind == "count",
        canonical_symbols(pd.Index(genes, dtype="str")).tolist(),
        _breakpoint_windows(given.get("windows", {}), genes, where),
        both_ends,
        partner_outside,
        _classes(given.get("classes", []), where),
        _clusters(definition, where) if "clusters" in given else None,
    )


def _flag(given: Mapping[str, Any], name: str, where: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise _illegal(f"{name} is {value!r}", where, "true or false")
    return value


def _classes(words: str | Sequence[str], where: str) -> list[str]:
    classes = class_of_word(pd.Series(words if isinstance(words, list) else [words], dtype="str"))
    if classes.isna().any():
        raise _illegal("classes names an unknown class", where, "a list of " + ", ".join(CLASSES))
    return list(classes)


def _clusters(definition: FeatureDefinition, where: str) -> tuple[int, float]:
    given = definition.parameters["clusters"]
    legal = isinstance(given, Mapping) and set(given) == {"size", "density"}
    legal = legal and isinstance(given["size"], int) and given["size"] > 1
    legal = legal and isinstance(given["density"], (int, float)) and given["density"] > 0
    if not legal or definition.kind != "count" or "genes" in definition.parameters:
        raise _illegal("illegal clusters", where, "{ size = 10, density = 10 } in a count without genes")
    return given["size"], float(given["density"])


def _illegal(problem: str, where: str, expected: str) -> InputError:
    return InputError(problem, file="catalogue", column=where, expected=expected)


_GENOME_LENGTH = 3.1e9
"""In bases, for both builds, so that the same event gives the same answer."""
_LONGEST_CHROMOSOME = 2**28


def _clustered_breakpoints(
    sample: np.ndarray, chromosome: np.ndarray, position: np.ndarray, *, size: int = 10, density: float = 10.0
) -> np.ndarray:
    """Tell the breakpoints that belong to a cluster.

    A cluster is `size` breakpoints or more that follow each other on a chromosome at a mean distance of at most
    1 / `density` of the tumour's own mean, which is the length of the genome over the number of its breakpoints.

    Parameters
    ----------
    sample, chromosome : ndarray of int, shape (n,)
        Numbers from 0.
    position : ndarray of float or int, shape (n,)
        In bases.
    size : int
    density : float

    Returns
    -------
    ndarray of bool, shape (n,)

    References
    ----------
    Ten breakpoints, ten times as dense: Nik-Zainal et al. 2016, 10.1038/nature17676. Clusters of breakpoints are the
    first criterion of chromothripsis: Korbel and Campbell 2013, 10.1016/j.cell.2013.02.023.

    Examples
    --------
    >>> position = np.array([1, 2, 3, 200_000_000])
    >>> zero = np.zeros(4, dtype=int)
    >>> _clustered_breakpoints(zero, zero, position, size=3).tolist()
    [True, True, True, False]
    """
    clustered = np.zeros(len(position), dtype=bool)
    if len(position) < size:
        return clustered
    place = sample.astype(np.int64) * (int(chromosome.max()) + 1) + chromosome
    key = place * _LONGEST_CHROMOSOME + position.astype(np.int64)
    order = np.argsort(key, kind="stable")
    starts, ends = order[: len(order) - size + 1], order[size - 1 :]
    allowed = (size - 1) * _GENOME_LENGTH / np.bincount(sample)[sample[starts]] / density
    dense = (place[starts] == place[ends]) & (key[ends] - key[starts] <= allowed)
    # Each dense run opens at its first breakpoint and closes after its last.
    change = np.zeros(len(order) + 1, dtype=np.int64)
    change[: len(dense)] += dense
    change[size : size + len(dense)] -= dense
    clustered[order] = np.cumsum(change[:-1]) > 0
    return clustered
