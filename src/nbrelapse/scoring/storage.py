"""Saved models: JSON and XGBoost files with checksums, written whole, verified when read, without pickle."""

from __future__ import annotations

import io
import json
import platform
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbrelapse import __version__
from nbrelapse.cohort.files import write_beside
from nbrelapse.errors import BundleError, InputError, NbRelapseError
from nbrelapse.mechanisms.catalogue import parse_catalogue
from nbrelapse.models.base import ModelState
from nbrelapse.models.families import model_from_state
from nbrelapse.scoring.bundle import (
    CARD,
    DESCRIPTION,
    FORMAT_VERSION,
    LOADER_MODULE,
    MANIFEST,
    MLFLOW_FILES,
    REFITS,
    TEXT_COLUMNS,
    Bundle,
    sealed,
    sha256,
    to_json,
)
from nbrelapse.tracking.read import fetched_model

if TYPE_CHECKING:
    from mlflow.models import Model


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


def write_bundle(
    bundle: Bundle, folder: str | Path, *, mlflow_model: Model | None = None, overwrite: bool = False
) -> Path:
    """Save a model; the folder appears whole or not at all.

    ``MLmodel``, ``requirements.txt``, ``python_env.yaml`` and the model card (``README.md``) stand beside ``data/``,
    which holds the model, its bootstrap refits, the clinical baselines, the catalogue entries that it reads and
    ``manifest.json`` with the checksum of every file. The same bundle gives the same bytes.

    Parameters
    ----------
    bundle : Bundle
    folder : path
    mlflow_model : mlflow.models.Model, optional
        The description that MLflow has begun, when it logs the model.
    overwrite : bool
        Replace a folder that is there.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The folder is there and ``overwrite`` is False, or cannot be written.
    """
    target = Path(folder)
    if target.exists() and not overwrite:
        raise InputError("the folder is there already", file=target, fix="name another, or allow overwriting")
    if target.exists() and not (target / MANIFEST).is_file():
        raise InputError("what is there is not a saved model; it is not replaced", file=target, fix="name another")
    try:
        with write_beside(target) as beside:
            _write(bundle, beside, {} if mlflow_model is None else mlflow_model.to_dict())
    except OSError as error:
        raise InputError(f"the model cannot be written: {error.strerror}", file=target) from None
    return target


def _write(bundle: Bundle, folder: Path, begun: Mapping[str, Any]) -> None:
    data = folder / "data"
    data.mkdir(parents=True)
    state = bundle.model.state()
    _write_text(data / "model.json", to_json(state.document))
    for name, blob in state.blobs.items():
        (data / name).write_bytes(blob)
    (folder / REFITS).write_bytes(pack_refits([refit.state() for refit in bundle.refits]))
    references = {name: model.state().document for name, model in bundle.references.items()}
    _write_text(data / "references.json", to_json(references))
    _write_text(data / "baseline.json", to_json({"log_risk_quantiles": bundle.log_risk_quantiles.tolist()}))
    _write_text(data / "catalogue.json", to_json(bundle.catalogue.to_document()))
    texts = describe_for_mlflow(list(bundle.schema.index), bundle.score_columns, begun)
    for name, text in {**texts, **({CARD: bundle.card} if bundle.card else {})}.items():
        _write_text(folder / name, text)
    files = {file.relative_to(folder).as_posix(): sha256(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    _write_text(folder / MANIFEST, sealed(_manifest(bundle, files)))


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


def _manifest(bundle: Bundle, files: Mapping[str, str]) -> dict[str, Any]:
    schema = bundle.schema.reset_index().astype(object)
    return {
        "format_version": FORMAT_VERSION,
        "nbrelapse_version": __version__,
        "endpoint": bundle.endpoint,
        "family": bundle.model.family,
        "landmark_days": bundle.landmark_days,
        "catalogue_version": bundle.catalogue.version,
        "followed_days": bundle.followed_days,
        "refits": len(bundle.refits),
        "training": dict(bundle.training),
        "features": schema.where(pd.notna(schema), None).to_dict("records"),
        "gene_sets": {name: list(genes) for name, genes in bundle.gene_sets.items()},
        "files": dict(files),
    }


_LARGEST = 1 << 30
"""Bytes that an archive may unpack to; a hundred boosted refits take about ten million."""


def pack_refits(states: Sequence[ModelState]) -> bytes:
    """Pack model states into a ZIP archive: ``000.json``, and ``000-<name>`` for each native file, and so on.

    The same states give the same bytes.

    Examples
    --------
    >>> unpack_refits(pack_refits([ModelState({"family": "cox"}, {"model.ubj": b"trees"})]))[0].blobs
    {'model.ubj': b'trees'}
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, state in enumerate(states):
            document = json.dumps(state.document, separators=(",", ":"), allow_nan=False).encode()
            files = {f"{number:03d}.json": document}
            files |= {f"{number:03d}-{name}": blob for name, blob in state.blobs.items()}
            for name, content in files.items():
                # ZipInfo's default date is fixed; writing by name alone would store the time.
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def unpack_refits(packed: bytes) -> list[ModelState]:
    """Return the states that :func:`pack_refits` packed, in memory: nothing is written.

    Raises
    ------
    ValueError
        It is no such archive, or unpacks to an absurd size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError("the refits unpack to more than a gigabyte")
            contents = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from None
    stems = sorted(name.removesuffix(".json") for name in contents if name.endswith(".json"))
    return [
        ModelState(
            json.loads(contents[f"{stem}.json"]),
            {name.removeprefix(f"{stem}-"): blob for name, blob in contents.items() if name.startswith(f"{stem}-")},
        )
        for stem in stems
    ]


_REQUIREMENTS = (
    "bioframe",
    "mlflow",
    "numpy",
    "pandas",
    "scikit-learn",
    "scikit-survival",
    "xgboost",
    "xgboost-cpu",
)


def describe_for_mlflow(features: Sequence[str], columns: Sequence[str], begun: Mapping[str, Any]) -> dict[str, str]:
    """Text of the files beside ``data/``: ``MLmodel``, ``requirements.txt`` and ``python_env.yaml``.

    They are written without MLflow, so that the same model gives the same bytes.

    Parameters
    ----------
    features : sequence of str
        What the model reads: doubles, all optional (a missing one is NaN, not assayed).
    columns : sequence of str
        What it returns.
    begun : dict
        What MLflow has said already of a model that is being logged: ``model_id``, ``run_id`` and so on. Empty
        otherwise.

    Returns
    -------
    dict of str to str
        By file name.
    """
    import yaml

    python = platform.python_version()
    inputs = [{"type": "double", "name": name, "required": False} for name in features]
    outputs = [
        {"type": "string" if name in TEXT_COLUMNS else "double", "name": name, "required": True} for name in columns
    ]
    description = {
        **begun,
        "flavors": {
            "python_function": {
                "data": "data",
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": LOADER_MODULE,
                "python_version": python,
                "streamable": False,
            }
        },
        "mlflow_version": version("mlflow"),
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None},
    }
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    return {
        DESCRIPTION: yaml.safe_dump(description),
        "requirements.txt": "\n".join([f"nbrelapse=={__version__}", *_installed()]) + "\n",
        "python_env.yaml": yaml.safe_dump(environment, sort_keys=False),
    }


def _installed() -> list[str]:
    found = []
    for name in _REQUIREMENTS:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found
