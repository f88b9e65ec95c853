"""Which mechanisms raise the predicted risk in the same patients."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import (
    GRID,
    LOWER_ZERO_HIGHER,
    MUTED,
    ON_COLOR,
    bare_y,
    color_bar,
    mark_rows,
    new_figure,
    styled,
)
from nbrelapse.report.wording import signed

_COLORS = LinearSegmentedColormap.from_list("apart_zero_together", LOWER_ZERO_HIGHER)


@styled
def mechanism_cooccurrence_plot(cooccurrence: pd.DataFrame, catalogue: Catalogue) -> Figure:
    """Draw observed and expected patients and the log odds ratio of every pair of mechanisms.

    The ratio is bold where its 95 % interval excludes 0. Pairs with too few patients are grey and have none.

    Parameters
    ----------
    cooccurrence : DataFrame
        From :func:`nbrelapse.explanation.mechanism_cooccurrence.mechanism_cooccurrence`.
    catalogue : Catalogue

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        There is no pair.
    """
    if cooccurrence.empty:
        raise InputError("fewer than two mechanisms are used", column="cooccurrence", expected="a row a pair")
    names = list(dict.fromkeys([*cooccurrence["first"], *cooccurrence["second"]]))
    place = {name: position for position, name in enumerate(names)}
    size = len(names) - 1
    figure = new_figure(2.2 + 0.68 * size, 2.1 + 0.44 * size)
    axes = figure.subplots()
    known = cooccurrence.loc[cooccurrence["enough"], "log_odds_ratio"].abs()
    largest = max(float(known.max()) if len(known) else 0.0, 0.5)
    scale = Normalize(-largest, largest)
    for row in cooccurrence.to_dict("records"):
        _cell(axes, place[row["first"]], place[row["second"]] - 1, {str(key): row[key] for key in row}, scale)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    axes.set_yticks(range(size), [catalogue.mechanisms[name].title for name in names[1:]])
    axes.set_xticks(range(size), [catalogue.mechanisms[name].title for name in names[:-1]], rotation=35, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    mark_rows(axes, [catalogue.mechanisms[name].color for name in names[1:]])
    axes.set_xlabel("Patients in whom both raise the risk: observed / expected if independent\nlog odds ratio (bold: "
                    "95% interval without 0; grey: too few patients)", fontsize=9)  # fmt: skip
    bare_y(axes)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    color_bar(figure, scale, _COLORS, ("apart", "0", "together"), "Log odds ratio")
    return figure


def _cell(axes: Axes, column: int, row: int, pair: dict[str, float], scale: Normalize) -> None:
    shown = bool(pair["enough"])
    face = _COLORS(scale(pair["log_odds_ratio"])) if shown else GRID
    axes.add_patch(Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, facecolor=face, edgecolor="none"))
    counts = "not assayed" if pair["assayed"] == 0 else f"{_short(pair['both'])} / {_short(pair['expected'])}"
    color = ON_COLOR if shown else MUTED
    axes.text(column, row - (0.17 if shown else 0.0), counts, ha="center", va="center", fontsize=7.5, color=color)
    if shown:
        sure = pair["low"] > 0 or pair["high"] < 0
        axes.text(column, row + 0.2, signed(pair["log_odds_ratio"]), ha="center", va="center", fontsize=8, color=color,
                  fontweight="bold" if sure else "normal")  # fmt: skip


def _short(count: float) -> str:
    return f"{count / 1000:.1f}k" if count >= 9999.5 else f"{count:.0f}"
