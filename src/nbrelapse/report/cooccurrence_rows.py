"""Pairs of mechanisms as text."""

from __future__ import annotations

import pandas as pd

from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.wording import signed

_TOO_FEW = "too few patients"


def cooccurrence_rows(cooccurrence: pd.DataFrame, catalogue: Catalogue) -> list[dict[str, str]]:
    """Write every pair of mechanisms with its counts and its ratio, the largest ratios first, those of too few last.

    Parameters
    ----------
    cooccurrence : DataFrame
        From :func:`nbrelapse.explanation.mechanism_cooccurrence.mechanism_cooccurrence`.
    catalogue : Catalogue

    Returns
    -------
    list of dict
        ``first`` and ``second`` (titles), ``assayed``, ``both``, ``expected``, ``ratio`` and ``interval``.
    """
    size = cooccurrence["log_odds_ratio"].abs().where(cooccurrence["enough"])
    order = size.sort_values(ascending=False, kind="stable", na_position="last").index
    return [
        {
            "first": catalogue.mechanisms[row["first"]].title,
            "second": catalogue.mechanisms[row["second"]].title,
            "assayed": f"{row['assayed']:,}",
            "both": f"{row['both']:,}",
            "expected": "–" if pd.isna(row["expected"]) else f"{row['expected']:,.1f}",
            "ratio": signed(row["log_odds_ratio"]) if row["enough"] else _TOO_FEW,
            "interval": f"{signed(row['low'])} to {signed(row['high'])}" if row["enough"] else "",
        }
        for row in cooccurrence.loc[order].to_dict("records")
    ]
