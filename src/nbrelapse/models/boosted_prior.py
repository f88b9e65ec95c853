"""Boosted trees that start from the effects the literature expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

import numpy as np
import pandas as pd

from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models.base import Attribution, Features, ModelState, RiskModel
from nbrelapse.models.prior import CoxPrior
from nbrelapse.models.trees import _OBJECTIVE, Boosted, _gradient, _names_tree_parameters, _TreeParameters

if TYPE_CHECKING:
    from nbrelapse.outcome import Outcome

_NOTHING_BUT_THE_PRIOR = 1e6
"""A penalty at which coefficients do not leave what is expected of them: only the trust is learned."""


class BoostedPrior(Boosted):
    """XGBoost trees that start from expected effects instead of from nothing.

    The expected effects, times a trust that is learned first, are the trees' base margin: what is known is not to be
    learned again, and the trees add what the patients show beyond it. See :class:`CoxPrior` for both, and
    :class:`Boosted` for the parameters not named here.

    Parameters
    ----------
    prior : PriorKnowledge, optional
        What is expected. Without it this is :class:`Boosted`.

    Attributes
    ----------
    expected_ : CoxPrior
        The base margin, as a linear model.
    """

    family: ClassVar[str] = "boosted_prior"

    @_names_tree_parameters
    def __init__(
        self,
        columns: Sequence[str] | None = None,
        directions: Mapping[str, int] | None = None,
        prior: PriorKnowledge | None = None,
        **trees: Unpack[_TreeParameters],
    ) -> None:
        super().__init__(columns, directions, **trees)
        self.prior = prior

    def fit(self, X: Features, y: Outcome | pd.Series | np.ndarray) -> Self:
        """Learn the trust, grow the trees and estimate the hazards.

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
        expected = CoxPrior(self.columns, self.prior, penalty=_NOTHING_BUT_THE_PRIOR, strata=self.strata)
        self.expected_ = expected.for_trial()._fit_part(X, y)
        self.expected_._coefficients = np.nan_to_num(self.expected_.trust_) * self.expected_._expected_effects
        strata = self._training_strata(X, y)
        values, y = self._read_training(X, y)
        known, label = self.expected_._terms(values).sum(axis=1), self._label(y)
        margin = self._grow(values, label, _OBJECTIVE, base_margin=known, gradient=_gradient(label, strata))
        self.offset_ = float(margin.mean())
        self._fit_hazards(values, y, margin - self.offset_, strata)
        return self

    @property
    def constrained(self) -> frozenset[str]:
        """Features that the trees are monotone in, less those whose expected effect was turned round by the trust."""
        directions = self.directions or {}
        effects = dict(zip(self._names(), self.expected_._coefficients.tolist(), strict=True))
        return frozenset(name for name in super().constrained if effects.get(name, 0.0) * directions[name] >= 0)

    def trial_fold(self, X: pd.DataFrame, y: np.ndarray, unseen: pd.DataFrame) -> Callable[[Self], np.ndarray]:
        """Fit each trial anew; see :meth:`RiskModel.trial_fold`."""
        return RiskModel.trial_fold(self, X, y, unseen)

    def _starting_margin(self, X: pd.DataFrame) -> np.ndarray:
        return self.expected_.predict_log_risk(X)

    def predict_log_risk(self, X: Features) -> np.ndarray:
        """Log risk, shape (n_samples,)."""
        X = self._patients(X)
        return super().predict_log_risk(X) + self.expected_.predict_log_risk(X)

    def attribute(self, X: Features, background: Features | None = None) -> Attribution:
        """Exact SHAP values: those of the trees and those of the expected effects, added up."""
        X = self._patients(X)
        background = None if background is None else self._patients(background)
        trees, known = super().attribute(X, background), self.expected_.attribute(X, background)
        return Attribution(trees.baseline + known.baseline, trees.values + known.values)

    def _document(self) -> dict[str, Any]:
        document = super()._document()
        document["parameters"] |= {"prior": None if self.prior is None else self.prior.to_dict()}
        return document | {"expected": self.expected_.state().document}

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        if model.prior is not None:
            model.prior = PriorKnowledge.from_dict(state.document["parameters"]["prior"])
        model.expected_ = CoxPrior.from_state(ModelState(state.document["expected"]))
        return model
