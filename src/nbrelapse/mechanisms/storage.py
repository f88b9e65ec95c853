"""A feature table on disk: Parquet or CSV, and its manifest beside it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.mechanisms.therapy import Therapy

FORMAT = 1
SUFFIXES = (".parquet", ".csv")


def write_features(table: FeatureTable, file: str | Path) -> Path:
    """Write a feature table and its manifest, a JSON file of the same name.

    Both are written beside their targets first and renamed when complete.

    Parameters
    ----------
    table : FeatureTable
    file : path
        ``.parquet`` or ``.csv``; ``patient_id`` is the first column, a missing value is NaN or an empty field.

    Returns
    -------
    Path
        The manifest: format, catalogue version, number of patients, and of every feature its mechanism, definition
        and the number of patients with a value.

    Raises
    ------
    InputError
        The extension is another one, or the folder cannot be written to.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> values = pd.DataFrame({"mycn__amplified": [1.0, None]}, index=pd.Index(["a", "b"], name="patient_id"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_features(FeatureTable(values, load_catalogue()), Path(folder) / "features.csv")
    ...     read_features(Path(folder) / "features.csv").values["mycn__amplified"].tolist()
    [1.0, nan]
    """
    target = check_target(file)
    values = table.values
    frame = values.rename_axis("patient_id").reset_index()
    manifest = target.with_name(f"{target.name}.json")
    text = json.dumps(_manifest(table), indent=2, allow_nan=False) + "\n"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".parquet":
            _write(target, lambda beside: frame.to_parquet(beside, index=False))
        else:
            _write(target, lambda beside: frame.to_csv(beside, index=False, lineterminator="\n"))
        _write(manifest, lambda beside: beside.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot write the feature table: {error.strerror}", file=target) from None
    return manifest


def read_features(file: str | Path) -> FeatureTable:
    """Read a feature table that :func:`write_features` wrote.

    Parameters
    ----------
    file : path

    Returns
    -------
    FeatureTable
        Its catalogue holds the features of the table, as they were defined when it was built.

    Raises
    ------
    InputError
        A file is missing or is not what it should be, or table and manifest name different features.
    """
    source = check_target(file)
    manifest = source.with_name(f"{source.name}.json")
    missing = [path for path in (source, manifest) if not path.is_file()]
    if missing:
        raise InputError(
            "the feature table or its manifest does not exist",
            file=missing[0],
            mend="write both with `nbrelapse features`",
        )
    catalogue = _catalogue(manifest)
    try:
        if source.suffix == ".parquet":
            frame = pd.read_parquet(source)
        else:
            frame = pd.read_csv(source, dtype={"patient_id": "str"})
        values = frame.set_index("patient_id").astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"the feature table cannot be read: {error}", file=source) from None
    if list(values.columns) != list(catalogue.features):
        raise InputError("the feature table and its manifest name different features", file=source, mend="rebuild it")
    return FeatureTable(values, catalogue)


def check_target(file: str | Path) -> Path:
    """Refuse a name that no feature table can have; a command asks before its work, not after."""
    path = Path(file)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"a feature table cannot be a {path.suffix or 'file without extension'}",
            file=path,
            expected=" or ".join(SUFFIXES),
        )
    return path


def _write(target: Path, save: Callable[[Path], Any]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    beside = Path(name)
    try:
        save(beside)
        beside.chmod(0o644)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _manifest(table: FeatureTable) -> dict[str, Any]:
    values = table.values
    observed = values.notna().sum()
    definitions = {name: table.catalogue.features[name] for name in values.columns}
    used = {definition.mechanism for definition in definitions.values()}
    return {
        "format": FORMAT,
        "catalogue_version": table.catalogue.version,
        "patients": len(values),
        "mechanisms": [asdict(entry) for name, entry in table.catalogue.mechanisms.items() if name in used],
        "features": [
            {**asdict(definition), "patients": int(observed[name])} for name, definition in definitions.items()
        ],
        "therapies": {name: therapy.to_table() for name, therapy in table.catalogue.own_therapies.items()},
    }


def _catalogue(manifest: Path) -> Catalogue:
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise InputError("a manifest of another format", file=manifest, expected=f"format {FORMAT}")
        mechanisms = [
            Mechanism(**{**entry, "therapies": tuple(entry["therapies"])}) for entry in document["mechanisms"]
        ]
        definitions = [
            FeatureDefinition(
                **{
                    **{key: value for key, value in entry.items() if key != "patients"},
                    "therapies": tuple(entry["therapies"]),
                }
            )
            for entry in document["features"]
        ]
        # Tables of before 0.4.0 have none.
        therapies = {name: Therapy.from_table(name, entry) for name, entry in document.get("therapies", {}).items()}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the manifest cannot be read: {error}", file=manifest, mend="rebuild the table") from None
    return Catalogue(
        str(document["catalogue_version"]),
        {entry.name: entry for entry in mechanisms},
        {entry.name: entry for entry in definitions},
        therapies,
    )
