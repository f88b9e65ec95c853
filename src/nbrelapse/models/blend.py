"""A convex combination of models of other families, and the weights of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel, _cross_fitted
from nbrelapse.models.design import _training_order
from nbrelapse.models.forest import Forest
from nbrelapse.models.hazards import partial_log_likelihood
from nbrelapse.models.linear import Cox
from nbrelapse.models.prior import CoxPrior
from nbrelapse.models.survival import SurvivalModel
from nbrelapse.models.trees import Boosted

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome

_MEMBERS: dict[str, type[SurvivalModel]] = {model.family: model for model in (Cox, CoxPrior, Boosted, Forest)}
"""Families that can be blended."""

_FEWEST_EVENTS = 10
"""With fewer the weights would be noise: they are equal then. A choice, two events a fold."""

_SHARED = ("columns", "directions", "prior", "not_assayed", "strata", "seed")


class Blend(SurvivalModel):
    r"""Weighted mean of the log risks of several models, the weights learned within the training patients.

    The weights, at least 0 and summing to 1, maximise the partial likelihood of the weighted mean of cross-fitted log
    risks (:func:`_blend_weights`): members refitted without a fold of the training patients predict that fold. With
    fewer than ten events they are equal. The hazards rest on the same cross-fitted log risks, which are as far apart
    as those of new patients, and not further. Patients who stand in X more than once (by its index), such as the
    copies in a bootstrap sample, are kept in one fold.

    Tuning chooses the parameters of each member on its own.

    Parameters
    ----------
    columns, directions, prior, not_assayed, strata, seed
        What the members are given, those that have such a parameter.
    members : sequence of str, default ``("cox", "cox_prior", "boosted")``
        Families.
    parameters : mapping of str to mapping, optional
        Other parameters by member, such as ``{"cox": {"penalty": 0.3}}``.
    folds : int, default 5
        Of the cross-fitting.

    Attributes
    ----------
    members_ : dict of str to SurvivalModel
    weights_ : dict of str to float
    baseline_, competing_
        See :class:`SurvivalModel`.
    """

    family: ClassVar[str] = "blend"

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        directions: Mapping[str, int] | None = None,
        prior: PriorKnowledge | None = None,
        *,
        members: Sequence[str] = ("cox", "cox_prior", "boosted"),
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        folds: int = 5,
        not_assayed: str = "mean",
        strata: Mapping[str, str] | pd.Series | None = None,
        seed: int = 0,
    ) -> None:
        self.columns = columns
        self.directions = directions
        self.prior = prior
        self.members = members
        self.parameters = parameters
        self.folds = folds
        self.not_assayed = not_assayed
        self.strata = strata
        self.seed = seed

    def parts(self) -> dict[str, RiskModel]:
        """Return the unfitted members.

        Raises
        ------
        InputError
            A member is unknown or named twice, or has no such parameter; or there are fewer than two folds.
        """
        self._check_parameters()
        return {name: self._member(name) for name in self.members}

    def with_parts(self, parts: Mapping[str, RiskModel]) -> Self:
        """Return an unfitted copy whose members have the parameters of those given."""
        own = {name: part.get_params(deep=False) for name, part in parts.items()}
        return clone(self).set_params(
            parameters={
                name: {key: value for key, value in values.items() if key not in _SHARED}
                for name, values in own.items()
            }
        )

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Cross-fit the members, learn the weights, and fit the members on all patients.

        Parameters
        ----------
        X : FeatureTable, DataFrame or ndarray of shape (n_samples, n_features)
        y : Outcome or structured ndarray of shape (n_samples,)

        Raises
        ------
        InputError
            X and y are of other patients, y is no time to an event, a column cannot be read, fewer than two
            patients had the event, or a parameter is illegal.
        """
        X, y = self._training(X, y)
        members, strata = self.parts(), self._training_strata(X, y)
        values, outcome = self._read_training(X, y)
        order = _training_order(X, y, self.columns)
        enough = np.count_nonzero(outcome["event"] == 1) >= _FEWEST_EVENTS
        cross_fitted = _cross_fitted(list(members.values()), X.iloc[order], outcome, self.folds) if enough else None
        self.members_ = {name: member.for_trial()._fit_part(X, y) for name, member in members.items()}
        log_risks = cross_fitted
        if log_risks is None:
            log_risks = self._log_risks(X.iloc[order])
            weights = np.full(len(members), 1 / len(members))
        else:
            weights = _blend_weights(outcome, log_risks, strata)
        self.weights_ = dict(zip(members, weights.tolist(), strict=True))
        self._fit_hazards(values, outcome, log_risks @ weights, strata)
        return self

    @property
    def exact_contributions(self) -> bool:
        """Whether those of all members that weigh are exact."""
        return all(self.members_[name].exact_contributions for name, weight in self.weights_.items() if weight > 0)

    @property
    def constrained(self) -> frozenset[str]:
        """Features that every member that weighs holds to their direction."""
        held = [self.members_[name].constrained for name, weight in self.weights_.items() if weight > 0]
        return frozenset.intersection(*held)

    def _check_parameters(self) -> None:
        unknown = [name for name in self.members if name not in _MEMBERS]
        if unknown or not self.members or len(set(self.members)) < len(self.members):
            raise InputError(
                f"illegal members {list(self.members)!r}",
                column="members",
                expected=f"some of {', '.join(_MEMBERS)}, each once",
            )
        strangers = [name for name in self.parameters or {} if name not in self.members]
        if strangers:
            raise InputError(
                f"parameters of {strangers[0]!r}, which is no member", column="parameters", fix="add it to the members"
            )
        if self.folds < 2:
            raise InputError(f"illegal folds {self.folds!r}", column="folds", expected="at least 2")

    def _member(self, name: str) -> SurvivalModel:
        model = _MEMBERS[name]()
        known = model.get_params(deep=False)
        given = dict((self.parameters or {}).get(name, {}))
        unknown = [key for key in given if key not in known or key in _SHARED]
        if unknown:
            raise InputError(
                f"the member {name!r} has no such parameter",
                column=unknown[0],
                expected=", ".join(sorted(set(known) - set(_SHARED))),
            )
        return model.set_params(**{key: getattr(self, key) for key in _SHARED if key in known}, **given)

    def _log_risks(self, X: pd.DataFrame) -> np.ndarray:
        return np.column_stack([member.predict_log_risk(X) for member in self.members_.values()])

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Weighted mean of the members' log risks, shape (n_samples,)."""
        X = self._patients(X)
        weights = np.array(list(self.weights_.values()))
        return np.asarray((self._log_risks(X) * weights).sum(axis=1))  # not @: its last bits depend on the other rows

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Weighted mean of the members' attributions."""
        X = self._patients(X)
        background = None if background is None else self._patients(background)
        found = [(self.weights_[name], member.attribute(X, background)) for name, member in self.members_.items()]
        names = list(self._features)
        values = sum(weight * attribution.values[names].to_numpy() for weight, attribution in found)
        baseline = sum(weight * attribution.baseline for weight, attribution in found)
        return Attribution(float(baseline), self._as_given(np.asarray(values), X.index))

    def state(self) -> ModelState:
        """Return the fitted model: JSON data, and the native files of the members by their names."""
        states = {name: member.state() for name, member in self.members_.items()}
        names = [str(name) for name in self._features]
        document = {
            "family": self.family,
            "parameters": {
                "members": list(self.members),
                "parameters": self.parameters and {name: dict(given) for name, given in self.parameters.items()},
                "folds": self.folds,
                "not_assayed": self.not_assayed,
                "seed": self.seed,
            },
            "features": names,
            "directions": {name: int((self.directions or {}).get(name, 0)) for name in names},
            "prior": None if self.prior is None else self.prior.to_dict(),
            "weights": self.weights_,
            "members": {name: state.document for name, state in states.items()},
        }
        blobs = {f"{name}-{file}": blob for name, state in states.items() for file, blob in state.blobs.items()}
        return ModelState(document | self._hazards(), blobs)

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        document = state.document
        prior = None if document["prior"] is None else PriorKnowledge.from_dict(document["prior"])
        own = document["parameters"] | {"members": tuple(document["parameters"]["members"])}
        model = cls(document["features"], document["directions"], prior, **own)
        model.feature_names_in_ = np.asarray(document["features"], dtype=object)
        model.weights_ = {name: float(weight) for name, weight in document["weights"].items()}
        model.members_ = {
            name: _MEMBERS[name].from_state(
                ModelState(
                    member,
                    {
                        file.removeprefix(f"{name}-"): blob
                        for file, blob in state.blobs.items()
                        if file.startswith(f"{name}-")
                    },
                )
            )
            for name, member in document["members"].items()
        }
        model._read_hazards(document)
        return model


def _blend_weights(y: np.ndarray, log_risks: np.ndarray, strata: np.ndarray | None = None) -> np.ndarray:
    """Maximise the partial likelihood of a weighted mean of log risks.

    The weights are at least 0 and sum to 1, as in Breiman's stacked regressions (1996, 10.1007/BF00117832) and the
    survival super learner (Golmakani and Polley 2020, 10.1515/ijb-2019-0065). The partial likelihood is concave in
    them, so a local maximum is the maximum.

    Parameters
    ----------
    y : structured ndarray of shape (n_samples,)
        ``event`` (1 = the event) and ``time``.
    log_risks : ndarray of shape (n_samples, n_models)
        Of patients that the models were fitted without.
    strata : ndarray of shape (n_samples,), optional
        Patients are compared with those of their own.

    Returns
    -------
    ndarray of shape (n_models,)
        Equal where the log risks do not distinguish the models.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> risk = rng.normal(size=200)
    >>> y["event"], y["time"] = 1, rng.exponential(np.exp(-risk))
    >>> bool(_blend_weights(y, np.column_stack([risk, rng.normal(size=200)]))[0] > 0.8)
    True
    """
    from scipy.optimize import minimize

    count = log_risks.shape[1]
    equal = np.full(count, 1 / count)
    if count == 1:
        return equal
    found = minimize(
        lambda weights: -partial_log_likelihood(y, log_risks @ weights, strata),
        equal,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-10},
    )
    weights = np.clip(found.x, 0.0, None)
    return weights / weights.sum()
