"""Download a file over HTTPS: it goes on where it stopped, takes no more than it may, and is whole or not there."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from nbrelapse import __version__
from nbrelapse.errors import InputError

TRIES = 5
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
MOST_BREAKS = 200
_BLOCK = 2**18
_REDIRECTS = 5
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

Moved = Callable[[int, int | None], None]
"""Told after each block: bytes that are there, and how many there will be where the server says so."""


class Served(NamedTuple):
    """What a server said of a file: marks by which a changed file is recognised, None where it gave none."""

    address: str
    etag: str | None
    last_modified: str | None

    @property
    def validator(self) -> str | None:
        """What `If-Range` may hold: a strong entity tag, else the date."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.last_modified


class _PassingError(Exception):
    """A failure that may pass; says what happened, and how long the server asks to wait."""

    def __init__(self, what: str, wait: float = 0.0) -> None:
        super().__init__(what)
        self.wait = wait


def part_of(target: Path) -> Path:
    """Return where the bytes of a file gather before it is whole."""
    return target.with_name(f"{target.name}.part")


def download(address: str, target: Path, *, limit: int, moved: Moved) -> Served:
    """Bring a file's part to its full length; who calls looks at it and renames it.

    What is there already is kept where the server says that the file is still the same, and else replaced. A broken
    connection, an answer that asks for patience and a slow server are tried again, `TRIES` times without any progress.

    Parameters
    ----------
    address : str
        HTTPS; HTTP of this machine itself is taken too.
    target : path
        The file; its folder exists.
    limit : int
        The most bytes that it may have.
    moved : callable

    Returns
    -------
    Served

    Raises
    ------
    InputError
        No connection, another answer than the file, a redirect elsewhere than to HTTPS, more bytes than the limit or
        than the server announced, or no room on the disk.
    """
    part = part_of(target)
    failures = breaks = 0
    with _session(address) as session:
        while True:
            before = _length(part)
            try:
                return _attempt(session, address, part, limit, moved)
            except _PassingError as problem:
                breaks += 1
                failures = 1 if _length(part) > before else failures + 1
                if failures >= TRIES or breaks >= MOST_BREAKS:
                    _give_up(str(problem), address, target.parent)
                time.sleep(min(max(FIRST_WAIT * 2 ** (failures - 1), problem.wait), LONGEST_WAIT))


def _attempt(session: requests.Session, address: str, part: Path, limit: int, moved: Moved) -> Served:
    known = _known(part, address)
    validator = known.validator if known else None
    start = _length(part) if validator else 0
    headers = {"Range": f"bytes={start}-", "If-Range": validator} if validator and start else {}
    with _answer(session, address, headers, part) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _beyond_its_end(response, known, part)
        served = Served(address, response.headers.get("ETag"), response.headers.get("Last-Modified"))
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            total = _total(response, start, part, same=validator == served.validator)
        else:
            start, total = 0, _whole_number(response.headers.get("Content-Length"))
        _check_size(total, limit, address)
        check_room(part.parent, (total or 0) - start, "make room, or name a folder on another disk with --out")
        if not start:
            part.write_bytes(b"")
            _marks(part).write_text(json.dumps(served._asdict()), encoding="utf-8")
        _receive(response, part, start, total, limit, moved)
    return served


def _receive(response: requests.Response, part: Path, start: int, total: int | None, limit: int, moved: Moved) -> None:
    """Append what comes to the part; the bytes as they are served, never unpacked on the way."""
    there = start
    try:
        with part.open("ab") as stream:
            for block in response.raw.stream(_BLOCK, decode_content=False):
                there += len(block)
                _check_size(there, limit if total is None else total, response.url)
                stream.write(block)
                moved(there, total)
    except (HTTPError, ConnectionError, TimeoutError):
        raise _PassingError("the connection broke off") from None
    except InputError:
        forget(part)
        raise
    if total is not None and there < total:
        raise _PassingError("the connection broke off")


@contextmanager
def _answer(
    session: requests.Session, address: str, headers: dict[str, str], part: Path
) -> Iterator[requests.Response]:
    """Ask for a file; the errors of the library never name what a proxy's address holds."""
    host = urlsplit(address).hostname
    try:
        response = session.get(address, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS))
    except requests.exceptions.SSLError:
        raise InputError(
            f"the certificate of {host} is not trusted",
            file=address,
            fix="where a proxy of your institution signs anew, name its certificates in REQUESTS_CA_BUNDLE",
        ) from None
    except requests.exceptions.ProxyError:
        raise _PassingError(f"the proxy gives no connection to {host}") from None
    except requests.exceptions.Timeout:
        raise _PassingError(f"{host} did not answer in time") from None
    except requests.exceptions.ConnectionError:
        raise _PassingError(f"no connection to {host}") from None
    except requests.exceptions.TooManyRedirects:
        raise InputError(f"{host} sends from one address to the next without end", file=address) from None
    except requests.RequestException:
        raise InputError(f"{host} gives no answer that can be used", file=address) from None
    with response:
        if response.status_code in _AGAIN:
            wait = _whole_number(response.headers.get("Retry-After")) or 0
            raise _PassingError(f"{host} answers {_status(response.status_code)}", wait)
        if response.status_code not in (200, 206, 416):
            _give_up(f"{host} answers {_status(response.status_code)}", address, part.parent)
        yield response


def _beyond_its_end(response: requests.Response, known: Served | None, part: Path) -> Served:
    """Take a part that is whole, or begin anew: what is there is longer than the file."""
    length = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    if known is not None and length and int(length[1]) == _length(part):
        return known
    forget(part)
    raise _PassingError("the file became shorter")


def _total(response: requests.Response, start: int, part: Path, *, same: bool) -> int | None:
    """Return the length of the whole file, of which the answer is the rest."""
    place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not (place and same and int(place[1]) == start):
        forget(part)
        raise _PassingError("the file changed")
    return _whole_number(place[2])


def _check_size(size: int | None, limit: int, address: str) -> None:
    if size is not None and size > limit:
        raise InputError(
            f"{urlsplit(address).hostname} sends more than it should",
            file=address,
            expected=f"at most {limit:,} bytes",
            fix="the file was replaced by another one, or is not what the catalogue means: look at the study's page",
        )


def check_room(folder: Path, missing: int, fix: str) -> None:
    """Refuse a disk that has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise InputError(f"the disk has no room: {missing:,} bytes are needed, {free:,} are free", file=folder, fix=fix)


class _Secure(requests.Session):
    """A session that follows redirects to HTTPS only, or within this machine where it began there."""

    local = False

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            try:
                address = urljoin(resp.url, target)
                urlsplit(address)
            except ValueError:
                raise InputError("the server leads to an address that is none", file=resp.url) from None
            _check_address(address, local=self.local)
        return target


@contextmanager
def _session(address: str) -> Iterator[requests.Session]:
    with _Secure() as session:
        session.local = _is_local(address)
        _check_address(address, local=session.local)
        session.max_redirects = _REDIRECTS
        # Gzip files are wanted as they are; a server that packs them again would change length and checksum.
        session.headers.update({"User-Agent": f"nbrelapse/{__version__}", "Accept-Encoding": "identity"})
        yield session


def _check_address(address: str, *, local: bool) -> None:
    if urlsplit(address).scheme != "https" and not (local and _is_local(address)):
        raise InputError("the address is not HTTPS, so nobody vouches for what comes", file=address)


def _is_local(address: str) -> bool:
    parts = urlsplit(address)
    try:
        return parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _marks(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def forget(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    _marks(part).unlink(missing_ok=True)


def finish(target: Path) -> None:
    """Give a whole part its name."""
    part_of(target).replace(target)
    _marks(part_of(target)).unlink(missing_ok=True)


def _known(part: Path, address: str) -> Served | None:
    try:
        known = Served(**json.loads(_marks(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return known if known.address == address else None


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isascii() and text.strip().isdigit() else None


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}" if code in HTTPStatus.__members__.values() else str(code)


def _give_up(what: str, address: str, folder: Path) -> NoReturn:
    raise InputError(
        f"the file cannot be fetched: {what}",
        file=address,
        fix=f"say the command again, it goes on where it stopped; or fetch the address by hand, put the file into "
        f"{folder} and say the command again",
    )
