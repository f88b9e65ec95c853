"""Load a saved model, after checking every byte of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import BundleError, NbRelapseError
from nbrelapse.mechanisms.catalogue import parse_catalogue
from nbrelapse.models.families import model_from_state
from nbrelapse.models.risk_model import ModelState, RiskModel
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.format import FORMAT_VERSION, LOADER_MODULE, MANIFEST, MLFLOW_FILES, REFITS, sha256
from nbrelapse.tracking import fetch_model


def load_model(model: str | Path) -> Bundle:
    """Load a saved model.

    The manifest is checked before anything else is read: a file that is changed, missing or not listed, a link, a
    foreign loader in ``MLmodel`` or a newer format is refused. Nothing in the folder is executed.

    Parameters
    ----------
    model : str or path
        A folder, or an MLflow URI (``models:/name@alias``, ``runs:/id/model``).

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
    folder = fetch_model(model)
    if not (folder / "MLmodel").is_file():
        raise BundleError(f"not a saved model, it has no MLmodel file: {model}")
    _check_description(folder)
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in MLFLOW_FILES and path.name != "data")
    if strangers:
        raise BundleError(f"the model's folder holds a file that does not belong to it: {strangers[0]}")
    return load_data(folder / "data")


def load_data(data: str | Path) -> Bundle:
    """Load the ``data`` folder of a saved model; see :func:`load_model`."""
    folder = Path(data)
    manifest = _checked_manifest(folder)
    try:
        return _read(folder, manifest)
    except NbRelapseError:
        raise
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise BundleError(f"the model cannot be read: {type(error).__name__}: {error}") from None


def _check_description(folder: Path) -> None:
    import yaml

    try:
        description = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        flavor = description["flavors"]["python_function"]
        loader, data, code = flavor["loader_module"], flavor.get("data"), flavor.get("code")
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise BundleError("the model's MLmodel file cannot be read") from None
    if loader != LOADER_MODULE or data != "data" or code is not None:
        raise BundleError(
            f"the model asks to be loaded by {loader!r}, not by {LOADER_MODULE!r}: it is not one of nbrelapse's, "
            "or it was tampered with"
        )


def _checked_manifest(folder: Path) -> dict[str, Any]:
    if any(path.is_symlink() for path in (folder, folder.parent, *folder.rglob("*"))):
        raise BundleError("the model's folder holds a link")
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        newer = int(manifest["format_version"]) > FORMAT_VERSION
        listed: dict[str, str] = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BundleError(f"the model has no readable data/{MANIFEST}") from None
    if newer:
        raise BundleError(
            f"the model was written by nbrelapse {manifest.get('nbrelapse_version')}, whose format is newer: "
            "upgrade nbrelapse to load it"
        )
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    for problem, names in (
        ("lacks the file", set(listed) - present),
        ("holds a file that its manifest does not list:", present - set(listed)),
        (
            "was changed since it was saved:",
            {name for name in present & set(listed) if sha256(folder / name) != listed[name]},
        ),
    ):
        if names:
            raise BundleError(f"the model {problem} data/{min(names)}")
    return manifest


def _read(folder: Path, manifest: dict[str, Any]) -> Bundle:
    refits = [
        _model(document, folder / REFITS, f"{number:03d}-")
        for number, document in enumerate(_json(folder / REFITS / "refits.json"))
    ]
    references = {name: _model(document, folder, "") for name, document in _json(folder / "references.json").items()}
    return Bundle(
        endpoint=manifest["endpoint"],
        model=_model(_json(folder / "model.json"), folder, ""),
        refits=tuple(refits),
        references=references,
        catalogue=parse_catalogue(_json(folder / "catalogue.json")),
        gene_sets=manifest["gene_sets"],
        schema=pd.DataFrame(manifest["features"]).set_index("feature"),
        log_risk_quantiles=np.asarray(_json(folder / "baseline.json")["log_risk_quantiles"], dtype=float),
        training=manifest["training"],
    )


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _model(document: dict[str, Any], folder: Path, prefix: str) -> RiskModel:
    blobs = {}
    if document.get("family") == "boosted":
        blobs["model.ubj"] = (folder / f"{prefix}model.ubj").read_bytes()
    return model_from_state(ModelState(document, blobs))
