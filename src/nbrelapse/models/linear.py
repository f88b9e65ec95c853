"""Linear models: what they share, and elastic-net Cox regression."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.errors import InputError
from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel, _AsGiven
from nbrelapse.models.design import _background_rows, _Standardised, read_columns, standardise
from nbrelapse.models.hazards import _BaselineHazard, partial_log_likelihood
from nbrelapse.models.stratified import _stratified_elastic_net
from nbrelapse.models.survival import SurvivalModel

if TYPE_CHECKING:
    import optuna

    from nbrelapse.outcome import Outcome

_NOT_ASSAYED = ("mean", "indicator")
_UNSAVED = ("columns", "strata")
"""Parameters that a document has in another form, or must not have: strata name patients."""


class _LinearModel(RiskModel):
    """A log risk that is linear in standardised features.

    Features are standardised with the mean and standard deviation of the observed training values. A missing value
    stands at the mean, so that a feature that was not assayed contributes exactly 0 to the log risk: no evidence
    either way; and the fewer patients a feature is known in, the more the penalty holds its coefficient back. With
    ``not_assayed = "indicator"`` that a patient was not assayed may speak as well: features that are missing in the
    same training patients share one indicator, and each carries its part of its effect. It says who was examined, not
    what the tumour is, so it holds only where patients are chosen for an assay in the same way.

    Attributes
    ----------
    coefficients_ : ndarray of shape (n_features,)
        Change of the log risk per unit of the feature as given.
    intercept_ : float
        Log risk of the training mean; 0 in Cox regression.
    means_ : ndarray of shape (n_features,)
        Training means; NaN-free, 0 for a feature that was never observed.
    missing_effects_ : ndarray of shape (n_features,)
        What a missing value adds to the log risk, compared with a value at the mean; 0 without indicators.
    missing_rates_ : ndarray of shape (n_features,)
        Share of training patients without a value.
    unused_ : list of str
        Features in which fewer than three training patients differ from the most frequent value (constant and never
        observed ones among them); their coefficient is 0.
    """

    coefficients_ = _AsGiven("_coefficients")
    intercept_: float = 0.0
    means_ = _AsGiven("_means")
    missing_effects_ = _AsGiven("_missing_effects")
    missing_rates_ = _AsGiven("_missing_rates")
    _coefficients: np.ndarray
    _means: np.ndarray
    _missing_effects: np.ndarray
    _missing_rates: np.ndarray
    not_assayed: str

    def _standardise(self, values: np.ndarray) -> _Standardised:
        if self.not_assayed not in _NOT_ASSAYED:
            raise InputError(
                f"illegal not_assayed {self.not_assayed!r}", column="not_assayed", expected=" or ".join(_NOT_ASSAYED)
            )
        found = standardise(values, indicators=self.not_assayed == "indicator")
        self._means = found.means
        self._missing_rates = np.isnan(values).mean(axis=0)
        unused = np.ones(len(self._features), dtype=bool)
        unused[found.used] = False
        self.unused_ = [str(name) for name in self.feature_names_in_[unused[self._given]]]
        return found

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Log risk, shape (n_samples,)."""
        X = self._patients(X)
        return np.asarray(self.intercept_ + self._contributions(X).sum(axis=1))

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Exact SHAP values of a linear model: coefficient × (value − training mean), and 0 for a missing value.

        With indicators a missing value contributes its effect, less what it contributes on average. With a background
        all is relative to the mean contribution of its patients; see :meth:`RiskModel.attribute`.
        """
        X = self._patients(X)
        background = None if background is None else self._patients(background)
        terms, baseline = self._contributions(X), self.intercept_
        if background is not None:
            usual = self._contributions(_background_rows(background)).mean(axis=0)
            terms, baseline = terms - usual, baseline + float(usual.sum())
        return Attribution(baseline, self._as_given(terms, X.index))

    def _contributions(self, X: pd.DataFrame) -> np.ndarray:
        return self._terms(read_columns(X, self._features))

    def _terms(self, values: np.ndarray) -> np.ndarray:
        return self._weighed(*self._centred(values))

    def _centred(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values less the training means, 0 where missing, and where they are."""
        missing = np.isnan(values)
        return np.where(missing, 0.0, values - self._means), missing

    def _weighed(self, centred: np.ndarray, missing: np.ndarray) -> np.ndarray:
        terms = centred * self._coefficients
        if self._missing_effects.any():
            terms += (missing - self._missing_rates) * self._missing_effects
        return terms

    def _document(self) -> dict[str, Any]:
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name not in _UNSAVED}
        document = {
            "family": self.family,
            "parameters": parameters,
            "features": [str(name) for name in self._features],
            "coefficients": self._coefficients.tolist(),
            "means": self._means.tolist(),
            "unused": self.unused_,
        }
        if self._missing_effects.any():
            document["missing"] = {
                "effects": self._missing_effects.tolist(),
                "rates": self._missing_rates.tolist(),
            }
        return document

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        document = state.document
        model = cls(document["features"], **document["parameters"])
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model._coefficients = np.asarray(document["coefficients"], dtype=float)
        model._means = np.asarray(document["means"], dtype=float)
        nothing = np.zeros(len(model._means))
        missing = document.get("missing", {"effects": nothing, "rates": nothing})
        model._missing_effects = np.asarray(missing["effects"], dtype=float)
        model._missing_rates = np.asarray(missing["rates"], dtype=float)
        model.unused_ = list(document["unused"])
        return model


class _ElasticNet(_LinearModel):
    """Elastic-net regression of a log risk on standardised features.

    See :class:`_LinearModel` for what becomes of missing values, and for the other attributes.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of X that the model reads; all of them by default.
    penalty : float, default 0.1
        Strength relative to the smallest lasso penalty that sets every coefficient to 0, so that one value means
        the same at any cohort size.
    l1_ratio : float, default 0.5
        Share of the lasso in the penalty, in (0, 1].
    not_assayed : {"mean", "indicator"}, default "mean"
        Whether that a patient was not assayed may speak.
    strata : mapping of str to str, optional
        The study of each training patient, see :class:`RiskModel`.

    Attributes
    ----------
    penalty_ : float
        The strength fitted: larger than ``penalty`` where the fit would not converge at it.
    """

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        penalty: float = 0.1,
        l1_ratio: float = 0.5,
        not_assayed: str = "mean",
        strata: Mapping[str, str] | pd.Series | None = None,
    ) -> None:
        self.columns = columns
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.not_assayed = not_assayed
        self.strata = strata

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Propose a penalty and its lasso share."""
        return {
            "penalty": trial.suggest_float("penalty", 0.01, 3.0, log=True),
            # Both on a log scale, so that few trials fall where penalty × l1_ratio > 1 and nothing is selected.
            "l1_ratio": trial.suggest_float("l1_ratio", 0.02, 1.0, log=True),
        }

    def _check_parameters(self) -> None:
        if not (0 < self.penalty < np.inf):
            raise InputError(f"illegal penalty {self.penalty!r}", column="penalty", expected="a number above 0")
        if not 0 < self.l1_ratio <= 1:
            raise InputError(f"illegal l1_ratio {self.l1_ratio!r}", column="l1_ratio", expected="above 0, at most 1")

    def _fit_standardised(self, found: _Standardised, y: np.ndarray, strata: np.ndarray | None) -> None:
        """Set ``coefficients_`` and ``missing_effects_``."""
        self._check_parameters()
        solution, self.penalty_ = np.zeros(found.Z.shape[1]), self.penalty
        if found.Z.shape[1]:
            solution, self.penalty_ = self._solve(found.Z, y, strata)
        self._coefficients, self._missing_effects = found.unscale(solution)

    @abstractmethod
    def _solve(self, Z: np.ndarray, y: np.ndarray, strata: np.ndarray | None) -> tuple[np.ndarray, float]:
        """Coefficients of standardised features, and the penalty they were fitted with."""

    def _document(self) -> dict[str, Any]:
        return super()._document() | {"penalty": self.penalty_}

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model.penalty_ = float(state.document["penalty"])
        return model


def _smallest_null_penalty(Z: np.ndarray, residual: np.ndarray) -> float:
    """Return the smallest lasso penalty at which all coefficients are 0: the largest score at the null, per patient.

    Parameters
    ----------
    Z : ndarray of shape (n, n_features)
        Standardised features.
    residual : ndarray of shape (n,)
        Observed less expected events, were the features of no account.
    """
    return float(max(np.abs(Z.T @ residual).max() / len(residual), 1e-12))


class _LinearCox(_LinearModel, SurvivalModel):
    """Cox regression on standardised features; the coefficients are log hazard ratios."""

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Fit the coefficients and the hazards.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        y : Outcome or structured ndarray of shape (n_samples,)

        Raises
        ------
        InputError
            X and y are of other patients, y is no time to an event, a column cannot be read, fewer than two
            patients had the event, or a parameter is out of its range.
        """
        X, y = self._training(X, y)
        strata = self._training_strata(X, y)
        values, y = self._read_training(X, y)
        self._fit_standardised(self._standardise(values), y, strata)
        self._fit_hazards(values, y, self._terms(values).sum(axis=1), strata)
        return self

    @abstractmethod
    def _fit_standardised(self, found: _Standardised, y: np.ndarray, strata: np.ndarray | None) -> None:
        """Set ``coefficients_`` and ``missing_effects_``."""

    def trial_fold(self, X: pd.DataFrame, y: np.ndarray, unseen: pd.DataFrame) -> Callable[[Self], np.ndarray]:
        """Standardise the features once for all trials; see :meth:`RiskModel.trial_fold`."""
        fold, strata = clone(self), self._training_strata(X, y)
        values, y = fold._read_training(X, y)
        found = fold._standardise(values)
        others = fold._centred(read_columns(unseen, fold._features))

        def log_risk(trial: Self) -> np.ndarray:
            fold.set_params(**trial.get_params(deep=False))._fit_standardised(found, y, strata)
            return np.asarray(fold.intercept_ + fold._weighed(*others).sum(axis=1))

        return log_risk

    def _document(self) -> dict[str, Any]:
        return super()._document() | self._hazards()

    def state(self) -> ModelState:
        """Return the fitted model as JSON data."""
        return ModelState(self._document())

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model._read_hazards(state.document)
        return model


_PATH_LENGTH = 12
"""Penalties walked through on the way to the one asked for; each fit starts from the last."""

_MAX_ITERATIONS = 20_000
"""Coordinate descent passes over a whole path; a fit that needs more is not going to converge."""


class Cox(_ElasticNet, _LinearCox):
    """Cox regression with an elastic-net penalty (scikit-survival's Coxnet; Simon 2011, 10.18637/jss.v039.i05).

    See :class:`_ElasticNet` for the parameters, the other attributes and what becomes of missing values; the
    coefficients are log hazard ratios.

    Attributes
    ----------
    baseline_, competing_
        See :class:`SurvivalModel`.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 200).astype(float)})
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["mycn__amplified"].to_numpy()))
    >>> model = Cox(penalty=0.01).fit(X, y)
    >>> bool(model._coefficients[0] > 0.5)
    True
    """

    family: ClassVar[str] = "cox"
    _explained: tuple[float, ...] = ()
    """Share of the null deviance explained at each penalty of the path; not saved."""

    def _solve(self, Z: np.ndarray, y: np.ndarray, strata: np.ndarray | None) -> tuple[np.ndarray, float]:
        if strata is not None:
            return self._solve_stratified(Z, y, strata)
        from sklearn.exceptions import ConvergenceWarning
        from sksurv.linear_model import CoxnetSurvivalAnalysis
        from sksurv.util import Surv

        smallest = _smallest_null_penalty(Z, _null_residual(y))
        start = max(1.0 / self.l1_ratio, self.penalty)
        path = np.unique(np.geomspace(start, self.penalty, _PATH_LENGTH))[::-1] * smallest
        target = Surv.from_arrays(y["event"] == 1, y["time"])
        # Features that all but separate the patients let Coxnet's weights overflow, or its coefficients creep, at weak
        # penalties: stop earlier on the path then. At its first penalty nothing is selected.
        for end in range(len(path), 1, -1):
            model = CoxnetSurvivalAnalysis(l1_ratio=self.l1_ratio, alphas=path[:end], max_iter=_MAX_ITERATIONS)
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message="all coefficients are zero")
                    warnings.simplefilter("error", ConvergenceWarning)
                    model.fit(Z, target)
            except (ArithmeticError, ConvergenceWarning):
                continue
            self._explained = tuple(model.deviance_ratio_.tolist())
            return model.coef_[:, -1], float(path[end - 1] / smallest)
        self._explained = (0.0,)
        return np.zeros(Z.shape[1]), float(path[0] / smallest)

    def _solve_stratified(self, Z: np.ndarray, y: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, float]:
        """Solve with a baseline hazard a study, at a stronger penalty where the search does not settle."""
        smallest = _smallest_null_penalty(Z, _null_residual(y, strata))
        start = max(1.0 / self.l1_ratio, self.penalty)
        null = partial_log_likelihood(y, np.zeros(len(y)), strata)
        for penalty in np.unique(np.geomspace(self.penalty, start, _PATH_LENGTH)):
            try:
                found = _stratified_elastic_net(Z, y, strata, penalty * smallest, self.l1_ratio)
            except ArithmeticError:
                continue
            self._explained = (1 - partial_log_likelihood(y, Z @ found, strata) / null,)
            return found, float(penalty)
        self._explained = (0.0,)
        return np.zeros(Z.shape[1]), float(start)

    def training_path(self, X: pd.DataFrame, y: np.ndarray) -> np.ndarray:
        """Share of the null deviance explained at each penalty; see :meth:`RiskModel.training_path`."""
        return np.asarray(self._explained, dtype=float)


def _null_residual(y: np.ndarray, strata: np.ndarray | None = None) -> np.ndarray:
    """Martingale residuals of the model without features, a baseline hazard a stratum."""
    if strata is not None:
        found = np.empty(len(y))
        for stratum in np.unique(strata):
            found[strata == stratum] = _null_residual(y[strata == stratum])
        return found
    null = _BaselineHazard.fit(y, np.zeros(len(y)))
    hazard = np.concatenate([[0.0], np.cumsum(null.event_step)])
    return (y["event"] == 1) - hazard[np.searchsorted(null.times, y["time"], side="right")]
