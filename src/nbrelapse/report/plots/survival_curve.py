"""One patient's predicted course."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from nbrelapse.report.plots.style import ACCENT, MUTED, new_figure, set_apart, styled
from nbrelapse.validation.horizons import YEAR


@styled
def survival_curve(
    times: np.ndarray,
    survival: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    reference: np.ndarray | None = None,
) -> Figure:
    """Draw a patient's predicted event-free survival, with the band of the bootstrap refits.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Days, rising.
    survival : ndarray of shape (n_times,)
    low, high : ndarray of shape (n_times,), optional
        95% band.
    reference : ndarray of shape (n_times,), optional
        The curve of a patient of mean log risk, drawn in grey.

    Returns
    -------
    Figure
    """
    years = np.asarray(times) / YEAR
    figure = new_figure(5.8, 3.1)
    axes = figure.subplots()
    ends = []
    if reference is not None:
        axes.step(years, reference, where="post", color=MUTED, linewidth=1.2, linestyle=(0, (4, 2)))
        ends.append((float(reference[-1]), "mean log risk", MUTED))
    if low is not None and high is not None:
        axes.fill_between(years, low, high, step="post", color=ACCENT, alpha=0.16, linewidth=0)
    axes.step(years, survival, where="post", color=ACCENT, linewidth=2.0)
    ends.append((float(survival[-1]), "this patient", ACCENT))
    heights = set_apart([height for height, _, _ in ends], 0.07)
    for height, (_, text, color) in zip(heights, ends, strict=True):
        axes.annotate(text, (years[-1], height), (6, 0), textcoords="offset points", color=color, va="center",
                      fontsize=9, annotation_clip=False)  # fmt: skip
    axes.set(xlim=(0, years[-1]), ylim=(0, 1.01), xlabel="Years from diagnosis", ylabel="Event-free survival")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(axis="y")
    return figure
