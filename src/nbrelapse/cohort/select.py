"""Some of a cohort's patients: by a condition on what is known of them, or by a list in a file.

A condition compares columns of ``patients`` with values, and is joined with ``and``, ``or``, ``not`` and parentheses::

    risk_group == 'high' and study != 'COG'
    inss_stage in ['4', '4S'] and 365 <= age_days < 547
    high_risk and has('copy_number') and not has('relapse')
    mycn_status is not None

It looks like Python and is parsed by Python, but nothing of it is run: only comparisons, ``in``, ``is None``, ``has``
and plain values are understood.
"""

from __future__ import annotations

import ast
import io
import operator
import tokenize
from collections.abc import Callable, Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort, _refuse_unknown, _restricted
from nbrelapse.cohort.columns import is_among, refuse_rows, require_columns
from nbrelapse.cohort.content import decode, read_bytes
from nbrelapse.cohort.schema import PATIENTS, _spell_level, as_text, coded_columns, levels
from nbrelapse.cohort.text import read_table
from nbrelapse.errors import InputError

_LONGEST = 5000
"""Characters of a condition; MLflow keeps parameters up to 6,000."""
_MOST_SHOWN = 30
_NO_CONDITION = ("patient_id",)
"""Conditions stand in reports, MLflow and saved models, where no patient is named."""

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
_EXAMPLE = "a condition such as risk_group == 'high' and age_days >= 547, or has('copy_number')"


def select_patients(cohort: Cohort, where: str) -> pd.Index:
    """Find the patients of whom a condition is true.

    What is not known decides nothing: a comparison with a missing value is neither true nor false, and neither is its
    contrary. ``study != 'COG'`` leaves out those whose study is not recorded; ``study != 'COG' or study is None`` keeps
    them.

    Parameters
    ----------
    cohort : Cohort
    where : str
        Comparisons (``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in``, ``not in``, ``is None``, ``is not None``) of
        the columns of ``patients`` with texts, numbers, True and False; ``and``, ``or``, ``not``; the columns of yes or
        no also alone (``high_risk``). Codes may be spelled as in files (``inss_stage == '4s'``).
        ``has('copy_number')``: assayed at diagnosis, as models need it. ``has('relapse')``: a sample taken then.
        ``has('copy_number', 'relapse')``: assayed in such a sample. The ids of patients cannot be named.

    Returns
    -------
    Index
        Patient ids, in the order of the cohort.

    Raises
    ------
    InputError
        The condition cannot be read, names no column, compares a column with a value that it cannot have or that
        nobody has, or is true of nobody.

    Examples
    --------
    >>> from nbrelapse.simulation import simulate_cohort
    >>> cohort = simulate_cohort(60, seed=1)
    >>> len(select_patients(cohort, "risk_group == 'high' and has('expression')"))
    21
    >>> select_patients(cohort, "risk_group == 'hihg'")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: no patient has the risk_group 'hihg'
      column: where
      expected: high, intermediate, low
      fix: correct the value
    """
    return cohort.patient_ids[_true(_truth(cohort, where))]


def take_where(cohort: Cohort, where: str | None, *, barred: Collection[str] = ()) -> Cohort:
    """Keep the patients of whom a condition is true.

    Parameters
    ----------
    cohort : Cohort
    where : str or None
        As :func:`select_patients` takes it. None: the cohort as it is.
    barred : collection of str
        Columns that it must not read, such as the outcome's where the patients are to be judged by theirs.

    Returns
    -------
    Cohort
        See :meth:`Cohort.take`; ``metadata["selections"]`` has the condition, and of how many it could not be told
        whether it is true.

    Raises
    ------
    InputError
        As :func:`select_patients` does, or the condition reads a barred column.

    Examples
    --------
    >>> from nbrelapse.simulation import simulate_cohort
    >>> high = take_where(simulate_cohort(60, seed=1), "risk_group == 'high'")
    >>> high.where, len(high.patients)
    ("risk_group == 'high'", 23)
    """
    if where is None:
        return cohort
    later = sorted(condition_columns(where) & set(barred))
    if later:
        raise InputError(
            f"patients cannot be chosen by what became of them: {', '.join(later)}",
            column="where",
            expected="what was known when the prediction was made",
            fix="name other columns; for patients event-free at a later day there is landmark_days",
        )
    truth = _truth(cohort, where)
    wanted = cohort.patients.loc[_true(truth), "patient_id"]
    return _restricted(cohort, wanted, {"where": where.strip(), "not_known": int(truth.isna().sum())})


def condition_columns(where: str) -> frozenset[str]:
    """Return the columns that a condition reads; raises InputError where it cannot be read or names other columns.

    Examples
    --------
    >>> sorted(condition_columns("high_risk and age_days > 547 or has('relapse')"))
    ['age_days', 'high_risk']
    """
    names = [node for node in ast.walk(_parse(where)) if isinstance(node, ast.Name)]
    return frozenset(_column(node) for node in names if node.id != "has")


def take_listed(cohort: Cohort, patients: str | Path | None = None, without: str | Path | None = None) -> Cohort:
    """Keep the patients of a list, or all but them.

    Parameters
    ----------
    cohort : Cohort
    patients : path, optional
        A file: an id a line, or a table (CSV, TSV, xlsx or Parquet) with the column ``patient_id``. All by default.
    without : path, optional
        A file of the same kind: those to leave out.

    Returns
    -------
    Cohort
        See :meth:`Cohort.take`.

    Raises
    ------
    InputError
        A file cannot be read or lists nobody, or an id is of no patient of the cohort (the message has its row, not the
        id), or nobody is left.
    """
    kept = cohort
    if patients is not None:
        listed = _listed(cohort, Path(patients))
        kept = _restricted(cohort, listed, {"list": len(listed)})
    if without is not None:
        listed = _listed(cohort, Path(without))
        ids = kept.patients["patient_id"]
        kept = _restricted(kept, ids[~is_among(ids, listed)], {"without": len(listed)})
    return kept


def _listed(cohort: Cohort, file: Path) -> pd.Series:
    """Return the ids of a file, each once; its index has their rows."""
    ids = _read_ids(file).rename("patient_id")
    if ids.empty:
        expected = "an id a line, or the column patient_id"
        raise InputError("no patient is listed", file=file, expected=expected, fix="list those that are meant")
    refuse_rows(ids.index, ids.isna(), "a row without an id", file=file, column="patient_id", fix="fill or remove it")
    _refuse_unknown(ids, cohort.patients["patient_id"], file=file)
    return ids.drop_duplicates()


_TABLES = (".parquet", ".xlsx")
_SEPARATORS = (",", "\t", ";")


def _read_ids(file: Path) -> pd.Series:
    if file.suffix.lower() in _TABLES:
        return _ids_of_table(read_table(file), file)
    lines = pd.Series(decode(read_bytes(file), file).splitlines(), dtype="str").str.strip()
    lines = lines[lines != ""]
    separator = next((mark for mark in _SEPARATORS if len(lines) and mark in lines.iloc[0]), None)
    if separator is not None:
        return _ids_of_table(read_table(file, separator=separator), file)
    lines = lines.str.strip("\"'")
    return lines.iloc[1:].set_axis(lines.index[1:] - 1) if len(lines) and lines.iloc[0] == "patient_id" else lines


def _ids_of_table(table: pd.DataFrame, file: Path) -> pd.Series:
    require_columns(
        table.columns,
        ["patient_id"],
        file,
        expected=f"one of {', '.join(map(str, table.columns[:_MOST_SHOWN]))}, or an id a line",
        fix="name the column of the ids patient_id",
    )
    return as_text(table["patient_id"])


def _truth(cohort: Cohort, where: str) -> pd.Series:
    """Tell of each patient, in order, whether a condition is true; missing where a missing value leaves it open."""
    tree = _parse(where)
    try:
        truth = _Reading(cohort).truth(tree)
    except RecursionError:
        raise InputError("the condition is nested too deeply", column="where", fix="write it shorter") from None
    if not _true(truth).any():
        unknown = int(truth.isna().sum())
        left = f"; of {unknown:,} it cannot be told, as a value is missing" if unknown else ""
        raise InputError(
            f"the condition is true of none of {len(truth):,} patients{left}",
            column="where",
            expected="at least one patient",
            fix=f"loosen {where.strip()!r}",
        )
    return truth


def _true(truth: pd.Series) -> np.ndarray:
    return truth.fillna(False).to_numpy(dtype=bool)


def _parse(where: str) -> ast.expr:
    if not isinstance(where, str) or not where.strip():
        raise InputError("the condition is empty", column="where", expected=_EXAMPLE)
    if len(where) > _LONGEST:
        fix = "put the patients into a list: nbrelapse cohort subset --patients FILE"
        raise InputError(f"the condition is longer than {_LONGEST:,} characters", column="where", fix=fix)
    line = where.strip().replace("\r", " ").replace("\n", " ")
    try:
        tree = ast.parse(line, mode="eval").body
        tokens = list(tokenize.generate_tokens(io.StringIO(line).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        raise _unreadable(line) from None
    if any(token.type == tokenize.COMMENT for token in tokens):  # what follows would be passed over in silence
        raise _unreadable(line)
    return tree


def _unreadable(piece: str | ast.AST, problem: str = "the condition cannot be read") -> InputError:
    text = piece if isinstance(piece, str) else ast.unparse(piece)
    return InputError(
        f"{problem}: {text}",
        column="where",
        expected=_EXAMPLE,
        fix="compare columns with ==, !=, <, <=, >, >=, in or `is None`; join with and, or, not; put texts in quotes",
    )


def _column(node: ast.Name) -> str:
    names = [str(name) for name in PATIENTS.columns if name not in _NO_CONDITION]
    if node.id in names:
        return node.id
    if node.id in _NO_CONDITION:
        raise InputError(
            f"a condition cannot name patients: {node.id}",
            column="where",
            expected=", ".join(names),
            fix="put the patients into a list: nbrelapse cohort subset --patients FILE, or Cohort.take",
        )
    near = [name for name in names if node.id.lower() in name or name in node.id.lower()]
    near += [name for name in get_close_matches(node.id.lower(), names) if name not in near]
    meant = f"did you mean {' or '.join(near[:4])}? " if near else ""
    raise InputError(
        f"there is no column {node.id!r}",
        column="where",
        expected=", ".join(names),
        fix=f"{meant}assays and time points: has('copy_number'), has('relapse'); texts in quotes",
    )


class _Reading:
    """A condition, read of the patients of a cohort: each part is true, false or missing of each of them."""

    def __init__(self, cohort: Cohort) -> None:
        self.cohort = cohort

    def truth(self, node: ast.expr) -> pd.Series:
        if isinstance(node, ast.BoolOp):
            parts = [self.truth(part) for part in node.values]
            joined = parts[0]
            for part in parts[1:]:
                joined = joined & part if isinstance(node.op, ast.And) else joined | part
            return joined
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.truth(node.operand)
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call):
            return self._has(node)
        if isinstance(node, ast.Name):
            if _kind(_column(node)) != "yes or no":
                raise _unreadable(node, f"{node.id} is not yes or no, and needs a comparison")
            return self._values(node).astype("boolean")
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
            raise _unreadable(node, "write `and` and `or` in place of & and |")
        raise _unreadable(node, "this cannot stand in a condition")

    def _values(self, node: ast.Name) -> pd.Series:
        name = _column(node)
        table = self.cohort.patients
        return table[name] if name in table else pd.Series(np.nan, index=table.index, name=name)

    def _comparison(self, node: ast.Compare) -> pd.Series:
        sides = [node.left, *node.comparators]
        parts = [self._pair(*part) for part in zip(sides[:-1], node.ops, sides[1:], strict=True)]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part
        return joined

    def _pair(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> pd.Series:
        piece = ast.Compare(left, [sign], [right])
        kind = type(sign)
        if not isinstance(left, ast.Name) and isinstance(right, ast.Name) and kind in _TURNED:
            left, kind, right = right, _TURNED[kind], left
        if not isinstance(left, ast.Name):
            raise _unreadable(piece, "this compares no column")
        values = self._values(left)
        if kind in (ast.Is, ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise _unreadable(piece, "`is` goes with None only")
            return (values.isna() if kind is ast.Is else values.notna()).astype("boolean")
        if kind in (ast.In, ast.NotIn):
            if not isinstance(right, (ast.List, ast.Tuple, ast.Set)) or not right.elts:
                raise _unreadable(piece, "`in` needs a list, such as ['4', '4S']")
            legal = [self._legal(left, element, piece) for element in right.elts]
            found = values.isin(legal)
            return _where_known(found if kind is ast.In else ~found, values)
        if isinstance(right, ast.Name):
            if {_kind(_column(left)), _kind(_column(right))} != {"a number"}:
                raise _unreadable(piece, "only columns of numbers can be compared with each other")
            other = self._values(right)
            return _where_known(_COMPARISONS[kind](values, other), values).mask(other.isna().to_numpy())
        if kind not in (ast.Eq, ast.NotEq) and _kind(_column(left)) != "a number":
            raise _unreadable(piece, f"{left.id} has no order: it can be compared with ==, != and in")
        return _where_known(_COMPARISONS[kind](values, self._legal(left, right, piece)), values)

    def _legal(self, column: ast.Name, node: ast.expr, piece: ast.AST) -> str | float | bool:
        """Return a value that a column may be compared with, as the column has it."""
        name, value = _column(column), _literal(node, piece)
        kind = _kind(name)
        if kind == "a number" and not isinstance(value, (str, bool)):
            return float(value)
        if kind == "yes or no" and value in (0, 1):
            return bool(value)
        if kind == "a text" and not isinstance(value, (bool, float)):
            return self._text(name, str(value))
        raise _unreadable(piece, f"{name} is {kind}, and cannot be {value!r}")

    def _text(self, name: str, value: str) -> str:
        present = sorted(map(str, self.cohort.patients.get(name, pd.Series(dtype="str")).dropna().unique()))
        level = _spell_level(value.strip(), name) if name in coded_columns() else value
        if level is not None and (level in present or name in coded_columns()):
            return level
        shown = ", ".join(present[:_MOST_SHOWN]) or f"nothing: no patient has a value in {name}"
        more = f" and {len(present) - _MOST_SHOWN} more" if len(present) > _MOST_SHOWN else ""
        near = get_close_matches(value, present, n=1)
        fix = f"write {near[0]!r}" if near and name not in coded_columns() else "correct the value"
        raise InputError(f"no patient has the {name} {value!r}", column="where", expected=shown + more, fix=fix)

    def _has(self, node: ast.Call) -> pd.Series:
        """Read ``has(assay)``, ``has(time point)`` and ``has(assay, time point)``."""
        said = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        named = isinstance(node.func, ast.Name) and node.func.id == "has" and not node.keywords
        if not named or len(said) != len(node.args) or len(said) not in (1, 2):
            raise _unreadable(node, "this is no has(assay), has(time point) or has(assay, time point)")
        assays, times = self.cohort.assay_names[1:], levels("timepoint")
        assay = said[0] if len(said) == 2 or said[0] not in times else None
        time = said[-1] if len(said) == 2 or assay is None else "diagnosis"
        if time not in times or assay not in (*assays, None):
            wrong = time if time not in times else assay
            raise InputError(
                f"{wrong!r} is no assay and no time point" if len(said) == 1 else f"has: {wrong!r} is not known there",
                column="where",
                expected=f"assays: {', '.join(assays)}; time points: {', '.join(times)}",
                fix="has(assay), has(time point), or has(assay, time point)",
            )
        return self._sampled(assay, time)

    def _sampled(self, assay: str | None, time: str) -> pd.Series:
        samples, ids = self.cohort.samples, self.cohort.patients["patient_id"]
        if assay is not None:
            table = self.cohort.assays
            samples = samples[is_among(samples["sample_id"], table.loc[table["assay"] == assay, "sample_id"])]
        then = is_among(ids, samples.loc[samples["timepoint"] == time, "patient_id"])
        undated = is_among(ids, samples.loc[samples["timepoint"].isna(), "patient_id"])
        return pd.Series(then, index=ids.index).astype("boolean").mask(undated & ~then)


def _where_known(found: pd.Series, values: pd.Series) -> pd.Series:
    return found.fillna(False).astype("boolean").mask(values.isna().to_numpy())


def _kind(column: str) -> str:
    dtype = str(PATIENTS.columns[column].dtype)
    return {"float64": "a number", "boolean": "yes or no"}.get(dtype, "a text")


def _literal(node: ast.expr, piece: ast.AST) -> str | float | bool:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign, node = (-1 if isinstance(node.op, ast.USub) else 1), node.operand
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bool)):
            raise _unreadable(piece, "this is no number")
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float)):
        return node.value if isinstance(node.value, (str, bool)) else sign * node.value
    if isinstance(node, ast.Constant) and node.value is None:
        raise _unreadable(piece, "write `is None` or `is not None`")
    raise _unreadable(piece, "a column is compared with a text, a number, True or False")
