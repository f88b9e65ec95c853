"""One table of a user's file, as text."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd

from nbrelapse.cohort.parse_text_table import parse_text_table
from nbrelapse.cohort.text_header import not_utf8
from nbrelapse.cohort.text_stream import damaged, open_text
from nbrelapse.errors import InputError


def read_bytes(file: str | Path) -> bytes:
    """Content of a file, unpacked where it is gzip.

    Raises
    ------
    InputError
        There is no such file, it is a folder, it is a Git LFS pointer instead of data, or it is damaged.
    """
    return unpack(Path(file), file)


def unpack(source: Path | bytes, file: str | Path) -> bytes:
    """Content of a file, or of the bytes of one, without gzip.

    Raises
    ------
    InputError
        As :func:`read_bytes`.
    """
    with open_text(source, file) as stream:
        try:
            return bytes(stream.read())
        except (OSError, EOFError) as error:
            raise damaged(error, file) from None


def decode(content: bytes, file: str | Path) -> str:
    """Text of a file in UTF-8, with or without byte order mark; raises InputError for anything else."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(error.start, file) from None


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
        return pd.read_parquet(io.BytesIO(content))
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"the Parquet file is damaged: {error}", file=path) from None


def _xlsx(content: bytes, path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        book = pd.ExcelFile(io.BytesIO(content), engine="openpyxl")
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise InputError(f"the file is not a readable xlsx workbook: {error}", file=path) from None
    name = sheet or str(book.sheet_names[0])
    if name not in book.sheet_names:
        raise InputError("no such sheet", file=path, column=name, expected=", ".join(map(str, book.sheet_names)))
    return pd.read_excel(book, sheet_name=name, dtype="str", keep_default_na=False, na_values=[""])
