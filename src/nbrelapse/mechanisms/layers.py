"""Features from the rows of layers, and from all measured genes: which mechanism each of them belongs to."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.layer_rows import RANKED_UNITS, genes_of_names, places_of_names
from nbrelapse.cohort.layers import as_layers, layer_assay
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders.expression import _distinct_genes, _genes_of_rows
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.mechanisms.catalogue_rules import _GENE_SET_KEYS
from nbrelapse.mechanisms.genome import gene_places

OTHER = "other"
"""The mechanism of what is tied to none."""
_BUILDER = "layers"
_LONGEST_NAME = 100
_HALLMARK = "HALLMARK_"

_Owners = Mapping[str, tuple[int, int, str]]
"""By gene the mechanism of its smallest list, after the length of the list and its place: the least is the nearest."""


@cache
def _document() -> dict[str, Any]:
    text = resources.files("nbrelapse.mechanisms").joinpath("layers.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def with_layer_features(
    catalogue: Catalogue,
    cohort: Cohort,
    layers: Collection[str] | None = None,
    gene_sets: Mapping[str, Sequence[str]] | None = None,
) -> Catalogue:
    """Return the catalogue with a feature for each row of a cohort's layers.

    Parameters
    ----------
    catalogue : Catalogue
    cohort : Cohort
        Rows that are not measured at diagnosis, or the same in all patients, become no features.
    layers : collection of str, optional
        Names of layers; all that the cohort has by default.
    gene_sets : dict of str to sequence of str, optional
        Complete gene sets; a gene in one that a feature names belongs to the mechanism of that feature.

    Returns
    -------
    Catalogue
        The new features have the role ``gene``, the builder ``layers``, the assay ``layer:NAME``, the parameters
        ``layer``, ``row`` and ``unit``, and the name ``mechanism__LAYER_ROW``, in which other characters than letters,
        digits, ``.``, ``_`` and ``-`` are an underscore. Rows without a mechanism belong to ``other``.

    Raises
    ------
    InputError
        The cohort has no such layer, or a table of its rows names a mechanism that the catalogue does not have.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> cohort = Cohort(
    ...     "two",
    ...     pd.DataFrame({"patient_id": ["p1", "p2"]}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "patient_id": ["p1", "p2"], "timepoint": "diagnosis"}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "assay": "layer:transcripts"}),
    ...     layers={"transcripts": pd.DataFrame({"s1": [1.0, 2.0], "s2": [2.0, 1.0]}, index=["MYCN.a", "ACTB.b"])},
    ...     metadata={"layers": {"transcripts": {"unit": "log2", "mechanism": "gene"}}},
    ... )
    >>> list(with_layer_features(load_catalogue(), cohort).features)[-2:]
    ['mycn__transcripts_MYCN.a', 'other__transcripts_ACTB.b']
    """
    asked = list(cohort.layers) if layers is None else list(dict.fromkeys(layers))
    absent = [name for name in asked if name not in cohort.layers]
    if absent:
        raise InputError(
            f"the cohort has no layer {', '.join(absent)}",
            column="layers",
            expected=", ".join(cohort.layers) or "a cohort with layers",
            fix="correct the name, or import the layer",
        )
    owners = _owners(catalogue, gene_sets or {})
    added: dict[str, FeatureDefinition] = {}
    taken = set(catalogue.features)
    for name in asked:
        rows = _varying_rows(cohort, name)
        about = cohort.metadata["layers"][name]
        for row, mechanism in zip(rows, _mechanisms(rows, about, catalogue, owners), strict=True):
            feature = _layer_feature(row, mechanism, name, str(about["unit"]), taken)
            taken.add(feature.name)
            added[feature.name] = feature
    return _with(catalogue, added)


def with_all_genes(
    catalogue: Catalogue, measured: Collection[str], gene_sets: Mapping[str, Sequence[str]] | None = None
) -> Catalogue:
    """Return the catalogue with a feature for each measured gene.

    A gene belongs to the mechanism of the shortest list of genes that names it, of those in the catalogue and of the
    gene sets that its features name; at equal length of the one that the catalogue names first.

    Parameters
    ----------
    catalogue : Catalogue
    measured : collection of str
        Symbols of the expression matrix.
    gene_sets : dict of str to sequence of str, optional

    Returns
    -------
    Catalogue
        The new features have the role ``gene`` and the name ``mechanism__gene_SYMBOL``, by the current symbol. Genes
        that nothing names belong to ``other``.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> catalogue = with_all_genes(load_catalogue(), ["MYCN", "NMYC", "ACTB"])
    >>> [name for name, feature in catalogue.features.items() if feature.role == "gene"]
    ['mycn__gene_MYCN', 'other__gene_ACTB']
    """
    genes = _genes_of_rows(pd.Index(list(measured), dtype="str")).dropna().unique()
    owners = _owners(catalogue, gene_sets or {})
    added: dict[str, FeatureDefinition] = {}
    for gene in genes:
        mechanism = _nearest((gene,), owners)
        name = _free_name(f"{mechanism}__gene_", gene, added.keys())
        added[name] = FeatureDefinition(
            name=name,
            mechanism=mechanism,
            title=gene,
            definition=f"Rank percentile of {gene} within the sample.",
            assay="expression",
            kind="score",
            builder="expression",
            parameters={"gene": gene},
            role="gene",
        )
    return _with(catalogue, added)


def layer_mechanisms(
    cohort: Cohort, catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """Count the rows of each layer by the mechanism that they find.

    Parameters
    ----------
    cohort : Cohort
    catalogue : Catalogue
    gene_sets : dict of str to sequence of str, optional

    Returns
    -------
    DataFrame of int
        Indexed by mechanism, ``other`` the last one; a column a layer.
    """
    owners = _owners(catalogue, gene_sets or {})
    layers, about = as_layers(cohort.layers), cohort.metadata.get("layers", {})
    found = {
        name: pd.Series(_mechanisms(layers.rows(name), about[name], catalogue, owners)).value_counts()
        for name in layers
    }
    order = [*(name for name in catalogue.mechanisms if name != OTHER), OTHER]
    return pd.DataFrame(found).reindex(order).fillna(0).astype("int64").rename_axis("mechanism")


def layers_read(catalogue: Catalogue) -> list[str]:
    """Return the layers that the features of a catalogue are read from.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> layers_read(load_catalogue())
    []
    """
    return list(dict.fromkeys(str(entry.parameters["layer"]) for entry in catalogue.by_builder(_BUILDER)))


def _with(catalogue: Catalogue, added: Mapping[str, FeatureDefinition]) -> Catalogue:
    mechanisms = dict(catalogue.mechanisms)
    if OTHER not in mechanisms and any(feature.mechanism == OTHER for feature in added.values()):
        entry = _document()[OTHER]
        mechanisms[OTHER] = Mechanism(OTHER, **{**entry, "therapies": tuple(entry["therapies"])})
    return replace(catalogue, mechanisms=mechanisms, features={**catalogue.features, **added})


def _varying_rows(cohort: Cohort, name: str) -> pd.Index:
    """Rows that are measured in diagnosis samples, and differ between them."""
    layer, chosen = cohort.layers[name], cohort.assayed_samples(layer_assay(name))
    values = layer[chosen[chosen.isin(layer.columns)].tolist()].to_numpy()
    if not values.size:
        return layer.index[:0]
    known = ~np.isnan(values)
    low, high = np.where(known, values, np.inf).min(axis=1), np.where(known, values, -np.inf).max(axis=1)
    return layer.index[low < high]


def _layer_feature(row: str, mechanism: str, layer: str, unit: str, taken: Collection[str]) -> FeatureDefinition:
    ranked, words = unit in RANKED_UNITS, layer.replace("_", " ")
    return FeatureDefinition(
        name=_free_name(f"{mechanism}__{layer}_", row, taken),
        mechanism=mechanism,
        title=f"{row} ({words})",
        definition=f"Rank percentile of {row} within the sample, among the rows of {words}."
        if ranked
        else f"{row} of {words}, as it is ({unit}).",
        assay=layer_assay(layer),
        kind="score" if ranked else "continuous",
        builder=_BUILDER,
        parameters={"layer": layer, "row": row, "unit": unit},
        role="gene",
    )


_ILLEGAL = re.compile(r"[^A-Za-z0-9._-]+")


def _free_name(beginning: str, row: str, taken: Collection[str]) -> str:
    """Name a feature by its row, and number it where the name is taken.

    Examples
    --------
    >>> _free_name("other__junctions_", "chr1:5-9", [])
    'other__junctions_chr1_5-9'
    >>> _free_name("other__cells_", "B-cells", ["other__cells_B-cells"])
    'other__cells_B-cells-2'
    """
    name = beginning + (_ILLEGAL.sub("_", row).strip("_.-")[:_LONGEST_NAME] or "row")
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _owners(catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]]) -> _Owners:
    lists: list[tuple[Sequence[str], str]] = []
    for definition in catalogue.features.values():
        if definition.role == "gene":
            continue
        parameters = definition.parameters
        given: list[Sequence[str]] = [[parameters["gene"]]] if "gene" in parameters else []
        given += [parameters[key] for key in _GENE_SET_KEYS.values() if key in parameters]
        given += [gene_sets[parameters[key]] for key in _GENE_SET_KEYS if parameters.get(key) in gene_sets]
        lists += [(genes, definition.mechanism) for genes in given]
    owners: dict[str, tuple[int, int, str]] = {}
    for place, (genes, mechanism) in enumerate(lists):
        current = _distinct_genes(genes)
        for gene in current:
            found = (len(current), place, mechanism)
            owners[gene] = min(owners.get(gene, found), found)
    return owners


def _nearest(genes: Iterable[str], owners: _Owners) -> str:
    found = [owners[gene] for gene in genes if gene in owners]
    return min(found)[2] if found else OTHER


def _mechanisms(rows: pd.Index, about: Mapping[str, Any], catalogue: Catalogue, owners: _Owners) -> list[str]:
    """Return the mechanism of each row of a layer."""
    how = about["mechanism"]
    if how == "gene":
        return [_nearest(genes, owners) for genes in genes_of_names(rows)]
    if how == "coordinates":
        return [_nearest(genes, owners) for genes in _genes_at(rows, str(about["genome_build"]))]
    if how == "gene_set":
        sets = _mechanism_of_sets(catalogue)
        return [sets.get(_bare(row), OTHER) for row in rows]
    if how == "table":
        return _listed_mechanisms(rows, about["mechanisms"], catalogue)
    return [OTHER] * len(rows)


def _genes_at(rows: pd.Index, build: str) -> list[list[str]]:
    """Return the genes that each place overlaps, of those that the catalogue's features name."""
    places, genes = places_of_names(rows), gene_places(build)
    same = places["chromosome"].to_numpy(dtype=object)[:, None] == genes["chromosome"].to_numpy(dtype=object)
    first, last = places["first"].to_numpy()[:, None], places["last"].to_numpy()[:, None]
    within = same & (first <= genes["end"].to_numpy()) & (last >= genes["start"].to_numpy())
    return [genes.index[one].tolist() if one.any() else [] for one in within]


def _mechanism_of_sets(catalogue: Catalogue) -> dict[str, str]:
    packaged = _document()["gene_sets"]
    sets = {_bare(name): mechanism for mechanism, names in packaged.items() for name in names}
    sets = {name: mechanism for name, mechanism in sets.items() if mechanism in catalogue.mechanisms}
    named = [
        (definition.parameters[key], definition.mechanism)
        for definition in reversed(list(catalogue.features.values()))
        for key in _GENE_SET_KEYS
        if key in definition.parameters
    ]
    return sets | {_bare(name): mechanism for name, mechanism in named}


def _bare(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_").removeprefix(_HALLMARK)


def _listed_mechanisms(rows: pd.Index, listed: Mapping[str, Sequence[str]], catalogue: Catalogue) -> list[str]:
    unknown = [name for name in listed if name not in {*catalogue.mechanisms, OTHER}]
    if unknown:
        raise InputError(
            f"the rows of a layer name a mechanism that does not exist: {', '.join(unknown)}",
            file="cohort.toml",
            column="metadata.layers",
            expected=", ".join((*catalogue.mechanisms, OTHER)),
            fix="correct the table and import again, or give a catalogue that has it",
        )
    owner = {row: name for name, members in listed.items() for row in members}
    return [owner.get(row, OTHER) for row in rows]
