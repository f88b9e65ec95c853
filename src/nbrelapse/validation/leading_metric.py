"""The metric that models are chosen and ranked by."""

from __future__ import annotations

import pandas as pd


def leading_metric(metrics: pd.DataFrame) -> str:
    """Return ``harrell_c`` for a time to an event, ``auc`` for a binary endpoint.

    Parameters
    ----------
    metrics : DataFrame
        Of an :class:`Evaluation`.

    Examples
    --------
    >>> leading_metric(pd.DataFrame({"metric": ["auc", "brier"]}))
    'auc'
    """
    return "auc" if "auc" in set(metrics["metric"]) else "harrell_c"
