"""Ridge regression of either kind of outcome with its leave-one-out predictions: the members of an ensemble."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit

from nbrelapse.models.hazards import _LARGEST_LINEAR, _risk_sets, _RiskSet
from nbrelapse.outcome import kind_of

_STEPS = 100
_HALVINGS = 20
_SETTLED = 1e-12
"""Of what a further step would gain in the objective, whose unit is a log likelihood."""

_SLOW = 0.2
"""A step that leaves more than this share of the expected gain asks for second derivatives where it has come to."""

_INTERCEPT_SD = 100.0
"""Prior standard deviation of the intercept of a logistic regression: none to speak of."""

_LARGEST_LEVERAGE = 0.999


class _At(NamedTuple):
    """A log likelihood at some log risks.

    Parameters
    ----------
    value : float
    residual : ndarray of shape (n,)
        Derivatives by the log risks.
    curvature : ndarray of shape (n,)
        Minus the second derivatives, each by one log risk.
    information : callable
        Takes a design, shape (n, k), and returns minus the second derivatives by its coefficients, shape (k, k).
    """

    value: float
    residual: np.ndarray
    curvature: np.ndarray
    information: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Ridge:
    """A fitted ridge regression; each coefficient has a normal prior of mean 0 and variance 1.

    Parameters
    ----------
    coefficients : ndarray of shape (n_columns,)
    log_risk, residual, curvature, leverage : ndarray of shape (n,)
        Of the patients fitted: the linear predictor, the derivatives of the log likelihood by it, and the diagonal of
        W A⁻¹ Wᵀ, with A minus the second derivatives of the objective.
    """

    coefficients: np.ndarray
    log_risk: np.ndarray
    residual: np.ndarray
    curvature: np.ndarray
    leverage: np.ndarray

    @classmethod
    def fit(cls, W: np.ndarray, y: np.ndarray, offset: np.ndarray, strata: np.ndarray | None = None) -> Self:
        """Maximise the log likelihood less half the squares of the coefficients.

        Cox's partial likelihood after Breslow of a time to an event, the logistic likelihood with an intercept of 0
        and 1. Newton's method; second derivatives are taken anew only where steps with the old ones gain little.

        Parameters
        ----------
        W : ndarray of shape (n, n_columns)
        y : ndarray of shape (n,)
            ``event`` (1 = the event; a competing event is censoring) and ``time``; or 0 and 1.
        offset : ndarray of shape (n,)
            Added to the linear predictor.
        strata : ndarray of shape (n,), optional
            Each has a baseline hazard, or an intercept, of its own.

        Raises
        ------
        ArithmeticError
            The search does not settle.

        Examples
        --------
        >>> y = np.array([(1, 1.0), (1, 2.0), (0, 3.0)], dtype=[("event", np.int8), ("time", float)])
        >>> fit = _Ridge.fit(np.array([[1.0], [0.0], [-1.0]]), y, np.zeros(3))
        >>> fit.coefficients.round(3).tolist(), fit.left_out(np.arange(3)).round(2).tolist()
        ([0.816], [0.55, 0.0, -0.51])
        """
        if kind_of(y).has_time:
            order, risk_sets = _risk_sets(y, strata)
            likelihood = _partial(risk_sets, len(y))
            columns, centre = 0, W.mean(axis=0)  # which changes no partial likelihood
        else:
            order, likelihood = np.arange(len(y)), _bernoulli(y.astype(float))
            groups = np.zeros(len(y)) if strata is None else strata
            intercepts = _INTERCEPT_SD * (groups[:, None] == np.unique(groups))
            columns, centre = intercepts.shape[1], 0.0
            W = np.hstack([W, intercepts])
        coefficients, *of_patients = _fitted((W - centre)[order], offset[order], likelihood)
        log_risk, *others = (values[np.argsort(order)] for values in of_patients)
        log_risk = log_risk + np.sum(centre * coefficients)
        return cls(coefficients[: W.shape[1] - columns], log_risk, *others)

    def left_out(self, patients: np.ndarray) -> np.ndarray:
        """Return log risks of each patient by the regression without him, to the first order.

        One Newton step from the fit (Meijer and Goeman 2013, 10.1002/bimj.201200088), with the baseline hazard held:
        nothing is fitted again. On simulated cohorts it agrees with leaving each patient out with a correlation of
        0.998 to 1.000, and what a patient's own outcome adds to his log risk is met to 2 to 7 % of it.

        Parameters
        ----------
        patients : ndarray of int, shape (n,)
            Whose row each is: all rows of a patient who is there more than once, as in bootstrap samples, are left out
            together. They are alike.
        """
        n = patients.max() + 1
        residual = np.bincount(patients, self.residual, n)[patients]
        curvature = np.bincount(patients, self.curvature, n)[patients]
        share = np.minimum(self.leverage * curvature, _LARGEST_LEVERAGE)
        return np.asarray(self.log_risk - self.leverage * residual / (1.0 - share))


def _fitted(
    W: np.ndarray, offset: np.ndarray, likelihood: Callable[[np.ndarray], _At]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the fields of :class:`_Ridge`, the patients in the order that they came."""
    beta = np.zeros(W.shape[1])
    at = likelihood(offset)
    objective, gradient = at.value, W.T @ at.residual
    root = _root(at, W)
    gain = np.inf
    for _ in range(_STEPS):
        step = cho_solve(root, gradient, check_finite=False)
        last, gain = gain, float(gradient @ step) / 2
        if gain < _SETTLED:
            break
        if gain > _SLOW * last:
            root = _root(at, W)
            step = cho_solve(root, gradient, check_finite=False)
            gain = float(gradient @ step) / 2
        for _ in range(_HALVINGS):
            proposed = beta + step
            at = likelihood(offset + W @ proposed)
            reached = at.value - float(proposed @ proposed) / 2
            if reached >= objective - 1e-10 * max(1.0, abs(objective)):
                break
            step = step / 2
        beta, objective = proposed, reached
        gradient = W.T @ at.residual - beta
    else:
        raise ArithmeticError("the ridge regression does not settle")
    spread = solve_triangular(_root(at, W)[0], W.T, lower=True, check_finite=False)
    return beta, offset + W @ beta, at.residual, at.curvature, (spread**2).sum(axis=0)


def _root(at: _At, W: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the Cholesky factor of minus the second derivatives of the objective."""
    information = at.information(W)
    information[np.diag_indices_from(information)] += 1.0
    factor: tuple[np.ndarray, bool] = cho_factor(information, lower=True, overwrite_a=True, check_finite=False)
    return factor


def _partial(risk_sets: list[_RiskSet], n: int) -> Callable[[np.ndarray], _At]:
    """Cox's partial likelihood of patients in the order of :func:`_risk_sets`."""

    def at(log_risk: np.ndarray) -> _At:
        value, residual, curvature = 0.0, np.zeros(n), np.zeros(n)
        parts = []
        for own in risk_sets:
            linear = np.clip(log_risk[own.rows], -_LARGEST_LINEAR, _LARGEST_LINEAR)
            largest = linear.max()
            hazard = np.exp(linear - largest)
            at_risk = np.cumsum(hazard)[own.last]
            first, second = (
                np.cumsum(np.bincount(own.last, at_risk**-power, minlength=len(linear))[::-1])[::-1] for power in (1, 2)
            )
            exposure = first * hazard
            value += float(linear[own.event].sum() - np.log(at_risk).sum() - len(own.last) * largest)
            residual[own.rows] = own.event - exposure
            curvature[own.rows] = exposure - second * hazard**2
            parts.append((own, hazard, at_risk, exposure))
        return _At(value, residual, curvature, lambda W: _information(W, parts))

    return at


def _information(W: np.ndarray, parts: list[tuple[_RiskSet, np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    total = np.zeros((W.shape[1], W.shape[1]))
    for own, hazard, at_risk, exposure in parts:
        rows = W[own.rows]
        means = np.cumsum(hazard[:, None] * rows, axis=0)[own.last] / at_risk[:, None]
        total += (rows * exposure[:, None]).T @ rows - means.T @ means
    return total


def _bernoulli(y: np.ndarray) -> Callable[[np.ndarray], _At]:
    """Likelihood of 0 and 1."""

    def at(log_odds: np.ndarray) -> _At:
        probability = expit(log_odds)
        weight = probability * (1 - probability)
        value = float(np.sum(y * log_odds - np.logaddexp(0.0, log_odds)))
        return _At(value, y - probability, weight, lambda W: (W * weight[:, None]).T @ W)

    return at
