"""Bootstrap and jackknife as patient weights, and the intervals they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, get_args

import numpy as np
from scipy.special import expit, logit, ndtri, stdtrit
from scipy.stats import norm

_CHUNK_VALUES = 1 << 17
_TAIL = 0.975


def bootstrap_weights(n_patients: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """Return how often each patient occurs in the sample itself and in resamples of it.

    A metric of a resample is the metric of the patients with these weights, so nothing is ever resampled: every
    metric of this package takes the whole matrix and returns its value for each column.

    Parameters
    ----------
    n_patients, n_bootstrap : int
    seed : int

    Returns
    -------
    ndarray of float32, shape (n_patients, n_bootstrap + 1)
        Column 0 is all ones (the sample itself); the others are multinomial counts that sum to ``n_patients``.

    Examples
    --------
    >>> weights = bootstrap_weights(4, 2, seed=0)
    >>> weights[:, 0].tolist(), weights.sum(axis=0).tolist()
    ([1.0, 1.0, 1.0, 1.0], [4.0, 4.0, 4.0])
    """
    generator = np.random.default_rng(seed)
    weights = np.ones((n_patients, n_bootstrap + 1), dtype=np.float32)
    for columns in _weight_chunks(n_patients, n_bootstrap, first=1):
        size = columns.stop - columns.start
        drawn = generator.integers(n_patients, size=(n_patients, size)) * size + np.arange(size)
        weights[:, columns] = np.bincount(drawn.ravel(), minlength=n_patients * size).reshape(n_patients, size)
    return weights


def _weight_chunks(n_patients: int, n_columns: int, *, first: int = 0) -> Iterator[slice]:
    """Yield slices of weight columns, small enough that work on them stays in the processor's cache."""
    size = max(16, _CHUNK_VALUES // max(n_patients, 1))
    stop = first + n_columns
    for start in range(first, stop, size):
        yield slice(start, min(start + size, stop))


def bootstrap_interval(
    value: float, resamples: np.ndarray, jackknife: np.ndarray | None = None, *, stretch: float = 1.0
) -> tuple[float, float]:
    """Return the 95 % percentile interval, or with a jackknife the bias-corrected and accelerated one.

    The BCa interval [1]_ takes other quantiles of the same resamples: shifted by the share of them below the value,
    and by how fast the standard error changes with the value, which the skewness of the jackknife values tells.
    It equals that of ``scipy.stats.bootstrap``, except that a value with every resample on one side of it counts as
    having half a resample on the other.

    Parameters
    ----------
    value : float
        Of the sample itself.
    resamples : ndarray of shape (n_resamples,)
        NaN where the value is undefined: the interval is that of the others.
    jackknife : ndarray of shape (n_left_out,), optional
        Values with patients left out in turn, see :func:`_jackknife_weights`.
    stretch : float
        Of the interval, about the value; see :func:`few_events_stretch` and :func:`cross_validation_stretch`.

    Returns
    -------
    low, high : float
        NaN where the value, or all resamples, are.

    References
    ----------
    .. [1] Efron 1987, Journal of the American Statistical Association, 10.1080/01621459.1987.10478410

    Examples
    --------
    >>> resamples = np.arange(101.0)
    >>> bootstrap_interval(50.0, resamples)
    (2.5, 97.5)
    >>> low, high = bootstrap_interval(50.0, resamples, np.array([0.0, 1.0, 5.0]))
    >>> round(low, 1), round(high, 1)
    (1.4, 96.1)
    """
    defined = resamples[~np.isnan(resamples)]
    if np.isnan(value) or not len(defined):
        return np.nan, np.nan
    tails = np.array([0.025, 0.975])
    if jackknife is not None:
        below = ((defined < value).mean() + (defined <= value).mean()) / 2
        bias = norm.ppf(np.clip(below, 0.5 / len(defined), 1 - 0.5 / len(defined)))
        shifted = bias + norm.ppf(tails)
        # A quantile beyond the pole is the outermost.
        slower = np.maximum(1 - _acceleration(jackknife) * shifted, np.finfo(float).tiny)
        tails = norm.cdf(bias + shifted / slower)
    low, high = value + stretch * (np.quantile(defined, tails) - value)
    return float(low), float(high)


_Scale = Literal["logit", "log", "log complement"]
_Function = Callable[[np.ndarray], np.ndarray]
_SCALES: dict[_Scale, tuple[_Function, _Function]] = {
    "logit": (logit, expit),
    "log": (np.log, np.exp),
    "log complement": (lambda value: np.log1p(-value), lambda scaled: -np.expm1(scaled)),
}
_EDGE = {"logit": (0.001, 0.999), "log": (1e-6, np.inf), "log complement": (-np.inf, 0.999)}
"""Values nearer the end of a scale lie there: further out one patient would make the spread."""


def _scaled_interval(value: float, resamples: np.ndarray, scale: _Scale, stretch: float = 1.0) -> tuple[float, float]:
    """Return the 95 % interval that is normal on another scale, with the spread of the resamples there.

    For areas under the curve, Brier scores and their ratios, whose resamples are skewed in few patients: percentiles
    and BCa limits hold the truth too seldom with 5 to 10 events or patients at risk, these limits do not (see
    ``benchmarks/thin_data.py``).

    Parameters
    ----------
    value : float
        Of the sample itself.
    resamples : ndarray of shape (n_resamples,)
        NaN where the value is undefined: the interval is that of the others.
    scale : {"logit", "log", "log complement"}
    stretch : float
        Of the interval, on that scale.

    Returns
    -------
    low, high : float
        NaN where the value or all resamples are, and where the value lies at the end of the scale, as an area of 1:
        resamples cannot say how far from it other patients would be.

    Examples
    --------
    >>> resamples = expit(np.linspace(0.0, 2.0, 201))
    >>> low, high = _scaled_interval(float(expit(1.0)), resamples, "logit")
    >>> round(low, 2), round(high, 2)
    (0.47, 0.89)
    >>> _scaled_interval(1.0, np.ones(200), "logit")
    (nan, nan)
    """
    to, back = _SCALES[scale]
    lowest, highest = _EDGE[scale]
    defined = resamples[~np.isnan(resamples)]
    if np.isnan(value) or not lowest < value < highest or not len(defined):
        return np.nan, np.nan
    spread = stretch * np.std(to(np.clip(defined, lowest, highest)))
    low, high = np.sort(back(to(np.asarray(value)) + norm.ppf([0.025, 0.975]) * spread))
    return float(low), float(high)


def cross_validation_stretch(fold: np.ndarray, training: float = 1.0) -> float:
    r"""Return how much wider an interval of cross-validated predictions has to be to hold for new patients.

    Resamples of patients leave the models as they are. That the models would have been others, of other training
    patients, adds to the variance: by the correction of Nadeau and Bengio [1]_ as much again as the share of test to
    training patients says, :math:`(1/k + n_{test}/n_{train}) / (1/k)`, which is :math:`1 + k/(k-1)` for k folds.
    Repeats of the cross-validation share their patients and change nothing of it. What other training patients do to
    ranks is less than that, to the slope more: there it is taken `training` times, see
    :attr:`nbrelapse.metrics.table.Metric.training`.

    Parameters
    ----------
    fold : ndarray of int, shape (n_repeats, n)
        The fold whose model predicted the patient.
    training : float
        How often the share is taken.

    Returns
    -------
    float
        The square root of it; 1 where one model predicted everybody, as in a hold-out.

    References
    ----------
    .. [1] Nadeau and Bengio 2003, Machine Learning, 10.1023/A:1024068626366

    Examples
    --------
    >>> cross_validation_stretch(np.array([[0, 1, 2, 3, 4]])), cross_validation_stretch(np.zeros((1, 5), dtype=int))
    (1.5, 1.0)
    """
    folds = max(len(np.unique(row)) for row in fold)
    return float(np.sqrt(1 + training * folds / (folds - 1))) if folds > 1 else 1.0


def few_events_stretch(events: int) -> float:
    """Return how much wider an interval has to be because few events tell the spread of resamples.

    Percentiles are too narrow in small samples, as a normal interval is with a standard deviation that was estimated;
    Student's t makes up for it [1]_. Of a concordance or a score the events are what counts, not the patients.

    Parameters
    ----------
    events : int
        Or what there is less of: patients without the event, or still at risk.

    Returns
    -------
    float
        1.42 for 5 events, 1.15 for 10, 1.02 for 60.

    References
    ----------
    .. [1] Hesterberg 2015, The American Statistician, 10.1080/00031305.2015.1089789

    Examples
    --------
    >>> [round(few_events_stretch(events), 2) for events in (5, 10, 60)]
    [1.42, 1.15, 1.02]
    """
    return float(stdtrit(max(events - 1, 1), _TAIL) / ndtri(_TAIL))


def _acceleration(jackknife: np.ndarray) -> float:
    """Return a sixth of the skewness of the influences, over the root of their number; 0 where nobody has any."""
    defined = jackknife[~np.isnan(jackknife)]
    if not len(defined) or np.ptp(defined) == 0:
        return 0.0
    influence = defined.mean() - defined
    return float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))


_MOST_COLUMNS = 1000


def _jackknife_weights(n_patients: int, seed: int) -> np.ndarray:
    """Return weights of 0 for the patients who are left out and 1 for the others, for the BCa interval.

    Parameters
    ----------
    n_patients : int
    seed : int
        Of the grouping.

    Returns
    -------
    ndarray of float32, shape (n_patients, min(n_patients, 1000))
        Each patient is left out once: alone up to 1,000 patients, beyond that in one of 1,000 random groups, because
        the acceleration is a ratio of moments that grouping leaves the same on average.

    Examples
    --------
    >>> _jackknife_weights(3, seed=0).tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    group = np.arange(n_patients)
    if n_patients > _MOST_COLUMNS:
        group = np.random.default_rng(seed).permutation(n_patients) % _MOST_COLUMNS
    weights = np.ones((n_patients, min(n_patients, _MOST_COLUMNS)), dtype=np.float32)
    weights[np.arange(n_patients), group] = 0
    return weights


IntervalKind = Literal["percentile", "bca"]


def _interval_weights(n_patients: int, n_bootstrap: int, seed: int, kind: IntervalKind) -> np.ndarray:
    """Return :func:`bootstrap_weights`, followed for BCa intervals by :func:`_jackknife_weights`.

    Parameters
    ----------
    n_patients, n_bootstrap, seed : int
    kind : {"percentile", "bca"}

    Returns
    -------
    ndarray of float32, shape (n_patients, n_columns)

    Raises
    ------
    ValueError
        There is no such interval.

    Examples
    --------
    >>> _interval_weights(3, 5, seed=0, kind="percentile").shape, _interval_weights(3, 5, seed=0, kind="bca").shape
    ((3, 6), (3, 9))
    """
    if kind not in get_args(IntervalKind):
        raise ValueError(f"interval {kind!r} is none of {', '.join(get_args(IntervalKind))}")
    weights = bootstrap_weights(n_patients, n_bootstrap, seed)
    return weights if kind == "percentile" else np.hstack([weights, _jackknife_weights(n_patients, seed)])


_Value = float | np.ndarray
"""Of a metric: a number, or an array with a last axis of weight columns."""


def _as_log_risks(log_risk: np.ndarray, fold: np.ndarray | None, n_patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Return log risks and folds with an axis of repeats.

    Parameters
    ----------
    log_risk : ndarray of shape (n,) or (n_repeats, n)
    fold : ndarray of int of the same shape, optional
        The fold whose model predicted the patient; by default one model predicted all.
    n_patients : int

    Returns
    -------
    log_risk, fold : ndarray of shape (n_repeats, n)

    Raises
    ------
    ValueError
        The shapes do not agree.

    Examples
    --------
    >>> _as_log_risks(np.array([0.5, -1.0]), None, 2)
    (array([[ 0.5, -1. ]]), array([[0, 0]]))
    """
    risks = np.atleast_2d(np.asarray(log_risk, dtype=float))
    folds = np.zeros(risks.shape, dtype=np.int64) if fold is None else np.atleast_2d(np.asarray(fold))
    if risks.ndim != 2 or risks.shape[1] != n_patients or folds.shape != risks.shape:
        raise ValueError(f"log risks {risks.shape}, folds {folds.shape} and {n_patients} outcomes do not agree")
    return risks, folds


def _as_incidence(incidence: np.ndarray, times: _Value, n_patients: int) -> np.ndarray:
    """Return predicted probabilities with an axis of repeats and one of times.

    Parameters
    ----------
    incidence : ndarray of shape (n, n_times) or (n_repeats, n, n_times)
        Of a single time, given as a number: of shape (n,) or (n_repeats, n).
    times : float or ndarray of shape (n_times,)
    n_patients : int

    Returns
    -------
    ndarray of shape (n_repeats, n, n_times)

    Raises
    ------
    ValueError
        The shapes do not agree.

    Examples
    --------
    >>> _as_incidence(np.array([0.1, 0.4, 0.9]), 365.25, 3).shape
    (1, 3, 1)
    """
    found = np.asarray(incidence, dtype=float)
    if np.ndim(times) == 0:
        found = found[..., None]
    if found.ndim == 2:
        found = found[None]
    if found.ndim != 3 or found.shape[1:] != (n_patients, np.size(times)):
        raise ValueError(
            f"predictions {np.shape(incidence)}, {np.size(times)} times and {n_patients} outcomes do not agree"
        )
    return found


def _as_columns(weights: np.ndarray | None, n_patients: int) -> np.ndarray:
    """Return patient weights as columns.

    Parameters
    ----------
    weights : ndarray of shape (n,) or (n, n_columns), optional
        By default each patient counts once.
    n_patients : int

    Returns
    -------
    ndarray of shape (n, n_columns)

    Raises
    ------
    ValueError
        There are not as many weights as patients.

    Examples
    --------
    >>> _as_columns(np.array([1.0, 2.0]), 2).tolist(), _as_columns(None, 2).tolist()
    ([[1.0], [2.0]], [[1.0], [1.0]])
    """
    if weights is None:
        return np.ones((n_patients, 1), dtype=np.float32)
    found = np.asarray(weights)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or len(found) != n_patients:
        raise ValueError(
            f"weights {np.shape(weights)} of {n_patients} patients: give one a patient, or columns of them"
        )
    return found


def _as_given(found: np.ndarray, weights: np.ndarray | None, times: _Value | None = None) -> _Value:
    """Return the values of a metric as the arguments were given.

    Parameters
    ----------
    found : ndarray of shape (n_columns,) or (n_times, n_columns)
    weights : ndarray of shape (n,) or (n, n_columns), optional
        The last axis stays where they are columns.
    times : float or ndarray, optional
        The axis of times goes where it is a number.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> _as_given(np.array([[0.25], [0.5]]), None, np.array([1.0, 2.0])).tolist(), _as_given(np.array([0.25]), None)
    ([0.25, 0.5], 0.25)
    """
    if times is not None and np.ndim(times) == 0:
        found = found[0]
    if weights is None or np.ndim(weights) == 1:
        found = found[..., 0]
    return float(found) if found.ndim == 0 else found
