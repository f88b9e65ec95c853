"""The models of an evaluation with their metrics, as rows of text for pages."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.metrics.table import metric_title, population_title
from nbrelapse.models.families import model_title
from nbrelapse.report.wording import _number

_UNKNOWN = "–"
_COLUMNS = (
    *("harrell_c", "uno_c", "cause_specific_c", "auc_1y", "auc_2y", "auc_3y", "auc_5y"),
    *("integrated_brier", "ipa_3y", "ipa_5y", "auc", "brier", "ipa"),
    *(
        "calibration_slope",
        "calibration_slope_before",
        "calibration_intercept_5y",
        "ici_5y",
        "calibration_intercept",
        "ici",
    ),
)
"""Metrics that the leaderboard has room for; the run's tables hold the others."""
_SHORT = (
    *("harrell_c", "auc", "auc_3y", "auc_5y", "integrated_brier", "brier", "calibration_slope"),
    *("ipa_5y", "ipa", "ici_5y", "ici", "auc_2y", "uno_c", "auc_1y", "cause_specific_c"),
)
"""Metrics by what one looks at first; a table beside the models has room for five, the fold below it for all."""
_MOST_COLUMNS = 5


def _leaderboard(evaluation: Evaluation, population: str, chosen: str) -> dict[str, Any]:
    """Metrics of one population: a row a model the best first, and all of them with a row a metric.

    Returns
    -------
    dict
        ``title``; ``columns`` and ``rows`` of the metrics that one looks at first; ``models`` and ``metrics`` of all.
    """
    table = evaluation.metrics[evaluation.metrics["population"] == population]
    metrics = [name for name in _COLUMNS if name in set(table["metric"])]
    wanted = [name for name in _SHORT if name in metrics][:_MOST_COLUMNS]
    short = [name for name in metrics if name in wanted]
    references = set(evaluation.differences["reference"])
    cells = {(row["model"], row["metric"]): row for row in table.to_dict("records")}
    rank = table[table["metric"] == metrics[0]].sort_values("value", ascending=False, kind="stable")["model"]
    models = [
        {
            "title": model_title(model),
            "tag": "chosen" if model == chosen else "clinical baseline" if model in references else "",
            "chosen": model == chosen,
        }
        for model in rank
    ]
    n, events = int(table["n"].max()), int(table["events"].max())
    columns = {name: {"title": metric_title(name), "carried": _carried(table, name)} for name in metrics}
    filled = {(model, name): _cell(cells.get((model, name))) for model in rank for name in metrics}
    return {
        "title": f"{population_title(population)}: {n} patients, {events} events",
        "columns": [columns[name] for name in short],
        "rows": [
            said | {"cells": [filled[model, name] for name in short]} for said, model in zip(models, rank, strict=True)
        ],
        "models": models,
        "metrics": [columns[name] | {"cells": [filled[model, name] for model in rank]} for name in metrics],
    }


def _carried(table: pd.DataFrame, metric: str) -> str:
    """Say how many patients carry a figure at a horizon; nothing of other figures, and of tables of before 0.4.0."""
    if "at_risk" not in table:
        return ""
    row = table[table["metric"] == metric].iloc[0]
    return "" if pd.isna(row["at_risk"]) else f"{row['at_risk']} at risk, {row['events_by']} events"


def _cell(row: dict[Hashable, Any] | None) -> dict[str, str]:
    if row is None or pd.isna(row["value"]):
        return {"value": _UNKNOWN, "interval": ""}
    interval = ""
    if pd.notna(row["low"]) and pd.notna(row["high"]):
        interval = f"{_number(row['low'])} to {_number(row['high'])}"
    elif pd.notna(row.get("by_chance")):
        interval = f"by chance {_number(row['by_chance'])}"
    return {"value": _number(row["value"]), "interval": interval}
