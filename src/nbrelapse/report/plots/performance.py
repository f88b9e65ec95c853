"""Pictures of how good predictions are: calibration, decisions, survival by risk, models side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest
from sksurv.nonparametric import kaplan_meier_estimator

from nbrelapse.metrics.calibration import calibration_curve
from nbrelapse.metrics.decisions import TREAT_ALL, TREAT_NONE, at_years
from nbrelapse.metrics.evaluation import strongest_reference
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.table import METRICS, POPULATIONS, population_title
from nbrelapse.models.families import model_title
from nbrelapse.report.plots.style import (
    _ACCENT,
    _GRID,
    _INK,
    _MUTED,
    _RISK_GROUPS,
    _bare_y,
    _new_figure,
    _set_apart,
    _styled,
    _zero_line,
)
from nbrelapse.report.wording import _number, _signed, _strategy_title

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.metrics.decisions import ClinicalUtility
    from nbrelapse.metrics.evaluation import Evaluation


@_styled
def calibration(predictions: Predictions, y: np.ndarray, years: Sequence[int], groups: int = 5) -> Figure:
    """Draw observed against predicted cumulative incidence of the event, a panel a horizon.

    The curve and its band are those of :func:`calibration_curve`; dots are groups of equal size by predicted
    incidence with the Aalen-Johansen estimate, in which competing events are no censoring, and its 95% interval.

    Parameters
    ----------
    predictions : Predictions
        Out of sample.
    y : structured ndarray of shape (n_patients,)
        ``event`` (0 censored, 1 the event, 2 competing) and ``time`` in days.
    years : sequence of int
        Horizons that predictions and follow-up reach.
    groups : int
        Groups of patients.

    Returns
    -------
    Figure
    """
    figure = _new_figure(3.05 * len(years), 3.35)
    panels = figure.subplots(1, len(years), squeeze=False, sharey=True)[0]
    for axes, year in zip(panels, years, strict=True):
        found = calibration_curve(predictions, y, year * YEAR, groups=groups)
        curve, table = found.curve, found.groups
        axes.fill_between(curve["predicted"], curve["low"], curve["high"], color=_ACCENT, alpha=0.13, linewidth=0)
        _calibration_panel(axes, predictions.incidence_at(year * YEAR).mean(axis=0), table)
        axes.plot(curve["predicted"], curve["observed"], color=_ACCENT, linewidth=1.5, zorder=1.5)
        axes.set_title(f"Within {year} years")
        axes.text(0.0, 0.97, f"ICI {found.ici:.3f}", color=_MUTED, fontsize=8.5, va="center")
    panels[0].set_ylabel("Observed proportion with the event")
    return figure


def _calibration_panel(axes: Axes, probability: np.ndarray, table: pd.DataFrame) -> None:
    """Draw groups of patients against the diagonal, and a mark for every prediction.

    Parameters
    ----------
    axes : Axes
    probability : ndarray of shape (n_patients,)
    table : DataFrame
        ``predicted``, ``observed``, ``low`` and ``high``, a row a group.
    """
    axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    spread = [table["observed"] - table["low"], table["high"] - table["observed"]]
    axes.errorbar(table["predicted"], table["observed"], yerr=spread, fmt="none", ecolor=_ACCENT, elinewidth=1.3)
    axes.plot(table["predicted"], table["observed"], "o", color=_ACCENT, markersize=5.5)
    axes.vlines(probability, -0.035, -0.01, color=_MUTED, alpha=0.25, linewidth=0.6, rasterized=True)
    axes.set(xlim=(-0.04, 1.02), ylim=(-0.04, 1.02), aspect="equal")
    axes.set_xlabel("Predicted probability")
    axes.set_xticks(np.arange(0, 1.01, 0.25))
    axes.set_yticks(np.arange(0, 1.01, 0.25))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(color=_GRID)


@_styled
def binary_calibration(probability: np.ndarray, y: np.ndarray, groups: int = 5) -> Figure:
    """Draw observed shares against predicted probabilities.

    Parameters
    ----------
    probability : ndarray of shape (n_patients,)
        Out of sample.
    y : ndarray of shape (n_patients,)
        0 or 1.
    groups : int
        Groups of equal size by predicted probability.

    Returns
    -------
    Figure
    """
    figure = _new_figure(3.6, 3.5)
    axes = figure.subplots()
    _calibration_panel(axes, probability, _observed_share_by_group(probability, y, groups))
    axes.set_ylabel("Observed share with the event")
    return figure


def _observed_share_by_group(probability: np.ndarray, y: np.ndarray, groups: int) -> pd.DataFrame:
    """Mean predicted probability and observed share with Wilson's 95% interval, by group of predicted probability.

    Parameters
    ----------
    probability, y : ndarray of shape (n_patients,)
    groups : int
        Groups of equal size; fewer where the predictions are tied.

    Returns
    -------
    DataFrame
        ``predicted``, ``observed``, ``low``, ``high`` (Wilson 1927, 10.1080/01621459.1927.10502953) and ``n``, a row a
        group in rising order of prediction.

    Examples
    --------
    >>> _observed_share_by_group(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 0]), 2).round(2).values.tolist()
    [[0.1, 0.0, 0.0, 0.66, 2.0], [0.9, 0.5, 0.09, 0.91, 2.0]]
    """
    label = pd.qcut(probability, groups, labels=False, duplicates="drop")
    table = pd.DataFrame({"group": np.where(pd.isna(label), 0, label), "p": probability, "y": y}).groupby("group")
    found = table.agg(predicted=("p", "mean"), observed=("y", "mean"), events=("y", "sum"), n=("y", "size"))
    limits = [
        binomtest(int(events), int(n)).proportion_ci(method="wilson")
        for events, n in zip(found["events"], found["n"], strict=True)
    ]
    found["low"], found["high"] = [limit.low for limit in limits], [limit.high for limit in limits]
    return found.reset_index()[["predicted", "observed", "low", "high", "n"]]


_LOWEST = -0.08
"""A strategy below it does harm; how much is not worth the room."""

_DASHES = ((0, (5, 2)), (0, (2, 1.5)), (0, (5, 1.5, 1, 1.5)))


@_styled
def decision_curve_plot(utility: ClinicalUtility) -> Figure:
    """Draw the net benefit of each strategy by threshold, a panel a horizon; the model has its 95% band.

    Parameters
    ----------
    utility : ClinicalUtility
        Of at least one horizon.

    Returns
    -------
    Figure
    """
    table, years = utility.decisions.net_benefit, utility.years
    figure = _new_figure(3.6 * len(years) + 0.2, 3.9)
    panels = figure.subplots(1, len(years), squeeze=False, sharey=True)[0]
    looks = _looks(list(table["strategy"].unique()), utility.model)
    for axes, year in zip(panels, years, strict=True):
        own = at_years(table, year)
        for strategy, look in looks.items():
            _draw(axes, own[own["strategy"] == strategy], _strategy_title(strategy), look, strategy == utility.model)
        axes.set(title="" if year is None else f"Within {year} years", xlabel="Threshold probability")
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.grid(axis="y")
    panels[0].set_ylim(_LOWEST, 1.1 * max(table["net_benefit"].max(), 0.1))
    panels[0].set_ylabel("Net benefit per patient")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _looks(strategies: list[str], model: str) -> dict[str, dict[str, object]]:
    looks: dict[str, dict[str, object]] = {}
    groups = iter(_DASHES)
    for strategy in strategies:
        if strategy in (TREAT_ALL, TREAT_NONE):
            looks[strategy] = {"color": _MUTED, "linewidth": 0.9 if strategy == TREAT_ALL else 1.4}
        elif strategy == model:
            looks[strategy] = {"color": _ACCENT, "linewidth": 2.0}
        elif strategy in ("clinical_cox", "clinical_logistic"):
            looks[strategy] = {"color": _INK, "linewidth": 1.2}
        elif strategy == "high_risk":
            looks[strategy] = {"color": _RISK_GROUPS[2], "linewidth": 1.6}
        else:
            looks[strategy] = {"color": _RISK_GROUPS[1], "linewidth": 1.1, "linestyle": next(groups)}
    return looks


def _draw(axes: Axes, rows: pd.DataFrame, title: str, look: dict[str, object], band: bool) -> None:
    if band:
        axes.fill_between(
            rows["threshold"], rows["low"], rows["high"], color=str(look["color"]), alpha=0.13, linewidth=0
        )
    axes.plot(rows["threshold"], rows["net_benefit"], label=title, **look)  # type: ignore[arg-type]


_TITLES = ("Lowest third", "Middle third", "Highest third")


@_styled
def kaplan_meier_by_risk(risk: np.ndarray, y: np.ndarray, years: float = 8.0) -> Figure:
    """Draw event-free survival by third of predicted risk, with 95% log-log bands and the numbers at risk.

    The curves are free of the event and of competing ones, so that they are Kaplan-Meier estimates without bias.

    Parameters
    ----------
    risk : ndarray of shape (n_patients,)
        Out-of-sample risks on one scale (log risks of one model, or predicted incidences, which are comparable across
        folds and repeats too); the thirds are cut at their own tertiles.
    y : structured ndarray of shape (n_patients,)
        ``event`` (0 censored) and ``time`` in days.
    years : float
        Where the curves end.

    Returns
    -------
    Figure
    """
    cuts = np.quantile(risk, [1 / 3, 2 / 3])
    third = np.searchsorted(cuts, risk, side="left")
    years = min(years, float(y["time"].max()) / YEAR)
    figure = _new_figure(5.8, 4.1)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[1, 0.25])
    ends = []
    for group, color in enumerate(_RISK_GROUPS):
        own = y[third == group]
        if not len(own):  # tied risks may leave a third empty
            continue
        time, survival, band = kaplan_meier_estimator(own["event"] > 0, own["time"], conf_type="log-log")
        time = np.concatenate([[0.0], time]) / YEAR
        survival = np.concatenate([[1.0], survival])
        band = np.column_stack([[1.0, 1.0], band])
        axes.fill_between(time, *band, step="post", color=color, alpha=0.13, linewidth=0)
        axes.step(time, survival, where="post", color=color, linewidth=1.8)
        ends.append((float(survival[time <= years][-1]), _TITLES[group], color))
    heights = _set_apart([height for height, *_ in ends], 0.055)
    for (_, title, color), height in zip(ends, heights, strict=True):
        axes.annotate(title, (years, height), (6, 0), textcoords="offset points", color=color, va="center",
                      fontweight="bold", fontsize=9, annotation_clip=False)  # fmt: skip
    axes.set(xlim=(0, years), ylim=(0, 1.01), ylabel="Event-free survival")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=3, labelbottom=False)
    _numbers_at_risk(counts, y["time"] / YEAR, third, years)
    return figure


def _numbers_at_risk(axes: Axes, time: np.ndarray, third: np.ndarray, years: float) -> None:
    ticks = np.arange(0, years + 1e-9, 1 if years <= 10 else 2)
    for group, color in enumerate(_RISK_GROUPS):
        for tick in ticks:
            count = int((time[third == group] >= tick).sum())
            axes.text(tick, 2 - group, str(count), ha="center", va="center", fontsize=8.5, color=color, clip_on=False)
    axes.set_ylim(-0.6, 2.6)
    axes.set_yticks([])
    axes.set_ylabel("At risk", color=_MUTED, rotation=0, ha="right", va="center", fontsize=8.5, labelpad=14)
    axes.set_xticks(ticks)
    axes.set_xlabel("Years from diagnosis")
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    axes.tick_params(axis="x", length=0)


@_styled
def learning_curve(table: pd.DataFrame) -> Figure:
    """Draw how well a model ranks unseen patients against how many it was trained on.

    Parameters
    ----------
    table : DataFrame
        ``patients``, ``value``, ``low`` and ``high``, see :class:`nbrelapse.validation.sample_size.LearningCurve`.

    Returns
    -------
    Figure
    """
    figure = _new_figure(5.8, 3.1)
    axes = figure.subplots()
    axes.axhline(0.5, color=_MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.vlines(table["patients"], table["low"], table["high"], color=_ACCENT, linewidth=1.4)
    axes.plot(table["patients"], table["value"], color=_ACCENT, linewidth=2.0, marker="o", markersize=5)
    axes.set(xlabel="Training patients", ylabel="Concordance in unseen patients")
    axes.set_xlim(0, float(table["patients"].max()) * 1.08)
    axes.grid(axis="y")
    return figure


@_styled
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
    metric = metric or evaluation.kind.leading_metric
    meaning = METRICS[metric]
    metrics = evaluation.metrics[evaluation.metrics["metric"] == metric]
    judged = set(metrics["population"])
    populations = [name for name in POPULATIONS if name in judged] + sorted(judged - set(POPULATIONS))
    blocks = [(name, metrics[metrics["population"] == name]) for name in populations]
    n_rows = sum(len(block) + 1 for _, block in blocks)
    figure = _new_figure(7.8, 0.27 * n_rows + 0.9)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.0, 0.85])
    ticks: dict[float, str] = {}
    y = 0.0
    for population, block in blocks:
        _header(left, y, population, block)
        reference = strongest_reference(evaluation, population, metric)
        differences = _differences(evaluation, population, metric, reference)
        for row in block.sort_values("value", key=meaning.goodness, ascending=False).to_dict("records"):
            y += 1.0
            model = row["model"]
            ticks[y] = model_title(model)
            color = _ACCENT if model == chosen else _MUTED if model == reference else _INK
            _interval(left, y, (row["value"], row["low"], row["high"]), color, _number)
            if model in differences:
                _interval(right, y, differences[model], color, _change)
            elif model == reference:
                right.text(0.0, y, " reference", color=_MUTED, fontsize=8.5, va="center")
        y += 1.4
    left.set_yticks(list(ticks), list(ticks.values()))
    left.set_ylim(y - 0.9, -0.8)
    if meaning.chance is not None:
        _zero_line(left, meaning.chance)
    _zero_line(right)
    left.set_xlabel(meaning.title)
    right.set_xlabel("Difference from the strongest baseline")
    for axes in (left, right):
        axes.grid(axis="x")
        axes.margins(x=0.08)
        _bare_y(axes)
    return figure


def _header(axes: Axes, y: float, population: str, block: pd.DataFrame) -> None:
    beside = axes.get_yaxis_transform()
    axes.text(-0.02, y, population_title(population), transform=beside, fontweight="bold", ha="right", va="center")
    size = f"{int(block['n'].max())} patients, {int(block['events'].max())} events"
    axes.text(1.02, y, size, transform=beside, color=_MUTED, va="center", fontsize=8.5)


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
        axes.text(1.02, y, "not estimable", transform=beside, va="center", fontsize=8.5, color=_MUTED)
        return
    axes.plot([low, high], [y, y], color=color, linewidth=1.4, solid_capstyle="butt")
    axes.plot([value], [y], "s", color=color, markersize=5)
    text = form(value) if pd.isna(low) else f"{form(value)} ({form(low)} to {form(high)})"
    axes.text(1.02, y, text, transform=beside, va="center", fontsize=8.5, color=color)


def _change(value: float) -> str:
    return _signed(value, 3)


@_styled
def incidence_course(
    times: np.ndarray,
    incidence: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    observed: pd.DataFrame | None = None,
    *,
    start: str = "diagnosis",
) -> Figure:
    """Draw a patient's predicted cumulative incidence, with its band, beside an observed one.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Days, rising.
    incidence, low, high : ndarray of shape (n_times,)
        Predicted, and the limits of its 95% band.
    observed : DataFrame, optional
        Cumulative incidence in a group of training patients: ``days``, ``incidence``, ``low`` and ``high``; drawn in
        grey with whiskers at whole years.
    start : str
        What years count from.

    Returns
    -------
    Figure
    """
    years = np.asarray(times) / YEAR
    figure = _new_figure(5.8, 3.3)
    axes = figure.subplots()
    axes.fill_between(years, low, high, step="post", color=_ACCENT, alpha=0.16, linewidth=0)
    axes.step(years, incidence, where="post", color=_ACCENT, linewidth=2.0)
    ends = [(float(incidence[-1]), "this patient,\npredicted", _ACCENT)]
    if observed is not None and len(observed):
        own = observed["days"].to_numpy() / YEAR
        axes.plot(
            np.concatenate([[0.0], own]),
            np.concatenate([[0.0], observed["incidence"]]),
            color=_MUTED,
            linewidth=1.4,
            linestyle=(0, (4, 2)),
        )
        whole = observed[np.isclose(own, np.round(own))]
        at = whole["days"].to_numpy() / YEAR
        axes.vlines(at, whole["low"], whole["high"], color=_MUTED, linewidth=1.0, clip_on=False)
        ends.append((float(observed["incidence"].iloc[-1]), "clinical group,\nobserved", _MUTED))
    heights = _set_apart([height for height, _, _ in ends], 0.13)
    for height, (_, text, color) in zip(heights, ends, strict=True):
        axes.annotate(text, (years[-1], height), (6, 0), textcoords="offset points", color=color, va="center",
                      fontsize=9, annotation_clip=False)  # fmt: skip
    axes.set(xlim=(0, years[-1]), ylim=(0, 1.01), xlabel=f"Years from {start}", ylabel="Cumulative incidence")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.tick_params(colors=_INK)
    axes.grid(axis="y")
    return figure
