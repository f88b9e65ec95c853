"""The header of a text table, and the comments above it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbrelapse.cohort.text_stream import damaged, open_text
from nbrelapse.errors import InputError

SEPARATORS = {"\t": "tabulators", ",": "commas", ";": "semicolons", "|": "vertical bars", " ": "blanks"}


@dataclass(frozen=True)
class TextHeader:
    """Column names of a text table; build it with :func:`read_header`.

    Parameters
    ----------
    names : list of str
        Without blanks and quotes; ``Unnamed: 3`` where the fourth is empty.
    comments : list of str
        The lines above it.
    length : int
        Of the header line, in bytes.
    """

    names: list[str]
    comments: list[str]
    length: int


def read_header(
    source: Path | bytes,
    file: str | Path,
    *,
    separator: str = "\t",
    comment: bool = False,
    matrix: bool = False,
) -> TextHeader:
    r"""Read the header of a text table.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content; may be gzip.
    file : path
        For error messages.
    separator : str
    comment : bool
        Lines that start with ``#`` are comments and nothing is quoted (cBioPortal, MAF). Otherwise such lines are
        comments at the top only, where they have not as many cells as the line below (``#version 2.4``).
    matrix : bool
        The names are of samples, which no message shows.

    Raises
    ------
    InputError
        The file cannot be read, is empty, not UTF-8, names a column twice, or has another separator.

    Examples
    --------
    >>> header = read_header(b"#version 2.4\nHugo_Symbol\tChromosome\nALK\t2\n", "a.maf", comment=True)
    >>> header.names, header.comments
    (['Hugo_Symbol', 'Chromosome'], ['#version 2.4'])
    """
    comments: list[str] = []
    with open_text(source, file) as stream, io.BufferedReader(stream) as buffered:
        lines = _lines(buffered, file)
        line = next(lines, None)
        while line is not None and (not line.strip() or line.startswith("#")):
            below = next(lines, None)
            if _is_header(line, below, separator, comment):
                break
            comments.append(line.rstrip("\r\n"))
            line = below
        if line is None:
            raise InputError("the file is empty", file=file, expected="a header line and rows")
        cells = _cells(line, lines, separator, quoted=not comment)
    names = [name.strip().strip('"') or f"Unnamed: {number}" for number, name in enumerate(cells)]
    _check_names(names, separator, file, matrix)
    return TextHeader(names, comments, len(line.encode()))


def _lines(stream: io.BufferedReader, file: str | Path) -> Iterator[str]:
    position = 0
    while True:
        try:
            line = stream.readline()
        except (OSError, EOFError) as error:
            raise damaged(error, file) from None
        if not line:
            return
        try:
            yield line.decode("utf-8-sig" if position == 0 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(position + error.start, file) from None
        position += len(line)


def not_utf8(position: int, file: str | Path) -> InputError:
    """Return what to raise where a byte is no UTF-8."""
    return InputError(f"the file is not UTF-8 text (byte {position})", file=file, mend="save it as UTF-8")


def _is_header(line: str, below: str | None, separator: str, comment: bool) -> bool:
    """Tell a header that starts with ``#`` from a comment."""
    if comment or below is None or not line.strip():
        return False
    return line.count(separator) == below.count(separator) > 0


def _cells(line: str, more: Iterator[str], separator: str, quoted: bool) -> list[str]:
    if not quoted:
        return line.rstrip("\r\n").split(separator)

    def following() -> Iterator[str]:
        yield line
        yield from more

    return next(csv.reader(following(), delimiter=separator))


def _check_names(names: list[str], separator: str, file: str | Path, matrix: bool) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(
            "a column is named twice",
            file=file,
            column=f"{len(twice)} columns" if matrix else ", ".join(twice),
            mend="rename one of them; where the first line is no header, add one",
        )
    other = next((mark for mark in SEPARATORS if mark != separator and names[0].count(mark) > (mark == " ")), None)
    if len(names) == 1 and other:
        raise InputError(
            f"the columns are separated by {SEPARATORS[other]}, not by {SEPARATORS.get(separator, repr(separator))}",
            file=file,
            column=names[0].split(other)[0],
            expected=f"{SEPARATORS.get(separator, repr(separator))} between the columns",
            mend="save it so, or say `separator` in the mapping file of `import tables`",
        )
