"""Features from the patients' table: age, stage, histology, laboratory values and risk groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.risk_rules import group_level


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Encode recorded clinical values.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        Each says how in its parameters. ``column``: a numeric column, divided by ``divide_by`` if given, then
        replaced by log2(value + ``log2_offset``) if given, or by 1 and 0 for ``at_least`` (>=) or ``above``
        (>) a threshold. ``levels``: ``{column: {recorded level: value}}``; columns are asked in that order, each
        for the patients still unknown. An entry with both uses ``levels`` where the number is missing.
        ``rule``: mean level of the groups that a published risk classification can still reach.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``; NaN where nothing usable is recorded.

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
    patients = cohort.patients.set_index(cohort.patient_ids)
    columns = {definition.name: _encode(patients, definition.parameters) for definition in definitions}
    return pd.DataFrame(columns, index=cohort.patient_ids, dtype=np.float64)


def _encode(patients: pd.DataFrame, parameters: Mapping[str, Any]) -> pd.Series:
    """Value of one entry for every patient."""
    if "rule" in parameters:
        return group_level(patients, str(parameters["rule"]))
    values = pd.Series(np.nan, index=patients.index)
    if parameters.get("column") in patients.columns:
        values = _number(patients[parameters["column"]], parameters)
    levels: Mapping[str, Mapping[str, float]] = parameters.get("levels", {})
    for column, level_values in levels.items():
        if column in patients.columns:
            values = values.fillna(_level(patients[column], level_values))
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
    values: dict[Any, float | None] = dict(level_values)
    values |= {True: level_values.get("true"), False: level_values.get("false")}
    return recorded.astype("object").map(values).astype(np.float64)
