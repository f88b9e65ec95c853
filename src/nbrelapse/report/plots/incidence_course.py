"""One patient's predicted course, beside what was observed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.report.plots.style import ACCENT, INK, MUTED, new_figure, set_apart, styled
from nbrelapse.validation.horizons import YEAR


@styled
def incidence_course(
    times: np.ndarray,
    incidence: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    observed: pd.DataFrame | None = None,
    *,
    start: str = "diagnosis",
) -> Figure:
    """Draw a patient's predicted cumulative incidence, with the band of the refits, beside an observed one.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Days, rising.
    incidence, low, high : ndarray of shape (n_times,)
        Predicted, and the band of 95% of the refits.
    observed : DataFrame, optional
        Cumulative incidence in a group of training patients: ``days``, ``incidence``, ``low`` and ``high``; drawn in
        grey with whiskers at whole years.
    start : str
        What years count from.

    Returns
    -------
    Figure
    """
    years = np.asarray(times) / YEAR
    figure = new_figure(5.8, 3.3)
    axes = figure.subplots()
    axes.fill_between(years, low, high, step="post", color=ACCENT, alpha=0.16, linewidth=0)
    axes.step(years, incidence, where="post", color=ACCENT, linewidth=2.0)
    ends = [(float(incidence[-1]), "this patient,\npredicted", ACCENT)]
    if observed is not None and len(observed):
        own = observed["days"].to_numpy() / YEAR
        axes.plot(
            np.concatenate([[0.0], own]),
            np.concatenate([[0.0], observed["incidence"]]),
            color=MUTED,
            linewidth=1.4,
            linestyle=(0, (4, 2)),
        )
        whole = observed[np.isclose(own, np.round(own))]
        at = whole["days"].to_numpy() / YEAR
        axes.vlines(at, whole["low"], whole["high"], color=MUTED, linewidth=1.0, clip_on=False)
        ends.append((float(observed["incidence"].iloc[-1]), "clinical group,\nobserved", MUTED))
    heights = set_apart([height for height, _, _ in ends], 0.13)
    for height, (_, text, color) in zip(heights, ends, strict=True):
        axes.annotate(text, (years[-1], height), (6, 0), textcoords="offset points", color=color, va="center",
                      fontsize=9, annotation_clip=False)  # fmt: skip
    axes.set(xlim=(0, years[-1]), ylim=(0, 1.01), xlabel=f"Years from {start}", ylabel="Cumulative incidence")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.tick_params(colors=INK)
    axes.grid(axis="y")
    return figure
