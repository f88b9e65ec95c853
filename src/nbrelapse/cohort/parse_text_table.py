"""Delimited text as a table, streamed from its file and parsed by Arrow."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from nbrelapse.cohort.text_header import TextHeader, not_utf8, read_header
from nbrelapse.cohort.text_stream import damaged, open_text
from nbrelapse.cohort.vocabulary import missing_words
from nbrelapse.errors import InputError

BLOCK = 16 * 2**20
"""Bytes that are parsed at a time; no row may be longer, so wide headers enlarge it."""
SHOWN_ROWS = 1000


def parse_text_table(
    source: Path | bytes,
    file: str | Path,
    *,
    separator: str = "\t",
    comment: bool = False,
    matrix: bool = False,
    columns: Collection[str] | None = None,
    numbers: Collection[str] = (),
    header: TextHeader | None = None,
) -> pd.DataFrame:
    r"""Parse delimited text; gzip is unpacked on the way.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.
    file : path
        For error messages.
    separator : str
    comment : bool
        Skip the lines that start with ``#`` (cBioPortal, MAF); such files quote nothing.
    matrix : bool
        A gene by sample table: columns after the first are numbers where they can be.
    columns : collection of str, optional
        The columns to read of a large file. Its text becomes categorical: each distinct value is held once.
    numbers : collection of str
        Columns that should hold numbers. Where one holds anything that is neither a number nor a word for "not
        known" they are read as text, so that the rows can be named.
    header : TextHeader, optional
        As :func:`read_header` gave it; spares reading it again.

    Returns
    -------
    DataFrame
        Rows are numbered from 0 without comments and empty lines. Without `columns`, empty cells of text are missing.

    Raises
    ------
    InputError
        The file cannot be read, is empty or ragged, is not UTF-8, names a column twice, or has another separator.

    Examples
    --------
    >>> text = b"#version 2.4\nHugo_Symbol\tPosition\nALK\t29443695\n# a remark\nTP53\tunknown\n"
    >>> parse_text_table(text, "a.maf", comment=True, columns=["Position"], numbers=["Position"])["Position"].tolist()
    [29443695.0, nan]
    """
    head = header or read_header(source, file, separator=separator, comment=comment, matrix=matrix)
    chosen = set(head.names if columns is None else columns)
    wanted = [name for name in head.names if name in chosen]
    measured = set(wanted[1:] if matrix else numbers)
    kinds = {name: pa.float64() if name in measured else _text_type(columns is not None) for name in wanted}
    try:
        table = _parse(source, file, head, separator, comment, kinds)
    except _NotANumberError:
        kinds = {name: _text_type(columns is not None) for name in wanted}
        table = _parse(source, file, head, separator, comment, kinds)
    return table.select(wanted).to_pandas(split_blocks=True, self_destruct=True)


class _NotANumberError(Exception):
    """A column of numbers holds something else."""


def _text_type(distinct: bool) -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string()) if distinct else pa.string()


def _parse(
    source: Path | bytes,
    file: str | Path,
    head: TextHeader,
    separator: str,
    comment: bool,
    kinds: dict[str, pa.DataType],
) -> pa.Table:
    first = head.names[0]
    read = pa_csv.ReadOptions(
        column_names=head.names,
        skip_rows=len(head.comments),
        skip_rows_after_names=1,
        block_size=max(BLOCK, 4 * head.length),
    )
    parse = pa_csv.ParseOptions(
        delimiter=separator,
        quote_char=False if comment else '"',
        newlines_in_values=not comment,
        invalid_row_handler=_skip_comments,
    )
    only_text = all(kind == pa.string() for kind in kinds.values())
    convert = pa_csv.ConvertOptions(
        column_types={first: pa.string(), **kinds},
        include_columns=list(dict.fromkeys([first, *kinds])),
        null_values=[""] if only_text else [*missing_words()],
        strings_can_be_null=only_text,
    )
    try:
        with open_text(source, file) as stream:
            table = pa_csv.read_csv(stream, read, parse, convert)
    except pa.ArrowInvalid as error:
        if "conversion error to double" in str(error):
            raise _NotANumberError from None
        raise _problem(str(error), source, file, separator, quoted=not comment) from None
    except OSError as error:
        raise damaged(error, file) from None
    return _without_comments(table.unify_dictionaries(), first) if comment else table


def _skip_comments(row: pa_csv.InvalidRow) -> str:
    """Let remarks and blank lines between the rows pass, which have not as many cells."""
    return "skip" if row.text.startswith("#") or not row.text.strip() else "error"


def _without_comments(table: pa.Table, first: str) -> pa.Table:
    """Remove remarks that have as many cells as the rows."""
    values = table.column(first)
    if pa.types.is_floating(values.type):
        return table
    if pa.types.is_dictionary(values.type):
        if not values.num_chunks or not pc.any(pc.starts_with(values.chunk(0).dictionary, "#")).as_py():
            return table
        values = values.cast(pa.string())
    return table.filter(pc.invert(pc.fill_null(pc.starts_with(values, "#"), False)))


def _problem(message: str, source: Path | bytes, file: str | Path, separator: str, quoted: bool) -> InputError:
    """Find what Arrow could not parse; its own messages show cells, which may identify a patient."""
    if "UTF8" in message:
        return not_utf8(_bad_byte(source, file), file)
    rows = _rows(source, file, separator, quoted)
    width = len(next(rows))
    widths = {number: len(cells) for number, cells in enumerate(rows, 1) if len(cells) != width}
    if not widths:
        return InputError("the table cannot be parsed: is a quote not closed?", file=file)
    first = next(iter(widths))
    return InputError(
        f"the table cannot be parsed: row {first} has {widths[first]} cells, the header has {width}",
        file=file,
        rows=list(widths)[:SHOWN_ROWS],
        expected=f"the same number of {separator!r} in each line",
        mend="complete or remove these rows; where it is the last one, the file was cut off: get it again",
    )


def _rows(source: Path | bytes, file: str | Path, separator: str, quoted: bool) -> Iterator[list[str]]:
    """Cells of the header and of each row."""
    with open_text(source, file) as stream, io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="") as lines:
        used = (line for line in lines if line.strip() and not line.startswith("#"))
        if quoted:
            yield from csv.reader(used, delimiter=separator)
        else:
            yield from (line.rstrip("\r\n").split(separator) for line in used)


def _bad_byte(source: Path | bytes, file: str | Path) -> int:
    position = 0
    with open_text(source, file) as stream, io.BufferedReader(stream) as lines:
        for line in lines:
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return position + error.start
            position += len(line)
    return position
