"""Recalibration of log risks within clinical groups, around a model of any family."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.errors import InputError
from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel, _cross_fitted
from nbrelapse.models.binary import BinaryModel
from nbrelapse.models.blend import _MEMBERS, Blend
from nbrelapse.models.boosted_prior import BoostedPrior
from nbrelapse.models.design import _training_order, read_columns
from nbrelapse.models.ensemble import Ensemble, EnsembleClassifier
from nbrelapse.models.hazards import log_likelihood, partial_log_likelihood
from nbrelapse.models.logistic import Logistic
from nbrelapse.models.survival import SurvivalModel
from nbrelapse.models.trees import BoostedClassifier
from nbrelapse.outcome import event_of, kind_of

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome

_PLAIN: dict[str, type[RiskModel]] = {
    **_MEMBERS,
    BoostedPrior.family: BoostedPrior,
    Blend.family: Blend,
    Ensemble.family: Ensemble,
    Logistic.family: Logistic,
    BoostedClassifier.family: BoostedClassifier,
    EnsembleClassifier.family: EnsembleClassifier,
}
"""Families that can be recalibrated: all but the clinical baselines."""

RISK_GROUP = "clinical__risk_group"
"""The feature that the groups come from: 2 is high-risk, less is not, NaN is not known."""

_HIGH = 2.0
_GROUPS = ("high", "not high", "unknown")

_FEWEST = 10
"""Patients with the event, and of a binary endpoint without it; fewer teach nothing. A choice, that of the blend."""

_POOLED_SD = 0.5
_GROUP_SD = 0.25
"""Prior standard deviations: of the slope that all patients share around 1, and of a group's slope and shift around
those of all. A choice, made on cross-validated predictions; see docs/decisions/047-recalibration-by-group.md."""


@dataclass(frozen=True, eq=False)
class _GroupMaps:
    """A straight line of the log risk for each clinical group.

    Parameters
    ----------
    intercepts, slopes : ndarray of shape (3,)
        Of high-risk patients, of others, and of those whose group is not known.
    shares : ndarray of shape (3,)
        Of the training patients.

    Examples
    --------
    >>> maps = _GroupMaps(np.array([1.0, 0.0, 0.0]), np.array([0.5, 1.0, 0.9]), np.array([0.4, 0.6, 0.0]))
    >>> maps.apply(np.array([2.0, 2.0, 2.0]), np.array([0, 1, 2])).tolist()
    [2.0, 2.0, 1.8]
    """

    intercepts: np.ndarray
    slopes: np.ndarray
    shares: np.ndarray

    @classmethod
    def identity(cls, groups: np.ndarray) -> Self:
        """Return maps that leave log risks as they are."""
        return cls(np.zeros(3), np.ones(3), _shares(groups))

    @classmethod
    def learn(
        cls, y: np.ndarray, log_risk: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None
    ) -> _GroupMaps:
        r"""Maximise the likelihood of the outcomes and the prior of the lines.

        The line of group g is :math:`a + b c_g + \alpha_g + \beta_g (r - c_g)`, with :math:`c_g` the group's mean log
        risk and b the slope of patients of unknown group, :math:`a + b r`. Each :math:`\beta_g` is normal around b,
        each shift :math:`\alpha_g` around 0, b around 1, and no slope is below 0: what points the wrong way says
        nothing. The likelihood is the partial one of a time to an event, where a drops out, or that of log odds.

        Parameters
        ----------
        y : ndarray of shape (n,)
        log_risk : ndarray of shape (n,)
            Of models that were fitted without the patient.
        groups : ndarray of int, shape (n,)
            See :func:`_group_of`.
        strata : ndarray of shape (n,), optional
            Of a time to an event: patients are compared with those of their own.
        """
        from scipy.optimize import minimize

        timed = kind_of(y).has_time
        centres = np.array([log_risk[groups == group].mean() if (groups == group).any() else 0.0 for group in (0, 1)])
        count = int((y["event"] == 1).sum()) if timed else len(y)

        def maps(theta: np.ndarray) -> _GroupMaps:
            level, pooled, slopes, shifts = theta[0], theta[1], theta[2:4], theta[4:6]
            lines = np.append(shifts + (pooled - slopes) * centres, 0.0)
            return cls(level + lines, np.append(slopes, pooled), _shares(groups))

        def minus_log_posterior(theta: np.ndarray) -> float:
            own = np.concatenate([theta[2:4] - theta[1], theta[4:6]])
            prior = ((theta[1] - 1) / _POOLED_SD) ** 2 + (own**2).sum() / _GROUP_SD**2
            mapped = maps(theta).apply(log_risk, groups)
            mean = partial_log_likelihood(y, mapped, strata) if timed else log_likelihood(y, mapped)
            return float(prior / 2 - count * mean)

        found = minimize(
            minus_log_posterior,
            np.array([0.0, 1.0, 1.0, 1.0, 0.0, 0.0]),
            method="L-BFGS-B",
            bounds=[(0.0, 0.0) if timed else (None, None), *[(0.0, None)] * 3, *[(None, None)] * 2],
            options={"ftol": 1e-12, "gtol": 1e-6},
        )
        return maps(found.x)

    def apply(self, log_risk: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Recalibrate log risks, shape (n,)."""
        return np.asarray(self.intercepts[groups] + self.slopes[groups] * log_risk)

    def mean_of(self, log_risk: float) -> float:
        """Return the mean over the training patients' groups of one log risk."""
        return float(self.shares @ (self.intercepts + self.slopes * log_risk))

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return plain JSON data."""
        rows = np.column_stack([self.intercepts, self.slopes, self.shares]).tolist()
        return {
            group: dict(zip(("intercept", "slope", "share"), row, strict=True))
            for group, row in zip(_GROUPS, rows, strict=True)
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Mapping[str, float]]) -> Self:
        """Return the maps written by :meth:`to_dict`, equal to the last bit."""
        columns = ("intercept", "slope", "share")
        return cls(*(np.array([float(document[group][name]) for group in _GROUPS]) for name in columns))


def _shares(groups: np.ndarray) -> np.ndarray:
    return np.bincount(groups, minlength=3) / len(groups)


def _group_of(X: pd.DataFrame) -> np.ndarray:
    """Return 0 of patients who are high-risk, 1 of others, 2 where the group is not known, shape (n_samples,)."""
    level = read_columns(X, np.array([RISK_GROUP], dtype=object))[:, 0]
    return np.where(np.isnan(level), 2, np.where(level >= _HIGH, 0, 1))


class _Recalibrated(RiskModel):
    """A model whose log risks are recalibrated by a straight line in each clinical group.

    A model of all patients separates those within the high-risk group further than it can, where what tells patients
    apart is what made them high-risk. The lines are learned (see :class:`_GroupMaps`) on log risks that were
    cross-fitted within the training patients: models refitted without a part of them predict that part. They shrink
    to one line of all patients, and that to the log risk as it is; patients whose recorded risk group
    (``clinical__risk_group``) is not known have the line of all. With fewer than ten events (of a binary endpoint
    also without it) log risks stay as they are. The hazards rest on the recalibrated cross-fitted log risks, as those
    of the blend. Within a group the ranking is that of the model; between groups the shifts move it.

    Tuning chooses the parameters of the model alone. A fit costs ``folds`` more fits of it.

    Parameters
    ----------
    model : RiskModel
        Of any family but the clinical baselines. Where its ``columns`` are not given, it reads what it would by
        default, the recorded risk group aside.
    folds : int, default 5
        Of the cross-fitting.

    Attributes
    ----------
    model_ : RiskModel
        The model, fitted on all patients.
    recalibration_ : GroupMaps
        Intercept and slope by group: ``log risk = intercept + slope * log risk of model_``.
    """

    _saved_as: ClassVar[str]
    model_: RiskModel
    recalibration_: _GroupMaps

    def __init__(self, model: RiskModel, *, folds: int = 5) -> None:
        self.model = model
        self.folds = folds

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "recalibration_")

    @property
    def plain(self) -> RiskModel:
        """The model whose log risks are recalibrated; fitted where this one is."""
        return self.model_ if self.__sklearn_is_fitted__() else self.model

    @property
    def family(self) -> str:  # type: ignore[override]
        """The family of the model."""
        return self.model.family

    @property
    def columns(self) -> list[str] | None:
        """The columns of the model, and the recorded risk group; None where the model is left to choose."""
        given = self.model.columns
        return None if given is None else [*given, *({RISK_GROUP} - set(given))]

    @property
    def recalibrated_by(self) -> str:
        """The recorded risk group."""
        return RISK_GROUP

    @property
    def exact_contributions(self) -> bool:
        """Whether those of the model are exact."""
        return self.plain.exact_contributions

    @property
    def constrained(self) -> frozenset[str]:
        """Features that the model holds to their direction: no slope is below 0."""
        return self.plain.constrained

    @property
    def expected_(self) -> np.ndarray:
        """What the model expected of each feature before it saw patients, where it did: 0 of the risk group."""
        plain: Any = self.model_
        known = dict(zip(plain.feature_names_in_, getattr(plain.expected_, "expected_", plain.expected_), strict=True))
        return np.array([known.get(name, 0.0) for name in self.feature_names_in_])

    def parts(self) -> dict[str, RiskModel]:
        """Return the model, which is tuned on its own."""
        return {"model": self.model}

    def with_parts(self, parts: Mapping[str, RiskModel]) -> Self:
        """Return an unfitted copy with another model."""
        return clone(self).set_params(**parts)

    def _default_columns(self, X: Features, table: pd.DataFrame) -> list[str] | None:
        chosen = self.model._default_columns(X, table)
        return None if chosen is None else [*chosen, *({RISK_GROUP} - set(chosen))]

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Cross-fit the model, learn the lines, and fit the model on all patients.

        Parameters
        ----------
        X : FeatureTable or DataFrame of shape (n_samples, n_features)
            With the column ``clinical__risk_group``.
        y : as the model takes it

        Raises
        ------
        InputError
            As the model raises; there are fewer than two folds, or X has no recorded risk group.
        """
        X, y = self._training(X, y)
        if self.folds < 2:
            raise InputError(f"illegal folds {self.folds!r}", column="folds", expected="at least 2")
        if RISK_GROUP not in X:
            raise InputError(
                "the features lack the risk group that log risks are recalibrated by",
                column=RISK_GROUP,
                expected="2 = high-risk, 0 to 1 = not high-risk, NaN = not known",
                fix="add the column, or use the model without recalibration",
            )
        values, outcome = self._read_training(X, y)
        X = X.iloc[_training_order(X, y, self.columns)]
        groups, strata = _group_of(X), self.model._strata(X.index)
        read = X if self.model.columns is not None else X.drop(columns=RISK_GROUP)
        cross_fitted = None
        if _enough(outcome):
            cross_fitted = _cross_fitted([self.model], read, outcome, self.folds)
        self.model_ = self.model.for_trial()._fit_part(read, outcome)
        fitted = self.model_.predict_log_risk(read)
        if cross_fitted is None:
            maps, unseen = _GroupMaps.identity(groups), fitted
        else:
            unseen = cross_fitted[:, 0]
            maps = _GroupMaps.learn(outcome, unseen, groups, strata)
        self.recalibration_ = self._centred(maps, fitted, groups)
        self._learn_rest(values, outcome, self.recalibration_.apply(unseen, groups), strata)
        return self

    def _centred(self, maps: _GroupMaps, fitted: np.ndarray, groups: np.ndarray) -> _GroupMaps:
        """Return the lines on the scale of this kind of log risk, from the model's in its training patients."""
        return maps

    def _learn_rest(self, values: np.ndarray, y: np.ndarray, log_risk: np.ndarray, strata: np.ndarray | None) -> None:
        """Learn what predictions need besides the log risk."""

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Recalibrated log risk, shape (n_samples,)."""
        X = self._patients(X)
        return self.recalibration_.apply(self.model_.predict_log_risk(X), _group_of(X))

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Attributions of the model, times the slope of the patient's group; the rest is the risk group's.

        They are the Shapley values of the recalibrated log risk given the patient's group, the group being known
        before all else (asymmetric Shapley values; Frye 2020,
        https://proceedings.neurips.cc/paper/2020/hash/0d770c496aa3da6d2c3f2bd19e7b9d6b-Abstract.html). The risk group
        is given what its line makes of the model's baseline, less the baseline here: with a background its mean log
        risk, without one the mean of the lines over the training patients' groups.
        """
        X = self._patients(X)
        background = None if background is None else self._patients(background)
        found, groups, maps = self.model_.attribute(X, background), _group_of(X), self.recalibration_
        start = maps.mean_of(found.baseline)
        if background is not None:
            start = float(self.predict_log_risk(background).mean())
        values = found.values.mul(maps.slopes[groups], axis=0)
        values = values.reindex(columns=pd.Index(self._features, tupleize_cols=False), fill_value=0.0)
        values[RISK_GROUP] += maps.apply(np.full(len(X), found.baseline), groups) - start
        return Attribution(start, self._as_given(values.to_numpy(), X.index))

    def state(self) -> ModelState:
        """Return the fitted model: JSON data, and the native files of the model within."""
        own = self.model_.state()
        document = {
            "family": self._saved_as,
            "folds": self.folds,
            "features": [str(name) for name in self._features],
            "recalibration": self.recalibration_.to_dict(),
            "model": own.document,
        }
        return ModelState(document | self._rest(), own.blobs)

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        document = state.document
        own = document["model"]
        fitted = _PLAIN[own["family"]].from_state(ModelState(own, state.blobs))
        model = cls(clone(fitted), folds=int(document["folds"]))
        model.model_ = fitted
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model.recalibration_ = _GroupMaps.from_dict(document["recalibration"])
        model._read_rest(document)
        return model

    @abstractmethod
    def _rest(self) -> dict[str, Any]:
        """Return what predictions need besides the log risk, as JSON data."""

    @abstractmethod
    def _read_rest(self, document: Mapping[str, Any]) -> None:
        """Take back what :meth:`_rest` wrote."""


def _enough(y: np.ndarray) -> bool:
    cases = int((event_of(y) == 1).sum())
    return cases >= _FEWEST and (kind_of(y).has_time or len(y) - cases >= _FEWEST)


class RecalibratedSurvival(_Recalibrated, SurvivalModel):
    """A model of a time to an event, recalibrated within clinical groups; see :class:`_Recalibrated`.

    Parameters
    ----------
    model : SurvivalModel
    folds : int, default 5

    Attributes
    ----------
    model_, recalibration_
        See :class:`_Recalibrated`.
    baseline_, competing_
        See :class:`SurvivalModel`.

    Examples
    --------
    Among high-risk patients ``x`` says nothing:

    >>> from nbrelapse.models import Cox
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"x": rng.normal(size=400), RISK_GROUP: np.repeat([0.0, 2.0], 200)})
    >>> hazard = np.exp(np.where(X[RISK_GROUP] == 2, 1.0, X["x"]))
    >>> y = np.zeros(400, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / hazard)
    >>> high, other, _ = RecalibratedSurvival(Cox(["x"], penalty=0.01)).fit(X, y).recalibration_.slopes
    >>> bool(high < 0.6 < other)
    True
    """

    _saved_as: ClassVar[str] = "recalibrated"

    def _centred(self, maps: _GroupMaps, fitted: np.ndarray, groups: np.ndarray) -> _GroupMaps:
        return replace(maps, intercepts=maps.intercepts - maps.apply(fitted, groups).mean())

    def _learn_rest(self, values: np.ndarray, y: np.ndarray, log_risk: np.ndarray, strata: np.ndarray | None) -> None:
        self._fit_hazards(values, y, log_risk, strata)

    def _rest(self) -> dict[str, Any]:
        return self._hazards()

    def _read_rest(self, document: Mapping[str, Any]) -> None:
        self._read_hazards(document)


class RecalibratedBinary(_Recalibrated, BinaryModel):
    """A model of a binary endpoint, recalibrated within clinical groups; see :class:`_Recalibrated`.

    The lines take the place of the one line that the model would be calibrated by.

    Parameters
    ----------
    model : BinaryModel
    folds : int, default 5

    Attributes
    ----------
    model_, recalibration_
        See :class:`_Recalibrated`; ``model_`` is as fitted, not calibrated.
    classes_ : ndarray of shape (2,)
        See :class:`BinaryModel`.
    """

    _saved_as: ClassVar[str] = "recalibrated_binary"

    def _rest(self) -> dict[str, Any]:
        return self._class_document()

    def _read_rest(self, document: Mapping[str, Any]) -> None:
        self._read_classes(document)


def recalibrated(model: RiskModel, *, folds: int = 5) -> RecalibratedSurvival | RecalibratedBinary:
    """Wrap a model of any family so that its log risks are recalibrated within clinical groups.

    Parameters
    ----------
    model : RiskModel
        Unfitted.
    folds : int, default 5
        Of the cross-fitting that the lines are learned on.

    Returns
    -------
    RecalibratedSurvival or RecalibratedBinary
        Unfitted; tuned, validated, explained and saved as any other model. Its X has ``clinical__risk_group``.

    Raises
    ------
    InputError
        The model is a clinical baseline, is recalibrated already, or is another package's.

    Examples
    --------
    >>> from nbrelapse.models import Cox
    >>> recalibrated(Cox(penalty=0.3)).plain
    Cox(penalty=0.3)
    """
    if type(model) not in _PLAIN.values():
        raise InputError(
            f"{type(model).__name__} cannot be recalibrated", column="model", expected=", ".join(sorted(_PLAIN))
        )
    return (RecalibratedSurvival if isinstance(model, SurvivalModel) else RecalibratedBinary)(model, folds=folds)
