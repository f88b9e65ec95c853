"""Every model's discrimination, and its difference from the clinical baseline, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbrelapse.report.plots.style import ACCENT, INK, MUTED, bare_y, new_figure, styled, zero_line
from nbrelapse.report.verdict import strongest_reference
from nbrelapse.report.wording import METRICS, POPULATIONS, model_title, number, signed
from nbrelapse.validation.leading_metric import leading_metric
from nbrelapse.validation.metric_kind import MetricKind

if TYPE_CHECKING:
    from nbrelapse.validation.evaluate import Evaluation


@styled
def leaderboard_forest(evaluation: Evaluation, chosen: str | None = None, metric: str | None = None) -> Figure:
    """Draw a forest plot: left the metric of every model, right its paired difference from the strongest baseline.

    Parameters
    ----------
    evaluation : Evaluation
    chosen : str, optional
        The model drawn in colour.
    metric : str, optional
        By default Harrell's C, or the AUC of a binary endpoint.

    Returns
    -------
    Figure
    """
    metric = metric or leading_metric(evaluation.metrics)
    kind = MetricKind.of(metric)
    metrics = evaluation.metrics[evaluation.metrics["metric"] == metric]
    blocks = [
        (name, metrics[metrics["population"] == name]) for name in POPULATIONS if name in set(metrics["population"])
    ]
    n_rows = sum(len(block) + 1 for _, block in blocks)
    figure = new_figure(7.8, 0.27 * n_rows + 0.9)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.0, 0.85])
    ticks: dict[float, str] = {}
    y = 0.0
    for population, block in blocks:
        _header(left, y, population, block)
        reference = strongest_reference(evaluation, population, metric)
        differences = _differences(evaluation, population, metric, reference)
        for row in block.sort_values("value", key=kind.goodness, ascending=False).to_dict("records"):
            y += 1.0
            model = row["model"]
            ticks[y] = model_title(model)
            color = ACCENT if model == chosen else MUTED if model == reference else INK
            _interval(left, y, (row["value"], row["low"], row["high"]), color, number)
            if model in differences:
                _interval(right, y, differences[model], color, _change)
            elif model == reference:
                right.text(0.0, y, " reference", color=MUTED, fontsize=8.5, va="center")
        y += 1.4
    left.set_yticks(list(ticks), list(ticks.values()))
    left.set_ylim(y - 0.9, -0.8)
    if kind.chance is not None:
        zero_line(left, kind.chance)
    zero_line(right)
    left.set_xlabel(METRICS.get(metric, metric))
    right.set_xlabel("Difference from the strongest baseline")
    for axes in (left, right):
        axes.grid(axis="x")
        axes.margins(x=0.08)
        bare_y(axes)
    return figure


def _header(axes: Axes, y: float, population: str, block: pd.DataFrame) -> None:
    beside = axes.get_yaxis_transform()
    axes.text(-0.02, y, POPULATIONS[population], transform=beside, fontweight="bold", ha="right", va="center")
    size = f"{int(block['n'].max())} patients, {int(block['events'].max())} events"
    axes.text(1.02, y, size, transform=beside, color=MUTED, va="center", fontsize=8.5)


def _differences(
    evaluation: Evaluation, population: str, metric: str, reference: str | None
) -> dict[str, tuple[float, float, float]]:
    table = evaluation.differences
    chosen = (table["population"] == population) & (table["metric"] == metric) & (table["reference"] == reference)
    rows = table[chosen].to_dict("records")
    return {row["model"]: (row["difference"], row["low"], row["high"]) for row in rows}


def _interval(
    axes: Axes, y: float, interval: tuple[float, float, float], color: str, form: Callable[[float], str]
) -> None:
    value, low, high = interval
    beside = axes.get_yaxis_transform()
    if pd.isna(value):
        axes.text(1.02, y, "not estimable", transform=beside, va="center", fontsize=8.5, color=MUTED)
        return
    axes.plot([low, high], [y, y], color=color, linewidth=1.4, solid_capstyle="butt")
    axes.plot([value], [y], "s", color=color, markersize=5)
    text = form(value) if pd.isna(low) else f"{form(value)} ({form(low)} to {form(high)})"
    axes.text(1.02, y, text, transform=beside, va="center", fontsize=8.5, color=color)


def _change(value: float) -> str:
    return signed(value, 3)
