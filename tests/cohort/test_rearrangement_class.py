from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.cohort.rearrangement_class import class_of_word


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["DEL", "Deletion", "del", " DELETION ", "DEL:ME"], "DELETION"),
        (["DUP", "Duplication", "DUP:TANDEM", "tandem-duplication", "Tandem duplication"], "DUPLICATION"),
        (["INV", "Inversion", "h2hINV", "t2tINV", "INV3"], "INVERSION"),
        (["t", "t(2;5)", "TRA", "Translocation", "CTX", "Interchromosomal translocation"], "TRANSLOCATION"),
        (["INS", "Insertion", "INS:ME:L1"], "INSERTION"),
    ],
)
def test_words(words: list[str], expected: str) -> None:
    assert class_of_word(pd.Series(words)).tolist() == [expected] * len(words)


def test_words_that_name_no_class() -> None:
    assert class_of_word(pd.Series(["BND", "FUSION", "TRANSCRIPT FUSION", "complex", "", None])).isna().all()
