"""Gradient-boosted Cox and logistic regression with monotone constraints, and what all tree models share."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict, Unpack

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.base import clone

from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel, _AsGiven
from nbrelapse.models.binary import _SelfCalibrated
from nbrelapse.models.design import _background_rows, read_columns
from nbrelapse.models.hazards import mean_log_likelihood
from nbrelapse.models.stratified import _cox_gradient, _study_log_odds
from nbrelapse.models.survival import SurvivalModel

if TYPE_CHECKING:
    import optuna
    import xgboost

    from nbrelapse.outcome import Outcome

_Gradient = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From margins to the derivatives of what is minimised."""

_UNSAVED = ("columns", "directions", "strata")
"""Parameters that a document has in another form, or must not have."""


class _TreeModel(RiskModel):
    """Base of the models whose trees are an XGBoost model.

    Missing values are split on natively: a patient who was not assayed follows the branch that training found best
    for such patients. Where training saw no missing value of a feature no branch was ever chosen for one, and such a
    patient stands at the training median.

    Attributes
    ----------
    booster_ : xgboost.Booster
    medians_ : ndarray of shape (n_features,)
        Training medians of the features without a missing value in training; NaN for the others.
    """

    booster_: xgboost.Booster
    medians_ = _AsGiven("_medians")
    _medians: np.ndarray

    def _matrix(self, values: np.ndarray) -> xgboost.DMatrix:
        import xgboost

        # By position: XGBoost refuses some names, and compares the others at every call.
        return xgboost.DMatrix(self._filled(values), nthread=1)

    def _names(self) -> list[str]:
        return [str(name) for name in self._features]

    def _filled(self, values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values), self._medians, values)

    def _read(self, X: pd.DataFrame) -> xgboost.DMatrix:
        return self._matrix(read_columns(X, self._features))

    def _margin(self, data: xgboost.DMatrix) -> np.ndarray:
        if not data.num_row():  # XGBoost warns of it
            return np.zeros(0)
        return self.booster_.predict(data, output_margin=True).astype(float)

    def _margin_contributions(self, X: pd.DataFrame, background: pd.DataFrame | None) -> tuple[float, np.ndarray]:
        """Return the expected margin and exact SHAP values of the margin, shape (n_samples, n_features).

        Path-dependent by XGBoost, interventional by shap (Lundberg 2020, 10.1038/s42256-019-0138-9).
        """
        values = self._filled(read_columns(X, self._features))
        if background is None:
            # A patient's contributions do not depend on the threads; training keeps to one.
            self.booster_.set_param({"nthread": 0})
            # Without a patient there is nothing to predict, but there still is an expected margin.
            data = self._matrix(values if len(values) else np.zeros((1, len(self._features))))
            found = self.booster_.predict(data, pred_contribs=True)
            self.booster_.set_param({"nthread": 1})
            return float(found[0, -1]), found[: len(values), :-1].astype(float)
        with warnings.catch_warnings():
            # shap's own pictures use what matplotlib will deprecate.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            import shap

        usual = self._filled(read_columns(_background_rows(background), self._features)).astype(np.float32)
        explainer = shap.TreeExplainer(self.booster_, shap.maskers.Independent(usual, max_samples=len(usual)))
        found = explainer.shap_values(values.astype(np.float32)) if len(values) else values
        return float(explainer.expected_value), np.asarray(found, dtype=float)

    def _document(self) -> dict[str, Any]:
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name not in _UNSAVED}
        return {
            "family": self.family,
            "parameters": parameters,
            "features": self._names(),
            "medians": [None if np.isnan(median) else float(median) for median in self._medians],
        }

    def _blobs(self) -> dict[str, bytes]:
        return {"model.ubj": bytes(self.booster_.save_raw("ubj"))}

    @classmethod
    def _unfitted(cls, document: Mapping[str, Any]) -> Self:
        return cls(document["features"], **document["parameters"])

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        import xgboost

        document = state.document
        model = cls._unfitted(document)
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model.booster_ = xgboost.Booster({"nthread": 1})
        model.booster_.load_model(bytearray(state.blobs["model.ubj"]))
        model.booster_.feature_names = model.booster_.feature_types = None  # before 0.4 they were there
        model._medians = np.asarray(document["medians"], dtype=float)
        return model


class _TreeParameters(TypedDict, total=False):
    """Parameters of :class:`_BoostedModel` that its families share."""

    n_estimators: int
    learning_rate: float
    max_depth: int
    min_child_weight: float
    subsample: float
    colsample_bytree: float
    reg_lambda: float
    strata: Mapping[str, str] | pd.Series | None
    seed: int


_MAX_BIN = 32
"""Cut points a feature: as good as 256 at n = 250 (held-out C equal to 0.001), and three times as fast."""


class _BoostedModel(_TreeModel):
    """XGBoost trees whose log risk is ``slope_ * margin - offset_``, monotone where a direction is expected.

    See :class:`_TreeModel` for what becomes of missing values. Training runs on one thread, so that results do not
    depend on the machine's cores.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of X that the model reads; all of them by default.
    directions : mapping of str to int, optional
        Expected sign of the log risk by feature; a feature with +1 or -1 is constrained to be monotone.
    n_estimators, learning_rate, max_depth, min_child_weight, subsample, colsample_bytree, reg_lambda
        As in XGBoost; ``min_child_weight`` is in units of the likelihood's curvature, about events for Cox regression
        and at most a quarter of the patients for logistic regression.
    strata : mapping of str to str, optional
        The study of each training patient, see :class:`RiskModel`.
    seed : int

    Attributes
    ----------
    offset_, slope_ : float
        From the margin of the trees to the log risk; the slope is 1 but for a calibration.
    """

    offset_: float = 0.0
    slope_: float = 1.0

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        directions: Mapping[str, int] | None = None,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.05,
        max_depth: int = 2,
        min_child_weight: float = 3.0,
        subsample: float = 0.7,
        colsample_bytree: float = 0.5,
        reg_lambda: float = 3.0,
        strata: Mapping[str, str] | pd.Series | None = None,
        seed: int = 0,
    ) -> None:
        self.columns = columns
        self.directions = directions
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.reg_lambda = reg_lambda
        self.strata = strata
        self.seed = seed

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Propose shallow, strongly regularised trees: cohorts have hundreds of patients, not thousands."""
        return {
            "n_estimators": trial.suggest_int("n_estimators", 20, 250, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
            "max_depth": trial.suggest_int("max_depth", 1, 3),
            "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 10.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 0.9),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 0.8),
            "reg_lambda": trial.suggest_float("reg_lambda", 1.0, 30.0, log=True),
        }

    def _grow(
        self,
        values: np.ndarray,
        label: np.ndarray,
        objective: Mapping[str, Any],
        base_margin: np.ndarray | None = None,
        gradient: _Gradient | None = None,
    ) -> np.ndarray:
        """Grow the trees; return the training margins, what they start from included."""
        data = self._training_data(values, label)
        if base_margin is not None:
            data.set_base_margin(base_margin)
        self.booster_ = self._boost(data, objective, gradient)
        return self.booster_.predict(data, output_margin=True).astype(float)

    def _training_data(self, values: np.ndarray, label: np.ndarray) -> xgboost.QuantileDMatrix:
        """Bin the features, once for all trees."""
        import xgboost

        self._medians = np.median(values, axis=0)
        return xgboost.QuantileDMatrix(self._filled(values), label=label, max_bin=_MAX_BIN, nthread=1)

    def _boost(
        self, data: xgboost.QuantileDMatrix, objective: Mapping[str, Any], gradient: _Gradient | None = None
    ) -> xgboost.Booster:
        """Grow the trees on binned features, by a gradient of our own if given; nothing of the model is changed."""
        import xgboost

        directions = self.directions or {}
        parameters = {
            **objective,
            "tree_method": "hist",
            "max_bin": _MAX_BIN,
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "reg_lambda": self.reg_lambda,
            "monotone_constraints": tuple(int(directions.get(name, 0)) for name in self._names()),
            "seed": self.seed,
            "nthread": 1,
            "verbosity": 0,
        }
        booster = xgboost.Booster(parameters, [data])
        for tree in range(self.n_estimators):
            if gradient is None:
                booster.update(data, tree)
            else:
                margin = booster.predict(data, output_margin=True, training=True).astype(float)
                first, second = gradient(margin)
                booster.boost(data, tree, grad=first.astype(np.float32), hess=second.astype(np.float32))
        return booster

    def training_path(self, X: pd.DataFrame, y: np.ndarray) -> np.ndarray:
        """Share of the null deviance explained after each tree; see :meth:`RiskModel.training_path`."""
        data, start = self._read(X), self._starting_margin(X)
        trees = (
            self.booster_.predict(data, output_margin=True, iteration_range=(0, count + 1)).astype(float)
            for count in range(self.booster_.num_boosted_rounds())
        )
        null, strata = np.full(len(y), 0.0 if self.kind.has_time else logit(y.mean())), self._strata(X.index)
        found = np.array([mean_log_likelihood(y, start + margin, strata) for margin in trees])
        return np.asarray(1 - found / mean_log_likelihood(y, null, strata))

    def _starting_margin(self, X: pd.DataFrame) -> np.ndarray:
        """Return what the trees were added to, patient by patient."""
        return np.zeros(len(X))

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Log risk, shape (n_samples,)."""
        X = self._patients(X)
        return self.slope_ * self._margin(self._read(X)) - self.offset_

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Exact TreeSHAP values, path-dependent or interventional; see :meth:`RiskModel.attribute`."""
        X = self._patients(X)
        background = None if background is None else self._patients(background)
        margin, contributions = self._margin_contributions(X, background)
        return Attribution(self.slope_ * margin - self.offset_, self._as_given(self.slope_ * contributions, X.index))

    def _document(self) -> dict[str, Any]:
        directions = self.directions or {}
        return super()._document() | {
            "directions": {str(name): int(directions.get(str(name), 0)) for name in self._features}
        }

    @classmethod
    def _unfitted(cls, document: Mapping[str, Any]) -> Self:
        return cls(document["features"], document["directions"], **document["parameters"])


def _names_tree_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Name in the signature of a family's constructor what it passes on as ``**trees``.

    scikit-learn reads the parameters of an estimator, and ``help`` shows them, from that signature.
    """
    own = inspect.signature(init).parameters
    shared = inspect.signature(_BoostedModel.__init__).parameters
    parameters = [
        *(parameter for parameter in own.values() if parameter.kind is not parameter.VAR_KEYWORD),
        *(shared[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in _TreeParameters.__annotations__),
    ]
    init.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return init


_OBJECTIVE = {"objective": "survival:cox", "base_score": 1.0}


def _gradient(label: np.ndarray, strata: np.ndarray | None) -> _Gradient | None:
    """Return the derivatives of the stratified partial likelihood; XGBoost has its own of one stratum."""
    return None if strata is None else _cox_gradient(label, strata)


class Boosted(_BoostedModel, SurvivalModel):
    """XGBoost trees on the Cox partial likelihood, monotone where the catalogue expects a direction.

    See :class:`_BoostedModel` for the parameters, the other attributes and what becomes of missing values.

    Attributes
    ----------
    offset_ : float
        Mean training margin; log risks are relative to it.
    baseline_, competing_
        See :class:`SurvivalModel`.
    """

    family: ClassVar[str] = "boosted"

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Grow the trees and estimate the hazards.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        y : Outcome or structured ndarray of shape (n_samples,)

        Raises
        ------
        InputError
            X and y are of other patients, y is no time to an event, a column cannot be read, or fewer than
            two patients had the event.
        """
        X, y = self._training(X, y)
        strata = self._training_strata(X, y)
        values, y = self._read_training(X, y)
        label = self._label(y)
        margin = self._grow(values, label, _OBJECTIVE, gradient=_gradient(label, strata))
        self.offset_ = float(margin.mean())
        self._fit_hazards(values, y, margin - self.offset_, strata)
        return self

    def trial_fold(self, X: pd.DataFrame, y: np.ndarray, unseen: pd.DataFrame) -> Callable[[Self], np.ndarray]:
        """Bin the features once for all trials; see :meth:`RiskModel.trial_fold`."""
        import xgboost

        fold, strata = clone(self), self._training_strata(X, y)
        values, y = fold._read_training(X, y)
        label = fold._label(y)
        data, gradient = fold._training_data(values, label), _gradient(label, strata)
        others = xgboost.DMatrix(fold._filled(read_columns(unseen, fold._features)), nthread=1)

        def log_risk(trial: Self) -> np.ndarray:
            booster = fold.set_params(**trial.get_params(deep=False))._boost(data, _OBJECTIVE, gradient)
            margins = [booster.predict(part, output_margin=True).astype(float) for part in (data, others)]
            return np.asarray(margins[1] - float(margins[0].mean()))

        return log_risk

    def _label(self, y: np.ndarray) -> np.ndarray:
        """Return ranks of the times, negative where the event was not seen, as survival:cox wants them.

        At equal times XGBoost's gradient depends on the order of the rows and drops patients from risk sets that they
        belong to. The partial likelihood reads ranks only, so ties are broken here: events before censorings, events
        among themselves by lot.
        """
        lot = np.random.default_rng(self.seed).random(len(y))
        rank = np.empty(len(y))
        rank[np.lexsort((lot, y["event"] != 1, y["time"]))] = np.arange(1, len(y) + 1)
        return np.where(y["event"] == 1, rank, -rank)

    def state(self) -> ModelState:
        """Return the fitted model: JSON data, and the trees as UBJSON."""
        return ModelState(self._document() | {"offset": self.offset_} | self._hazards(), self._blobs())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model.offset_ = float(state.document["offset"])
        model._read_hazards(state.document)
        return model


class BoostedClassifier(_BoostedModel, _SelfCalibrated):
    """XGBoost trees on the logistic likelihood, monotone where the catalogue expects a direction.

    See :class:`_BoostedModel` for the parameters that it shares with Cox regression and what becomes of missing values,
    and :class:`_SelfCalibrated` for the calibration, which is ``offset_`` and ``slope_``.

    Parameters
    ----------
    columns, directions
        As in :class:`_BoostedModel`.
    calibration_folds : int, default 5
        Parts that the training patients are divided into for the calibration; 0 = none.
    n_estimators, learning_rate, max_depth, min_child_weight, subsample, colsample_bytree, reg_lambda, strata, seed
        As in :class:`_BoostedModel`.
    """

    family: ClassVar[str] = "boosted_classifier"

    @_names_tree_parameters
    def __init__(
        self,
        columns: Sequence[str] | None = None,
        directions: Mapping[str, int] | None = None,
        *,
        calibration_folds: int = 5,
        **trees: Unpack[_TreeParameters],
    ) -> None:
        super().__init__(columns, directions, **trees)
        self.calibration_folds = calibration_folds

    def _fit_raw(self, values: np.ndarray, y: np.ndarray, strata: np.ndarray | None) -> None:
        self.offset_, self.slope_ = 0.0, 1.0
        start = None if strata is None else _study_log_odds(y, strata)
        self._grow(values, y, {"objective": "binary:logistic", "base_score": float(y.mean())}, base_margin=start)

    def _recalibrate(self, intercept: float, slope: float) -> None:
        self.offset_, self.slope_ = -intercept, slope

    def state(self) -> ModelState:
        """Return the fitted model: JSON data, and the trees as UBJSON."""
        return ModelState(self._document() | self._calibration_document(), self._blobs())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model._read_calibration(state.document)
        model._recalibrate(*model.calibration_)
        return model
