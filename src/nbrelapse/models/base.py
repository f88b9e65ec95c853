"""What every risk model offers, and the calibration of log odds that binary models share."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from nbrelapse.models.design import read_columns, training_matrix, training_order
from nbrelapse.models.hazards import BaselineHazard, CompetingRisk
from nbrelapse.outcome import BINARY, SURVIVAL, OutcomeKind

if TYPE_CHECKING:
    import optuna


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

    ``fit(X, y)`` takes a float DataFrame (a column a feature, NaN = not assayed) and the ``y`` of
    :class:`nbrelapse.outcome.Outcome`. Every model has the parameter ``columns``: the columns of X that it reads
    (None = all), so that models of different appetite share one feature table. Fitting sets ``feature_names_in_``.
    The log risk is the log relative hazard of a survival model, the log odds of a binary one; higher is worse.
    """

    family: ClassVar[str]
    """Name in experiment files and bundles, such as ``cox``."""

    reads_genes: ClassVar[bool] = False
    """Whether it can weigh hundreds of single genes, features of the role ``gene``."""

    kind: ClassVar[OutcomeKind]
    """The kind of outcome that it predicts."""

    feature_names_in_: np.ndarray
    competing_: CompetingRisk | None = None

    @property
    def followed_days(self) -> float | None:
        """Longest follow-up in training; None where the outcome knows no time."""
        return None

    @abstractmethod
    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the model."""

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
    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        """Log risk of the event, shape (n_samples,)."""

    @abstractmethod
    def predict_risk(self, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log risk and probability of the event by each time, predicted in one go.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        times : ndarray of shape (n_times,)
            Days. A binary endpoint knows no time: its probability is the same at all of them, and the one time
            asked for is infinity, see :func:`nbrelapse.metrics.horizons.prediction_times`.

        Returns
        -------
        log_risk : ndarray of shape (n_samples,)
        probability : ndarray of shape (n_samples, n_times)
        """

    @abstractmethod
    def attribute(self, X: pd.DataFrame, background: pd.DataFrame | None = None) -> Attribution:
        """Additive attributions of ``predict_log_risk(X)`` to the features.

        They are exact in every family but the forest, whose log is shared out in proportion.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_features)
        background : DataFrame of shape (n_background, n_features), optional
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


class SurvivalModel(RiskModel):
    """Base of the models of a time to an event.

    ``y`` is structured: ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days. The log risk is centred:
    its mean over the training patients is 0. A family ends its fit with :meth:`_fit_hazards`, which learns the hazards
    of the event and of the competing event from the log risk and the features.

    Attributes
    ----------
    baseline_ : BaselineHazard
    competing_ : CompetingRisk or None
        The cause-specific model of the competing event; None where training saw too few of them, and in models of
        before 0.3.0: the competing hazard is then that of the baseline.
    """

    kind: ClassVar[OutcomeKind] = SURVIVAL

    baseline_: BaselineHazard
    _log_risk_alone: bool = False

    @property
    def followed_days(self) -> float:
        """Longest follow-up in training."""
        return self.baseline_.last_time

    def for_trial(self) -> Self:
        """Return an unfitted copy that leaves out the competing event: a trial is judged by log risks."""
        copy: Self = clone(self)
        copy._log_risk_alone = True
        return copy

    def _fit_hazards(self, values: np.ndarray, y: np.ndarray, log_risk: np.ndarray) -> None:
        """Learn both hazards from features, outcomes and centred log risks of the training patients."""
        self.competing_ = None if self._log_risk_alone else CompetingRisk.fit(values, y, log_risk)
        competing = None if self.competing_ is None else self.competing_.log_risk(values, log_risk)
        self.baseline_ = BaselineHazard.fit(y, log_risk, competing)

    def _hazards(self) -> dict[str, Any]:
        """Return what :meth:`_fit_hazards` learned, as JSON data."""
        competing = None if self.competing_ is None else self.competing_.to_dict()
        return {"baseline": self.baseline_.to_dict(), "competing": competing}

    def _read_hazards(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_hazards` wrote."""
        competing = document.get("competing")
        self.competing_ = None if competing is None else CompetingRisk.from_dict(competing)
        self.baseline_ = BaselineHazard.from_dict(document["baseline"])

    def predict_risk(self, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log relative hazard, and cumulative incidence of the event; see :meth:`RiskModel.predict_risk`."""
        log_risk = self.predict_log_risk(X)
        return log_risk, self._states(X, log_risk, times)[:, 1]

    def predict_survival(self, X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        """Probability of having had neither the event nor a competing one, shape (n_samples, n_times)."""
        return self.predict_cumulative_incidence(X, times)[:, 0, :]

    def predict_cumulative_incidence(self, X: pd.DataFrame, times: np.ndarray) -> np.ndarray:
        """Probability of each state at each time.

        Returns
        -------
        ndarray of shape (n_samples, n_causes + 1, n_times)
            Index 0 is event-free, 1 the event, 2 (where training saw one) the competing event; sums to 1.
        """
        return self._states(X, self.predict_log_risk(X), times)

    def _states(self, X: pd.DataFrame, log_risk: np.ndarray, times: np.ndarray) -> np.ndarray:
        competing = None
        if self.competing_ is not None:
            competing = self.competing_.log_risk(read_columns(X, self.feature_names_in_), log_risk)
        return self.baseline_.cumulative_incidence(log_risk, np.asarray(times, dtype=float), competing)


_FEWEST_A_CLASS = 10
"""With fewer patients of either class their out-of-fold log odds cannot tell a slope. A choice of caution."""


class BinaryModel(RiskModel):
    """Base of the models of a binary endpoint.

    ``y`` is 0 or 1 (int8). The log risk is the log odds of the event; it is absolute, not centred. After the fit the
    log odds are recalibrated by a straight line (:func:`platt_scaling`), learned on log odds that were cross-fitted
    within the training patients: models refitted without a part of them predict that part. Patients who stand in X
    more than once (bootstrap resamples) are kept on one side. With fewer than ten patients of either class the
    log odds stay as fitted.

    Subclasses set the parameter ``calibration_folds`` (0 = as fitted) and implement ``_fit_raw`` and ``_recalibrate``.

    Attributes
    ----------
    calibration_ : tuple of (intercept, slope)
        ``log_risk = intercept + slope * log odds as fitted``; (0, 1) where they were left alone.
    """

    kind: ClassVar[OutcomeKind] = BINARY

    calibration_folds: int
    calibration_: tuple[float, float]

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the model and calibrate it.

        Raises
        ------
        InputError
            A column cannot be read, or fewer than two patients had the event, or fewer than two were without it.
        """
        self.feature_names_in_, values, outcome = training_matrix(X, y, self.columns)
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
        order = training_order(X, y, self.columns)
        X, y = X.iloc[order], y[order]
        log_odds = np.empty(len(y))
        for train, test in inner_folds(X.index, y, self.calibration_folds):
            if min(y[train].sum(), (1 - y[train]).sum()) < 2:
                return 0.0, 1.0
            log_odds[test] = self.for_trial().fit(X.iloc[train], y[train]).predict_log_risk(X.iloc[test])
        return platt_scaling(y, log_odds)

    def predict_probability(self, X: pd.DataFrame) -> np.ndarray:
        """Probability of the event, shape (n_samples,)."""
        return np.asarray(expit(self.predict_log_risk(X)))

    def predict_risk(self, X: pd.DataFrame, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log odds, and the probability of the event at every time; see :meth:`RiskModel.predict_risk`."""
        log_risk = self.predict_log_risk(X)
        return log_risk, np.repeat(np.asarray(expit(log_risk))[:, None], len(times), axis=1)


def platt_scaling(y: np.ndarray, log_odds: np.ndarray) -> tuple[float, float]:
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
    >>> intercept, slope = platt_scaling(y, np.repeat([-2 * np.log(3), 2 * np.log(3)], 400))
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


def inner_folds(patients: pd.Index, event: np.ndarray, n_folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
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
    >>> folds = inner_folds(pd.Index(["a", "b", "c", "a"]), np.array([1, 0, 0, 1]), 2)
    >>> [test.tolist() for _, test in folds]
    [[0, 1, 3], [2]]
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        if patients.is_unique:
            return list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(event, event))
        groups = pd.factorize(patients)[0]
        return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(event, event, groups))
