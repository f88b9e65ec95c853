"""Predictions and trials of folds kept on disk, found again by the content they were computed from."""

from __future__ import annotations

import hashlib
import json
import zipfile
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
from nbrelapse.models.design import read_columns
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
    """A folder of fold predictions and the trials of their tuning, each named by the hash of all that it depends on.

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
        Entries found, and entries that had to be computed.
    damaged : int
        Entries that could not be read and are computed anew; among ``misses``.
    failure : str
        Why an entry could not be written (a full disk, say); the computation goes on. Empty where all could.
    """

    folder: Path
    hits: int = field(default=0, init=False)
    misses: int = field(default=0, init=False)
    damaged: int = field(default=0, init=False)
    failure: str = field(default="", init=False)

    def prepare(self) -> None:
        """Make the folder, ignored by git, before anything is computed.

        Raises
        ------
        InputError
            It cannot be made or written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"the cache cannot be written: {error.strerror}",
                file=self.folder,
                fix="name another folder with --cache, or do without it (--no-cache)",
            ) from None

    def discard_if_empty(self) -> None:
        """Remove the folder where nothing was kept: a refused run leaves nothing behind."""
        if self.folder.is_dir() and [file.name for file in self.folder.iterdir()] == [".gitignore"]:
            (self.folder / ".gitignore").unlink()
            self.folder.rmdir()

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
        file = self._file(key)
        try:
            with write_beside(file, private=True) as beside:
                log_risk, incidence, before = fold.prediction
                text = json.dumps([asdict(trial) for trial in fold.trials])
                trials = np.frombuffer(text.encode(), dtype=np.uint8)
                np.savez(
                    beside, key=np.array(key), log_risk=log_risk, incidence=incidence, before=before, trials=trials
                )
        except OSError as error:
            self.failure = error.strerror or str(error)

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"


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


def _read(file: Path, key: str, shape: tuple[int, int]) -> _Fold | None:
    try:
        with np.load(file, allow_pickle=False) as archive:
            stored, log_risk, incidence, before, text = (archive[name] for name in _KEPT)
        documents = json.loads(text.tobytes())
        trials = tuple(Trial(**{**document, "values": tuple(document["values"])}) for document in documents)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        return None
    found = (log_risk, incidence, before)
    alike = log_risk.shape == before.shape == shape[:1] and incidence.shape == shape
    if str(stored) != key or not alike or any(values.dtype != float for values in found):
        return None
    return _Fold(found, trials)
