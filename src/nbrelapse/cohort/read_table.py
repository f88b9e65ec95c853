"""One table of a user's file, as text."""

from __future__ import annotations

import csv
import gzip
import io
import warnings
import zipfile
from pathlib import Path

import pandas as pd

from nbrelapse.errors import InputError

LFS_MARK = b"version https://git-lfs"


def read_bytes(file: str | Path) -> bytes:
    """Content of a file, unpacked where it is gzip.

    Raises
    ------
    InputError
        There is no such file, it is a folder, it is a Git LFS pointer instead of data, or it is damaged.
    """
    path = Path(file)
    if path.is_dir():
        raise InputError("a file was expected, this is a folder", file=path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("the file does not exist", file=path, mend="check the path") from None
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", file=path) from None
    return unpack(content, path)


def unpack(content: bytes, file: str | Path) -> bytes:
    """Content of a file without gzip; refuses a Git LFS pointer.

    Raises
    ------
    InputError
        The content is a Git LFS pointer or a damaged gzip stream.
    """
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise InputError(f"the gzip file is damaged: {error}", file=file, mend="download it again") from None
    if content.startswith(LFS_MARK):
        raise InputError(
            "the file is a Git LFS pointer, not the data",
            file=file,
            expected="the data that the pointer stands for",
            mend="run `git lfs pull` in the repository it comes from, or download the study archive",
        )
    return content


def decode(content: bytes, file: str | Path) -> str:
    """Text of a file in UTF-8, with or without byte order mark; raises InputError for anything else."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the file is not UTF-8 text (byte {error.start})", file=file, mend="save it as UTF-8"
        ) from None


def parse_text_table(
    text: str, file: str | Path, *, separator: str = "\t", comment: bool = False, matrix: bool = False
) -> pd.DataFrame:
    """Parse delimited text; empty cells are missing.

    Parameters
    ----------
    text : str
        The file's content.
    file : path
        For error messages.
    separator : str
    comment : bool
        Skip the lines that start with ``#`` (cBioPortal, MAF); such files quote nothing.
    matrix : bool
        A gene by sample table: columns after the first are numbers where they can be. Otherwise every column stays
        text.

    Raises
    ------
    InputError
        The table is empty, ragged, or names a column twice.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if comment:
        lines = [line for line in lines if not line.startswith("#")]
    if not any(line.strip() for line in lines):
        raise InputError("the file is empty", file=file, expected="a header line and rows")
    header = lines[0].split(separator)
    names = [name.strip().strip('"') for name in header]
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise InputError("a column is named twice", file=file, column=", ".join(twice), mend="rename one of them")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(
                io.StringIO("\n".join(lines)),
                sep=separator,
                dtype={names[0]: "str"} if matrix else "str",
                keep_default_na=matrix,
                na_values=[""],
                index_col=False,
                low_memory=False,
                quoting=csv.QUOTE_NONE if comment else csv.QUOTE_MINIMAL,
            )
        except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
            expected = f"the same number of {separator!r} in each line"
            raise InputError(f"the table cannot be parsed: {error}", file=file, expected=expected) from None
    return table.rename(columns=lambda name: str(name).strip())


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
    content = read_bytes(path)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix == ".parquet":
        return _parquet(content, path)
    if suffix == ".xlsx":
        return _xlsx(content, path, sheet)
    chosen = separator or ("," if suffix == ".csv" else "\t")
    return parse_text_table(decode(content, path), path, separator=chosen, matrix=matrix)


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
