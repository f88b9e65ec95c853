"""Chromosome names and the two genome builds, with a check that positions fit the declared build."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.columns import _of_codes, encode, refuse_rows, row_numbers
from nbrelapse.cohort.schema import _contig_patterns, _shown_cells, _spell_level, coded_text, levels
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
        NaN where it is not known. Categorical where `values` are.

    Raises
    ------
    InputError
        A name is neither a human chromosome nor a contig of a reference genome.

    Examples
    --------
    >>> normalise_chromosomes(pd.Series(["chr2", "23", "chrM", "GL000191.1", "."])).tolist()
    ['2', 'X', 'MT', 'GL000191.1', nan]
    """
    codes, distinct = encode(coded_text(values))
    spelled = [_spell_level(name, "chromosome") or (name if _is_contig(name) else None) for name in distinct]
    foreign = [number for number, name in enumerate(spelled) if name is None]
    if foreign:
        raise InputError(
            f"unknown code {_shown_cells(distinct[foreign])}".rstrip(),
            file=file,
            column=str(values.name),
            rows=row_numbers(values.index, np.isin(codes, foreign)),
            expected=", ".join(levels("chromosome")),
            fix="correct the value or remove these rows",
        )
    return _of_codes(values, codes, pd.Series(spelled, dtype="str"))


def _on_contigs(chromosomes: pd.Series) -> pd.Series:
    """Tell the rows that lie on a contig; unknown chromosomes do not.

    Examples
    --------
    >>> _on_contigs(pd.Series(["2", "GL000191.1", None])).tolist()
    [False, True, False]
    """
    codes, names = encode(chromosomes)
    contig = np.append(~names.isin(levels("chromosome")), False)
    return pd.Series(contig[codes], index=chromosomes.index, name=chromosomes.name)


def _is_contig(name: str) -> bool:
    return _contigs().fullmatch(name.lower().removeprefix("chr")) is not None


@cache
def _contigs() -> re.Pattern[str]:
    return re.compile("|".join(_contig_patterns()))


@cache
def genome_landmarks() -> dict[str, Any]:
    """Return chromosome lengths by build, and the places of well-known hotspots in both.

    Examples
    --------
    >>> genome_landmarks()["lengths"]["hg19"]["1"], genome_landmarks()["hotspots"][0]["gene"]
    (249250621, 'ALK')
    """
    text = resources.files("nbrelapse.cohort").joinpath("genome_builds.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


_SLACK = 1_000_000
"""Segment files round, and pad their last segment."""
_MITOCHONDRION = {"MT": 16_571}
"""In any build; UCSC's hg19 has two bases more than the others, whose lengths tell no build apart."""


def _check_positions(
    table: pd.DataFrame,
    chromosome: str,
    positions: Sequence[str],
    build: str | None,
    file: str | Path,
    *,
    slack: int = _SLACK,
) -> None:
    """Refuse positions far beyond the end of their chromosome: a wrong build, or a wrong column.

    Parameters
    ----------
    table : DataFrame
        ``segments``, ``rearrangements`` or ``mutations``.
    chromosome : str
        Name of one of its columns.
    positions : sequence of str
        Columns of positions on that chromosome.
    build : str or None
        What the assay says; where it is not known, the longer of the two chromosomes counts.
    file : path
        For the error message.
    slack : int
        Bases beyond the end that are let pass.

    Raises
    ------
    InputError

    Examples
    --------
    >>> segments = pd.DataFrame({"chromosome": ["17", "17"], "end": [83_257_441.0, 80_000_000.0]})
    >>> _check_positions(segments, "chromosome", ["end"], "hg38", "cohort.seg")
    >>> _check_positions(segments, "chromosome", ["end"], "hg19", "cohort.seg")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: a position is beyond the end of its chromosome in hg19
      file: cohort.seg
      column: end
      rows: 1
      expected: positions in hg19
      fix: correct the genome build or the positions
    """
    known = genome_landmarks()["lengths"]
    longest = {name: max(of_build[name] for of_build in known.values()) for name in known["hg19"]}
    lengths, where = known.get(build, longest) | _MITOCHONDRION, build if build in known else "any genome build"
    codes, names = encode(table[chromosome])
    limit = np.append(names.map(lengths).to_numpy(dtype=np.float64, na_value=np.nan) + slack, np.nan)[codes]
    beyond = np.zeros(len(table), dtype=bool)
    for column in positions:
        beyond |= table[column].to_numpy(dtype=np.float64) > limit
    refuse_rows(
        table.index,
        beyond,
        f"a position is beyond the end of its chromosome in {where}",
        file=file,
        column=", ".join(positions),
        expected=f"positions in {where}",
        fix="correct the genome build or the positions",
    )
