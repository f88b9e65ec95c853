"""The files of a study, in a folder, an archive or an Excel workbook, and the samples they belong to."""

from __future__ import annotations

import lzma
import re
import tarfile
import tomllib
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from nbrelapse.cohort.assemble import assemble_and_empty
from nbrelapse.cohort.cohort import Cohort, Repairs
from nbrelapse.cohort.columns import is_among, refuse_rows, row_numbers
from nbrelapse.cohort.content import LFS_MARK, check_regular, check_unpacked, decode, open_text, read_bytes, unpack
from nbrelapse.cohort.schema import ASSAY_OF, MATRICES, as_text, coded_text
from nbrelapse.cohort.text import TextHeader, open_workbook, parse_text_table, read_header
from nbrelapse.errors import InputError

LAST_HEADER_ROW = 50


def find_sheet(file: str | Path, column: str) -> pd.DataFrame | None:
    """Return the first sheet that has a column of this name, as text.

    Workbooks as supplements have them carry notes and data dictionaries on other sheets, and titles above the header.
    Cells are read by their reference: a workbook may leave out the blank cells of a row.

    Parameters
    ----------
    file : path
        An xlsx file.
    column : str
        Name of a column, in any case; the header is looked for in the first 50 rows.

    Returns
    -------
    DataFrame of str, or None
        The rows below the header, the blank ones included; blank cells are missing. None where no sheet has the column.

    Raises
    ------
    InputError
        The file is missing, a Git LFS pointer or no workbook.
    """
    path = Path(file)
    with open_workbook(read_bytes(path), path) as book:
        for name in book.sheet_names:
            grid = pd.read_excel(book, sheet_name=name, header=None, dtype="str", keep_default_na=False, na_values=[""])
            table = _below_header(grid, column)
            if table is not None:
                return table
    return None


def _below_header(grid: pd.DataFrame, column: str) -> pd.DataFrame | None:
    top = grid.head(LAST_HEADER_ROW).apply(lambda cells: cells.str.split().str.join(" "))
    has_it = (top.apply(lambda cells: cells.str.lower()) == column.lower()).any(axis=1).to_numpy()
    if not has_it.any():
        return None
    row = int(has_it.argmax())
    names = top.iloc[row]
    table = grid.iloc[row + 1 :].reset_index(drop=True)
    return table.loc[:, names.notna().to_numpy()].set_axis(names.dropna().to_list(), axis=1)


def files_below(folder: Path) -> list[Path]:
    """Return all files in a folder and below it.

    Raises
    ------
    InputError
        There is something else: a link that leads nowhere, as of data that were not fetched (git-annex, DVC), a pipe,
        a folder that is called as a data file. Without a word it would count as a file that the study does not have.
    """
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            found.append(path)
        elif not path.name.startswith(".") and (not path.is_dir() or (path.suffix and _wanted(path.name))):
            check_regular(path)
    return found


def matching_files(folder: Path, pattern: str) -> list[Path]:
    """Return a file, or the files that a pattern such as ``sv/*.vcf.gz`` matches, in order of path.

    Raises
    ------
    InputError
        The pattern matches nothing. A single file that does not exist is for its reader to refuse.
    """
    if not re.search(r"[*?\[]", pattern) or (folder / pattern).exists():
        return [folder / pattern]
    files = sorted(file for file in folder.glob(pattern) if file.is_file())
    if not files:
        raise InputError("no file matches", file=folder / pattern, fix="correct `file` in the mapping, or --source")
    return files


def samples_of_files(files: Sequence[Path], sample_pattern: str | None, sample_id: str | None) -> list[str] | None:
    r"""Return the sample of each file; None where neither the names nor the mapping tell it.

    Parameters
    ----------
    files : sequence of Path
    sample_pattern : str or None
        Regular expression with one group; it is searched in the name of the file.
    sample_id : str or None
        The sample of all files.

    Raises
    ------
    InputError
        The pattern does not match a file's name.

    Examples
    --------
    >>> samples_of_files([Path("sv/NB01.vcf.gz"), Path("sv/NB02.vcf")], r"(.+)\.vcf", None)
    ['NB01', 'NB02']
    """
    if sample_id is not None:
        return [sample_id] * len(files)
    if sample_pattern is None:
        return None
    found = [re.search(sample_pattern, file.name) for file in files]
    unmatched = [file for file, match in zip(files, found, strict=True) if match is None or not match[1]]
    if unmatched:
        raise InputError(
            f"`sample_pattern` does not match the names of {len(unmatched)} files",
            file=unmatched[0],
            column="sample_pattern",
            expected=f"names that match {sample_pattern}",
        )
    return [match[1] for match in found if match is not None]


@dataclass(kw_only=True)
class RawCohort:
    """Tables as their files spell them, and what is known of them; a reader fills it and assembles it.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By the schema's names, with the schema's column names.
    files : dict of str to path
        What error messages call the file of a table.
    metadata : dict
        For ``cohort.toml``.
    repairs : Repairs
        What was changed, or not used.
    layers : dict of str to DataFrame
        As :func:`nbrelapse.cohort.normalise_layer` returns them.
    sample_columns : dict of str to str
        What the file of a table calls the column of its samples, where that is not ``sample_id``.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    files: dict[str, str | Path] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    repairs: Repairs = field(default_factory=Repairs)
    layers: dict[str, pd.DataFrame] = field(default_factory=dict)
    sample_columns: dict[str, str] = field(default_factory=dict)

    def assemble(self, name: str, *, codes: bool = False) -> Cohort:
        """Return the cohort; the tables are taken out, so that each is in memory once.

        Parameters
        ----------
        name : str
        codes : bool, default False
            Leave texts of mutations and segments that were read as codes categorical.

        Raises
        ------
        InputError
            As :func:`nbrelapse.cohort.assemble_cohort` does, and for data of a sample that no clinical file has: a
            misspelt sample must not count as one without findings.
        """
        if "samples" in self.tables:
            self._refuse_unknown_samples(as_text(self.tables["samples"]["sample_id"]))
        about = {**self.metadata, "repairs": self.repairs}
        return assemble_and_empty(name, self.tables, about, self.files, self.layers, codes=codes)

    def _refuse_unknown_samples(self, known: pd.Series) -> None:
        for name in [name for name in ASSAY_OF if name in self.tables]:
            table, file = self.tables[name], self.files.get(name, name)
            if name in MATRICES:
                _refuse_unknown_columns(table, known, file)
                continue
            ids = coded_text(table["sample_id"])
            column = self.sample_columns.get(name, "sample_id")
            refuse_rows(ids.index, ids.isna(), "empty cell", file=file, column=column, fix="fill it or remove the row")
            refuse_rows(ids.index, ~is_among(ids, known), _FOREIGN, file=file, column=column, fix=_ADD)
        for name, layer in self.layers.items():
            _refuse_unknown_columns(layer, known, self.files.get(name, name))


_FOREIGN = "data of samples that no clinical file has"
_ADD = "add the samples to the clinical file, or remove their data"


def _refuse_unknown_columns(matrix: pd.DataFrame, known: pd.Series, file: str | Path) -> None:
    ids = as_text(pd.Series(matrix.columns, dtype="str"))
    unknown = ids.isna() | ~is_among(ids, known)
    if unknown.any():
        columns = f"sample columns {', '.join(map(str, row_numbers(ids.index, unknown)[:5]))}"
        raise InputError(_FOREIGN, file=file, column=columns, fix=_ADD)


@cache
def reader_keys(reader: str) -> dict[str, Any]:
    """Return what the names in a format's files mean.

    Parameters
    ----------
    reader : {"cbioportal", "gdc", "geo"}

    Examples
    --------
    >>> reader_keys("gdc")["clinical"]["patient"]
    'TARGET USI'
    """
    text = resources.files("nbrelapse.readers").joinpath(f"{reader}_keys.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True)
class MetaFile:
    """What a ``meta_*.txt`` of a cBioPortal study says of a data file.

    Parameters
    ----------
    name : str
        Of the meta file within the study.
    kind : str or None
        A key of ``[files]`` in ``cbioportal_keys.toml``; None for data that no cohort holds.
    data : str
        The data file that it names, as a name within the study.
    build : str
        ``reference_genome_id``; empty where it names none.
    """

    name: str
    kind: str | None
    data: str
    build: str = ""


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
    keys : dict
        ``cbioportal_keys.toml``.
    repairs : Repairs
        What was read in another way than it stands, or not read.
    opened : set of str
        The files that have been read.
    """

    source: Path
    paths: dict[str, Path] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=lambda: reader_keys("cbioportal"))
    repairs: Repairs = field(default_factory=Repairs)
    opened: set[str] = field(default_factory=set)

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

    @cached_property
    def metas(self) -> list[MetaFile]:
        """The meta files that name a data file, in order of name."""
        found = []
        for name in self.names:
            if "meta_" in PurePosixPath(name).name and name.endswith(".txt"):
                fields = self.fields(name)
                if data := fields.get("data_filename"):
                    words = (fields.get("genetic_alteration_type", ""), fields.get("datatype", ""))
                    kind = self.keys["meta_kinds"].get("/".join(words).upper())
                    inside = (PurePosixPath(name).parent / data).as_posix()
                    found.append(MetaFile(name, kind, inside, fields.get("reference_genome_id", "")))
        return found

    def files_of(self, kind: str) -> list[str]:
        """Return the study's files of a kind, a key of ``[files]``.

        First those that a meta file names, whatever they are called, then those with a name of old habit that no meta
        file says another thing of.
        """
        habit = self.keys["files"][kind]
        present = set(self.names)
        named = [meta.data for meta in self.metas if meta.kind == kind and meta.data in present]
        claimed = {meta.data for meta in self.metas}
        usual = [name for name in habit if name in present and name not in claimed]
        usual += [name for name in self.names if kind == "segments" and name.endswith(".seg") and name not in claimed]
        return list(dict.fromkeys([*(name for name in habit if name in named), *named, *usual]))

    def file_of(self, kind: str) -> str | None:
        """Return the first file of a kind, None where the study has none."""
        return next(iter(self.files_of(kind)), None)

    def unread(self) -> list[str]:
        """Return the data files that have not been read, and those that a meta file names without being there."""
        present = self.names
        claimed = {meta.data for meta in self.metas}
        data = [name for name in present if name in claimed or PurePosixPath(name).name.startswith("data_")]
        absent = [f"{name} (not in the study)" for name in sorted(claimed - set(present))]
        return [name for name in data if name not in self.opened] + absent

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
        self.opened.add(name)
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
        found = {file.relative_to(path).as_posix(): file for file in files_below(path)}
        return StudyFiles(path, paths={name: file for name, file in found.items() if not file.name.startswith(".")})
    if not path.exists():
        expected = "a study folder or .tar.gz"
        raise InputError("the study does not exist", file=path, expected=expected, fix="check the path")
    check_regular(path)
    return StudyFiles(path, contents=_read_archive(path))


def _wanted(name: str) -> bool:
    """Whether a file may belong to the study by its name alone."""
    if name.startswith("."):
        return False
    return name.startswith(("data_", "case", "gene_panel")) or "meta_" in name or name.endswith((".seg", ".maf"))


def _read_archive(path: Path) -> dict[str, bytes]:
    with path.open("rb") as stream:
        head = stream.read(len(LFS_MARK))
    if head == LFS_MARK:
        open_text(head, path)
    try:
        with tarfile.open(path) as archive:
            contents = _members(archive, path)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise InputError(f"the archive cannot be read: {reason}", file=path, fix="download it again") from None
    clinical = [name for name in contents if PurePosixPath(name).name.startswith(("data_clinical", "meta_study"))]
    root = PurePosixPath(clinical[0]).parent.as_posix() if clinical else "."
    prefix = "" if root == "." else f"{root}/"
    return {name.removeprefix(prefix).removeprefix("./"): content for name, content in contents.items()}


def _members(archive: tarfile.TarFile, path: Path) -> dict[str, bytes]:
    """Read the meta files of an archive, then the files of the usual names and those that they name."""
    files, size = [], 0
    for member in archive:
        size += member.size
        check_unpacked(size, path.stat().st_size, path)
        if member.isfile() and not PurePosixPath(member.name).name.startswith("."):
            files.append(member)
    contents: dict[str, bytes] = {}
    named: set[str] = set()
    for member in files:
        name = PurePosixPath(member.name)
        if "meta_" in name.name and (content := archive.extractfile(member)):
            contents[member.name] = content.read()
            pairs = (line.partition(b":") for line in contents[member.name].splitlines())
            named |= {
                (name.parent / value.strip().decode("utf-8", "replace")).as_posix()
                for key, _, value in pairs
                if key.strip() == b"data_filename"
            }
    for member in files:
        known = _wanted(PurePosixPath(member.name).name) or PurePosixPath(member.name).as_posix() in named
        if known and member.name not in contents and (content := archive.extractfile(member)):
            contents[member.name] = content.read()
    return contents
