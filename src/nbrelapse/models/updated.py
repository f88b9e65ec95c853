"""Updating a fitted model on other patients: in the large, or its slope as well, around a model of any family."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import chdtrc
from sklearn.utils.validation import check_is_fitted

from nbrelapse.errors import InputError
from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel
from nbrelapse.models.binary import BinaryModel, weighted_logistic
from nbrelapse.models.design import read_columns
from nbrelapse.models.hazards import FEWEST_COMPETING_EVENTS, _relative_hazard, log_likelihood
from nbrelapse.models.recalibration import _PLAIN, RecalibratedBinary, RecalibratedSurvival
from nbrelapse.models.survival import SurvivalModel

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome

EVENTS_A_PARAMETER = 10
"""Fewer events do not bear one parameter (Peduzzi 1995, 10.1016/0895-4356(95)00048-8)."""

LEAST_SLOPE = 0.01
"""No slope is lower: risks that point the wrong way say nothing, and are not turned round."""

_SIGNIFICANT = 0.05
_ITERATIONS = 50
_TOLERANCE = 1e-9
_LARGEST_STEP = 2.0


@dataclass(frozen=True)
class Update:
    """What an update does to a model.

    Parameters
    ----------
    method : {"none", "in the large", "slope"}
        What the tests chose; ``slope`` changes both.
    shift : float
        Added to the log cumulative hazard of the event, or to the log odds.
    slope : float
        By which the log risk is multiplied.
    competing_shift : float
        Added to the log cumulative hazard of the competing event.
    tests : tuple of mapping
        ``hypothesis``, ``statistic``, ``degrees`` and ``p`` of each test that was done, in their order.
    """

    method: str = "none"
    shift: float = 0.0
    slope: float = 1.0
    competing_shift: float = 0.0
    tests: tuple[Mapping[str, Any], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the model is another one than before."""
        return self.method != "none" or self.competing_shift != 0.0

    def numbers(self) -> dict[str, float]:
        """Return what makes the model, without how it was found."""
        return {name: value for name, value in asdict(self).items() if name in ("shift", "slope", "competing_shift")}


class _Updated(RiskModel):
    r"""A fitted model that is updated on patients it was not fitted on.

    ``fit`` keeps the model as it is and chooses between three: no change, recalibration in the large (the level of the
    hazard, or the intercept), and recalibration of the level and of the slope [1]_. It is a closed testing procedure
    of likelihood ratios [2]_: where level and slope together are not significantly better than the model as it is (2
    degrees of freedom), nothing is changed; else, where they are not better than the level alone (1 degree), that is
    changed; else both. Each patient's log risk keeps its place: the ranking never changes.

    Parameters
    ----------
    model : RiskModel
        Fitted.
    slope_allowed : bool, default True
        False: the slope is left at 1, and the first test is of the level, with 1 degree of freedom.

    Attributes
    ----------
    update_ : Update

    References
    ----------
    .. [1] Steyerberg 2004, Statistics in Medicine, 10.1002/sim.1844
    .. [2] Vergouwe 2017, Statistics in Medicine, 10.1002/sim.7179
    """

    _saved_as: ClassVar[str]
    update_: Update

    def __init__(self, model: RiskModel, *, slope_allowed: bool = True) -> None:
        self.model = model
        self.slope_allowed = slope_allowed

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "update_")

    @property
    def plain(self) -> RiskModel:
        """The model of a family that is updated, without any recalibration."""
        return self.model.plain

    @property
    def family(self) -> str:  # type: ignore[override]
        """The family of the model."""
        return self.model.family

    @property
    def columns(self) -> list[str]:
        """What the model reads."""
        return [str(name) for name in self.model.feature_names_in_]

    @property
    def recalibrated_by(self) -> str | None:
        """The feature that tells the groups within which the model is recalibrated."""
        return self.model.recalibrated_by

    @property
    def exact_contributions(self) -> bool:
        """Whether those of the model are exact."""
        return self.model.exact_contributions

    @property
    def constrained(self) -> frozenset[str]:
        """Features that the model holds to their direction: the slope is above 0."""
        return self.model.constrained

    @property
    def expected_(self) -> np.ndarray:
        """What the model expected of each feature before it saw patients, times the slope; only of some families."""
        within: Any = self.model
        found = within.expected_
        return np.asarray(self.update_.slope * getattr(found, "expected_", found))

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Choose the update.

        Parameters
        ----------
        X : FeatureTable or DataFrame of shape (n_samples, n_features)
        y : as the model takes it

        Raises
        ------
        InputError
            As the model raises.
        """
        check_is_fitted(self.model)
        table, outcome = self._training(X, y)
        return self._take(self._choose(table, outcome))

    def _take(self, update: Update) -> Self:
        """Become the model after an update."""
        self.update_ = update
        self._features, self._given = self.model._features, self.model._given
        self._apply()
        return self

    @abstractmethod
    def _choose(self, X: pd.DataFrame, y: np.ndarray) -> Update:
        """Return the update that the outcomes ask for."""

    @abstractmethod
    def _apply(self) -> None:
        """Learn from the update what predictions need besides the log risk."""

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Attributions of the model times the slope: they add up to the updated log risk."""
        found = self.model.attribute(X, background)
        return Attribution(self._mapped(found.baseline), self.update_.slope * found.values)

    def _mapped(self, log_risk: Any) -> Any:
        """Return updated log risks."""
        return self.update_.slope * log_risk

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Return the updated log risk, shape (n_samples,)."""
        check_is_fitted(self)
        return np.asarray(self._mapped(self.model.predict_log_risk(X)))

    def state(self) -> ModelState:
        """Return the model and its update: JSON data, and the native files of the model within."""
        own = self.model.state()
        document = {
            "family": self._saved_as,
            "features": [str(name) for name in self._features],
            "update": self.update_.numbers(),
            "model": own.document,
        }
        return ModelState(document, own.blobs)

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        own = ModelState(state.document["model"], state.blobs)
        within = _WITHIN[own.document["family"]].from_state(own)
        return cls(within)._take(Update("", **state.document["update"]))


_WITHIN: dict[str, type[RiskModel]] = {
    **_PLAIN,
    RecalibratedSurvival._saved_as: RecalibratedSurvival,
    RecalibratedBinary._saved_as: RecalibratedBinary,
}


class UpdatedSurvival(_Updated, SurvivalModel):
    r"""A model of a time to an event, updated on other patients; see :class:`_Updated`.

    The level of the hazard is that of the patients: with r the model's log risk and H its cumulative baseline hazard,
    the updated one is :math:`e^{a + b r} H(t)`. The likelihood is that of a Poisson regression of the events with the
    expected ones, :math:`e^{r} H(t)`, as offset [1]_, up to the end of the follow-up that carries the model; the course
    of the hazard over time stays the model's. The competing hazard is multiplied where ten competing events show, by a
    test of their own, that it is another one; it does not depend on b.

    Parameters
    ----------
    model : SurvivalModel
    slope_allowed : bool, default True

    Attributes
    ----------
    update_ : Update
    baseline_, competing_
        See :class:`SurvivalModel`.

    References
    ----------
    .. [1] Crowson 2016, Statistical Methods in Medical Research, 10.1177/0962280213497434

    Examples
    --------
    Twice the hazard of the training patients, and no other difference:

    >>> import pandas as pd
    >>> from nbrelapse.models import Cox
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"x": rng.normal(size=400)})
    >>> y = np.zeros(400, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = rng.integers(0, 2, 400), rng.exponential(1000 / np.exp(X["x"]))
    >>> model, sooner = Cox(penalty=0.01).fit(X, y), y.copy()
    >>> sooner["time"] /= 2
    >>> found = UpdatedSurvival(model).fit(X, sooner).update_
    >>> found.method, round(float(np.exp(found.shift)), 1)
    ('in the large', 2.0)
    """

    _saved_as: ClassVar[str] = "updated"

    def _choose(self, X: pd.DataFrame, y: np.ndarray) -> Update:
        model = self.model
        assert isinstance(model, SurvivalModel)
        baseline = model.baseline_
        log_risk = model.predict_log_risk(X)
        time = np.minimum(y["time"], model.followed_days)
        reached = np.searchsorted(baseline.times, time, side="right")
        competing = baseline.competing_slope * log_risk
        if model.competing_ is not None:
            competing = model.competing_.log_risk(read_columns(X, model._features), log_risk)
        event, other = ((y["event"] == code) & (y["time"] <= model.followed_days) for code in (1, 2))
        expected, expected_other = (
            np.append(0.0, np.cumsum(step))[reached] * _relative_hazard(risk)
            for step, risk in ((baseline.event_step, log_risk), (baseline.competing_step, competing))
        )

        def maximum(terms: np.ndarray) -> tuple[np.ndarray, float]:
            return _poisson(terms, event.astype(float), expected)

        found = _closed_test(log_risk, maximum, float(-expected.sum()), self.slope_allowed)
        return _with_competing(found, other.astype(float), expected_other)

    def _apply(self) -> None:
        model, update = self.model, self.update_
        assert isinstance(model, SurvivalModel)
        self.baseline_ = replace(
            model.baseline_,
            event_step=model.baseline_.event_step * np.exp(update.shift),
            competing_step=model.baseline_.competing_step * np.exp(update.competing_shift),
            competing_slope=model.baseline_.competing_slope / update.slope,
        )
        own = model.competing_
        self.competing_ = None if own is None else replace(own, slope=own.slope / update.slope)


class UpdatedBinary(_Updated, BinaryModel):
    """A model of a binary endpoint, updated on other patients; see :class:`_Updated`.

    The updated log odds are ``shift + slope * log odds``.

    Parameters
    ----------
    model : BinaryModel
    slope_allowed : bool, default True

    Attributes
    ----------
    update_ : Update
    classes_ : ndarray of shape (2,)
        See :class:`BinaryModel`.
    """

    _saved_as: ClassVar[str] = "updated_binary"

    def _choose(self, X: pd.DataFrame, y: np.ndarray) -> Update:
        log_odds, ones = self.model.predict_log_risk(X), np.ones((len(y), 1))

        def maximum(terms: np.ndarray) -> tuple[np.ndarray, float]:
            found = weighted_logistic(terms, y.astype(float), ones, offset=log_odds)[:, 0]
            return found, len(y) * log_likelihood(y, log_odds + terms @ found)

        return _closed_test(log_odds, maximum, len(y) * log_likelihood(y, log_odds), self.slope_allowed)

    def _mapped(self, log_risk: Any) -> Any:
        return self.update_.shift + self.update_.slope * log_risk

    def _apply(self) -> None:
        assert isinstance(self.model, BinaryModel)
        self.classes_ = self.model.classes_


def _closed_test(
    log_risk: np.ndarray, maximum: Callable[[np.ndarray], tuple[np.ndarray, float]], unchanged: float, slope: bool
) -> Update:
    """Choose between no update, that of the level, and that of level and slope.

    Parameters
    ----------
    log_risk : ndarray of shape (n,)
    maximum : callable
        Takes the terms of a regression with the model as offset, shape (n, n_terms); returns their coefficients and the
        log likelihood.
    unchanged : float
        Log likelihood of the model as it is.
    slope : bool
        Whether the slope may change.
    """
    ones = np.ones(len(log_risk))
    level, of_level = maximum(ones[:, None])
    if not np.isfinite(of_level):
        return Update()
    in_the_large = Update("in the large", float(level[0]))
    tests: list[dict[str, Any]] = []

    def better(hypothesis: str, statistic: float, degrees: int) -> bool:
        p = float(chdtrc(degrees, max(0.0, statistic)))
        tests.append({"hypothesis": hypothesis, "statistic": float(statistic), "degrees": degrees, "p": p})
        return p < _SIGNIFICANT

    both, of_both = (np.zeros(2), -np.inf)
    if slope and np.ptp(log_risk) > 0:
        both, of_both = maximum(np.column_stack([ones, log_risk]))
    if not np.isfinite(of_both):
        changed = better("the level is right", 2 * (of_level - unchanged), 1)
        return replace(in_the_large if changed else Update(), tests=tuple(tests))
    if not better("level and slope are right", 2 * (of_both - unchanged), 2):
        return Update(tests=tuple(tests))
    if not better("the slope is right", 2 * (of_both - of_level), 1):
        return replace(in_the_large, tests=tuple(tests))
    factor = max(LEAST_SLOPE, 1 + float(both[1]))
    shift = float(level[0] if factor == LEAST_SLOPE else both[0])
    return Update("slope", shift, factor, tests=tuple(tests))


def _with_competing(found: Update, events: np.ndarray, expected: np.ndarray) -> Update:
    """Add the level of the competing hazard, where its events show that it is another one."""
    observed, total = float(events.sum()), float(expected.sum())
    if observed < FEWEST_COMPETING_EVENTS or total <= 0:
        return found
    shift = float(np.log(observed / total))
    statistic = 2 * (observed * shift - (observed - total))
    p = float(chdtrc(1, max(0.0, statistic)))
    test = {"hypothesis": "the level of competing events is right", "statistic": statistic, "degrees": 1, "p": p}
    return replace(found, competing_shift=shift if p < _SIGNIFICANT else 0.0, tests=(*found.tests, test))


def _poisson(terms: np.ndarray, events: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, float]:
    """Return coefficients and log likelihood (that of no effect is minus the expected events), by Newton's method.

    Examples
    --------
    >>> found, likelihood = _poisson(np.ones((2, 1)), np.array([1.0, 1.0]), np.array([0.5, 0.5]))
    >>> round(float(np.exp(found[0])), 6)
    2.0
    """
    found = np.zeros(terms.shape[1])
    for _ in range(_ITERATIONS):
        hazard = expected * _relative_hazard(terms @ found)
        information = terms.T @ (hazard[:, None] * terms)
        if not events.any() or np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return found, -np.inf
        step = np.linalg.solve(information, terms.T @ (events - hazard))
        step *= min(1.0, _LARGEST_STEP / max(np.abs(step).max(), _TOLERANCE))
        found = found + step
        if np.abs(step).max() < _TOLERANCE:
            break
    linear = terms @ found
    return found, float(events @ linear - (expected * _relative_hazard(linear)).sum())


def updated(model: RiskModel, update: Update | None = None, *, slope_allowed: bool = True) -> _Updated:
    """Wrap a fitted model so that it can be updated on other patients, or as it was updated.

    Parameters
    ----------
    model : RiskModel
        Fitted. Of one that was updated before, both updates become one.
    update : Update, optional
        What to do to it. Without it ``fit`` chooses.
    slope_allowed : bool, default True
        Whether ``fit`` may change the slope.

    Returns
    -------
    UpdatedSurvival or UpdatedBinary

    Raises
    ------
    InputError
        The model is a clinical baseline or another package's.

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.models import Logistic
    >>> X = pd.DataFrame({"x": np.tile([0.0, 1.0, 2.0, 3.0], 20)})
    >>> model = Logistic(["x"], penalty=0.01).fit(X, np.tile([0, 1, 0, 1], 20))
    >>> twice = updated(updated(model, Update("slope", 0.5, 2.0)), Update("slope", 0.1, 0.5))
    >>> bool(np.allclose(twice.predict_log_risk(X), 0.1 + 0.5 * (0.5 + 2 * model.predict_log_risk(X))))
    True
    """
    within: RiskModel = model.model if isinstance(model, _Updated) and update is not None else model
    if type(within) not in {*_WITHIN.values(), UpdatedSurvival, UpdatedBinary}:
        raise InputError(f"{type(model).__name__} cannot be updated", column="model", expected=", ".join(_PLAIN))
    binary = isinstance(within, BinaryModel)
    kind: type[UpdatedSurvival | UpdatedBinary] = UpdatedBinary if binary else UpdatedSurvival
    if update is None:
        return kind(within, slope_allowed=slope_allowed)
    if isinstance(model, _Updated):
        before = model.update_
        update = replace(
            update,
            shift=update.shift + (update.slope * before.shift if binary else before.shift),
            slope=update.slope * before.slope,
            competing_shift=update.competing_shift + before.competing_shift,
        )
    return kind(within)._take(update)
