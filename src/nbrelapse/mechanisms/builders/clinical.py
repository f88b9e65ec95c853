"""Features from the patients' table: age, stage, histology, laboratory values and risk groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.schema import PATIENTS, coded_columns, levels
from nbrelapse.mechanisms.builder_rules import _illegal_entry, check_parameters
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.catalogue_rules import _is_number
from nbrelapse.mechanisms.risk_rules import _group_level

_TRANSFORMATIONS = ("divide_by", "log2_offset", "at_least", "above")


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Encode recorded clinical values.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        Each says how in its parameters. ``column``: a numeric column, divided by ``divide_by`` if given, then
        replaced by log2(value + ``log2_offset``), or by 1 and 0 for ``at_least`` (>=) or ``above`` (>) a threshold,
        if one of them is given. ``levels``: ``{column: {recorded level: value}}``; columns are asked in that order,
        each for the patients still unknown. ``rule``: mean level of the groups that a classification can still
        reach, see :func:`nbrelapse.mechanisms.risk_rules.group_level`. An entry with several asks them in this
        order, each where those before know nothing.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``; NaN where nothing usable is recorded.

    Raises
    ------
    InputError
        An entry names a column or level that patients cannot have, or has no or contradictory parameters.

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> patients = pd.DataFrame({"patient_id": ["p1", "p2"], "inss_stage": ["4", None], "age_days": [547, 30]})
    >>> cohort = Cohort("two", patients, pd.DataFrame(), pd.DataFrame())
    >>> table = build(cohort, load_catalogue().by_builder("clinical"))
    >>> table[["clinical__stage_metastatic", "clinical__age_over_18_months"]].to_dict("list")
    {'clinical__stage_metastatic': [1.0, nan], 'clinical__age_over_18_months': [1.0, 0.0]}
    """
    for definition in definitions:
        _check_entry(definition)
    patients = cohort.patients.set_index(cohort.patient_ids)
    columns = {definition.name: _encode(patients, definition.parameters) for definition in definitions}
    return pd.DataFrame(columns, index=cohort.patient_ids, dtype=np.float64)


def _encode(patients: pd.DataFrame, parameters: Mapping[str, Any]) -> pd.Series:
    """Value of one entry for every patient."""
    values = pd.Series(np.nan, index=patients.index)
    if parameters.get("column") in patients.columns:
        values = _number(patients[parameters["column"]], parameters)
    for column, level_values in parameters.get("levels", {}).items():
        if column in patients.columns:
            values = values.fillna(_level(patients[column], level_values))
    if "rule" in parameters:
        values = values.fillna(_group_level(patients, parameters["rule"]))
    return values


def _number(recorded: pd.Series, parameters: Mapping[str, Any]) -> pd.Series:
    """Numeric column with the entry's transformation."""
    values = pd.to_numeric(recorded).astype("Float64").astype(np.float64)
    if "divide_by" in parameters:
        values = values / float(parameters["divide_by"])
    if "log2_offset" in parameters:
        return pd.Series(np.log2(values + float(parameters["log2_offset"])), index=values.index)
    if "at_least" in parameters:
        return (values >= parameters["at_least"]).astype(np.float64).where(values.notna())
    if "above" in parameters:
        return (values > parameters["above"]).astype(np.float64).where(values.notna())
    return values


def _level(recorded: pd.Series, level_values: Mapping[str, float]) -> pd.Series:
    """Values of the recorded levels; booleans stand as ``true`` and ``false`` in the catalogue."""
    values: dict[Any, float | None] = {**level_values, True: level_values.get("true"), False: level_values.get("false")}
    codes, distinct = pd.factorize(recorded)
    found = np.array([*(values.get(level) for level in distinct), None], dtype=np.float64)
    return pd.Series(found[codes], index=recorded.index)


def _check_entry(definition: FeatureDefinition) -> None:
    """Refuse an entry that would be read as something else than it says."""
    parameters = definition.parameters
    check_parameters(definition, ("column", *_TRANSFORMATIONS, "levels", "rule"))
    if not parameters.keys() & {"column", "levels", "rule"}:
        raise _illegal_entry(definition, "nothing says what to read", "column, levels or rule")
    _check_number(definition, [name for name in _TRANSFORMATIONS if name in parameters])
    recorded = parameters.get("levels", {})
    if not isinstance(recorded, Mapping) or not all(isinstance(values, Mapping) for values in recorded.values()):
        raise _illegal_entry(definition, "illegal levels", "{ column = { level = value } }")
    for column, values in recorded.items():
        _check_levels(definition, column, values)


def _check_number(definition: FeatureDefinition, transformations: Sequence[str]) -> None:
    parameters = definition.parameters
    numeric = [name for name, column in PATIENTS.columns.items() if str(column.dtype) == "float64"]
    if "column" in parameters and parameters["column"] not in numeric:
        raise _illegal_entry(definition, f"no numeric column {parameters['column']}", ", ".join(numeric))
    if transformations and "column" not in parameters:
        raise _illegal_entry(definition, f"{', '.join(transformations)} without a column", "column")
    if not all(_is_number(parameters[name]) for name in transformations) or parameters.get("divide_by") == 0:
        raise _illegal_entry(definition, f"illegal {' or '.join(transformations)}", "a number; to divide by, not 0")
    if len({*transformations} - {"divide_by"}) > 1:
        raise _illegal_entry(definition, "contradictory parameters", "one of " + ", ".join(_TRANSFORMATIONS[1:]))


def _check_levels(definition: FeatureDefinition, column: str, values: Mapping[str, Any]) -> None:
    coded = sorted(coded_columns() & {*PATIENTS.columns})
    if column not in coded:
        raise _illegal_entry(definition, f"no column {column} with levels", ", ".join(coded))
    foreign = [level for level, value in values.items() if level not in levels(column) or not _is_number(value)]
    if foreign:
        problem = f"illegal level or value of {column}: {', '.join(foreign)}"
        raise _illegal_entry(definition, problem, "a number for any of " + ", ".join(levels(column)))
