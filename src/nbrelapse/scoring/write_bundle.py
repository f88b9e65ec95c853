"""Save a model as a folder of JSON and XGBoost files."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbrelapse import __version__
from nbrelapse.errors import InputError
from nbrelapse.models.risk_model import ModelState
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.format import FORMAT_VERSION, LOADER_MODULE, MANIFEST, REFITS, sha256
from nbrelapse.scoring.score_columns import score_columns

if TYPE_CHECKING:
    from mlflow.models import Model

_REQUIREMENTS = ("bioframe", "mlflow", "numpy", "pandas", "scikit-learn", "scikit-survival", "xgboost-cpu")


def write_bundle(
    bundle: Bundle, folder: str | Path, *, mlflow_model: Model | None = None, overwrite: bool = False
) -> Path:
    """Save a model; the folder appears whole or not at all.

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
        The folder is there, and ``overwrite`` is False.
    """
    target = Path(folder)
    if target.exists() and not overwrite:
        raise InputError("the folder is there already", file=target, mend="name another, or allow overwriting")
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        beside.chmod(0o755)
        _write_data(bundle, beside / "data")
        _write_description(bundle, beside, mlflow_model)
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return target


def _write_data(bundle: Bundle, data: Path) -> None:
    (data / REFITS).mkdir(parents=True)
    _write_state(bundle.model.state(), data, "model")
    states = [refit.state() for refit in bundle.refits]
    _write_json(data / REFITS / "refits.json", [state.document for state in states])
    for number, state in enumerate(states):
        for name, blob in state.blobs.items():
            (data / REFITS / f"{number:03d}-{name}").write_bytes(blob)
    _write_json(data / "references.json", {name: model.state().document for name, model in bundle.references.items()})
    _write_json(data / "baseline.json", {"log_risk_quantiles": bundle.log_risk_quantiles.tolist()})
    _write_json(data / "catalogue.json", bundle.catalogue.to_document())
    files = {str(file.relative_to(data)): sha256(file) for file in sorted(data.rglob("*")) if file.is_file()}
    schema = bundle.schema.reset_index().to_dict("records")
    manifest = {
        "format_version": FORMAT_VERSION,
        "nbrelapse_version": __version__,
        "endpoint": bundle.endpoint,
        "family": bundle.model.family,
        "catalogue_version": bundle.catalogue.version,
        "training": dict(bundle.training),
        "features": schema,
        "gene_sets": dict(bundle.gene_sets),
        "refits": len(states),
        "files": files,
    }
    _write_json(data / MANIFEST, manifest)


def _write_state(state: ModelState, folder: Path, name: str) -> None:
    _write_json(folder / f"{name}.json", state.document)
    for blob_name, blob in state.blobs.items():
        (folder / blob_name).write_bytes(blob)


def _write_json(file: Path, document: Any) -> None:
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _write_description(bundle: Bundle, folder: Path, mlflow_model: Model | None) -> None:
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    description = Model() if mlflow_model is None else mlflow_model
    description.add_flavor(
        "python_function",
        loader_module=LOADER_MODULE,
        data="data",
        env={},
        python_version=platform.python_version(),
    )
    inputs = Schema([ColSpec(DataType.double, name, required=False) for name in bundle.schema.index])
    text = {"missing_assays", "out_of_range_features", "warnings"}
    outputs = Schema(
        [
            ColSpec(DataType.string if name in text else DataType.double, name)
            for name in score_columns(bundle.mechanisms)
        ]
    )
    description.signature = ModelSignature(inputs, outputs)
    requirements = [f"nbrelapse=={__version__}", *(f"{name}=={version(name)}" for name in _installed())]
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    description.save(str(folder / "MLmodel"))


def _installed() -> list[str]:
    from importlib.metadata import PackageNotFoundError

    found = []
    for name in _REQUIREMENTS:
        try:
            version(name)
        except PackageNotFoundError:
            name = name.removesuffix("-cpu")
        found.append(name)
    return found
