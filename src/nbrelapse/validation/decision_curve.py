"""Whether decisions by a model do more good than decisions by the clinical groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.net_benefit import net_benefit
from nbrelapse.validation.predictions import Predictions

THRESHOLDS = np.arange(2, 33) / 40
"""A choice: from 5 % to 80 %, beyond which nobody would or everybody would treat."""

TREAT_ALL = "treat all"
TREAT_NONE = "treat none"


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit of strategies of treatment.

    Parameters
    ----------
    net_benefit : DataFrame
        ``strategy, years, threshold, net_benefit, low, high, treated``: ``treated`` is the share of the patients.
        Models treat whose predicted incidence reaches the threshold; groups treat the same patients at each.
    differences : DataFrame
        ``strategy, reference, years, threshold, difference, low, high``: a model's net benefit less the reference
        group's in the same resamples; empty without groups.
    notes : list of str
        Horizons that were left out.
    """

    net_benefit: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]


def decision_curve(
    models: Mapping[str, Predictions],
    groups: Mapping[str, np.ndarray],
    y: np.ndarray,
    *,
    years: Sequence[int] = (3, 5),
    thresholds: np.ndarray = THRESHOLDS,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> DecisionCurve:
    """Compare treating by models, by clinical groups, everybody and nobody.

    A threshold is the probability of the event from which on the treatment is worth its harm. A model helps at the
    thresholds where its net benefit is above that of the groups and of treating all or none; see
    :func:`net_benefit`. Intervals are percentiles of bootstrap resamples of the patients.

    Parameters
    ----------
    models : mapping of str to Predictions
        Repeats are averaged as decisions.
    groups : mapping of str to bool ndarray of shape (n,)
        Whom a clinical group treats. The first is the reference of the differences.
    y : structured ndarray of shape (n,)
        ``event`` and ``time`` of the patients.
    years : sequence of int
        Horizons; one that the follow-up or the predictions do not reach is left out, with a note.
    thresholds : ndarray of shape (n_thresholds,)
        Between 0 and 1.
    n_bootstrap, seed : int

    Returns
    -------
    DecisionCurve

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hazard = np.exp(rng.normal(size=200)) / 1500
    >>> y = np.array([(t < 1500, min(t, 1500)) for t in rng.exponential(1 / hazard)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = (1 - np.exp(-hazard * 3 * 365.25)).reshape(1, 200, 1)
    >>> model = Predictions("cox", np.log(hazard)[None], np.zeros((1, 200), int), incidence, np.array([3 * 365.25]))
    >>> found = decision_curve({"cox": model}, {"high_risk": hazard > 0.001}, y, thresholds=np.array([0.5]))
    >>> found.net_benefit[["strategy", "net_benefit", "treated"]].round(2).values.tolist()
    [['treat all', 0.03, 1.0], ['treat none', 0.0, 0.0], ['high_risk', 0.22, 0.34], ['cox', 0.25, 0.54]]
    >>> found.notes
    ['net benefit at 5 years is left out, the follow-up or the predictions end before']
    """
    weights = bootstrap_weights(len(y), n_bootstrap, seed)
    everyone = np.ones((1, len(y)), dtype=bool)
    rows: list[pd.DataFrame] = []
    differences: list[pd.DataFrame] = []
    notes = []
    for year in years:
        horizon = year * YEAR
        if y["time"].max() <= horizon or any(model.times[-1] < horizon for model in models.values()):
            notes.append(f"net benefit at {year} years is left out, the follow-up or the predictions end before")
            continue
        treated = {TREAT_ALL: everyone, TREAT_NONE: ~everyone}
        treated |= {name: np.asarray(mask, dtype=bool)[None] for name, mask in groups.items()}
        treated |= {name: model.incidence_at(horizon)[:, :, None] >= thresholds for name, model in models.items()}
        found = {name: net_benefit(mask, y, horizon, thresholds, weights) for name, mask in treated.items()}
        for name, values in found.items():
            share = np.broadcast_to(treated[name].mean(axis=(0, 1)), thresholds.shape)
            rows.append(_table({"strategy": name}, year, thresholds, "net_benefit", values).assign(treated=share))
        for reference in list(groups)[:1]:
            for name in models:
                names = {"strategy": name, "reference": reference}
                change = found[name] - found[reference]
                differences.append(_table(names, year, thresholds, "difference", change))
    columns = ["years", "threshold"]
    return DecisionCurve(
        _concatenate(rows, ["strategy", *columns, "net_benefit", "low", "high", "treated"]),
        _concatenate(differences, ["strategy", "reference", *columns, "difference", "low", "high"]),
        notes,
    )


def _table(
    names: Mapping[str, str], years: int, thresholds: np.ndarray, value: str, replicates: np.ndarray
) -> pd.DataFrame:
    low, high = np.quantile(replicates[:, 1:], [0.025, 0.975], axis=1)
    found = {**names, "years": years, "threshold": thresholds, value: replicates[:, 0], "low": low, "high": high}
    return pd.DataFrame(found)


def _concatenate(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
