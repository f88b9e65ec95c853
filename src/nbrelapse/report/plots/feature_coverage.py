"""What was looked at: the share of patients with a value, feature by feature."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import GRID, bare_y, new_figure, styled


@styled
def feature_coverage(coverage: pd.DataFrame, catalogue: Catalogue) -> Figure:
    """Draw the share of patients with a value: a dot a feature, a bar for the mechanism's mean.

    Parameters
    ----------
    coverage : DataFrame
        As :func:`nbrelapse.report.coverage.coverage_table` returns it: ``mechanism`` and ``observed`` by feature.
    catalogue : Catalogue

    Returns
    -------
    Figure
    """
    mean = coverage.groupby("mechanism", sort=False)["observed"].mean()
    mean = mean.reindex([name for name in catalogue.mechanisms if name in mean.index])[::-1]
    row = pd.Series(range(len(mean)), index=mean.index)
    colors = [catalogue.mechanisms[name].color for name in mean.index]
    figure = new_figure(5.8, 0.34 * len(mean) + 1.0)
    axes = figure.subplots()
    axes.barh(range(len(mean)), [1.0] * len(mean), color=GRID, height=0.56, alpha=0.55)
    axes.barh(range(len(mean)), mean, color=colors, height=0.56, alpha=0.45)
    axes.scatter(
        coverage["observed"],
        row[coverage["mechanism"]],
        s=20,
        color=[catalogue.mechanisms[name].color for name in coverage["mechanism"]],
        linewidths=0,
        clip_on=False,
        zorder=3,
    )
    axes.set_yticks(range(len(mean)), [catalogue.mechanisms[name].title for name in mean.index])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("Patients with a value\n(dot: a feature, bar: mean of the mechanism)")
    bare_y(axes)
    axes.tick_params(axis="y", pad=8)
    return figure
