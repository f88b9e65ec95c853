"""Public studies: which there are, on what terms, and their files fetched, checked and unpacked."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import tomli_w
from pydantic import BaseModel, ConfigDict

from nbrelapse.cohort.files import check_writable, write_beside
from nbrelapse.errors import InputError, did_you_mean
from nbrelapse.readers._archives import check_gzip, unpack, unpacked_folder
from nbrelapse.readers._download import download, finish, forget, part_of

_RECORD = "fetched.toml"
"""Beside the files: from where and when they came, and the checksums that later fetches compare."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Terms(_Entry):
    """Terms of use, as a source states them.

    Parameters
    ----------
    short, title : str
    address : str
        Where the source states them.
    text : str
        In the source's words.
    """

    short: str
    title: str
    address: str
    text: str


class PublicFile(_Entry):
    """A file of a public study.

    Parameters
    ----------
    address : str
        Of a ``.gz`` file, whose name it ends with; ``.tar.gz`` is unpacked.
    limit_mb : int
        The most that it may have; more is refused.
    role : {"study", "expression"}
        What the import is told that it is.
    """

    address: str
    limit_mb: int
    role: Literal["study", "expression"] = "study"

    @property
    def name(self) -> str:
        """The last part of the address."""
        return unquote(PurePosixPath(urlsplit(self.address).path).name)

    @property
    def limit(self) -> int:
        """The most bytes that it may have."""
        return self.limit_mb * 10**6


class PublicStudy(_Entry):
    """A study that can be fetched; see ``public_studies.toml`` for where each fact comes from.

    Parameters
    ----------
    title, citation : str
    people : int
    counted : {"patients", "samples"}
        What the source counts.
    assays : list of str
    source, page : str
        Who offers it, and the page that describes it.
    terms : list of Terms
    reader : {"cbioportal", "geo"}
        Of ``nbrelapse cohort import``.
    megabytes : float, optional
        Unpacked; None where the source does not say.
    files : list of PublicFile
    members : dict of str to str
        SHA-256 that the source publishes for files within the archive.
    """

    title: str
    citation: str
    people: int
    counted: Literal["patients", "samples"] = "patients"
    assays: list[str]
    source: str
    page: str
    terms: list[Terms]
    reader: Literal["cbioportal", "geo"]
    megabytes: float | None = None
    files: list[PublicFile]
    members: dict[str, str] = {}


@dataclass(frozen=True)
class FetchedStudy:
    """What a fetch left.

    Parameters
    ----------
    folder : Path
    files : dict of str to str
        SHA-256 by file name.
    fetched : list of str
        The files that came now; the others were there.
    notes : list of str
        What is to be known of them.
    command : list of str
        The import that reads them, without ``--out``.
    """

    folder: Path
    files: dict[str, str]
    fetched: list[str]
    notes: list[str]
    command: list[str]


_Progress = Callable[[str, int, int | None], None]
"""Told as a file comes: its name, bytes that are there, and how many there will be."""


def public_studies() -> dict[str, PublicStudy]:
    """Return the studies that can be fetched, by name.

    Returns
    -------
    dict of str to PublicStudy

    Examples
    --------
    >>> public_studies()["nbl_target_2018_pub"].people
    1076
    """
    text = resources.files("nbrelapse.readers").joinpath("public_studies.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    return {
        name: PublicStudy(**{**entry, "terms": [document["terms"][key] for key in entry["terms"]]})
        for name, entry in document["studies"].items()
    }


def find_study(name: str) -> PublicStudy:
    """Return a study of the catalogue.

    Parameters
    ----------
    name : str

    Raises
    ------
    InputError
        There is none of this name.
    """
    known = public_studies()
    if name not in known:
        raise InputError(
            f"no public study is called {name!r}",
            expected=", ".join(known),
            fix=did_you_mean(name, known) or "`nbrelapse cohort fetch` lists them",
        )
    return known[name]


def accepted_terms(study: PublicStudy, folder: str | Path) -> str | None:
    """Return when the terms of a study, as they are today, were accepted for a folder; None where they were not.

    Parameters
    ----------
    study : PublicStudy
    folder : path
    """
    terms = _read_record(Path(folder)).get("terms", {})
    return str(terms["accepted"]) if terms.get("sha256") == _terms_digest(study) else None


def fetch_study(
    study: PublicStudy, folder: str | Path, *, accept_terms: bool, progress: _Progress = lambda *_: None
) -> FetchedStudy:
    """Fetch the files of a study into a folder, check them, and unpack archives.

    What was interrupted goes on where it stopped, and what is complete is not asked for. Nothing but ``.part`` files is
    there before it is whole. ``fetched.toml`` keeps the SHA-256 of the first download, as the sources publish none: a
    file that is there later is compared with it, and so is one that is fetched again.

    Parameters
    ----------
    study : PublicStudy
        One of `public_studies`.
    folder : path
        Made where it does not exist. A file of the study that is there already, fetched by hand, is taken.
    accept_terms : bool
        Whether the terms of the study are accepted. They are remembered in the folder.
    progress : callable, optional

    Returns
    -------
    FetchedStudy

    Raises
    ------
    InputError
        The terms are not accepted, no connection, an answer that is not the file, a file that is damaged, is not what
        it was at the first download or is more than it may be, an archive that would write elsewhere, or no room.

    Examples
    --------
    >>> fetch_study(public_studies()["seqc"], "no_such_folder", accept_terms=False)
    Traceback (most recent call last):
    nbrelapse.errors.InputError: the terms of use are not accepted
    ...
    """
    place = Path(folder)
    if not (accept_terms or accepted_terms(study, place)):
        raise InputError(
            "the terms of use are not accepted",
            column="--accept-terms",
            expected="; ".join(f"{terms.title} ({terms.address})" for terms in study.terms),
            fix="read them, and say --accept-terms where they suit what you do",
        )
    check_writable(place, "the study", "name another folder with --out")
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        record = _read_record(place)
        if accepted_terms(study, place) is None:
            record["terms"] = {
                "accepted": _now(),
                "sha256": _terms_digest(study),
                "titles": [terms.title for terms in study.terms],
                "addresses": [terms.address for terms in study.terms],
            }
            _write_record(place, record)
        fetched, notes = [], []
        for file in study.files:
            came, said = _bring(file, place, record, progress)
            fetched += [file.name] if came else []
            notes += said
            if file.name.endswith(".tar.gz"):
                unpacked = unpacked_folder(place / file.name)
                notes += unpack(place / file.name, file.limit) if came or not unpacked.exists() else []
                notes += _compare_members(unpacked, study.members)
    return FetchedStudy(
        place,
        {file.name: record["files"][file.name]["sha256"] for file in study.files},
        fetched,
        notes,
        _import_command(study, place),
    )


def _bring(file: PublicFile, place: Path, record: dict[str, Any], progress: _Progress) -> tuple[bool, list[str]]:
    """Make sure that a file is there and is what it was; return whether it came now, and what is to be said of it."""
    target = place / file.name
    first = record.setdefault("files", {}).get(file.name)
    if target.exists():
        if first is None:
            check_gzip(target, file.address, file.limit)
            _keep(place, record, file, {"fetched": "by hand", "sha256": _sha256(target)}, target.stat().st_size)
            return False, [f"{file.name} was there already; its checksum is kept from now on"]
        if _sha256(target) != first["sha256"]:
            raise InputError(
                "the file is no longer what was fetched",
                file=target,
                expected=f"SHA-256 {first['sha256']}, of {first['fetched']}",
                fix="remove the file, and say the command again",
            )
        return False, []
    served = download(
        file.address,
        target,
        limit=file.limit,
        moved=lambda there, total: progress(file.name, there, total),
    )
    part = part_of(target)
    try:
        check_gzip(part, file.address, file.limit)
    except InputError:
        forget(part)
        raise
    found = _sha256(part)
    if first is not None and found != first["sha256"]:
        forget(part)
        raise InputError(
            f"{urlsplit(file.address).hostname} now serves another file than at the first download",
            file=file.address,
            expected=f"SHA-256 {first['sha256']}, of {first['fetched']}; it is {found}",
            fix=f"to take the new one remove {place / _RECORD}; results before and after are then of different data",
        )
    about = {"fetched": _now(), "sha256": found, "etag": served.etag, "last_modified": served.last_modified}
    if first is None:
        # Before the file has its name: a file without a record would pass for one fetched by hand.
        _keep(place, record, file, about, part.stat().st_size)
    finish(target)
    return True, [] if first else [f"{file.name}: the source publishes no checksum, that of this download is kept"]


def _keep(place: Path, record: dict[str, Any], file: PublicFile, about: dict[str, str | None], size: int) -> None:
    said = {name: text for name, text in about.items() if text is not None}
    record["files"][file.name] = {"address": file.address, "bytes": size, **said}
    _write_record(place, record)


def _compare_members(folder: Path, published: dict[str, str]) -> list[str]:
    if not published:
        return []
    there = {name: folder / name for name in published if (folder / name).is_file()}
    same = [name for name, file in there.items() if _sha256(file) == published[name]]
    others = ", ".join(name for name in published if name not in same)
    said = f"{len(same)} of {len(published)} files have the checksum that the source published"
    return [f"{said}; newer, older or not there: {others}" if others else said]


def _import_command(study: PublicStudy, place: Path) -> list[str]:
    files = [str(place / file.name) for file in study.files if file.role == "study"]
    if study.reader == "cbioportal":
        files = [str(unpacked_folder(Path(file))) if file.endswith(".tar.gz") else file for file in files]
    expression = [str(place / file.name) for file in study.files if file.role == "expression"]
    options = ["--expression", *expression] if expression else []
    return ["nbrelapse", "cohort", "import", study.reader, *files, *options]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time fetch into a folder; the lock goes with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError("another command fetches into this folder", file=folder, fix="wait for its end") from None
        yield
    finally:
        os.close(handle)


def _read_record(place: Path) -> dict[str, Any]:
    file = place / _RECORD
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise InputError("the record of what was fetched cannot be read", file=file, fix="remove it") from None


def _write_record(place: Path, record: dict[str, Any]) -> None:
    with write_beside(place / _RECORD) as beside:
        beside.write_text(tomli_w.dumps(record), encoding="utf-8")


def _terms_digest(study: PublicStudy) -> str:
    return hashlib.sha256("\n".join(terms.text for terms in study.terms).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
