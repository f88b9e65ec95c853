"""Open a file of a study for reading from its beginning, unpacked."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from nbrelapse.errors import InputError

LFS_MARK = b"version https://git-lfs"
GZIP_MARK = b"\x1f\x8b"


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
            mend="run `git lfs pull` in the repository it comes from, or download the study archive",
        )
    return _open(source, file)


def damaged(error: Exception, file: str | Path) -> InputError:
    """Return what to raise where unpacking fails."""
    return InputError(f"the gzip file is damaged: {error}", file=file, mend="download it again")


def _head(stream: pa.NativeFile, file: str | Path) -> bytes:
    try:
        return bytes(stream.read(len(LFS_MARK)))
    except (OSError, EOFError) as error:
        raise damaged(error, file) from None


def _open(source: Path | bytes, file: str | Path) -> pa.NativeFile:
    if isinstance(source, bytes):
        raw: pa.NativeFile = pa.BufferReader(source)
    elif source.is_dir():
        raise InputError("a file was expected, this is a folder", file=file)
    else:
        try:
            raw = pa.OSFile(str(source))
        except FileNotFoundError:
            raise InputError("the file does not exist", file=file, mend="check the path") from None
        except OSError as error:
            raise InputError(f"the file cannot be read: {error.strerror}", file=file) from None
    packed = raw.read(len(GZIP_MARK)) == GZIP_MARK
    raw.seek(0)
    return pa.CompressedInputStream(raw, "gzip") if packed else raw
