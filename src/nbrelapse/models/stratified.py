"""A baseline hazard, or an intercept, of each study, in the families whose libraries know of one for all."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.special import logit

from nbrelapse.models.hazards import _BaselineHazard, _derivatives, _risk_sets

_STEPS = 50
_HALVINGS = 20
_TOLERANCE = 1e-9
"""Of the objective, a mean log likelihood a patient."""

_RIDGE = 1e-8
"""Added to the curvature, which a constant or repeated column leaves without an inverse."""


def _stratified_elastic_net(
    Z: np.ndarray, y: np.ndarray, strata: np.ndarray, alpha: float, l1_ratio: float
) -> np.ndarray:
    """Minimise minus the log partial likelihood a patient plus an elastic-net penalty, a baseline hazard a stratum.

    scikit-survival's Coxnet has no strata. Newton's steps, each a lasso on the quadratic form of the likelihood that
    scikit-learn's coordinate descent solves (proximal Newton, Lee 2014, 10.1137/130921428); a step that does not lower
    the objective is halved. With one stratum the answer is Coxnet's.

    Parameters
    ----------
    Z : ndarray of shape (n, n_columns)
        Standardised, no missing values.
    y : structured ndarray of shape (n,)
        ``event`` (1 = the event) and ``time``.
    strata : ndarray of shape (n,)
    alpha : float
        Strength; the penalty is ``alpha * (l1_ratio * |b| + (1 - l1_ratio) / 2 * b ** 2)``, summed.
    l1_ratio : float
        Above 0, at most 1.

    Returns
    -------
    ndarray of shape (n_columns,)

    Raises
    ------
    ArithmeticError
        The search does not settle.

    Examples
    --------
    Within either study the carriers have the event first; together the late study hides it.

    >>> y = np.array([(1, 1.0), (1, 2.0), (1, 9.0), (1, 10.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> Z = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    >>> [bool(_stratified_elastic_net(Z, y, np.array(list(labels)), 0.1, 0.5)[0] > 1) for labels in ("aabb", "aaaa")]
    [True, False]
    """
    order, risk_sets = _risk_sets(y, strata)
    W, n = Z[order], len(Z)
    nothing = np.zeros(n)

    def smooth(at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        value, gradient = alpha * (1 - l1_ratio) * float(at @ at) / 2, alpha * (1 - l1_ratio) * at
        curvature = (alpha * (1 - l1_ratio) + _RIDGE) * np.eye(len(at))
        for stratum in risk_sets:
            rows = stratum.rows
            own = _derivatives(W[rows], nothing[rows], stratum.event, stratum.last, at)
            value, gradient, curvature = value - own[0] / n, gradient - own[1] / n, curvature + own[2] / n
        return value, gradient, curvature

    lasso = alpha * l1_ratio
    found = np.zeros(Z.shape[1])
    value, gradient, curvature = smooth(found)
    for _ in range(_STEPS):
        move = _lasso_step(found, gradient, curvature, lasso) - found
        for _ in range(_HALVINGS):
            proposed = found + move
            reached, gradient, curvature = smooth(proposed)
            gain = value + lasso * np.abs(found).sum() - reached - lasso * np.abs(proposed).sum()
            if gain >= -_TOLERANCE:
                break
            move = move / 2
        found, value = proposed, reached
        if abs(gain) < _TOLERANCE:
            return found
    raise ArithmeticError("the stratified Cox regression does not settle")


def _lasso_step(at: np.ndarray, gradient: np.ndarray, curvature: np.ndarray, lasso: float) -> np.ndarray:
    """Minimise the quadratic form around ``at`` plus the lasso, as least squares on a root of the curvature."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    try:
        root = cholesky(curvature, lower=True)
    except (LinAlgError, ValueError):
        raise ArithmeticError("the curvature has no inverse") from None
    target = solve_triangular(root, curvature @ at - gradient, lower=True)
    solver = Lasso(alpha=lasso / len(at), fit_intercept=False, tol=1e-10, max_iter=20_000)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            return np.asarray(solver.fit(root.T, target).coef_)
    except ConvergenceWarning:
        raise ArithmeticError("the stratified Cox regression does not settle") from None


def _cox_gradient(label: np.ndarray, strata: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return what gives gradient and curvature of XGBoost's ``survival:cox``, with risk sets within strata.

    Parameters
    ----------
    label : ndarray of shape (n,)
        Ranks of the times without ties, negative where the event was not seen.
    strata : ndarray of shape (n,)

    Returns
    -------
    callable
        Takes margins, shape (n,); returns the first and second derivatives of minus the log partial likelihood.

    Examples
    --------
    >>> gradient, curvature = _cox_gradient(np.array([1.0, -2.0, 3.0, -4.0]), np.array(list("aabb")))(np.zeros(4))
    >>> gradient.tolist(), curvature.tolist()
    ([-0.5, 0.5, -0.5, 0.5], [0.25, 0.25, 0.25, 0.25])
    """
    event = (label > 0).astype(float)
    codes = np.unique(strata, return_inverse=True)[1]
    members = [np.flatnonzero(codes == code) for code in range(codes.max(initial=-1) + 1)]
    members = [own[np.argsort(np.abs(label[own]))] for own in members]

    def derivatives(margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient, curvature = np.empty(len(margin)), np.empty(len(margin))
        for own in members:
            hazard = np.exp(margin[own] - margin[own].max())
            at_risk = np.cumsum(hazard[::-1])[::-1]
            once, twice = np.cumsum(event[own] / at_risk), np.cumsum(event[own] / at_risk**2)
            gradient[own] = hazard * once - event[own]
            curvature[own] = hazard * once - hazard**2 * twice
        return gradient, curvature

    return derivatives


def _on_own_clock(y: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return outcomes whose times are each study's own cumulative hazard at that day, by Nelson and Aalen.

    On this clock every study has the same hazard, the one of an average patient of its own: a method without strata
    compares patients of several studies as if each had been compared with those of its own. The order within a study
    stays.

    Examples
    --------
    >>> y = np.array([(1, 1.0), (1, 2.0), (1, 90.0), (0, 99.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> _on_own_clock(y, np.array(list("aabb")))["time"].round(3).tolist()
    [0.5, 1.5, 0.5, 0.5]
    """
    found = y.copy()
    for stratum in np.unique(strata):
        own = strata == stratum
        hazard = _BaselineHazard.fit(y[own], np.zeros(own.sum()))
        steps = np.concatenate([[0.0], np.cumsum(hazard.event_step)])
        found["time"][own] = steps[np.searchsorted(hazard.times, y["time"][own], side="right")]
    # Whoever left before the first event of his study was not there when anybody had it.
    found["time"] = np.maximum(found["time"], np.finfo(np.float32).tiny)
    return found


def _study_log_odds(y: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return the log odds of each patient's study, a study of few patients drawn to all by one more of the average.

    Examples
    --------
    >>> _study_log_odds(np.array([1, 0, 1, 1, 1, 0]), np.array(list("aabbbb"))).round(2).tolist()
    [0.22, 0.22, 1.01, 1.01, 1.01, 1.01]
    """
    codes = np.unique(strata, return_inverse=True)[1]
    events, patients = np.bincount(codes, weights=y), np.bincount(codes)
    return np.asarray(logit((events + y.mean()) / (patients + 1)))[codes]
