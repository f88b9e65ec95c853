"""Pictures of contributions: of all patients, of one patient, by a feature's value, as deletion curves."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.report.plots.style import (
    _ABSENT,
    _ACCENT,
    _GRID,
    _INK,
    _MUTED,
    _RISK_GROUPS,
    _bare_y,
    _drawn_note,
    _drawn_patients,
    _mark_rows,
    _new_figure,
    _spread_dots,
    _styled,
    _zero_line,
)
from nbrelapse.report.wording import _contribution_text, _prediction_text

if TYPE_CHECKING:
    from nbrelapse.explanation.checks import DeletionCurve

_COLORS = LinearSegmentedColormap.from_list("low_to_high", _RISK_GROUPS)


@_styled
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
    figure = _new_figure(5.8, 0.34 * len(shown) + 1.4)
    axes = figure.subplots()
    _zero_line(axes)
    scale = _color_scale(explanation.values[shown])
    drawn = _drawn_patients(explanation)
    for row, name in enumerate(shown):
        x = explanation.features[name].to_numpy()[drawn]
        y = row + _spread_dots(x)
        known = explanation.values[name].notna().to_numpy()[drawn]
        color = _COLORS(scale[name].to_numpy()[drawn][known])
        axes.axhline(row, color=_GRID, linewidth=0.6, zorder=0.2)
        axes.scatter(x[~known], y[~known], s=7, color=_ABSENT, linewidths=0, rasterized=True, zorder=2)
        axes.scatter(x[known], y[known], s=9, c=color, linewidths=0, rasterized=True, zorder=3)
    _label_rows(axes, shown, catalogue)
    part = _drawn_note(len(drawn), len(explanation.values))
    axes.set_xlabel(f"Contribution to the {explanation.scale}   (right: higher risk)\n{part}".strip())
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), _COLORS), ax=axes, orientation="horizontal", location="top", shrink=0.4,
        aspect=30, anchor=(1.0, 0.0), pad=0.01,
    )  # fmt: skip
    bar.set_ticks([0, 1], labels=["low value", "high value"])
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=_MUTED)
    bar.outline.set_visible(False)
    if explanation.values[shown].isna().to_numpy().any():
        bar.ax.text(-0.12, 0.5, "not assayed", color=_MUTED, ha="right", va="center", fontsize=8.5,
                    transform=bar.ax.transAxes)  # fmt: skip
        bar.ax.plot([-0.08], [0.5], "o", color=_ABSENT, markersize=3.5, transform=bar.ax.transAxes, clip_on=False)
    return figure


def _label_rows(axes: Axes, shown: list[str], catalogue: Catalogue) -> None:
    definitions = [catalogue.features[name] for name in shown]
    axes.set_yticks(range(len(shown)), [textwrap.fill(definition.title, 28) for definition in definitions])
    axes.set_ylim(-0.7, len(shown) - 0.3)
    _mark_rows(axes, [catalogue.mechanisms[definition.mechanism].color for definition in definitions])
    _bare_y(axes)


def _color_scale(values: pd.DataFrame) -> pd.DataFrame:
    """Position of each value between its column's 5th and 95th percentile (min and max where these agree)."""
    low, high = values.quantile(0.05), values.quantile(0.95)
    same = low == high
    low, high = low.mask(same, values.min()), high.mask(same, values.max())
    return ((values - low) / (high - low).replace(0.0, 1.0)).clip(0, 1)


_SMALL = {"log hazard": 0.005, "log odds": 0.005, "probability": 0.0005}
"""Contributions below this are drawn together as "other": half of the last digit written."""

_RISK = {"log hazard": "Log hazard relative to the average training patient", "log odds": "Log odds of the event"}
_NARROWEST = {"log hazard": 0.1, "log odds": 0.1, "probability": 0.02}


@_styled
def patient_waterfall(explanation: Explanation, patient: str, catalogue: Catalogue) -> Figure:
    """Draw how what was measured, by mechanism, leads from the model's baseline to one patient's prediction.

    One hatched bar, the last, gathers what comes from missing values: it speaks of patients not assayed, not of this
    tumour. The picture does not name the patient.

    Parameters
    ----------
    explanation : Explanation
        On either scale; contributions to a probability are written in percentage points.
    patient : str
        A row label of the explanation.
    catalogue : Catalogue

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        The patient is not among the explained ones.
    """
    if patient not in explanation.features.index:
        raise InputError("the patient is not among the explained ones", column="patient", fix="check the patient id")
    steps = _steps(explanation, patient, catalogue)
    ends = explanation.baseline + steps["value"].cumsum()
    starts = ends - steps["value"]
    figure = _new_figure(5.8, 0.36 * len(steps) + 1.5)
    axes = figure.subplots()
    rows = np.arange(len(steps))
    bars = axes.barh(rows, steps["value"], left=starts, color=list(steps["color"]), height=0.62)
    for bar, color, absent in zip(bars, steps["color"], steps["absent"], strict=True):
        if absent:
            bar.set(facecolor="none", edgecolor=color, hatch="/////", linewidth=0.9)
    reach = [explanation.baseline, *ends]
    span = max(max(reach) - min(reach), _NARROWEST[explanation.scale])
    for row, (start, end, value) in enumerate(zip(starts, ends, steps["value"], strict=True)):
        axes.plot([end, end], [row - 0.31, min(row + 1.31, len(steps) - 0.45)], color=_MUTED, linewidth=0.7, zorder=0.5)
        axes.annotate(_contribution_text(value, explanation.scale), (max(start, end), row), (5, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    axes.set_yticks(rows, list(steps["title"]))
    axes.set_ylim(len(steps) + 0.1, -0.95)
    axes.set_xlim(min(reach) - 0.12 * span, max(reach) + 0.2 * span)
    _mark_ends(axes, explanation, float(ends.iloc[-1]), len(steps))
    axes.set_xlabel(_axis_title(explanation))
    if explanation.scale == "probability":
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
    _bare_y(axes)
    return figure


def _axis_title(explanation: Explanation) -> str:
    if explanation.scale != "probability":
        return _RISK[explanation.scale]
    axis = "Predicted probability of the event"
    days = explanation.horizon_days
    return axis if days is None else f"{axis} by {days / YEAR:.3g} year{'s' * (days > YEAR)}"


def _steps(explanation: Explanation, patient: str, catalogue: Catalogue) -> pd.DataFrame:
    """Measured parts of the mechanisms by size, those too small to see in one row, then all that is missing."""
    contributions = explanation.features.loc[[patient]].iloc[0]
    known = explanation.values.loc[[patient]].iloc[0].notna().to_numpy()
    measured = contributions[known].groupby(explanation.mechanism_of[known], sort=False).sum()
    table = pd.DataFrame(
        {
            "value": measured,
            "absent": False,
            "title": [catalogue.mechanisms[name].title for name in measured.index],
            "color": [catalogue.mechanisms[name].color for name in measured.index],
        }
    ).sort_values("value", key=abs, ascending=False, kind="stable")
    large = table["value"].abs() >= _SMALL[explanation.scale]
    ends: list[tuple[float, bool, str, str]] = []
    if not large.all():
        ends.append((float(table.loc[~large, "value"].sum()), False, "Other mechanisms", _MUTED))
    if not known.all():
        ends.append((float(contributions[~known].sum()), True, "Not assayed", _MUTED))
    return pd.concat([table[large], pd.DataFrame(ends, columns=table.columns)] if ends else [table], ignore_index=True)


def _mark_ends(axes: Axes, explanation: Explanation, prediction: float, rows: int) -> None:
    baseline, scale = explanation.baseline, explanation.scale
    axes.plot([baseline, baseline], [-0.5, 0.31], color=_MUTED, linewidth=0.7, zorder=0.5)
    axes.text(baseline, -0.55, f"baseline {_prediction_text(baseline, scale)}", ha="center", va="bottom", color=_MUTED,
              fontsize=9)  # fmt: skip
    axes.text(prediction, rows - 0.4, f"this patient {_prediction_text(prediction, scale)}", ha="center", va="top",
              color=_INK, fontsize=9.5, fontweight="bold")  # fmt: skip


_COLUMNS = 3
_FEW_VALUES = 8
"""Features of at most as many values have their dots side by side at each."""


@_styled
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
    figure = _new_figure(max(3.4, 2.65 * columns), 2.5 * rows + 0.3)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    drawn = _drawn_patients(explanation)
    for axes, name in zip(panels, shown, strict=False):
        definition = catalogue.features[str(name)]
        mechanism = catalogue.mechanisms[definition.mechanism]
        value, contribution = (part[name].to_numpy()[drawn] for part in (explanation.values, explanation.features))
        _panel(axes, value, contribution, explanation.values[name], mechanism.color, definition.kind)
        axes.set_title(textwrap.fill(definition.title, 30), fontsize=9, pad=15)
        axes.text(0.0, 1.03, mechanism.title, transform=axes.transAxes, color=_MUTED, fontsize=8.5)
    for axes in panels[len(shown) :]:
        axes.remove()
    figure.supylabel(f"Contribution to the {explanation.scale}", fontsize=9.5)
    note = _drawn_note(len(drawn), len(explanation.values))
    figure.supxlabel("Value" + (f"\n{note}" if note else ""), fontsize=9.5)
    return figure


def _panel(
    axes: Axes, value: np.ndarray, contribution: np.ndarray, everybody: pd.Series, color: str, kind: str
) -> None:
    axes.axhline(0.0, color=_MUTED, linewidth=0.8, zorder=0.5)
    levels = np.unique(everybody.dropna())
    few = len(levels) <= _FEW_VALUES
    low, high = (float(levels[0]), float(levels[-1])) if len(levels) else (0.0, 0.0)
    gap = float(np.diff(levels).min()) if few and len(levels) > 1 else (high - low) / 12 or 1.0
    known = ~np.isnan(value)
    x = value.copy()
    for level in levels if few else ():
        own = value == level
        x[own] += _spread_dots(contribution[own], 0.7 * gap)
    axes.scatter(x[known], contribution[known], s=7, color=color, linewidths=0, alpha=0.75, rasterized=True, zorder=3)
    ticks = levels if few else MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    names = {float(tick): _name(float(tick), kind) for tick in ticks if low <= tick <= high}
    left = low - 0.6 * gap
    if everybody.isna().any():
        room = max(0.16 * (high - low), 0.7 * gap)
        place = left - 0.75 * room
        absent = contribution[~known]
        across = place + _spread_dots(absent, 0.8 * room)
        axes.scatter(across, absent, s=7, color=_ABSENT, linewidths=0, rasterized=True, zorder=2)
        axes.axvline(left, color=_MUTED, linewidth=0.7, linestyle=(0, (3, 3)), zorder=0.5)
        names[place] = "not\nassayed"
        left = place - 0.75 * room
    axes.set_xlim(left, high + 0.6 * gap)
    axes.set_xticks(list(names), list(names.values()), fontsize=8)


def _name(value: float, kind: str) -> str:
    if kind == "binary":
        return {0.0: "no", 1.0: "yes"}.get(value, f"{value:g}")
    return f"{value:.0%}" if kind == "fraction" else f"{value:g}".replace("-", "−")


_LOOKS = {
    "by_contribution": ("largest contributions first", _ACCENT, "solid"),
    "at_random": ("in random order", _MUTED, (0, (4, 2))),
}


@_styled
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
    figure = _new_figure(3.9 * across, 2.9 * down + 0.3)
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in panels.flat[len(curves) :]:
        axes.set_axis_off()
    for axes, (title, curve) in zip(panels.flat, curves.items(), strict=False):
        table, areas = curve.table, curve.areas
        axes.axhline(1.0, color=_MUTED, linewidth=0.8)
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
