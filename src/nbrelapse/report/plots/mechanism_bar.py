"""Which mechanisms move the predicted risk most."""

from __future__ import annotations

from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import MUTED, bare_y, new_figure, styled


@styled
def mechanism_bar(explanation: Explanation, catalogue: Catalogue) -> Figure:
    """Draw the mean absolute contribution of each mechanism to the log risk, in the catalogue's colours.

    A hatched part says how much of it comes from assays that were not done.

    Parameters
    ----------
    explanation : Explanation
    catalogue : Catalogue

    Returns
    -------
    Figure
    """
    importance = explanation.mechanism_importance()[::-1]
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
    for row, (value, absent) in enumerate(zip(importance, missing, strict=True)):
        share = absent / value if value > 0 else 0.0
        note = f"   {share:.0%} from missing values" if share >= 0.05 else ""
        axes.annotate(f"{value:.2g}", (value, row), (5, 0), textcoords="offset points", va="center", fontsize=9)
        axes.annotate(note, (value, row), (26, 0), textcoords="offset points", va="center", fontsize=8.5, color=MUTED)
    axes.set_xlabel(f"Mean absolute contribution to the {explanation.scale}")
    axes.set_xlim(0, max(float(importance.max()) * 1.04, 1e-6))
    axes.grid(axis="x")
    bare_y(axes)
    return figure
