"""Published risk classifications, applied to patients whose inputs may be unknown."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError


def reachable_groups(patients: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Risk groups that remain possible for each patient, given what is recorded.

    Every combination of the unknown inputs is tried, so a patient with all inputs known has exactly one group.
    The clauses, the conversion of INSS to INRGSS stages and their sources stand in ``risk_rules.toml``.

    Parameters
    ----------
    patients : DataFrame
        Columns of ``Cohort.patients``; those that a rule asks for and that are absent count as unknown. Beyond the
        schema, the nullable boolean columns ``loss_1p``, ``loss_11q``, ``complete_resection``, ``symptomatic`` and
        ``ganglioneuroma_or_intermixed`` are read. The last is taken as false where unknown: these tumours are not
        neuroblastomas in the narrow sense, and most cohorts leave them out.
    rule : {"cog_v2", "inrg"}
        COG version 2 (10.1200/JCO.21.00278) or INRG pretreatment (Cohn 2009, PMC2650388).

    Returns
    -------
    DataFrame of bool
        Index of `patients`, a column a group, from the lowest to the highest risk. A row without any True holds
        recorded values that contradict each other (stage MS at 18 months or older).

    Raises
    ------
    InputError
        There is no such rule.

    Examples
    --------
    >>> import pandas as pd
    >>> patients = pd.DataFrame({"inrgss_stage": ["M", "M"], "age_days": [600, 100], "mycn_status": [None, None]})
    >>> reachable_groups(patients, "cog_v2").astype(int)
       low  intermediate  high
    0    0             0     1
    1    0             1     1
    """
    grid, group, names, groups = _compile(rule)
    possible = np.column_stack([_possible(patients, name) for name in names])
    patterns, pattern_of = np.unique(possible, axis=0, return_inverse=True)
    fits = np.ones((len(patterns), len(grid)), dtype=bool)
    for number in range(len(names)):
        fits &= (patterns[:, [number]] >> grid[:, number] & 1).astype(bool)
    reachable = np.column_stack([fits[:, group == level].any(axis=1) for level in range(len(groups))])
    return pd.DataFrame(reachable[pattern_of.ravel()], index=patients.index, columns=groups)


def group_level(patients: pd.DataFrame, rule: str) -> pd.Series:
    """Mean ordinal level of the reachable groups: 0 for the lowest group, 1 for the next, and so on.

    Parameters
    ----------
    patients, rule
        As for :func:`reachable_groups`.

    Returns
    -------
    Series of float64
        NaN where every group is reachable, or none.

    Examples
    --------
    >>> import pandas as pd
    >>> patients = pd.DataFrame({"inrgss_stage": ["L1", "M"], "mycn_status": ["not_amplified"] * 2})
    >>> group_level(patients, "cog_v2").tolist()
    [0.0, 1.5]
    """
    reachable = reachable_groups(patients, rule)
    count = reachable.sum(axis=1)
    mean = (reachable * np.arange(reachable.shape[1])).sum(axis=1) / count.clip(lower=1)
    return mean.where((count > 0) & (count < reachable.shape[1])).astype(np.float64)


@cache
def _document() -> dict[str, Any]:
    text = resources.files("nbrelapse.mechanisms").joinpath("risk_rules.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _compile(rule: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """All combinations of a rule's inputs (as level numbers), their group, the inputs and the groups."""
    document = _document()
    rules = [name for name, table in document.items() if isinstance(table, dict) and "clauses" in table]
    if rule not in rules:
        raise InputError(f"there is no risk classification {rule!r}", expected=", ".join(rules))
    inputs, clauses = document["inputs"], document[rule]["clauses"]
    groups = tuple(document[rule]["groups"])
    used = {name for clause in [*clauses, *document["impossible"]] for name in clause.get("when", clause)}
    names = tuple(name for name in inputs if name in used)
    grid = np.array(list(itertools.product(*(range(len(inputs[name])) for name in names))), dtype=np.int64)
    group = np.full(len(grid), -1)
    for clause in clauses:
        group[(group < 0) & _satisfied(grid, names, inputs, clause["when"])] = groups.index(clause["group"])
    for combination in document["impossible"]:
        group[_satisfied(grid, names, inputs, combination)] = -1
    return grid[group >= 0], group[group >= 0], names, groups


def _satisfied(
    grid: np.ndarray, names: tuple[str, ...], inputs: Mapping[str, list[str]], when: Mapping[str, list[str]]
) -> np.ndarray:
    """Rows of the grid where every condition holds."""
    holds = np.ones(len(grid), dtype=bool)
    for name, levels in when.items():
        holds &= np.isin(grid[:, names.index(name)], [inputs[name].index(level) for level in levels])
    return holds


def _possible(patients: pd.DataFrame, name: str) -> np.ndarray:
    """Levels that an input may have, a bit a level, shape (n_patients,)."""
    if name == "stage":
        return _possible_stage(patients)
    if name == "age":
        days = pd.to_numeric(_column(patients, "age_days")).to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isnan(days), 0b111, 1 << np.digitize(np.nan_to_num(days), [365, 547]))
    known = _yes_no(patients, name)
    return known.map({False: 0b01, True: 0b10}).fillna(0b11).to_numpy(dtype=np.int64)


def _possible_stage(patients: pd.DataFrame) -> np.ndarray:
    document = _document()
    stages = document["inputs"]["stage"]
    bits = {stage: 1 << number for number, stage in enumerate(stages)}
    of_inss = {inss: sum(bits[stage] for stage in found) for inss, found in document["inrgss_of_inss"].items()}
    from_inss = _column(patients, "inss_stage").map(of_inss)
    chosen = _column(patients, "inrgss_stage").map(bits).fillna(from_inss)
    return chosen.fillna((1 << len(stages)) - 1).to_numpy(dtype=np.int64)


_LEVELS: dict[str, tuple[str, dict[str, bool]]] = {
    "mycn_amplified": ("mycn_status", {"amplified": True, "not_amplified": False}),
    "unfavorable_histology": ("histology", {"unfavorable": True, "favorable": False}),
    "differentiating": ("grade", {"differentiating": True, "undifferentiated": False}),
    "hyperdiploid": ("ploidy", {"hyperdiploid": True, "diploid": False}),
}


def _yes_no(patients: pd.DataFrame, name: str) -> pd.Series:
    """Read a yes-or-no input as True, False or missing."""
    if name in _LEVELS:
        column, levels = _LEVELS[name]
        known = _column(patients, column).map(levels)
        if name == "hyperdiploid":
            index = pd.to_numeric(_column(patients, "dna_index")).astype("Float64")
            known = (index > 1).astype("object").where(index.notna(), known)
        return known
    known = _column(patients, name)
    return known.fillna(False) if name == "ganglioneuroma_or_intermixed" else known


def _column(patients: pd.DataFrame, name: str) -> pd.Series:
    """Read a column as Python objects; all missing where the table lacks it."""
    if name in patients.columns:
        return patients[name].astype("object")
    return pd.Series(None, index=patients.index, dtype="object")
