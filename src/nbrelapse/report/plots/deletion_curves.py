"""Whether predictions go where their explanations say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nbrelapse.errors import InputError
from nbrelapse.report.plots.style import ACCENT, MUTED, new_figure, styled

if TYPE_CHECKING:
    from nbrelapse.explanation.deletion_curve import DeletionCurve

_LOOKS = {
    "by_contribution": ("largest contributions first", ACCENT, "solid"),
    "at_random": ("in random order", MUTED, (0, (4, 2))),
}


@styled
def deletion_curves(curves: Mapping[str, DeletionCurve]) -> Figure:
    """Draw what features put to the background, or back, change of the log risk, a panel a model.

    Parameters
    ----------
    curves : mapping of str to DeletionCurve
        By the title of the panel.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        There is no curve.
    """
    if not curves:
        raise InputError("no deletion curve to draw", column="curves", expected="at least one")
    across = min(2, len(curves))
    down = -(-len(curves) // across)
    figure = new_figure(3.9 * across, 2.9 * down + 0.3)
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in panels.flat[len(curves) :]:
        axes.set_axis_off()
    for axes, (title, curve) in zip(panels.flat, curves.items(), strict=False):
        table, areas = curve.table, curve.areas
        axes.axhline(1.0, color=MUTED, linewidth=0.8)
        for name, (label, color, dashes) in _LOOKS.items():
            axes.fill_between(
                table.index, table[f"{name}_low"], table[f"{name}_high"], color=color, alpha=0.18, linewidth=0
            )
            axes.plot(table.index, table[name], color=color, linewidth=1.8, linestyle=dashes, label=label)
        area = areas["value"]["by_contribution"]
        gain, least, most = (areas[column]["difference"] for column in ("value", "low", "high"))
        note = f"area {area:.2f}, {gain:+.2f}\nover random ({least:+.2f} to {most:+.2f})"
        axes.annotate(note, (0.97, 0.06), xycoords="axes fraction", ha="right", fontsize=9)
        moved = f"Features {table.index.name} (n = {curve.n_patients:,} patients)"
        axes.set(title=title, xlim=(0, table.index[-1]), xlabel=moved)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.grid(axis="y")
    for axes in panels[:, 0]:
        axes.set_ylabel("Share of the change of log risk")
    panels[0, 0].set_ylim(bottom=0)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
