"""Features on one scale, missing values at the mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MIN_PATIENTS = 3
"""A coefficient never rests on fewer patients: one early event in the only carrier has an unbounded hazard ratio."""


@dataclass(frozen=True, eq=False)
class Standardised:
    """Training features as a linear model computes with them; build it with :func:`standardise`.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_used + n_indicators)
        Standardised; 0 where missing. The indicators of missing values come last.
    used : ndarray of int, shape (n_used,)
        Positions of the features in ``Z``.
    means, scales : ndarray of shape (n_features,)
        Of the observed values.
    groups : list of ndarray of int
        The features that each indicator stands for.
    indicator_scales : ndarray of shape (n_indicators,)
    """

    Z: np.ndarray
    used: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    groups: list[np.ndarray]
    indicator_scales: np.ndarray

    def unscale(self, standardised: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients per unit of each feature, and effects of a missing value, from those of ``Z``."""
        coefficients, effects = np.zeros(len(self.means)), np.zeros(len(self.means))
        coefficients[self.used] = standardised[: len(self.used)] / self.scales[self.used]
        shared = standardised[len(self.used) :] / self.indicator_scales
        for members, effect in zip(self.groups, shared, strict=True):
            effects[members] = effect / len(members)
        return coefficients, effects


def standardise(values: np.ndarray, *, indicators: bool = False) -> Standardised:
    """Standardise features by their observed values.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        NaN = missing.
    indicators : bool
        Add a column for each set of patients in whom the same features are missing, at least three of them, and
        known in at least three others.

    Returns
    -------
    Standardised

    Examples
    --------
    >>> nan = float("nan")
    >>> found = standardise(np.array([[0.0], [0.0], [0.0], [2.0], [2.0], [2.0], [nan], [nan], [nan]]), indicators=True)
    >>> found.Z.round(2)[[0, 3, 6]].tolist()
    [[-1.0, -0.71], [1.0, -0.71], [0.0, 1.41]]
    """
    missing = np.isnan(values)
    count = np.maximum((~missing).sum(axis=0), 1)
    means = np.where(missing, 0.0, values).sum(axis=0) / count
    centred = np.where(missing, 0.0, values - means)
    scales = np.sqrt((centred**2).sum(axis=0) / count)
    used = np.flatnonzero((scales > 1e-12 * np.maximum(1.0, np.abs(means))) & (_off_mode(values) >= _MIN_PATIENTS))
    groups = _groups(missing, used) if indicators else []
    flags = np.array([missing[:, members[0]] for members in groups], dtype=float).reshape(len(groups), len(values)).T
    flags = flags - flags.mean(axis=0)
    spread = flags.std(axis=0)
    return Standardised(
        np.hstack([centred[:, used] / scales[used], flags / spread]), used, means, scales, groups, spread
    )


def _groups(missing: np.ndarray, used: np.ndarray) -> list[np.ndarray]:
    patterns, of_feature = np.unique(missing[:, used], axis=1, return_inverse=True)
    often = np.minimum(patterns.sum(axis=0), (~patterns).sum(axis=0)) >= _MIN_PATIENTS
    return [used[of_feature.ravel() == pattern] for pattern in np.flatnonzero(often)]


def _off_mode(values: np.ndarray) -> np.ndarray:
    """Return how many observed values of each column differ from its most frequent one."""
    counts = [np.unique(column[~np.isnan(column)], return_counts=True)[1] for column in values.T]
    return np.array([count.sum() - count.max(initial=0) for count in counts], dtype=int)
