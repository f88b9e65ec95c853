"""Delimited text files, plain or compressed: header, comments and rows, parsed by Arrow."""

from __future__ import annotations

import csv
import io
import re
import sys
import warnings
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from nbrelapse.cohort.content import (
    check_unpacked,
    damaged,
    damaged_parquet,
    not_utf8,
    open_text,
    read_all,
    read_bytes,
    with_line_feeds,
)
from nbrelapse.cohort.schema import _missing_words
from nbrelapse.errors import InputError

_LARGEST_BLOCK, _SMALLEST_BLOCK, _OF_COLUMN = 2**24, 2**20, 2**16
"""Bytes that are parsed at a time: so many for each column that is read, within limits. Small blocks stay in the cache
of a processor, which saves a third of the time; but each column of a block is an array of its own."""
_SHOWN_ROWS = 1000


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
        Skip the lines that start with ``#`` (cBioPortal, MAF); such files quote nothing, unless all of the header is
        quoted, as R's ``write.table`` does.
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
    try:
        table = _read_columns(source, file, head, separator, comment, matrix, columns, numbers)
    except _UnevenRowsError:
        head = _fit_header(head, source, file, separator, matrix=matrix)
        table = _read_columns(source, file, head, separator, comment, matrix, columns, numbers)
    return _without_row_numbers(_without_blank_end(table))


def _read_columns(
    source: Path | bytes,
    file: str | Path,
    head: TextHeader,
    separator: str,
    comment: bool,
    matrix: bool,
    columns: Collection[str] | None,
    numbers: Collection[str],
) -> pd.DataFrame:
    chosen = set(head.names if columns is None else columns)
    wanted = [name for name in head.names if name in chosen]
    measured = set(wanted[1:] if matrix else numbers)
    kinds = {name: pa.float64() if name in measured else _text_type(columns is not None) for name in wanted}
    block = min(max(_SMALLEST_BLOCK, _OF_COLUMN * len(kinds)), _LARGEST_BLOCK)
    try:
        table = _parse(source, file, head, separator, comment, kinds, block)
    except _NotANumberError:
        kinds = {name: _text_type(columns is not None) for name in wanted}
        table = _parse(source, file, head, separator, comment, kinds, block)
    # No other name may hold the columns that are freed one by one.
    return table.to_pandas(split_blocks=True, self_destruct=True)


class _NotANumberError(Exception):
    """A column of numbers holds something else."""


class _UnevenRowsError(Exception):
    """The rows have not as many cells as the header."""


_BLANK = "Unnamed: "


def _without_blank_end(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the columns without name and values that a separator at the end of each line makes."""
    width = table.shape[1]
    while width > 1 and str(table.columns[width - 1]).startswith(_BLANK):
        last = table.iloc[:, width - 1]
        if not (last.isna() | (last.astype("str").str.strip() == "")).all():
            break
        width -= 1
    return table if width == table.shape[1] else table.iloc[:, :width]


def _without_row_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the row numbers that R and pandas write in front, from 1 or 0: they are no Entrez identifiers."""
    if table.shape[1] < 2 or not str(table.columns[0]).startswith(_BLANK):
        return table
    first = table.iloc[:, 0].astype("str").tolist()
    numbered = any(first == [str(number + start) for number in range(len(first))] for start in (0, 1))
    return table.iloc[:, 1:] if numbered else table


def _fit_header(
    head: TextHeader, source: Path | bytes, file: str | Path, separator: str, *, matrix: bool
) -> TextHeader:
    """Return the header that rows of one other width have, where only one meaning is possible.

    A header may end with separators that the rows do not have. Rows with one cell more than the header begin with the
    row names that R writes without a header, where they are numbered from 1, where all of the header is quoted, or
    where they are the genes of a matrix; read.table of R reads them so.
    """
    rows = _rows(source, file, separator, head.quoted)
    next(rows)
    numbered, last_blank, widths = True, True, set()
    for number, cells in enumerate(rows, 1):
        numbered &= cells[0].strip('"') == str(number)
        last_blank &= not cells[-1].strip('" ')
        widths.add(len(cells))
    width = widths.pop() if len(widths) == 1 else 0
    if 0 < width < len(head.names) and all(name.startswith(_BLANK) for name in head.names[width:]):
        return replace(head, names=head.names[:width])
    in_quotes = all(re.fullmatch('".*"', cell) for cell in next(_rows(source, file, separator, quoted=False)))
    if width == len(head.names) + 1 and not last_blank and (numbered or in_quotes or matrix):
        return replace(head, names=[f"{_BLANK}0", *head.names])
    raise _uneven(source, file, separator, head.quoted)


def _text_type(distinct: bool) -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string()) if distinct else pa.string()


def _parse(
    source: Path | bytes,
    file: str | Path,
    head: TextHeader,
    separator: str,
    comment: bool,
    kinds: dict[str, pa.DataType],
    block: int,
) -> pa.Table:
    first = head.names[0]
    read = pa_csv.ReadOptions(
        column_names=head.names,
        skip_rows=len(head.comments),
        skip_rows_after_names=1,
        block_size=max(block, 4 * head.length),
    )
    parse = pa_csv.ParseOptions(
        delimiter=separator,
        quote_char='"' if head.quoted else False,
        newlines_in_values=not comment,
        invalid_row_handler=_skip_comments,
    )
    only_text = all(kind == pa.string() for kind in kinds.values())
    convert = pa_csv.ConvertOptions(
        column_types={first: pa.string(), **kinds},
        include_columns=list(dict.fromkeys([first, *kinds])),
        null_values=[""] if only_text else [*_missing_words()],
        strings_can_be_null=only_text,
    )
    try:
        with _open_lines(source, file) as stream, _silent_rows():
            table = pa_csv.read_csv(stream, read, parse, convert)
    except pa.ArrowInvalid as error:
        if "conversion error to double" in str(error):
            raise _NotANumberError from None
        if "UTF8" in str(error):
            raise not_utf8(_bad_byte(source, file), file) from None
        if "straddling" in str(error) and block < _LARGEST_BLOCK:  # a row is longer than a block
            return _parse(source, file, head, separator, comment, kinds, _LARGEST_BLOCK)
        raise _UnevenRowsError from None
    except OSError as error:
        raise damaged(error, file) from None
    table = _without_comments(table.unify_dictionaries(), first) if comment else table
    return table.select([*kinds])


@contextmanager
def _silent_rows() -> Iterator[None]:
    """Let nothing be printed of rows that Arrow cannot even hand over, as they are no UTF-8; it then refuses them."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = before


def _skip_comments(row: pa_csv.InvalidRow) -> str:
    """Let remarks and blank lines between the rows pass, which have not as many cells."""
    return "skip" if row.text.startswith("#") or not row.text.strip() else "error"


def _without_comments(table: pa.Table, first: str) -> pa.Table:
    """Remove remarks that have as many cells as the rows; a cell that a spreadsheet could not compute is none."""
    values = table.column(first)
    if pa.types.is_floating(values.type):
        return table
    if pa.types.is_dictionary(values.type):
        if not values.num_chunks or not pc.any(pc.starts_with(values.chunk(0).dictionary, "#")).as_py():
            return table
        values = values.cast(pa.string())
    errors = pa.array([word for word in _missing_words() if word.startswith("#")])
    remarks = pc.and_(pc.starts_with(values, "#"), pc.invert(pc.is_in(values, errors)))
    return table.filter(pc.invert(pc.fill_null(remarks, False)))


def _uneven(source: Path | bytes, file: str | Path, separator: str, quoted: bool) -> InputError:
    """Find the rows that Arrow could not parse; its own messages show cells, which may identify a patient."""
    rows = _rows(source, file, separator, quoted)
    width = len(next(rows))
    widths = {number: len(cells) for number, cells in enumerate(rows, 1) if len(cells) != width}
    if not widths:
        problem = "the table cannot be parsed: is a quote not closed?"
        return InputError(problem, file=file, fix="close it, or save the file again as UTF-8 text")
    first = next(iter(widths))
    return InputError(
        f"the table cannot be parsed: row {first} has {widths[first]} cells, the header has {width}",
        file=file,
        rows=list(widths)[:_SHOWN_ROWS],
        expected=f"the same number of {separator!r} in each line",
        fix="complete or remove these rows; where it is the last one, the file was cut off: get it again; where it is "
        "every row, name each column in the header and end no line with a separator",
    )


def _rows(source: Path | bytes, file: str | Path, separator: str, quoted: bool) -> Iterator[list[str]]:
    """Cells of the header and of each row."""
    with (
        _open_lines(source, file) as stream,
        io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="") as lines,
    ):
        used = (line for line in lines if line.strip() and not line.startswith("#"))
        if not quoted:
            yield from (line.rstrip("\r\n").split(separator) for line in used)
            return
        try:
            yield from csv.reader(used, delimiter=separator)
        except csv.Error as error:
            raise not_csv(error, file) from None


def not_csv(error: csv.Error, file: str | Path) -> InputError:
    """Return what to raise where Python's parser gives up, with its reason, which shows no cell."""
    return InputError(
        f"the table cannot be parsed: {error}".partition(" - ")[0],
        file=file,
        expected="lines that all end alike, and quotes that are closed",
        fix="save the file again as UTF-8 text",
    )


def _bad_byte(source: Path | bytes, file: str | Path) -> int:
    position = 0
    with _open_lines(source, file) as stream, io.BufferedReader(stream) as lines:
        for line in lines:
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return position + error.start
            position += len(line)
    return position


_SEPARATORS = {"\t": "tabulators", ",": "commas", ";": "semicolons", "|": "vertical bars", " ": "blanks"}


@dataclass(frozen=True)
class TextHeader:
    """Column names of a text table; build it with :func:`read_header`.

    Parameters
    ----------
    names : list of str
        Without blanks and quotes; ``Unnamed: 3`` where the fourth is empty.
    comments : list of str
        The lines above it.
    length : int
        Of the header line, in bytes.
    quoted : bool
        Whether ``"`` encloses cells.
    """

    names: list[str]
    comments: list[str]
    length: int
    quoted: bool = True


def read_header(
    source: Path | bytes,
    file: str | Path,
    *,
    separator: str = "\t",
    comment: bool = False,
    matrix: bool = False,
) -> TextHeader:
    r"""Read the header of a text table.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content; may be gzip.
    file : path
        For error messages.
    separator : str
    comment : bool
        Lines that start with ``#`` are comments (cBioPortal, MAF). Otherwise such lines are
        comments at the top only, where they have not as many cells as the line below (``#version 2.4``).
    matrix : bool
        The names are of samples, which no message shows.

    Raises
    ------
    InputError
        The file cannot be read, is empty, not UTF-8, names a column twice, or has another separator.

    Examples
    --------
    >>> header = read_header(b"#version 2.4\nHugo_Symbol\tChromosome\nALK\t2\n", "a.maf", comment=True)
    >>> header.names, header.comments
    (['Hugo_Symbol', 'Chromosome'], ['#version 2.4'])
    """
    comments: list[str] = []
    with _open_lines(source, file) as stream, io.BufferedReader(stream) as buffered:
        lines = _lines(buffered, file)
        line = next(lines, None)
        while line is not None and (not line.strip() or line.startswith("#")):
            below = next(lines, None)
            if _is_header(line, below, separator, comment):
                break
            comments.append(line.rstrip("\r\n"))
            line = below
        if line is None:
            raise InputError(
                "the file is empty", file=file, expected="a header line and rows", fix="get it again, or leave it out"
            )
        quoted = not comment or all(re.fullmatch('".*"', cell) for cell in line.rstrip("\r\n").split(separator))
        try:
            cells = _cells(line, lines, separator, quoted=quoted)
        except csv.Error as error:
            raise not_csv(error, file) from None
    names = [name.strip().strip('"') or f"{_BLANK}{number}" for number, name in enumerate(cells)]
    _check_names(names, separator, file, matrix)
    return TextHeader(names, comments, len(line.encode()), quoted)


def _lines(stream: io.BufferedReader, file: str | Path) -> Iterator[str]:
    position = 0
    while True:
        try:
            line = stream.readline()
        except (OSError, EOFError) as error:
            raise damaged(error, file) from None
        if not line:
            return
        try:
            yield line.decode("utf-8-sig" if position == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(position + error.start, file) from None
        position += len(line)


def _is_header(line: str, below: str | None, separator: str, comment: bool) -> bool:
    """Tell a header that starts with ``#`` from a comment."""
    if comment or below is None or not line.strip():
        return False
    return line.count(separator) == below.count(separator) > 0


def _cells(line: str, more: Iterator[str], separator: str, quoted: bool) -> list[str]:
    if not quoted:
        return line.rstrip("\r\n").split(separator)

    def following() -> Iterator[str]:
        yield line
        yield from more

    return next(csv.reader(following(), delimiter=separator))


def _check_names(names: list[str], separator: str, file: str | Path, matrix: bool) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(
            "a column is named twice",
            file=file,
            column=f"{len(twice)} columns" if matrix else ", ".join(twice),
            fix="rename one of them; where the first line is no header, add one",
        )
    if all(name.startswith(_BLANK) for name in names):
        problem = f"the first line names no column, it has {len(names)} empty cells"
        raise InputError(problem, file=file, expected="a header line", fix="remove blank lines above the header")
    other = next((mark for mark in _SEPARATORS if mark != separator and names[0].count(mark) > (mark == " ")), None)
    if len(names) == 1 and other:
        raise InputError(
            f"the columns are separated by {_SEPARATORS[other]}, not by {_SEPARATORS.get(separator, repr(separator))}",
            file=file,
            column=names[0].split(other)[0],
            expected=f"{_SEPARATORS.get(separator, repr(separator))} between the columns",
            fix="save it so, or say `separator` in the mapping file of `import tables`",
        )


_PEEKED = 65_536


def _open_lines(source: Path | bytes, file: str | Path) -> pa.NativeFile:
    """Open a text whose lines end with a line feed; returns alone, as on old Macs, are read as such."""
    stream = open_text(source, file)
    try:
        block, before = stream.read(_PEEKED), b""
        while block and not re.search(rb"[\r\n]", before):
            before, block = block, stream.read(_PEEKED)
        ends = re.search(rb"\r\n?|\n", before + block[:1])
        stream = open_text(source, file)
        if ends is None or ends.group() != b"\r":
            return stream
        return pa.BufferReader(with_line_feeds(read_all(stream)))
    except (OSError, EOFError) as error:
        raise damaged(error, file) from None


def read_table(
    file: str | Path, *, separator: str | None = None, sheet: str | None = None, matrix: bool = False
) -> pd.DataFrame:
    """Read CSV, TSV (or any text, also gzip), xlsx or Parquet by the file's extension.

    Parameters
    ----------
    file : path
    separator : str, optional
        Of a text file; a comma for ``.csv``, a tabulator otherwise.
    sheet : str, optional
        Of an xlsx file; the first one by default.
    matrix : bool
        A gene by sample table: numbers are parsed.

    Returns
    -------
    DataFrame
        Text columns for text and xlsx files, the stored types for Parquet.

    Raises
    ------
    InputError
        The file is missing, a Git LFS pointer, damaged or no table.
    """
    path = Path(file)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix == ".parquet":
        return _parquet(read_bytes(path), path)
    if suffix == ".xlsx":
        return _xlsx(read_bytes(path), path, sheet)
    chosen = separator or ("," if suffix == ".csv" else "\t")
    return parse_text_table(path, path, separator=chosen, matrix=matrix)


def _parquet(content: bytes, path: Path) -> pd.DataFrame:
    from pyarrow import ArrowException

    try:
        return pd.read_parquet(io.BytesIO(content), page_checksum_verification=True)
    except (ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise damaged_parquet(error, path) from None


@contextmanager
def open_workbook(content: bytes, file: str | Path) -> Iterator[pd.ExcelFile]:
    """Open an xlsx workbook; whatever is raised while it is read is told as an InputError.

    Parameters
    ----------
    content : bytes
    file : path
        For error messages.

    Raises
    ------
    InputError
        It is no workbook, is damaged, or unpacks to more than a table can hold.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_unpacked(sum(member.file_size for member in archive.infolist()), len(content), file)
        with warnings.catch_warnings():
            # openpyxl warns of styles and validations that it drops; no value depends on them.
            warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
            with pd.ExcelFile(io.BytesIO(content), engine="openpyxl") as book:
                yield book
    except InputError:
        raise
    except Exception as error:  # openpyxl raises whatever the damaged part makes it stumble over
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise InputError(
            f"the file is not a readable xlsx workbook: {reason}",
            file=file,
            expected="an Excel workbook (.xlsx)",
            fix="download it again, or save it as xlsx; a renamed text file is none",
        ) from None


def _xlsx(content: bytes, path: Path, sheet: str | None) -> pd.DataFrame:
    with open_workbook(content, path) as book:
        name = sheet or str(book.sheet_names[0])
        if name not in book.sheet_names:
            expected = ", ".join(map(str, book.sheet_names))
            raise InputError("no such sheet", file=path, column=name, expected=expected, fix="name one of these")
        return pd.read_excel(book, sheet_name=name, dtype="str", keep_default_na=False, na_values=[""])
