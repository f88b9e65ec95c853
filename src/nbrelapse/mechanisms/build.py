"""From a cohort to its feature table, by the builders of this package and of others."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.mechanisms.builders import combination
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.catalogue_rules import _GENE_SET_KEYS
from nbrelapse.mechanisms.feature_table import FeatureTable


def build_features(
    cohort: Cohort, catalogue: Catalogue | None = None, gene_sets: Mapping[str, Sequence[str]] | None = None
) -> FeatureTable:
    """Compute every feature of the catalogue for every patient.

    Parameters
    ----------
    cohort : Cohort
    catalogue : Catalogue, optional
        The packaged one by default.
    gene_sets : dict of str to sequence of str, optional
        Complete published signatures, see :func:`nbrelapse.mechanisms.gene_sets.read_gene_sets`. A feature whose
        entry names a ``gene_set`` that is not here is left out of the table and of its catalogue, and so is one that
        is computed from it.

    Returns
    -------
    FeatureTable
        A row a patient in the cohort's order, a column a feature in the catalogue's order; NaN = not assayed.

    Raises
    ------
    InputError
        The catalogue names a builder that does not exist, or an entry has a parameter that its builder cannot read; a
        builder of another package fails, see :func:`nbrelapse.mechanisms.build.load_builder`.

    Examples
    --------
    >>> patients = pd.DataFrame({"patient_id": ["p1", "p2"], "mycn_status": ["amplified", None]})
    >>> samples = pd.DataFrame(columns=["sample_id", "patient_id", "timepoint", "purity"], dtype="str")
    >>> assays = pd.DataFrame(columns=["sample_id", "assay", "genome_build", "panel", "platform"], dtype="str")
    >>> build_features(Cohort("two", patients, samples, assays)).values["mycn__amplified"].to_dict()
    {'p1': 1.0, 'p2': nan}
    """
    sets = gene_sets or {}
    catalogue = buildable(load_catalogue() if catalogue is None else catalogue, sets)
    names = dict.fromkeys(definition.builder for definition in catalogue.features.values())
    builders = {name: load_builder(name) for name in names if name != COMBINATION}
    parts = [pd.DataFrame(index=cohort.patient_ids)]
    for name, build in builders.items():
        parts.append(build(cohort, [_with_genes(definition, sets) for definition in catalogue.by_builder(name)]))
    values = pd.concat(parts, axis=1)
    if COMBINATION in names:
        combined = combination.build(cohort, values, catalogue.by_builder(COMBINATION))
        values = pd.concat([values, combined], axis=1)
    return FeatureTable(values[list(catalogue.features)].astype(np.float64), catalogue)


def buildable(catalogue: Catalogue, gene_sets: Mapping[str, Sequence[str]]) -> Catalogue:
    """Return the catalogue without the features whose gene set is not at hand, and without what reads them.

    Parameters
    ----------
    catalogue : Catalogue
    gene_sets : dict of str to sequence of str

    Examples
    --------
    >>> len(load_catalogue().features) - len(buildable(load_catalogue(), {}).features)
    24
    """
    left_out = {
        name
        for name, definition in catalogue.features.items()
        if any(definition.parameters[key] not in gene_sets for key in _GENE_SET_KEYS if key in definition.parameters)
    }
    while more := {
        name
        for name, definition in catalogue.features.items()
        if name not in left_out and not left_out.isdisjoint(definition.inputs)
    }:
        left_out |= more
    features = {name: definition for name, definition in catalogue.features.items() if name not in left_out}
    return replace(catalogue, features=features)


def _with_genes(definition: FeatureDefinition, gene_sets: Mapping[str, Sequence[str]]) -> FeatureDefinition:
    """Return the definition with the genes of the sets that it names."""
    named = {key: gene_sets[definition.parameters[key]] for key in _GENE_SET_KEYS if key in definition.parameters}
    if not named:
        return definition
    kept = {key: value for key, value in definition.parameters.items() if key not in named}
    return replace(definition, parameters=kept | {_GENE_SET_KEYS[key]: list(genes) for key, genes in named.items()})


Builder = Callable[[Cohort, Sequence[FeatureDefinition]], pd.DataFrame]

_PACKAGED = ("clinical", "fish", "copy_number", "mutations", "rearrangements", "expression", "layers")
COMBINATION = "combination"
"""Runs after the others, on what they have built."""
_ENTRY_POINTS = "nbrelapse.builders"
"""Group of the entry points with which other packages register a builder."""


def load_builder(name: str) -> Builder:
    """Return a builder by the name that catalogue entries give it.

    A builder of another package is a function ``build(cohort, definitions) -> DataFrame`` that an entry point of the
    group ``nbrelapse.builders`` names. What it returns is checked: a row a patient in the cohort's order, a column a
    definition, finite numbers or NaN (not assayed), 0 and 1 where the kind is binary.

    Parameters
    ----------
    name : str

    Returns
    -------
    callable

    Raises
    ------
    InputError
        There is no builder of this name or there are two, or the package that has it cannot be imported. Later, when
        the builder of another package runs: it fails, or returns something else than it was asked for. The message
        names the package; what the failure says is left out, for it may name patients.

    Examples
    --------
    >>> load_builder("clinical").__module__
    'nbrelapse.mechanisms.builders.clinical'
    """
    points = list(entry_points(group=_ENTRY_POINTS))
    registered = [point for point in points if point.name == name]
    if len(registered) > (name not in _PACKAGED):
        raise InputError(
            f"more than one package has a builder {name}",
            column=_ENTRY_POINTS,
            expected=f"one each; {', '.join((*_PACKAGED, COMBINATION))} are the packaged ones",
            fix=f"rename or uninstall it in {', '.join(sorted(_package(point) for point in registered))}",
        )
    if name in _PACKAGED:
        return cast(Builder, import_module(f"nbrelapse.mechanisms.builders.{name}").build)
    if not registered:
        raise InputError(
            f"the catalogue names a builder that does not exist: {name}",
            file="catalogue",
            column="builder",
            expected=", ".join((*_PACKAGED, COMBINATION, *sorted(point.name for point in points))),
            fix=f"correct the name, or install the package that registers it ({_ENTRY_POINTS})",
        )
    return _guarded(_imported(registered[0]), registered[0])


def _package(point: EntryPoint) -> str:
    return point.value if point.dist is None else point.dist.name


def _imported(point: EntryPoint) -> Builder:
    try:
        build = point.load()
    except Exception as error:
        raise InputError(
            f"the builder {point.name} of the package {_package(point)} cannot be imported: "
            f"{type(error).__name__}: {error}",
            column=point.value,
            fix="repair or uninstall the package, or leave out the features that need it",
        ) from error
    if not callable(build):
        raise InputError(
            f"the builder {point.name} of the package {_package(point)} is not a function",
            column=point.value,
            expected="build(cohort, definitions) -> DataFrame",
            fix="correct the entry point of the package",
        )
    return cast(Builder, build)


def _guarded(build: Builder, point: EntryPoint) -> Builder:
    """Return the builder with its failures as messages and its answer checked."""

    def guarded(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
        try:
            values = build(cohort, definitions)
        except NbRelapseError:
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise InputError(
                f"the builder {point.name} of the package {_package(point)} failed: {type(error).__name__}",
                column=", ".join(f"[{definition.name.replace('__', '.')}]" for definition in definitions),
                expected=f"a table; it stopped at {Path(place.filename).name}, line {place.lineno}, in {place.name}",
                fix="check the parameters of the entry, or tell the package's authors",
            ) from error
        problem = _problem(values, cohort, definitions)
        if problem:
            raise InputError(
                f"the builder {point.name} of the package {_package(point)} returned {problem}",
                column=point.value,
                expected="a DataFrame: a row a patient in the cohort's order, a column a definition, finite or NaN",
                fix="tell the package's authors",
            )
        return values

    return guarded


def _problem(values: Any, cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> str | None:
    """Say what is wrong with a builder's answer."""
    if not isinstance(values, pd.DataFrame):
        return f"a {type(values).__name__}"
    if not values.index.equals(cohort.patient_ids):
        return "other rows than the patients"
    if sorted(map(str, values.columns)) != sorted(definition.name for definition in definitions):
        return "other columns than the definitions"
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        return "values that are no numbers"
    if np.isinf(numbers.to_numpy()).any():
        return "infinite values"
    binary = [definition.name for definition in definitions if definition.kind == "binary"]
    if not (numbers[binary].isna() | numbers[binary].isin([0.0, 1.0])).all(axis=None):
        return "values other than 0 and 1 for a binary feature"
    return None
