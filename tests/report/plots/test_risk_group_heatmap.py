from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots import risk_group_heatmap
from nbrelapse.report.wording import signed


def test_cells_hold_the_mean_contribution_of_the_group(
    explanation: Explanation, catalogue: Catalogue, groups: pd.Series
) -> None:
    axes = risk_group_heatmap(explanation, groups, catalogue).axes[0]
    mechanisms = [label.get_text() for label in axes.get_yticklabels()]
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert shown == ["Middle\nn = 112", "High\nn = 117"]
    name_of = {mechanism.title: name for name, mechanism in catalogue.mechanisms.items()}
    assert mechanisms == [catalogue.mechanisms[name].title for name in explanation.mechanism_importance().index[::-1]]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(cells) == 2 * len(mechanisms)
    for (column, row), text in cells.items():
        own = groups.index[groups == shown[int(column)].split("\n")[0]]
        assert text == signed(explanation.mechanisms.loc[own, name_of[mechanisms[int(row)]]].mean(), 3)


def test_small_groups_and_unknown_patients_are_left_out_and_said_so(
    explanation: Explanation, catalogue: Catalogue, groups: pd.Series
) -> None:
    label = risk_group_heatmap(explanation, groups, catalogue).axes[0].get_xlabel()
    assert label.split("\n") == [
        "Recorded risk group",
        "Left out, fewer than 10 patients: Low.",
        "3 patients of unknown group are left out.",
    ]


def test_colours_are_centred_on_zero(explanation: Explanation, catalogue: Catalogue, groups: pd.Series) -> None:
    mesh = risk_group_heatmap(explanation, groups, catalogue).axes[0].collections[0]
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert mesh.norm.vmax == pytest.approx(np.abs(mesh.get_array()).max())


def test_small_contributions_have_three_decimals(
    explanation: Explanation, catalogue: Catalogue, groups: pd.Series
) -> None:
    small = replace(explanation, mechanisms=explanation.mechanisms * 0 + 0.012, scale="probability")
    figure = risk_group_heatmap(small, groups, catalogue)
    assert {text.get_text() for text in figure.axes[0].texts} == {"+0.012"}
    assert figure.axes[1].get_xlabel() == "Mean contribution to the probability"


def test_no_group_of_ten_is_refused(explanation: Explanation, catalogue: Catalogue, groups: pd.Series) -> None:
    with pytest.raises(InputError, match="no group is large enough"):
        risk_group_heatmap(explanation, groups.iloc[:8], catalogue)
