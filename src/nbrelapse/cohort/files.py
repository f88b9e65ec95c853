"""Write a file or folder beside its target and rename it, so that it is there whole or not at all."""

from __future__ import annotations

import errno
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nbrelapse.errors import InputError


@contextmanager
def write_beside(target: str | Path, *, private: bool = False) -> Iterator[Path]:
    """Give a path to write to, and rename what was written there when the block ends without an error.

    An interruption leaves what was there before. The target's folder is made where it does not exist.

    Parameters
    ----------
    target : path
        A file, or a folder; what is there is replaced.
    private : bool, default False
        It has rows of patients: nobody else on this machine may read it (0600, a folder 0700), unless what it replaces
        had been opened to others. Of no effect where there are no such rights.

    Yields
    ------
    Path
        A path of the same name in a new folder beside the target; nothing is there yet.

    Raises
    ------
    OSError
        The folder cannot be written to, or nothing was written.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_beside(Path(folder) / "scores.csv") as beside:
    ...         _ = beside.write_text("patient_id,risk")
    ...     [file.name for file in Path(folder).iterdir()]
    ['scores.csv']
    """
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        beside = scratch / path.name
        yield beside
        if private:
            _restrict(beside, _OWNER | (stat.S_IMODE(path.stat().st_mode) if path.exists() else 0))
        if beside.is_dir() and path.exists():
            _replace_folder(beside, path)
        else:
            beside.replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_OWNER, _NOT_RUN = 0o700, 0o666
"""Rights of the owner alone; and what files do not have of a folder's: to be run."""


def _restrict(new: Path, mode: int) -> None:
    """Give a file, or a folder and all that is in it, to whoever has a right in the mode, and to nobody else."""
    if new.is_file():
        new.chmod(mode & _NOT_RUN)
        return
    for path in new.rglob("*"):
        path.chmod(mode if path.is_dir() else mode & _NOT_RUN)
    new.chmod(mode)


def _replace_folder(new: Path, path: Path) -> None:
    # A folder cannot be renamed onto one with content, so the old one steps aside, and back where that fails.
    old = path.rename(new.with_name(f"{new.name}.replaced"))
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise


def check_file_name(file: str | Path, what: str, suffixes: Sequence[str]) -> Path:
    """Refuse a name that a kind of file cannot have; a command asks before its work, not after.

    Parameters
    ----------
    file : path
    what : str
        The kind, with its article.
    suffixes : sequence of str
        Extensions that it may have.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The extension is another one.

    Examples
    --------
    >>> check_file_name("features.csv", "a feature table", (".parquet", ".csv")).suffix
    '.csv'
    """
    path = Path(file)
    if path.suffix not in suffixes:
        raise InputError(
            f"{what} cannot be a {path.suffix or 'file without extension'}",
            file=path,
            expected=" or ".join(suffixes),
        )
    return path


def check_writable(target: str | Path, what: str, fix: str, *, replaced: bool = False) -> None:
    """Refuse a place that cannot be written to, before the work whose results it is to keep; nothing is left in it.

    Parameters
    ----------
    target : path
        A folder. Need not exist: then what is asked of is the nearest folder above it that does.
    what : str
        What is to be written there, with its article.
    fix : str
        What the user can do.
    replaced : bool, default False
        It is a file, or a folder that takes the place of what is there (:func:`write_beside`): the folder that holds it
        is asked.

    Raises
    ------
    InputError
        It cannot be written to, or the disk is full.

    Examples
    --------
    >>> check_writable("/proc/none", "the report", "name another folder")
    Traceback (most recent call last):
    nbrelapse.errors.InputError: the report cannot be written: ...
    """
    path = Path(target).absolute()
    path = path.parent if replaced else path
    while not path.exists():
        path = path.parent
    try:
        with tempfile.NamedTemporaryFile(dir=path, prefix=".nbrelapse-") as file:
            file.write(bytes(_PROBE))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        fix = f"make room, or {fix}" if full else fix
        raise InputError(f"{what} cannot be written: {error.strerror}", file=target, fix=fix) from None


_PROBE = 2**20
"""Bytes that a disk must have room for; a report has more than half of them."""
