"""Contributions to the log risk as contributions to the predicted probability."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation, _refuse_a_gap, roll_up
from nbrelapse.models.base import RiskModel
from nbrelapse.models.survival import SurvivalModel

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 4.0
"""Log risks walked with one set of nodes. A choice: the sums are then exact to 1e-9, see the tests."""


def to_probability(explanation: Explanation, model: RiskModel, horizon_days: float | None = None) -> Explanation:
    r"""Bring an explanation of log risks to the scale of the probability of the event.

    The probability :math:`F` depends on the features through the log risk :math:`r` of the event and, where a competing
    event has a model, through its log risk :math:`c`. Both go on a straight line from the baseline to the patient, on
    which every feature moves them at a constant rate by its contributions :math:`\phi_j` and :math:`\gamma_j`; the
    contribution to the probability is what the feature moved along the way,

    .. math:: \phi_j \int_0^1 F_r\,dt + \gamma_j \int_0^1 F_c\,dt .

    These are the Aumann-Shapley values of the game (Aumann and Shapley 1974; Sundararajan 2017,
    https://proceedings.mlr.press/v70/sundararajan17a.html): they add up to the probability less that of the baseline,
    a feature without any effect has 0, and mechanisms are the sums of their features. The integrals are by
    Gauss-Legendre quadrature.

    Parameters
    ----------
    explanation : Explanation
        Of the log risks of ``model``, from :func:`nbrelapse.explanation.explain`.
    model : RiskModel
    horizon_days : float, optional
        Days at which the cumulative incidence of the event is explained; not for a binary endpoint.

    Returns
    -------
    Explanation
        With the scale ``"probability"``. Its baseline is the probability at the baseline log risks, which is not the
        mean probability of any patients.

    Raises
    ------
    InputError
        The explanation is of a probability already, or the horizon is missing, not positive, beyond the training
        follow-up, or given for a binary endpoint.

    Examples
    --------
    >>> from nbrelapse.models.logistic import Logistic
    >>> from nbrelapse.explanation import explain
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> X = pd.DataFrame({"mycn__amplified": [0.0, 1.0] * 20, "clinical__age_months": [3.0, 9.0, 30.0, 50.0] * 10})
    >>> y = np.array([0, 1, 0, 1, 1, 1, 0, 1] * 5, dtype=np.int8)
    >>> model = Logistic(penalty=0.01, calibration_folds=0).fit(X, y)
    >>> found = to_probability(explain(model, X, load_catalogue()), model)
    >>> total = found.baseline + found.mechanisms.sum(axis=1)
    >>> bool(np.allclose(total, model.predict_probability(X), atol=1e-9))
    True
    """
    horizon = _checked_horizon(explanation, model, horizon_days)
    own, own_start = _competing_terms(explanation, model)
    log_risk = explanation.prediction.to_numpy()
    start = np.array([explanation.baseline, own_start])
    change = np.column_stack([log_risk - explanation.baseline, own.sum(axis=1)])
    by_event, by_competing = _mean_gradient(model, start, change, horizon)
    values = by_event[:, None] * explanation.features.to_numpy() + by_competing[:, None] * own
    features = pd.DataFrame(values, index=explanation.features.index, columns=explanation.features.columns)
    baseline = float(_probability(model, start[None], horizon)[0])
    probability = _probability(model, start + change, horizon)
    _refuse_a_gap(baseline + values.sum(axis=1) - probability, probability, "probability")
    return replace(
        explanation,
        baseline=baseline,
        features=features,
        mechanisms=roll_up(features, explanation.mechanism_of)[explanation.mechanisms.columns],
        prediction=pd.Series(probability, index=features.index, name="probability"),
        scale="probability",
        horizon_days=horizon_days,
    )


def _checked_horizon(explanation: Explanation, model: RiskModel, horizon_days: float | None) -> float:
    if explanation.scale == "probability":
        raise InputError("the explanation is of a probability already", expected="an explanation of log risks")
    followed = model.followed_days
    if followed is None:
        if horizon_days is not None:
            raise InputError("a binary endpoint knows no time", column="horizon_days", expected="none")
        return np.inf
    if horizon_days is None or not 0 < horizon_days <= followed:
        raise InputError(
            f"illegal horizon {horizon_days!r}",
            column="horizon_days",
            expected=f"days, above 0 and at most {followed:g}, as far as the training patients carry",
        )
    return horizon_days


def _competing_terms(explanation: Explanation, model: RiskModel) -> tuple[np.ndarray, float]:
    """Return what each feature adds to the competing log risk beyond the slope, and where that starts."""
    nothing = np.zeros(explanation.features.shape)
    if model.competing_ is None:
        return nothing, 0.0
    assert isinstance(model, SurvivalModel)
    names = list(explanation.features.columns)
    terms = model.competing_terms(explanation.values)[names].to_numpy()
    if explanation.background is None:
        return terms, 0.0
    usual = model.competing_terms(explanation.background)[names].to_numpy()
    return terms - usual.mean(axis=0), float(usual.mean(axis=0).sum())


def _slope(model: SurvivalModel) -> float:
    return model.baseline_.competing_slope if model.competing_ is None else model.competing_.slope


def _probability(model: RiskModel, risks: np.ndarray, horizon: float) -> np.ndarray:
    """Probability from the log risk and the competing event's own part, a column each."""
    if not isinstance(model, SurvivalModel):
        return np.asarray(expit(risks[:, 0]))
    competing = _slope(model) * risks[:, 0] + risks[:, 1]
    return model.baseline_.cumulative_incidence(risks[:, 0], np.array([horizon]), competing)[:, 1, 0]


def _gradient(model: RiskModel, risks: np.ndarray, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Its derivatives by both."""
    if not isinstance(model, SurvivalModel):
        probability = expit(risks[:, 0])
        return probability * (1 - probability), np.zeros(len(risks))
    slope = _slope(model)
    by_event, by_competing = model.baseline_.incidence_gradient(risks[:, 0], horizon, slope * risks[:, 0] + risks[:, 1])
    return by_event + slope * by_competing, by_competing


def _mean_gradient(
    model: RiskModel, start: np.ndarray, change: np.ndarray, horizon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Integrals of the derivatives on the straight line; long lines are walked in several panels."""
    panels = np.maximum(1, np.ceil(np.abs(change).max(axis=1, initial=0.0) / _PANEL)).astype(int)
    mean = np.zeros((2, len(change)))
    for count in np.unique(panels):
        rows = np.flatnonzero(panels == count)
        for panel in range(count):
            for node, weight in zip(_NODES, _WEIGHTS, strict=True):
                along = (panel + (node + 1) / 2) / count
                found = _gradient(model, start + along * change[rows], horizon)
                mean[:, rows] += weight / (2 * count) * np.stack(found)
    return mean[0], mean[1]
