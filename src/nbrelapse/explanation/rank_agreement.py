"""How alike several models order the mechanisms."""

from __future__ import annotations

import numpy as np
import pandas as pd


def rank_agreement(importances: np.ndarray) -> dict[str, float]:
    """Return the agreement of the orders that several models give to the same mechanisms.

    Parameters
    ----------
    importances : ndarray of shape (n_models, n_mechanisms)

    Returns
    -------
    dict of str to float
        ``pairs`` of models compared; median, lowest and highest over the pairs of Kendall's tau-b (``kendall``,
        ``kendall_low``, ``kendall_high``) and of Spearman's correlation (``spearman``, …). A pair of which one model
        gives all mechanisms the same importance is left out; NaN without any pair.

    Examples
    --------
    >>> round(rank_agreement(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]))["spearman"], 6)
    0.5
    """
    upper = np.triu_indices(importances.shape[1], 1)
    order = np.sign(importances[:, upper[0]] - importances[:, upper[1]])
    ranks = pd.DataFrame(importances).rank(axis=1).to_numpy()
    found: dict[str, float] = {}
    for name, rows in (("kendall", order), ("spearman", ranks - ranks.mean(axis=1, keepdims=True))):
        pairs = _cosines(rows)
        low, median, high = np.quantile(pairs, [0, 0.5, 1]) if len(pairs) else (np.nan,) * 3
        found |= {name: float(median), f"{name}_low": float(low), f"{name}_high": float(high), "pairs": len(pairs)}
    return found


def _cosines(rows: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of rows: tau-b of orders, Spearman's correlation of centred ranks."""
    size = np.sqrt((rows**2).sum(axis=1))
    rows = rows[size > 0] / size[size > 0, np.newaxis]
    return np.clip(rows @ rows.T, -1, 1)[np.triu_indices(len(rows), 1)]
