"""Names of chromosomes, and of the sequences that are none."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.distinct_values import encode, map_distinct
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.cohort.vocabulary import as_text, contig_patterns, levels, spell_level
from nbrelapse.errors import InputError


def normalise_chromosomes(values: pd.Series, *, file: str | Path | None = None) -> pd.Series:
    """Write chromosomes as ``1`` to ``22``, ``X``, ``Y``, ``MT``; names of contigs stay as they are.

    Parameters
    ----------
    values : Series
        With or without ``chr``; 23, 24 and 25 are X, Y and MT.
    file : path, optional
        For the error message.

    Returns
    -------
    Series of str
        NaN where it is not known.

    Raises
    ------
    InputError
        A name is neither a human chromosome nor a contig of a reference genome.

    Examples
    --------
    >>> normalise_chromosomes(pd.Series(["chr2", "23", "chrM", "GL000191.1", "."])).tolist()
    ['2', 'X', 'MT', 'GL000191.1', nan]
    """
    text = as_text(values)
    codes, distinct = encode(text)
    spelled = [spell_level(name, "chromosome") or (name if _is_contig(name) else None) for name in distinct]
    foreign = [number for number, name in enumerate(spelled) if name is None]
    if foreign:
        raise InputError(
            "unknown code " + ", ".join(repr(distinct[number]) for number in foreign[:5]),
            file=file,
            column=str(values.name),
            rows=row_numbers(values.index, np.isin(codes, foreign)),
            expected=", ".join(levels("chromosome")),
            mend="correct the value or remove these rows",
        )
    ready = pd.array(spelled, dtype="str").take(codes, allow_fill=True)
    return pd.Series(ready, index=values.index, name=values.name)


def on_contigs(chromosomes: pd.Series) -> pd.Series:
    """Tell the rows that lie on a contig; unknown chromosomes do not.

    Examples
    --------
    >>> on_contigs(pd.Series(["2", "GL000191.1", None])).tolist()
    [False, True, False]
    """
    contigs = map_distinct(chromosomes, lambda names: (~names.isin(levels("chromosome"))).astype("boolean"))
    return contigs.fillna(False).astype(bool)


def _is_contig(name: str) -> bool:
    return _contigs().fullmatch(name.lower().removeprefix("chr")) is not None


@cache
def _contigs() -> re.Pattern[str]:
    return re.compile("|".join(contig_patterns()))
