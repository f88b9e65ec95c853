"""What a report says of decisions: in words and as text tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from nbrelapse.report.wording import _number, _signed, _strategy_title, model_title

if TYPE_CHECKING:
    from nbrelapse.metrics.decisions import ClinicalUtility, Reclassification

_UNKNOWN = "–"
_COMPONENTS = {"events": "Patients with the event, net share moved up", "nonevents": "Others, net share moved down"}


def decisions_section(utility: ClinicalUtility) -> dict[str, Any]:
    """Return the contents of the section "Would decisions change?"."""
    crossed = utility.reclassification
    return {
        "sentences": [_sentence(utility, year) for year in utility.years],
        "tertiles": [
            {
                "years": row["years"],
                "group": row["group"],
                "n": row["n"],
                "predicted": f"{row['predicted']:.0%}",
                "observed": _share(row),
                "within": "yes" if row["within"] else "no" if pd.notna(row["observed"]) else _UNKNOWN,
            }
            for row in utility.tertiles.to_dict("records")
        ],
        "crossed": None if crossed is None else _crossed(crossed),
        "grouping": "" if utility.grouping is None else _grouping(utility.grouping),
        "years": utility.years[-1] if utility.years else None,
        "notes": utility.notes,
    }


def _sentence(utility: ClinicalUtility, years: int) -> str:
    table = utility.decisions.differences
    model = _strategy_title(utility.model)
    if table.empty:
        return f"Within {years} years: there is no clinical group to hold decisions by {model} against."
    table = table[(table["years"] == years) & (table["strategy"] == utility.model)]
    group = table["reference"].iloc[0]
    table = table[table["threshold"].isin(_useful(utility.decisions.net_benefit, group, years))]
    if table.empty:
        return f"Within {years} years: treating the {_lower(group)} does more good than harm at no threshold."
    start = (
        f"At thresholds from {table['threshold'].min():.0%} to {table['threshold'].max():.0%} within {years} years, "
        f"where treating the {_lower(group)} does more good than harm, treating by {model} instead"
    )
    better, worse = table[table["low"] > 0], table[table["high"] < 0]
    parts = [_part(rows, word, len(table)) for rows, word in ((better, "more"), (worse, "less")) if not rows.empty]
    return f"{start} {' and '.join(parts) or 'is not shown to do more good, or less, anywhere'}."


def _useful(net_benefit: pd.DataFrame, group: str, years: int) -> pd.Series:
    """Return the thresholds at which treating a group is better than treating nobody."""
    own = net_benefit[(net_benefit["strategy"] == group) & (net_benefit["years"] == years)]
    return own.loc[own["net_benefit"] > 0, "threshold"]


def _lower(group: str) -> str:
    title = _strategy_title(group)
    return title[0].lower() + title[1:]


def _part(rows: pd.DataFrame, word: str, asked: int) -> str:
    most = rows.iloc[int(rows["difference"].abs().argmax())]
    return (
        f"does {word} good at {len(rows)} of {asked}, most at {most['threshold']:.0%}: "
        f"{_signed(most['difference'], 3)} in net benefit per patient (95% interval {_signed(most['low'], 3)} to "
        f"{_signed(most['high'], 3)})"
    )


def _crossed(crossed: Reclassification) -> dict[str, Any]:
    cells = {(row["clinical"], row["model"]): row for row in crossed.cells.to_dict("records")}
    groups = range(len(crossed.cuts) + 1)
    return {
        "columns": [_group(group, len(groups)) for group in groups],
        "rows": [
            {"title": _group(first, len(groups)), "cells": [_cell(cells.get((first, second))) for second in groups]}
            for first in groups
        ],
        "cuts": ", ".join(f"{cut:.0%}" for cut in crossed.cuts),
        "improvement": [
            {
                "title": _COMPONENTS[row["component"]],
                "value": _signed(row["value"], 3),
                "interval": f"{_signed(row['low'], 3)} to {_signed(row['high'], 3)}",
            }
            for row in crossed.improvement.dropna().to_dict("records")
        ],
    }


def _grouping(name: str) -> str:
    return _strategy_title(name) if name == "high_risk" else model_title(name)


def _group(rank: int, groups: int) -> str:
    names = {2: ("lower", "highest"), 3: ("low", "intermediate", "high")}
    return names[groups][rank] if groups in names else f"group {rank + 1} of {groups}"


def _cell(row: dict[Any, Any] | None) -> dict[str, str]:
    if row is None:
        return {"value": _UNKNOWN, "interval": ""}
    return {"value": f"{row['n']}", "interval": _share(row)}


def _share(row: dict[Any, Any]) -> str:
    if pd.isna(row["observed"]):
        return _UNKNOWN
    return f"{_number(100 * row['observed'], 0)}% ({_number(100 * row['low'], 0)} to {_number(100 * row['high'], 0)})"
