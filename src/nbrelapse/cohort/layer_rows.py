"""The rows of a layer: what they must be, and which gene, or which place in the genome, their names tell."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import refuse_rows
from nbrelapse.cohort.genes import _SHARED, _current_by_former, _current_symbols, _symbol_by
from nbrelapse.cohort.layers import _FEATURE, WAYS
from nbrelapse.cohort.matrices import _matrix_numbers, _refuse_infinite
from nbrelapse.cohort.schema import _checked_text, _spell_level
from nbrelapse.errors import InputError

RANKED_UNITS = ("log2", "counts", "tpm", "fpkm", "linear")
"""Units of which only the order within a sample compares between platforms: features are ranks, as of single genes."""

_SEPARATORS = re.compile(r"[.|:;,/_\s]")
_JOINED = "and"
"""Between the genes of a read-through transcript, as AceView names them."""
_COORDINATES = re.compile(r"(?:chr)?(?P<chromosome>\w+):(?P<first>\d+)-(?P<last>\d+)(?::[+-])?", re.IGNORECASE)
_FEWEST = 0.01
"""Share of rows that find a gene, or a place, below which they are named by something else."""
_ENOUGH_SAMPLES = 10
"""Samples from which on a row with one value says nothing, and is counted."""
_FLOAT32 = np.finfo(np.float32).max


def normalise_layer(matrix: pd.DataFrame, file: str | Path, repairs: Repairs) -> pd.DataFrame:
    """Return a feature by sample table: a row a feature, named once.

    Parameters
    ----------
    matrix : DataFrame
        Names of the rows as index, samples as columns; values may be text.
    file : path
        For messages.
    repairs : Repairs
        Rows that were left out, and how many are the same in all samples, are added.

    Returns
    -------
    DataFrame
        float64, or float32 where that holds every value exactly; NaN = not measured.

    Raises
    ------
    InputError
        A sample or a row is there twice, a value is no number, no row has a value, or all values are the same.

    Examples
    --------
    >>> raw = pd.DataFrame({"s1": ["1.5", "NA"], "s2": ["2", ""]}, index=["MYCN.a", "MYCN.b"])
    >>> repairs = Repairs()
    >>> normalise_layer(raw, "layer.tsv", repairs).to_dict("index"), list(repairs)
    ({'MYCN.a': {'s1': 1.5, 's2': 2.0}}, ['layer.tsv: 1 rows without any value removed'])
    """
    numbers, where = _matrix_numbers(matrix, file), Path(str(file)).name
    _refuse_infinite(numbers, file)
    if _FEATURE in numbers.columns:
        raise InputError(f"a sample is called {_FEATURE}", file=file, fix="rename the sample")
    names = _checked_text(pd.Series(matrix.index, dtype="str"), "names of the rows", file)
    refuse_rows(
        names.index,
        names.duplicated(keep=False) & names.notna(),
        "a row is there twice",
        file=file,
        column="names of the rows",
        expected="each name once",
        fix="keep the row that is meant, or tell them apart by name",
    )
    empty = numbers.isna().all(axis=1) & names.notna()
    repairs.add_count(where, int(names.isna().sum()), "rows without a name removed")
    repairs.add_count(where, int(empty.sum()), "rows without any value removed")
    kept = (names.notna() & ~empty).to_numpy()
    numbers = numbers[kept].set_axis(pd.Index(names[kept], dtype="str", name=_FEATURE), axis=0)
    values = numbers.to_numpy()
    if not values.size:
        raise InputError("no row of the layer has a value", file=file, fix="correct the file, or leave the layer out")
    low, high = np.nanmin(values, axis=1), np.nanmax(values, axis=1)
    if values.shape[1] > 1 and low.min() == high.max():
        raise InputError(
            "all values of the layer are the same",
            file=file,
            expected="measurements that differ between rows or samples",
            fix="correct the file, or leave the layer out",
        )
    if values.shape[1] >= _ENOUGH_SAMPLES:
        repairs.add_count(where, int((low == high).sum()), "rows are the same in all samples, and become no features")
    small = values.astype(np.float32) if np.nanmax(np.abs(values)) < _FLOAT32 else values
    return numbers.astype(np.float32) if np.array_equal(small, values, equal_nan=True) else numbers


def genes_of_names(names: Collection[str]) -> list[tuple[str, ...]]:
    """Return the genes that names of transcripts, probes or proteins begin with.

    Parameters
    ----------
    names : collection of str
        A gene alone, or in front of the first of ``. | : ; , / _`` and blanks; by symbol of any time or Ensembl
        identifier. Joined genes (``CHD5andRPL22.n``) are told apart.

    Returns
    -------
    list of tuple of str
        Current symbols, one tuple a name; empty where the table of genes does not know one, or several are called so.

    Examples
    --------
    >>> genes_of_names(["MYCN.aAug10", "RPL22andCHD5.nAug10", "ENSG00000134323.12", "C10orf26_x", "chr1:5-9", "NMYC"])
    [('MYCN',), ('RPL22', 'CHD5'), ('MYCN',), ('WBP1L',), (), ('MYCN',)]
    """
    stems = [_SEPARATORS.split(name, maxsplit=1)[0] for name in names]
    found = {stem: _genes_of_stem(stem) for stem in dict.fromkeys(stems)}
    return [whole or found[stem] for whole, stem in zip(map(_gene, names), stems, strict=True)]


def _genes_of_stem(stem: str) -> tuple[str, ...]:
    return _gene(stem) or tuple(dict.fromkeys(gene for part in stem.split(_JOINED) for gene in _gene(part)))


def _gene(text: str) -> tuple[str, ...]:
    if text in _current_symbols():
        return (text,)
    gene = _current_by_former().get(text.upper()) or _symbol_by("ensembl").get(text)
    return (gene,) if gene and gene != _SHARED else ()


def places_of_names(names: Collection[str]) -> pd.DataFrame:
    """Return the places that names such as ``chr1:17966798-17975048`` tell.

    Parameters
    ----------
    names : collection of str
        Either end may come first, as on the two strands; a trailing ``:+`` or ``:-`` is let pass.

    Returns
    -------
    DataFrame
        Indexed by name: ``chromosome`` (``"1"`` to ``"22"``, ``"X"``, …), ``first`` and ``last``; missing where the
        name is none of a place.

    Examples
    --------
    >>> places_of_names(["chr2:16082-16081", "MYCN"])["chromosome"].tolist()
    ['2', nan]
    >>> places_of_names(["chr2:16082-16081"])[["first", "last"]].values.tolist()
    [[16081.0, 16082.0]]
    """
    index = pd.Index(list(names), dtype="str")
    parts = index.to_series().str.extract(rf"^{_COORDINATES.pattern}$", flags=re.IGNORECASE)
    spelled = {name: _spell_level(name, "chromosome") for name in parts["chromosome"].dropna().unique()}
    ends = parts[["first", "last"]].astype("float64")
    chromosome = parts["chromosome"].map(spelled).astype("str")
    return pd.DataFrame({"chromosome": chromosome, "first": ends.min(axis=1), "last": ends.max(axis=1)}, index=index)


def check_layer_rows(layer: pd.DataFrame, about: Mapping[str, Any], file: str | Path, repairs: Repairs) -> None:
    """Refuse a layer whose rows are not named as it says, and count those that are not.

    Parameters
    ----------
    layer : DataFrame
    about : mapping
        What ``cohort.toml`` says of it; ``mechanism``: ``gene``, ``coordinates``, ``gene_set``, ``table`` or ``none``.
    file : path
        For messages.
    repairs : Repairs
        How many rows find no gene, or no place, is added.

    Raises
    ------
    InputError
        Fewer than one row in a hundred find a gene or a place, or none of a table's rows is one of the layer.
    """
    names, how = layer.index, about["mechanism"]
    if how == "gene":
        found = np.array([bool(genes) for genes in genes_of_names(names)])
        what, expected = "find no gene", "names that begin with a gene: MYCN, MYCN.aAug10, ENSG00000134323"
    elif how == "coordinates":
        found = places_of_names(names)["chromosome"].notna().to_numpy()
        what, expected = "name no place in the genome", "names such as chr2:16080686-16087129"
    elif how == "table":
        found = names.isin([row for rows in about["mechanisms"].values() for row in rows])
        what, expected = "are not in the table of mechanisms", "the names of the rows in its first column"
    else:
        return
    if found.sum() < max(1, _FEWEST * len(names)):
        raise InputError(
            f"{len(names) - found.sum()} of {len(names)} rows of the layer {what}",
            file=file,
            rows=(np.flatnonzero(~found) + 1).tolist(),
            expected=expected,
            fix=f"say how the rows find a mechanism: {', '.join(WAYS)}",
        )
    repairs.add_count(Path(str(file)).name, int((~found).sum()), f"rows {what}: they belong to `other`")
