"""Discrimination by the number of training patients."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.report.plots.style import ACCENT, MUTED, new_figure, styled


@styled
def learning_curve(table: pd.DataFrame) -> Figure:
    """Draw how well a model ranks unseen patients against how many it was trained on.

    Parameters
    ----------
    table : DataFrame
        ``patients``, ``value``, ``low`` and ``high``, see :class:`nbrelapse.validation.learning_curve.LearningCurve`.

    Returns
    -------
    Figure
    """
    figure = new_figure(5.8, 3.1)
    axes = figure.subplots()
    axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.vlines(table["patients"], table["low"], table["high"], color=ACCENT, linewidth=1.4)
    axes.plot(table["patients"], table["value"], color=ACCENT, linewidth=2.0, marker="o", markersize=5)
    axes.set(xlabel="Training patients", ylabel="Concordance in unseen patients")
    axes.set_xlim(0, float(table["patients"].max()) * 1.08)
    axes.grid(axis="y")
    return figure
