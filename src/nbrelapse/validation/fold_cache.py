"""Folds, trials and refits kept on disk as they are done, found again by the content they were computed from."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import joblib
import numpy as np
import pandas as pd

from nbrelapse.cohort.files import write_beside
from nbrelapse.errors import InputError
from nbrelapse.models.base import ModelState
from nbrelapse.models.design import read_columns
from nbrelapse.models.families import check_state, model_from_state
from nbrelapse.validation.tuning import Trial

if TYPE_CHECKING:
    from nbrelapse.models.base import RiskModel

CACHE_FOLDER = ".nbrelapse-cache"
"""Beside the experiment file, where nothing else is said."""

_PACKAGE = Path(__file__).resolve().parents[1]
_CODE = (
    "models/*.py",
    "outcome/*.py",
    "validation/fold_cache.py",
    "validation/foreign.py",
    "validation/nested.py",
    "validation/splits.py",
    "validation/tuning.py",
)
"""Files of this package that predictions depend on."""

_LIBRARIES = ("numpy", "optuna", "pandas", "scikit-learn", "scikit-survival", "scipy", "xgboost", "xgboost-cpu")

_Prediction = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Log risk, probability of the event, and log risk before any recalibration, of the patients of one fold."""


class _Fold(NamedTuple):
    """What was computed for one fold: its predictions, and the trials of the tuning before them."""

    prediction: _Prediction
    trials: tuple[Trial, ...]


@dataclass
class FoldCache:
    """A folder of what a training has done, each entry named by the hash of all that it depends on.

    Entries are the predictions of a fold with the trials of its tuning; each trial of a tuning that is not over, or is
    of all training patients; and each refit of a final model. They are written as they are done, so that a training
    that was cut off goes on from there, to the same bits. Several processes may use a folder at once: an entry is
    there whole or not at all, and the same whoever wrote it.

    An entry is used again only where nothing that matters has changed: the values of the features that the model reads,
    the outcomes of its training patients, the model's class and parameters, the tuning settings, the seed, the code and
    the libraries. Names of patients do not enter and are not stored: rows are positions. Entries are NumPy archives,
    read without pickle. The folder can be deleted at any time.

    Parameters
    ----------
    folder : path
        Made when it is needed.

    Attributes
    ----------
    hits, misses : int
        Folds found, and folds that had to be computed.
    trials : int
        Trials found of tunings that were not over, or of all training patients.
    refits, refits_missed : int
        Refits found, and refits that had to be computed.
    damaged : int
        Entries that could not be read and are computed anew.
    failure : str
        Why an entry could not be written (a full disk, say); the computation goes on. Empty where all could.
    """

    folder: Path
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    trials: int = field(default=0, init=False)
    refits: int = field(default=0, init=False)
    refits_missed: int = field(default=0, init=False)
    damaged: int = field(default=0, init=False)
    failure: str = field(default="", init=False)

    def prepare(self) -> None:
        """Make the folder, ignored by git, before anything is computed; what a killed process left half written goes.

        Raises
        ------
        InputError
            It cannot be made or written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
            self._sweep()
        except OSError as error:
            raise InputError(
                f"the cache cannot be written: {error.strerror}",
                file=self.folder,
                fix="name another folder with --cache, or do without it (--no-cache)",
            ) from None

    def discard_if_empty(self) -> bool:
        """Remove the folder where nothing was kept, and say whether: a refused run leaves nothing behind."""
        empty = self.folder.is_dir() and [file.name for file in self.folder.iterdir()] == [".gitignore"]
        if empty:
            (self.folder / ".gitignore").unlink()
            self.folder.rmdir()
        return empty

    def load(self, key: str, shape: tuple[int, int]) -> _Fold | None:
        """Return an entry; None where there is none, or none that can be read.

        Parameters
        ----------
        key : str
            From :func:`_fold_key`.
        shape : tuple of int
            Patients and times that it must have.
        """
        file = self._file(key)
        found = None
        if file.is_file():
            found = _read(file, key, shape)
            self.damaged += found is None
        self.hits += found is not None
        self.misses += found is None
        return found

    def store(self, key: str, fold: _Fold) -> None:
        """Write an entry, whole or not at all; a failure is noted in ``failure``."""
        log_risk, incidence, before = fold.prediction
        trials = _packed([asdict(trial) for trial in fold.trials])
        found = {"log_risk": log_risk, "incidence": incidence, "before": before, "trials": trials}
        self._write(key, found)
        shutil.rmtree(self._trial_folder(key), ignore_errors=True)  # they are in the entry

    def key(self, model: RiskModel, X: pd.DataFrame, y: np.ndarray, settings: dict[str, Any]) -> str:
        """Hash all that something made of a model and all its training patients depends on, in hex.

        Parameters
        ----------
        model : RiskModel
            Unfitted.
        X : DataFrame of shape (n, n_features)
        y : ndarray of shape (n,)
        settings : dict
            What is made, and how.
        """
        return _fold_key(model, X, y, np.arange(len(y)), np.array([], dtype=np.intp), settings)

    def load_trials(self, key: str) -> tuple[Trial, ...]:
        """Return the trials of a tuning that were kept one by one, in no order.

        Parameters
        ----------
        key : str
            Of the fold, or of the tuning on all training patients.
        """
        files = sorted(self._trial_folder(key).glob("*.json"))
        found = [_read_trial(file, key) for file in files]
        known = tuple(trial for trial in found if trial is not None)
        self.damaged += len(found) - len(known)
        self.trials += len(known)
        return known

    def keep_trials(self, key: str) -> Callable[[Trial], None]:
        """Return what writes each trial of a tuning when it is done; it goes to the process that tunes.

        Where the folder is not there, on another machine say, or the disk is full, the trial is not kept.
        """
        return _KeepTrial(self.folder.absolute(), self._trial_folder(key).absolute(), key)

    def load_refit(self, key: str) -> RiskModel | None:
        """Return a fitted model, from its state; None where there is none, or none that can be read."""
        file = self._file(key)
        found = None
        if file.is_file():
            found = _read_refit(file, key)
            self.damaged += found is None
        self.refits += found is not None
        self.refits_missed += found is None
        return found

    def store_refit(self, key: str, model: RiskModel) -> None:
        """Write the state of a fitted model, whole or not at all; a failure is noted in ``failure``."""
        state = model.state()
        blobs = {f"{_BLOB}{name}": np.frombuffer(blob, dtype=np.uint8) for name, blob in state.blobs.items()}
        self._write(key, {"state": _packed(state.document), **blobs})

    def _write(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        try:
            with write_beside(self._file(key), private=True) as beside:
                named: dict[str, Any] = {"key": np.array(key), **arrays}
                np.savez(beside, **named)
        except OSError as error:
            self.failure = error.strerror or str(error)

    def _sweep(self) -> None:
        before = time.time() - _LEFT
        for left in (*self.folder.glob("*/.*.npz-*"), *self.folder.glob("*/*/.*.json-*")):
            with suppress(OSError):  # another process sweeps too
                if left.stat().st_mtime < before:
                    shutil.rmtree(left)

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"

    def _trial_folder(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{_TRIALS}"


_BLOB, _TRIALS = "blob:", ".trials"
_LEFT = 3600.0
"""Seconds after which what is half written is of a process that is gone. A choice."""


@dataclass(frozen=True)
class _KeepTrial:
    """Writes trials, from whatever process it is called in."""

    cache: Path
    folder: Path
    key: str

    def __call__(self, trial: Trial) -> None:
        if not self.cache.is_dir():
            return
        text = json.dumps(asdict(trial))
        name = f"{trial.part}-{trial.number:04d}.json".lstrip("-")
        with suppress(OSError), write_beside(self.folder / name, private=True) as beside:
            beside.write_text(f"{_seal(self.key, text)}\n{text}\n", encoding="utf-8")


def _seal(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()


def _packed(document: Any) -> np.ndarray:
    """Return JSON data as bytes of an archive; numbers come back to the last bit."""
    return np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)


def _fold_key(
    model: RiskModel, X: pd.DataFrame, y: np.ndarray, train: np.ndarray, test: np.ndarray, settings: dict[str, Any]
) -> str:
    """Hash all that the predictions of a fold depend on, in hex.

    Parameters
    ----------
    model : RiskModel
        Unfitted.
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)
    train, test : ndarray of int
        Positions.
    settings : dict
        Tuning settings, seed and times.

    Returns
    -------
    str

    Examples
    --------
    >>> from nbrelapse.models.linear import Cox
    >>> X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 0.0, 1.0]}, index=["p", "q", "r"])
    >>> y = np.array([(1, 3.0), (0, 5.0), (1, 9.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> sides = np.array([0, 1]), np.array([2])
    >>> key = _fold_key(Cox(["a"]), X, y, *sides, {"seed": 0})
    >>> key == _fold_key(Cox(["a"]), X.assign(b=9.0), y, *sides, {"seed": 0})
    True
    >>> key == _fold_key(Cox(["a"]), X.assign(a=[1.0, 2.0, 3.1]), y, *sides, {"seed": 0})
    False
    """
    # Who a patient is does not matter, which stratum he is in does; the strata name patients.
    parameters = {name: value for name, value in model.get_params(deep=False).items() if name != "strata"}
    strata = model.plain._strata(X.index[train])
    columns = list(X.columns if parameters.get("columns") is None else parameters["columns"])
    values = read_columns(X, np.asarray(columns, dtype=object))
    parts = [
        _code(),
        f"{type(model).__module__}.{type(model).__qualname__}",
        joblib.hash((parameters, columns, settings), hash_name="sha1"),
        # Rows of one patient are kept together where models divide them: who he is does not matter, which rows are his.
        np.ascontiguousarray(pd.factorize(X.index[train])[0]).tobytes(),
        "" if strata is None else "\n".join(strata),
        np.ascontiguousarray(values[train]).tobytes(),
        np.ascontiguousarray(values[test]).tobytes(),
        str(y.dtype.descr),
        np.ascontiguousarray(y[train]).tobytes(),
    ]
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


@cache
def _code() -> str:
    """Hash of the code and versions of the libraries."""
    digest = hashlib.sha256()
    for file in sorted(file for pattern in _CODE for file in _PACKAGE.glob(pattern)):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for name in _LIBRARIES:
        try:
            digest.update(f"{name} {version(name)}".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


_KEPT = ("key", "log_risk", "incidence", "before", "trials")
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError)


def _read(file: Path, key: str, shape: tuple[int, int]) -> _Fold | None:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            stored, log_risk, incidence, before, text = (archive[name] for name in _KEPT)
        trials = tuple(_as_trial(document) for document in json.loads(text.tobytes()))
    except _UNREADABLE:
        return None
    found = (log_risk, incidence, before)
    alike = log_risk.shape == before.shape == shape[:1] and incidence.shape == shape
    if str(stored) != key or not alike or any(values.dtype != float for values in found):
        return None
    return _Fold(found, trials)


def _read_trial(file: Path, key: str) -> Trial | None:
    try:
        seal, text, _ = file.read_text(encoding="utf-8").split("\n")
        return _as_trial(json.loads(text)) if seal == _seal(key, text) else None
    except _UNREADABLE:
        return None


def _as_trial(document: dict[str, Any]) -> Trial:
    return Trial(**{**document, "values": tuple(document["values"])})


def _read_refit(file: Path, key: str) -> RiskModel | None:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            if str(archive["key"]) != key:
                return None
            document = json.loads(archive["state"].tobytes())
            blobs = {
                name.removeprefix(_BLOB): archive[name].tobytes() for name in archive.files if name.startswith(_BLOB)
            }
        state = ModelState(document, blobs)
        check_state(state)
        return model_from_state(state)
    except (InputError, *_UNREADABLE):
        return None
