"""Ridge-penalised Cox regression around given coefficients."""

from __future__ import annotations

import numpy as np

_ITERATIONS = 50
_HALVINGS = 20
_TOLERANCE = 1e-9
_LARGEST_LINEAR = 300.0
"""Beyond it exp() leaves the range in which hazards can be added and divided."""


def ridge_cox(Z: np.ndarray, y: np.ndarray, penalty: np.ndarray, centre: np.ndarray) -> np.ndarray:
    r"""Maximise the partial likelihood less a quadratic penalty around ``centre``.

    The objective is :math:`\ell(\beta) - \frac{1}{2} \sum_j \lambda_j (\beta_j - c_j)^2` with Breslow's partial
    likelihood, a sum over events: its maximum is the mode of the posterior when each coefficient has a normal prior of
    mean :math:`c_j` and variance :math:`1/\lambda_j`. Newton's method with step halving; the objective is strictly
    concave, so there is one answer. With more columns than patients the search runs in the space that the rows span
    (10.1093/biostatistics/kxh010), at the cost of as many columns as there are patients.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_columns)
        No missing values.
    y : structured ndarray of shape (n_samples,)
        ``event`` (1 = the event; a competing event is censoring) and ``time``.
    penalty : ndarray of shape (n_columns,)
        Precision of each coefficient's prior, above 0.
    centre : ndarray of shape (n_columns,)

    Returns
    -------
    ndarray of shape (n_columns,)

    Raises
    ------
    ArithmeticError
        The search does not settle.

    Examples
    --------
    >>> y = np.array([(1, 1.0), (1, 2.0), (0, 3.0)], dtype=[("event", np.int8), ("time", float)])
    >>> Z = np.array([[1.0], [0.0], [-1.0]])
    >>> ridge_cox(Z, y, np.array([1e6]), np.array([0.7])).round(3).tolist()
    [0.7]
    """
    order = np.argsort(-y["time"], kind="stable")
    time, event = -y["time"][order], y["event"][order] == 1
    last = np.searchsorted(time, time[event], side="right") - 1
    scaled, rotation = Z[order] / np.sqrt(penalty), None
    if scaled.shape[1] > len(scaled):
        left, size, rotation = np.linalg.svd(scaled, full_matrices=False)
        scaled = left * size
    offset = Z[order] @ centre
    step = _newton(scaled, offset, event, last)
    return centre + (step if rotation is None else step @ rotation) / np.sqrt(penalty)


def _newton(W: np.ndarray, offset: np.ndarray, event: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Coefficients of W, each with penalty 1 around 0; rows are patients, the latest first."""
    found = np.zeros(W.shape[1])
    value, gradient, hessian = _derivatives(W, offset, event, last, found)
    for _ in range(_ITERATIONS):
        step = np.linalg.solve(hessian, gradient)
        for _ in range(_HALVINGS):
            proposed = found + step
            reached, gradient, hessian = _derivatives(W, offset, event, last, proposed)
            if reached >= value - _TOLERANCE:
                break
            step = step / 2
        gain, value, found = reached - value, reached, proposed
        if abs(gain) < _TOLERANCE:
            return found
    raise ArithmeticError("the ridge-penalised Cox regression does not settle")


def _derivatives(
    W: np.ndarray, offset: np.ndarray, event: np.ndarray, last: np.ndarray, at: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Penalised log partial likelihood, its gradient and its negative second derivative."""
    linear = np.clip(offset + W @ at, -_LARGEST_LINEAR, _LARGEST_LINEAR)
    largest = linear.max(initial=-np.inf)
    hazard = np.exp(linear - largest)
    at_risk = np.cumsum(hazard)[last]
    means = np.cumsum(hazard[:, None] * W, axis=0)[last] / at_risk[:, None]
    exposure = np.cumsum(np.bincount(last, 1 / at_risk, minlength=len(W))[::-1])[::-1] * hazard
    value = float(linear[event].sum() - np.log(at_risk).sum() - len(last) * largest - at @ at / 2)
    gradient = W[event].sum(axis=0) - means.sum(axis=0) - at
    return value, gradient, (W * exposure[:, None]).T @ W - means.T @ means + np.eye(W.shape[1])
