"""What a saved model remembers of its training patients' features: distributions, and how they go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

_MOST_BINS = 10
_PATIENTS_A_BIN = 10
_MOST_FACTORS = 10
_FOLDS = 10
_FEWEST_PATIENTS = 20
"""With fewer, quantiles of distances say nothing. Choices of caution, as the two above."""

_LEAST_UNIQUE = 0.1
"""Share of a feature's variance that no others explain: near copies would make any patient strange. A choice."""

_JOINT = 10
"""Patients who know two features from whom on half of their correlation is believed. A choice."""


_LEAST_VARIANCE = 1e-6
_PLACES = 6
_LARGEST = 1e6
"""Standard deviations from the mean; farther is as strange."""

_QUANTILES = np.linspace(0.0, 1.0, 101)
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class _Distributions:
    """How often features are known, and how their values are distributed.

    Parameters
    ----------
    patients : int
    known : ndarray of int, shape (n_features,)
        Patients with a value.
    mean, sd : ndarray of shape (n_features,)
        NaN where nobody has a value.
    edges, shares : tuple of ndarray
        Of each feature the upper ends of bins but the last, and the share of the known values in each bin; no bin
        where there are no two values. See :func:`_bins`.
    """

    patients: int
    known: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    edges: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Describe values of shape (n_patients, n_features), NaN where they are not known."""
        columns = [column[~np.isnan(column)] for column in values.T]
        edges = tuple(_rounded(_bins(column)) for column in columns)
        shares = tuple(_rounded(_shares(column, ends)) for column, ends in zip(columns, edges, strict=True))
        known = np.array([len(column) for column in columns])
        mean, sd = _moments(values)
        return cls(len(values), known, _rounded(mean), _rounded(sd), edges, shares)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "patients": self.patients,
            "known": self.known.tolist(),
            "mean": _nulls(self.mean),
            "sd": _nulls(self.sd),
            "edges": [ends.tolist() for ends in self.edges],
            "shares": [shares.tolist() for shares in self.shares],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` returned, or the same from a file."""
        return cls(
            document["patients"],
            np.array(document["known"], dtype=int),
            np.array(document["mean"], dtype=float),
            np.array(document["sd"], dtype=float),
            tuple(np.array(ends, dtype=float) for ends in document["edges"]),
            tuple(np.array(shares, dtype=float) for shares in document["shares"]),
        )


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each feature; NaN where nobody has a value."""
    known = (~np.isnan(values)).sum(axis=0)
    count = np.where(known, known, np.nan)
    mean = np.nansum(values, axis=0) / count
    return mean, np.sqrt(np.nansum((values - mean) ** 2, axis=0) / count)


_DIGITS = 6


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round to six digits: what is kept is a summary, and the same on every processor.

    Examples
    --------
    >>> _rounded(np.array([1234567.8, 0.000123456789, 0.0, np.nan])).tolist()
    [1234570.0, 0.000123457, 0.0, nan]
    """
    return np.array([float(f"{value:.{_DIGITS}g}") for value in values.ravel()]).reshape(values.shape)


def _nulls(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _bins(values: np.ndarray) -> np.ndarray:
    """Return the upper ends of bins but the last: quantiles, ten patients a bin at least and ten bins at most.

    Examples
    --------
    >>> _bins(np.repeat([0.0, 1.0], 50)).tolist(), _bins(np.arange(40.0)).tolist()
    ([0.0], [9.0, 19.0, 29.0])
    """
    count = min(_MOST_BINS, len(values) // _PATIENTS_A_BIN)
    if count < 2:
        return np.empty(0)
    ends = np.unique(np.quantile(values, np.arange(1, count) / count, method="lower"))
    return np.asarray(ends[ends < values.max()])


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    if not len(edges) or not len(values):
        return np.empty(0)
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) / len(values)


@dataclass(frozen=True, eq=False)
class _Neighbourhood:
    r"""How features of the training patients go together: their standardised values have a few common factors.

    The squared distance of a patient is Mahalanobis's, :math:`z^\top (W W^\top + \Psi)^{-1} z`, over the features that
    are known of him. Factors are the leading eigenvectors of the correlations (probabilistic principal components
    [1]_), as many as stand out of what chance makes of as many features in as many patients [2]_, ten at most.

    Parameters
    ----------
    mean, sd : ndarray of shape (n_features,)
        A standard deviation of 0 or NaN: the feature is left out.
    kurtosis : ndarray of shape (n_features,)
        Mean fourth power of the standardised values: rare alterations make large distances.
    loadings : ndarray of shape (n_features, n_factors)

    References
    ----------
    .. [1] Tipping and Bishop 1999, 10.1111/1467-9868.00196
    .. [2] Marchenko and Pastur 1967, 10.1070/SM1967v001n04ABEH001994
    """

    mean: np.ndarray
    sd: np.ndarray
    kurtosis: np.ndarray
    loadings: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Learn from values of shape (n_patients, n_features)."""
        mean, sd = _moments(values)
        varies = sd > 0
        z = _standardised(values, mean, sd)[:, varies]
        kurtosis, loadings = np.ones(len(sd)), np.zeros((len(sd), 0))
        if varies.any():
            squared = z * z
            kurtosis[varies] = np.nanmean(squared * squared, axis=0)
            found = _factors(z)
            loadings = np.zeros((len(sd), found.shape[1]))
            loadings[varies] = found
        return cls(_rounded(mean), _rounded(sd), _rounded(kurtosis), _rounded(loadings))

    @property
    def unique(self) -> np.ndarray:
        """What no factor explains of each feature's variance of 1."""
        return np.asarray(1 - (self.loadings**2).sum(axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data; mean and standard deviation stand in the distributions."""
        return {"kurtosis": self.kurtosis.tolist(), "loadings": self.loadings.tolist()}

    def distances(self, values: np.ndarray) -> np.ndarray:
        r"""Return how far patients lie from the mean, on a scale that does not depend on what is known of them.

        The squared distance over q known features has the mean q; its variance is that of q independent features of
        their kurtosis, :math:`v = \sum_j (\kappa_j - 1)`. The cube root of their ratio, centred and scaled as that
        of a :math:`\chi^2` with :math:`2 q^2 / v` degrees of freedom is [1]_, is nearly standard normal in training.

        Parameters
        ----------
        values : ndarray of shape (n_patients, n_features)

        Returns
        -------
        ndarray of shape (n_patients,)
            NaN where no feature is known that varied in training.

        References
        ----------
        .. [1] Wilson and Hilferty 1931, 10.1073/pnas.17.12.684
        """
        blocks = [self._distances(values[start : start + _BLOCK]) for start in range(0, max(1, len(values)), _BLOCK)]
        return np.concatenate(blocks)

    def surprises(self, values: np.ndarray) -> np.ndarray:
        r"""Return how far each value lies from what a patient's other values lead one to expect, in what is left of it.

        With the inverse :math:`P` of the covariance of what is known, :math:`(P z)_j / \sqrt{P_{jj}}`: the residual of
        the regression on the other features over its standard deviation.

        Parameters
        ----------
        values : ndarray of shape (n_features,)
            Of one patient.

        Returns
        -------
        ndarray of shape (n_features,)
            NaN of a feature that is not known, or did not vary in training.
        """
        z = _standardised(values, self.mean, self.sd)
        known = ~np.isnan(z)
        scaled = self._scaled * known[:, None]
        along = np.linalg.solve(self._inner(known[None])[0], scaled.T)
        precision = 1 / self.unique - (scaled * along.T).sum(axis=1)
        return np.asarray((z / self.unique - scaled @ (along @ np.nan_to_num(z))) / np.sqrt(precision))

    @property
    def _scaled(self) -> np.ndarray:
        return self.loadings / self.unique[:, None]

    def _inner(self, known: np.ndarray) -> np.ndarray:
        """Return the core of each patient's inverse covariance of what is known (the matrix inversion lemma)."""
        count = self.loadings.shape[1]
        products = (self.loadings[:, :, None] * self._scaled[:, None, :]).reshape(len(self.loadings), count * count)
        return np.asarray(np.eye(count) + (known.astype(float) @ products).reshape(len(known), count, count))

    def _distances(self, values: np.ndarray) -> np.ndarray:
        z = _standardised(values, self.mean, self.sd)
        known = ~np.isnan(z)
        z = np.nan_to_num(z)
        squared = (z**2 / self.unique).sum(axis=1)
        if self.loadings.shape[1]:
            along = z @ self._scaled
            squared -= (along * np.linalg.solve(self._inner(known), along[:, :, None])[:, :, 0]).sum(axis=1)
        features = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
        variance = known @ np.maximum(self.kurtosis - 1, _LEAST_VARIANCE)
        share = variance / (9 * features**2)
        # The last digits depend on how many patients are looked at in one go; equal patients are to be equally far.
        return np.round((np.cbrt(squared / features) - (1 - share)) / np.sqrt(share), _PLACES)


def _factors(z: np.ndarray) -> np.ndarray:
    """Return the loadings of standardised values, shape (n_patients, n_features); see :class:`_Neighbourhood`."""
    from scipy.sparse.linalg import eigsh

    n, size = z.shape
    count = min(_MOST_FACTORS, size - 1)
    if not count:
        return np.zeros((size, 0))
    roots, vectors = eigsh(_correlations(z), k=count, v0=np.ones(size))
    kept = np.flatnonzero(roots > (1 + np.sqrt(size / n)) ** 2)[::-1]
    roots, vectors = roots[kept], vectors[:, kept]
    rest = (size - roots.sum()) / (size - len(roots))
    loadings = vectors * np.where(vectors.sum(axis=0) < 0, -1.0, 1.0) * np.sqrt(np.maximum(roots - rest, 0.0))
    explained = (loadings**2).sum(axis=1) / (1 - _LEAST_UNIQUE)
    return np.asarray(loadings / np.sqrt(np.maximum(explained, 1.0))[:, None])


def _correlations(z: np.ndarray) -> LinearOperator:
    """Return the shrunken correlations of standardised values as what they make of a vector.

    Of thousands of features the matrix itself would take gigabytes. How many patients know two features depends on
    their patterns of missing values alone, which many features share.
    """
    from scipy.sparse.linalg import LinearOperator

    known = ~np.isnan(z)
    _, first, pattern = np.unique(np.packbits(known, axis=0), axis=1, return_index=True, return_inverse=True)
    pattern = pattern.ravel()
    order = np.argsort(pattern, kind="stable")
    starts = np.searchsorted(pattern[order], np.arange(len(first)))
    of_pattern = known[:, first].astype(float)
    weight = 1 / (of_pattern.T @ of_pattern + _JOINT)
    z = np.nan_to_num(z)
    grouped = np.ascontiguousarray(z[:, order])
    rest = 1 - (z * z).sum(axis=0) * np.diag(weight)[pattern]
    ends = np.append(starts[1:], z.shape[1])

    def times(vector: np.ndarray) -> np.ndarray:
        vector = vector.ravel()
        own = vector[order]
        sums = np.column_stack([grouped[:, a:b] @ own[a:b] for a, b in zip(starts, ends, strict=True)]) @ weight
        found = np.empty(len(vector))
        found[order] = np.concatenate(
            [sums[:, number] @ grouped[:, a:b] for number, (a, b) in enumerate(zip(starts, ends, strict=True))]
        )
        return found + rest * vector

    return LinearOperator((z.shape[1], z.shape[1]), matvec=times, dtype=float)


def _standardised(values: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return np.clip((values - mean) / np.where(sd > 0, sd, np.nan), -_LARGEST, _LARGEST)


@dataclass(frozen=True, eq=False)
class _Profile:
    """What a saved model remembers of the features of its training patients: aggregates, no row of anybody.

    Parameters
    ----------
    distributions : _Distributions
    neighbourhood : _Neighbourhood or None
        None of fewer than 20 patients.
    distances : ndarray of shape (101,) or None
        Quantiles of the training patients' distances, each by a neighbourhood learned without a tenth of the patients,
        him among them: a patient helps to make the neighbourhood, and would lie too near.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(200, 5))
    >>> profile = _Profile.of(values)
    >>> near, far, unknown = profile.percentile(np.array([[0.1] * 5, [4.0] * 5, [np.nan] * 5]))
    >>> bool(near < 5), float(far), float(unknown)
    (True, 100.0, nan)
    """

    distributions: _Distributions
    neighbourhood: _Neighbourhood | None
    distances: np.ndarray | None

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Describe training patients by what a model reads of them, shape (n_patients, n_features)."""
        distributions = _Distributions.of(values)
        n = len(values)
        if n < _FEWEST_PATIENTS:
            return cls(distributions, None, None)
        fold = np.random.default_rng(0).permutation(n) % _FOLDS
        found = np.empty(n)
        for number in range(_FOLDS):
            out = fold == number
            found[out] = _Neighbourhood.of(values[~out]).distances(values[out])
        found = found[~np.isnan(found)]
        if not len(found):
            return cls(distributions, None, None)
        return cls(distributions, _Neighbourhood.of(values), np.round(np.quantile(found, _QUANTILES), _PLACES))

    def percentile(self, values: np.ndarray) -> np.ndarray:
        """Per cent of the training patients who lie nearer to their mean; NaN where nothing can be said."""
        if self.neighbourhood is None or self.distances is None:
            return np.full(len(values), np.nan)
        return _percentile(self.neighbourhood.distances(values), self.distances)

    def surprises(self, values: np.ndarray) -> np.ndarray:
        """Return how unexpected each value of a patient is, see :class:`_Neighbourhood`; NaN where nothing is known."""
        return np.full(len(values), np.nan) if self.neighbourhood is None else self.neighbourhood.surprises(values)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data."""
        document = self.distributions.to_dict()
        if self.neighbourhood is not None and self.distances is not None:
            document |= self.neighbourhood.to_dict() | {"distances": self.distances.tolist()}
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` returned, or the same from a file."""
        distributions = _Distributions.from_dict(document)
        if "distances" not in document:
            return cls(distributions, None, None)
        kurtosis, loadings, distances = (
            np.array(document[name], dtype=float) for name in ("kurtosis", "loadings", "distances")
        )
        return cls(distributions, _Neighbourhood(distributions.mean, distributions.sd, kurtosis, loadings), distances)


def _percentile(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Per cent of those whom quantiles are of with a lower value; those of the same value count half. NaN of NaN."""
    below, up_to = (np.searchsorted(quantiles, values, side=side) for side in ("left", "right"))
    return np.where(np.isnan(values), np.nan, 50 * (below + up_to) / len(quantiles))
