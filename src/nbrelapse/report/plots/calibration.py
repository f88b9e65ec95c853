"""Whether the predicted probabilities are the observed ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbrelapse.report.plots.style import ACCENT, GRID, MUTED, new_figure, styled
from nbrelapse.validation.calibration_curve import calibration_curve
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.predictions import Predictions


@styled
def calibration(predictions: Predictions, y: np.ndarray, years: Sequence[int], groups: int = 5) -> Figure:
    """Draw observed against predicted cumulative incidence of the event, a panel a horizon.

    The curve and its band are those of :func:`calibration_curve`; dots are groups of equal size by predicted
    incidence with the Aalen-Johansen estimate, in which competing events are no censoring, and its 95% interval.

    Parameters
    ----------
    predictions : Predictions
        Out of sample.
    y : structured ndarray of shape (n_patients,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    years : sequence of int
        Horizons that predictions and follow-up reach.
    groups : int
        Groups of patients.

    Returns
    -------
    Figure
    """
    figure = new_figure(3.05 * len(years), 3.35)
    panels = figure.subplots(1, len(years), squeeze=False, sharey=True)[0]
    for axes, year in zip(panels, years, strict=True):
        found = calibration_curve(predictions, y, year * YEAR, groups=groups)
        curve, table = found.curve, found.groups
        axes.fill_between(curve["predicted"], curve["low"], curve["high"], color=ACCENT, alpha=0.13, linewidth=0)
        calibration_panel(axes, predictions.incidence_at(year * YEAR).mean(axis=0), table)
        axes.plot(curve["predicted"], curve["observed"], color=ACCENT, linewidth=1.5, zorder=1.5)
        axes.set_title(f"Within {year} years")
        axes.text(0.0, 0.97, f"ICI {found.ici:.3f}", color=MUTED, fontsize=8.5, va="center")
    panels[0].set_ylabel("Observed proportion with the event")
    return figure


def calibration_panel(axes: Axes, probability: np.ndarray, table: pd.DataFrame) -> None:
    """Draw groups of patients against the diagonal, and a mark for every prediction.

    Parameters
    ----------
    axes : Axes
    probability : ndarray of shape (n_patients,)
    table : DataFrame
        ``predicted``, ``observed``, ``low`` and ``high``, a row a group.
    """
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    spread = [table["observed"] - table["low"], table["high"] - table["observed"]]
    axes.errorbar(table["predicted"], table["observed"], yerr=spread, fmt="none", ecolor=ACCENT, elinewidth=1.3)
    axes.plot(table["predicted"], table["observed"], "o", color=ACCENT, markersize=5.5)
    axes.vlines(probability, -0.035, -0.01, color=MUTED, alpha=0.25, linewidth=0.6, rasterized=True)
    axes.set(xlim=(-0.04, 1.02), ylim=(-0.04, 1.02), aspect="equal")
    axes.set_xlabel("Predicted probability")
    axes.set_xticks(np.arange(0, 1.01, 0.25))
    axes.set_yticks(np.arange(0, 1.01, 0.25))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(color=GRID)
