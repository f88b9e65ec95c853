from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from nbrelapse.errors import InputError
from nbrelapse.explanation import DeletionCurve
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots import deletion_curves, dependence
from nbrelapse.report.plots.style import _ABSENT, _drawn_patients, _spread_dots


def dots(axes: Any, absent: bool) -> np.ndarray:
    """Return the positions of the grey dots, or of the others."""
    parts = [part for part in axes.collections if (to_hex(part.get_facecolor()[0]) == _ABSENT) == absent]
    return np.vstack([np.asarray(part.get_offsets()) for part in parts]) if parts else np.empty((0, 2))


def panel(figure: Any, title: str) -> Any:
    (found,) = [axes for axes in figure.axes if axes.get_title(loc="left").replace("\n", " ") == title]
    return found


def test_panels_are_the_most_important_features_in_their_mechanisms_colours(
    explanation: Explanation, catalogue: Catalogue
) -> None:
    figure = dependence(explanation, catalogue, top=4)
    shown = list(explanation.feature_importance().index[:4])
    titles = [axes.get_title(loc="left").replace("\n", " ") for axes in figure.axes]
    assert titles == [catalogue.features[name].title for name in shown]
    for axes, name in zip(figure.axes, shown, strict=True):
        mechanism = catalogue.mechanisms[catalogue.features[name].mechanism]
        assert to_hex(axes.collections[0].get_facecolor()[0]) == mechanism.color
        assert axes.texts[0].get_text() == mechanism.title
    assert figure.get_supylabel() == "Contribution to the log hazard"


def test_continuous_values_stand_at_their_value(explanation: Explanation, catalogue: Catalogue) -> None:
    axes = panel(dependence(explanation, catalogue, top=9), "Age at diagnosis")
    name = "clinical__age_months"
    expected = np.column_stack([explanation.values[name], explanation.features[name]])
    np.testing.assert_allclose(dots(axes, absent=False), expected)
    assert len(dots(axes, absent=True)) == 0


def test_missing_values_stand_apart_and_are_named(explanation: Explanation, catalogue: Catalogue) -> None:
    name = "telomere__tert_rearranged"
    axes = panel(dependence(explanation, catalogue, top=9), "TERT rearrangement")
    known, absent = dots(axes, absent=False), dots(axes, absent=True)
    missing = explanation.values[name].isna()
    assert (len(known), len(absent)) == (int((~missing).sum()), int(missing.sum()))
    assert absent[:, 0].max() < known[:, 0].min()
    np.testing.assert_allclose(absent[:, 1], explanation.features.loc[missing, name])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["no", "yes", "not\nassayed"]


def test_binary_values_stay_at_their_side_and_the_same_every_time(
    explanation: Explanation, catalogue: Catalogue
) -> None:
    first, second = (
        dots(panel(dependence(explanation, catalogue, top=9), "MYCN amplified"), absent=False) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[:, 0].round(), explanation.values["mycn__amplified"])
    assert np.unique(first[:, 0]).size > 2


def test_probabilities_are_called_so_and_fractions_are_percentages(
    explanation: Explanation, catalogue: Catalogue
) -> None:
    figure = dependence(replace(explanation, scale="probability"), catalogue, top=9)
    assert figure.get_supylabel() == "Contribution to the probability"
    labels = panel(figure, "Fraction of the genome altered").get_xticklabels()
    assert all(label.get_text().endswith("%") for label in labels)


def test_of_many_patients_some_are_drawn_and_the_picture_says_so(
    explanation: Explanation, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "patients" not in dependence(explanation, catalogue).get_supxlabel()
    monkeypatch.setattr(_drawn_patients, "__defaults__", (50,))
    figure = dependence(explanation, catalogue, top=1)
    assert sum(len(part.get_offsets()) for part in figure.axes[0].collections) == 50
    assert figure.get_supxlabel() == "Value\n50 of 240 patients, evenly spaced by predicted risk"


@pytest.mark.parametrize("value", [np.nan, 1.0])
def test_a_feature_that_is_never_or_always_the_same_is_drawn(
    explanation: Explanation, catalogue: Catalogue, value: float
) -> None:
    values = pd.DataFrame(value, index=explanation.values.index, columns=explanation.values.columns)
    axes = panel(dependence(replace(explanation, values=values), catalogue, top=9), "Age at diagnosis")
    assert len(dots(axes, absent=bool(np.isnan(value)))) == 240


def test_dots_that_share_a_position_are_spread_within_the_room() -> None:
    offsets = _spread_dots(np.zeros(101), room=2.0)
    assert np.unique(offsets).size == 101
    assert np.abs(offsets).max() <= 1.0
    assert _spread_dots(np.array([])).size == 0


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
