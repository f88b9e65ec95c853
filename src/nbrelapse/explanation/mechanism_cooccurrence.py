"""Which mechanisms raise the predicted risk in the same patients."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import norm

from nbrelapse.explanation.explanation import Explanation

LEAST_EXPECTED = 5.0
"""Expected patients below which an interval by the normal approximation is not shown; the usual rule for tables of two
by two (Cochran 1954, 10.2307/3001616)."""

RAISES = 0.05
"""Smallest contribution to the log risk (a hazard or odds ratio of 1.05) that raises it. A choice."""


def mechanism_cooccurrence(explanation: Explanation, raises: float = RAISES) -> pd.DataFrame:
    r"""Count the patients in whom two mechanisms both raise the risk, against what independence would give.

    A mechanism raises a patient's risk where its observed part (see :attr:`Explanation.mechanisms_observed`) is at
    least ``raises``. Only patients count in whom each of the two has an observed feature that the model uses.

    Parameters
    ----------
    explanation : Explanation
    raises : float
        In units of the contributions, above 0.

    Returns
    -------
    DataFrame
        A row a pair of mechanisms that the model uses, in the order of the explanation: ``first``, ``second``;
        ``assayed`` (patients with both); ``both``, ``only_first``, ``only_second``, ``neither``; ``expected`` (patients
        with both under independence, given the margins); ``log_odds_ratio``, ``low``, ``high`` (natural logarithm, with
        1/2 added to every count, and Wald's 95 % interval: Haldane 1956, 10.1111/j.1469-1809.1955.tb01285.x);
        ``enough`` (every expected count of the table is 5 or more). The ratio is NaN where one of the mechanisms
        raises the risk of everybody or of nobody; ``expected`` is NaN where nobody has both.

    Notes
    -----
    Intervals are of single pairs: of many pairs, one in twenty excludes 0 by chance. Mechanisms may go together because
    their tumours do, because an assay measures both, or because the model shares one effect between them.

    Examples
    --------
    >>> values = pd.DataFrame({"alk__a": [1.0, 1.0, 0.0, 0.0], "mycn__b": [1.0, 0.0, 1.0, np.nan]})
    >>> mechanism_of = pd.Series({"alk__a": "alk", "mycn__b": "mycn"})
    >>> total = values.fillna(0.0)
    >>> own = Explanation(0.0, total, total.set_axis(["alk", "mycn"], axis=1), values, total.sum(axis=1), mechanism_of)
    >>> mechanism_cooccurrence(own)[["first", "second", "assayed", "both", "expected"]].values.tolist()
    [['alk', 'mycn', 3, 1, 1.3333333333333333]]
    """
    names = [str(name) for name, used in explanation.mechanisms.abs().max().items() if used > 0]
    assayed = _assayed(explanation, names)
    raising = (explanation.mechanisms_observed[names].to_numpy() >= raises) & assayed
    known, up = assayed.astype(float), raising.astype(float)
    counts = {"assayed": known.T @ known, "both": up.T @ up, "first": up.T @ known, "second": known.T @ up}
    left, right = np.array(list(combinations(range(len(names)), 2)), dtype=int).reshape(-1, 2).T
    n, both, first, second = (counts[name][left, right] for name in ("assayed", "both", "first", "second"))
    table = pd.DataFrame({"first": np.array(names, dtype=object)[left], "second": np.array(names, dtype=object)[right]})
    cells = np.column_stack([both, first - both, second - both, n - first - second + both]).round()
    table["assayed"] = n.round().astype(int)
    table[["both", "only_first", "only_second", "neither"]] = cells.astype(int)
    with np.errstate(invalid="ignore"):
        table["expected"] = first * second / n
        margins = np.column_stack([first, n - first]).min(axis=1) * np.column_stack([second, n - second]).min(axis=1)
        least = margins / n
    half = cells + 0.5
    ratio = np.log(half[:, 0] * half[:, 3] / (half[:, 1] * half[:, 2]))
    table["log_odds_ratio"] = np.where(least > 0, ratio, np.nan)
    spread = norm.ppf(0.975) * np.sqrt((1 / half).sum(axis=1))
    table["low"], table["high"] = table["log_odds_ratio"] - spread, table["log_odds_ratio"] + spread
    table["enough"] = least >= LEAST_EXPECTED
    return table


def _assayed(explanation: Explanation, names: list[str]) -> np.ndarray:
    """Whether a mechanism has an observed feature that the model uses, a row a patient, a column a mechanism."""
    used = (explanation.features != 0).any()
    observed = explanation.values.notna().to_numpy() & used.to_numpy()
    mechanism_of = explanation.mechanism_of.reindex(explanation.values.columns).to_numpy()
    return np.column_stack([observed[:, mechanism_of == name].any(axis=1) for name in names] or [observed[:, :0]])
