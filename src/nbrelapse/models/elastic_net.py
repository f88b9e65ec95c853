"""What the elastic-net regressions share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nbrelapse.errors import InputError
from nbrelapse.models.linear_model import LinearModel
from nbrelapse.models.risk_model import ModelState
from nbrelapse.models.standardise import Standardised

if TYPE_CHECKING:
    import optuna


class ElasticNet(LinearModel):
    """Elastic-net regression of a log risk on standardised features.

    See :class:`LinearModel` for what becomes of missing values, and for the other attributes.

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
    ) -> None:
        self.columns = columns
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.not_assayed = not_assayed

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

    def _fit_standardised(self, found: Standardised, y: np.ndarray) -> None:
        """Set ``coefficients_`` and ``missing_effects_``."""
        self._check_parameters()
        solution, self.penalty_ = np.zeros(found.Z.shape[1]), self.penalty
        if found.Z.shape[1]:
            solution, self.penalty_ = self._solve(found.Z, y)
        self.coefficients_, self.missing_effects_ = found.unscale(solution)

    @abstractmethod
    def _solve(self, Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients of standardised features, and the penalty they were fitted with."""

    def _document(self) -> dict[str, Any]:
        return super()._document() | {"penalty": self.penalty_}

    @classmethod
    def from_state(cls, state: ModelState) -> Self:
        """Return the fitted model again."""
        model = super().from_state(state)
        model.penalty_ = float(state.document["penalty"])
        return model


def smallest_null_penalty(Z: np.ndarray, residual: np.ndarray) -> float:
    """Return the smallest lasso penalty at which all coefficients are 0: the largest score at the null, per patient.

    Parameters
    ----------
    Z : ndarray of shape (n, n_features)
        Standardised features.
    residual : ndarray of shape (n,)
        Observed less expected events, were the features of no account.
    """
    return float(max(np.abs(Z.T @ residual).max() / len(residual), 1e-12))
