from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots import mechanism_bar, mechanism_cooccurrence_plot, risk_group_heatmap
from nbrelapse.report.plots.style import _GRID, _LOWER_ZERO_HIGHER
from nbrelapse.report.wording import _signed


def test_whiskers_end_where_the_refits_do(explanation: Explanation, catalogue: Catalogue, stable: Stability) -> None:
    axes = mechanism_bar(explanation, catalogue, stable).axes[0]
    rows = {label.get_text(): row for row, label in enumerate(axes.get_yticklabels())}
    found = {int(line.get_ydata()[0]): list(line.get_xdata()) for line in axes.lines}  # type: ignore[index,arg-type]
    table = stable.mechanisms
    for name in table.index:
        row = rows[catalogue.mechanisms[name].title]
        assert found[row] == pytest.approx([table.loc[name, "low"], table.loc[name, "high"]])
    assert axes.get_xlim()[1] >= table["high"].max()
    assert "95% of 20 bootstrap refits" in axes.get_xlabel()


def test_without_refits_there_is_no_whisker(explanation: Explanation, catalogue: Catalogue) -> None:
    axes = mechanism_bar(explanation, catalogue).axes[0]
    assert len(axes.lines) == 0
    assert "refits" not in axes.get_xlabel()


def test_a_mechanism_without_refitted_figures_has_no_whisker(
    explanation: Explanation, catalogue: Catalogue, stable: Stability
) -> None:
    part = replace(stable, mechanisms=stable.mechanisms.drop(index="mycn"))
    axes = mechanism_bar(explanation, catalogue, part).axes[0]
    assert len({int(np.asarray(line.get_ydata())[0]) for line in axes.lines}) == len(explanation.mechanisms.columns) - 1


def test_refits_on_another_scale_are_refused(explanation: Explanation, catalogue: Catalogue, stable: Stability) -> None:
    with pytest.raises(InputError, match="refits explain the log hazard, the bars the probability"):
        mechanism_bar(replace(explanation, scale="probability"), catalogue, stable)


TABLE = pd.DataFrame(
    [
        ("mycn", "alk", 200, 30, 20.2, 0.9, 0.2, 1.6, True),
        ("mycn", "p53", 200, 11, 12.4, -0.1, -0.8, 0.6, True),
        ("alk", "p53", 0, 0, np.nan, np.nan, np.nan, np.nan, False),
    ],
    columns=["first", "second", "assayed", "both", "expected", "log_odds_ratio", "low", "high", "enough"],
)


def test_cells_hold_counts_and_ratio_in_their_row_and_column(catalogue: Catalogue) -> None:
    axes = mechanism_cooccurrence_plot(TABLE, catalogue).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ALK", "p53 pathway"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["MYCN amplification", "ALK"]
    cells = {
        (round(text.get_position()[0]), round(text.get_position()[1]), text.get_text()): text.get_fontweight()
        for text in axes.texts
    }
    assert cells == {
        (0, 0, "30 / 20"): "normal",
        (0, 0, "+0.90"): "bold",
        (0, 1, "11 / 12"): "normal",
        (0, 1, "−0.10"): "normal",
        (1, 1, "not assayed"): "normal",
    }


def test_pairs_of_few_patients_are_grey_and_the_largest_ratio_has_the_last_colour(catalogue: Catalogue) -> None:
    axes = mechanism_cooccurrence_plot(TABLE, catalogue).axes[0]
    colors = [to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert colors[0] == _LOWER_ZERO_HIGHER[2]
    assert colors[2] == _GRID
    assert _GRID not in colors[:2]


def test_thousands_are_short(catalogue: Catalogue) -> None:
    large = TABLE.assign(both=[12345, 9999, 0], expected=[10000.2, 1.4, np.nan])
    shown = {text.get_text() for text in mechanism_cooccurrence_plot(large, catalogue).axes[0].texts}
    assert {"12.3k / 10.0k", "9999 / 1"} <= shown


def test_no_pair_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="fewer than two mechanisms"):
        mechanism_cooccurrence_plot(TABLE.iloc[:0], catalogue)


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
        assert text == _signed(explanation.mechanisms.loc[own, name_of[mechanisms[int(row)]]].mean(), 3)


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
