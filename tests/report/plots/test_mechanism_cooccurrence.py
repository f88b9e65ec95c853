from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots import mechanism_cooccurrence_plot
from nbrelapse.report.plots.style import GRID, LOWER_ZERO_HIGHER

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
    assert colors[0] == LOWER_ZERO_HIGHER[2]
    assert colors[2] == GRID
    assert GRID not in colors[:2]


def test_thousands_are_short(catalogue: Catalogue) -> None:
    large = TABLE.assign(both=[12345, 9999, 0], expected=[10000.2, 1.4, np.nan])
    shown = {text.get_text() for text in mechanism_cooccurrence_plot(large, catalogue).axes[0].texts}
    assert {"12.3k / 10.0k", "9999 / 1"} <= shown


def test_no_pair_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="fewer than two mechanisms"):
        mechanism_cooccurrence_plot(TABLE.iloc[:0], catalogue)
