"""Baseline and cause-specific hazards, likelihoods of given risks, and ridge-penalised Cox regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from nbrelapse.errors import InputError
from nbrelapse.models.design import standardise
from nbrelapse.outcome import carried_days, kind_of

_ROWS = 400
"""Patients worked on at once: their steps stay in the processor's cache."""

_LARGEST_LOG_RISK = 300.0
"""Beyond it exp() leaves the range in which hazards can be added and divided; probabilities are 0 or 1 long before."""


@dataclass(frozen=True, eq=False)
class _BaselineHazard:
    """Baseline hazard steps of the event, and of the competing event.

    With log risk r the hazard of the event makes the step ``exp(r) * event_step`` at each of ``times``
    (Breslow 1972, discussion of Cox, 10.1111/j.2517-6161.1972.tb00899.x); that of a competing event makes
    ``exp(c) * competing_step``, with c the log risk of the competing event. The incidence comes from both
    cause-specific hazards (Putter 2007, 10.1002/sim.2712). Event-free survival is the exponential of minus the summed
    hazards, not the product limit of ``1 - step``: a patient of high risk can have a step above 1 late in follow-up,
    where few are left. At log risk 0 the incidence differs from that of Aalen and Johansen by the order of one over
    the number at risk.

    Parameters
    ----------
    times : ndarray of shape (n_steps,)
        Distinct event times in days, ascending.
    event_step, competing_step : ndarray of shape (n_steps,)
        ``competing_step`` is all 0 where training saw no competing event.
    last_time : float
        Longest observed time in days; predictions beyond it are carried forward.
    competes : bool
        Whether training saw a competing event.
    competing_slope : float
        Log risk of the competing event per unit of the event's, in models of before 0.3.0, which had no model of the
        competing event; 0 in later ones.
    carried_time : float
        Days before which enough patients were at risk, see :func:`nbrelapse.outcome.carried_days`; infinity in models
        of before 0.4.0, which did not record it.

    Examples
    --------
    Three patients of equal risk: a relapse on day 100, a death on day 200, one still followed on day 300.

    >>> y = np.array([(1, 100.0), (2, 200.0), (0, 300.0)], dtype=[("event", np.int8), ("time", float)])
    >>> hazard = _BaselineHazard.fit(y, log_risk=np.zeros(3))
    >>> hazard.event_step.round(3), hazard.competing_step.round(3)
    (array([0.333, 0.   ]), array([0. , 0.5]))
    >>> hazard.cumulative_incidence(np.zeros(1), np.array([50.0, 250.0])).round(3)
    array([[[1.   , 0.435],
            [0.   , 0.283],
            [0.   , 0.282]]])
    """

    times: np.ndarray
    event_step: np.ndarray
    competing_step: np.ndarray
    last_time: float
    competes: bool
    competing_slope: float = 0.0
    carried_time: float = np.inf

    @classmethod
    def fit(cls, y: np.ndarray, log_risk: np.ndarray, competing_log_risk: np.ndarray | None = None) -> Self:
        """Estimate the steps from training outcomes and log risks.

        Parameters
        ----------
        y : structured ndarray of shape (n_samples,)
            ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
        log_risk : ndarray of shape (n_samples,)
        competing_log_risk : ndarray of shape (n_samples,), optional
            0, the same competing hazard for everybody, by default.
        """
        if competing_log_risk is None:
            competing_log_risk = np.zeros(len(y))
        order = np.argsort(-y["time"], kind="stable")
        time, event = y["time"][order], y["event"][order]
        times = np.unique(time[event > 0])
        last_with_time = np.searchsorted(-time, -times, side="right") - 1
        steps = [
            _count(time[event == code], times) / np.cumsum(_relative_hazard(risk[order]))[last_with_time]
            for code, risk in ((1, log_risk), (2, competing_log_risk))
        ]
        competes = bool((event == 2).any())
        return cls(times, steps[0], steps[1], float(time[0]), competes, carried_time=carried_days(y))

    def cumulative_incidence(
        self, log_risk: np.ndarray, times: np.ndarray, competing_log_risk: np.ndarray | None = None
    ) -> np.ndarray:
        """Probability of each state at each time.

        Parameters
        ----------
        log_risk : ndarray of shape (n_samples,)
        times : ndarray of shape (n_times,)
            Days, in any order; beyond ``last_time`` the last value is carried forward.
        competing_log_risk : ndarray of shape (n_samples,), optional
            ``competing_slope * log_risk`` by default.

        Returns
        -------
        ndarray of shape (n_samples, n_causes + 1, n_times)
            Index 0 event-free, 1 the event, 2 the competing event where training saw one. Each step's loss of
            survival is shared between the causes in proportion to their hazards, so the states sum to 1.

        Raises
        ------
        InputError
            A time is not a number.
        """
        if np.isnan(times).any():
            raise InputError("a prediction time is not a number", column="times", expected="days from diagnosis")
        log_risk = np.asarray(log_risk, dtype=float)
        if competing_log_risk is None:
            competing_log_risk = self.competing_slope * log_risk
        event, competing = _relative_hazard(log_risk), _relative_hazard(competing_log_risk)
        if not self.competes:
            step = np.searchsorted(self.times, times, side="right")
            exponent = -event[:, None] * _cumulative(self.event_step)[step]
            return np.stack([np.exp(exponent), -np.expm1(exponent)], axis=1)
        result = np.empty((len(log_risk), 3, len(times)))
        for start in range(0, len(log_risk), _ROWS):
            rows = slice(start, start + _ROWS)
            result[rows] = self._states(event[rows, None], competing[rows, None], times)
        return result

    def incidence_gradient(
        self, log_risk: np.ndarray, time: float, competing_log_risk: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """How the cumulative incidence of the event by one time changes with both log risks.

        Parameters
        ----------
        log_risk, competing_log_risk : ndarray of shape (n_samples,)
        time : float
            Days.

        Returns
        -------
        tuple of ndarray of shape (n_samples,)
            Derivatives by the log risk of the event and by that of the competing event.

        Examples
        --------
        >>> y = np.array([(1, 100.0), (2, 200.0), (0, 300.0)], dtype=[("event", np.int8), ("time", float)])
        >>> hazard = _BaselineHazard.fit(y, log_risk=np.zeros(3))
        >>> own, competing = hazard.incidence_gradient(np.zeros(1), 250.0, np.zeros(1))
        >>> own.round(3), competing.round(3)
        (array([0.239]), array([0.]))
        """
        event, competing = _relative_hazard(log_risk), _relative_hazard(competing_log_risk)
        kept = self.times <= time
        result = np.empty((2, len(event)))
        for start in range(0, len(event), _ROWS):
            rows = slice(start, start + _ROWS)
            result[:, rows] = self._gradient(event[rows, None], competing[rows, None], kept)
        return result[0], result[1]

    def _gradient(self, event: np.ndarray, competing: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        event_step, competing_step = event * self.event_step[kept], competing * self.competing_step[kept]
        event_sum, competing_sum = (
            event * _cumulative(self.event_step[kept]),
            competing * _cumulative(self.competing_step[kept]),
        )
        survival = np.exp(-event_sum - competing_sum)
        hazard = event_step + competing_step
        share = np.divide(event_step, hazard, out=np.zeros_like(hazard), where=hazard > 0)
        shift = (share * (1 - share) * -np.diff(survival, axis=1)).sum(axis=1)
        by_event = shift + (share * np.diff(survival * event_sum, axis=1)).sum(axis=1)
        by_competing = (share * np.diff(survival * competing_sum, axis=1)).sum(axis=1) - shift
        return by_event, by_competing

    def _states(self, event: np.ndarray, competing: np.ndarray, times: np.ndarray) -> np.ndarray:
        kept = self.times <= np.max(times, initial=0.0)
        event_step, competing_step = self.event_step[kept], self.competing_step[kept]
        survival = np.exp(-(event * _cumulative(event_step) + competing * _cumulative(competing_step)))
        lost = survival[:, :-1] - survival[:, 1:]
        # Only where both causes have a step is the loss of survival to be shared.
        lost[:, event_step == 0] = 0.0
        tied = (competing_step > 0) & (event_step > 0)
        lost[:, tied] *= event * event_step[tied] / (event * event_step[tied] + competing * competing_step[tied])
        # Sums step by step, not a product of matrices, whose last bits depend on how many patients there are.
        reached = np.searchsorted(self.times[kept], times, side="right")
        first, free = _cumulative(lost)[:, reached], survival[:, reached]
        return np.stack([free, first, np.maximum(0.0, 1.0 - free - first)], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        document = {
            "times": self.times.tolist(),
            "event_step": self.event_step.tolist(),
            "competing_step": self.competing_step.tolist(),
            "last_time": self.last_time,
            "competes": self.competes,
        }
        document |= {"carried_time": self.carried_time} if np.isfinite(self.carried_time) else {}
        # Versions before 0.3.0 refuse a document without a slope, rather than leave out the competing event's model.
        return document | ({"competing_slope": self.competing_slope} if self.competing_slope else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the hazard written by :meth:`to_dict`, equal to the last bit."""
        return cls(
            times=np.asarray(document["times"], dtype=float),
            event_step=np.asarray(document["event_step"], dtype=float),
            competing_step=np.asarray(document["competing_step"], dtype=float),
            last_time=float(document["last_time"]),
            competes=bool(document["competes"]),
            competing_slope=float(document.get("competing_slope", 0.0)),
            carried_time=float(document.get("carried_time", np.inf)),
        )


def _relative_hazard(log_risk: np.ndarray) -> np.ndarray:
    """Return the hazard ratio of each log risk, kept within the range that can be added and divided."""
    return np.exp(np.clip(log_risk, -_LARGEST_LOG_RISK, _LARGEST_LOG_RISK))


def _cumulative(steps: np.ndarray) -> np.ndarray:
    """Return the sums of the steps along the last axis, from 0 before the first."""
    return np.concatenate([np.zeros((*steps.shape[:-1], 1)), np.cumsum(steps, axis=-1)], axis=-1)


def _count(observed: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(times, observed), minlength=len(times)).astype(float)


def partial_log_likelihood(y: np.ndarray, log_risk: np.ndarray, strata: np.ndarray | None = None) -> float:
    """Return the mean log partial likelihood per event, after Breslow at tied times.

    Parameters
    ----------
    y : structured ndarray of shape (n,)
        Competing events are censored: the hazard is cause-specific.
    log_risk : ndarray of shape (n,)
    strata : ndarray of shape (n,), optional
        Patients are compared with those of their own stratum; all are of one by default.

    Returns
    -------
    float
        Higher is better; 0 where every event was certain. NaN without events.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 1.0), (0, 2.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> round(partial_log_likelihood(y, np.zeros(2)), 4)
    -0.6931
    """
    order, risk_sets = _risk_sets(y, strata)
    if not risk_sets:
        return float("nan")
    terms = []
    for stratum in risk_sets:
        risk = log_risk[order][stratum.rows]
        terms.append(risk[stratum.event] - np.logaddexp.accumulate(risk)[stratum.last])
    return float(np.mean(np.concatenate(terms)))


def log_likelihood(y: np.ndarray, log_odds: np.ndarray) -> float:
    """Return the mean log likelihood per patient of a binary outcome; minus the log loss.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 or 1.
    log_odds : ndarray of shape (n,)

    Returns
    -------
    float
        Higher is better; 0 where every outcome was certain.

    Examples
    --------
    >>> import numpy as np
    >>> round(log_likelihood(np.array([0, 1]), np.zeros(2)), 4)
    -0.6931
    """
    return float(np.mean(y * log_odds - np.logaddexp(0.0, log_odds)))


def mean_log_likelihood(y: np.ndarray, log_risk: np.ndarray, strata: np.ndarray | None = None) -> float:
    """Return the mean log likelihood of an outcome of either kind.

    Parameters
    ----------
    y : ndarray of shape (n,)
        A time to an event (:func:`partial_log_likelihood`, an event), or 0 and 1 (:func:`log_likelihood`, a patient).
    log_risk : ndarray of shape (n,)
    strata : ndarray of shape (n,), optional
        Of a time to an event: see :func:`partial_log_likelihood`.

    Returns
    -------
    float
        Higher is better. NaN without events, of a time to an event.

    Examples
    --------
    >>> import numpy as np
    >>> round(mean_log_likelihood(np.array([0, 1]), np.zeros(2)), 4)
    -0.6931
    """
    return partial_log_likelihood(y, log_risk, strata) if kind_of(y).has_time else log_likelihood(y, log_risk)


FEWEST_COMPETING_EVENTS = 10
"""Fewer do not bear one coefficient: below ten events a variable Cox regression is unreliable (Peduzzi 1995,
10.1016/0895-4356(95)00048-8)."""

_SLOPE_SD = 1.0
_OWN_SD = 0.5
"""Prior standard deviations of the slope, and of the part of the log risk that is the competing event's own. A choice:
of 0.25, 0.5, 0.7 and 1 on simulated cohorts with 19 to 330 competing events the best or near it."""


@dataclass(frozen=True, eq=False)
class _CompetingRisk:
    r"""Log relative hazard of the competing event, from the features and the log risk of the event.

    Ridge Cox regression of the competing event, the event being censoring: a patient with features x and log risk r of
    the event has the log risk :math:`\sigma r + \sum_j \gamma_j (x_j - m_j)`. What makes patients relapse makes many
    die without a relapse too, so :math:`\sigma` has a prior of its own, normal around 0 with standard deviation 1. The
    :math:`\gamma_j`, per standard deviation of a feature, share one: with p features each has the prior standard
    deviation :math:`0.5 / \sqrt{p}`, so that their sum has 0.5 at any p. Competing events are few; what they do not
    show stays near 0. A missing value stands at the mean.

    Parameters
    ----------
    slope : float
        :math:`\sigma`.
    coefficients, means : ndarray of shape (n_features,)
        :math:`\gamma_j` per unit of the feature, and :math:`m_j`.

    Examples
    --------
    Too few competing events to learn from: no model, the competing hazard is the same for everybody.

    >>> y = np.array([(1, 100.0), (2, 200.0), (0, 300.0)], dtype=[("event", np.int8), ("time", float)])
    >>> _CompetingRisk.fit(np.array([[1.0], [0.0], [np.nan]]), y, np.zeros(3)) is None
    True
    """

    slope: float
    coefficients: np.ndarray
    means: np.ndarray

    @classmethod
    def fit(
        cls, values: np.ndarray, y: np.ndarray, log_risk: np.ndarray, strata: np.ndarray | None = None
    ) -> Self | None:
        """Fit the model; None with fewer than ten competing events.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_features)
            NaN = not assayed.
        y : structured ndarray of shape (n_samples,)
            ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
        log_risk : ndarray of shape (n_samples,)
            Of the event, centred.
        strata : ndarray of shape (n_samples,), optional
            See :func:`_ridge_cox`.
        """
        if np.count_nonzero(y["event"] == 2) < FEWEST_COMPETING_EVENTS:
            return None
        competing = y.copy()
        competing["event"] = y["event"] == 2
        found = standardise(values)
        own = np.full(found.Z.shape[1], found.Z.shape[1] / _OWN_SD**2)
        solution = _ridge_cox(
            np.column_stack([found.Z, log_risk]),
            competing,
            np.append(own, _SLOPE_SD**-2),
            np.zeros(len(own) + 1),
            strata,
        )
        return cls(float(solution[-1]), found.unscale(solution[:-1])[0], found.means)

    def log_risk(self, values: np.ndarray, log_risk: np.ndarray) -> np.ndarray:
        """Log relative hazard of the competing event, shape (n_samples,), from what :meth:`fit` takes."""
        return np.asarray(self.slope * log_risk + self.own_terms(values).sum(axis=1))

    def own_terms(self, values: np.ndarray) -> np.ndarray:
        """Return what each feature adds beyond the event's log risk, shape (n_samples, n_features)."""
        return np.where(np.isnan(values), 0.0, values - self.means) * self.coefficients

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"slope": self.slope, "coefficients": self.coefficients.tolist(), "means": self.means.tolist()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the model written by :meth:`to_dict`, equal to the last bit."""
        coefficients, means = (np.asarray(document[name], dtype=float) for name in ("coefficients", "means"))
        return cls(float(document["slope"]), coefficients, means)


_ITERATIONS = 50
_HALVINGS = 20
_TOLERANCE = 1e-9
_LARGEST_LINEAR = 300.0
"""Beyond it exp() leaves the range in which hazards can be added and divided."""


def _ridge_cox(
    Z: np.ndarray, y: np.ndarray, penalty: np.ndarray, centre: np.ndarray, strata: np.ndarray | None = None
) -> np.ndarray:
    r"""Maximise the partial likelihood less a quadratic penalty around ``centre``.

    The objective is :math:`\ell(\beta) - \frac{1}{2} \sum_j \lambda_j (\beta_j - c_j)^2` with Breslow's partial
    likelihood, a sum over events: its maximum is the mode of the posterior when each coefficient has a normal prior of
    mean :math:`c_j` and variance :math:`1/\lambda_j`. Newton's method with step halving; the objective is strictly
    concave, so there is one answer. With more columns than patients the search runs in the space that the rows span
    (10.1093/biostatistics/kxh010), at the cost of as many columns as there are patients. With strata each has a
    baseline hazard of its own: a patient with an event is compared with those at risk of the same stratum, and
    :math:`\ell` is the sum over the strata.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_columns)
        No missing values.
    y : structured ndarray of shape (n_samples,)
        ``event`` (1 = the event; a competing event is censoring) and ``time``.
    penalty : ndarray of shape (n_columns,)
        Precision of each coefficient's prior, above 0.
    centre : ndarray of shape (n_columns,)
    strata : ndarray of shape (n_samples,), optional
        The stratum of each patient, by any labels; one for all by default.

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
    >>> _ridge_cox(Z, y, np.array([1e6]), np.array([0.7])).round(3).tolist()
    [0.7]
    """
    order, risk_sets = _risk_sets(y, strata)
    scaled, rotation = Z[order] / np.sqrt(penalty), None
    if scaled.shape[1] > len(scaled):
        scaled, rotation = _spanned(scaled)
    offset = Z[order] @ centre
    step = _newton(scaled, offset, risk_sets)
    return centre + (step if rotation is None else rotation @ step) / np.sqrt(penalty)


_LEAST_SPAN = 1e-12
"""Share of the largest variance below which a direction is rounding."""


def _spanned(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a design of as many columns as the rows of Z span, and what turns its coefficients into those of Z.

    From the products of the rows: of thousands of columns that takes a twentieth of a singular value decomposition.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_columns)
        More columns than rows.

    Returns
    -------
    W : ndarray of shape (n_samples, n_spanned)
    rotation : ndarray of shape (n_columns, n_spanned)
        Its columns are orthonormal, and Z is W times its transpose.

    Examples
    --------
    >>> Z = np.array([[1.0, 0.0, 2.0], [2.0, 0.0, 4.0]])
    >>> W, rotation = _spanned(Z)
    >>> W.shape, bool(np.allclose(W @ rotation.T, Z))
    ((2, 1), True)
    """
    variance, left = np.linalg.eigh(Z @ Z.T)
    kept = variance > _LEAST_SPAN * variance[-1]
    size, left = np.sqrt(variance[kept]), left[:, kept]
    return left * size, Z.T @ (left / size)


@dataclass(frozen=True, eq=False)
class _RiskSet:
    """Patients of one stratum, the latest first: which rows, who had the event, and the last row at risk at each."""

    rows: slice
    event: np.ndarray
    last: np.ndarray


def _risk_sets(y: np.ndarray, strata: np.ndarray | None) -> tuple[np.ndarray, list[_RiskSet]]:
    """Return the order of the patients, and the strata with events as rows in that order."""
    stratum = np.zeros(len(y), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    order = np.lexsort((-y["time"], stratum))
    ends = np.cumsum(np.bincount(stratum))
    found = []
    for start, end in zip(np.append(0, ends[:-1]), ends, strict=True):
        rows = order[start:end]
        time, event = -y["time"][rows], y["event"][rows] == 1
        if event.any():
            found.append(_RiskSet(slice(start, end), event, np.searchsorted(time, time[event], side="right") - 1))
    return order, found


def _newton(W: np.ndarray, offset: np.ndarray, risk_sets: list[_RiskSet]) -> np.ndarray:
    """Coefficients of W, each with penalty 1 around 0."""
    found = np.zeros(W.shape[1])
    value, gradient, hessian = _penalised(W, offset, risk_sets, found)
    for _ in range(_ITERATIONS):
        step = np.linalg.solve(hessian, gradient)
        for _ in range(_HALVINGS):
            proposed = found + step
            reached, gradient, hessian = _penalised(W, offset, risk_sets, proposed)
            if reached >= value - _TOLERANCE:
                break
            step = step / 2
        gain, value, found = reached - value, reached, proposed
        if abs(gain) < _TOLERANCE:
            return found
    raise ArithmeticError("the ridge-penalised Cox regression does not settle")


def _penalised(
    W: np.ndarray, offset: np.ndarray, risk_sets: list[_RiskSet], at: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Penalised log partial likelihood of all strata, its gradient and its negative second derivative."""
    value, gradient, hessian = 0.0, np.zeros(len(at)), np.zeros((len(at), len(at)))
    for stratum in risk_sets:
        own = _derivatives(W[stratum.rows], offset[stratum.rows], stratum.event, stratum.last, at)
        value, gradient, hessian = value + own[0], gradient + own[1], hessian + own[2]
    return value - float(at @ at) / 2, gradient - at, hessian + np.eye(len(at))


def _derivatives(
    W: np.ndarray, offset: np.ndarray, event: np.ndarray, last: np.ndarray, at: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log partial likelihood of one stratum, its gradient and its negative second derivative."""
    linear = np.clip(offset + W @ at, -_LARGEST_LINEAR, _LARGEST_LINEAR)
    largest = linear.max(initial=-np.inf)
    hazard = np.exp(linear - largest)
    at_risk = np.cumsum(hazard)[last]
    means = np.cumsum(hazard[:, None] * W, axis=0)[last] / at_risk[:, None]
    exposure = np.cumsum(np.bincount(last, 1 / at_risk, minlength=len(W))[::-1])[::-1] * hazard
    value = float(linear[event].sum() - np.log(at_risk).sum() - len(last) * largest)
    gradient = W[event].sum(axis=0) - means.sum(axis=0)
    return value, gradient, (W * exposure[:, None]).T @ W - means.T @ means
