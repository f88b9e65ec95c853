"""The function that computes a catalogue entry's features: a packaged one, or one of another package."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.mechanisms.catalogue import FeatureDefinition

Builder = Callable[[Cohort, Sequence[FeatureDefinition]], pd.DataFrame]

PACKAGED = ("clinical", "fish", "copy_number", "mutations", "rearrangements", "expression")
COMBINATION = "combination"
"""Runs after the others, on what they have built."""
ENTRY_POINTS = "nbrelapse.builders"
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
    points = list(entry_points(group=ENTRY_POINTS))
    registered = [point for point in points if point.name == name]
    if len(registered) > (name not in PACKAGED):
        raise InputError(
            f"more than one package has a builder {name}",
            column=ENTRY_POINTS,
            expected=f"one each; {', '.join((*PACKAGED, COMBINATION))} are the packaged ones",
            mend=f"rename or uninstall it in {', '.join(sorted(_package(point) for point in registered))}",
        )
    if name in PACKAGED:
        return cast(Builder, import_module(f"nbrelapse.mechanisms.builders.{name}").build)
    if not registered:
        raise InputError(
            f"the catalogue names a builder that does not exist: {name}",
            column="builder",
            expected=", ".join((*PACKAGED, COMBINATION, *sorted(point.name for point in points))),
            mend=f"correct the name, or install the package that registers it ({ENTRY_POINTS})",
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
            mend="repair or uninstall the package, or leave out the features that need it",
        ) from error
    if not callable(build):
        raise InputError(
            f"the builder {point.name} of the package {_package(point)} is not a function",
            column=point.value,
            expected="build(cohort, definitions) -> DataFrame",
            mend="correct the entry point of the package",
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
                mend="check the parameters of the entry, or tell the package's authors",
            ) from error
        problem = _problem(values, cohort, definitions)
        if problem:
            raise InputError(
                f"the builder {point.name} of the package {_package(point)} returned {problem}",
                column=point.value,
                expected="a DataFrame: a row a patient in the cohort's order, a column a definition, finite or NaN",
                mend="tell the package's authors",
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
