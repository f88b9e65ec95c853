"""Gzip files and archives from elsewhere: looked at before they are believed, and unpacked into their folder only."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path

from nbrelapse.cohort.files import write_beside
from nbrelapse.errors import InputError
from nbrelapse.readers._download import check_room

_MOST_MEMBERS = 5_000
_MOST_UNPACKED = 20
"""A file may unpack to at most this many times what it may have packed."""


def check_gzip(path: Path, address: str, limit: int) -> None:
    """Refuse a gzip file that is cut off, damaged or unpacks to more than it may.

    Parameters
    ----------
    path : path
    address : str
        Where it came from.
    limit : int
        The most bytes that it may have as it is.
    """
    there, most = 0, limit * _MOST_UNPACKED
    try:
        with gzip.open(path) as stream:
            while block := stream.read(2**20):
                there += len(block)
                if there > most:
                    raise _too_much(path, most)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(
            "the file is cut off or damaged, or no gzip file",
            file=address,
            fix="fetch it again; where it stays so, look at what the address shows in a browser",
        ) from None


def _too_much(path: Path, limit: int) -> InputError:
    return InputError("the file unpacks to more than it may", file=path, expected=f"at most {limit:,} bytes")


def unpacked_folder(archive: Path) -> Path:
    """Return the folder that an archive is unpacked to."""
    return archive.with_name(archive.name.removesuffix(".tar.gz"))


def unpack(archive: Path, limit: int) -> list[str]:
    """Unpack the files of an archive into a folder of its name, which is there whole or not at all.

    Parameters
    ----------
    archive : path
        A ``.tar.gz``.
    limit : int
        The most bytes that it may have as it is.

    Returns
    -------
    list of str
        What is to be said of it.

    Raises
    ------
    InputError
        A member would be written elsewhere, the archive is damaged or has too much in it, or the disk has no room.
    """
    folder = unpacked_folder(archive)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members, left_out = _plain_members(tar, archive, limit * _MOST_UNPACKED)
            fix = "make room, and say the command again: nothing is fetched twice"
            check_room(archive.parent, sum(member.size for member in members), fix)
            with write_beside(folder) as beside:
                beside.mkdir()
                for member in members:
                    _write(tar, member, beside, archive)
                _lift(beside, folder.name)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(
            f"the archive cannot be read: {error}", file=archive, fix="remove it, fetch it again"
        ) from None
    return [f"{archive.name}: {left_out} links or devices were left out"] if left_out else []


def _plain_members(tar: tarfile.TarFile, archive: Path, limit: int) -> tuple[list[tarfile.TarInfo], int]:
    """Return the files and folders of an archive, and how many other things are in it."""
    plain, total, count = [], 0, 0
    for member in tar:
        count, total = count + 1, total + member.size
        if total > limit:
            raise _too_much(archive, limit)
        if count > _MOST_MEMBERS:
            raise InputError(f"the archive has more than {_MOST_MEMBERS:,} files", file=archive)
        if member.isfile() or member.isdir():
            plain.append(member)
    return plain, count - len(plain)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path) -> None:
    """Write a member below a folder; tarfile's own filter is not in every Python 3.11."""
    target = Path(os.path.normpath(folder / member.name.lstrip("/")))
    if not target.is_relative_to(folder):
        raise InputError(
            "the archive would write outside its folder", file=archive, fix="remove it, and report it to its source"
        )
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None
    with content, target.open("wb") as stream:
        shutil.copyfileobj(content, stream)


def _lift(folder: Path, name: str) -> None:
    """Move the content of an only folder that is called as the archive to where it stands."""
    inner = folder / name
    if inner.is_dir() and [item.name for item in folder.iterdir()] == [name]:
        aside = inner.rename(folder.with_name(f"{name}.inner"))
        folder.rmdir()
        aside.rename(folder)
