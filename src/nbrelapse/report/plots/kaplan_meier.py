"""Whether patients with a higher predicted risk really fare worse."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sksurv.nonparametric import kaplan_meier_estimator

from nbrelapse.report.plots.style import GRID, MUTED, RISK_GROUPS, new_figure, set_apart, styled
from nbrelapse.validation.horizons import YEAR

_TITLES = ("Lowest third", "Middle third", "Highest third")


@styled
def kaplan_meier_by_risk(risk: np.ndarray, y: np.ndarray, years: float = 8.0) -> Figure:
    """Draw event-free survival by third of predicted risk, with 95% log-log bands and the numbers at risk.

    The curves are free of the event and of competing ones, so that they are Kaplan-Meier estimates without bias.

    Parameters
    ----------
    risk : ndarray of shape (n_patients,)
        Out-of-sample risks on one scale (log risks of one model, or predicted incidences, which are comparable across
        folds and repeats too); the thirds are cut at their own tertiles.
    y : structured ndarray of shape (n_patients,)
        ``event`` (0 censored) and ``time`` in days.
    years : float
        Where the curves end.

    Returns
    -------
    Figure
    """
    cuts = np.quantile(risk, [1 / 3, 2 / 3])
    third = np.searchsorted(cuts, risk, side="left")
    years = min(years, float(y["time"].max()) / YEAR)
    figure = new_figure(5.8, 4.1)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[1, 0.25])
    ends = []
    for group, color in enumerate(RISK_GROUPS):
        own = y[third == group]
        if not len(own):  # tied risks may leave a third empty
            continue
        time, survival, band = kaplan_meier_estimator(own["event"] > 0, own["time"], conf_type="log-log")
        time = np.concatenate([[0.0], time]) / YEAR
        survival = np.concatenate([[1.0], survival])
        band = np.column_stack([[1.0, 1.0], band])
        axes.fill_between(time, *band, step="post", color=color, alpha=0.13, linewidth=0)
        axes.step(time, survival, where="post", color=color, linewidth=1.8)
        ends.append((float(survival[time <= years][-1]), _TITLES[group], color))
    heights = set_apart([height for height, *_ in ends], 0.055)
    for (_, title, color), height in zip(ends, heights, strict=True):
        axes.annotate(title, (years, height), (6, 0), textcoords="offset points", color=color, va="center",
                      fontweight="bold", fontsize=9, annotation_clip=False)  # fmt: skip
    axes.set(xlim=(0, years), ylim=(0, 1.01), ylabel="Event-free survival")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=3, labelbottom=False)
    _numbers_at_risk(counts, y["time"] / YEAR, third, years)
    return figure


def _numbers_at_risk(axes: Axes, time: np.ndarray, third: np.ndarray, years: float) -> None:
    ticks = np.arange(0, years + 1e-9, 1 if years <= 10 else 2)
    for group, color in enumerate(RISK_GROUPS):
        for tick in ticks:
            count = int((time[third == group] >= tick).sum())
            axes.text(tick, 2 - group, str(count), ha="center", va="center", fontsize=8.5, color=color, clip_on=False)
    axes.set_ylim(-0.6, 2.6)
    axes.set_yticks([])
    axes.set_ylabel("At risk", color=MUTED, rotation=0, ha="right", va="center", fontsize=8.5, labelpad=14)
    axes.set_xticks(ticks)
    axes.set_xlabel("Years from diagnosis")
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(axis="x", length=0)
