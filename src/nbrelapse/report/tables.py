"""What the templates show of evaluations and explanations, as text."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import pandas as pd

from nbrelapse.explanation.direction_agreement import direction_agreement
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.probability_importance import ProbabilityImportance
from nbrelapse.report.stability_sentences import established_sentence
from nbrelapse.report.wording import METRICS, POPULATIONS, model_title, number

if TYPE_CHECKING:
    from nbrelapse.validation.evaluate import Evaluation

_UNKNOWN = "–"
_LEFT_TO_THE_TABLES = {"brier_1y", "brier_2y", "brier_3y", "brier_5y", "ipa_1y", "ipa_2y"}
"""Metrics that the leaderboard has no room for; the run's tables hold them."""
_DIRECTIONS = {1: "raises the risk", -1: "lowers the risk", 0: "no effect"}


def leaderboard(evaluation: Evaluation, population: str, chosen: str) -> dict[str, Any]:
    """Metrics of one population, a row a model the best first, a cell a metric with its interval."""
    table = evaluation.metrics[evaluation.metrics["population"] == population]
    metrics = [name for name in METRICS if name in set(table["metric"]) - _LEFT_TO_THE_TABLES]
    references = set(evaluation.differences["reference"])
    cells = {(row["model"], row["metric"]): row for row in table.to_dict("records")}
    rank = table[table["metric"] == metrics[0]].sort_values("value", ascending=False, kind="stable")["model"]
    rows = [
        {
            "title": model_title(model),
            "tag": "chosen" if model == chosen else "clinical baseline" if model in references else "",
            "chosen": model == chosen,
            "cells": [_cell(cells.get((model, metric))) for metric in metrics],
        }
        for model in rank
    ]
    n, events = int(table["n"].max()), int(table["events"].max())
    title = f"{POPULATIONS.get(population, population)}: {n} patients, {events} events"
    return {"title": title, "columns": [METRICS[name] for name in metrics], "rows": rows}


def _cell(row: dict[Hashable, Any] | None) -> dict[str, str]:
    if row is None or pd.isna(row["value"]):
        return {"value": _UNKNOWN, "interval": ""}
    known = pd.notna(row["low"]) and pd.notna(row["high"])
    return {
        "value": number(row["value"]),
        "interval": f"{number(row['low'])} to {number(row['high'])}" if known else "",
    }


def mechanism_rows(
    explanation: Explanation,
    catalogue: Catalogue,
    stability: Stability | None = None,
    probability: ProbabilityImportance | None = None,
) -> list[dict[str, str]]:
    """Mechanisms in falling order of importance, with what they are and what refits make of them."""
    missing = dict(explanation.not_assayed_share())
    refitted = {} if stability is None else stability.mechanisms.to_dict("index")
    rows = []
    for name, value in explanation.mechanism_importance().items():
        mechanism = catalogue.mechanisms[str(name)]
        rows.append(
            {
                "title": mechanism.title,
                "color": mechanism.color,
                "importance": f"{value:.3f}",
                "missing": f"{missing[name]:.0%}",
                "description": mechanism.description,
            }
            | (_over_refits(refitted[name]) if name in refitted else {})
            | ({} if probability is None else {"points": probability.points(str(name))})
        )
    return rows


def _over_refits(row: dict[Hashable, Any]) -> dict[str, str]:
    return {
        "interval": f"{row['low']:.3f} to {row['high']:.3f}",
        "rank": str(row["rank"]),
        "ranks": f"{row['rank_low']} to {row['rank_high']}",
        "first_three": f"{row['first_three']:.0%}",
        "status": row["status"],
    }


def disagreements(
    explanation: Explanation, catalogue: Catalogue, endpoint: str, stability: Stability | None = None
) -> dict[str, Any]:
    """How many features push the risk as expected, which do not, and how many refits say the same."""
    refitted = stability is not None
    table = direction_agreement(explanation, catalogue, endpoint) if stability is None else stability.features
    judged = table.dropna(subset=["agrees"])
    forced = len(explanation.constrained & set(explanation.features.columns))
    constrained = f" {forced} features were constrained to the expected direction in training and say nothing here."
    if judged.empty:
        sentence = "No feature was free to go with or against a direction expected from the literature."
        return {"sentence": sentence + (constrained if forced else ""), "rows": [], "refits": refitted}
    against = judged[~judged["agrees"].astype(bool)]
    sentence = (
        f"{len(judged) - len(against)} of {len(judged)} features with a direction expected from the literature push "
        "the risk that way"
    )
    sentence += "." if against.empty else "; these do not: a correlated feature may carry their effect, or chance."
    sentence += "" if stability is None else established_sentence(judged)
    sentence = sentence if not forced else constrained.strip() + " Of the others, " + sentence
    rows = [
        {
            "title": catalogue.features[row["feature"]].title,
            "mechanism": catalogue.mechanisms[row["mechanism"]].title,
            "expected": _DIRECTIONS[row["expected"]],
            "found": _DIRECTIONS[row["found"]],
            "importance": f"{row['importance']:.3f}",
        }
        | ({"same_sign": f"{row['same_sign']:.0%}", "status": row["status"]} if refitted else {})
        for row in against.reset_index().to_dict("records")
    ]
    return {"sentence": sentence, "rows": rows, "refits": refitted}


def coverage_rows(coverage: pd.DataFrame, catalogue: Catalogue) -> list[dict[str, str]]:
    """Every feature with the share of patients in whom it is known."""
    return [
        {
            "title": row["title"],
            "mechanism": catalogue.mechanisms[row["mechanism"]].title,
            "assay": row["assay"].replace("_", " "),
            "observed": f"{row['observed']:.0%}",
        }
        for row in coverage.to_dict("records")
    ]
