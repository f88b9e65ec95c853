"""Pictures of mechanisms: how much each moves the risk, which occur together, and in which risk groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import LEAST_PATIENTS, Explanation, GroupContributions, contributions_by_group
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import (
    _GRID,
    _INK,
    _LOWER_ZERO_HIGHER,
    _MUTED,
    _ON_COLOR,
    _PAPER,
    _bare_y,
    _color_bar,
    _mark_rows,
    _new_figure,
    _styled,
)
from nbrelapse.report.wording import _signed


@_styled
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
    figure = _new_figure(5.8, 0.34 * len(names) + 0.9)
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
        axes.annotate(note, (end, row), (26, 0), textcoords="offset points", va="center", fontsize=8.5, color=_MUTED)
    axes.set_xlabel(f"Mean absolute contribution to the {explanation.scale}{_whisker_note(stability)}")
    axes.set_xlim(0, max(float(ends.max()) * 1.04, 1e-6))
    axes.grid(axis="x")
    _bare_y(axes)
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
        for color, width, size in ((_PAPER, 3.0, 8.5), (_INK, 1.2, 7.0)):
            axes.plot([low, high], [row, row], color=color, linewidth=width, marker="|", markersize=size,
                      markeredgewidth=width, solid_capstyle="butt", zorder=3, clip_on=False)  # fmt: skip


def _whisker_note(stability: Stability | None) -> str:
    return "" if stability is None else f"\n(whisker: 95% of {stability.n_refits} bootstrap refits)"


_COOCCURRENCE_COLORS = LinearSegmentedColormap.from_list("apart_zero_together", _LOWER_ZERO_HIGHER)


@_styled
def mechanism_cooccurrence_plot(cooccurrence: pd.DataFrame, catalogue: Catalogue) -> Figure:
    """Draw observed and expected patients and the log odds ratio of every pair of mechanisms.

    The ratio is bold where its 95 % interval excludes 0. Pairs with too few patients are grey and have none.

    Parameters
    ----------
    cooccurrence : DataFrame
        From :func:`nbrelapse.explanation.explanation.mechanism_cooccurrence`.
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
    figure = _new_figure(2.2 + 0.68 * size, 2.1 + 0.44 * size)
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
    _mark_rows(axes, [catalogue.mechanisms[name].color for name in names[1:]])
    axes.set_xlabel("Patients in whom both raise the risk: observed / expected if independent\nlog odds ratio (bold: "
                    "95% interval without 0; grey: too few patients)", fontsize=9)  # fmt: skip
    _bare_y(axes)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    _color_bar(figure, scale, _COOCCURRENCE_COLORS, ("apart", "0", "together"), "Log odds ratio")
    return figure


def _cell(axes: Axes, column: int, row: int, pair: dict[str, float], scale: Normalize) -> None:
    shown = bool(pair["enough"])
    face = _COOCCURRENCE_COLORS(scale(pair["log_odds_ratio"])) if shown else _GRID
    axes.add_patch(Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, facecolor=face, edgecolor="none"))
    counts = "not assayed" if pair["assayed"] == 0 else f"{_short(pair['both'])} / {_short(pair['expected'])}"
    color = _ON_COLOR if shown else _INK
    axes.text(column, row - (0.17 if shown else 0.0), counts, ha="center", va="center", fontsize=7.5, color=color)
    if shown:
        sure = pair["low"] > 0 or pair["high"] < 0
        axes.text(column, row + 0.2, _signed(pair["log_odds_ratio"]), ha="center", va="center", fontsize=8, color=color,
                  fontweight="bold" if sure else "normal")  # fmt: skip


def _short(count: float) -> str:
    return f"{count / 1000:.1f}k" if count >= 9999.5 else f"{count:.0f}"


_HEATMAP_COLORS = LinearSegmentedColormap.from_list("lower_zero_higher", _LOWER_ZERO_HIGHER)


@_styled
def risk_group_heatmap(explanation: Explanation, group: pd.Series, catalogue: Catalogue) -> Figure:
    """Draw the mean signed contribution of each mechanism in each group of patients, the number in its cell.

    Colours are centred on zero. Groups of fewer than 10 patients are left out and named in a note.

    Parameters
    ----------
    explanation : Explanation
    group : Series
        Categorical, by patient; NaN where it is unknown. Its name says what the groups are.
    catalogue : Catalogue

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        No group has 10 patients.
    """
    found = contributions_by_group(explanation.mechanisms, group)
    if found.mean.shape[1] == 0:
        raise InputError("no group is large enough", column="group", expected=f"{LEAST_PATIENTS} patients in a group")
    mean = found.mean.loc[explanation.mechanism_importance().index[::-1]]
    rows, columns = mean.shape
    figure = _new_figure(max(5.8, 2.6 + 1.05 * columns), 0.36 * rows + 1.9)
    axes = figure.subplots()
    scale = _symmetric(mean)
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    axes.pcolormesh(*edges, mean.to_numpy(), cmap=_HEATMAP_COLORS, norm=scale, edgecolor=_PAPER, linewidth=1.5)
    for (row, column), value in np.ndenumerate(mean.to_numpy()):
        axes.text(
            column, row, _signed(float(value), _digits(scale)), ha="center", va="center", fontsize=9, color=_ON_COLOR
        )
    axes.set_xticks(range(columns), [f"{name}\nn = {found.n[name]:,}" for name in mean.columns])
    axes.set_yticks(range(rows), [catalogue.mechanisms[name].title for name in mean.index])
    _mark_rows(axes, [catalogue.mechanisms[name].color for name in mean.index])
    axes.set_xlabel("\n".join([str(group.name), *_notes(found)]))
    _bare_y(axes)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    what = f"Mean contribution to the {explanation.scale}"
    _color_bar(figure, scale, _HEATMAP_COLORS, ("lowers", "0", "raises"), what)
    return figure


def _symmetric(mean: pd.DataFrame) -> Normalize:
    largest = max(float(mean.abs().to_numpy().max()), 1e-6)
    return Normalize(-largest, largest)


def _digits(scale: Normalize) -> int:
    """Two decimals, one more where the largest number is below 0.1."""
    return 2 if float(scale.vmax or 0.0) >= 0.1 else 3


def _notes(found: GroupContributions) -> list[str]:
    notes = []
    if found.left_out:
        notes.append(f"Left out, fewer than {LEAST_PATIENTS} patients: {', '.join(found.left_out)}.")
    if found.unknown:
        notes.append(f"{found.unknown:,} patients of unknown group are left out.")
    return notes
