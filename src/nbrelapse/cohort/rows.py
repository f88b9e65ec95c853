"""Tables of results, written as their rows are made: CSV, Parquet or JSON, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nbrelapse.cohort.files import write_beside
from nbrelapse.errors import InputError

Rows: TypeAlias = bytes | pa.Table
"""Rows as their file will hold them."""
_END = b"\n]"
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def encode_rows(table: pd.DataFrame, suffix: str, *, first: bool) -> Rows:
    r"""Write rows as a file of a kind holds them; another process can do so while this one writes the rows before.

    Parameters
    ----------
    table : DataFrame
        Without its index.
    suffix : {".csv", ".tsv", ".parquet", ".json"}
        JSON: an object a row, null where there is no number.
    first : bool
        They are the first rows of the file.

    Returns
    -------
    bytes or pyarrow.Table

    Examples
    --------
    >>> encode_rows(pd.DataFrame({"risk": [0.25, None]}), ".csv", first=False)
    b'0.25\n""\n'
    """
    if suffix == ".parquet":
        return pa.Table.from_pandas(table, preserve_index=False)
    if suffix == ".json":
        text = table.to_json(orient="records", double_precision=15, indent=1)
        return (text if first else f",{text.removeprefix('[')}").encode()
    return table.to_csv(index=False, header=first, sep=_SEPARATORS[suffix], lineterminator="\n").encode()


@contextmanager
def rows_file(file: str | Path, what: str) -> Iterator[Callable[[Any], None]]:
    """Give a function that appends rows of patients to a file, which appears when the block ends without an error.

    It is its owner's alone, as :func:`nbrelapse.cohort.files.write_beside` says of private files.

    Parameters
    ----------
    file : path
        Of a kind of :func:`encode_rows`.
    what : str
        What is written, for the message: ``the scores``.

    Raises
    ------
    InputError
        The file cannot be written, as on a full disk. What was there before is still there.

    Examples
    --------
    >>> import tempfile
    >>> scores = pd.DataFrame({"patient_id": ["a", "b"], "risk": [0.5, 1.5]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with rows_file(f"{folder}/scores.csv", "the scores") as append:
    ...         append(encode_rows(scores[:1], ".csv", first=True))
    ...         append(encode_rows(scores[1:], ".csv", first=False))
    ...     Path(folder, "scores.csv").read_text().split()
    ['patient_id,risk', 'a,0.5', 'b,1.5']
    """
    target = Path(file)
    try:
        with write_beside(target, private=True) as beside:
            if target.suffix == ".parquet":
                with closing(_ParquetRows(beside)) as rows:
                    yield rows.append
            else:
                with beside.open("wb") as stream:
                    yield _TextRows(stream, target.suffix).append
    except OSError as error:
        fix = "make room, or name another file"
        raise InputError(f"{what} cannot be written: {error.strerror or error}", file=target, fix=fix) from None


class _TextRows:
    """A file of text; of JSON further rows take the place of the end of the list."""

    def __init__(self, stream: BinaryIO, suffix: str) -> None:
        self._stream, self._end = stream, len(_END) if suffix == ".json" else 0

    def append(self, rows: bytes) -> None:
        if self._end and self._stream.tell():
            self._stream.seek(-self._end, os.SEEK_END)
        self._stream.write(rows)
        self._stream.flush()


class _ParquetRows:
    """A Parquet file whose columns are those of its first rows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer: pq.ParquetWriter | None = None

    def append(self, rows: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, rows.schema)
        self._writer.write_table(rows)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
