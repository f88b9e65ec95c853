"""Whether the predicted probabilities are the observed ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from nbrelapse.report.plots.style import ACCENT, GRID, MUTED, new_figure, styled
from nbrelapse.validation.horizons import YEAR


@styled
def calibration(predicted: Mapping[int, np.ndarray], y: np.ndarray, groups: int = 5) -> Figure:
    """Draw observed against predicted cumulative incidence of the event, a panel a horizon.

    Patients are cut into groups of equal size by predicted probability. Observed is the Aalen-Johansen estimate of the
    group, in which competing events are no censoring, with its 95% log-log interval.

    Parameters
    ----------
    predicted : dict of int to ndarray of shape (n_patients,)
        Out-of-sample probability of the event within that many years.
    y : structured ndarray of shape (n_patients,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    groups : int
        Groups of patients.

    Returns
    -------
    Figure
    """
    figure = new_figure(3.05 * len(predicted), 3.35)
    panels = figure.subplots(1, len(predicted), squeeze=False, sharey=True)[0]
    for axes, (years, probability) in zip(panels, predicted.items(), strict=True):
        table = observed_by_group(np.asarray(probability), y, years * YEAR, groups)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        spread = [table["observed"] - table["low"], table["high"] - table["observed"]]
        axes.errorbar(table["predicted"], table["observed"], yerr=spread, fmt="none", ecolor=ACCENT, elinewidth=1.3)
        axes.plot(table["predicted"], table["observed"], "o", color=ACCENT, markersize=5.5)
        axes.vlines(probability, -0.035, -0.01, color=MUTED, alpha=0.25, linewidth=0.6, rasterized=True)
        axes.set(xlim=(-0.04, 1.02), ylim=(-0.04, 1.02), aspect="equal", title=f"Within {years} years")
        axes.set_xlabel("Predicted probability")
        axes.set_xticks(np.arange(0, 1.01, 0.25))
        axes.set_yticks(np.arange(0, 1.01, 0.25))
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.grid(color=GRID)
    panels[0].set_ylabel("Observed proportion with the event")
    return figure


def observed_by_group(probability: np.ndarray, y: np.ndarray, horizon: float, groups: int) -> pd.DataFrame:
    """Mean predicted and observed cumulative incidence at a horizon, by group of predicted probability.

    Parameters
    ----------
    probability : ndarray of shape (n_patients,)
    y : structured ndarray of shape (n_patients,)
    horizon : float
        Days.
    groups : int
        Groups of equal size; fewer where the predictions are tied.

    Returns
    -------
    DataFrame
        ``predicted``, ``observed``, ``low``, ``high`` and ``n``, a row a group in rising order of prediction. ``low``
        and ``high`` are NaN where the group has no event by the horizon, or its follow-up ends earlier.

    Examples
    --------
    >>> y = np.array([(1, 10.0), (0, 30.0), (1, 10.0), (1, 15.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> observed_by_group(np.array([0.1, 0.1, 0.9, 0.9]), y, 20.0, 2)[["predicted", "observed", "n"]]
       predicted  observed  n
    0        0.1       0.5  2
    1        0.9       1.0  2
    """
    label = pd.qcut(probability, groups, labels=False, duplicates="drop")
    label = np.where(pd.isna(label), 0, label)
    rows = []
    for group in np.unique(label):
        own = label == group
        estimate, low, high = _incidence(y[own], horizon)
        rows.append((probability[own].mean(), estimate, low, high, int(own.sum())))
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "n"])


def _incidence(y: np.ndarray, horizon: float) -> tuple[float, float, float]:
    event, time = y["event"].astype(int), y["time"]
    if time.max() < horizon and (event[time == time.max()] == 0).any():
        return np.nan, np.nan, np.nan
    if not (event[time <= horizon] == 1).any():
        return 0.0, np.nan, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        if (event == 2).any():
            times, incidence, band = cumulative_incidence_competing_risks(event, time, conf_type="log-log")
            incidence, band = incidence[1], band[1]
        else:
            times, survival, survival_band = kaplan_meier_estimator(event == 1, time, conf_type="log-log")
            incidence, band = 1 - survival, 1 - survival_band
    last = int(np.searchsorted(times, horizon, side="right")) - 1
    low, high = np.sort(band[:, last])
    return float(incidence[last]), float(low), float(high)
