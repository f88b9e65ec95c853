from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.explanation import DeletionCurve
from nbrelapse.report.plots import deletion_curves


def _curve() -> DeletionCurve:
    columns = {"by_contribution": [0, 0.8, 1.1, 1.0], "at_random": [0, 0.3, 0.7, 1.0]}
    table = pd.DataFrame(columns).rename_axis("deleted")
    for name in columns:
        table[f"{name}_low"], table[f"{name}_high"] = table[name] - 0.05, table[name] + 0.05
    areas = pd.DataFrame(
        {"value": [0.8, 0.5, 0.3], "low": [0.7, 0.4, 0.2], "high": [0.9, 0.6, 0.4]},
        index=["by_contribution", "at_random", "difference"],
    )
    return DeletionCurve(table, areas, 1234)


def test_both_orders_are_drawn_with_bands_and_areas() -> None:
    figure = deletion_curves({"SEQC, cox": _curve(), "SEQC, boosted": _curve(), "other": _curve()})
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in panels] == ["SEQC, cox", "SEQC, boosted", "other"]
    lines = [line for line in panels[0].get_lines() if len(line.get_xdata()) == 4]
    np.testing.assert_allclose(lines[0].get_ydata(), [0, 0.8, 1.1, 1.0])
    np.testing.assert_allclose(lines[1].get_ydata(), [0, 0.3, 0.7, 1.0])
    assert len(panels[0].collections) == 2
    assert panels[0].texts[0].get_text() == "area 0.80, +0.30\nover random (+0.20 to +0.40)"
    assert panels[0].get_xlabel() == "Features deleted (n = 1,234 patients)"


def test_no_curve_is_refused() -> None:
    with pytest.raises(InputError, match="no deletion curve"):
        deletion_curves({})
