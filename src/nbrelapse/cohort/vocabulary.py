"""How sources spell what the schema's columns may hold; the words themselves stand in ``vocabulary.toml``."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.errors import InputError

MAX_SHOWN = 30


@cache
def _document() -> dict[str, Any]:
    text = resources.files("nbrelapse.cohort").joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def levels(name: str) -> tuple[str, ...]:
    """Legal levels of a coded column, for instance ``levels("inss_stage")``."""
    return tuple(_document()["levels"][name])


def coded_columns() -> frozenset[str]:
    """Names that have levels."""
    return frozenset(_document()["levels"])


@cache
def _spellings(name: str) -> dict[str, str]:
    table = _document()["levels"][name]
    own = {level.lower(): level for level in table}
    return own | {word: level for level, words in table.items() for word in words}


@cache
def _prefix(name: str) -> re.Pattern[str] | None:
    words = _document()["prefixes"].get(name)
    if words is None:
        return None
    return re.compile(r"^(?:" + "|".join(re.escape(word) for word in words) + r"|\s)+")


def as_text(values: pd.Series) -> pd.Series:
    """Text without surrounding or doubled blanks; words for "not known" become missing.

    Parameters
    ----------
    values : Series
        Of any type; whole numbers are written without a decimal point.

    Returns
    -------
    Series of str
        NaN where the value is missing or unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> as_text(pd.Series([" Stage  4 ", "Not Reported", "", None])).tolist()
    ['Stage 4', nan, nan, nan]
    >>> as_text(pd.Series([4.0, float("nan")])).tolist()
    ['4', nan]
    """
    text = values.astype("str")
    if not isinstance(values.dtype, pd.StringDtype):
        text = text.str.removesuffix(".0")
    text = text.str.strip().str.replace(r"\s+", " ", regex=True)
    unknown = text.str.lower().isin([*_document()["missing"], ""])
    return text.mask(unknown | values.isna())


def normalise_levels(values: pd.Series, name: str, *, file: str | Path | None = None) -> pd.Series:
    """Write coded values as the schema spells them.

    Parameters
    ----------
    values : Series
        Codes as a source writes them.
    name : str
        The coded column, a key of ``[levels]`` in ``vocabulary.toml``.
    file : path, optional
        For the error message.

    Returns
    -------
    Series of str
        Legal levels; NaN where the value is missing or unknown.

    Raises
    ------
    InputError
        A value is neither a level, nor another way to write one, nor a word for "not known".

    Examples
    --------
    >>> import pandas as pd
    >>> normalise_levels(pd.Series(["Stage 4s", "st4", "INSS, Stage 2a", "Unknown"]), "inss_stage").tolist()
    ['4S', '4', '2A', nan]
    """
    text = as_text(values)
    distinct = text.dropna().unique()
    meaning = {value: _level(value, name) for value in distinct}
    foreign = [value for value, level in meaning.items() if level is None]
    if foreign:
        rows = (text.isin(foreign).to_numpy().nonzero()[0] + 1).tolist()
        raise InputError(
            "unknown code " + ", ".join(repr(value) for value in foreign[:5]),
            file=file,
            column=str(values.name or name),
            rows=rows,
            expected=", ".join(levels(name)[:MAX_SHOWN]),
            mend="correct the value, map it to a legal code, or leave the cell empty where it is not known",
        )
    return text.map(meaning).astype("str")


def _level(value: str, name: str) -> str | None:
    word = value.lower()
    spellings = _spellings(name)
    prefix = _prefix(name)
    if word not in spellings and prefix is not None:
        word = prefix.sub("", word)
    return spellings.get(word)


def normalise_numbers(values: pd.Series, *, file: str | Path | None = None) -> pd.Series:
    """Numbers as float64; NaN where the value is missing or unknown.

    Raises
    ------
    InputError
        A value is neither a finite number nor a word for "not known".

    Examples
    --------
    >>> import pandas as pd
    >>> normalise_numbers(pd.Series(["12", "Not Reported", "3.5"], name="ldh")).tolist()
    [12.0, nan, 3.5]
    """
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.astype("float64")
        wrong = numbers.isin([float("inf"), float("-inf")])
    else:
        text = as_text(values)
        numbers = pd.to_numeric(text, errors="coerce").astype("float64")
        wrong = (numbers.isna() & text.notna()) | numbers.isin([float("inf"), float("-inf")])
    if wrong.any():
        rows = (wrong.to_numpy().nonzero()[0] + 1).tolist()
        raise InputError(
            f"not a number: {values.iloc[rows[0] - 1]!r}",
            file=file,
            column=str(values.name),
            rows=rows,
            expected="a number, or an empty cell where it is not known",
            mend="correct the value",
        )
    return numbers
