"""The look that all pictures share: colours that everyone can distinguish, on white and on dark pages."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation

_PAPER = "#fefefe"
_INK = "#1c2733"
_MUTED = "#5d6b79"
_GRID = "#d9dfe5"
_ABSENT = "#87929d"
_ACCENT = "#0a5c9e"
_RISK_GROUPS = ("#2577bb", "#8266a8", "#c0540f")
"""Low, middle and high: blue to vermilion after Okabe and Ito (https://jfly.uni-koeln.de/color/), dark enough for words
on white, light enough for dots on a dark page."""

_LOWER_ZERO_HIGHER = ("#5fa3e0", "#eef1f4", "#f08c4a")
"""Below, at and above zero: blue and orange, apart for every colour vision (the pair of Okabe and Ito), light enough
for dark numbers on them."""

_ON_COLOR = "#10181f"
"""Numbers on such colours; the same on a dark screen."""

_P = ParamSpec("_P")


@functools.cache
def _settings() -> Any:
    installed = set(font_manager.get_font_names())
    families = [name for name in ("Source Sans 3", "Helvetica", "Arial", "Liberation Sans") if name in installed]
    return {
        "font.family": [*families, "DejaVu Sans"],
        "font.size": 9.5,
        "text.color": _INK,
        "axes.facecolor": "none",
        "figure.facecolor": _PAPER,
        "savefig.facecolor": _PAPER,
        "axes.edgecolor": _MUTED,
        "axes.labelcolor": _INK,
        "axes.labelsize": 9.5,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.axisbelow": True,
        "grid.color": _GRID,
        "grid.linewidth": 0.7,
        "xtick.color": _MUTED,
        "ytick.color": _MUTED,
        "xtick.labelcolor": _INK,
        "ytick.labelcolor": _INK,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9.5,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "hatch.linewidth": 0.6,
    }


def _styled(plot: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Decorate a function that returns a Figure: draw it in the common style, fonts and ticks settled."""

    @functools.wraps(plot)
    def draw(*args: _P.args, **kwargs: _P.kwargs) -> Figure:
        with mpl.rc_context(rc=_settings()):
            figure = plot(*args, **kwargs)
            figure.draw_without_rendering()
        return figure

    return draw


def _new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that makes room for its own labels; no pyplot state is touched."""
    return Figure(figsize=(width, height), layout="constrained")


def _set_apart(heights: Sequence[float], gap: float) -> list[float]:
    """Move label heights so that neighbours are at least ``gap`` apart, the lowest staying where it is.

    Examples
    --------
    >>> _set_apart([0.5, 0.48, 0.9], 0.05)
    [0.53, 0.48, 0.9]
    """
    placed = list(heights)
    order = sorted(range(len(placed)), key=placed.__getitem__)
    for below, above in itertools.pairwise(order):
        placed[above] = max(placed[above], round(placed[below] + gap, 10))
    return placed


def _zero_line(axes: Axes, at: float = 0.0) -> None:
    """Mark the value that means no effect."""
    axes.axvline(at, color=_MUTED, linewidth=0.8, zorder=0.5)


def _mark_rows(axes: Axes, colors: Sequence[str]) -> None:
    """Mark the names of the rows 0, 1, ... of an axis with the colours of their mechanisms."""
    marks = axes.get_yaxis_transform()
    for row, color in enumerate(colors):
        axes.plot([0.0, 0.0], [row - 0.34, row + 0.34], color=color, linewidth=4, transform=marks,
                  solid_capstyle="butt", clip_on=False)  # fmt: skip
    axes.tick_params(axis="y", pad=7)


def _color_bar(figure: Figure, scale: Normalize, colors: Colormap, ends: tuple[str, str, str], what: str) -> None:
    """Explain diverging colours above a picture: what its lower end, its middle and its upper end mean."""
    bar = figure.colorbar(
        ScalarMappable(scale, colors), ax=figure.axes, orientation="horizontal", location="top", shrink=0.5,
        aspect=32, anchor=(1.0, 0.0), pad=0.02,
    )  # fmt: skip
    low, high = float(scale.vmin or 0.0), float(scale.vmax or 0.0)
    bar.set_ticks([low, (low + high) / 2, high], labels=list(ends))
    bar.set_label(what, fontsize=9)
    bar.ax.tick_params(length=0, labelsize=8.5, labelcolor=_MUTED)
    bar.outline.set_visible(False)


def _bare_y(axes: Axes) -> None:
    """Remove the left spine and tick marks of an axis that holds names."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


_BINS = 90
_FEWEST = 12
"""Dots of one bin that fill the room; fewer stay closer together."""


def _spread_dots(position: np.ndarray, room: float = 0.72) -> np.ndarray:
    """Return offsets across that show how many dots share a position; nothing random in them.

    Parameters
    ----------
    position : ndarray of shape (n_dots,)
        Along the axis of interest.
    room : float
        Within which the dots are spread: offsets lie within half of it to either side.

    Returns
    -------
    ndarray of shape (n_dots,)

    Examples
    --------
    >>> _spread_dots(np.array([0.0, 0.0, 0.0, 5.0]), room=12.0).tolist()
    [0.0, -1.0, 1.0, 0.0]
    """
    if not len(position):
        return np.zeros(0)
    width = float(np.ptp(position)) or 1.0
    bins = np.floor((position - position.min()) / width * (_BINS - 1)).astype(int)
    rank = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    side = np.where(rank % 2 == 0, 1, -1) * ((rank + 1) // 2)
    return np.asarray(room * side / max(int(np.bincount(bins).max()), _FEWEST))


_MOST_DOTS = 4000
"""Patients drawn at most: more dots cover each other and take long to draw. A choice."""


def _drawn_patients(explanation: Explanation, most: int = _MOST_DOTS) -> np.ndarray:
    """Choose the patients to draw: all, or as many as asked for, evenly spaced by their predicted risk.

    Parameters
    ----------
    explanation : Explanation
    most : int

    Returns
    -------
    ndarray of int
        Positions in the explanation, rising; the lowest and the highest risk among them.
    """
    risk = explanation.mechanisms.to_numpy().sum(axis=1)
    if len(risk) <= most:
        return np.arange(len(risk))
    steps = np.linspace(0, len(risk) - 1, most).round().astype(int)
    return np.sort(np.argsort(risk, kind="stable")[steps])


def _drawn_note(number: int, of: int) -> str:
    """Say that not all patients are drawn; nothing where they are.

    Examples
    --------
    >>> _drawn_note(4000, 100000)
    '4,000 of 100,000 patients, evenly spaced by predicted risk'
    """
    return f"{number:,} of {of:,} patients, evenly spaced by predicted risk" if number < of else ""
