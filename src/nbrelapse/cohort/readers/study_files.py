"""The files of a study, in a folder or in the archive it was downloaded as."""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from nbrelapse.cohort.parse_text_table import parse_text_table
from nbrelapse.cohort.read_table import decode, unpack
from nbrelapse.cohort.text_header import TextHeader, read_header
from nbrelapse.cohort.text_stream import LFS_MARK, open_text
from nbrelapse.errors import InputError


@dataclass(frozen=True)
class StudyFiles:
    """Files by their name within the study, such as ``case_lists/cases_all.txt``; build it with :func:`open_study`.

    Parameters
    ----------
    source : Path
        The folder or archive.
    paths : dict of str to Path
        Files of a folder.
    contents : dict of str to bytes
        Files of an archive.
    """

    source: Path
    paths: dict[str, Path] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the files, sorted."""
        return sorted({*self.paths, *self.contents})

    def where(self, name: str) -> Path:
        """Return what an error message calls the file."""
        return self.source / name

    def first(self, candidates: Iterable[str]) -> str | None:
        """Return the first of several names that the study has."""
        return next((name for name in candidates if name in self.paths or name in self.contents), None)

    def text(self, name: str) -> str:
        """Return the text of a file; raises InputError for a Git LFS pointer or what is no UTF-8."""
        return decode(unpack(self._source(name), self.where(name)), self.where(name))

    def header(self, name: str, *, matrix: bool = False) -> TextHeader:
        """Return the column names of a tab-separated file, and the ``#`` lines above them."""
        return read_header(self._source(name), self.where(name), comment=True, matrix=matrix)

    def table(
        self,
        name: str,
        *,
        columns: Collection[str] | None = None,
        numbers: Collection[str] = (),
        header: TextHeader | None = None,
    ) -> pd.DataFrame:
        """Return a tab-separated file without its ``#`` lines; see :func:`parse_text_table` for the options."""
        return parse_text_table(
            self._source(name),
            self.where(name),
            comment=True,
            columns=columns,
            numbers=numbers,
            header=header,
        )

    def _source(self, name: str) -> Path | bytes:
        return self.paths[name] if name in self.paths else self.contents[name]

    def fields(self, name: str) -> dict[str, str]:
        """Return the ``key: value`` lines of a meta file or case list."""
        pairs = (line.partition(":") for line in self.text(name).splitlines())
        return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def open_study(source: str | Path) -> StudyFiles:
    """Find the files of a study.

    An archive is read in memory and nothing of it is written to disk; links and devices in it are left out.

    Parameters
    ----------
    source : path
        The study's folder, or its ``.tar.gz`` (``.tar``, ``.tgz``) as cBioPortal offers it.

    Returns
    -------
    StudyFiles

    Raises
    ------
    InputError
        There is no such folder or file, or the archive is damaged or a Git LFS pointer.
    """
    path = Path(source)
    if path.is_dir():
        found = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if _wanted(file.name)}
        return StudyFiles(path, paths={name: file for name, file in found.items() if file.is_file()})
    if not path.exists():
        raise InputError("the study does not exist", file=path, expected="a study folder or .tar.gz")
    return StudyFiles(path, contents=_read_archive(path))


def _wanted(name: str) -> bool:
    if name.startswith(".") or "zscores" in name.lower():
        return False
    return name.startswith(("data_", "meta_", "case", "gene_panel")) or name.endswith(".seg") or "_meta_" in name


def _read_archive(path: Path) -> dict[str, bytes]:
    with path.open("rb") as stream:
        head = stream.read(len(LFS_MARK))
    if head == LFS_MARK:
        open_text(head, path)
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and _wanted(PurePosixPath(member.name).name):
                    content = archive.extractfile(member)
                    contents[member.name] = content.read() if content else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"the archive cannot be read: {error}", file=path, mend="download it again") from None
    clinical = [name for name in contents if PurePosixPath(name).name.startswith("data_clinical")]
    root = PurePosixPath(clinical[0]).parent.as_posix() if clinical else "."
    prefix = "" if root == "." else f"{root}/"
    return {name.removeprefix(prefix).removeprefix("./"): content for name, content in contents.items()}
