"""Whether the predicted probabilities of a binary endpoint are the observed shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import binomtest

from nbrelapse.report.plots.calibration import calibration_panel
from nbrelapse.report.plots.style import new_figure, styled


@styled
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
    figure = new_figure(3.6, 3.5)
    axes = figure.subplots()
    calibration_panel(axes, probability, observed_share_by_group(probability, y, groups))
    axes.set_ylabel("Observed share with the event")
    return figure


def observed_share_by_group(probability: np.ndarray, y: np.ndarray, groups: int) -> pd.DataFrame:
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
    >>> observed_share_by_group(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 0]), 2).round(2).values.tolist()
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
