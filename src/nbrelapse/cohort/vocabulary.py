"""How sources spell what the schema's columns may hold; the words themselves stand in ``vocabulary.toml``."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.distinct_values import encode, map_distinct
from nbrelapse.cohort.row_numbers import row_numbers
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


def contig_patterns() -> tuple[str, ...]:
    """Regular expressions for sequences of a reference genome that are no chromosome, in lower case without ``chr``."""
    return tuple(_document()["contigs"]["patterns"])


def variant_classes() -> tuple[str, ...]:
    """Values of ``Variant_Classification`` in a MAF."""
    return tuple(_document()["variant_classes"]["legal"])


@cache
def missing_words() -> frozenset[str]:
    """Words for "not known" as files write them, for parsers that tell capitals apart; "" is one."""
    words = ["", *_document()["missing"]]
    return frozenset(form for word in words for form in (word, word.upper(), word.capitalize(), word.title()))


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
    return map_distinct(values, _plain_text)


def _plain_text(values: pd.Series) -> pd.Series:
    text = values.astype("str")
    if not isinstance(values.dtype, pd.StringDtype):
        text = text.str.removesuffix(".0")
    text = text.str.strip()
    runs = text.str.contains("  |\t|\n|\r|\xa0", regex=True, na=False)
    if runs.any():
        text = text.mask(runs, text[runs].str.replace(r"\s+", " ", regex=True))
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
    codes, distinct = encode(as_text(values))
    spelled = [spell_level(value, name) for value in distinct]
    foreign = [number for number, level in enumerate(spelled) if level is None]
    if foreign:
        raise InputError(
            "unknown code " + ", ".join(repr(distinct[number]) for number in foreign[:5]),
            file=file,
            column=str(values.name or name),
            rows=row_numbers(values.index, np.isin(codes, foreign)),
            expected=", ".join(levels(name)[:MAX_SHOWN]),
            mend="correct the value, map it to a legal code, or leave the cell empty where it is not known",
        )
    ready = pd.array(spelled, dtype="str").take(codes, allow_fill=True)
    return pd.Series(ready, index=values.index, name=values.name)


def spell_level(value: str, name: str) -> str | None:
    """One value as the schema spells it; None where it is unknown."""
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
        wrong = np.isinf(numbers.to_numpy())
    else:
        text = as_text(values)
        numbers = map_distinct(text, lambda words: pd.to_numeric(words, errors="coerce").astype("float64"))
        wrong = (numbers.isna() & text.notna()).to_numpy() | np.isinf(numbers.to_numpy())
    if wrong.any():
        raise InputError(
            f"not a number: {values[wrong].iloc[0]!r}",
            file=file,
            column=str(values.name),
            rows=row_numbers(values.index, wrong),
            expected="a number, or an empty cell where it is not known",
            mend="correct the value",
        )
    return numbers
