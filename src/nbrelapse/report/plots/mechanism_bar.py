"""Which mechanisms move the predicted risk most."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import INK, MUTED, PAPER, bare_y, new_figure, styled


@styled
def mechanism_bar(explanation: Explanation, catalogue: Catalogue, stability: Stability | None = None) -> Figure:
    """Draw the mean absolute contribution of each mechanism to the prediction, in the catalogue's colours.

    A hatched part says how much of it comes from assays that were not done. A whisker runs from ``low`` to ``high`` of
    the refits; it need not hold the end of the bar, because noise lengthens the bars of refits.

    Parameters
    ----------
    explanation : Explanation
    catalogue : Catalogue
    stability : Stability, optional
        Of the same explanation; without it there are no whiskers.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        The stability is of contributions on another scale.
    """
    importance = explanation.mechanism_importance()[::-1]
    reach = _reach(explanation, stability, importance)
    missing = importance * explanation.not_assayed_share()[importance.index]
    names = [catalogue.mechanisms[name].title for name in importance.index]
    colors = [catalogue.mechanisms[name].color for name in importance.index]
    figure = new_figure(5.8, 0.34 * len(names) + 0.9)
    axes = figure.subplots()
    measured = importance - missing
    axes.barh(names, measured, color=colors, height=0.68)
    axes.barh(
        names, missing, left=measured, height=0.68, facecolor="none", edgecolor=colors, hatch="/////", linewidth=0.8
    )
    _whiskers(axes, reach)
    ends = np.fmax(importance, reach["high"])
    for row, (value, absent, end) in enumerate(zip(importance, missing, ends, strict=True)):
        share = absent / value if value > 0 else 0.0
        note = f"   {share:.0%} from missing values" if share >= 0.05 else ""
        axes.annotate(f"{value:.2g}", (end, row), (5, 0), textcoords="offset points", va="center", fontsize=9)
        axes.annotate(note, (end, row), (26, 0), textcoords="offset points", va="center", fontsize=8.5, color=MUTED)
    axes.set_xlabel(f"Mean absolute contribution to the {explanation.scale}{_whisker_note(stability)}")
    axes.set_xlim(0, max(float(ends.max()) * 1.04, 1e-6))
    axes.grid(axis="x")
    bare_y(axes)
    return figure


def _reach(explanation: Explanation, stability: Stability | None, importance: pd.Series) -> pd.DataFrame:
    """Return the ends of the whiskers, NaN where there are none."""
    if stability is None:
        return pd.DataFrame(np.nan, index=importance.index, columns=["low", "high"])
    if stability.scale != explanation.scale:
        raise InputError(
            f"the refits explain the {stability.scale}, the bars the {explanation.scale}",
            column="stability",
            expected="both on one scale",
        )
    return stability.mechanisms[["low", "high"]].reindex(importance.index)


def _whiskers(axes: Axes, reach: pd.DataFrame) -> None:
    """Draw each on a pale edge, so that it is seen on every bar."""
    for row, (low, high) in enumerate(reach.itertuples(index=False)):
        if np.isnan(low) or np.isnan(high):
            continue
        for color, width, size in ((PAPER, 3.0, 8.5), (INK, 1.2, 7.0)):
            axes.plot([low, high], [row, row], color=color, linewidth=width, marker="|", markersize=size,
                      markeredgewidth=width, solid_capstyle="butt", zorder=3, clip_on=False)  # fmt: skip


def _whisker_note(stability: Stability | None) -> str:
    return "" if stability is None else f"\n(whisker: 95% of {stability.n_refits} bootstrap refits)"
