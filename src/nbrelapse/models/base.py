"""What every risk model offers, and the calibration of log odds that binary models share."""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.models.design import (
    _array_columns,
    _as_array,
    _select,
    _training_matrix,
    _training_order,
    default_columns,
    read_columns,
)
from nbrelapse.models.hazards import _BaselineHazard, _CompetingRisk, _relative_hazard
from nbrelapse.outcome import BINARY, SURVIVAL, SURVIVAL_DTYPE, OutcomeKind, align_patients

if TYPE_CHECKING:
    import optuna
    from sklearn.utils import Tags

    from nbrelapse.outcome import Outcome

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
        Where the contributions start: the mean log risk of the background where one was given. Without one, the log
        risk of the training mean for linear models; for trees the expected value that path-dependent TreeSHAP starts
        from (training weighted by the trees' cover).
    values : DataFrame of shape (n_patients, n_features)
        Exact SHAP values on the scale of the log risk.
    """

    baseline: float
    values: pd.DataFrame


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
    family can weigh them. Fitting sets ``feature_names_in_`` and ``n_features_in_``: the columns read.

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
    feature_names_in_: np.ndarray
    _seen: tuple[pd.Index, bool]
    """The columns of X at the fit, and whether they were named by us; a saved model does not know them."""

    @property
    def followed_days(self) -> float | None:
        """Longest follow-up in training; None where the outcome knows no time."""
        return None

    @property
    def n_features_in_(self) -> int:
        """Number of columns read; only a fitted model has it."""
        return len(self.feature_names_in_)

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
        table, y = self._aligned(given, y)
        self._seen = table.columns, isinstance(given, np.ndarray)
        columns = self._default_columns(given, table) if self.columns is None else None
        return table if columns is None else _select(table, columns), self._target(y)

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
        return lambda trial: trial.for_trial().fit(X, y).predict_log_risk(unseen)

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

    @abstractmethod
    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Additive attributions of ``predict_log_risk(X)`` to the features.

        They are exact in every family but the forest, whose log is shared out in proportion.

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


class SurvivalModel(RiskModel):
    """Base of the models of a time to an event.

    ``y`` is structured: the event (0 or False censored, 1 or True the event, 2 competing), then the time in days, as
    scikit-survival has them, whatever their names; fields named ``event`` and ``time`` may come in any order. The log
    risk, which ``predict`` gives, is centred: its mean over the training patients is 0. A family ends its fit with
    :meth:`_fit_hazards`, which learns the hazards of the event and of the competing event from the log risk and the
    features.

    Attributes
    ----------
    baseline_ : BaselineHazard
    competing_ : CompetingRisk or None
        The cause-specific model of the competing event; None where training saw too few of them, and in models of
        before 0.3.0: the competing hazard is then that of the baseline.
    unique_times_ : ndarray of shape (n_times,)
        Days of the steps of the functions that are predicted, the end of follow-up last.
    """

    kind: ClassVar[OutcomeKind] = SURVIVAL

    baseline_: _BaselineHazard
    _log_risk_alone: bool = False

    @property
    def followed_days(self) -> float:
        """Longest follow-up in training."""
        return self.baseline_.last_time

    @property
    def unique_times_(self) -> np.ndarray:
        """Days of the steps of the functions that are predicted; the last is the end of the follow-up."""
        return self._steps()[0]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "baseline_")

    def for_trial(self) -> Self:
        """Return an unfitted copy that leaves out the competing event: a trial is judged by log risks."""
        copy: Self = clone(self)
        copy._log_risk_alone = True
        return copy

    def _fit_hazards(self, values: np.ndarray, y: np.ndarray, log_risk: np.ndarray) -> None:
        """Learn both hazards from features, outcomes and centred log risks of the training patients."""
        self.competing_ = None if self._log_risk_alone else _CompetingRisk.fit(values, y, log_risk)
        competing = None if self.competing_ is None else self.competing_.log_risk(values, log_risk)
        self.baseline_ = _BaselineHazard.fit(y, log_risk, competing)

    def _hazards(self) -> dict[str, Any]:
        """Return what :meth:`_fit_hazards` learned, as JSON data."""
        competing = None if self.competing_ is None else self.competing_.to_dict()
        return {"baseline": self.baseline_.to_dict(), "competing": competing}

    def _read_hazards(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_hazards` wrote."""
        competing = document.get("competing")
        self.competing_ = None if competing is None else _CompetingRisk.from_dict(competing)
        self.baseline_ = _BaselineHazard.from_dict(document["baseline"])

    def _target(self, y: np.ndarray) -> np.ndarray:
        return _times_to_event(y, type(self).__name__)

    def predict(self, X: Features) -> np.ndarray:
        """Log relative hazard against the mean training patient, shape (n_samples,); higher is worse."""
        return self.predict_log_risk(X)

    def score(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> float:
        """Harrell's C of the log risk, patients with a competing event never having the event.

        They are comparable with every patient who has it, as in :func:`nbrelapse.metrics.discrimination.concordance`;
        without them it is :func:`sksurv.metrics.concordance_index_censored`.

        Parameters
        ----------
        X, y
            As in ``fit``.

        Returns
        -------
        float
            0.5 is chance. NaN where no two patients can be compared.

        Raises
        ------
        InputError
            X and y are of other patients, y is no time to an event, or a column cannot be read.
        NotFittedError
            The model has not been fitted.
        """
        from sksurv.exceptions import NoComparablePairException
        from sksurv.metrics import concordance_index_censored

        X, y = self._judged(X, y)
        y = self._target(y)
        log_risk = self.predict_log_risk(X)
        if not (y["event"] == 1).any():
            return float("nan")
        never = float(y["time"].max()) + 1.0
        time = np.where(y["event"] == 2, never, y["time"])
        try:
            # Where all pairs are of one time there is none to compare, and 0 / 0 is NaN.
            with np.errstate(invalid="ignore"):
                return float(concordance_index_censored(y["event"] == 1, time, log_risk)[0])
        except NoComparablePairException:
            return float("nan")

    def predict_risk(self, X: Features, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log relative hazard, and cumulative incidence of the event; see :meth:`RiskModel.predict_risk`."""
        X = self._patients(X)
        log_risk = self.predict_log_risk(X)
        return log_risk, self._states(X, log_risk, times)[:, 1]

    def predict_survival(self, X: Features, times: np.ndarray) -> np.ndarray:
        """Probability of having had neither the event nor a competing one, shape (n_samples, n_times)."""
        return self.predict_cumulative_incidence(X, times)[:, 0, :]

    def predict_cumulative_incidence(self, X: Features, times: np.ndarray) -> np.ndarray:
        """Probability of each state at each time.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        times : ndarray of shape (n_times,)
            Days, in any order; beyond the follow-up the last value is carried forward.

        Returns
        -------
        ndarray of shape (n_samples, n_causes + 1, n_times)
            Index 0 is event-free, 1 the event, 2 (where training saw one) the competing event; sums to 1.
        """
        X = self._patients(X)
        return self._states(X, self.predict_log_risk(X), times)

    def predict_cumulative_hazard_function(self, X: Features, return_array: bool = False) -> np.ndarray:
        """Cumulative hazard of the event, as scikit-survival's models give it.

        The hazard is cause-specific: it acts on those who had neither the event nor a competing one.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        return_array : bool, default False
            Return the values at ``unique_times_``, shape (n_samples, n_times), instead of functions of the day.

        Returns
        -------
        ndarray of sksurv.functions.StepFunction, shape (n_samples,)
            From day 0 to the end of the training patients' follow-up.
        """
        times, baseline = self._steps()
        return _functions(times, np.outer(_relative_hazard(self.predict_log_risk(X)), baseline), return_array)

    def predict_survival_function(self, X: Features, return_array: bool = False) -> np.ndarray:
        """Probability of not having had the event, were there no competing ones, as scikit-survival's models give it.

        The exponential of minus :meth:`predict_cumulative_hazard_function`. Where there are competing events these are
        treated as censoring, as scikit-survival's metrics do with ``y``; the probabilities of what will happen are
        those of :meth:`predict_cumulative_incidence`.

        Parameters
        ----------
        X, return_array
            As in :meth:`predict_cumulative_hazard_function`.

        Returns
        -------
        ndarray of sksurv.functions.StepFunction, shape (n_samples,)

        Examples
        --------
        >>> import pandas as pd
        >>> from nbrelapse.models import Cox
        >>> X = pd.DataFrame({"mycn__amplified": [1.0, 0.0] * 10})
        >>> y = np.array([(i % 4 < 3, 100.0 + i - 50 * (i % 2 == 0)) for i in range(20)], dtype="?, f8")
        >>> amplified, other = Cox().fit(X, y).predict_survival_function(X)[:2]
        >>> bool(amplified(90.0) < other(90.0))
        True
        """
        times, baseline = self._steps()
        hazard = np.outer(_relative_hazard(self.predict_log_risk(X)), baseline)
        return _functions(times, np.exp(-hazard), return_array)

    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the days of the steps, the end of follow-up last, and the cumulative hazard at log risk 0."""
        check_is_fitted(self)
        times, hazard = self.baseline_.times, np.cumsum(self.baseline_.event_step)
        if times[-1] < self.baseline_.last_time:
            times, hazard = np.append(times, self.baseline_.last_time), np.append(hazard, hazard[-1])
        return times, hazard

    def _states(self, X: pd.DataFrame, log_risk: np.ndarray, times: np.ndarray) -> np.ndarray:
        competing = None
        if self.competing_ is not None:
            competing = self.competing_.log_risk(read_columns(X, self.feature_names_in_), log_risk)
        return self.baseline_.cumulative_incidence(log_risk, np.asarray(times, dtype=float), competing)


def _functions(times: np.ndarray, values: np.ndarray, return_array: bool) -> np.ndarray:
    """Return values at the times, a row a patient, or a function each."""
    if return_array:
        return values
    from sksurv.functions import StepFunction

    functions = np.empty(len(values), dtype=object)
    functions[:] = [StepFunction(times, row) for row in values]
    return functions


def _times_to_event(y: np.ndarray, model: str) -> np.ndarray:
    """Return structured outcomes, whatever their fields are called, as an Outcome holds them; refuse all else."""
    names = y.dtype.names or ()
    if set(names) == set(SURVIVAL_DTYPE.names or ()):
        names = ("event", "time")
    if y.ndim != 1 or len(names) != 2 or y.dtype[names[0]].kind not in "bui" or y.dtype[names[1]].kind not in "uif":
        raise InputError(
            f"{model} learns a time to an event, y holds {_described(y)}",
            column="y",
            expected="an Outcome, or a structured array: the event (True or False, or 0, 1 and 2), then the time",
            fix="make_outcome(cohort, 'relapse'), or sksurv.util.Surv.from_arrays(event, time); for yes or no use "
            "Logistic or BoostedClassifier",
        )
    if y.dtype == SURVIVAL_DTYPE:
        found = y
    else:
        found = np.empty(len(y), dtype=SURVIVAL_DTYPE)
        found["event"], found["time"] = y[names[0]], y[names[1]]
    wrong = ~np.isin(y[names[0]], (0, 1, 2)), ~(np.isfinite(found["time"]) & (found["time"] >= 0))
    for name, rows, expected in zip(names, wrong, ("0, 1 or 2 (competing)", "days, 0 or more, finite"), strict=True):
        if rows.any():
            raise InputError(
                f"illegal values in y: {y[name][rows][0]!r}",
                column=name,
                rows=(np.flatnonzero(rows) + 1).tolist(),
                expected=expected,
            )
    return found


def _described(y: np.ndarray) -> str:
    if y.dtype.names is None:
        return f"{y.dtype} in {y.ndim} dimension{'s' if y.ndim != 1 else ''}"
    return ", ".join(f"{name} ({y.dtype[name]})" for name in y.dtype.names)


_FEWEST_A_CLASS = 10
"""With fewer patients of either class their out-of-fold log odds cannot tell a slope. A choice of caution."""


class BinaryModel(ClassifierMixin, RiskModel):
    """Base of the models of a binary endpoint: classifiers of scikit-learn.

    ``y`` is 0 or 1; of any other two values the second in their order is the event. The log risk, which is
    ``decision_function``, is the log odds of the event; it is absolute, not centred. ``predict`` gives the likelier
    class, ``predict_proba`` the probability of both, and ``score`` the AUC, not the accuracy. After the fit the
    log odds are recalibrated by a straight line (:func:`_platt_scaling`), learned on log odds that were cross-fitted
    within the training patients: models refitted without a part of them predict that part. Patients who stand in X
    more than once (bootstrap resamples) are kept on one side. With fewer than ten patients of either class the
    log odds stay as fitted.

    Subclasses set the parameter ``calibration_folds`` (0 = as fitted) and implement ``_fit_raw`` and ``_recalibrate``.

    Attributes
    ----------
    calibration_ : tuple of (intercept, slope)
        ``log_risk = intercept + slope * log odds as fitted``; (0, 1) where they were left alone.
    classes_ : ndarray of shape (2,)
        The values of ``y``, the event last.
    """

    kind: ClassVar[OutcomeKind] = BINARY

    calibration_folds: int
    calibration_: tuple[float, float]
    classes_: np.ndarray

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "calibration_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        assert tags.classifier_tags is not None
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Fit the model and calibrate it.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        y : Outcome, Series or ndarray of shape (n_samples,)

        Raises
        ------
        InputError
            X and y are of other patients, y has other than two values, a column cannot be read, or fewer than two
            patients had the event, or fewer than two were without it.
        """
        X, y = self._training(X, y)
        self.feature_names_in_, values, outcome = _training_matrix(X, y, self.columns)
        self._fit_raw(values, outcome)
        self.calibration_ = self._calibration(X, y)
        if self.calibration_ != (0.0, 1.0):
            self._recalibrate(*self.calibration_)
        return self

    @abstractmethod
    def _fit_raw(self, values: np.ndarray, y: np.ndarray) -> None:
        """Fit the log odds; the rows are in their canonical order."""

    @abstractmethod
    def _recalibrate(self, intercept: float, slope: float) -> None:
        """Make ``intercept + slope * log odds`` the log odds that are predicted and attributed."""

    def for_trial(self) -> Self:
        """Return an unfitted copy that does not calibrate.

        A trial is judged by the likelihood of out-of-fold log odds, which already prefers those of the right size.
        """
        return clone(self).set_params(calibration_folds=0)

    def _calibration(self, X: pd.DataFrame, y: np.ndarray) -> tuple[float, float]:
        if self.calibration_folds < 2 or np.bincount(y, minlength=2).min() < _FEWEST_A_CLASS:
            return 0.0, 1.0
        order = _training_order(X, y, self.columns)
        X, y = X.iloc[order], y[order]
        log_odds = np.empty(len(y))
        for train, test in _inner_folds(X.index, y, self.calibration_folds):
            if min(y[train].sum(), (1 - y[train]).sum()) < 2:
                return 0.0, 1.0
            log_odds[test] = self.for_trial().fit(X.iloc[train], y[train]).predict_log_risk(X.iloc[test])
        return _platt_scaling(y, log_odds)

    def _target(self, y: np.ndarray) -> np.ndarray:
        self.classes_, target = _classes(y, type(self).__name__)
        return target

    def _calibration_document(self) -> dict[str, Any]:
        """Return the calibration, and the classes where they are others than 0 and 1, as JSON data."""
        classes = self.classes_.tolist()
        return {"calibration": [float(value) for value in self.calibration_]} | (
            {} if classes == [0, 1] else {"classes": classes}
        )

    def _read_calibration(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_calibration_document` wrote."""
        intercept, slope = document["calibration"]
        self.calibration_ = (float(intercept), float(slope))
        self.classes_ = np.asarray(document.get("classes", [0, 1]))

    def predict(self, X: Features) -> np.ndarray:
        """Likelier class of each patient, one of ``classes_``, shape (n_samples,)."""
        event = self.predict_log_risk(X) > 0
        return self.classes_[event.astype(int)]

    def decision_function(self, X: Features) -> np.ndarray:
        """Log odds of the event, shape (n_samples,): the log risk."""
        return self.predict_log_risk(X)

    def predict_proba(self, X: Features) -> np.ndarray:
        """Probability of each of ``classes_``, shape (n_samples, 2); the event is the second column."""
        log_odds = self.predict_log_risk(X)
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def score(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> float:
        """AUC of the log odds; not the accuracy, which says little where events are few.

        Parameters
        ----------
        X, y
            As in ``fit``.

        Returns
        -------
        float
            0.5 is chance. NaN where all patients are of one class.

        Raises
        ------
        InputError
            X and y are of other patients, y has values that were not in training, or a column cannot be read.
        NotFittedError
            The model has not been fitted.
        """
        from sklearn.metrics import roc_auc_score

        X, y = self._judged(X, y)
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            raise InputError(
                f"y has a value that was not in training: {y[unknown][0]!r}",
                column="y",
                rows=(np.flatnonzero(unknown) + 1).tolist(),
                expected=" or ".join(map(repr, self.classes_.tolist())),
            )
        event, log_odds = y == self.classes_[1], self.predict_log_risk(X)
        return float(roc_auc_score(event, log_odds)) if len(np.unique(event)) == 2 else float("nan")

    def predict_probability(self, X: Features) -> np.ndarray:
        """Probability of the event, shape (n_samples,)."""
        return np.asarray(expit(self.predict_log_risk(X)))

    def predict_risk(self, X: Features, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log odds, and the probability of the event at every time; see :meth:`RiskModel.predict_risk`."""
        log_risk = self.predict_log_risk(X)
        return log_risk, np.repeat(np.asarray(expit(log_risk))[:, None], len(times), axis=1)


def _classes(y: np.ndarray, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the two values of y, the event last, and y as 0 and 1; refuse all else."""
    if y.dtype.names is not None:
        raise InputError(
            f"{model} learns yes or no, y holds {', '.join(y.dtype.names)}",
            column="y",
            expected="a value a patient, 1 = the event",
            fix="make_outcome(cohort, 'refractory'); for a time to an event use Cox, Boosted or Forest",
        )
    if y.ndim == 1 and y.dtype.kind in "ui" and len(y) and y.min() >= 0 and y.max() <= 1:
        return np.array([0, 1]), y
    try:
        y = column_or_1d(y, warn=True)
        if pd.isna(y).any():
            raise ValueError("Input y contains NaN.")
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
    except ValueError as error:
        raise InputError(str(error), column="y", expected="two values, such as 0 and 1 = the event") from None
    classes = np.unique(y)
    if np.isin(classes, (0, 1)).all():
        return np.array([0, 1]), (y == 1).astype(np.int8)
    if len(classes) < 2:
        raise InputError(f"all {len(y)} patients are of one class, {classes[0]!r}", column="y", expected="two values")
    return classes, (y == classes[1]).astype(np.int8)


def _platt_scaling(y: np.ndarray, log_odds: np.ndarray) -> tuple[float, float]:
    """Fit intercept and slope of the true log odds on predicted ones.

    Platt's sigmoid [1]_ on log odds of patients that the model had not seen. Its targets are not 0 and 1 but what
    a uniform prior leaves of them, so that a perfect separation still has a finite slope. A straight line has two
    parameters, keeps the ranking, and keeps additive attributions additive; isotonic regression needs about a
    thousand patients before it does better [2]_, and its steps tie patients.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1, both present.
    log_odds : ndarray of shape (n,)
        Cross-fitted.

    Returns
    -------
    intercept, slope : float
        The slope is never negative: where out-of-sample log odds point the wrong way they say nothing, everybody
        gets the same probability, and the direction that was learned is not turned round by a few patients.

    References
    ----------
    .. [1] Platt 1999, Advances in Large Margin Classifiers, 61-74; Lin 2007, 10.1007/s10994-007-5018-6
    .. [2] Niculescu-Mizil and Caruana 2005, 10.1145/1102351.1102430

    Examples
    --------
    Predictions twice as extreme as what happens:

    >>> y = np.repeat([0, 1, 0, 1], [300, 100, 100, 300])
    >>> intercept, slope = _platt_scaling(y, np.repeat([-2 * np.log(3), 2 * np.log(3)], 400))
    >>> abs(round(intercept, 2)), round(slope, 2)
    (0.0, 0.5)
    """
    n_cases, n_controls = int(np.sum(y == 1)), int(np.sum(y == 0))
    target = np.where(y == 1, (n_cases + 1) / (n_cases + 2), 1 / (n_controls + 2))
    intercept, slope = weighted_logistic(
        np.column_stack([np.ones(len(y)), log_odds]), target, np.ones((len(y), 1))
    ).ravel()
    if np.isnan(slope) or slope < 0:
        return float(logit(target.mean())), 0.0
    return float(intercept), float(slope)


_ITERATIONS = 50
_TOLERANCE = 1e-9
_LARGEST_STEP = 4.0
_LARGEST_COEFFICIENT = 1e4
"""Of standardised terms; beyond it the outcome is separated and there is no finite fit."""


def weighted_logistic(
    terms: np.ndarray, target: np.ndarray, weights: np.ndarray, offset: np.ndarray | float = 0.0
) -> np.ndarray:
    """Return the maximum-likelihood coefficients for each column of patient weights, by Newton's method.

    Parameters
    ----------
    terms : ndarray of shape (n, n_terms)
        The columns of the design, the constant among them; a handful.
    target : ndarray of shape (n,)
        0 to 1; values between stand for uncertain outcomes.
    weights : ndarray of shape (n, n_columns)
    offset : ndarray of shape (n,) or float
        Part of the log odds that is given.

    Returns
    -------
    ndarray of shape (n_terms, n_columns)
        NaN where there is no finite fit: one class only, an outcome that the terms separate, terms that do not
        vary among the patients with a weight.

    Examples
    --------
    Odds of 2 to 1 in half of the patients, of 1 to 2 in the others.

    >>> terms = np.array([[1.0, 0], [1, 0], [1, 0], [1, 1], [1, 1], [1, 1]])
    >>> fit = weighted_logistic(terms, np.array([1.0, 0, 0, 1, 1, 0]), np.ones((6, 1)))
    >>> np.exp(fit[:, 0]).round(6).tolist()
    [0.5, 4.0]
    """
    n_terms, weights = terms.shape[1], weights.astype(float)
    pairs = [(i, j) for i in range(n_terms) for j in range(i, n_terms)]
    products = np.stack([terms[:, i] * terms[:, j] for i, j in pairs])
    offset = np.broadcast_to(np.asarray(offset, dtype=float), target.shape)[:, None]
    beta = np.zeros((n_terms, weights.shape[1]))
    done = np.zeros(weights.shape[1], dtype=bool)
    for _ in range(_ITERATIONS):
        running = np.flatnonzero(~done & np.isfinite(beta).all(axis=0))
        if not len(running):
            break
        probability = expit(terms @ beta[:, running] + offset)
        own = weights[:, running]
        score = terms.T @ (own * (target[:, None] - probability))
        own = own * probability * (1 - probability)
        information = np.empty((len(running), n_terms, n_terms))
        for (i, j), values in zip(pairs, products @ own, strict=True):
            information[:, i, j] = information[:, j, i] = values
        step = np.clip(_solve(information, score), -_LARGEST_STEP, _LARGEST_STEP)
        beta[:, running] += step
        done[running] = (np.abs(step) <= _TOLERANCE * np.maximum(1.0, np.abs(beta[:, running]))).all(axis=0)
        beta[:, (np.abs(beta) > _LARGEST_COEFFICIENT).any(axis=0)] = np.nan
    return np.where(done, beta, np.nan)


def _solve(information: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Newton's step of each column; NaN where the information is singular to working precision."""
    scale = np.sqrt(np.einsum("cii->ci", information))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = information / (scale[:, :, None] * scale[:, None, :])
    singular = ~np.isfinite(scaled).all(axis=(1, 2))
    scaled[singular] = np.eye(scaled.shape[1])
    singular |= np.linalg.cond(scaled) > 1e12
    scaled[singular] = np.eye(scaled.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        step = np.linalg.solve(scaled, (score.T / scale)[:, :, None])[:, :, 0] / scale
    step[singular] = np.nan
    return step.T


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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        if patients.is_unique:
            return list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(event, event))
        groups = pd.factorize(patients)[0]
        return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(event, event, groups))
