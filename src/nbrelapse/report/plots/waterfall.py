"""One patient's risk, mechanism by mechanism."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import INK, MUTED, bare_y, new_figure, styled
from nbrelapse.report.wording import signed

_SMALL = 0.005
"""Contributions to the log risk below this are drawn together as "other"."""

_RISK = {"log hazard": "Log hazard relative to the average training patient", "log odds": "Log odds of the event"}


@styled
def patient_waterfall(explanation: Explanation, patient: str, catalogue: Catalogue) -> Figure:
    """Draw how the mechanisms lead from the model's baseline to one patient's log risk.

    A hatched bar is a mechanism of which nothing is known in this patient: it speaks of patients not assayed, not of
    this tumour. The picture does not name the patient.

    Parameters
    ----------
    explanation : Explanation
    patient : str
        A row label of the explanation.
    catalogue : Catalogue

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        The patient is not among the explained ones.
    """
    if patient not in explanation.features.index:
        raise InputError("the patient is not among the explained ones", column="patient", mend="check the patient id")
    steps = _steps(explanation, patient, catalogue)
    ends = explanation.baseline + steps["value"].cumsum()
    starts = ends - steps["value"]
    figure = new_figure(5.8, 0.36 * len(steps) + 1.5)
    axes = figure.subplots()
    rows = np.arange(len(steps))
    bars = axes.barh(rows, steps["value"], left=starts, color=list(steps["color"]), height=0.62)
    for bar, color, absent in zip(bars, steps["color"], steps["absent"], strict=True):
        if absent:
            bar.set(facecolor="none", edgecolor=color, hatch="/////", linewidth=0.9)
    reach = [explanation.baseline, *ends]
    span = max(max(reach) - min(reach), 0.1)
    for row, (start, end, value) in enumerate(zip(starts, ends, steps["value"], strict=True)):
        axes.plot([end, end], [row - 0.31, min(row + 1.31, len(steps) - 0.45)], color=MUTED, linewidth=0.7, zorder=0.5)
        axes.annotate(signed(value), (max(start, end), row), (5, 0), textcoords="offset points", va="center",
                      fontsize=9)  # fmt: skip
    axes.set_yticks(rows, list(steps["title"]))
    axes.set_ylim(len(steps) + 0.1, -0.95)
    axes.set_xlim(min(reach) - 0.06 * span, max(reach) + 0.16 * span)
    _mark_ends(axes, explanation.baseline, float(ends.iloc[-1]), len(steps))
    axes.set_xlabel(_RISK[explanation.scale])
    bare_y(axes)
    return figure


def _steps(explanation: Explanation, patient: str, catalogue: Catalogue) -> pd.DataFrame:
    """Mechanisms by size, those too small to see gathered in one last row."""
    table = pd.DataFrame(
        {
            "value": explanation.mechanisms.loc[patient],
            "absent": explanation.values.loc[patient].isna().groupby(explanation.mechanism_of).all(),
        }
    ).loc[explanation.mechanisms.columns]
    titles = pd.Series({name: catalogue.mechanisms[name].title for name in table.index})
    table["title"] = titles.where(~table["absent"], titles + "\n(not assayed)")
    table["color"] = [catalogue.mechanisms[name].color for name in table.index]
    large = table["value"].abs() >= _SMALL
    shown = table[large].sort_values("value", key=abs, ascending=False, kind="stable")
    if large.all():
        return shown
    rest = table.loc[~large, "value"].sum()
    last = pd.DataFrame([{"value": rest, "absent": False, "title": "Other mechanisms", "color": MUTED}])
    return pd.concat([shown, last], ignore_index=True)


def _mark_ends(axes: Axes, baseline: float, log_risk: float, rows: int) -> None:
    axes.plot([baseline, baseline], [-0.5, 0.31], color=MUTED, linewidth=0.7, zorder=0.5)
    axes.text(baseline, -0.55, f"baseline {signed(baseline)}", ha="center", va="bottom", color=MUTED, fontsize=9)
    axes.text(log_risk, rows - 0.4, f"this patient {signed(log_risk)}", ha="center", va="top", color=INK, fontsize=9.5,
              fontweight="bold")  # fmt: skip
