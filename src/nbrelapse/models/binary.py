"""What every model of a binary endpoint offers: log odds, calibrated within the training patients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from nbrelapse.errors import InputError
from nbrelapse.models.design import (
    _training_order,
)
from nbrelapse.outcome import BINARY, OutcomeKind

if TYPE_CHECKING:
    from sklearn.utils import Tags

    from nbrelapse.outcome import Outcome

from nbrelapse.models.base import Features, RiskModel, _cross_fitted

_FEWEST_A_CLASS = 10
"""With fewer patients of either class their out-of-fold log odds cannot tell a slope. A choice of caution."""


class BinaryModel(ClassifierMixin, RiskModel):
    """Base of the models of a binary endpoint: classifiers of scikit-learn.

    ``y`` is 0 or 1; of any other two values the second in their order is the event. The log risk, which is
    ``decision_function``, is the log odds of the event; it is absolute, not centred. ``predict`` gives the likelier
    class, ``predict_proba`` the probability of both, and ``score`` the AUC, not the accuracy.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The values of ``y``, the event last.
    """

    kind: ClassVar[OutcomeKind] = BINARY

    classes_: np.ndarray

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        assert tags.classifier_tags is not None
        tags.classifier_tags.multi_class = False
        return tags

    def _target(self, y: np.ndarray) -> np.ndarray:
        self.classes_, target = _classes(y, type(self).__name__)
        return target

    def _class_document(self) -> dict[str, Any]:
        """Return the classes as JSON data, where they are others than 0 and 1."""
        classes = self.classes_.tolist()
        return {} if classes == [0, 1] else {"classes": classes}

    def _read_classes(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_class_document` wrote."""
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


class _SelfCalibrated(BinaryModel):
    """A binary model whose log odds are calibrated after the fit.

    They are recalibrated by a straight line (:func:`_platt_scaling`), learned on log odds that were cross-fitted
    within the training patients: models refitted without a part of them predict that part. Patients who stand in X
    more than once (bootstrap resamples) are kept on one side. With fewer than ten patients of either class the
    log odds stay as fitted.

    Subclasses set the parameter ``calibration_folds`` (0 = as fitted) and implement ``_fit_raw`` and ``_recalibrate``.

    Attributes
    ----------
    calibration_ : tuple of (intercept, slope)
        ``log_risk = intercept + slope * log odds as fitted``; (0, 1) where they were left alone.
    """

    calibration_folds: int
    calibration_: tuple[float, float]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "calibration_")

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
        values, outcome = self._read_training(X, y)
        self._fit_raw(values, outcome, self._training_strata(X, y))
        self.calibration_ = self._calibration(X, y)
        if self.calibration_ != (0.0, 1.0):
            self._recalibrate(*self.calibration_)
        return self

    @abstractmethod
    def _fit_raw(self, values: np.ndarray, y: np.ndarray, strata: np.ndarray | None) -> None:
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
        log_odds = _cross_fitted([self], X.iloc[order], y[order], self.calibration_folds)
        strata = self._training_strata(X, y)
        return (0.0, 1.0) if log_odds is None else _platt_scaling(y[order], log_odds[:, 0], strata)

    def _calibration_document(self) -> dict[str, Any]:
        """Return the calibration and the classes as JSON data."""
        return {"calibration": [float(value) for value in self.calibration_]} | self._class_document()

    def _read_calibration(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_calibration_document` wrote."""
        intercept, slope = document["calibration"]
        self.calibration_ = (float(intercept), float(slope))
        self._read_classes(document)


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


def _platt_scaling(y: np.ndarray, log_odds: np.ndarray, strata: np.ndarray | None = None) -> tuple[float, float]:
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
    strata : ndarray of shape (n,), optional
        The slope is learned with an intercept of each; the intercept is then that of all together.

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
    studies = np.zeros(len(y), dtype=str) if strata is None else strata
    everybody, own = np.ones((len(y), 1)), (studies[:, None] == np.unique(studies)).astype(float)
    intercept, *_, slope = weighted_logistic(np.column_stack([own, log_odds]), target, everybody).ravel()
    if np.isnan(slope) or slope < 0:
        return float(logit(target.mean())), 0.0
    if strata is not None:
        intercept = weighted_logistic(everybody, target, everybody, slope * log_odds)[0, 0]
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
