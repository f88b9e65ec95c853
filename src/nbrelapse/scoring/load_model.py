"""Load a saved model, after checking every byte of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import BundleError, NbRelapseError
from nbrelapse.mechanisms.catalogue import parse_catalogue
from nbrelapse.models.families import model_from_state
from nbrelapse.models.risk_model import ModelState
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.format import (
    CARD,
    DESCRIPTION,
    FORMAT_VERSION,
    LOADER_MODULE,
    MANIFEST,
    MLFLOW_FILES,
    REFITS,
    sealed,
    sha256,
)
from nbrelapse.scoring.refit_archive import unpack_refits
from nbrelapse.tracking import fetched_model


def load_model(model: str | Path) -> Bundle:
    """Load a saved model.

    Every file is checked against the manifest before any of it is used: a changed byte, a file that is missing or
    not listed, a link, a foreign loader in ``MLmodel`` or a newer format is refused. Nothing in the folder is
    executed. The checks find damage and careless edits; somebody who rewrites the manifest as well is not found out.

    Parameters
    ----------
    model : str or path
        A folder, or an MLflow URI (``models:/name@alias``, ``models:/m-…``, ``runs:/id/name``).

    Returns
    -------
    Bundle

    Raises
    ------
    InputError
        There is no such folder or URI.
    BundleError
        The folder is not a model of nbrelapse, is damaged, or was written by a newer version.
    """
    with fetched_model(model) as folder:
        if not (folder / DESCRIPTION).is_file():
            raise BundleError(f"not a saved model, it has no {DESCRIPTION} file: {model}")
        _refuse_foreign_loader(folder)
        manifest = _checked_manifest(folder)
        try:
            return _read(folder, manifest)
        except (NbRelapseError, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise BundleError(f"the model cannot be read: {type(error).__name__}: {error}") from None


def _refuse_foreign_loader(folder: Path) -> None:
    import yaml

    try:
        description = yaml.safe_load((folder / DESCRIPTION).read_text(encoding="utf-8"))
        flavors = description["flavors"]
        flavor = flavors["python_function"]
        loader, data, code = flavor["loader_module"], flavor.get("data"), flavor.get("code")
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, OSError):
        raise BundleError(f"the model's {DESCRIPTION} file cannot be read") from None
    if (loader, data, code, len(flavors)) != (LOADER_MODULE, "data", None, 1):
        raise BundleError(
            f"the model asks to be loaded by {loader!r} in a way that is not that of nbrelapse: it is another tool's "
            "model, or it was tampered with"
        )


def _checked_manifest(folder: Path) -> dict[str, Any]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    odd = sorted(name for name, path in found.items() if path.is_symlink() or not (path.is_file() or path.is_dir()))
    if odd:
        raise BundleError(f"the model's folder holds a link or a special file: {odd[0]}")
    manifest = _read_manifest(folder)
    listed: dict[str, str] = manifest["files"]
    present = {name for name, path in found.items() if path.is_file()} - {MANIFEST, *MLFLOW_FILES}
    changed = {name for name in present & set(listed) if sha256(folder / name) != listed[name]}
    for problem, names in (
        ("lacks the file", set(listed) - present),
        ("holds a file that its manifest does not list:", present - set(listed)),
        ("was changed since it was saved:", changed),
    ):
        if names:
            raise BundleError(f"the model {problem} {min(names)}")
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / MANIFEST).read_bytes().decode("utf-8")
        manifest: dict[str, Any] = json.loads(text)
        newer = int(manifest["format_version"]) > FORMAT_VERSION
    except (OSError, ValueError, KeyError, TypeError):
        raise BundleError(f"the model has no readable {MANIFEST}") from None
    if newer:
        raise BundleError(
            f"the model was written by nbrelapse {manifest.get('nbrelapse_version')}, whose format is newer: "
            "upgrade nbrelapse to load it"
        )
    try:
        intact = sealed(manifest) == text and isinstance(manifest["files"], dict)
    except (ValueError, KeyError):
        intact = False
    if not intact:
        raise BundleError(f"the model was changed since it was saved: {MANIFEST}")
    return manifest


def _read(folder: Path, manifest: Mapping[str, Any]) -> Bundle:
    data, card = folder / "data", folder / CARD
    blobs = {file.name: file.read_bytes() for file in data.glob("*.ubj")}
    schema = pd.DataFrame(manifest["features"]).set_index("feature")
    numbers = ["low", "high", "observed", "importance"]
    return Bundle(
        endpoint=manifest["endpoint"],
        model=model_from_state(ModelState(_json(data / "model.json"), blobs)),
        refits=tuple(model_from_state(state) for state in unpack_refits((folder / REFITS).read_bytes())),
        references={
            name: model_from_state(ModelState(document)) for name, document in _json(data / "references.json").items()
        },
        catalogue=parse_catalogue(_json(data / "catalogue.json")),
        gene_sets=manifest["gene_sets"],
        schema=schema.astype(dict.fromkeys(numbers, float)),
        log_risk_quantiles=np.asarray(_json(data / "baseline.json")["log_risk_quantiles"], dtype=float),
        training=manifest["training"],
        card=card.read_text(encoding="utf-8") if card.exists() else "",
    )


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
