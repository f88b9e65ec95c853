"""How far the truth may lie from a patient's prediction, learned from cross-validated predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pandas as pd
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import expit, logit
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions, enough_patients
from nbrelapse.metrics.resampling import few_events_stretch
from nbrelapse.models.design import read_columns
from nbrelapse.outcome import HORIZON_YEARS, kind_of
from nbrelapse.validation.splits import repeated_folds

if TYPE_CHECKING:
    from nbrelapse.models.base import RiskModel

_TOTAL_VARIANCES = (0.05, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the log risk, over patients: what the features may explain in all. Weighed by the likelihood of the outcomes."""

_NOT_LINEAR = (0.05, 0.25, 0.7)
"""Shares of it that are no sum of features: smooth functions and products of pairs, half and half. Weighed likewise."""

_FREEDOM, _SCALE, _SPARSE_STEPS = 2.0, 0.1, 8
"""Coefficients may be alike, or few of them large: Student's t with 2 degrees of freedom, scaled to a tenth of the
variance that each has where all are alike, by steps of expectation and maximisation. Choices."""

_LEVEL = 1.0
"""Prior variance of the level of all log risks. A choice; the outcomes settle it."""

_TRUST_VARIANCE = 0.25
"""Of the weight of expected effects around 1, as in :class:`nbrelapse.models.prior.CoxPrior`."""

_BELOW, _ABOVE = (3.1, 1.64), 1.8
"""Standard deviations below, in the lowest and the highest tenth of risk, and above. Few events settle how low a low
risk is: errors there are skewed to the left. Chosen on cohorts 500 to 529 of ``benchmarks/interval_coverage.py``."""

_EVENTS_A_DEGREE = 3
"""Of freedom of Student's t: few events tell the variance of the prior badly. A choice."""

_KNOTS = 10
_MOST_PATIENTS = 1000
"""Of more, some are drawn, for the sake of time: bands are then wider than they need be."""

_NEWTON_STEPS = 8
_SETTLED = 0.01
"""Of a log risk: Newton's next step is far smaller."""

_NEGLIGIBLE = 1e-3
"""Of the largest evidence."""

_SMALLEST = 1e-4
"""Probabilities below it, or as near to 1, count as it."""


@dataclass(frozen=True)
class PatientBands:
    """Errors of a model's predictions by predicted risk, on the scale of log risks; see :func:`learn_bands`.

    Parameters
    ----------
    days : tuple of float
        Horizons; empty for a binary endpoint.
    risk, shift, variance : tuple of tuple of float
        A row a horizon (one for a binary endpoint), a column a tenth of predicted risk: the mean of log(-log(1 -
        incidence)), or of the log odds; how much higher the truth is expected; how far it may lie from there.
    """

    days: tuple[float, ...]
    risk: tuple[tuple[float, ...], ...]
    shift: tuple[tuple[float, ...], ...]
    variance: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` returned, or the same from a file."""
        rows = {name: tuple(map(tuple, document[name])) for name in ("risk", "shift", "variance")}
        return cls(tuple(document["days"]), **rows)

    def limits(
        self, incidence: np.ndarray, times: np.ndarray, refitted: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the limits of the true probability, and how far they lie from the prediction as a log risk.

        Parameters
        ----------
        incidence : ndarray of shape (n, n_times)
            Predicted by the model.
        times : ndarray of shape (n_times,)
            Days, increasing; infinity alone for a binary endpoint. Between and beyond the horizons the nearest count.
        refitted : ndarray of shape (n_refits, n, n_times)
            Predicted by bootstrap refits: a patient of whom these disagree more than the tenth of risk says gets the
            wider band. A refit that predicts 0, as before its first event, tells no distance.

        Returns
        -------
        low, high : ndarray of shape (n, n_times)
            They hold the prediction, and never fall with time, as the incidence does not.
        below, above : ndarray of shape (n, n_times)
            At most and at least 0.
        """
        scale, back = (_cloglog, _incidence) if self.days else (_log_odds, expit)
        risk = scale(incidence)
        deviations = [np.linspace(*_BELOW, len(knots)).tolist() for knots in self.risk]
        shift, variance, lower = (
            np.stack([self._at(time, column, rows) for time, column in zip(times, risk.T, strict=True)], axis=1)
            for rows in (self.shift, self.variance, deviations)
        )
        spread = np.sqrt(np.maximum(variance, _variance(scale(refitted), refitted > 0)))
        below, above = np.minimum(shift - lower * spread, 0), np.maximum(shift + _ABOVE * spread, 0)
        low, high = np.minimum(back(risk + below), incidence), np.maximum(back(risk + above), incidence)
        # A limit at one time is one at earlier (later) times too.
        low = np.maximum.accumulate(low, axis=1)
        high = np.minimum.accumulate(high[:, ::-1], axis=1)[:, ::-1]
        nothing = incidence == 0  # nobody has the event on day 0
        return np.where(nothing, 0, low), np.where(nothing, 0, high), below, above

    def _at(self, time: float, risk: np.ndarray, rows: Sequence[Sequence[float]]) -> np.ndarray:
        found = [np.interp(risk, knots, values) for knots, values in zip(self.risk, rows, strict=True)]
        if len(found) == 1:
            return found[0]
        later = int(np.clip(np.searchsorted(self.days, time), 1, len(self.days) - 1))
        start, end = self.days[later - 1], self.days[later]
        share = float(np.clip((time - start) / (end - start), 0, 1))
        return np.asarray((1 - share) * found[later - 1] + share * found[later])


def learn_bands(predictions: Predictions, model: RiskModel, X: pd.DataFrame, y: np.ndarray) -> PatientBands | None:
    r"""Learn from cross-validated predictions how far the truth may lie from a model's prediction.

    Bootstrap refits shrink toward the mean as the model does: their spread holds none of the error that comes of it,
    and covered the true incidence of simulated patients with 32 to 90 %. Here the truth has a posterior of its own:
    log risks are a Gaussian process over the features (their sum with random coefficients, all alike or few of them
    large, a share that is no sum, and the effects that the model expected before it saw these patients), conditioned
    on the outcomes by Laplace's approximation and averaged over what the prior leaves open by marginal likelihood
    [1]_. By tenth of predicted risk, the cross-validated predictions are held against it: the mean difference, and
    the variance of the differences plus that of the posterior.

    Nothing is refitted. Features that the model does not read are not in it: the band is of the risk given what the
    model reads, in patients as those in training.

    Parameters
    ----------
    predictions : Predictions
        Cross-validated, of these patients.
    model : RiskModel
        Fitted on them; what it reads, and what it expected (``expected_``), is taken from it.
    X : DataFrame of shape (n, n_features)
    y : ndarray of shape (n,)

    Returns
    -------
    PatientBands or None
        None where fewer than 10 patients or 5 events, or no horizon with 5 events, could teach it.

    References
    ----------
    .. [1] Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, sections 3.4 and 5.4

    Examples
    --------
    >>> from nbrelapse.models.linear import Cox
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"mycn__amplified": rng.integers(0, 2, 60).astype(float)})
    >>> y = np.zeros(60, dtype=[("event", "i1"), ("time", "f8")])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["mycn__amplified"]))
    >>> model = Cox(penalty=0.01).fit(X, y)
    >>> bands = learn_bands(cross_predictions(model, X, y, times=np.array([365.25])), model, X, y)
    >>> predicted = model.predict_risk(X, np.array([365.25]))[1]
    >>> low, high, *_ = bands.limits(predicted, np.array([365.25]), predicted[None])
    >>> bool((low < predicted).all() and (predicted < high).all())
    True
    """
    timed = kind_of(y).has_time
    days = _horizons(predictions, y) if timed else ()
    if not enough_patients(y) or (timed and not days):
        return None
    kept = np.sort(np.random.default_rng(0).permutation(len(y))[:_MOST_PATIENTS])
    predictions, X, y = predictions.take(kept), X.iloc[kept], y[kept]
    Z, mean = _standardised(model, X)
    data = _Observed.of(y, mean)
    with threadpool_limits(1):  # more threads wait for each other where other processes are busy
        truth, variance = _posterior(data, Z, mean)
    wider = few_events_stretch(int(data.event.sum()) // _EVENTS_A_DEGREE) ** 2
    risk: list[tuple[float, ...]] = []
    shift: list[tuple[float, ...]] = []
    spread: list[tuple[float, ...]] = []
    for horizon in days or (np.inf,):
        level, uncertain = data.level(horizon)
        predicted = (_cloglog if timed else _log_odds)(predictions.incidence_at(horizon))
        expected = np.broadcast_to(truth + level, predicted.shape)
        rows = _by_tenth(predicted, expected, variance + uncertain, wider)
        for column, row in zip((risk, shift, spread), rows, strict=True):
            column.append(row)
    return PatientBands(tuple(days), tuple(risk), tuple(shift), tuple(spread))


def cross_predictions(
    model: RiskModel, X: pd.DataFrame, y: np.ndarray, *, times: np.ndarray, n_folds: int = 5, seed: int = 0
) -> Predictions:
    """Predict every patient by a model of the same parameters that was fitted without him.

    Parameters
    ----------
    model : RiskModel
        Its parameters are used, not its fit.
    X, y
        As in ``fit``.
    times : ndarray of shape (n_times,)
        Days.
    n_folds, seed : int

    Returns
    -------
    Predictions
        Of one repeat. The parameters were chosen with everybody, so metrics of it are too good: it is for
        :func:`learn_bands`.

    Raises
    ------
    InputError
        There are too few events for the folds.
    """
    risk, fold, incidence = np.zeros(len(X)), np.zeros(len(X), dtype=int), np.zeros((len(X), len(times)))
    for _, number, train, test in repeated_folds(y, n_repeats=1, n_folds=n_folds, seed=seed):
        fold[test] = number
        risk[test], incidence[test] = clone(model).fit(X.iloc[train], y[train]).predict_risk(X.iloc[test], times)
    return Predictions(model.family, risk[None], fold[None], incidence[None], times)


_FEWEST_EVENTS = 5


def _horizons(predictions: Predictions, y: np.ndarray) -> tuple[float, ...]:
    """Horizons of scores that were predicted and by which enough events happened."""
    asked = [years * YEAR for years in HORIZON_YEARS]
    return tuple(
        days
        for days in asked
        if np.isclose(predictions.times, days).any()
        and ((y["event"] == 1) & (y["time"] <= days)).sum() >= _FEWEST_EVENTS
    )


def _standardised(model: RiskModel, X: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return what the model reads, standardised and the mean where it is not known, and the log risks it expected."""
    values = read_columns(X, model.feature_names_in_)
    known = ~np.isnan(values)
    centre = np.nansum(values, axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - centre, 0.0)
    scale = centred.std(axis=0)
    expected = getattr(model, "expected_", None)
    expected = getattr(expected, "expected_", expected)  # boosted_prior keeps a cox_prior
    mean = np.zeros(len(X)) if expected is None else centred @ expected
    return centred[:, scale > 0] / scale[scale > 0], mean


class _Observed(NamedTuple):
    """Outcomes as a likelihood of log risks: Poisson with a hazard a patient, or yes and no.

    The hazards are those of a Breslow estimate with the expected log risks; patients with a competing event stay at
    risk, as the incidence has them.
    """

    event: np.ndarray
    exposure: np.ndarray | None
    times: np.ndarray
    hazard: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, mean: np.ndarray) -> _Observed:
        if not kind_of(y).has_time:
            return cls(np.asarray(y, dtype=float), None, np.empty(0), np.empty(0))
        last = HORIZON_YEARS[-1] * YEAR
        time = np.where(y["event"] == 2, last, np.minimum(y["time"], last))
        event = ((y["event"] == 1) & (y["time"] <= last)).astype(float)
        order = np.argsort(time)
        at_risk = np.cumsum(np.exp(mean)[order][::-1])[::-1]
        times = np.sort(time[event == 1])
        hazard = np.cumsum(1 / at_risk[np.searchsorted(time[order], times)])
        reached = np.append(0.0, hazard)[np.searchsorted(times, time, side="right")]
        return cls(event, reached * np.exp(mean), times, hazard)

    def level(self, horizon: float) -> tuple[float, float]:
        """Log risk of a patient of the mean at a horizon, and its variance; log odds where there is no time."""
        if self.exposure is None:
            return float(logit(self.event.mean())), 0.0
        count = int(np.searchsorted(self.times, horizon, side="right"))
        return float(np.log(self.hazard[count - 1])), 1 / count - 1 / len(self.times)

    def gradient(self, excess: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Slope, curvature and log likelihood of log risks beyond those expected."""
        if self.exposure is None:
            odds = logit(self.event.mean()) + excess
            p = expit(odds)
            return self.event - p, p * (1 - p), float((self.event * odds - np.logaddexp(0, odds)).sum())
        expected = self.exposure * np.exp(np.clip(excess, -6, 6))
        return self.event - expected, expected, float((self.event * excess - expected).sum())


def _posterior(data: _Observed, Z: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the true log risks, averaged over what the prior leaves open."""
    fixed = _LEVEL + _TRUST_VARIANCE * np.outer(mean, mean)
    kernels = _kernels(data, Z, fixed)

    def covariance(kernel: int, share: float, total: float) -> np.ndarray:
        linear, curved = kernels[kernel]
        return np.asarray(total * ((1 - share) * linear + share * curved) + fixed)

    found: list[tuple[tuple[int, float, float], np.ndarray, float]] = []
    for kernel, share in product(range(len(kernels)), _NOT_LINEAR):
        mode = np.zeros(len(Z))
        for total in _TOTAL_VARIANCES:
            mode, evidence = _laplace(data, covariance(kernel, share, total), mode)
            found.append(((kernel, share, total), mode, evidence))
    evidences = np.array([evidence for *_, evidence in found])
    weight = np.exp(evidences - evidences.max())
    weight[weight < _NEGLIGIBLE] = 0.0
    weight /= weight.sum()
    centre = weight @ np.stack([mode for _, mode, _ in found])
    variance = np.zeros(len(Z))
    for (prior, mode, _), own in zip(found, weight, strict=True):
        if own:
            variance += own * (_variances(data, covariance(*prior), mode) + (mode - centre) ** 2)
    return mean + centre, variance


def _kernels(data: _Observed, Z: np.ndarray, fixed: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return covariances of sums of features, all alike and with few large ones, each with those of what is no sum."""
    width = max(Z.shape[1], 1)
    alike = Z @ Z.T / width
    norm = np.diag(alike)
    smooth = np.exp(-(norm[:, None] + norm[None] - 2 * alike) / 2)
    curved = (smooth + _of_mean_variance_one(alike**2)) / 2
    variances = np.full(Z.shape[1], 1 / width)
    for _ in range(_SPARSE_STEPS):
        variances = _sparser(data, Z, variances, fixed)
    return [(alike, curved), (_of_mean_variance_one((Z * variances) @ Z.T), curved)]


def _sparser(data: _Observed, Z: np.ndarray, variances: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """One step of expectation and maximisation for the prior variances of coefficients with Student's t."""
    weights, root, factor, _ = _newton(data, (Z * variances) @ Z.T + fixed, np.zeros(len(Z)))
    explained = (solve_triangular(factor, root[:, None] * Z, lower=True) ** 2).sum(axis=0)
    squares = (variances * (Z.T @ weights)) ** 2 + variances - variances**2 * explained
    return np.asarray((_FREEDOM * _SCALE / Z.shape[1] + squares) / (_FREEDOM + 1))


def _of_mean_variance_one(covariance: np.ndarray) -> np.ndarray:
    return np.asarray(covariance / max(np.diag(covariance).mean(), np.finfo(float).tiny))


def _laplace(data: _Observed, covariance: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Mode and log evidence (Rasmussen and Williams, algorithm 3.1)."""
    weights, _, factor, likelihood = _newton(data, covariance, start)
    mode = covariance @ weights
    return mode, likelihood - 0.5 * float(weights @ mode) - float(np.log(np.diag(factor)).sum())


def _variances(data: _Observed, covariance: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """Variances at the mode."""
    root, factor = _factor(data.gradient(mode)[1], covariance)
    explained = solve_triangular(factor, root[:, None] * covariance, lower=True)
    return np.asarray(np.diag(covariance) - (explained**2).sum(axis=0))


def _newton(
    data: _Observed, covariance: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Go to the mode; return its weights of patients, and the curvature's root, factor and likelihood there."""
    mode = start
    for _ in range(_NEWTON_STEPS):
        slope, curvature, _ = data.gradient(mode)
        root, factor = _factor(curvature, covariance)
        target = curvature * mode + slope
        weights = target - root * cho_solve((factor, True), root * (covariance @ target))
        before, mode = mode, covariance @ weights
        if np.abs(mode - before).max() < _SETTLED:
            break
    _, curvature, likelihood = data.gradient(mode)
    return weights, *_factor(curvature, covariance), likelihood


def _factor(curvature: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    root = np.sqrt(curvature)
    return root, cholesky(np.eye(len(root)) + root[:, None] * covariance * root, lower=True)


def _by_tenth(
    predicted: np.ndarray, truth: np.ndarray, variance: np.ndarray, wider: float
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Mean prediction, mean of truth less prediction, and ``wider`` times the variance around it, by tenth."""
    difference, own = (truth - predicted).ravel(), np.broadcast_to(variance, predicted.shape).ravel()
    tenths = np.array_split(np.argsort(predicted.ravel(), kind="stable"), _KNOTS)
    return (
        tuple(float(predicted.ravel()[tenth].mean()) for tenth in tenths),
        tuple(float(difference[tenth].mean()) for tenth in tenths),
        tuple(float(wider * (difference[tenth].var() + own[tenth].mean())) for tenth in tenths),
    )


def _variance(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Variance over the first axis of the values that count; 0 where none does."""
    number = np.maximum(counted.sum(axis=0), 1)
    all_count = bool(counted.all())
    values = values if all_count else np.where(counted, values, 0.0)
    deviations = values - values.sum(axis=0) / number
    deviations = deviations if all_count else np.where(counted, deviations, 0.0)
    return np.asarray(np.square(deviations, out=deviations).sum(axis=0) / number)


def _cloglog(incidence: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(-np.log1p(-np.clip(incidence, _SMALLEST, 1 - _SMALLEST))))


def _incidence(log_hazard: np.ndarray) -> np.ndarray:
    return np.asarray(-np.expm1(-np.exp(log_hazard)))


def _log_odds(probability: np.ndarray) -> np.ndarray:
    return np.asarray(logit(np.clip(probability, _SMALLEST, 1 - _SMALLEST)))
