"""Published gene sets, their genes as single features, and which genes each patient's assay covered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.content import decode, read_bytes
from nbrelapse.cohort.genes import canonical_symbols
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders.expression import _distinct_genes, _genes_of_rows, _required_genes
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.catalogue_rules import _GENE_SET_KEYS

_GENE_SET_COLUMNS = ("gene_set", "Hugo_Symbol")


def read_gene_sets(file: str | Path) -> dict[str, list[str]]:
    r"""Read gene sets from a GMT file or a tab-separated table.

    Parameters
    ----------
    file : path
        ``.gmt``: a line a set, ``name <tab> description <tab> gene <tab> gene ...``. Otherwise a tab-separated table
        with the columns ``gene_set`` and ``Hugo_Symbol``, a row a gene.

    Returns
    -------
    dict of str to list of str
        Gene symbols by set, in the order of the file, each once.

    Raises
    ------
    InputError
        The file is missing, is not text, lacks a column, or holds no gene.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "sets.gmt"
    ...     _ = file.write_text("ADRN\tsource\tPHOX2B\tGATA3\tPHOX2B\n")
    ...     read_gene_sets(file)
    {'ADRN': ['PHOX2B', 'GATA3']}
    """
    text = decode(read_bytes(file), file)
    table = _from_gmt(text, file) if Path(file).suffix == ".gmt" else _from_table(text, file)
    table = table[table["Hugo_Symbol"].ne("")].drop_duplicates()
    if table.empty:
        raise InputError("the gene sets file holds no genes", file=file, fix="get it again, or leave it out")
    by_set = table.groupby("gene_set", sort=False)["Hugo_Symbol"]
    return {str(name): genes.tolist() for name, genes in by_set}


def _from_gmt(text: str, file: str | Path) -> pd.DataFrame:
    lines = {number: line.split("\t") for number, line in enumerate(text.splitlines(), start=1) if line.strip()}
    short = [number for number, fields in lines.items() if len(fields) < 3]
    if short:
        raise InputError(
            "a line has no genes",
            file=file,
            rows=short,
            expected="name, description and genes separated by tabs",
            fix="complete or remove the line",
        )
    rows = [(fields[0].strip(), gene.strip()) for fields in lines.values() for gene in fields[2:]]
    return pd.DataFrame(rows, columns=list(_GENE_SET_COLUMNS))


def _from_table(text: str, file: str | Path) -> pd.DataFrame:
    rows = [line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in _GENE_SET_COLUMNS if name not in header]
    if missing:
        raise InputError(
            "the gene sets table lacks columns",
            file=file,
            column=", ".join(missing),
            expected="tab-separated columns gene_set and Hugo_Symbol",
            fix="name the columns so; a GMT file is called .gmt",
        )
    places = [header.index(name) for name in _GENE_SET_COLUMNS]
    short = [number for number, row in enumerate(rows[1:], start=1) if len(row) <= max(places)]
    if short:
        raise InputError(
            "a row is cut short",
            file=file,
            rows=short,
            expected=f"{len(header)} tab-separated fields",
            fix="complete or remove the row; where it is the last one, get the file again",
        )
    return pd.DataFrame([[row[place].strip() for place in places] for row in rows[1:]], columns=list(_GENE_SET_COLUMNS))


def with_gene_features(
    catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]], measured: Collection[str]
) -> Catalogue:
    """Return the catalogue with a feature for each measured gene of the gene sets that its features name.

    A signature weighs its genes alike; these let a model weigh them itself. A gene belongs to the mechanism of its
    smallest set, at equal size of the one that the catalogue names first: the fewer genes, the more it says of each.

    Parameters
    ----------
    catalogue : Catalogue
    gene_sets : dict of str to sequence of str
        Gene symbols by set.
    measured : collection of str
        Symbols of the expression matrix; other genes are left out.

    Returns
    -------
    Catalogue
        The new features have the role ``gene`` and the name ``mechanism__gene_SYMBOL``.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> sets = {"HALLMARK_P53_PATHWAY": ["CDKN1A", "BAX"], "HALLMARK_APOPTOSIS": ["BAX"]}
    >>> catalogue = with_gene_features(load_catalogue(), sets, ["BAX", "CDKN1A", "ACTB"])
    >>> [name for name, feature in catalogue.features.items() if feature.role == "gene"]
    ['p53__gene_BAX', 'p53__gene_CDKN1A']
    """
    named = [
        (definition, definition.parameters[key])
        for definition in catalogue.features.values()
        for key in _GENE_SET_KEYS
        if definition.parameters.get(key) in gene_sets
    ]
    known = set(measured)
    owners: dict[str, FeatureDefinition] = {}
    for definition, name in sorted(named, key=lambda item: len(gene_sets[item[1]])):
        for gene in gene_sets[name]:
            if gene in known:
                owners.setdefault(gene, definition)
    added = {f"{owner.mechanism}__gene_{gene}": _gene_feature(gene, owner) for gene, owner in owners.items()}
    return replace(catalogue, features={**catalogue.features, **added})


def _gene_feature(gene: str, owner: FeatureDefinition) -> FeatureDefinition:
    return FeatureDefinition(
        name=f"{owner.mechanism}__gene_{gene}",
        mechanism=owner.mechanism,
        title=gene,
        definition=f"Rank percentile of {gene} within the sample.",
        assay="expression",
        kind="score",
        builder="expression",
        parameters={"gene": gene},
        role="gene",
        reference=owner.reference,
    )


_FOUND_COLUMNS = ["mechanism", "genes_asked", "genes_measured", "share", "missing", "scorable"]


def genes_found(
    cohort: Cohort | pd.Index, catalogue: Catalogue | None = None, gene_sets: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """Report for every expression feature how many of its genes were measured.

    Parameters
    ----------
    cohort : Cohort or Index of str
        Or the genes of :func:`measured_genes`, all blocks of a cohort taken together.
    catalogue : Catalogue, optional
        The packaged one by default.
    gene_sets : dict of str to sequence of str, optional
        Complete published signatures. Features whose gene set is not here are left out, as in
        :func:`nbrelapse.mechanisms.build_features`.

    Returns
    -------
    DataFrame
        Indexed by ``feature``, in the catalogue's order: ``mechanism``; ``genes_asked`` and ``genes_measured``,
        counted by current symbol, where measured means a value in at least one diagnosis sample; ``share``, their
        ratio; ``missing``, the other genes by current symbol, separated by commas; ``scorable``, whether enough genes
        were measured for a score. A difference has the genes of both its scores, and is scorable if both are.

    Examples
    --------
    >>> from nbrelapse.cohort.cohort import Cohort
    >>> cohort = Cohort(
    ...     "one",
    ...     pd.DataFrame({"patient_id": ["p1"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "patient_id": ["p1"], "timepoint": ["diagnosis"]}),
    ...     pd.DataFrame({"sample_id": ["s1"], "assay": ["expression"]}),
    ...     expression=pd.DataFrame({"s1": [9.0, 2.0]}, index=["GZMA", "NMYC"]),
    ... )
    >>> table = genes_found(cohort)
    >>> table.loc["microenvironment__cytotoxic", ["genes_measured", "missing"]].to_dict()
    {'genes_measured': 1, 'missing': 'PRF1'}
    >>> table.index[table["scorable"]].tolist()
    ['mycn__expression']
    """
    catalogue = load_catalogue() if catalogue is None else catalogue
    definitions = {definition.name: definition for definition in catalogue.by_builder("expression")}
    asked = {name: _signatures(definition, gene_sets or {}) for name, definition in definitions.items()}
    for name, definition in definitions.items():
        if "difference" in definition.parameters:
            scores = [asked.get(score, []) for score in definition.parameters["difference"]]
            asked[name] = [part for parts in scores for part in parts] if all(scores) else []
    measured = measured_genes(cohort) if isinstance(cohort, Cohort) else cohort
    rows = {name: _row(definitions[name], parts, measured) for name, parts in asked.items() if parts}
    return pd.DataFrame.from_dict(rows, orient="index", columns=_FOUND_COLUMNS).rename_axis("feature")


def _signatures(definition: FeatureDefinition, gene_sets: Mapping[str, Sequence[str]]) -> list[pd.Index]:
    """Genes that an entry names or takes from a set, by part; none where a set is not at hand."""
    parameters = definition.parameters
    if any(parameters[key] not in gene_sets for key in _GENE_SET_KEYS if key in parameters):
        return []
    lists = [gene_sets[parameters[key]] for key in _GENE_SET_KEYS if key in parameters]
    lists += [parameters[key] for key in _GENE_SET_KEYS.values() if key in parameters]
    lists += [[parameters["gene"]]] if "gene" in parameters else []
    return [_distinct_genes(genes) for genes in lists]


def measured_genes(cohort: Cohort) -> pd.Index:
    """Return the current symbols of the genes with a value in a diagnosis sample, each once."""
    if cohort.expression is None:
        return pd.Index([], dtype="str")
    chosen = cohort.assayed_samples("expression")
    values = cohort.expression[chosen[chosen.isin(cohort.expression.columns)].tolist()]
    return _genes_of_rows(cohort.expression.index)[values.notna().any(axis=1).to_numpy()].dropna().unique()


def _row(definition: FeatureDefinition, parts: Sequence[pd.Index], measured: pd.Index) -> list[object]:
    genes = pd.Index([gene for part in parts for gene in part], dtype="str").unique()
    found = genes.isin(measured)
    scorable = all(part.isin(measured).sum() >= _required_genes(len(part)) for part in parts)
    return [
        definition.mechanism,
        len(genes),
        int(found.sum()),
        float(found.mean()),
        ", ".join(genes[~found]),
        scorable,
    ]


def assay_coverage(cohort: Cohort, assay: str) -> pd.DataFrame:
    """Return the assayed diagnosis sample of each patient, and how it was looked at.

    Parameters
    ----------
    cohort : Cohort
    assay : {"mutations", "rearrangements"}

    Returns
    -------
    DataFrame
        Indexed by the ``patient_id`` of assayed patients; ``sample_id``, ``panel`` (missing = whole exome or
        genome), ``genome_build``, ``covered_mb`` (megabases of coding sequence, NaN = unknown).
    """
    chosen = cohort.assayed_samples(assay)
    how = cohort.assays[cohort.assays["assay"] == assay].set_index("sample_id")
    how = how.reindex(columns=["panel", "genome_build", "covered_mb"]).reindex(chosen)
    return how.reset_index(names="sample_id").set_index(chosen.index)


def covers_all(coverage: pd.DataFrame, panels: pd.DataFrame | None, genes: Sequence[str] | None) -> pd.Series:
    """Whether every gene was looked at.

    Parameters
    ----------
    coverage : DataFrame
        From :func:`assay_coverage`.
    panels : DataFrame or None
        ``panel``, ``gene``; a panel without listed genes covers none.
    genes : sequence of str or None
        Symbols, of all times as in `panels`: a former name of a gene is the gene. None asks for the whole exome or
        genome.

    Returns
    -------
    Series of bool
        Indexed as `coverage`.

    Examples
    --------
    >>> coverage = pd.DataFrame({"panel": ["P1", None]}, index=["a", "b"])
    >>> covers_all(coverage, pd.DataFrame({"panel": ["P1"], "gene": ["ALK"]}), ["ALK", "TP53"]).to_dict()
    {'a': False, 'b': True}
    >>> covers_all(coverage, pd.DataFrame({"panel": ["P1"], "gene": ["MLL"]}), ["KMT2A"]).to_dict()
    {'a': True, 'b': True}
    """
    whole = coverage["panel"].isna()
    if genes is None or panels is None:
        return whole
    wanted = canonical_symbols(pd.Index([*genes], dtype="str")).unique()
    current = canonical_symbols(panels["gene"])
    listed = current[current.isin(wanted)].groupby(panels["panel"]).nunique()
    return whole | coverage["panel"].isin(listed.index[listed == len(wanted)])


def _finding_values(counts: np.ndarray, unclear: np.ndarray, looked_at: np.ndarray, *, counted: bool) -> np.ndarray:
    """Return whether there is a finding, or the logarithm of 1 + how many there are.

    Parameters
    ----------
    counts : ndarray of int, shape (n,)
        Findings of each patient.
    unclear : ndarray of bool, shape (n,)
        Whether there is a call that may be one, or not.
    looked_at : ndarray of bool, shape (n,)
        Whether everything was looked at in which there could be one.
    counted : bool

    Returns
    -------
    ndarray of float64, shape (n,)
        Of presence, a single finding is enough for 1; everything else is NaN where it is unclear or not looked at.

    Examples
    --------
    >>> counts, unclear, looked_at = np.array([2, 0, 0]), np.array([True, False, False]), np.array([True, True, False])
    >>> _finding_values(counts, unclear, looked_at, counted=False).tolist()
    [1.0, 0.0, nan]
    >>> _finding_values(counts, unclear, looked_at, counted=True).tolist()
    [nan, 0.0, nan]
    """
    settled = np.where(looked_at & ~unclear, counts, np.nan)
    return np.log1p(settled) if counted else np.where(counts > 0, 1.0, settled)
