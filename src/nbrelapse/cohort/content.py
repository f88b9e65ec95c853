"""What is in a file: only regular ones, unpacked as far as it can be a table, as text or TOML."""

from __future__ import annotations

import io
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa

from nbrelapse.errors import InputError

LFS_MARK = b"version https://git-lfs"
_GZIP_MARK = b"\x1f\x8b"


def open_text(source: Path | bytes, file: str | Path) -> pa.NativeFile:
    """Open a file, or the content of one, without reading it; gzip is unpacked on the way.

    Parameters
    ----------
    source : Path or bytes
    file : path
        For error messages.

    Returns
    -------
    pyarrow.NativeFile
        At the first byte of the text.

    Raises
    ------
    InputError
        There is no such file, it is a folder, it cannot be read, or it is a Git LFS pointer instead of data.
    """
    stream = _open(source, file)
    if _head(stream, file).startswith(LFS_MARK):
        raise InputError(
            "the file is a Git LFS pointer, not the data",
            file=file,
            expected="the data that the pointer stands for",
            fix="run `git lfs pull` in the repository it comes from, or download the study archive",
        )
    return _open(source, file)


def damaged(error: Exception, file: str | Path) -> InputError:
    """Return what to raise where unpacking fails."""
    return InputError(f"the gzip file is damaged: {error}", file=file, fix="download it again")


def _head(stream: pa.NativeFile, file: str | Path) -> bytes:
    try:
        return bytes(stream.read(len(LFS_MARK)))
    except (OSError, EOFError) as error:
        raise damaged(error, file) from None


def _open(source: Path | bytes, file: str | Path) -> pa.NativeFile:
    if isinstance(source, bytes):
        raw: pa.NativeFile = pa.BufferReader(source)
    else:
        check_regular(source)
        try:
            raw = pa.OSFile(str(source))
        except OSError as error:
            raise _unreadable(error, source) from None
    try:
        packed = raw.read(len(_GZIP_MARK)) == _GZIP_MARK
        raw.seek(0)
    except OSError as error:
        raise _unreadable(error, file) from None
    return pa.PythonFile(_Unpacked(raw, file), mode="r") if packed else raw


def check_regular(file: Path) -> None:
    """Refuse what is no file to read from the beginning to the end: a folder, a pipe, a device.

    Raises
    ------
    InputError
        Also where there is no such file.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        raise InputError("the file does not exist", file=file, fix="check the path") from None
    except (OSError, ValueError) as error:
        raise _unreadable(error, file) from None
    if stat.S_ISDIR(mode):
        raise InputError("a file was expected, this is a folder", file=file, fix="name a file in it")
    if not stat.S_ISREG(mode):
        raise InputError("this is a pipe or a device, not a file", file=file, fix="save what comes from it, name that")


def _unreadable(error: OSError | ValueError, file: str | Path) -> InputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or "an illegal path, or a damaged disk"
    return InputError(f"the file cannot be read: {reason}", file=file, fix="check the path, and the rights to read it")


_LARGEST_UNCHECKED = 2**26
_MOST_UNPACKED = 500
"""A table of nothing but zeros unpacks to so many times its size; gzip can do a thousand."""


def check_unpacked(size: int, packed: int, file: str | Path) -> None:
    """Refuse what unpacks to so much that it can hold no table; little is never refused.

    Parameters
    ----------
    size, packed : int
        Bytes, unpacked so far and as they stand in the file.
    file : path

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_unpacked(2**31, 2**21, "a.txt.gz")
    Traceback (most recent call last):
    nbrelapse.errors.InputError: the file unpacks to more than 500 times its size, as no table does
    ...
    """
    if size > _LARGEST_UNCHECKED and size > _MOST_UNPACKED * packed:
        problem = f"the file unpacks to more than {_MOST_UNPACKED} times its size, as no table does"
        raise InputError(problem, file=file, fix="get it again from where it comes from, or give it unpacked")


_BLOCK = 2**24


class _Unpacked(io.RawIOBase):
    """The content of a gzip file, as long as it is no more than one may hold."""

    def __init__(self, raw: pa.NativeFile, file: str | Path) -> None:
        self._packed, self._file, self._size = raw.size(), file, 0
        self._stream = pa.CompressedInputStream(raw, "gzip")

    def readable(self) -> bool:
        return True

    def read(self, size: int = _BLOCK, /) -> bytes:
        block = bytes(self._stream.read(size))
        self._size += len(block)
        check_unpacked(self._size, self._packed, self._file)
        return block


_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){200}""")
"""A key of two hundred parts: tomllib takes quadratic time to read them."""


def parse_toml(content: bytes, file: str | Path, what: str, *, expected: str | None = None) -> dict[str, Any]:
    """Read TOML.

    Parameters
    ----------
    content : bytes
        Of the file.
    file : path
        For error messages.
    what : str
        What the file is, for them.
    expected : str, optional
        What it should hold, for them.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        It is no UTF-8, no TOML, or nested too deeply.

    Examples
    --------
    >>> parse_toml(b"folds = 3", "a.toml", "the experiment file")
    {'folds': 3}
    """
    text = decode(content, file)
    try:
        if _LONG_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Besides TOMLDecodeError a ValueError of numbers with thousands of digits; InputError is one too.
        if isinstance(error, InputError):
            raise
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        fix = "correct the line; a table or key may stand only once"
        raise InputError(f"{what} is not valid TOML: {reason}", file=file, expected=expected, fix=fix) from None


def read_all(stream: pa.NativeFile) -> bytes:
    """Return the rest of a file, read in blocks."""
    return b"".join(iter(lambda: bytes(stream.read(_BLOCK)), b""))


def read_bytes(file: str | Path) -> bytes:
    """Content of a file, unpacked where it is gzip.

    Raises
    ------
    InputError
        There is no such file, it is a folder, it is a Git LFS pointer instead of data, or it is damaged.
    """
    return unpack(Path(file), file)


def _read_buffer(file: Path) -> pa.Buffer:
    """Content of a file as :func:`read_bytes` returns it, not copied once more; a Parquet file is read from it.

    It is not mapped into memory: what a failing disk or network cannot give ends as an error then, and not the process.
    """
    with open_text(file, file) as stream:
        try:
            return stream.read_buffer() if isinstance(stream, pa.OSFile) else pa.py_buffer(read_all(stream))
        except (OSError, EOFError) as error:
            raise damaged(error, file) from None


def unpack(source: Path | bytes, file: str | Path) -> bytes:
    """Content of a file, or of the bytes of one, without gzip.

    Raises
    ------
    InputError
        As :func:`read_bytes`.
    """
    with open_text(source, file) as stream:
        try:
            return read_all(stream)
        except (OSError, EOFError) as error:
            raise damaged(error, file) from None


def decode(content: bytes, file: str | Path) -> str:
    """Text of a file in UTF-8, with or without byte order mark; raises InputError for anything else.

    Lines end with a line feed, whatever they end with in the file.
    """
    try:
        return with_line_feeds(content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(error.start, file) from None


def with_line_feeds(text: bytes) -> bytes:
    """Return text whose lines end with a line feed, whatever they ended with."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def not_utf8(position: int, file: str | Path) -> InputError:
    """Return what to raise where a byte is no UTF-8."""
    return InputError(f"the file is not UTF-8 text (byte {position})", file=file, fix="save it as UTF-8")


def damaged_parquet(error: Exception, file: Path) -> InputError:
    """Return what to raise where a Parquet file cannot be read."""
    reason = str(error).partition("\n")[0]
    return InputError(f"the Parquet file is damaged: {reason}", file=file, fix="write or get it again")
