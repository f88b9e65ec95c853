"""One patient's risk, mechanism by mechanism."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots.style import INK, MUTED, bare_y, new_figure, styled
from nbrelapse.report.wording import contribution_text, prediction_text
from nbrelapse.validation.horizons import YEAR

_SMALL = {"log hazard": 0.005, "log odds": 0.005, "probability": 0.0005}
"""Contributions below this are drawn together as "other": half of the last digit written."""

_RISK = {"log hazard": "Log hazard relative to the average training patient", "log odds": "Log odds of the event"}
_NARROWEST = {"log hazard": 0.1, "log odds": 0.1, "probability": 0.02}


@styled
def patient_waterfall(explanation: Explanation, patient: str, catalogue: Catalogue) -> Figure:
    """Draw how what was measured, by mechanism, leads from the model's baseline to one patient's prediction.

    One hatched bar, the last, gathers what comes from missing values: it speaks of patients not assayed, not of this
    tumour. The picture does not name the patient.

    Parameters
    ----------
    explanation : Explanation
        On either scale; contributions to a probability are written in percentage points.
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
    span = max(max(reach) - min(reach), _NARROWEST[explanation.scale])
    for row, (start, end, value) in enumerate(zip(starts, ends, steps["value"], strict=True)):
        axes.plot([end, end], [row - 0.31, min(row + 1.31, len(steps) - 0.45)], color=MUTED, linewidth=0.7, zorder=0.5)
        axes.annotate(contribution_text(value, explanation.scale), (max(start, end), row), (5, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    axes.set_yticks(rows, list(steps["title"]))
    axes.set_ylim(len(steps) + 0.1, -0.95)
    axes.set_xlim(min(reach) - 0.12 * span, max(reach) + 0.2 * span)
    _mark_ends(axes, explanation, float(ends.iloc[-1]), len(steps))
    axes.set_xlabel(_axis_title(explanation))
    if explanation.scale == "probability":
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
    bare_y(axes)
    return figure


def _axis_title(explanation: Explanation) -> str:
    if explanation.scale != "probability":
        return _RISK[explanation.scale]
    axis = "Predicted probability of the event"
    days = explanation.horizon_days
    return axis if days is None else f"{axis} by {days / YEAR:.3g} year{'s' * (days > YEAR)}"


def _steps(explanation: Explanation, patient: str, catalogue: Catalogue) -> pd.DataFrame:
    """Measured parts of the mechanisms by size, those too small to see in one row, then all that is missing."""
    contributions = explanation.features.loc[[patient]].iloc[0]
    known = explanation.values.loc[[patient]].iloc[0].notna().to_numpy()
    measured = contributions[known].groupby(explanation.mechanism_of[known], sort=False).sum()
    table = pd.DataFrame(
        {
            "value": measured,
            "absent": False,
            "title": [catalogue.mechanisms[name].title for name in measured.index],
            "color": [catalogue.mechanisms[name].color for name in measured.index],
        }
    ).sort_values("value", key=abs, ascending=False, kind="stable")
    large = table["value"].abs() >= _SMALL[explanation.scale]
    ends: list[tuple[float, bool, str, str]] = []
    if not large.all():
        ends.append((float(table.loc[~large, "value"].sum()), False, "Other mechanisms", MUTED))
    if not known.all():
        ends.append((float(contributions[~known].sum()), True, "Not assayed", MUTED))
    return pd.concat([table[large], pd.DataFrame(ends, columns=table.columns)] if ends else [table], ignore_index=True)


def _mark_ends(axes: Axes, explanation: Explanation, prediction: float, rows: int) -> None:
    baseline, scale = explanation.baseline, explanation.scale
    axes.plot([baseline, baseline], [-0.5, 0.31], color=MUTED, linewidth=0.7, zorder=0.5)
    axes.text(baseline, -0.55, f"baseline {prediction_text(baseline, scale)}", ha="center", va="bottom", color=MUTED,
              fontsize=9)  # fmt: skip
    axes.text(prediction, rows - 0.4, f"this patient {prediction_text(prediction, scale)}", ha="center", va="top",
              color=INK, fontsize=9.5, fontweight="bold")  # fmt: skip
