"""Which mechanisms move the prediction up or down in which group of patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from nbrelapse.errors import InputError
from nbrelapse.explanation.contributions_by_group import LEAST_PATIENTS, GroupContributions, contributions_by_group
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import (
    LOWER_ZERO_HIGHER,
    ON_COLOR,
    PAPER,
    bare_y,
    color_bar,
    mark_rows,
    new_figure,
    styled,
)
from nbrelapse.report.wording import signed

_COLORS = LinearSegmentedColormap.from_list("lower_zero_higher", LOWER_ZERO_HIGHER)


@styled
def risk_group_heatmap(explanation: Explanation, group: pd.Series, catalogue: Catalogue) -> Figure:
    """Draw the mean signed contribution of each mechanism in each group of patients, the number in its cell.

    Colours are centred on zero. Groups of fewer than 10 patients are left out and named in a note.

    Parameters
    ----------
    explanation : Explanation
    group : Series
        Categorical, by patient; NaN where it is unknown. Its name says what the groups are.
    catalogue : Catalogue

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        No group has 10 patients.
    """
    found = contributions_by_group(explanation.mechanisms, group)
    if found.mean.shape[1] == 0:
        raise InputError("no group is large enough", column="group", expected=f"{LEAST_PATIENTS} patients in a group")
    mean = found.mean.loc[explanation.mechanism_importance().index[::-1]]
    rows, columns = mean.shape
    figure = new_figure(max(5.8, 2.6 + 1.05 * columns), 0.36 * rows + 1.9)
    axes = figure.subplots()
    scale = _symmetric(mean)
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    axes.pcolormesh(*edges, mean.to_numpy(), cmap=_COLORS, norm=scale, edgecolor=PAPER, linewidth=1.5)
    for (row, column), value in np.ndenumerate(mean.to_numpy()):
        axes.text(
            column, row, signed(float(value), _digits(scale)), ha="center", va="center", fontsize=9, color=ON_COLOR
        )
    axes.set_xticks(range(columns), [f"{name}\nn = {found.n[name]:,}" for name in mean.columns])
    axes.set_yticks(range(rows), [catalogue.mechanisms[name].title for name in mean.index])
    mark_rows(axes, [catalogue.mechanisms[name].color for name in mean.index])
    axes.set_xlabel("\n".join([str(group.name), *_notes(found)]))
    bare_y(axes)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    what = f"Mean contribution to the {explanation.scale}"
    color_bar(figure, scale, _COLORS, ("lowers", "0", "raises"), what)
    return figure


def _symmetric(mean: pd.DataFrame) -> Normalize:
    largest = max(float(mean.abs().to_numpy().max()), 1e-6)
    return Normalize(-largest, largest)


def _digits(scale: Normalize) -> int:
    """Two decimals, one more where the largest number is below 0.1."""
    return 2 if float(scale.vmax or 0.0) >= 0.1 else 3


def _notes(found: GroupContributions) -> list[str]:
    notes = []
    if found.left_out:
        notes.append(f"Left out, fewer than {LEAST_PATIENTS} patients: {', '.join(found.left_out)}.")
    if found.unknown:
        notes.append(f"{found.unknown:,} patients of unknown group are left out.")
    return notes
