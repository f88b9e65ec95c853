"""Tables of a cohort folder as they are read and checked: texts as codes, each distinct one looked at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nbrelapse.cohort.assemble import (
    _ALLELES,
    _CHROMOSOME,
    _SYMBOL,
    _empty_column,
    _normalise_column,
    _without_needless,
    normalise_matrix,
    normalise_table,
)
from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import _arrow
from nbrelapse.cohort.content import _read_buffer, damaged_parquet
from nbrelapse.cohort.schema import _IDS, _LONGEST_ID, TABLES, _kind, _missing_words, coded_columns, levels
from nbrelapse.cohort.text import read_table
from nbrelapse.errors import InputError

_GENES = "Hugo_Symbol"
_TEXT: Any = pd.StringDtype(na_value=np.nan)
_BOOLEAN: Any = pd.BooleanDtype()

_Ids: TypeAlias = dict[str, pd.CategoricalDtype]
"""The identifiers of a column, as the first table that has it lists them; the tables after it share their codes."""


def _read_coded(name: str, files: Sequence[Path], where: Path, ids: _Ids) -> pd.DataFrame:
    """Read the files of a long table as :func:`nbrelapse.cohort.normalise_table` returns it, with categorical texts.

    A cohort folder holds what the schema wants, spelled so: nothing is left to do but to see that it does. Parquet has
    the texts as codes, and each distinct one is looked at once. Where anything is not as it should be the files are
    read again as those of an import are, which repairs it or says in which rows it is.

    Parameters
    ----------
    name : str
        Of the table.
    files : sequence of Path
        Its blocks, in their order.
    where : Path
        For messages: the file, or the folder of the files.
    ids : dict of str to CategoricalDtype
        The identifiers of the tables that were read before; those of this one are added.

    Returns
    -------
    DataFrame
        Rows numbered from 0.

    Raises
    ------
    InputError
        A file is missing or damaged, a column is missing or unknown, or a value is illegal.
    """
    texts = [str(column) for column, rule in TABLES[name].columns.items() if _kind(rule) == "str"]
    parts = [_read_parquet(file, codes=texts) for file in files]
    ready = _as_stored(name, parts, ids)
    if ready is not None:
        return ready
    raw = [read_table(file) for file in files]
    table = raw[0] if len(raw) == 1 else pd.concat(raw, ignore_index=True)
    return normalise_table(name, table, where, Repairs()).reset_index(drop=True)


def _read_matrix(file: Path) -> pd.DataFrame:
    """Read a file of a gene by sample table as :func:`nbrelapse.cohort.normalise_matrix` returns it.

    Parameters
    ----------
    file : Path

    Returns
    -------
    DataFrame of float64
        Index ``Hugo_Symbol``, a column a sample.

    Raises
    ------
    InputError
        The file is missing or damaged, has no column of genes, or a value or gene is illegal.
    """
    stored = _read_parquet(file)
    samples = [name for name in stored.schema.names if name != _GENES]
    numbers = all(field.type == pa.float64() for field in stored.schema if field.name != _GENES)
    if numbers and _without_index(stored.schema) and stored.num_columns == len(samples) + 1:
        values = np.empty((len(samples), len(stored)))
        for row, column in zip(values, stored.drop_columns([_GENES]).columns, strict=True):
            row[:] = column.to_numpy()
        genes = pd.Index(stored.column(_GENES).to_pandas(), dtype="str", name=_GENES)
        matrix = pd.DataFrame(values.T, index=genes, columns=pd.Index(samples, dtype="str"), copy=False)
    else:
        table = read_table(file)
        if _GENES not in table:
            raise InputError("the gene column is missing", file=file, column=_GENES, fix="import the cohort again")
        matrix = table.set_index(_GENES)
    return normalise_matrix(matrix, file, Repairs())


def _read_parquet(file: Path, *, codes: Collection[str] = ()) -> pa.Table:
    """Read a Parquet file, and check the sums of its pages.

    Parameters
    ----------
    file : Path
    codes : collection of str
        Columns that are wanted as codes, as far as they are there and hold text.

    Raises
    ------
    InputError
        The file is missing, a Git LFS pointer or damaged.
    """
    content = _read_buffer(file)
    try:
        found = pq.read_schema(pa.BufferReader(content)) if codes else pa.schema([])
        coded = [field.name for field in found if field.name in codes and _is_text(field.type)]
        parquet = pq.ParquetFile(
            pa.BufferReader(content), read_dictionary=coded, page_checksum_verification=True, pre_buffer=False
        )
        return parquet.read()
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise damaged_parquet(error, file) from None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _as_stored(name: str, parts: Sequence[pa.Table], ids: _Ids) -> pd.DataFrame | None:
    """Return a table that is as the schema has it, its texts as codes; None where normalising would change anything."""
    rules, first = TABLES[name].columns, parts[0].schema
    foreign = set(first.names) - set(rules) or len(set(first.names)) < len(first.names)
    absent = [column for column, rule in rules.items() if column not in first.names]
    if foreign or not _without_index(first) or not all(rules[column].nullable for column in absent):
        return None
    if not all(part.schema.equals(first) for part in parts):
        return None
    table = pa.concat_tables(parts).unify_dictionaries()
    columns: dict[str, Any] = {}
    for column, rule in rules.items():
        if column in absent:
            columns[str(column)] = _empty_column(_kind(rule), pd.RangeIndex(len(table)))
            continue
        values = _stored_column(table.column(column), str(column), _kind(rule), name, ids)
        if values is None:
            return None
        columns[str(column)] = values
    ready = pd.DataFrame(columns)
    return ready if len(_without_needless(name, ready, Repairs())) == len(ready) else None


def _without_index(schema: pa.Schema) -> bool:
    """Tell whether no column is an index of pandas, which is none of the table's."""
    about = schema.pandas_metadata or {}
    return all(isinstance(column, dict) for column in about.get("index_columns", []))


def _stored_column(values: pa.ChunkedArray, column: str, kind: str, table: str, ids: _Ids) -> Any:
    """Return the array of a column that is as the schema has it; None where it is not."""
    if kind == "str":
        return _stored_texts(values, column, table, ids) if pa.types.is_dictionary(values.type) else None
    if kind == "boolean" and pa.types.is_boolean(values.type):
        return _BOOLEAN.__from_arrow__(values)
    if kind != "float64" or values.type != pa.float64():
        return None
    numbers = pd.Series(values.to_numpy(), name=column)
    if column in coded_columns():
        return values.to_numpy() if _levels(column).issuperset(map("{:g}".format, numbers.dropna().unique())) else None
    repairs = Repairs()
    try:
        ready = _normalise_column(numbers, kind, table, column, repairs)
    except InputError:
        return None
    return None if len(repairs) else ready.to_numpy()


def _stored_texts(values: pa.ChunkedArray, column: str, table: str, ids: _Ids) -> pd.Categorical | None:
    chunks = values.chunks
    distinct = chunks[0].dictionary if chunks else pa.array([], values.type.value_type)
    parts = [chunk.indices.fill_null(-1).to_numpy() for chunk in chunks]
    codes = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype=np.int32), *parts])
    if column in ids:
        places = pc.index_in(distinct.cast(pa.large_string()), value_set=_arrow(pd.Series(ids[column].categories)))
        if not places.null_count:
            return pd.Categorical.from_codes(np.append(places, -1)[codes], dtype=ids[column])
    if distinct.null_count or pc.count_distinct(distinct).as_py() < len(distinct):
        return None
    texts = _TEXT.__from_arrow__(distinct)
    if not _is_spelled(distinct, column) and not _stays(pd.Series(texts, name=column), column, table):
        return None
    kind = pd.CategoricalDtype(pd.Index(texts))
    if column in _IDS:
        ids.setdefault(column, kind)
    return pd.Categorical.from_codes(codes, dtype=kind)


def _stays(distinct: pd.Series, column: str, table: str) -> bool:
    """Tell whether texts are as the schema has them, by normalising them."""
    try:
        return bool(distinct.equals(_normalise_column(distinct, "str", table, column, Repairs())))
    except InputError:
        return False


_PLAIN = "^[!#-~](?: ?[!-~])*$"
_ID = "^[A-Za-z0-9_][!-~]*$"
_ALLELE = "^(?:[ACGT]+|-)$"
_GENE = r"^[A-Za-z][A-Za-z0-9._-]*$"
_NO_GENE = "^[A-Za-z]{3}-[0-9]{2}$|ENSG"
"""A date, or an identifier."""


def _is_spelled(distinct: pa.Array, column: str) -> bool:
    """Tell, without normalising them, whether texts are as the schema has them.

    Parameters
    ----------
    distinct : Array of str
    column : str

    Returns
    -------
    bool
        False where it is not certain: of texts with other characters than those of ASCII, say.

    Examples
    --------
    >>> _is_spelled(pa.array(["amplified"]), "mycn_status"), _is_spelled(pa.array(["amp"]), "mycn_status")
    (True, False)
    >>> _is_spelled(pa.array(["NB-7", "NB 7"]), "study"), _is_spelled(pa.array(["NB  7"]), "study")
    (True, False)
    """
    coded = "chromosome" if column in _CHROMOSOME else column
    if coded in coded_columns():
        return _levels(coded).issuperset(distinct.to_pylist())
    if column in _ALLELES:
        return _all_match(distinct, _ALLELE)
    if pc.any(pc.is_in(pc.ascii_lower(distinct), value_set=_missing(distinct.type))).as_py():
        return False
    if column in _IDS:
        return _all_match(distinct, _ID) and (pc.max(pc.binary_length(distinct)).as_py() or 0) <= _LONGEST_ID
    if column in _SYMBOL:
        return _all_match(distinct, _GENE) and not pc.any(pc.match_substring_regex(distinct, _NO_GENE)).as_py()
    return _all_match(distinct, _PLAIN)


@cache
def _levels(column: str) -> frozenset[str]:
    return frozenset(levels(column))


@cache
def _missing(kind: pa.DataType) -> pa.Array:
    return pa.array(sorted({word.lower() for word in _missing_words()}), kind)


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py())
