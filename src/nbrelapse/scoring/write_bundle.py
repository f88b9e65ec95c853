"""Save a model as a folder of JSON and XGBoost files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nbrelapse import __version__
from nbrelapse.errors import InputError
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.describe_for_mlflow import describe_for_mlflow
from nbrelapse.scoring.format import CARD, FORMAT_VERSION, MANIFEST, REFITS, sealed, sha256, to_json
from nbrelapse.scoring.refit_archive import pack_refits

if TYPE_CHECKING:
    from mlflow.models import Model


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
        raise InputError("the folder is there already", file=target, mend="name another, or allow overwriting")
    if target.exists() and not (target / MANIFEST).is_file():
        raise InputError("what is there is not a saved model; it is not replaced", file=target, mend="name another")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            beside = Path(scratch) / "model"
            _write(bundle, beside, {} if mlflow_model is None else mlflow_model.to_dict())
            if target.exists():
                target.rename(Path(scratch) / "replaced")
            beside.rename(target)
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
