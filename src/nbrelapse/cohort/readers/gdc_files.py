"""Find the GDC and TARGET files among what a user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from nbrelapse.errors import InputError

Patterns = Mapping[str, Sequence[str]]


def find_gdc_files(sources: Sequence[str | Path], patterns: Patterns) -> dict[str, list[Path]]:
    """Sort files by kind, after their names.

    Parameters
    ----------
    sources : sequence of path
        Files, and folders that are searched with all their subfolders (the GDC client makes one a file).
    patterns : dict of str to sequence of str
        File name patterns of each kind, in lower case.

    Returns
    -------
    dict of str to list of Path
        The files of each kind in order of path; a kind without files has an empty list.

    Raises
    ------
    InputError
        A source does not exist, or a file that is named itself is of no known kind.
    """
    found: dict[str, set[Path]] = {kind: set() for kind in patterns}
    for source in map(Path, sources):
        if not source.exists():
            raise InputError("the source does not exist", file=source, mend="check the path")
        files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
        for file in files:
            kind = _kind(file.name.lower(), patterns)
            if kind is not None:
                found[kind].add(file.resolve())
            elif source.is_file():
                raise InputError(
                    "a file of unknown kind",
                    file=source,
                    expected=", ".join(pattern for names in patterns.values() for pattern in names),
                    mend="keep the names that the files were downloaded with, or leave this file out",
                )
    return {kind: sorted(files) for kind, files in found.items()}


def _kind(name: str, patterns: Patterns) -> str | None:
    # Hidden files, and the locks that Excel leaves beside an open workbook.
    if name.startswith((".", "~$")):
        return None
    return next((kind for kind, names in patterns.items() if any(fnmatch(name, one) for one in names)), None)
