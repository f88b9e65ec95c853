"""How each feature's value moves the predicted risk, patient by patient.

shap's own beeswarm jitters from NumPy's global generator and draws on pyplot's current figure; this one is the same
picture bit by bit every time, draws on a Figure of its own and marks each feature with its mechanism's colour.
"""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.drawn_patients import drawn_note, drawn_patients
from nbrelapse.report.plots.spread_dots import spread_dots
from nbrelapse.report.plots.style import (
    ABSENT,
    GRID,
    MUTED,
    RISK_GROUPS,
    bare_y,
    mark_rows,
    new_figure,
    styled,
    zero_line,
)

_COLORS = LinearSegmentedColormap.from_list("low_to_high", RISK_GROUPS)


@styled
def beeswarm(explanation: Explanation, catalogue: Catalogue, top: int = 15) -> Figure:
    """Draw a dot a patient for the most important features; missing values are grey.

    Of more than 4,000 patients as many are drawn, evenly spaced by their predicted risk, the lowest and the highest
    among them. Features and colours are chosen on all.

    Parameters
    ----------
    explanation : Explanation
    catalogue : Catalogue
    top : int
        Features shown, by mean absolute contribution.

    Returns
    -------
    Figure
    """
    importance = explanation.feature_importance()
    shown = list(importance[importance > 0].index[:top])[::-1] or list(importance.index[:1])
    figure = new_figure(5.8, 0.34 * len(shown) + 1.4)
    axes = figure.subplots()
    zero_line(axes)
    scale = _color_scale(explanation.values[shown])
    drawn = drawn_patients(explanation)
    for row, name in enumerate(shown):
        x = explanation.features[name].to_numpy()[drawn]
        y = row + spread_dots(x)
        known = explanation.values[name].notna().to_numpy()[drawn]
        color = _COLORS(scale[name].to_numpy()[drawn][known])
        axes.axhline(row, color=GRID, linewidth=0.6, zorder=0.2)
        axes.scatter(x[~known], y[~known], s=7, color=ABSENT, linewidths=0, rasterized=True, zorder=2)
        axes.scatter(x[known], y[known], s=9, c=color, linewidths=0, rasterized=True, zorder=3)
    _label_rows(axes, shown, catalogue)
    part = drawn_note(len(drawn), len(explanation.values))
    axes.set_xlabel(f"Contribution to the {explanation.scale}   (right: higher risk)\n{part}".strip())
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), _COLORS), ax=axes, orientation="horizontal", location="top", shrink=0.4,
        aspect=30, anchor=(1.0, 0.0), pad=0.01,
    )  # fmt: skip
    bar.set_ticks([0, 1], labels=["low value", "high value"])
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=MUTED)
    bar.outline.set_visible(False)
    if explanation.values[shown].isna().to_numpy().any():
        bar.ax.text(-0.12, 0.5, "● not assayed", color=ABSENT, ha="right", va="center", fontsize=8.5,
                    transform=bar.ax.transAxes)  # fmt: skip
    return figure


def _label_rows(axes: Axes, shown: list[str], catalogue: Catalogue) -> None:
    definitions = [catalogue.features[name] for name in shown]
    axes.set_yticks(range(len(shown)), [textwrap.fill(definition.title, 28) for definition in definitions])
    axes.set_ylim(-0.7, len(shown) - 0.3)
    mark_rows(axes, [catalogue.mechanisms[definition.mechanism].color for definition in definitions])
    bare_y(axes)


def _color_scale(values: pd.DataFrame) -> pd.DataFrame:
    """Position of each value between its column's 5th and 95th percentile (min and max where these agree)."""
    low, high = values.quantile(0.05), values.quantile(0.95)
    same = low == high
    low, high = low.mask(same, values.min()), high.mask(same, values.max())
    return ((values - low) / (high - low).replace(0.0, 1.0)).clip(0, 1)
