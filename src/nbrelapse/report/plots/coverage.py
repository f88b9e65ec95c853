"""Pictures of what was assayed: by feature, and by mechanism and assay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.facts import _COUNTS, assay_title
from nbrelapse.report.plots.style import _GRID, _INK, _MUTED, _PAPER, _bare_y, _new_figure, _styled


@_styled
def feature_coverage(coverage: pd.DataFrame, catalogue: Catalogue) -> Figure:
    """Draw the share of patients with a value: a dot a feature, a bar for the mechanism's mean.

    Parameters
    ----------
    coverage : DataFrame
        As :func:`nbrelapse.report.facts.coverage_table` returns it: ``mechanism`` and ``observed`` by feature.
    catalogue : Catalogue

    Returns
    -------
    Figure
    """
    mean = coverage.groupby("mechanism", sort=False)["observed"].mean()
    mean = mean.reindex([name for name in catalogue.mechanisms if name in mean.index])[::-1]
    row = pd.Series(range(len(mean)), index=mean.index)
    colors = [catalogue.mechanisms[name].color for name in mean.index]
    figure = _new_figure(5.8, 0.34 * len(mean) + 1.0)
    axes = figure.subplots()
    axes.barh(range(len(mean)), [1.0] * len(mean), color=_GRID, height=0.56, alpha=0.55)
    axes.barh(range(len(mean)), mean, color=colors, height=0.56, alpha=0.45)
    axes.scatter(
        coverage["observed"],
        row[coverage["mechanism"]],
        s=26,
        color=[catalogue.mechanisms[name].color for name in coverage["mechanism"]],
        edgecolors=_PAPER,
        linewidths=0.8,
        clip_on=False,
        zorder=3,
    )
    axes.set_yticks(range(len(mean)), [catalogue.mechanisms[name].title for name in mean.index])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("Patients with a value\n(dot: a feature, bar: mean of the mechanism)")
    _bare_y(axes)
    axes.tick_params(axis="y", pad=8)
    return figure


_BAR = 0.86
"""Part of a column that a bar of all patients takes."""


@_styled
def patients_looked_at(counts: pd.DataFrame, features: pd.DataFrame, catalogue: Catalogue) -> Figure:
    """Draw mechanisms by assays: in each cell a bar of all patients, filled as far as something is known of them.

    Parameters
    ----------
    counts, features : DataFrame
        As :func:`nbrelapse.report.facts.mechanism_patients` and :func:`nbrelapse.report.facts.feature_patients`
        return them.
    catalogue : Catalogue

    Returns
    -------
    Figure
        The left number of a cell counts the patients with a value, the right one (+) those with an assayed sample that
        gave none. A dot below a bar is a feature, at the patients with a value of it. A mechanism without a feature of
        an assay has no bar there.
    """
    mechanisms = list(counts["mechanism"].unique())
    assays = list(counts["assay"].cat.categories)
    patients = int(counts[_COUNTS].iloc[0].sum())
    figure = _new_figure(2.0 + 1.2 * len(assays), 1.1 + 0.48 * len(mechanisms))
    axes = figure.subplots()
    for cell in counts.to_dict("records"):
        mechanism, assay = cell["mechanism"], cell["assay"]
        column, row, color = assays.index(assay), mechanisms.index(mechanism), catalogue.mechanisms[mechanism].color
        _draw_cell(axes, column, row, cell, color)
        own = features.loc[(features["mechanism"] == mechanism) & (features["assay"] == assay), "known"].unique()
        axes.scatter(column + own * _BAR / max(patients, 1), [row + 0.26] * len(own), s=7, color=color, linewidths=0)
    axes.set_xlim(-0.02, len(assays) - 0.08)
    axes.set_ylim(len(mechanisms) - 0.6, -0.7)
    axes.set_yticks(range(len(mechanisms)), [catalogue.mechanisms[name].title for name in mechanisms])
    axes.set_xticks(range(len(assays)), [assay_title(name) for name in assays], ha="left")
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    _bare_y(axes)
    figure.legend(
        handles=[
            Patch(color=_MUTED, label="with a value"),
            Patch(facecolor="none", edgecolor=_MUTED, hatch="/////", label="assayed, not known (+)"),
            Patch(color=_GRID, label="not assayed"),
            Line2D(
                [], [], color=_MUTED, marker="o", markersize=3, linestyle="none", label="a single feature, with a value"
            ),
        ],
        loc="outside lower center",
        ncols=4 if len(assays) > 4 else 2,
        title=f"{patients:,} patients",
    )
    return figure


def _draw_cell(axes: Axes, column: int, row: int, cell: Mapping[Any, Any], color: str) -> None:
    unit = _BAR / max(sum(cell[name] for name in _COUNTS), 1)
    known, not_known = cell["known"] * unit, cell["not_known"] * unit
    axes.barh(row, _BAR, left=column, height=0.32, color=_GRID)
    axes.barh(row, known, left=column, height=0.32, color=color)
    if cell["not_known"]:
        axes.barh(
            row, not_known, left=column + known, height=0.32, facecolor="none", edgecolor=color, hatch="/////", lw=0.6
        )
        axes.annotate(
            f"+{cell['not_known']:,}", (column + _BAR, row - 0.22), ha="right", va="bottom", fontsize=8, color=_MUTED
        )
    axes.annotate(f"{cell['known']:,}", (column, row - 0.22), va="bottom", fontsize=8, color=_INK)
