"""The exceptions a user may meet; each says what is wrong, where, and how to fix it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any


class NbRelapseError(Exception):
    """Base of every error that nbrelapse raises on purpose; the command line exits with 2."""


class _LocatedError(NbRelapseError):
    """An error that says what is wrong, where, what was expected and how to fix it.

    Parameters
    ----------
    problem : str
        What is wrong, as one sentence without a final stop.
    file : path, optional
        The file the problem was found in.
    column : str, optional
        The column, key or parameter.
    rows : iterable of int or str, optional
        The rows concerned; the first five are shown. Row numbers count from 1, the header not counted.
    expected : str, optional
        What would have been right.
    fix : str, optional
        What the user can do.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        column: str | None = None,
        rows: Iterable[int | str] | None = None,
        expected: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = None if file is None else str(file)
        self.column = column
        self.rows = None if rows is None else list(rows)
        self.expected = expected
        self.fix = fix
        super().__init__(self._message())

    def _message(self) -> str:
        shown = None
        if self.rows:
            shown = ", ".join(str(row) for row in self.rows[:5])
            if len(self.rows) > 5:
                shown += f" and {len(self.rows) - 5} more"
        details = {
            "file": self.file,
            "column": self.column,
            "rows": shown,
            "expected": self.expected,
            "fix": self.fix,
        }
        lines = [f"  {name}: {printable(text)}" for name, text in details.items() if text]
        return "\n".join([printable(self.problem, kept="\n"), *lines])


_TURNS = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_LONGEST = 2000


def printable(text: str, *, kept: str = "") -> str:
    r"""Return text as it may reach a terminal, at most 2,000 characters of it.

    Controls, escape sequences and marks that turn the direction of what follows are written as their codes: names in
    files come from others, and would move the cursor, or show something else than what is there.

    Parameters
    ----------
    text : str
    kept : str
        Controls to leave as they are.

    Examples
    --------
    >>> print(printable("stage\x1b[2J\u202e4"))
    stage\x1b[2J\u202e4
    """
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST:
        return text
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … and {len(text) - _LONGEST:,} more characters"
    return "".join(
        repr(sign)[1:-1] if sign not in kept and (unicodedata.category(sign) == "Cc" or _TURNS.match(sign)) else sign
        for sign in shown
    )


class InputError(_LocatedError, ValueError):
    """A file, table, setting or argument that cannot be used as it is: a ``ValueError``, as scikit-learn expects it.

    See :class:`BundleError` for the errors of saved models; both are given ``problem``, what is wrong in a sentence
    without a final stop, and where they apply ``file``, ``column``, ``rows``, ``expected`` and ``fix``.

    Examples
    --------
    >>> print(InputError("negative time", file="patients.csv", column="event_days", rows=[3], fix="use days"))
    negative time
      file: patients.csv
      column: event_days
      rows: 3
      fix: use days
    """


class BundleError(_LocatedError):
    """A saved model that is missing, damaged, foreign, not trusted or made by an incompatible version."""


def illegal_key(
    problem: Mapping[str, Any], *, file: str | Path | None, column: str, legal: Iterable[str] = ()
) -> InputError:
    """Return what pydantic says of a key of a settings file as an InputError.

    Parameters
    ----------
    problem : mapping
        One of ``ValidationError.errors()``.
    file : path or None
    column : str
        The key, as it stands in the file.
    legal : iterable of str, optional
        The keys that an unknown one may have been meant for.

    Examples
    --------
    >>> print(illegal_key({"type": "extra_forbidden"}, file=None, column="endpiont", legal=["name", "endpoint"]))
    unknown key
      column: endpiont
      expected: name, endpoint
      fix: did you mean endpoint?
    """
    if problem["type"] == "extra_forbidden":
        names = list(legal)
        meant = did_you_mean(column.rpartition(".")[2], names)
        expected, fix = ", ".join(names) or None, meant or "correct or remove the key"
        return InputError("unknown key", file=file, column=column, expected=expected, fix=fix)
    if problem["type"] == "missing":
        return InputError("a required key is missing", file=file, column=column, fix="add it")
    expected = problem["msg"].removeprefix("Value error, ")
    value, fix = repr(problem.get("input")), "correct the value, or remove the key where it need not be there"
    shown = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
    return InputError(f"illegal value {shown}", file=file, column=column, expected=expected, fix=fix)


_LONGEST_VALUE = 200


def join_errors(errors: Sequence[InputError], what: str, *, file: str | Path | None = None) -> InputError:
    """Return one error that says all of several, a line each.

    Examples
    --------
    >>> first = InputError("unknown key", column="sede", fix="did you mean seed?")
    >>> print(join_errors([first, InputError("text", column="b")], "keys"))
    2 keys are wrong
      sede: unknown key; did you mean seed?
      b: text
      fix: correct them, each as its line says
    """
    lines = [
        "; ".join(filter(None, (f"{error.column}: {error.problem}", error.fix or error.expected))) for error in errors
    ]
    return InputError(
        "\n  ".join([f"{len(errors)} {what} are wrong", *lines]), file=file, fix="correct them, each as its line says"
    )


def did_you_mean(asked: str, known: Iterable[str]) -> str | None:
    """Return a ``fix`` that names what a word may have been meant for, at most three; None where nothing is near.

    Capitals, the kind of a dash or space, and zeros before a number do not count.

    Examples
    --------
    >>> did_you_mean("Harrell-C", ["harrell_c", "uno_c", "brier_1y"])
    'did you mean harrell_c?'
    >>> did_you_mean("brier", ["brier_1y", "brier_5y", "uno_c"])
    'did you mean brier_1y or brier_5y?'
    >>> did_you_mean("xyz", ["harrell_c"]) is None
    True
    """
    plain = {name: _plain(name) for name in known}
    near = get_close_matches(_plain(asked), set(plain.values()), n=3)
    near = near[:1] if near[:1] == [_plain(asked)] else near
    names = [name for name, word in plain.items() if word in near][:3]
    return f"did you mean {' or '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}?" if names else None


def _plain(word: str) -> str:
    joined = re.sub(r"[\s_\u2010-\u2015-]+", "_", word.strip().casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", joined)
