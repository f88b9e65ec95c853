"""The figures of a run that one compares, by the names that all runs use."""

from __future__ import annotations

import math

from nbrelapse.metrics.evaluation import Evaluation, chosen_difference
from nbrelapse.tracking.names import LEADING_FIGURE, metric_of_figure

FIGURE_DIGITS = 4
"""Of the figures of a run, which a table shows whole; the logged tables have all digits."""


def headline_figures(evaluation: Evaluation, model: str) -> dict[str, float]:
    """Return the figures of one model that one compares, by MLflow name; all others are in the logged tables.

    ``c`` is the leading metric (Harrell's C, the AUC of a binary endpoint) of all patients, ``c.high_risk`` within
    high-risk; ``.low`` and ``.high`` are the ends of the 95 % interval. ``.minus_baseline`` is the difference of the
    verdict. ``brier`` (at 3 years), ``calibration_slope``, ``patients`` and ``events`` are of all patients.

    Parameters
    ----------
    evaluation : Evaluation
    model : str

    Returns
    -------
    dict of str to float
        NaN where a figure has no value; see :func:`rounded_figures`.
    """
    found = leading_figures(LEADING_FIGURE, evaluation, model)
    found |= leading_figures(f"{LEADING_FIGURE}.high_risk", evaluation, model, "high_risk")
    for figure in ("brier", "calibration_slope"):
        row = figure_row(evaluation, model, "all", metric_of_figure(figure, evaluation.kind))
        found[figure] = row.get("value", math.nan)
    counts = figure_row(evaluation, model, "all", evaluation.kind.leading_metric)
    return found | {"patients": counts.get("n", math.nan), "events": counts.get("events", math.nan)}


def leading_figures(name: str, evaluation: Evaluation, model: str, population: str = "all") -> dict[str, float]:
    """Return the leading metric of a model with its interval, and the difference from the strongest baseline.

    Parameters
    ----------
    name : str
        What the figure is called; those that belong to it begin with the same.
    evaluation : Evaluation
    model, population : str

    Returns
    -------
    dict of str to float
        NaN where a figure has no value.
    """
    row = figure_row(evaluation, model, population, evaluation.kind.leading_metric)
    found = {name: row.get("value", math.nan)}
    found |= {f"{name}.{end}": row.get(end, math.nan) for end in ("low", "high")}
    compared = chosen_difference(evaluation, model, population)
    if compared is not None:
        name = f"{name}.minus_baseline"
        found |= {name: compared.difference, f"{name}.low": compared.low, f"{name}.high": compared.high}
    return found


def figure_row(evaluation: Evaluation, model: str, population: str, metric: str) -> dict[str, float]:
    """Return ``value``, ``low``, ``high``, ``n`` and ``events`` of a figure; empty where there is none."""
    table = evaluation.metrics
    own = table[(table["model"] == model) & (table["population"] == population) & (table["metric"] == metric)]
    return {} if own.empty else {name: own[name].iloc[0] for name in ("value", "low", "high", "n", "events")}


def rounded_figures(figures: dict[str, float]) -> dict[str, float]:
    """Round figures to what a run keeps; what has no value is left out.

    Examples
    --------
    >>> rounded_figures({"c": 0.712345, "c.low": math.nan})
    {'c': 0.7123}
    """
    return {name: round(float(value), FIGURE_DIGITS) for name, value in figures.items() if math.isfinite(value)}
