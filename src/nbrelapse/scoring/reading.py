"""Read saved models: every byte is checked before it is used, and nothing in a folder is executed."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import BundleError, InputError
from nbrelapse.mechanisms.catalogue import Catalogue, parse_catalogue
from nbrelapse.models.base import ModelState
from nbrelapse.models.families import check_state, model_from_state, model_title
from nbrelapse.outcome import kind_of_endpoint
from nbrelapse.report.wording import ENDPOINTS
from nbrelapse.scoring._profile import _Profile
from nbrelapse.scoring.bundle import (
    _CARD,
    _CARD_NUMBERS,
    _DESCRIPTION,
    _FORMAT_VERSION,
    _LOADER_MODULE,
    _MANIFEST,
    _MLFLOW_FILES,
    _REFITS,
    Bundle,
    CardFigure,
    _content,
    _fingerprint,
    _leading_figure,
    _sealed,
)
from nbrelapse.scoring.manifest import (
    _check_baseline,
    _check_manifest,
    _check_models,
    _read_json,
    _refuse_nested,
    _told,
)
from nbrelapse.scoring.signature import _check_signature, _Signer
from nbrelapse.scoring.training_summary import TrainingSummary
from nbrelapse.validation.patient_bands import PatientBands

_LARGEST = 1 << 30
"""Bytes of a folder, and that its archive may unpack to; a hundred boosted refits take about ten million."""

_FILES = re.compile(
    r"MLmodel|README\.md|card\.json|requirements\.txt|python_env\.yaml|(serving_)?input_example\.json|"
    r"data/((baseline|catalogue|model|references)\.json|refits\.zip|([a-z_]+-)?model\.ubj)"
)
_LARGEST_DESCRIPTION = 1 << 20
_MOST_FILES = 1000
_MOST_REFITS = 10_000

_ANOTHER_COPY = "fetch the model again from where it was trained, or train it again"


@dataclass(frozen=True)
class CheckedModel:
    """What a saved model is, checked without making a model of it.

    Parameters
    ----------
    folder : str
        As it was named.
    endpoint, family : str
    version : str
        Of nbrelapse that saved it.
    training : TrainingSummary
    features, refits, files, size : int
        Numbers, and bytes in all.
    signed_by : str or None
        Fingerprint of the key that signed it; None where it is not signed.
    signer : str or None
        Name of that key in the keyring; None where no keyring was asked.
    needs : tuple of str
        Assays that its features are read from.
    catalogue_version : str
        Of the catalogue of features that it was trained with.
    performance : CardFigure or None
        What the model card says of it; None where it was not validated.
    fingerprint : str
        SHA-256 of what the model holds, wherever it is kept and whoever signed it.
    updates : tuple of mapping
        How it was updated since it was trained; see :func:`nbrelapse.scoring.update_bundle`.
    """

    folder: str
    endpoint: str
    family: str
    version: str
    training: TrainingSummary
    features: int
    refits: int
    files: int
    size: int
    signed_by: str | None
    signer: str | None
    needs: tuple[str, ...]
    catalogue_version: str
    performance: CardFigure | None
    fingerprint: str
    updates: tuple[Mapping[str, Any], ...] = ()

    def __str__(self) -> str:
        training = self.training
        patients = "an unknown number of" if training.patients is None else str(training.patients)
        simulated = "simulated " if training.of_simulated else ""
        return "\n".join(
            [
                f"{model_title(self.family)} ({self.family}), endpoint {self.endpoint}: {ENDPOINTS[self.endpoint]}",
                f"trained on {patients} {simulated}patients, reads {self.features} features, {self.refits} refits; "
                f"saved by nbrelapse {self.version}",
                *(
                    f"updated on {update['patients']} patients of {update['cohort']}, "
                    f"from the model {update.get('parent', 'of unknown fingerprint')}"
                    for update in self.updates
                ),
                f"whole: all {self.files} files ({self.size / 1e6:.1f} MB) are as they were when the model was saved",
                self._origin(),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data; of the training patients their number, and whether they were simulated."""
        named = {
            name: value for name, value in vars(self).items() if name not in ("training", "updates", "performance")
        }
        named |= {
            "needs": list(self.needs),
            "performance": None if self.performance is None else vars(self.performance),
        }
        told = ("parent", "cohort", "patients", "events", "method", "shift", "slope", "competing_shift")
        updates = [{name: update.get(name) for name in told} for update in self.updates]
        return (
            named
            | ({"updates": updates} if updates else {})
            | {"patients": self.training.patients, "simulated": self.training.of_simulated}
        )

    def _origin(self) -> str:
        if self.signed_by is None:
            return "not signed: whoever can write the folder can put another model in its place"
        if self.signer is None:
            return f"signed by the key {self.signed_by}: whose key it is, only a keyring can tell (--trust)"
        return f"signed by {self.signer} ({self.signed_by})"


def load_model(model: str | Path, *, trust: str | Path | None = None) -> Bundle:
    """Load a saved model.

    Every file is checked against the manifest before any of it is used: a changed byte, a file that is missing or
    not listed, a link, a foreign loader in ``MLmodel`` or a newer format is refused. So is what a model cannot be:
    trees that XGBoost would not have written, a number that is not finite, lengths that do not agree. Nothing in the
    folder is executed. Somebody who rewrites the manifest as well can put another model in its place, whose
    predictions are its own: against that there are signatures, see ``trust``.

    Parameters
    ----------
    model : str or path
        A folder, or an MLflow URI (``models:/name@alias``, ``models:/m-…``, ``runs:/id/name``).
    trust : path, optional
        Keyring: a file of public keys, a line a key, ``ssh-ed25519 AAAA… name``. Only a model that one of them signed
        is loaded.

    Returns
    -------
    Bundle

    Raises
    ------
    InputError
        There is no such folder or URI, or the keyring cannot be read.
    BundleError
        The folder is not a model of nbrelapse, is damaged, is not signed by a trusted key, or was written by a newer
        version.
    """
    with _folder(model) as folder:
        checked = _checked(folder, trust)
        with _reading("data/model.json"):
            return _bundle(checked)


def check_model(model: str | Path, *, trust: str | Path | None = None) -> CheckedModel:
    """Check a saved model as :func:`load_model` does, without XGBoost and without making a model of it.

    Parameters
    ----------
    model, trust
        As in :func:`load_model`.

    Returns
    -------
    CheckedModel
        Printed, it says in four lines what the model is, that it is whole, and who signed it.

    Raises
    ------
    InputError, BundleError
        As :func:`load_model`.
    """
    with _folder(model) as folder:
        checked = _checked(folder, trust)
    manifest, signer = checked.manifest, checked.signer
    return CheckedModel(
        folder=str(model),
        endpoint=manifest["endpoint"],
        family=manifest["family"],
        version=manifest["nbrelapse_version"],
        training=TrainingSummary.from_dict(manifest["training"]),
        features=len(manifest["features"]),
        refits=len(checked.refits),
        files=len(checked.contents),
        size=sum(map(len, checked.contents.values())),
        signed_by=None if signer is None else signer.fingerprint,
        signer=None if signer is None else signer.name,
        updates=tuple(manifest.get("updates", ())),
        needs=tuple(dict.fromkeys(row["assay"] for row in manifest["features"])),
        catalogue_version=checked.catalogue.version,
        performance=_leading_figure(
            checked.contents.get(_CARD, b"").decode("utf-8"), has_time=kind_of_endpoint(manifest["endpoint"]).has_time
        ),
        fingerprint=_fingerprint(manifest),
    )


@contextmanager
def _folder(model: str | Path) -> Iterator[Path]:
    if Path(model).is_dir():
        yield Path(model)
        return
    from nbrelapse.tracking.read import fetched_model  # slow to import, and a folder does not need it

    with fetched_model(model) as folder:
        yield folder


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """Turn whatever reading a damaged file raises into a BundleError: there is no end of what that may be."""
    try:
        yield
    except (BundleError, InputError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"the model cannot be used: {_told(error)}", file=file, fix=_ANOTHER_COPY) from None
    except Exception as error:
        raise BundleError(f"the model cannot be read: {_told(error)}", file=file, fix=_ANOTHER_COPY) from None


@dataclass(frozen=True)
class _Checked:
    """Content of a model's folder, all of it checked: plain data, nothing made of it yet."""

    contents: Mapping[str, bytes]
    manifest: Mapping[str, Any]
    model: ModelState
    refits: tuple[ModelState, ...]
    references: Mapping[str, Mapping[str, Any]]
    catalogue: Catalogue
    baseline: Mapping[str, Any]
    card_numbers: Mapping[str, Any] | None
    signer: _Signer | None


def _checked(folder: Path, trust: str | Path | None) -> _Checked:
    contents = _contents(folder)
    with _reading(_DESCRIPTION):
        _refuse_foreign_loader(contents[_DESCRIPTION])
    with _reading(_MANIFEST):
        manifest = _intact_manifest(contents)
    signer = _check_signature(manifest, _content(manifest), trust)
    _compare(contents, manifest)
    with _reading(_MANIFEST):
        _check_manifest(manifest)
    with _reading("data/model.json"):
        blobs = {Path(name).name: blob for name, blob in contents.items() if name.endswith(".ubj")}
        model = ModelState(_read_json(contents["data/model.json"]), blobs)
        check_state(model)
    with _reading(_REFITS):
        refits = _unpack_refits(contents[_REFITS])
        for refit in refits:
            check_state(refit)
    with _reading("data/references.json"):
        references = _read_json(contents["data/references.json"])
        for document in references.values():
            check_state(ModelState(document))
    with _reading("data/catalogue.json"):
        catalogue = parse_catalogue(_read_json(contents["data/catalogue.json"]))
    with _reading(_MANIFEST):
        _check_models(manifest, model, refits, references, catalogue)
    with _reading("data/baseline.json"):
        baseline = _read_json(contents["data/baseline.json"])
        _check_baseline(baseline, [row["feature"] for row in manifest["features"]])
    with _reading(_CARD):
        contents.get(_CARD, b"").decode("utf-8")
    with _reading(_CARD_NUMBERS):
        numbers = _read_json(contents[_CARD_NUMBERS]) if _CARD_NUMBERS in contents else None
        if not isinstance(numbers, dict | None):
            raise ValueError("the numbers of the card are no object")
    return _Checked(contents, manifest, model, tuple(refits), references, catalogue, baseline, numbers, signer)


def _contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder, by their names within it; refuse links, special files, and what is too large."""
    found = {path.relative_to(folder).as_posix(): path for path in islice(folder.rglob("*"), _MOST_FILES + 1)}
    odd = sorted(name for name, path in found.items() if path.is_symlink() or not (path.is_file() or path.is_dir()))
    if odd:
        raise BundleError(f"the model's folder holds a link or a special file: {odd[0]}", fix=_ANOTHER_COPY)
    files = {name: path for name, path in sorted(found.items()) if path.is_file() and name not in _MLFLOW_FILES}
    if _DESCRIPTION not in files:
        raise BundleError(
            f"not a saved model, it has no {_DESCRIPTION} file: {folder}", fix="name a folder that nbrelapse wrote"
        )
    with _reading(_DESCRIPTION):
        sizes = {name: path.stat().st_size for name, path in files.items()}
    if len(found) > _MOST_FILES or sum(sizes.values()) > _LARGEST or sizes[_DESCRIPTION] > _LARGEST_DESCRIPTION:
        raise BundleError("the model's folder is larger than a model can be", fix="name a folder that nbrelapse wrote")
    contents = {}
    for name, path in files.items():
        with _reading(name), path.open("rb") as stream:
            contents[name] = stream.read(_LARGEST)
    return contents


def _refuse_foreign_loader(content: bytes) -> None:
    import yaml

    try:
        _refuse_nested(content)
        description = yaml.safe_load(content.decode("utf-8"))
        flavors = description["flavors"]
        flavor = flavors["python_function"]
        loader, data, code = flavor["loader_module"], flavor.get("data"), flavor.get("code")
        given = loader, data, code, len(flavors)
    except Exception:
        raise BundleError(f"the model's {_DESCRIPTION} file cannot be read", fix=_ANOTHER_COPY) from None
    if given != (_LOADER_MODULE, "data", None, 1):
        raise BundleError(
            f"the model asks to be loaded by {str(loader)[:80]!r} in a way that is not that of nbrelapse: it is "
            "another tool's model, or it was tampered with",
            file=_DESCRIPTION,
            fix="do not load it with mlflow.pyfunc.load_model, which would run what it names",
        )


def _intact_manifest(contents: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = _read_json(contents[_MANIFEST])
        newer = manifest["format_version"] > _FORMAT_VERSION
    except Exception:
        raise BundleError(f"the model has no readable {_MANIFEST}", fix=_ANOTHER_COPY) from None
    if newer:
        raise BundleError(
            f"the model was written by nbrelapse {manifest.get('nbrelapse_version')}, whose format is newer: "
            "upgrade nbrelapse to load it"
        )
    if _sealed(manifest).encode() != contents[_MANIFEST] or not isinstance(manifest["files"], dict):
        raise BundleError(f"the model was changed since it was saved: {_MANIFEST}", fix=_ANOTHER_COPY)
    return manifest


def _compare(contents: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Compare the files that are there with those that the manifest lists."""
    listed: Mapping[str, str] = manifest["files"]
    present = set(contents) - {_MANIFEST}
    changed = {name for name in present & set(listed) if hashlib.sha256(contents[name]).hexdigest() != listed[name]}
    strange = {name for name in listed if not _FILES.fullmatch(name)}
    for problem, names in (
        ("lacks the file", set(listed) - present),
        ("holds a file that its manifest does not list:", present - set(listed)),
        ("was changed since it was saved:", changed),
        ("holds a file that no saved model has:", strange),
    ):
        if names:
            raise BundleError(f"the model {problem} {min(names)}", fix=_ANOTHER_COPY)


def _bundle(checked: _Checked) -> Bundle:
    manifest = checked.manifest
    schema = pd.DataFrame(manifest["features"]).set_index("feature")
    numbers = ["low", "high", "observed", "importance"]
    return Bundle(
        endpoint=manifest["endpoint"],
        model=model_from_state(checked.model),
        refits=tuple(model_from_state(state) for state in checked.refits),
        references={name: model_from_state(ModelState(dict(found))) for name, found in checked.references.items()},
        catalogue=checked.catalogue,
        gene_sets=manifest["gene_sets"],
        schema=schema.astype(dict.fromkeys(numbers, float)),
        log_risk_quantiles=np.array(checked.baseline["log_risk_quantiles"], dtype=float),
        training=TrainingSummary.from_dict(manifest["training"]),
        card=checked.contents.get(_CARD, b"").decode("utf-8"),
        card_numbers=checked.card_numbers,
        version=manifest["nbrelapse_version"],
        bands=None if manifest.get("bands") is None else PatientBands.from_dict(manifest["bands"]),
        profile=None if "profile" not in checked.baseline else _Profile.from_dict(checked.baseline["profile"]),
        updates=tuple(manifest.get("updates", ())),
        fingerprint=_fingerprint(manifest),
    )


def _unpack_refits(packed: bytes) -> list[ModelState]:
    """Return the states that :func:`nbrelapse.scoring.storage._pack_refits` packed, in memory: nothing is written.

    Raises
    ------
    ValueError
        It unpacks to an absurd size, or holds a name twice. A damaged archive raises what it will.
    """
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > _LARGEST or len(entries) > _MOST_REFITS:
            raise ValueError("the refits unpack to more than a gigabyte, or to too many files")
        contents = {entry.filename: archive.read(entry) for entry in entries}
    if len(contents) < len(entries):
        raise ValueError("a name is there twice")
    stems = sorted(name.removesuffix(".json") for name in contents if name.endswith(".json"))
    return [
        ModelState(
            _read_json(contents[f"{stem}.json"]),
            {name.removeprefix(f"{stem}-"): blob for name, blob in contents.items() if name.startswith(f"{stem}-")},
        )
        for stem in stems
    ]
