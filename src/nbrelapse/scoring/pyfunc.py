"""The loader that MLflow calls for a saved model."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import load_catalogue
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.reading import load_model
from nbrelapse.scoring.scores import _score_features

_PATIENT_ID = "patient_id"
_LONGEST_NAME = 40
_MOST_TOLD = 100
"""Lines in the log of one loaded model: a server may see any number of sets of columns."""

_logger = logging.getLogger(__name__)


class ScoringModel:
    """What ``mlflow.pyfunc.load_model`` wraps: features in, scores out, a row for each row."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._told: set[str] = set()

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score feature rows.

        Parameters
        ----------
        model_input : DataFrame, Series, dict, list of dict, or array of shape (n_patients, n_features)
            Columns are features of the model, in any order; one that is not there counts as not assayed, and so do
            None and NA. ``patient_id`` may be among them; other features of the catalogue are not read. A line in the
            log says how many are not there, or not read, once a set of columns. An array has all features, in the order
            of the model. Models saved by nbrelapse before 0.4.0 have a signature that MLflow
            enforces first: columns that it does not know do not get here.
        params : dict, optional
            MLflow passes it; there are none.

        Returns
        -------
        DataFrame
            As :func:`_score_features`, in the order of the rows given and with their index; ``patient_id`` first where
            it was a column.

        Raises
        ------
        InputError
            No column is a feature of the model, one is unknown or there twice, an array has another width, or a value
            is no number.
        """
        names = [str(name) for name in self.bundle.schema.index]
        table = _as_table(model_input, names)
        _refuse_columns(table.columns, names, {*self.bundle.catalogue.features, *load_catalogue().features})
        self._tell_columns([str(name) for name in table.columns if name != _PATIENT_ID], names)
        features = pd.DataFrame(
            {name: _numbers(table[name]) if name in table.columns else np.nan for name in names},
            index=table.index,
            dtype=float,
        )
        scores = _score_features(self.bundle, features)
        if _PATIENT_ID in table.columns:
            scores.insert(0, _PATIENT_ID, table[_PATIENT_ID])
        return scores

    def _tell_columns(self, given: list[str], names: list[str]) -> None:
        """Say in a line which features are not there, and in another which columns are not read; each once."""
        present, read = set(given), set(names)
        absent = [name for name in names if name not in present]
        unread = [name for name in given if name not in read]
        for some, of, said in (
            (absent, names, "features of the model are not in the table and count as not assayed"),
            (unread, given, "columns are features that this model does not read"),
        ):
            line = f"{len(some)} of {len(of)} {said}: {_listed(some)}"
            if some and line not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(line)
                _logger.warning(line)


def _as_table(given: Any, names: list[str]) -> pd.DataFrame:
    """Return what MLflow handed over, or a client sent, as a table."""
    if isinstance(given, pd.DataFrame):
        return given
    if isinstance(given, pd.Series):
        return given.to_frame().T
    if isinstance(given, Mapping):
        alone = all(np.ndim(value) == 0 for value in given.values())
        return pd.DataFrame([given]) if alone else pd.DataFrame({name: list(column) for name, column in given.items()})
    if isinstance(given, list) and any(isinstance(row, Mapping) for row in given):
        # MLflow's server makes an array of no dimension of each value of a record.
        return pd.DataFrame([{name: _plain(value) for name, value in row.items()} for row in given])
    values = np.asarray(given)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise InputError(
            f"an array of shape {values.shape} has no names to read features by",
            expected=f"a row a patient and {len(names)} columns, in the order of the model's features: "
            f"{names[0]} to {names[-1]}",
            fix="give a table with names, or all columns",
        )
    return pd.DataFrame(values, columns=names)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _refuse_columns(given: pd.Index, names: list[str], others: set[str]) -> None:
    """Refuse a table with a column that is neither a feature nor the patient's id, or without any that is read."""
    repeated = [str(name) for name in given[given.duplicated()].unique()]
    if repeated:
        raise InputError("the table has a column more than once", column=_listed(repeated))
    columns = [str(name) for name in given if name != _PATIENT_ID]
    unknown = [name for name in columns if name not in names and name not in others]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(columns)} columns are no features",
            column=_listed(unknown),
            expected=_listed(_nearest(unknown[:5], names)),
            fix=f"correct the names, or leave these columns out; besides features only {_PATIENT_ID} may be there",
        )
    if not set(columns) & set(names):
        raise InputError(
            "no column is a feature that this model reads, so there is nothing to score by",
            expected=f"columns such as {', '.join(names[:3])}",
            fix="give the model's features by name; those that were not assayed may be left out",
        )


def _listed(names: list[str]) -> str:
    """List at most five names, long ones cut.

    Examples
    --------
    >>> _listed(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    short = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names[:5]]
    return ", ".join(short) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _nearest(unknown: Iterable[str], names: list[str]) -> list[str]:
    """Return the features whose names, or ends of names, are the most alike; three of the model where none is.

    Examples
    --------
    >>> _nearest(["mycn_amplified", "MYCN__AMPLIFIED"], ["alk__gain", "mycn__amplified"])
    ['mycn__amplified']
    """
    lower = {name.lower(): name for name in names}
    ends = {name.lower().split("__")[-1]: name for name in names}
    mechanisms = {name.lower().split("__")[0]: name for name in reversed(names)}
    found: list[str] = []
    for name in unknown:
        for known in (lower, ends, mechanisms):
            close = difflib.get_close_matches(name.lower(), known, n=1)
            if close:
                found.append(known[close[0]])
                break
    return list(dict.fromkeys(found)) or names[:3]


def _numbers(column: pd.Series) -> pd.Series:
    """Return a column as floats; None, NA and NaN are missing, yes and no are 1 and 0.

    Examples
    --------
    >>> _numbers(pd.Series([1, None, pd.NA, True], dtype=object)).tolist()
    [1.0, nan, nan, 1.0]
    """
    values = column.astype(object).where(column.notna(), np.nan)
    wrong = [not isinstance(value, (bool, int, float, np.bool_, np.number)) for value in values]
    if any(wrong):
        raise InputError(
            "a feature is not a number",
            column=str(column.name),
            rows=(np.flatnonzero(wrong) + 1).tolist(),
            expected="numbers; NaN, None or null where it is not known",
        )
    return values.astype(float)


class _ShortWarning(logging.Filter):
    """Cuts MLflow's list of columns that a signature does not know, which names them all."""

    _BEGINNING = "Found extra inputs in the model input that are not defined in the model signature: `"

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the message; let every record pass."""
        message = record.getMessage()
        if message.startswith(self._BEGINNING):
            text = message.removeprefix(self._BEGINNING).rsplit("`. ", 1)[0]
            names = sorted(name.strip("'\"") for name in text.strip("[]").split(", "))
            record.msg = f"{len(names)} columns are not read by the model: {_listed(names)}"
            record.args = ()
        return True


def _load_pyfunc(data_path: str) -> ScoringModel:
    # Models saved before 0.4.0 have inputs in their signature.
    logger = logging.getLogger("mlflow.models.utils")
    if not any(isinstance(found, _ShortWarning) for found in logger.filters):
        logger.addFilter(_ShortWarning())
    return ScoringModel(load_model(Path(data_path).parent))
