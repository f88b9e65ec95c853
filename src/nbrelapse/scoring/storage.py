"""Saved models: JSON and XGBoost files with checksums, written whole, verified when read, without pickle."""

from __future__ import annotations

import io
import json
import platform
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nbrelapse import __version__
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.files import check_writable, write_beside
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.build import build_features
from nbrelapse.mechanisms.catalogue import Catalogue, load_catalogue
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.models.base import ModelState, RiskModel
from nbrelapse.models.binary import BinaryModel
from nbrelapse.models.families import check_state
from nbrelapse.models.resamples import bootstrap_refits
from nbrelapse.outcome import Outcome, make_outcome
from nbrelapse.scoring.bundle import (
    _CARD,
    _CARD_NUMBERS,
    _DESCRIPTION,
    _FORMAT_VERSION,
    _LOADER_MODULE,
    _MANIFEST,
    _REFITS,
    _TEXT_COLUMNS,
    Bundle,
    _content,
    _sealed,
    _sha256,
    _to_json,
    make_bundle,
)
from nbrelapse.scoring.signature import _SIGNATURE, _signed
from nbrelapse.scoring.training_summary import TrainingSummary
from nbrelapse.validation.patient_bands import PatientBands, cross_predictions, learn_bands

if TYPE_CHECKING:
    from mlflow.models import Model


def write_bundle(
    bundle: Bundle,
    folder: str | Path,
    *,
    mlflow_model: Model | None = None,
    sign: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Save a model; the folder appears whole or not at all.

    ``MLmodel``, ``requirements.txt``, ``python_env.yaml``, an example of the input (a made-up patient) and the model
    card (``README.md``, its numbers in ``card.json``) stand beside ``data/``, which holds the model, its bootstrap
    refits, the clinical baselines, the catalogue entries that it reads and ``manifest.json`` with the checksum of
    every file. The same bundle gives the same bytes.

    Parameters
    ----------
    bundle : Bundle
    folder : path
    mlflow_model : mlflow.models.Model, optional
        The description that MLflow has begun, when it logs the model.
    sign : path, optional
        An Ed25519 private key, as ``ssh-keygen -t ed25519`` makes it, to sign the model with.
    overwrite : bool
        Replace a folder that is there.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The folder is there and ``overwrite`` is False, or cannot be written; or the key cannot be used.
    """
    target = check_model_folder(folder, overwrite=overwrite)
    try:
        with write_beside(target) as beside:
            _write(bundle, beside, {} if mlflow_model is None else mlflow_model.to_dict(), sign)
    except OSError as error:
        raise InputError(f"the model cannot be written: {error.strerror}", file=target) from None
    return target


def check_model_folder(folder: str | Path, *, overwrite: bool = False) -> Path:
    """Return the folder of a model, before the work is done that it is for.

    Raises
    ------
    InputError
        It is there and ``overwrite`` is False, is not a saved model, or cannot be written.
    """
    target = Path(folder)
    if target.exists() and not overwrite:
        raise InputError("the folder is there already", file=target, fix="name another, or allow overwriting")
    if target.exists() and not (target / _MANIFEST).is_file():
        raise InputError("what is there is not a saved model; it is not replaced", file=target, fix="name another")
    check_writable(target, "the model", "name another folder", replaced=True)
    return target


def _write(bundle: Bundle, folder: Path, begun: Mapping[str, Any], key: str | Path | None) -> None:
    data = folder / "data"
    data.mkdir(parents=True)
    state = bundle.model.state()
    text = _to_json(state.document)
    check_state(ModelState(json.loads(text), state.blobs))  # what could not be read back is not written
    _write_text(data / "model.json", text)
    for name, blob in state.blobs.items():
        (data / name).write_bytes(blob)
    (folder / _REFITS).write_bytes(_pack_refits([refit.state() for refit in bundle.refits]))
    references = {name: model.state().document for name, model in bundle.references.items()}
    _write_text(data / "references.json", _to_json(references))
    baseline: dict[str, Any] = {"log_risk_quantiles": bundle.log_risk_quantiles.tolist()}
    baseline |= {} if bundle.profile is None else {"profile": bundle.profile.to_dict()}
    # Thousands of features have a dozen numbers each: on a line each they are half as much again.
    _write_text(data / "baseline.json", json.dumps(baseline, separators=(",", ":"), allow_nan=False) + "\n")
    _write_text(data / "catalogue.json", _to_json(bundle.catalogue.to_document()))
    texts = _describe_for_mlflow(bundle.example(), bundle.score_columns, begun)
    texts |= {_CARD: bundle.card} if bundle.card else {}
    texts |= {} if bundle.card_numbers is None else {_CARD_NUMBERS: _to_json(bundle.card_numbers)}
    for name, text in texts.items():
        _write_text(folder / name, text)
    files = {file.relative_to(folder).as_posix(): _sha256(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    manifest = _manifest(bundle, files)
    if key is not None:
        manifest[_SIGNATURE] = _signed(_content(manifest), key)
    _write_text(folder / _MANIFEST, _sealed(manifest))


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")


def _manifest(bundle: Bundle, files: Mapping[str, str]) -> dict[str, Any]:
    schema = bundle.schema.reset_index().astype(object)
    return {
        "format_version": _FORMAT_VERSION,
        "nbrelapse_version": __version__,
        "endpoint": bundle.endpoint,
        "family": bundle.model.family,
        "landmark_days": bundle.landmark_days,
        "catalogue_version": bundle.catalogue.version,
        "followed_days": bundle.followed_days,
        "refits": len(bundle.refits),
        **({} if bundle.bands is None else {"bands": bundle.bands.to_dict()}),
        "training": bundle.training.to_dict(),
        **({"updates": [dict(update) for update in bundle.updates]} if bundle.updates else {}),
        "features": schema.where(pd.notna(schema), None).to_dict("records"),
        "gene_sets": {name: list(genes) for name, genes in bundle.gene_sets.items()},
        "files": dict(files),
    }


def _pack_refits(states: Sequence[ModelState]) -> bytes:
    """Pack model states into a ZIP archive: ``000.json``, and ``000-<name>`` for each native file, and so on.

    The same states give the same bytes.

    Examples
    --------
    >>> packed = _pack_refits([ModelState({"family": "boosted"}, {"model.ubj": b"trees"})])
    >>> zipfile.ZipFile(io.BytesIO(packed)).namelist()
    ['000.json', '000-model.ubj']
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


_EXAMPLE = "input_example.json"
_SERVED_EXAMPLE = "serving_input_example.json"


def _describe_for_mlflow(example: pd.DataFrame, columns: Sequence[str], begun: Mapping[str, Any]) -> dict[str, str]:
    """Text of the files beside ``data/``: ``MLmodel``, an example of the input, the libraries.

    They are written without MLflow, so that the same model gives the same bytes.

    Parameters
    ----------
    example : DataFrame of shape (1, n_features)
        A made-up patient. Its columns are what the model reads, kept as ``metadata.features``: the signature has no
        inputs, because MLflow would hand over a table without the columns that it does not know, down to one without
        rows, and nobody would learn of a misspelt name.
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
    outputs = [
        {"type": "string" if name in _TEXT_COLUMNS else "double", "name": name, "required": True} for name in columns
    ]
    description = {
        **begun,
        "flavors": {
            "python_function": {
                "data": "data",
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": _LOADER_MODULE,
                "python_version": python,
                "streamable": False,
            }
        },
        "mlflow_version": version("mlflow"),
        "metadata": {**(begun.get("metadata") or {}), "features": list(example.columns)},
        "saved_input_example_info": {
            "artifact_path": _EXAMPLE,
            "pandas_orient": "split",
            "serving_input_path": _SERVED_EXAMPLE,
            "type": "dataframe",
        },
        "signature": {"inputs": None, "outputs": json.dumps(outputs), "params": None},
    }
    split = json.loads(example.to_json(orient="split", index=False, double_precision=15))
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    return {
        _DESCRIPTION: yaml.safe_dump(description),
        "requirements.txt": "\n".join([f"nbrelapse=={__version__}", *_installed()]) + "\n",
        "python_env.yaml": yaml.safe_dump(environment, sort_keys=False),
        _EXAMPLE: _to_json(split),
        _SERVED_EXAMPLE: _to_json({"dataframe_split": split}),
    }


def _installed() -> list[str]:
    found = []
    for name in _REQUIREMENTS:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class _Training:
    """What a model was fitted on; a row of X and of the outcome a patient, in the same order."""

    X: pd.DataFrame
    outcome: Outcome
    catalogue: Catalogue
    cohort: Cohort | None


def save_model(
    model: RiskModel | Bundle,
    folder: str | Path,
    *,
    cohort: Cohort | None = None,
    X: pd.DataFrame | FeatureTable | None = None,
    y: Outcome | np.ndarray | None = None,
    endpoint: str | None = None,
    catalogue: Catalogue | None = None,
    gene_sets: Mapping[str, list[str]] | None = None,
    refits: int = 20,
    seed: int = 0,
    sign: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Save a model that was fitted in Python, for :func:`load_model` and :func:`score`.

    A saved model keeps of its training patients the range of every feature, how many had a value, the distribution of
    predicted risks and a summary of the outcome; no rows and no identifiers. Nothing was validated: the model card and
    the model's text say so. Use :func:`nbrelapse.run_experiment` for a model with cross-validated figures.

    Parameters
    ----------
    model : RiskModel or Bundle
        Fitted. A bundle is written as it is; of the arguments below only ``sign`` and ``overwrite`` go with it.
    folder : path
    cohort : Cohort, optional
        The training patients. Their features are built where ``X`` is not given, their outcome is made where ``y`` is
        not given.
    X : DataFrame or FeatureTable of shape (n_patients, n_features), optional
        The features that the model was fitted on; NaN = not assayed. Rows of patients without an outcome are left out
        where ``y`` is an Outcome.
    y : Outcome or ndarray of shape (n_patients,), optional
        The outcome that the model was fitted on; an array has the rows of ``X``.
    endpoint : {"relapse", "efs", "os", "refractory"}, optional
        Needed where ``y`` is not an Outcome.
    catalogue : Catalogue, optional
        Defines the features; by default that of ``X``, or the packaged one.
    gene_sets : dict of str to list of str, optional
        The user's gene sets that features are built from.
    refits : int, default 20
        Bootstrap refits, for the bands of the scores, which a cross-validation of five folds widens to what the
        outcomes allow (see :func:`nbrelapse.validation.learn_bands`). 0, or too few events for the folds: no bands.
    seed : int, default 0
        Of the refits.
    sign : path, optional
        See :func:`write_bundle`.
    overwrite : bool
        Replace a folder that is there.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Training features or outcome are missing, do not fit each other or the model, or the folder is there already.

    Examples
    --------
    >>> import tempfile
    >>> from nbrelapse.simulation import simulate_cohort
    >>> from nbrelapse.models.families import create_model
    >>> from nbrelapse.scoring import load_model, score
    >>> cohort = simulate_cohort(120, seed=1)
    >>> table, outcome = build_features(cohort), make_outcome(cohort, "efs")
    >>> model = create_model("cox", columns=["mycn__amplified", "clinical__log2_age"], penalty=0.1)
    >>> model = model.fit(table.values.loc[outcome.patient_ids], outcome.y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save_model(model, f"{folder}/efs", cohort=cohort, X=table, y=outcome, refits=0)
    ...     scores = score(load_model(saved), cohort)
    >>> len(scores)
    120
    """
    if isinstance(model, Bundle):
        return write_bundle(model, folder, sign=sign, overwrite=overwrite)
    if refits < 0:
        raise InputError(f"illegal number of refits {refits}", column="refits", expected="0 or more")
    training = _training(model, cohort, X, y, endpoint, catalogue, gene_sets or {})
    # The refits read what the model read, also where it was left to choose its columns.
    read = training.X[list(model.feature_names_in_)]
    bundle = make_bundle(
        training.outcome.endpoint,
        model,
        training.X,
        refits=tuple(bootstrap_refits(model, read, training.outcome.y, n_refits=refits, seed=seed)),
        references={},
        catalogue=training.catalogue,
        gene_sets=gene_sets or {},
        training=_summary(training),
        bands=_bands(model, read, training.outcome, seed) if refits else None,
    )
    return write_bundle(replace(bundle, card=_card(bundle)), folder, sign=sign, overwrite=overwrite)


def _bands(model: RiskModel, X: pd.DataFrame, outcome: Outcome, seed: int) -> PatientBands | None:
    times = prediction_times(outcome.y)
    try:
        predictions = cross_predictions(model, X, outcome.y, times=times, seed=seed)
    except InputError:  # too few events for the folds, or for a model without one
        return None
    return learn_bands(predictions, model, X, outcome.y)


def _training(
    model: RiskModel,
    cohort: Cohort | None,
    X: pd.DataFrame | FeatureTable | None,
    y: Outcome | np.ndarray | None,
    endpoint: str | None,
    catalogue: Catalogue | None,
    gene_sets: Mapping[str, list[str]],
) -> _Training:
    """Bring together what was given, and refuse what does not fit."""
    if X is None:
        if cohort is None:
            raise InputError(
                "the training features are not known", column="X", fix="give X, or the cohort that it was built from"
            )
        X = build_features(cohort, catalogue, gene_sets)
    if catalogue is None:
        catalogue = X.catalogue if isinstance(X, FeatureTable) else load_catalogue()
    values = X.values if isinstance(X, FeatureTable) else X
    outcome = _outcome(values, cohort, y, endpoint)
    if isinstance(y, Outcome) or y is None:
        absent = int((~outcome.patient_ids.isin(values.index)).sum())
        if absent:
            raise InputError(
                f"{absent} of the {len(outcome.patient_ids)} patients with an outcome have no row in X",
                column="X",
                fix="give the features and the outcome of the same patients",
            )
        values = values.loc[outcome.patient_ids]
    _refuse_misfit(model, values, outcome, catalogue)
    return _Training(values, outcome, catalogue, cohort)


def _outcome(X: pd.DataFrame, cohort: Cohort | None, y: Outcome | np.ndarray | None, endpoint: str | None) -> Outcome:
    if isinstance(y, Outcome):
        if endpoint not in (None, y.endpoint):
            raise InputError(f"the outcome is of the endpoint {y.endpoint!r}", column="endpoint", fix="leave it out")
        return y
    if endpoint is None or (y is None and cohort is None):
        raise InputError(
            "the outcome that the model was trained on is not known",
            column="y",
            expected="an Outcome, an array with its endpoint, or a cohort with an endpoint",
            fix="give y=make_outcome(cohort, endpoint)",
        )
    if y is None:
        assert cohort is not None
        return make_outcome(cohort, endpoint)
    if len(y) != len(X):
        raise InputError(f"{len(X)} rows of features, but outcomes of {len(y)} patients", column="y")
    return Outcome(endpoint, X.index, y)


def _refuse_misfit(model: RiskModel, X: pd.DataFrame, outcome: Outcome, catalogue: Catalogue) -> None:
    if isinstance(model, BinaryModel) == outcome.kind.has_time:
        kinds = "yes or no", "a time to an event"
        own, other = kinds if outcome.kind.has_time else kinds[::-1]
        raise InputError(f"the model is of {own}, the endpoint {outcome.endpoint!r} is {other}", column="endpoint")
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    if not names:
        raise InputError("the model is not fitted", column="model", fix="fit it first")
    for known, where, column in ((X.columns, "the training features lack", "X"),
                                 (catalogue.features, "the catalogue does not know", "catalogue")):  # fmt: skip
        lacking = [name for name in names if name not in known]
        if lacking:
            raise InputError(f"{where} what the model reads: {', '.join(lacking[:5])}", column=column)


def _summary(training: _Training) -> TrainingSummary:
    choices = training.outcome.choices
    return TrainingSummary.of(
        training.cohort,
        training.outcome,
        training.catalogue,
        unspecified=choices.get("unspecified"),
        landmark_days=choices.get("landmark_days"),
        progressive=choices.get("progressive"),
        validated=False,
    )


def _card(bundle: Bundle) -> str:
    training = bundle.training
    trained_on = "" if training.cohort is None else f" of {training.cohort}"
    trained_on += " (simulated)" if training.of_simulated else ""
    return (
        f"# {bundle.model.family}: {bundle.endpoint}\n\n"
        "For research. Not for treatment decisions.\n\n"
        f"- Endpoint: {bundle.endpoint}\n"
        f"- Saved from Python with nbrelapse {__version__}\n"
        f"- Training patients: {training.patients}{trained_on}, {training.events} with the event\n"
        f"- Features read: {len(bundle.schema)}\n"
        f"- Bootstrap refits: {len(bundle.refits)}\n\n"
        "## Performance\n\n"
        "Not validated: the model was saved without cross-validation or a hold-out.\n"
    )
