"""A cohort as a folder: one Parquet file per table and layer, and ``cohort.toml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

from nbrelapse.cohort.assemble import normalise_matrix, normalise_table
from nbrelapse.cohort.check import validate_cohort
from nbrelapse.cohort.cohort import Cohort, Repairs
from nbrelapse.cohort.content import parse_toml, read_bytes
from nbrelapse.cohort.files import write_beside
from nbrelapse.cohort.layers import Layers, _layer_file, check_layer_name
from nbrelapse.cohort.schema import MATRICES, TABLES
from nbrelapse.cohort.text import read_table
from nbrelapse.errors import InputError

SETTINGS = "cohort.toml"
_FORMAT = 1
_REQUIRED = ("patients", "samples", "assays")


def write_cohort(cohort: Cohort, folder: str | Path, *, overwrite: bool = False, validated: bool = False) -> Path:
    """Write a cohort folder.

    The files are written to a new folder beside the target, which takes its name at the end: an interruption leaves
    no half-written cohort.

    Parameters
    ----------
    cohort : Cohort
    folder : path
        Its parent is made where it does not exist.
    overwrite : bool, default False
        Replace a cohort that is already there. Any other folder with content is never replaced.
    validated : bool, default False
        The cohort comes as a reader made it, and need not be validated again.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        The cohort is not valid, or the folder is there already.
    """
    if not validated:
        validate_cohort(cohort)
    target = Path(folder)
    check_target(target, overwrite=overwrite)
    with write_beside(target) as beside:
        _write_files(cohort, beside)
    return target


def check_target(folder: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that a cohort must not be written to; a command asks before its work, not after."""
    target = Path(folder)
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError("a file of this name is there already", file=target, fix="choose another folder")
    if not any(target.iterdir()):
        return
    if not (target / SETTINGS).exists():
        raise InputError("the folder has content and is no cohort", file=target, fix="choose another folder")
    if not overwrite:
        raise InputError("a cohort is there already", file=target, fix="choose another folder, or say --overwrite")


def _write_files(cohort: Cohort, folder: Path) -> None:
    folder.mkdir()
    present = []
    for name in TABLES:
        table = getattr(cohort, name)
        if table is not None:
            _write_table(table, folder / f"{name}.parquet")
            present.append(name)
    for name in MATRICES:
        table = getattr(cohort, name)
        if table is not None:
            _write_table(table.rename_axis(columns=None).copy().reset_index(), folder / f"{name}.parquet")
            present.append(name)
    for name, layer in cohort.layers.items():
        file = _layer_file(folder, check_layer_name(name))
        file.parent.mkdir(exist_ok=True)
        _write_table(layer.rename_axis(columns=None).copy().reset_index(), file)
    settings = {"name": cohort.name, "format": _FORMAT, "tables": present, "metadata": _plain(cohort.metadata)}
    if cohort.layers:
        settings["layers"] = list(cohort.layers)
    (folder / SETTINGS).write_text(tomli_w.dumps(settings), encoding="utf-8")


def _write_table(table: pd.DataFrame, file: Path) -> None:
    """Write a table with checksums, so that a changed bit is noticed."""
    table.to_parquet(file, index=False, write_page_checksum=True)


def _plain(value: Any) -> Any:
    """Values that TOML can hold: no NumPy scalars; keys without a value are left out."""
    if isinstance(value, Mapping):
        items = {str(key): _plain(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value if item is not None]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(value) if isinstance(value, Path) else value


def read_cohort(folder: str | Path) -> Cohort:
    """Read and validate a cohort folder.

    Parameters
    ----------
    folder : path
        As written by :func:`write_cohort`.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        The folder or one of its files is missing, a file is a Git LFS pointer or damaged, the folder is no cohort
        or of another format, or its content is not valid. The values of a layer are read, and can be found damaged,
        when they are asked for.
    """
    path = Path(folder)
    if not path.exists():
        raise InputError("the cohort folder does not exist", file=path, fix="check the path, or import the cohort")
    if not (path / SETTINGS).is_file():
        raise InputError(
            "this is not a cohort folder",
            file=path,
            expected=f"a folder with {SETTINGS} and Parquet files",
            fix="make one with `nbrelapse cohort import`",
        )
    settings = _read_settings(path / SETTINGS)
    files = {name: path / f"{name}.parquet" for name in settings["tables"]}
    tables: dict[str, pd.DataFrame] = {}
    for name, file in files.items():
        tables[name] = _read_one(name, file)
    layer_files = {name: _layer_file(path, name) for name in settings.get("layers", [])}
    layers = Layers.of_files(layer_files)
    cohort = Cohort(name=settings["name"], metadata=settings.get("metadata", {}), layers=layers, **tables)
    return validate_cohort(cohort, files | layer_files | {"name": path / SETTINGS})


_AGAIN = "import the cohort again"
_METADATA = {"repairs": list, "selections": list, "source": dict, "platforms": dict, "layers": dict, "expression": dict,
             "gene_copy_number": dict}  # fmt: skip
"""What later steps read of the metadata, and as what."""


def _check_metadata(metadata: Any, file: Path) -> None:
    wrong = [] if isinstance(metadata, dict) else ["metadata"]
    if not wrong:
        wrong = [name for name, kind in _METADATA.items() if not isinstance(metadata.get(name, kind()), kind)]
        wrong += [name for name in ("platforms", "layers") if name not in wrong and not _of_tables(metadata.get(name))]
    if wrong:
        raise InputError("a key is of the wrong type", file=file, column=", ".join(wrong), fix=_AGAIN)


def _of_tables(value: Any) -> bool:
    return value is None or all(isinstance(entry, dict) for entry in value.values())


def _read_settings(file: Path) -> dict[str, Any]:
    settings = parse_toml(read_bytes(file), file, "the file")
    if settings.get("format") != _FORMAT:
        raise InputError(
            f"unknown cohort format {settings.get('format')!r}",
            file=file,
            column="format",
            expected=str(_FORMAT),
            fix=_AGAIN,
        )
    tables = settings.get("tables")
    if not isinstance(settings.get("name"), str) or not isinstance(tables, list):
        raise InputError("a key is missing or of the wrong type", file=file, column="name, tables", fix=_AGAIN)
    _check_metadata(settings.get("metadata", {}), file)
    layers = settings.get("layers", [])
    if not isinstance(layers, list) or len(set(map(str, layers))) < len(layers):
        raise InputError(
            "a key is of the wrong type", file=file, column="layers", expected="a list, each name once", fix=_AGAIN
        )
    for name in layers:
        check_layer_name(str(name), file)
    wrong = [str(name) for name in tables if name not in (*TABLES, *MATRICES)]
    absent = [name for name in _REQUIRED if name not in tables]
    if wrong or absent:
        problem = "unknown table" if wrong else "a table is missing"
        expected = ", ".join((*TABLES, *MATRICES))
        raise InputError(problem, file=file, column=", ".join(wrong or absent), expected=expected, fix=_AGAIN)
    return settings


def _read_one(name: str, file: Path) -> pd.DataFrame:
    table = read_table(file)
    if name not in MATRICES:
        return normalise_table(name, table, file, Repairs()).reset_index(drop=True)
    if "Hugo_Symbol" not in table:
        raise InputError("the gene column is missing", file=file, column="Hugo_Symbol", fix=_AGAIN)
    return normalise_matrix(table.set_index("Hugo_Symbol"), file, Repairs())
