"""Whether decisions by the model do more good than decisions by the clinical groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbrelapse.report.plots.style import ACCENT, INK, MUTED, RISK_GROUPS, new_figure, styled
from nbrelapse.report.wording import strategy_title
from nbrelapse.validation.decision_curve import TREAT_ALL, TREAT_NONE

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.validation.clinical_utility import ClinicalUtility

_LOWEST = -0.08
"""A strategy below it does harm; how much is not worth the room."""

_DASHES = ((0, (5, 2)), (0, (2, 1.5)), (0, (5, 1.5, 1, 1.5)))


@styled
def decision_curve_plot(utility: ClinicalUtility) -> Figure:
    """Draw the net benefit of each strategy by threshold, a panel a horizon; the model has its 95% band.

    Parameters
    ----------
    utility : ClinicalUtility
        Of at least one horizon.

    Returns
    -------
    Figure
    """
    table = utility.decisions.net_benefit
    years = sorted(table["years"].unique())
    figure = new_figure(3.6 * len(years) + 0.2, 3.9)
    panels = figure.subplots(1, len(years), squeeze=False, sharey=True)[0]
    looks = _looks(list(table["strategy"].unique()), utility.model)
    for axes, year in zip(panels, years, strict=True):
        own = table[table["years"] == year]
        for strategy, look in looks.items():
            _draw(axes, own[own["strategy"] == strategy], strategy_title(strategy), look, strategy == utility.model)
        axes.set(title=f"Within {year} years", xlabel="Threshold probability")
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.grid(axis="y")
    panels[0].set_ylim(_LOWEST, 1.1 * max(table["net_benefit"].max(), 0.1))
    panels[0].set_ylabel("Net benefit per patient")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _looks(strategies: list[str], model: str) -> dict[str, dict[str, object]]:
    looks: dict[str, dict[str, object]] = {}
    groups = iter(_DASHES)
    for strategy in strategies:
        if strategy in (TREAT_ALL, TREAT_NONE):
            looks[strategy] = {"color": MUTED, "linewidth": 0.9 if strategy == TREAT_ALL else 1.4}
        elif strategy == model:
            looks[strategy] = {"color": ACCENT, "linewidth": 2.0}
        elif strategy == "clinical_cox":
            looks[strategy] = {"color": INK, "linewidth": 1.2}
        elif strategy == "high_risk":
            looks[strategy] = {"color": RISK_GROUPS[2], "linewidth": 1.6}
        else:
            looks[strategy] = {"color": RISK_GROUPS[1], "linewidth": 1.1, "linestyle": next(groups)}
    return looks


def _draw(axes: Axes, rows: pd.DataFrame, title: str, look: dict[str, object], band: bool) -> None:
    if band:
        axes.fill_between(
            rows["threshold"], rows["low"], rows["high"], color=str(look["color"]), alpha=0.13, linewidth=0
        )
    axes.plot(rows["threshold"], rows["net_benefit"], label=title, **look)  # type: ignore[arg-type]
