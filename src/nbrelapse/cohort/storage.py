"""A cohort as a folder: ``cohort.toml``, and Parquet files; those of many patients hold a block of patients each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
import tomli_w

from nbrelapse.cohort.check import _check_builds, validate_cohort
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.columns import _check_time_units, _decoded, encode, refuse_rows
from nbrelapse.cohort.content import parse_toml, read_bytes
from nbrelapse.cohort.files import check_writable, write_beside
from nbrelapse.cohort.layers import Layers, _layer_file, as_layers, check_layer_name
from nbrelapse.cohort.schema import MATRICES, TABLES
from nbrelapse.cohort.stored_tables import _read_coded, _read_matrix
from nbrelapse.errors import InputError

SETTINGS = "cohort.toml"
_WHOLE, _IN_BLOCKS = 1, 2
"""Formats of a folder: a file a table, which earlier versions read too; and a folder a table, a file a block."""
_REQUIRED = ("patients", "samples", "assays")
_OF_SAMPLES = ("assays", "mutations", "segments", "rearrangements")
"""Tables with a row a sample or more, beside the samples themselves."""
_MOST_BLOCKS = 100_000
_CODED = ["assay", "genome_build", "platform"]
PATIENTS_A_BLOCK = 10_000
"""So many are read, built and scored at once: some 400 MB with the tables of a tumour and expression of few genes."""
_GENES_A_BLOCK = 5_000
"""Of a matrix with more rows a block has fewer patients in proportion: it holds a number for each gene and sample."""


def write_cohort(
    cohort: Cohort,
    folder: str | Path,
    *,
    overwrite: bool = False,
    validated: bool = False,
    block_size: int | None = None,
) -> Path:
    """Write a cohort folder.

    The files are written to a new folder beside the target, which takes its name at the end: an interruption leaves
    no half-written cohort. A new folder is its owner's alone (mode 0700, files 0600); one that is replaced keeps the
    rights that it gave to others. A cohort of more patients than a block has is written block by block: each file holds
    all rows of some patients, who follow one another, so that a part of the cohort can be read without the others.

    Parameters
    ----------
    cohort : Cohort
        The texts of its long tables may be categorical.
    folder : path
        Its parent is made where it does not exist.
    overwrite : bool, default False
        Replace a cohort that is already there. Any other folder with content is never replaced.
    validated : bool, default False
        The cohort comes as a reader made it, and need not be validated again.
    block_size : int, optional
        Patients of a block; by default 10,000, and fewer where a matrix has more than 5,000 genes. It changes nothing
        of what is computed of them.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        The cohort is not valid, the folder is there already, or it cannot be written, as on a full disk.
    """
    if not validated:
        validate_cohort(cohort)
    target = Path(folder)
    check_target(target, overwrite=overwrite)
    size = _patients_a_block(cohort) if block_size is None else block_size
    in_blocks = len(cohort.patients) > size
    blocks = _split(cohort, size) if in_blocks else iter([cohort])
    _write_blocks(blocks, target, in_blocks=in_blocks, layers=as_layers(cohort.layers))
    return target


def _patients_a_block(cohort: Cohort) -> int:
    genes = [len(matrix) for name in MATRICES if (matrix := getattr(cohort, name)) is not None]
    return PATIENTS_A_BLOCK * _GENES_A_BLOCK // max(_GENES_A_BLOCK, *genes, 0)


def write_cohort_blocks(blocks: Iterable[Cohort], folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a cohort folder of blocks that are made one after another: no more than one need be in memory.

    Parameters
    ----------
    blocks : iterable of Cohort
        Each of other patients, with the same tables, and the same genes in the same order. Name, metadata and panels
        are those of the first. They cannot have layers.
    folder : path
    overwrite : bool, default False

    Returns
    -------
    Path

    Raises
    ------
    InputError
        As :func:`write_cohort` does; a block is unlike the first, or a patient or sample is in two of them.

    Examples
    --------
    >>> import tempfile
    >>> from nbrelapse.simulation import simulate_cohort
    >>> cohort = simulate_cohort(40, seed=1)
    >>> blocks = (cohort.take(cohort.patient_ids[first : first + 15]) for first in range(0, 40, 15))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(read_cohort(write_cohort_blocks(blocks, f"{folder}/cohort")).patients)
    40
    """
    target = Path(folder)
    check_target(target, overwrite=overwrite)
    _write_blocks(map(_without_layers, blocks), target, in_blocks=True, layers=Layers())
    return target


def _without_layers(block: Cohort) -> Cohort:
    if block.layers:
        raise InputError("a cohort that is written in blocks has no layers", column="layers", fix="use write_cohort")
    # Whether the times are days can only be seen of all patients, when they are read.
    validate_cohort(replace(block, metadata={**block.metadata, "units_checked": True}))
    return block


def _split(cohort: Cohort, size: int) -> Iterator[Cohort]:
    """Cut a cohort into blocks of patients in their order; rows keep their order within a block."""
    of_patient = (np.arange(len(cohort.patients)) // size).astype(np.int32)
    of_sample = of_patient[cohort.patient_ids.get_indexer(pd.Index(cohort.samples["patient_id"]))]
    samples = pd.Index(cohort.samples["sample_id"])
    blocks = {"patients": of_patient, "samples": of_sample}
    for name in _OF_SAMPLES:
        if (table := getattr(cohort, name)) is not None:
            codes, distinct = encode(table["sample_id"])
            blocks[name] = of_sample[samples.get_indexer(pd.Index(distinct))][codes]
    for name in MATRICES:
        if (matrix := getattr(cohort, name)) is not None:
            blocks[name] = of_sample[samples.get_indexer(matrix.columns)]
    count = int(of_patient[-1]) + 1
    rows_of = {name: _rows_by_block(blocks.pop(name), count) for name in list(blocks)}
    for number in range(count):
        tables = {}
        for name, parts in rows_of.items():
            rows = parts[number]
            table = getattr(cohort, name)
            tables[name] = table.iloc[:, rows] if name in MATRICES else table.take(rows).reset_index(drop=True)
        yield replace(cohort, layers={}, **tables)


def _rows_by_block(block: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the rows of each block, in their order."""
    order = np.argsort(block, kind="stable")
    return np.split(order, np.searchsorted(block[order], np.arange(1, count)))


def check_target(folder: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that a cohort must not be written to; a command asks before its work, not after."""
    target = Path(folder)
    check_writable(target, "the cohort", "choose another folder", replaced=True)
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


def _table_file(folder: Path, name: str, block: int | None) -> Path:
    """Return the file of a table, or of a block of it; panels are of no patient, and have one file."""
    return (
        folder / f"{name}.parquet" if block is None or name == "panels" else folder / name / f"part-{block:05d}.parquet"
    )


def _write_blocks(blocks: Iterator[Cohort], target: Path, *, in_blocks: bool, layers: Layers) -> None:
    try:
        with write_beside(target, private=True) as beside:
            beside.mkdir()
            first, number = None, 0
            for number, block in enumerate(blocks, 1):
                first = _like_first(block, first)
                _write_tables(block, beside, number - 1 if in_blocks else None)
            if first is None:
                raise InputError("there is no block of patients", file=target, expected="at least one")
            for name, layer in layers.items():
                file = _layer_file(beside, check_layer_name(name))
                file.parent.mkdir(exist_ok=True)
                _write_table(layer.rename_axis(columns=None).copy().reset_index(), file)
            settings: dict[str, Any] = {"name": first.name, "format": _IN_BLOCKS if in_blocks else _WHOLE}
            settings |= {"blocks": number} if in_blocks else {}
            settings |= {"tables": _present(first), "metadata": _plain(first.metadata)}
            if layers:
                settings["layers"] = list(layers)
            (beside / SETTINGS).write_text(tomli_w.dumps(settings), encoding="utf-8")
            if in_blocks:
                _check_blocks(beside, settings)
    except OSError as error:
        raise InputError(
            f"the cohort cannot be written: {error.strerror or error}",
            file=target,
            fix="make room or choose another folder; what was there before is untouched",
        ) from None


def _present(cohort: Cohort) -> list[str]:
    return [name for name in (*TABLES, *MATRICES) if getattr(cohort, name) is not None]


def _like_first(block: Cohort, first: Cohort | None) -> Cohort:
    """Return the first block, of the molecular tables only the names of the genes; refuse a block unlike it."""
    if first is None:
        genes = {name: matrix.iloc[:, :0] for name in MATRICES if (matrix := getattr(block, name)) is not None}
        empty = {name: getattr(block, name).iloc[:0] for name in _present(block) if name not in (*genes, "panels")}
        return replace(block, **genes, **empty)
    alike = _present(block) == _present(first) and all(
        getattr(block, name) is None or getattr(block, name).index.equals(getattr(first, name).index)
        for name in MATRICES
    )
    if not alike:
        raise InputError("the blocks of a cohort have different tables or genes", expected=", ".join(_present(first)))
    return first


def _write_tables(cohort: Cohort, folder: Path, block: int | None) -> None:
    for name in _present(cohort):
        file, table = _table_file(folder, name, block), getattr(cohort, name)
        file.parent.mkdir(exist_ok=True)
        table = table.rename_axis(columns=None).copy().reset_index() if name in MATRICES else _decoded(table)
        if name != "panels" or not block:
            _write_table(table, file)


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
    settings = _cohort_settings(path)
    layers = Layers.of_files({name: _layer_file(path, name) for name in settings.get("layers", [])})
    numbers = _block_numbers(settings)
    cohort, files = _read_tables(path, settings, numbers)
    if numbers != [None]:
        _check_blocks(path, settings)
    files |= {name: _layer_file(path, name) for name in layers}
    return _with_texts(validate_cohort(replace(cohort, layers=layers), files))


def _read_tables(
    folder: Path, settings: Mapping[str, Any], blocks: Sequence[int | None]
) -> tuple[Cohort, dict[str, Path]]:
    """Read some blocks of a cohort folder, as one cohort without layers that is not validated yet, its texts as codes.

    Parameters
    ----------
    folder : Path
    settings : mapping
        Of :func:`_cohort_settings`.
    blocks : sequence of int or None
        Their numbers; None for the only one of a folder that is not in blocks.

    Returns
    -------
    Cohort
    dict of str to Path
        Where each table stands, for messages: its file, or the folder of its files.
    """
    tables: dict[str, Any] = {}
    files: dict[str, Path] = {}
    ids: dict[str, pd.CategoricalDtype] = {}
    for name in settings["tables"]:
        paths = [_table_file(folder, name, block) for block in blocks]
        files[name] = paths[0] if len(paths) == 1 or name == "panels" else paths[0].parent
        if name in MATRICES:
            parts = [_read_matrix(path) for path in paths]
            tables[name] = parts[0] if len(parts) == 1 else _side_by_side(parts, files[name])
        else:
            tables[name] = _read_coded(name, paths[:1] if name == "panels" else paths, files[name], ids)
    return Cohort(name=settings["name"], metadata=settings.get("metadata", {}), **tables), files


def _with_texts(cohort: Cohort) -> Cohort:
    """Return a cohort that was read and validated with its texts as codes as everything else takes it."""
    tables: dict[str, Any] = {name: _decoded(table) for name in TABLES if (table := getattr(cohort, name)) is not None}
    return replace(cohort, **tables)


def _cohort_settings(folder: str | Path) -> dict[str, Any]:
    """Read and check the ``cohort.toml`` of a cohort folder: all that is known of it before a table is read.

    Raises
    ------
    InputError
        There is no such folder, it is no cohort, or of a format that this version does not know.
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
    return _parse_settings(path / SETTINGS)


def _block_numbers(settings: Mapping[str, Any]) -> list[int | None]:
    """Return the numbers of the blocks of a folder with such a ``cohort.toml``; None for all that is there."""
    return list(range(settings["blocks"])) if settings["format"] == _IN_BLOCKS else [None]


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


def _parse_settings(file: Path) -> dict[str, Any]:
    settings = parse_toml(read_bytes(file), file, "the file")
    if settings.get("format") not in (_WHOLE, _IN_BLOCKS):
        raise InputError(
            f"unknown cohort format {settings.get('format')!r}",
            file=file,
            column="format",
            expected=f"{_WHOLE} or {_IN_BLOCKS}",
            fix=_AGAIN,
        )
    blocks = settings.get("blocks")
    if settings["format"] == _IN_BLOCKS and (not isinstance(blocks, int) or not 0 < blocks <= _MOST_BLOCKS):
        raise InputError("the number of blocks is missing or illegal", file=file, column="blocks", expected="1 or more")
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


def _side_by_side(parts: Sequence[pd.DataFrame], folder: Path) -> pd.DataFrame:
    if not all(part.index.equals(parts[0].index) for part in parts):
        raise InputError("the files of a table list different genes", file=folder, column="Hugo_Symbol")
    return pd.concat(parts, axis=1)


def _check_blocks(folder: Path, settings: Mapping[str, Any]) -> None:
    """Check what can be seen of all blocks only: nobody is in two of them, one genome build, times that are days.

    Raises
    ------
    InputError
        A file is missing, there is one too many, or a check fails.
    """
    numbers = range(settings["blocks"])
    for name in settings["tables"]:
        if name != "panels" and len(list((folder / name).glob("*.parquet"))) != len(numbers):
            raise InputError(
                "a block of the table is missing, or there is one too many",
                file=folder / name,
                expected=f"{len(numbers)} files",
                fix=_AGAIN,
            )
    for name, column in (("patients", "patient_id"), ("samples", "sample_id")):
        ids = _read_columns(folder, name, numbers, [column])[column]
        refuse_rows(ids.index, ids.duplicated(), f"a {column[:-3]} is there twice", file=folder / name, column=column)
    _check_builds(_read_columns(folder, "assays", numbers, ["assay", "genome_build"]), {"assays": folder / "assays"})
    if not settings.get("metadata", {}).get("units_checked", False):
        times = _read_columns(folder, "patients", numbers, ["age_days", "event_days", "followup_days"])
        _check_time_units(times, file=folder / "patients")


def _read_columns(folder: Path, name: str, blocks: Iterable[int | None], columns: Sequence[str]) -> pd.DataFrame:
    """Read some columns of a long table as they are stored, and nothing else of its files."""
    files = [_table_file(folder, name, block) for block in blocks]
    try:
        read = pads.ParquetReadOptions(dictionary_columns=[name for name in columns if name in _CODED])
        scan = pads.ParquetFragmentScanOptions(page_checksum_verification=True)
        form = pads.ParquetFileFormat(read_options=read, default_fragment_scan_options=scan)
        found = pads.dataset(files, format=form)
        table = found.to_table(columns=list(columns))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(f"the Parquet file is damaged: {error}", file=files[0].parent) from None
    return table.to_pandas(split_blocks=True, self_destruct=True)
