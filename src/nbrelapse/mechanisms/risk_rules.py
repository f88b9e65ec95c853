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


def _reachable_groups(patients: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Return the groups that remain possible for each patient, given what is recorded.

    Every combination of the unknown inputs is tried, so a patient with all inputs known has exactly one group.
    The clauses, how inputs are read from what is recorded, and their sources stand in ``risk_rules.toml``.

    Parameters
    ----------
    patients : DataFrame
        Columns of ``Cohort.patients``; those that a rule asks for and that are absent count as unknown. A column
        named as a yes-or-no input (``loss_1p``, ``loss_11q``, ``mycn_amplified``, ``complete_resection``,
        ``symptomatic``, ``ganglioneuroma_or_intermixed``, ...) with True, False or missing is read before the
        recorded columns. ``ganglioneuroma_or_intermixed`` is taken as false where unknown: these tumours are not
        neuroblastomas in the narrow sense, and most cohorts leave them out.
    rule : {"cog_v2", "cog_inss", "inrg", "inpc", "inrgss", "inss"}
        Risk groups: COG version 2 (10.1200/JCO.21.00278), COG by INSS stage (PDQ 2014), INRG pretreatment (Cohn
        2009, PMC2650388). Histology (``inpc``) from age, grade and mitosis-karyorrhexis index. Stages: ``inrgss``
        is the recorded one, or those that the INSS stage allows; ``inss`` the other way round.

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
    >>> _reachable_groups(patients, "cog_v2").astype(int)
       low  intermediate  high
    0    0             0     1
    1    0             1     1
    >>> _reachable_groups(pd.DataFrame({"inss_stage": ["2B", "4S", None]}), "inrgss").astype(int)
       L1  L2  M  MS
    0   1   1  0   0
    1   0   0  0   1
    2   1   1  1   1
    """
    grid, group, names, groups = _compile(rule)
    inputs = _document()["inputs"]
    key = np.zeros(len(patients), dtype=np.int64)
    for name in names:
        key = key << len(inputs[name]) | _possible(patients, name)
    patterns, pattern_of = np.unique(key, return_inverse=True)
    fits = np.full((len(patterns), -(-len(grid) // 8)), 255, dtype=np.uint8)
    for number, name in reversed([*enumerate(names)]):
        bits = len(inputs[name])
        allowed = (np.arange(1 << bits)[:, None] >> grid[:, number] & 1).astype(bool)
        fits &= np.packbits(allowed, axis=1)[patterns & (1 << bits) - 1]
        patterns = patterns >> bits
    reachable = np.column_stack([(fits & np.packbits(group == level)).any(axis=1) for level in range(len(groups))])
    return pd.DataFrame(reachable[pattern_of], index=patients.index, columns=groups)


def _group_level(patients: pd.DataFrame, rule: str) -> pd.Series:
    """Return the mean ordinal level of the reachable groups: 0 for the lowest group, 1 for the next, and so on.

    Parameters
    ----------
    patients, rule
        As for :func:`_reachable_groups`.

    Returns
    -------
    Series of float64
        NaN where every group is reachable, or none.

    Examples
    --------
    >>> import pandas as pd
    >>> patients = pd.DataFrame({"inrgss_stage": ["L1", "M"], "mycn_status": ["not_amplified"] * 2})
    >>> _group_level(patients, "cog_v2").tolist()
    [0.0, 1.5]
    """
    reachable = _reachable_groups(patients, rule)
    levels = _mean_reachable(reachable.to_numpy(), np.arange(reachable.shape[1]))
    return pd.Series(levels, index=patients.index)


def _yes_no_inputs(rule: str) -> tuple[str, ...]:
    """Names of the inputs of a rule that are true or false, which :func:`_reachable_groups` reads from such columns.

    Raises
    ------
    InputError
        There is no such rule.

    Examples
    --------
    >>> _yes_no_inputs("inrg")
    ('mycn_amplified', 'ganglioneuroma_or_intermixed', 'hyperdiploid', 'loss_11q')
    """
    inputs = _document()["inputs"]
    return tuple(name for name in _compile(rule)[2] if inputs[name] == ["no", "yes"])


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
        raise InputError(f"there is no classification {rule!r}", expected=", ".join(rules))
    inputs, clauses = document["inputs"], document[rule]["clauses"]
    groups = tuple(document[rule]["groups"])
    used = {name for clause in clauses for name in clause["when"]}
    impossible = [combination for combination in document["impossible"] if used & (combination.keys() - {"age"})]
    names = tuple(name for name in inputs if name in used.union(*impossible))
    grid = np.array(list(itertools.product(*(range(len(inputs[name])) for name in names))), dtype=np.int64)
    group = np.full(len(grid), -1)
    for clause in clauses:
        group[(group < 0) & _satisfied(grid, names, inputs, clause["when"])] = groups.index(clause["group"])
    for combination in impossible:
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
    """Levels that an input may have, a bit a level, shape (n_patients,): from the first column that knows it."""
    document = _document()
    levels = document["inputs"][name]
    possible = np.zeros(len(patients), dtype=np.int64)
    if levels == ["no", "yes"]:
        possible = _recorded(patients, name, {False: 0b01, True: 0b10})
    if name in document["measured"]:
        possible = np.where(possible, possible, _measured(patients, **document["measured"][name]))
    for column, allowed in document["recorded"].get(name, {}).items():
        bits = {level: sum(1 << levels.index(item) for item in found) for level, found in allowed.items()}
        possible = np.where(possible, possible, _recorded(patients, column, bits))
    assumed = document["assumed"].get(name)
    return np.where(possible, possible, (1 << len(levels)) - 1 if assumed is None else 1 << levels.index(assumed))


def _recorded(patients: pd.DataFrame, column: str, bits: Mapping[Any, int]) -> np.ndarray:
    """Bits of the recorded values, 0 where nothing usable is recorded."""
    if column not in patients.columns:
        return np.zeros(len(patients), dtype=np.int64)
    codes, distinct = pd.factorize(patients[column])
    return np.array([*(bits.get(value, 0) for value in distinct), 0], dtype=np.int64)[codes]


def _measured(
    patients: pd.DataFrame, column: str, cuts: list[float] | None = None, above: float = 0, equals: float | None = None
) -> np.ndarray:
    """Bit of the level that a number falls in, 0 where it is missing."""
    if column not in patients.columns:
        return np.zeros(len(patients), dtype=np.int64)
    numbers = pd.to_numeric(patients[column]).to_numpy(dtype=np.float64, na_value=np.nan)
    if cuts is not None:
        level = np.digitize(numbers, cuts)
    else:
        level = (numbers > above if equals is None else numbers == equals).astype(np.int64)
    return np.where(np.isnan(numbers), 0, 1 << level)


def _mean_reachable(reachable: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean value of the groups that each patient can still have.

    Parameters
    ----------
    reachable : ndarray of bool, shape (n_patients, n_groups)
    values : ndarray of shape (n_groups,)

    Returns
    -------
    ndarray of float64, shape (n_patients,)
        NaN where every group is reachable, or none, and where the mean is the value of a group that the patient
        cannot have.

    Examples
    --------
    >>> import numpy as np
    >>> _mean_reachable(np.array([[True, False, True], [True, True, True]]), np.array([0, 1, 3]))
    array([1.5, nan])
    >>> _mean_reachable(np.array([[True, False, True, False]]), np.arange(4))
    array([nan])
    """
    count = reachable.sum(axis=1)
    mean = reachable @ np.asarray(values, dtype=np.float64) / np.maximum(count, 1)
    misleading = ((mean[:, None] == np.asarray(values)) & ~reachable).any(axis=1)
    return np.where((count > 0) & (count < reachable.shape[1]) & ~misleading, mean, np.nan)
