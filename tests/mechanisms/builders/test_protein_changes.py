from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.mechanisms.builders.protein_changes import short_protein_changes


@pytest.mark.parametrize(
    ("raw", "short"),
    [
        ("p.Gln61Lys", "Q61K"),
        ("ENSP00000373700.3:p.Phe1174Leu", "F1174L"),
        (" p.V600E ", "V600E"),
        ("p.Arg213Ter", "R213*"),
        ("p.Glu1757LysfsTer5", "E1757Kfs*5"),
        ("p.Glu746_Ala750del", "E746_A750del"),
        ("p.Phe1174=", "F1174="),
        ("X1174_splice", "X1174_splice"),
    ],
)
def test_one_spelling(raw: str, short: str) -> None:
    assert short_protein_changes(pd.Series([raw])).tolist() == [short]


@pytest.mark.parametrize("nothing", ["", "p.", "p.?", ".", "-", None])
def test_nothing_said_is_missing(nothing: str | None) -> None:
    found = short_protein_changes(pd.Series([nothing, "p.V600E", nothing], index=[7, 8, 9], dtype="str"))
    assert found.index.tolist() == [7, 8, 9]
    assert found.isna().tolist() == [True, False, True]
