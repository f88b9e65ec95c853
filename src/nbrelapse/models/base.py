"""What every model offers: fit, predict, score, explain, save."""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.models.design import (
    _array_columns,
    _as_array,
    _refuse_one_patient,
    _select,
    _training_matrix,
    _training_order,
    align_patients,
    default_columns,
)
from nbrelapse.models.hazards import _CompetingRisk
from nbrelapse.outcome import Outcome, OutcomeKind, event_of, kind_of

if TYPE_CHECKING:
    import optuna
    from sklearn.utils import Tags

Features = FeatureTable | pd.DataFrame | np.ndarray
"""What a model reads, a row a patient: a feature table, a DataFrame or an array of numbers; NaN = not assayed."""

_LONG = 80
"""Characters of a parameter that are printed at most."""


@dataclass(frozen=True)
class ModelState:
    """A fitted model as plain data: what a bundle stores.

    Parameters
    ----------
    document : dict
        JSON types only.
    blobs : dict of str to bytes
        Native model files (XGBoost UBJSON) by file name; empty for models that are all JSON.
    """

    document: dict[str, Any]
    blobs: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Attribution:
    """Additive explanation of log risks: ``baseline + values.sum(axis=1) == log_risk``.

    Parameters
    ----------
    baseline : float
        Where the contributions start: the mean log risk of the background where one was given (of a forest the log
        risk at the background's mean mortality). Without one, the log risk of the training mean for linear models; for
        trees the expected value that path-dependent TreeSHAP starts from (training weighted by the trees' cover).
    values : DataFrame of shape (n_patients, n_features)
        SHAP values on the scale of the log risk; approximate of a forest, exact of all others.
    """

    baseline: float
    values: pd.DataFrame


class _AsGiven:
    """A fitted attribute with a number a feature: the model computes in one order, and shows that of the columns."""

    def __init__(self, computed: str) -> None:
        self.computed = computed

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        return self if model is None else getattr(model, self.computed)[model._given]


class RiskModel(BaseEstimator, ABC):
    """Base of all models: :class:`SurvivalModel` for times to an event, :class:`BinaryModel` for yes or no.

    A scikit-learn estimator. ``fit(X, y)`` and ``score(X, y)`` take features as a
    :class:`nbrelapse.mechanisms.FeatureTable`, a DataFrame or an array (NaN = not assayed), and the outcome as an
    :class:`nbrelapse.outcome.Outcome`, a Series or an array. Where both sides have patient ids they are matched by
    them, otherwise row by row. The columns of an array are named ``x0``, ``x1``, and so on; a model fitted on a table
    also predicts an array of the table's columns in their order, until it is saved.

    Every model has the parameter ``columns``: the columns of X that it reads. By default these are all of a DataFrame
    or an array, and of a feature table those that an experiment would choose: not the clinic's own groupings, nothing
    known in less than a fifth of the training patients or the same in all of them, and single genes only where the
    family can weigh them. Fitting sets ``feature_names_in_`` and ``n_features_in_``: the columns read. Whatever the
    order of the columns of X, or of the patients, the predictions are the same to the last bit.

    Most families have the parameter ``strata``: the study of each training patient, a mapping or a Series by the ids of
    X. Each study then has a baseline hazard (of a binary outcome an intercept) of its own in training, so that patients
    are compared within their study; a new patient is predicted with what is common to all. It is neither saved nor
    shown, because it names patients.

    The log risk is the log relative hazard of a survival model, the log odds of a binary one; higher is worse.

    A family implements ``fit``, ``predict_log_risk``, ``attribute``, ``state`` and ``from_state``. The first three read
    what they are given through :meth:`_training` and :meth:`_patients`.
    """

    family: ClassVar[str]
    """Name in experiment files and bundles, such as ``cox``."""

    reads_genes: ClassVar[bool] = False
    """Whether it can weigh hundreds of single genes, features of the role ``gene``."""

    kind: ClassVar[OutcomeKind]
    """The kind of outcome that it predicts."""

    competing_: _CompetingRisk | None = None

    columns: Any
    strata: Any = None
    _features: np.ndarray
    """The columns read, in the order that the model computes in."""

    _given: np.ndarray
    """Where the columns, in the order that they were given, stand in it."""

    _seen: tuple[pd.Index, bool]
    """The columns of X at the fit, and whether they were named by us; a saved model does not know them."""

    _of_part: bool = False
    """Whether it is fitted on part of patients whose outcomes were read before."""

    @property
    def followed_days(self) -> float | None:
        """Days up to which training carries predictions; None where the outcome knows no time."""
        return None

    @property
    def exact_contributions(self) -> bool:
        """Whether :meth:`attribute` gives the Shapley values of the log risk, and no approximation of them."""
        return True

    @property
    def recalibrated_by(self) -> str | None:
        """The feature that tells the groups within which log risks are recalibrated; None where they are not."""
        return None

    @property
    def constrained(self) -> frozenset[str]:
        """Features whose effect on the log risk could only have the expected direction; the others were free.

        Those of the parameter ``directions``, where a family has one; a family that does not hold to it says so.
        """
        directions: Mapping[str, int] = getattr(self, "directions", None) or {}
        return frozenset(name for name, sign in directions.items() if sign)

    @property
    def plain(self) -> RiskModel:
        """The model whose log risks a recalibration is of; this one, where it is not recalibrated."""
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of columns read; only a fitted model has it."""
        return len(self.feature_names_in_)

    @property
    def feature_names_in_(self) -> np.ndarray:
        """The columns read, in the order that they were given; only a fitted model has them."""
        return self._features[self._given]

    @feature_names_in_.setter
    def feature_names_in_(self, names: np.ndarray) -> None:
        self._features, self._given = names, np.arange(len(names))

    def _read_training(self, X: pd.DataFrame, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take the names of the columns; return values and outcomes, see :func:`_training_matrix`."""
        self._features, values, y = _training_matrix(X, y, self.columns)
        place = {name: position for position, name in enumerate(self._features)}
        self._given = np.array([place[name] for name in (X.columns if self.columns is None else self.columns)])
        return values, y

    def _strata(self, patients: pd.Index) -> np.ndarray | None:
        """Return the stratum of each patient, shape (n_samples,); None where the model has none, or all are of one.

        Raises
        ------
        InputError
            The parameter ``strata`` does not say it of a patient.
        """
        if self.strata is None:
            return None
        labels = [self.strata.get(patient) for patient in patients]
        unknown = int(pd.isna(np.array(labels, dtype=object)).sum())
        if unknown:
            raise InputError(
                f"of {unknown} of {len(labels)} patients the stratum is not known",
                column="strata",
                expected="a study for each training patient, by the ids of X",
                fix="add it, or leave these patients out",
            )
        return None if len(set(labels)) < 2 else np.array(labels, dtype=str)

    def _training_strata(self, X: pd.DataFrame, y: np.ndarray) -> np.ndarray | None:
        """Return the strata of training patients in the order of :meth:`_read_training`."""
        labels = self._strata(X.index)
        return None if labels is None else labels[_training_order(X, y, self.columns)]

    def _as_given(self, values: np.ndarray, patients: pd.Index) -> pd.DataFrame:
        """Name the columns of values, shape (n_patients, n_features), in the order that they were given."""
        columns = pd.Index(self.feature_names_in_, tupleize_cols=False)
        return pd.DataFrame(values[:, self._given], index=patients, columns=columns, copy=False)

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy; thousands of features are not copied one by one."""
        return type(self)(**{name: _owned(value) for name, value in self.get_params(deep=False).items()})

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "feature_names_in_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return the parameters that differ from their defaults, long ones by their size, on a line or two."""
        defaults = inspect.signature(type(self).__init__).parameters
        text = ", ".join(
            f"{name}={_brief(value)}"
            for name, value in self.get_params(deep=False).items()
            if not _is_default(value, defaults[name].default)
        )
        fitted = f" fitted on {self.n_features_in_} features" if self.__sklearn_is_fitted__() else ""
        return f"{type(self).__name__}({text}){fitted}"

    def _training(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        """Return features and outcomes to fit on, patient by patient, from all that ``fit`` may be given."""
        given = X if isinstance(X, pd.DataFrame | FeatureTable) else _as_array(X, least=2)
        table, values = self._aligned(given, y)
        self._seen = table.columns, isinstance(given, np.ndarray)
        columns = self._default_columns(given, table) if self.columns is None else None
        target = self._target(values)
        if not self._of_part:
            _refuse_one_patient(table.index)
            if not isinstance(y, Outcome):
                self._refuse_other_coding(target)
        return table if columns is None else _select(table, columns), target

    def _fit_part(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit on part of patients whose outcomes were read before: in a fold it may be that nobody was censored."""
        self._of_part = True
        try:
            return self.fit(X, y)
        finally:
            del self._of_part

    def _aligned(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        if y is None:
            raise InputError(f"{type(self).__name__} requires y to be passed, but the target y is None", column="y")
        return align_patients(X, y)

    def _default_columns(self, X: Features, table: pd.DataFrame) -> list[str] | None:
        """Columns to read where ``columns`` does not say; None = all."""
        return default_columns(X, table, genes=self.reads_genes) if isinstance(X, FeatureTable) else None

    def _target(self, y: np.ndarray) -> np.ndarray:
        """Return outcomes as :class:`nbrelapse.outcome.Outcome` holds them."""
        return y

    def _refuse_other_coding(self, y: np.ndarray) -> None:
        """Raise for outcomes that mean something else in another package."""

    def _patients(self, X: Features) -> pd.DataFrame:
        """Return the features of patients to predict; NotFittedError before the fit."""
        check_is_fitted(self)
        if isinstance(X, pd.DataFrame):
            return X
        return X.values if isinstance(X, FeatureTable) else self._named(_as_array(X))

    def _named(self, X: np.ndarray) -> pd.DataFrame:
        """Name the columns of an array as those that were fitted on."""
        names, ours = getattr(self, "_seen", (pd.Index(_array_columns(X.shape[1])), True))
        if X.shape[1] != len(names):
            raise InputError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {len(names)} features as input",
                expected="the columns that the model was fitted on, in their order, or a table with their names",
            )
        if not ours:
            warnings.warn(
                f"X does not have valid feature names, but {type(self).__name__} was fitted with feature names",
                UserWarning,
                stacklevel=4,
            )
        return pd.DataFrame(X, columns=names)

    def _judged(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        """Return features and outcomes of fitted patients to score, patient by patient."""
        check_is_fitted(self)
        if isinstance(X, pd.DataFrame | FeatureTable):
            return self._aligned(X, y)
        X = _as_array(X)
        return self._named(X), self._aligned(X, y)[1]

    @abstractmethod
    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Fit the model."""

    @abstractmethod
    def predict(self, X: Features) -> np.ndarray:
        """Predict what scikit-learn's tools expect: the log risk, or the class of a binary model."""

    @abstractmethod
    def score(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> float:
        """How well the log risk ranks patients: Harrell's C or the AUC; 0.5 is chance."""

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Parameters that a tuning trial proposes; empty where there is nothing to tune."""
        return {}

    def parts(self) -> Mapping[str, RiskModel]:
        """Unfitted models within this one that are tuned first, each on its own; most have none."""
        return {}

    def with_parts(self, parts: Mapping[str, RiskModel]) -> Self:
        """Return an unfitted copy whose parts have the parameters of those given."""
        return clone(self)

    def for_trial(self) -> Self:
        """Return an unfitted copy without what judging a tuning trial does not need."""
        return clone(self)

    def trial_fold(self, X: pd.DataFrame, y: np.ndarray, unseen: pd.DataFrame) -> Callable[[Self], np.ndarray]:
        """Prepare one inner fold of the tuning.

        Models that read, standardise or bin their features do it here, once for all trials.

        Parameters
        ----------
        X, y
            As in ``fit``.
        unseen : DataFrame of shape (n_unseen, n_features)
            The patients left out.

        Returns
        -------
        callable
            Takes a trial, a copy of this model whose tuned parameters alone may differ; returns the log risks of
            ``unseen`` that ``trial.for_trial().fit(X, y)`` predicts, to the last bit. The trial stays unfitted.
        """
        return lambda trial: trial.for_trial()._fit_part(X, y).predict_log_risk(unseen)

    @abstractmethod
    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Log risk of the event, shape (n_samples,)."""

    @abstractmethod
    def predict_risk(self, X: Features, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log risk and probability of the event by each time, predicted in one go.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        times : ndarray of shape (n_times,)
            Days. A binary endpoint knows no time: its probability is the same at all of them, and the one time
            asked for is infinity, see :func:`nbrelapse.metrics.horizons.prediction_times`.

        Returns
        -------
        log_risk : ndarray of shape (n_samples,)
        probability : ndarray of shape (n_samples, n_times)
        """

    def training_path(self, X: pd.DataFrame, y: np.ndarray) -> np.ndarray:
        """Share of the null deviance that the fit explains in its training patients, after each of its steps.

        Steps are the trees of boosted models and the falling penalties of the Cox model; the last one is the model as
        it is, before any calibration. It says how the fit went, and nothing of other patients.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        y : ndarray of shape (n_samples,)
            What the model was fitted on.

        Returns
        -------
        ndarray of shape (n_steps,)
            Empty where a family has no steps, or does not keep them: a loaded Cox model does not.
        """
        return np.empty(0)

    @abstractmethod
    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Additive attributions of ``predict_log_risk(X)`` to the features.

        They are exact Shapley values where :attr:`exact_contributions` says so: in every family but the forest, and a
        blend in which a forest weighs. The forest's values are exact for its mortality and approximate for its log
        risk; they add up all the same, see :meth:`nbrelapse.models.Forest.attribute`.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_patients, n_features)
        background : the same of shape (n_background, n_features), optional
            Patients to compare with: interventional Shapley values (Janzing 2020,
            https://proceedings.mlr.press/v108/janzing20a.html), which put background values in the place of features
            left out. Without it trees follow their own paths, and linear models compare with the training mean.

        Raises
        ------
        InputError
            A column cannot be read, or the background is empty.
        """

    @abstractmethod
    def state(self) -> ModelState:
        """Return the fitted model as plain data."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again; its predictions are equal to the last bit."""


def _is_default(value: object, default: object) -> bool:
    return value is default or (isinstance(value, str | int | float | tuple) and value == default)


def _brief(value: object) -> str:
    """Write a parameter in a few words: long collections, tables and the like by their size."""
    if is_dataclass(value):
        return f"<{type(value).__name__}>"
    if isinstance(value, Collection) and not isinstance(value, str) and len(value) > 3:
        return f"<{type(value).__name__} of {len(value)}>"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONG else f"<{type(value).__name__}>"


def _inner_folds(patients: pd.Index, event: np.ndarray, n_folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split training patients for what a model learns from log risks that it did not fit.

    Parameters
    ----------
    patients : Index of shape (n_samples,)
        One who stands in it more than once (a bootstrap sample) is kept on one side.
    event : ndarray of shape (n_samples,)
        0 or 1; its share is much the same in each fold. A resample may hold too few distinct patients with the event
        for every fold to have one: the caller looks.
    n_folds : int
        At most; fewer where there are fewer distinct patients, of whom there are two at least.

    Returns
    -------
    list of (train, test)
        Positions; the same for the same arguments.

    Examples
    --------
    >>> folds = _inner_folds(pd.Index(["a", "b", "c", "a"]), np.array([1, 0, 0, 1]), 2)
    >>> [test.tolist() for _, test in folds]
    [[0, 1, 3], [2]]
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        if patients.is_unique:
            return list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(event, event))
        groups = pd.factorize(patients)[0]
        folds = StratifiedGroupKFold(min(n_folds, len(np.unique(groups))), shuffle=True, random_state=0)
        # Some may have no patient: groups are not divided.
        return [(train, test) for train, test in folds.split(event, event, groups) if len(test)]


def _cross_fitted(models: Sequence[RiskModel], X: pd.DataFrame, y: np.ndarray, n_folds: int) -> np.ndarray | None:
    """Predict training patients by copies of the models that were fitted without them.

    Parameters
    ----------
    models : sequence of RiskModel
    X : DataFrame of shape (n_samples, n_features)
        In their training order; see :func:`_inner_folds` for patients who stand in it more than once.
    y : ndarray of shape (n_samples,)
    n_folds : int

    Returns
    -------
    ndarray of shape (n_samples, n_models) or None
        Log risks; None where too few patients had the event, or were without it, to fit a part of the folds.
    """
    event = (event_of(y) == 1).astype(np.int8)
    found = np.empty((len(y), len(models)))
    for train, test in _inner_folds(X.index, event, n_folds):
        cases = int(event[train].sum())
        if cases < 2 or (not kind_of(y).has_time and len(train) - cases < 2):
            return None
        for column, model in enumerate(models):
            found[test, column] = model.for_trial()._fit_part(X.iloc[train], y[train]).predict_log_risk(X.iloc[test])
    return found


def _owned(value: Any) -> Any:
    """Return a parameter for a copy of its model: what one could change in place is copied."""
    if isinstance(value, BaseEstimator):
        return clone(value)
    if isinstance(value, dict):
        return {key: _owned(item) for key, item in value.items()}
    return value.copy() if isinstance(value, list | np.ndarray) else value
