"""Layers from files: their numbers, their unit, and how their rows find a mechanism."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import refuse_rows, require_columns
from nbrelapse.cohort.layer_rows import RANKED_UNITS, check_layer_rows, normalise_layer
from nbrelapse.cohort.layers import check_layer_name
from nbrelapse.cohort.schema import as_text, normalise_levels
from nbrelapse.cohort.text import read_table
from nbrelapse.errors import InputError
from nbrelapse.readers._columns import LARGEST_LOG2, to_log2
from nbrelapse.readers._mapping import LayerSource

_BY_NAME = ("gene", "coordinates", "gene_set", "none")
_UNIT_OF = {"gene_set": "score"}


def read_layer_file(source: LayerSource, folder: Path) -> pd.DataFrame:
    """Return the table of a layer as its file has it, names of the rows as index.

    Raises
    ------
    InputError
        The file, or a column that the section names, is missing.
    """
    file = folder / source.file
    table = read_table(file, separator=source.separator, sheet=source.sheet, matrix=True)
    rows = str(table.columns[0]) if source.row_column is None else source.row_column
    expected = f"{table.columns[0]}, the first column, or another one that names the rows"
    require_columns(table.columns, (rows, *source.ignored_columns), file, expected=expected)
    return table.drop(columns=source.ignored_columns).set_index(rows)


def describe_layer(
    name: str, matrix: pd.DataFrame, source: LayerSource, folder: Path, repairs: Repairs
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a layer and what ``cohort.toml`` keeps of it.

    Parameters
    ----------
    name : str
    matrix : DataFrame
        From :func:`read_layer_file`, samples named as in the cohort.
    source : LayerSource
        Where it is from, and what the study says of it.
    folder : path
        That its files are in.
    repairs : Repairs
        What was left out, and what could not be told, is added.

    Returns
    -------
    layer : DataFrame
    about : dict
        ``unit``, ``mechanism``, ``file``; ``platform`` and ``genome_build`` where they are known; ``mechanisms``, the
        rows of each, where a table says so.

    Raises
    ------
    InputError
        The name is illegal, the rows are not named as `source` says, a value is no number, or the values are of another
        unit.
    """
    file = folder / source.file
    check_layer_name(name, file)
    layer = normalise_layer(matrix, file, repairs)
    about: dict[str, Any] = {"unit": _unit(layer, source, file, repairs), "file": file.name}
    about |= {"platform": source.platform} if source.platform else {}
    if source.genome_build is not None:
        build = pd.Series([source.genome_build], name="genome_build")
        about["genome_build"] = str(normalise_levels(build, "genome_build", file=file).iloc[0])
    if source.mechanism in _BY_NAME:
        about["mechanism"] = source.mechanism
    else:
        about |= {"mechanism": "table", "mechanisms": _read_mechanisms(folder / source.mechanism)}
    if about["mechanism"] == "coordinates" and "genome_build" not in about:
        raise InputError(
            "coordinates without a genome build",
            file=file,
            column=f"layers.{name}",
            expected="hg19 or hg38",
            fix="say the build: genome_build in a mapping file, --layer-rows NAME=coordinates:hg19",
        )
    check_layer_rows(layer, about, file, repairs)
    return layer, about


def _unit(layer: pd.DataFrame, source: LayerSource, file: Path, repairs: Repairs) -> str:
    """Return the unit that the study says, or that the values show; refuse the one that they contradict."""
    said = (source.unit or _UNIT_OF.get(source.mechanism, "")).strip().lower()
    if not said and source.mechanism not in ("gene", "coordinates"):
        raise InputError(
            "the unit of the layer is not known",
            file=file,
            expected=f"{', '.join(RANKED_UNITS)}, or any word for another one, such as score or beta",
            fix="say it: unit in a mapping file, --layer-unit NAME=UNIT",
        )
    if said and said not in RANKED_UNITS:
        return said
    values = layer.to_numpy()
    largest, least = float(np.nanmax(values)), float(np.nanmin(values))
    if said not in ("", "log2") and least < 0:
        raise InputError(
            f"the layer is said to hold {said}, and has negative values",
            file=file,
            rows=(np.flatnonzero((values < 0).any(axis=1)) + 1).tolist(),
            expected="values of 0 and above",
            fix="say unit log2 where they are logarithms",
        )
    if said == "log2" and largest > LARGEST_LOG2:
        raise InputError(
            f"the layer is said to hold log2 values, and has some up to {largest:,.0f}",
            file=file,
            expected=f"values up to {LARGEST_LOG2:g}",
            fix="say the unit that it has: counts, tpm, fpkm or linear",
        )
    if said not in ("", "log2"):
        return said
    told = to_log2(layer.astype("float64"), file, repairs)[1]["unit"]
    return said or ("log2" if told == "log2" else "linear")


def _read_mechanisms(file: Path) -> dict[str, list[str]]:
    """Return the rows of each mechanism from a table of two columns, the names of rows and mechanisms.

    Raises
    ------
    InputError
        The table has not two columns, an empty cell, or a row twice.
    """
    table = read_table(file)
    if table.shape[1] != 2:
        raise InputError(
            f"the table of mechanisms has {table.shape[1]} columns",
            file=file,
            expected="two, with a header: the rows of the layer, and their mechanisms",
            fix=f"give such a table, or one of {', '.join(_BY_NAME)}",
        )
    rows, mechanisms = (as_text(table.iloc[:, place]) for place in (0, 1))
    refuse_rows(
        rows.index, rows.isna() | mechanisms.isna(), "an empty cell", file=file, fix="leave rows without one out"
    )
    refuse_rows(rows.index, rows.duplicated(keep=False), "a row is there twice", file=file, fix="keep one mechanism")
    return {str(name): group.tolist() for name, group in rows.groupby(mechanisms, sort=False)}
