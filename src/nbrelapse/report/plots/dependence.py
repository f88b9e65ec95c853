"""How the contribution of a feature goes with its value."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.drawn_patients import drawn_note, drawn_patients
from nbrelapse.report.plots.spread_dots import spread_dots
from nbrelapse.report.plots.style import ABSENT, MUTED, new_figure, styled

_COLUMNS = 3
_FEW_VALUES = 8
"""Features of at most as many values have their dots side by side at each."""


@styled
def dependence(explanation: Explanation, catalogue: Catalogue, top: int = 6) -> Figure:
    """Draw contribution against value of the most important features, a panel a feature, a dot a patient.

    Dots have the colour of the feature's mechanism. Patients in whom the feature is missing stand apart, in grey. All
    panels share one scale of contributions. Of more than 4,000 patients as many are drawn, evenly spaced by their
    predicted risk; features are chosen on all.

    Parameters
    ----------
    explanation : Explanation
        On any scale.
    catalogue : Catalogue
    top : int
        Features shown, by mean absolute contribution.

    Returns
    -------
    Figure
    """
    importance = explanation.feature_importance()
    shown = list(importance[importance > 0].index[:top]) or list(importance.index[:1])
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = new_figure(max(3.4, 2.65 * columns), 2.5 * rows + 0.3)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    drawn = drawn_patients(explanation)
    for axes, name in zip(panels, shown, strict=False):
        definition = catalogue.features[str(name)]
        mechanism = catalogue.mechanisms[definition.mechanism]
        value, contribution = (part[name].to_numpy()[drawn] for part in (explanation.values, explanation.features))
        _panel(axes, value, contribution, explanation.values[name], mechanism.color, definition.kind)
        axes.set_title(textwrap.fill(definition.title, 30), fontsize=9, pad=15)
        axes.text(0.0, 1.03, mechanism.title, transform=axes.transAxes, color=MUTED, fontsize=8.5)
    for axes in panels[len(shown) :]:
        axes.remove()
    figure.supylabel(f"Contribution to the {explanation.scale}", fontsize=9.5)
    note = drawn_note(len(drawn), len(explanation.values))
    figure.supxlabel("Value" + (f"\n{note}" if note else ""), fontsize=9.5)
    return figure


def _panel(
    axes: Axes, value: np.ndarray, contribution: np.ndarray, everybody: pd.Series, color: str, kind: str
) -> None:
    axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0.5)
    levels = np.unique(everybody.dropna())
    few = len(levels) <= _FEW_VALUES
    low, high = (float(levels[0]), float(levels[-1])) if len(levels) else (0.0, 0.0)
    gap = float(np.diff(levels).min()) if few and len(levels) > 1 else (high - low) / 12 or 1.0
    known = ~np.isnan(value)
    x = value.copy()
    for level in levels if few else ():
        own = value == level
        x[own] += spread_dots(contribution[own], 0.7 * gap)
    axes.scatter(x[known], contribution[known], s=7, color=color, linewidths=0, alpha=0.75, rasterized=True, zorder=3)
    ticks = levels if few else MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    names = {float(tick): _name(float(tick), kind) for tick in ticks if low <= tick <= high}
    left = low - 0.6 * gap
    if everybody.isna().any():
        room = max(0.16 * (high - low), 0.7 * gap)
        place = left - 0.75 * room
        absent = contribution[~known]
        axes.scatter(place + spread_dots(absent, 0.8 * room), absent, s=7, color=ABSENT, linewidths=0, rasterized=True,
                     zorder=2)  # fmt: skip
        axes.axvline(left, color=MUTED, linewidth=0.7, linestyle=(0, (3, 3)), zorder=0.5)
        names[place] = "not\nassayed"
        left = place - 0.75 * room
    axes.set_xlim(left, high + 0.6 * gap)
    axes.set_xticks(list(names), list(names.values()), fontsize=8)


def _name(value: float, kind: str) -> str:
    if kind == "binary":
        return {0.0: "no", 1.0: "yes"}.get(value, f"{value:g}")
    return f"{value:.0%}" if kind == "fraction" else f"{value:g}".replace("-", "−")
