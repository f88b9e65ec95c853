"""Logistic regression on few terms, for many columns of patient weights at once."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

_ITERATIONS = 50
_TOLERANCE = 1e-9
_LARGEST_STEP = 4.0
_LARGEST_COEFFICIENT = 1e4
"""Of standardised terms; beyond it the outcome is separated and there is no finite fit."""


def weighted_logistic(
    terms: np.ndarray, target: np.ndarray, weights: np.ndarray, offset: np.ndarray | float = 0.0
) -> np.ndarray:
    """Return the maximum-likelihood coefficients for each column of patient weights, by Newton's method.

    Parameters
    ----------
    terms : ndarray of shape (n, n_terms)
        The columns of the design, the constant among them; a handful.
    target : ndarray of shape (n,)
        0 to 1; values between stand for uncertain outcomes.
    weights : ndarray of shape (n, n_columns)
    offset : ndarray of shape (n,) or float
        Part of the log odds that is given.

    Returns
    -------
    ndarray of shape (n_terms, n_columns)
        NaN where there is no finite fit: one class only, an outcome that the terms separate, terms that do not
        vary among the patients with a weight.

    Examples
    --------
    Odds of 2 to 1 in half of the patients, of 1 to 2 in the others.

    >>> terms = np.array([[1.0, 0], [1, 0], [1, 0], [1, 1], [1, 1], [1, 1]])
    >>> fit = weighted_logistic(terms, np.array([1.0, 0, 0, 1, 1, 0]), np.ones((6, 1)))
    >>> np.exp(fit[:, 0]).round(6).tolist()
    [0.5, 4.0]
    """
    n_terms, weights = terms.shape[1], weights.astype(float)
    pairs = [(i, j) for i in range(n_terms) for j in range(i, n_terms)]
    products = np.stack([terms[:, i] * terms[:, j] for i, j in pairs])
    offset = np.broadcast_to(np.asarray(offset, dtype=float), target.shape)[:, None]
    beta = np.zeros((n_terms, weights.shape[1]))
    done = np.zeros(weights.shape[1], dtype=bool)
    for _ in range(_ITERATIONS):
        running = np.flatnonzero(~done & np.isfinite(beta).all(axis=0))
        if not len(running):
            break
        probability = expit(terms @ beta[:, running] + offset)
        own = weights[:, running]
        score = terms.T @ (own * (target[:, None] - probability))
        own = own * probability * (1 - probability)
        information = np.empty((len(running), n_terms, n_terms))
        for (i, j), values in zip(pairs, products @ own, strict=True):
            information[:, i, j] = information[:, j, i] = values
        step = np.clip(_solve(information, score), -_LARGEST_STEP, _LARGEST_STEP)
        beta[:, running] += step
        done[running] = (np.abs(step) <= _TOLERANCE * np.maximum(1.0, np.abs(beta[:, running]))).all(axis=0)
        beta[:, (np.abs(beta) > _LARGEST_COEFFICIENT).any(axis=0)] = np.nan
    return np.where(done, beta, np.nan)


def _solve(information: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Newton's step of each column; NaN where the information is singular to working precision."""
    scale = np.sqrt(np.einsum("cii->ci", information))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = information / (scale[:, :, None] * scale[:, None, :])
    singular = ~np.isfinite(scaled).all(axis=(1, 2))
    scaled[singular] = np.eye(scaled.shape[1])
    singular |= np.linalg.cond(scaled) > 1e12
    scaled[singular] = np.eye(scaled.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        step = np.linalg.solve(scaled, (score.T / scale)[:, :, None])[:, :, 0] / scale
    step[singular] = np.nan
    return step.T
