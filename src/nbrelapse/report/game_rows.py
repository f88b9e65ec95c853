"""Sums over features beside the game of mechanisms, as text."""

from __future__ import annotations

import pandas as pd

from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.wording import number


def game_rows(difference: pd.DataFrame | None, catalogue: Catalogue) -> list[dict[str, str]]:
    """Lay out a comparison of sums with the mechanisms' own game; nothing where there is none.

    Parameters
    ----------
    difference : DataFrame or None
        From :func:`nbrelapse.explanation.roll_up_difference`.
    catalogue : Catalogue

    Returns
    -------
    list of dict
        ``title``, ``color``, ``sum``, ``game``, ``difference`` and ``spearman``, the largest mechanism first.
    """
    if difference is None:
        return []
    table = difference.sort_values("importance", ascending=False, kind="stable")
    return [
        {
            "title": catalogue.mechanisms[str(name)].title,
            "color": catalogue.mechanisms[str(name)].color,
            "sum": number(row["importance"]),
            "game": number(row["importance_grouped"]),
            "difference": number(row["mean_absolute_difference"]),
            "spearman": "–" if pd.isna(row["spearman"]) else number(row["spearman"]),
        }
        for name, row in table.iterrows()
    ]
