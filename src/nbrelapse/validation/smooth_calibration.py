"""Observed incidence as a smooth function of the predicted one, in every bootstrap resample at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from nbrelapse.validation.bootstrap_weights import weight_chunks

_KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the predictions at which three knots are customary (Harrell 2015, 10.1007/978-3-319-19425-7)."""

_SMALLEST = 0.01
"""A choice: no cohort of some hundred patients tells smaller probabilities, or ones closer to 1, apart, and on the
complementary log-log scale they would lie far from all others and bend the curve."""

_NEGLIGIBLE = 1e-8


@dataclass(frozen=True)
class SmoothCalibration:
    """Least-squares curve of observed against predicted incidence at one horizon.

    Pseudo-observations are regressed on the predicted incidence and on a natural cubic spline (three knots) of its
    complementary log-log [1]_ [2]_: four coefficients. The prediction itself is among the terms because it makes
    the curve of a perfectly calibrated model one that the regression can have. Least squares has a solution in
    every resample, also where predictions take two or three values only.

    Parameters
    ----------
    basis : ndarray of shape (4, n_terms)
        Makes uncorrelated terms of the raw ones; fewer than 4 where predictions are tied.
    knots : ndarray of shape (3,)
        On the complementary log-log scale.
    coefficients : ndarray of shape (n_terms, n_columns)
        A column of patient weights each.

    References
    ----------
    .. [1] Austin 2020, Statistics in Medicine, 10.1002/sim.8570
    .. [2] van Geloven 2022, BMJ, 10.1136/bmj-2021-069249

    Examples
    --------
    >>> import numpy as np
    >>> predicted = np.array([[0.2, 0.2, 0.2, 0.2, 0.6, 0.6]])
    >>> happened = np.array([0, 0, 0, 1.0, 1.0, 1.0])
    >>> curve = SmoothCalibration.fit(predicted, happened, np.ones((6, 1)))
    >>> curve.at(np.array([0.2, 0.6])).round(3).tolist()
    [[0.25], [1.0]]
    """

    basis: np.ndarray
    knots: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def fit(cls, predicted: np.ndarray, pseudo: np.ndarray, weights: np.ndarray) -> Self:
        """Fit the curve for each column of patient weights.

        Parameters
        ----------
        predicted : ndarray of shape (n_repeats, n)
            Cumulative incidence at the horizon; repeats share one curve.
        pseudo : ndarray of shape (n,)
            See :func:`pseudo_observations`. They are those of the sample in every resample: to first order a
            resample's own are the same.
        weights : ndarray of shape (n, n_columns)
            See :func:`bootstrap_weights`.
        """
        knots = np.quantile(_cloglog(predicted), _KNOTS)
        raw = _terms(predicted, knots).reshape(-1, 4)
        _, length, right = np.linalg.svd(raw, full_matrices=False)
        kept = length > _NEGLIGIBLE * length[0]
        basis = right[kept].T * (np.sqrt(len(raw)) / length[kept])
        terms = (raw @ basis).reshape(*predicted.shape, -1)
        products = np.einsum("rnp,rnq->npq", terms, terms).reshape(len(pseudo), -1)
        targets = terms.sum(axis=0) * pseudo[:, None]
        counts = weights.T.astype(float)
        normal = (counts @ products).reshape(len(counts), terms.shape[2], terms.shape[2])
        inverse = np.linalg.pinv(normal, rcond=_NEGLIGIBLE, hermitian=True)
        return cls(basis, knots, np.einsum("cpq,cq->pc", inverse, counts @ targets))

    def at(self, predicted: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Return the observed incidence at predicted ones, between 0 and 1; a new last axis holds the columns."""
        return np.clip(_terms(predicted, self.knots) @ (self.basis @ self.coefficients[:, columns]), 0.0, 1.0)


def integrated_calibration_index(predicted: np.ndarray, pseudo: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean distance between smooth observed and predicted incidence, for each column of patient weights.

    0 is perfect. As a mean of distances it is never negative and is larger by chance in few patients; in resamples,
    which add to the chance, it is larger again [1]_.

    Parameters
    ----------
    predicted : ndarray of shape (n_repeats, n)
        Cumulative incidence at the horizon; the distance is averaged over repeats.
    pseudo : ndarray of shape (n,)
        See :func:`pseudo_observations`.
    weights : ndarray of shape (n, n_columns)
        See :func:`bootstrap_weights`.

    Returns
    -------
    ndarray of shape (n_columns,)

    References
    ----------
    .. [1] Austin 2019, Statistics in Medicine, 10.1002/sim.8281

    Examples
    --------
    >>> import numpy as np
    >>> predicted = np.array([[0.2, 0.2, 0.2, 0.2, 0.6, 0.6]])
    >>> happened = np.array([0, 0, 0, 1.0, 1.0, 1.0])
    >>> integrated_calibration_index(predicted, happened, np.ones((6, 1))).round(3).tolist()
    [0.167]
    """
    curve = SmoothCalibration.fit(predicted, pseudo, weights)
    found = np.empty(weights.shape[1])
    for columns in weight_chunks(predicted.size, weights.shape[1]):
        distance = np.abs(curve.at(predicted, columns) - predicted[:, :, None]).mean(axis=0)
        own = weights[:, columns]
        found[columns] = (own * distance).sum(axis=0) / own.sum(axis=0, dtype=float)
    return found


def _cloglog(probability: np.ndarray) -> np.ndarray:
    return np.log(-np.log1p(-np.clip(probability, _SMALLEST, 1 - _SMALLEST)))


def _terms(predicted: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Constant, prediction, its complementary log-log, and the cubic term of the natural spline, on a new last axis."""
    x = _cloglog(predicted)
    low, middle, high = knots
    if low < middle < high:
        share = (high - low) / (high - middle)
        bend = np.maximum(x - low, 0) ** 3 - share * np.maximum(x - middle, 0) ** 3
        bend = (bend + (share - 1) * np.maximum(x - high, 0) ** 3) / (high - low) ** 2
    else:
        bend = np.zeros_like(x)
    return np.stack([np.ones_like(x), predicted, x, bend], axis=-1)
