"""Who changes group when a model takes the place of the clinical groups, and whether that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.validation.bootstrap_interval import bootstrap_interval
from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.observed_incidence import observed_incidence
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.weighted_incidence import weighted_incidence


@dataclass(frozen=True)
class Reclassification:
    """Clinical groups against groups by predicted incidence.

    Parameters
    ----------
    cells : DataFrame
        ``clinical, model, n, predicted, observed, low, high``: a row a cell with patients, both groups as ranks
        from 0, lowest risk first. ``observed`` is the incidence at the horizon with its 95 % interval, see
        :func:`observed_incidence`.
    improvement : DataFrame
        ``component, value, low, high``: ``events`` and ``nonevents``, the parts of the net reclassification
        improvement with their bootstrap intervals.
    cuts : ndarray
        Predicted incidences from which on the next group begins.
    unknown : int
        Patients without a clinical group, who are left out.
    """

    cells: pd.DataFrame
    improvement: pd.DataFrame
    cuts: np.ndarray
    unknown: int


def reclassification(
    clinical: np.ndarray,
    predictions: Predictions,
    y: np.ndarray,
    horizon_days: float,
    *,
    cuts: Sequence[float] | None = None,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Reclassification:
    r"""Cross clinical groups with groups of predicted incidence.

    The parts of the net reclassification improvement are the net shares of patients with the event who move up, and
    of those without who move down, with censoring and competing events as in [1]_:
    :math:`[P(U) F_U - P(D) F_D] / F` and :math:`[P(D)(1 - F_D) - P(U)(1 - F_U)] / (1 - F)`, F being the observed
    incidence of all, of those who move up and of those who move down. They are not added up, because the sum
    weighs events and non-events as if they were equally frequent; it is known to favour miscalibrated models and
    useless markers [2]_. Net benefit (:func:`decision_curve`) answers whether decisions get better.

    Parameters
    ----------
    clinical : ndarray of shape (n,)
        Group of each patient as a number, higher is worse; NaN where it is not known.
    predictions : Predictions
        Repeats are averaged.
    y : structured ndarray of shape (n,)
    horizon_days : float
        One of the predictions' times.
    cuts : sequence of float, optional
        Predicted incidences that part the model's groups, one fewer than there are clinical groups. By default
        those that give the groups the sizes of the clinical ones; tied predictions stay together.
    n_bootstrap, seed : int
        Of the intervals of the improvement; the cuts stay.

    Returns
    -------
    Reclassification

    Raises
    ------
    ValueError
        There are fewer than two clinical groups, or the cuts are not one fewer or do not rise.

    References
    ----------
    .. [1] Pencina 2011, Statistics in Medicine, 10.1002/sim.4085
    .. [2] Kerr 2014, Epidemiology, 10.1097/EDE.0000000000000018

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0), (1, 15.0), (0, 40.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> incidence = np.array([0.6, 0.2, 0.9, 0.1]).reshape(1, 4, 1)
    >>> model = Predictions("cox", np.zeros((1, 4)), np.zeros((1, 4), int), incidence, np.array([20.0]))
    >>> found = reclassification(np.array([0, 1, 1, 0]), model, y, 20.0)
    >>> found.cells[["clinical", "model", "n", "observed"]].values.tolist()
    [[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    >>> found.improvement["value"].tolist()
    [0.5, 0.5]
    """
    known = ~np.isnan(np.asarray(clinical, dtype=float))
    levels, group = np.unique(np.asarray(clinical, dtype=float)[known], return_inverse=True)
    if len(levels) < 2:
        raise ValueError(f"reclassification needs two clinical groups, there are {len(levels)}")
    own = y[known]
    risk = predictions.incidence_at(horizon_days).mean(axis=0)[known]
    edges = _equal_sizes(risk, group) if cuts is None else np.asarray(cuts, dtype=float)
    if len(edges) != len(levels) - 1 or (np.diff(edges) < 0).any():
        raise ValueError(f"{len(levels)} clinical groups need {len(levels) - 1} rising cuts, not {edges.tolist()}")
    predicted = np.searchsorted(edges, risk, side="right")
    weights = bootstrap_weights(len(own), n_bootstrap, seed)
    return Reclassification(
        _cells(group, predicted, risk, own, horizon_days),
        _improvement(np.sign(predicted - group), own, horizon_days, weights),
        edges,
        int((~known).sum()),
    )


def _equal_sizes(risk: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the lowest predicted incidence of each group but the first, were the groups as large as given ones."""
    return np.sort(risk)[np.cumsum(np.bincount(group))[:-1]]


def _cells(
    clinical: np.ndarray, predicted: np.ndarray, risk: np.ndarray, y: np.ndarray, horizon: float
) -> pd.DataFrame:
    rows = []
    for first, second in np.unique(np.stack([clinical, predicted]), axis=1).T:
        inside = (clinical == first) & (predicted == second)
        rows.append((first, second, inside.sum(), risk[inside].mean(), *observed_incidence(y[inside], horizon)))
    columns = ["clinical", "model", "n", "predicted", "observed", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"clinical": int, "model": int, "n": int})


def _improvement(move: np.ndarray, y: np.ndarray, horizon: float, weights: np.ndarray) -> pd.DataFrame:
    times, total = np.array([horizon]), weights.sum(axis=0, dtype=float)
    everybody = weighted_incidence(y, weights, times)[0]
    events, nonevents = np.zeros((2, weights.shape[1]))
    for sign in (1, -1):
        moved = move == sign
        share = weights[moved].sum(axis=0, dtype=float) / total
        incidence = weighted_incidence(y[moved], weights[moved], times)[0]
        events += sign * share * incidence
        nonevents -= sign * share * (1 - incidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = {"events": events / everybody, "nonevents": nonevents / (1 - everybody)}
    rows = [
        (name, values[0], *bootstrap_interval(values[0], np.where(np.isfinite(values[1:]), values[1:], np.nan)))
        for name, values in parts.items()
    ]
    return pd.DataFrame(rows, columns=["component", "value", "low", "high"])
