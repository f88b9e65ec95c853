"""Estimators of scikit-survival and scikit-learn, made to fit into our validation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn, Self

import joblib
import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import discrimination
from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel
from nbrelapse.outcome import BINARY, SURVIVAL, Outcome, OutcomeKind

_NO_PROBABILITY = -1.0
"""Stands for "not predicted" among probabilities: predictions of folds are finite numbers, so it cannot be NaN."""

_SMALLEST = 1e-6
"""Probabilities are kept this far from 0 and 1, where the log odds are infinite. A choice."""

_VERSIONED = frozenset({"builtins", "numpy", "pandas", "scipy", "sklearn", "sksurv", "xgboost"})
"""Packages whose versions are in the name of a cache entry."""


class _ForeignModel(RiskModel):
    """An estimator of another package as a risk model: enough to cross-validate it, not to explain or save it.

    Each fit is of a clone, so the estimator given stays as it is. Parameters ``random_state`` that nobody has set,
    also those of a pipeline's steps, are set to ``seed``. Nothing is tuned here: an estimator that tunes itself, such
    as ``GridSearchCV``, does so within the patients it is fitted with.

    Parameters
    ----------
    estimator : object
        With ``fit`` and ``predict``.
    columns : sequence of str
        The columns of X that it is given, as a DataFrame, NaN = not assayed.
    name : str
        How error messages call it.
    seed : int
    """

    def __init__(self, estimator: Any, columns: Sequence[str], *, name: str = "model", seed: int = 0) -> None:
        self.estimator = estimator
        self.columns = columns
        self.name = name
        self.seed = seed

    @property
    @abstractmethod
    def log_scale(self) -> bool:
        """Whether its log risk is a log relative hazard or log odds, so that a calibration slope means something."""

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Fit a clone.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        y : ndarray of shape (n_samples,)
            As in :class:`nbrelapse.outcome.Outcome`.

        Raises
        ------
        InputError
            The estimator refuses the patients, for instance because values are missing.
        """
        table, outcome = self._aligned(X, y)
        self.feature_names_in_ = np.asarray(list(self.columns), dtype=object)
        features = table[list(self.columns)]
        estimator = _seeded(clone(self.estimator, safe=False), self.seed)
        try:
            fitted = estimator.fit(features, self._target(outcome))
        except Exception as error:
            self._refuse(error, "fitted", features)
        # Some estimators return nothing; searches predict by the best of theirs.
        fitted = estimator if fitted is None else fitted
        self.fitted_ = getattr(fitted, "best_estimator_", fitted)
        return self

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Score of the event, shape (n_samples,); higher is worse, its scale is the estimator's own.

        Raises
        ------
        InputError
            The estimator refuses the patients, or does not return a finite number for each.
        """
        features = self._patients(X)[list(self.columns)]
        try:
            score = np.asarray(self._score(features), dtype=float)
        except Exception as error:
            self._refuse(error, "asked for predictions", features)
        if score.shape != (len(X),) or not np.isfinite(score).all():
            raise InputError(
                f"model {self.name!r} predicts an array of shape {score.shape}, "
                f"{int((~np.isfinite(score)).sum())} of its values NaN or infinite",
                expected=f"a finite number for each of {len(X)} patients",
            )
        return score

    def predict(self, X: Features) -> np.ndarray:
        """Score of the event, shape (n_samples,); see :meth:`predict_log_risk`."""
        return self.predict_log_risk(X)

    def score(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> float:
        """Harrell's C or the AUC of the score; 0.5 is chance, NaN where no two patients can be compared."""
        table, outcome = self._aligned(X, y)
        return float(discrimination(outcome, self.predict_log_risk(table)))

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Refuse: there is no general way to attribute a foreign model's predictions exactly."""
        self._only_compared("explained")

    def state(self) -> ModelState:
        """Refuse: a foreign model is not plain data."""
        self._only_compared("saved")

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Refuse: no foreign model is saved."""
        raise InputError("an estimator of another package is not saved as a bundle")

    def can_be_cached(self, X: pd.DataFrame) -> bool:
        """Whether the name of a cache entry can hold all that the predictions depend on.

        Not where a part of the estimator is code of packages whose versions are not in the name, as a class of one's
        own, or cannot be hashed; nor where its columns are not numbers.
        """
        if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in X[list(self.columns)].dtypes):
            return False
        if not _packages(self.estimator) <= _VERSIONED:
            return False
        try:
            joblib.hash(self.estimator)
        except Exception:  # whatever a part that cannot be pickled raises
            return False
        return True

    @abstractmethod
    def _target(self, y: np.ndarray) -> np.ndarray:
        """Outcome as the estimator takes it."""

    @abstractmethod
    def _score(self, features: pd.DataFrame) -> Any:
        """Score of each patient."""

    def _refuse(self, error: Exception, asked: str, features: pd.DataFrame) -> NoReturn:
        missing = int(features.isna().any(axis=1).sum())
        words = (str(error).strip() or type(error).__name__).split("\n")[0]
        if missing and "nan" in str(error).lower():
            raise InputError(
                f"model {self.name!r} ({type(self.estimator).__name__}) takes no missing values, and "
                f"{missing} of {len(features)} patients lack some",
                expected="an estimator that takes NaN, which means not assayed",
                fix="impute within the folds: sklearn.pipeline.make_pipeline(SimpleImputer(), estimator)",
            ) from error
        raise InputError(
            f"model {self.name!r} ({type(self.estimator).__name__}) fails when it is {asked}: {words}",
            fix="try its fit and predict on X and y first",
        ) from error

    def _only_compared(self, asked: str) -> NoReturn:
        raise InputError(
            f"model {self.name!r} is an estimator of another package, which cannot be {asked}",
            expected="a model of this package",
        )


class _ForeignSurvival(_ForeignModel):
    """An estimator of a time to an event with the interface of scikit-survival.

    It is fitted with the structured outcome that scikit-survival takes: whether the event was seen, and the time in
    days. Competing events are censored there, so its score is of the cause-specific hazard. Its ``predict`` is the
    log risk, with the sign turned where scikit-survival says that it is a time. The incidence is one less
    ``predict_survival_function``, where there is one and nobody in training had a competing event: with competing
    events that would overstate it, and the incidence is :data:`NO_PROBABILITY`.

    Examples
    --------
    >>> from sksurv.linear_model import CoxPHSurvivalAnalysis
    >>> X = pd.DataFrame({"x": [2.0, 1.0, 1.5, 0.0, -1.0, 0.5]})
    >>> y = np.array([(1, 9.0), (1, 20.0), (0, 30.0), (1, 90.0), (0, 99.0), (1, 40.0)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> model = _ForeignSurvival(CoxPHSurvivalAnalysis(), ["x"]).fit(X, y)
    >>> model.predict_risk(X, np.array([10.0, 50.0]))[1].round(2)[0].tolist()
    [0.53, 1.0]
    """

    family: ClassVar[str] = "foreign_survival"
    kind: ClassVar[OutcomeKind] = SURVIVAL

    @property
    def log_scale(self) -> bool:
        """Whether it is a Cox model by its class or loss; the scores of others have scales of their own."""
        from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis

        last = _last_step(self.estimator)
        return isinstance(last, (CoxPHSurvivalAnalysis, CoxnetSurvivalAnalysis)) or (
            _is_survival(last) and getattr(last, "loss", None) == "coxph"
        )

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Fit a clone; see :meth:`ForeignModel.fit`."""
        table, outcome = self._aligned(X, y)
        self.compete_ = bool((outcome["event"] == 2).any())
        return super().fit(table, outcome)

    def predict_risk(self, X: Features, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score, and cumulative incidence or :data:`NO_PROBABILITY`; see :meth:`RiskModel.predict_risk`."""
        score = self.predict_log_risk(X)
        survival = None if self.compete_ else self._survival(self._patients(X)[list(self.columns)], times)
        if survival is None:
            return score, np.full((len(X), len(times)), _NO_PROBABILITY)
        return score, np.clip(1 - survival, 0.0, 1.0)

    def _target(self, y: np.ndarray) -> np.ndarray:
        target = np.empty(len(y), dtype=[("event", bool), ("time", float)])
        target["event"], target["time"] = y["event"] == 1, y["time"]
        return target

    def _score(self, features: pd.DataFrame) -> Any:
        sign = 1.0 if getattr(self.fitted_, "_predict_risk_score", True) else -1.0
        return sign * np.asarray(self.fitted_.predict(features), dtype=float)

    def _survival(self, features: pd.DataFrame, times: np.ndarray) -> np.ndarray | None:
        """Survival at the times, from step functions; None where the estimator has none with its parameters."""
        try:
            steps = self.fitted_.predict_survival_function(features)
        except (AttributeError, NotImplementedError, ValueError):
            return None
        survival = np.stack([_step_values(step, times) for step in steps])
        return survival if np.isfinite(survival).all() else None


class _ForeignClassifier(_ForeignModel):
    """A classifier with the interface of scikit-learn, for a binary endpoint.

    With ``predict_proba`` the log risk is the log odds, and probabilities are kept between 1e-6 and 1 less that. With
    ``decision_function`` alone that is the log risk, and the probability is :data:`NO_PROBABILITY`.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    >>> model = _ForeignClassifier(LogisticRegression(), ["x"]).fit(X, np.array([0, 0, 1, 1], dtype=np.int8))
    >>> model.predict_risk(X, np.array([np.inf]))[1].round(2).ravel().tolist()
    [0.19, 0.38, 0.62, 0.81]
    """

    family: ClassVar[str] = "foreign_classifier"
    kind: ClassVar[OutcomeKind] = BINARY

    @property
    def log_scale(self) -> bool:
        """Whether it predicts probabilities."""
        return hasattr(self.estimator, "predict_proba")

    def predict_risk(self, X: Features, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log odds or score, and probability or :data:`NO_PROBABILITY`; see :meth:`RiskModel.predict_risk`."""
        score = self.predict_log_risk(X)
        probability = expit(score) if self.log_scale else np.full(len(X), _NO_PROBABILITY)
        return score, np.repeat(probability[:, None], len(times), axis=1)

    def _target(self, y: np.ndarray) -> np.ndarray:
        return y.astype(np.int64)

    def _score(self, features: pd.DataFrame) -> Any:
        if not self.log_scale:
            return self.fitted_.decision_function(features)
        column = list(self.fitted_.classes_).index(1)
        probability = np.asarray(self.fitted_.predict_proba(features), dtype=float)[:, column]
        return logit(np.clip(probability, _SMALLEST, 1 - _SMALLEST))


def _adapt_estimator(
    name: str, estimator: Any, columns: Sequence[str], *, survival: bool, seed: int = 0
) -> _ForeignModel:
    """Return an estimator of another package as a risk model.

    Parameters
    ----------
    name : str
        How error messages call it.
    estimator : object
        Of scikit-survival or scikit-learn, or with their interface; a pipeline or a search over parameters too.
    columns : sequence of str
    survival : bool
        Whether the endpoint is a time to an event.
    seed : int

    Returns
    -------
    ForeignSurvival or ForeignClassifier

    Raises
    ------
    InputError
        It has no ``fit`` or no ``predict``, or is made for another kind of outcome.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> _adapt_estimator("groups", KMeans(), ["x"], survival=True)
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: model 'groups' (KMeans) is a clusterer, the endpoint is a time to an event
      expected: a survival model, such as those of scikit-survival
    """
    kind = f"model {name!r} ({type(estimator).__name__})"
    if isinstance(estimator, type):
        raise InputError(
            f"model {name!r} is the class {estimator.__name__}", fix=f"give an estimator: {estimator.__name__}()"
        )
    if not columns:
        raise InputError(f"{kind} has no column to read", expected="at least one feature with values")
    for method in ("fit", "predict") if survival else ("fit",):
        if not callable(getattr(estimator, method, None)):
            raise InputError(f"{kind} has no method {method}", expected="an estimator: fit(X, y), then predict(X)")
    if survival:
        _refuse_other_than_survival(kind, estimator)
        return _ForeignSurvival(estimator, columns, name=name, seed=seed)
    _refuse_other_than_classifier(kind, estimator)
    return _ForeignClassifier(estimator, columns, name=name, seed=seed)


def _refuse_other_than_survival(kind: str, estimator: Any) -> None:
    type_of = _type_of(estimator)
    if type_of is not None and not _is_survival(_last_step(estimator)):
        raise InputError(
            f"{kind} is a {type_of}, the endpoint is a time to an event",
            expected="a survival model, such as those of scikit-survival",
        )


def _refuse_other_than_classifier(kind: str, estimator: Any) -> None:
    expected = "a classifier, such as those of scikit-learn"
    if _is_survival(_last_step(estimator)):
        raise InputError(f"{kind} is a survival model, the endpoint is binary", expected=expected)
    type_of = _type_of(estimator)
    if type_of not in (None, "classifier"):
        raise InputError(f"{kind} is a {type_of}, the endpoint is binary", expected=expected)
    if not hasattr(estimator, "predict_proba") and not hasattr(estimator, "decision_function"):
        raise InputError(f"{kind} has neither predict_proba nor decision_function", expected=expected)


def _type_of(estimator: Any) -> str | None:
    """Return what scikit-learn calls it: a classifier, regressor, clusterer, ...; None where it has no word."""
    tags = getattr(estimator, "__sklearn_tags__", None)
    found = None if tags is None else tags().estimator_type
    return None if found is None else str(found).replace("_", " ")


def _last_step(estimator: Any) -> Any:
    """Return the estimator inside pipelines and searches over parameters."""
    while isinstance(estimator, (Pipeline, GridSearchCV, RandomizedSearchCV)):
        estimator = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator.estimator
    return estimator


def _is_survival(estimator: Any) -> bool:
    from sksurv.base import SurvivalAnalysisMixin

    return isinstance(estimator, SurvivalAnalysisMixin) or hasattr(estimator, "predict_survival_function")


def _seeded(estimator: Any, seed: int) -> Any:
    """Set every random_state that is None."""
    if not hasattr(estimator, "get_params"):
        return estimator
    unset = [
        name
        for name, value in estimator.get_params(deep=True).items()
        if value is None and name.split("__")[-1] == "random_state"
    ]
    return estimator.set_params(**dict.fromkeys(unset, seed)) if unset else estimator


def _step_values(step: Any, times: np.ndarray) -> np.ndarray:
    """Values of a step function; 1 before its first step, the last value after the last."""
    position = np.searchsorted(step.x, times, side="right") - 1
    return np.where(position < 0, 1.0, step.a * np.asarray(step.y)[position] + step.b)


def _packages(part: Any) -> set[str]:
    """Return the packages that the code of an estimator and of its parameters comes from."""
    if isinstance(part, Mapping):
        return _packages([*part.keys(), *part.values()])
    if isinstance(part, (list, tuple, set, frozenset)):
        return {name for item in part for name in _packages(item)}
    # Functions and classes have a module of their own, other objects that of their class.
    found = {str(getattr(part, "__module__", None) or type(part).__module__).split(".")[0]}
    if hasattr(part, "get_params") and not isinstance(part, type):
        found |= _packages(list(part.get_params(deep=False).values()))
    return found
