"""Ways to damage a file that know nothing of what is in it: bytes, encodings, packing, and what stands in its place."""

from __future__ import annotations

import functools
import gzip
import io
import os
import random
import socket
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20


@dataclass(frozen=True)
class Damage:
    """One damage.

    ``harmless`` damages may be read as if nothing had happened. ``plausible`` ones leave what might as well have been
    written so, as a table that ends a line earlier, or another digit: nothing can tell, so another result is no defect.
    All others have to be refused, or repaired with a word about it.
    """

    name: str
    make: Callable[[Path], None]
    harmless: bool = False
    plausible: bool = False


def _to(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        file.write_bytes(change(file.read_bytes()))

    return make


def _instead(place: Callable[[Path], object]) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        file.unlink()
        place(file)

    return make


def _socket(file: Path) -> None:
    # The address of a socket is short, and the folders of tests are long.
    here = os.open(file.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(f"/proc/self/fd/{here}/{file.name}")
    finally:
        os.close(here)


def special_files() -> Iterator[Damage]:
    """What stands where a file is expected, and is none: nothing may wait for it, or read it without end."""
    yield Damage("removed", lambda file: file.unlink(), plausible=True)
    yield Damage("folder", _instead(lambda file: file.mkdir()))
    yield Damage("folder with content", _instead(lambda file: (file.mkdir(), (file / file.name).write_text("x"))))
    yield Damage("pipe", _instead(os.mkfifo))
    yield Damage("socket", _instead(_socket))
    yield Damage("endless device", _instead(lambda file: file.symlink_to("/dev/zero")))
    yield Damage("random device", _instead(lambda file: file.symlink_to("/dev/urandom")))
    yield Damage("empty device", _instead(lambda file: file.symlink_to("/dev/null")))
    yield Damage("link to itself", _instead(lambda file: file.symlink_to(file.name)))
    yield Damage("link to nothing", _instead(lambda file: file.symlink_to("nowhere")))
    yield Damage("file of the process", _instead(lambda file: file.symlink_to("/proc/self/mem")))


@functools.cache
def _bomb(first: bytes, size: int) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0) as stream:
        stream.write(first)
        block = bytes(first[-1:]) * MIB
        for _ in range(size // MIB):
            stream.write(block)
    return packed.getvalue()


def _zip_bomb(size: int = 80 * MIB) -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/workbook.xml", "w") as stream,
    ):
        for _ in range(size // MIB):
            stream.write(b" " * MIB)
    return packed.getvalue()


def packed_files(bomb: int = 80 * MIB) -> Iterator[Damage]:
    """Damages of what compresses: bombs, ends that are missing, members of another kind."""
    yield Damage("gzip", _to(lambda text: gzip.compress(text, mtime=0)), harmless=True)
    yield Damage("gzip in gzip", _to(lambda text: gzip.compress(gzip.compress(text, mtime=0), mtime=0)))
    yield Damage("gzip cut off", _to(lambda text: gzip.compress(text * 20, mtime=0)[:-9]))
    yield Damage(
        "gzip with a wrong checksum", _to(lambda text: gzip.compress(text, mtime=0)[:-8] + b"\0\1\2\3\4\5\6\7")
    )
    yield Damage("head of gzip alone", _to(lambda text: gzip.compress(text, mtime=0)[:10]))
    yield Damage("gzip of nothing", _to(lambda text: gzip.compress(b"", mtime=0)))
    yield Damage("gzip bomb", _to(lambda text: _bomb(text[:400], bomb)))
    yield Damage("zip bomb", _to(lambda text: _zip_bomb(bomb)))
    yield Damage("zip", _to(_zipped))
    yield Damage("Parquet", _to(lambda text: b"PAR1" + text + b"\x10\0\0\0PAR1"))


def _zipped(text: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", text)
    return packed.getvalue()


def bytes_changed(chance: random.Random, number: int) -> Iterator[Damage]:
    """Cut a file at random places, and flip random bits; the same chance makes the same damages."""
    for place in (chance.random() for _ in range(number)):
        yield Damage(f"cut at {place:.3f}", _to(lambda text, at=place: text[: int(at * len(text))]), plausible=True)
    for place, bit in ((chance.random(), chance.randrange(8)) for _ in range(number)):
        yield Damage(
            f"bit {bit} at {place:.3f}", _to(functools.partial(_flipped, place=place, bit=bit)), plausible=True
        )
    for place in (chance.random() for _ in range(number)):
        yield Damage(f"noise at {place:.3f}", _to(functools.partial(_noisy, place=place)))
    for place in (chance.random() for _ in range(number)):
        yield Damage(f"zeros at {place:.3f}", _to(functools.partial(_put, place=place, what=b"\0" * 64)))


def _flipped(text: bytes, place: float, bit: int) -> bytes:
    at = int(place * len(text))
    return text[:at] + bytes([text[at] ^ (1 << bit)]) + text[at + 1 :]


def _noisy(text: bytes, place: float) -> bytes:
    noise = random.Random(place).randbytes(64)
    return _put(text, place, noise)


def _put(text: bytes, place: float, what: bytes) -> bytes:
    at = int(place * len(text))
    return text[:at] + what + text[at:]


def texts_changed() -> Iterator[Damage]:
    """Encodings, line ends, and contents of another kind."""
    yield Damage("empty", _to(lambda text: b""))
    yield Damage("line end alone", _to(lambda text: b"\n"))
    yield Damage("blanks", _to(lambda text: b" \t\r\n" * 50))
    yield Damage("UTF-16", _to(lambda text: text.decode("latin-1").encode("utf-16")))
    yield Damage("UTF-32", _to(lambda text: text.decode("latin-1").encode("utf-32")))
    yield Damage("Latin-1", _to(lambda text: _put(text, 0.5, "ü".encode("latin-1"))))
    yield Damage("surrogate", _to(lambda text: _put(text, 0.5, b"\xed\xa0\x80")))
    yield Damage("overlong slash", _to(lambda text: _put(text, 0.5, b"\xc0\xaf")))
    yield Damage("mark of byte order twice", _to(lambda text: b"\xef\xbb\xbf\xef\xbb\xbf" + text), harmless=True)
    yield Damage("mark of byte order inside", _to(lambda text: _put(text, 0.5, b"\xef\xbb\xbf")), plausible=True)
    yield Damage("zero bytes only", _to(lambda text: b"\0" * 4096))
    yield Damage("CR", _to(lambda text: text.replace(b"\n", b"\r")), harmless=True)
    yield Damage("CRLF", _to(lambda text: text.replace(b"\n", b"\r\n")), harmless=True)
    yield Damage("one CR among LF", _to(lambda text: text.replace(b"\n", b"\r", 1)), harmless=True)
    yield Damage("LF CR", _to(lambda text: text.replace(b"\n", b"\n\r")), harmless=True)
    yield Damage("form feeds", _to(lambda text: text.replace(b"\n", b"\x0c")))
    yield Damage("line separators", _to(lambda text: text.replace(b"\n", "\u2028".encode())))
    yield Damage("web page", _to(lambda text: b"<!DOCTYPE html><html><title>404</title></html>\n"))
    yield Damage("pointer of Git LFS", _to(lambda text: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"))
    yield Damage("pickle", _to(lambda text: b"cos\nsystem\n(S'touch canary'\ntR."))
    yield Damage("opened quote", _to(lambda text: _put(text, 0.5, b'"')), plausible=True)
    yield Damage("opened brackets", _to(lambda text: b"[" * 50_000))
    yield Damage("opened braces", _to(lambda text: b'{"a":' * 50_000))
    yield Damage("a = brackets", _to(lambda text: b"a = " + b"[" * 50_000 + b"]" * 50_000))
    yield Damage("one line of 10 MiB", _to(lambda text: b"x" * 10 * MIB))
    yield Damage("a cell of 10 MiB", _to(lambda text: _put(text, 0.5, b"x" * 10 * MIB)), plausible=True)
    yield Damage("tabulators only", _to(lambda text: b"\t" * 200_000 + b"\n"))
    yield Damage("commas only", _to(lambda text: b"," * 200_000 + b"\n"))
    yield Damage("noise", _to(lambda text: random.Random(len(text)).randbytes(max(64, len(text)))))


def all_damages(seed: int, number: int) -> list[Damage]:
    """All damages of a text file, those of random places by the seed."""
    return [*special_files(), *packed_files(), *texts_changed(), *bytes_changed(random.Random(seed), number)]
