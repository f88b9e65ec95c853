from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.cooccurrence_rows import cooccurrence_rows


def test_pairs_are_written_the_largest_ratio_first_and_those_of_too_few_last(catalogue: Catalogue) -> None:
    table = pd.DataFrame(
        [
            ("mycn", "alk", 0, 0, np.nan, np.nan, np.nan, np.nan, False),
            ("mycn", "p53", 1200, 11, 12.44, 0.3, -0.1, 0.7, True),
            ("alk", "p53", 200, 3, 12.0, -1.25, -2.0, -0.5, True),
            ("alk", "clinical", 200, 4, 2.0, 3.0, 1.0, 5.0, False),
        ],
        columns=["first", "second", "assayed", "both", "expected", "log_odds_ratio", "low", "high", "enough"],
    )
    rows = cooccurrence_rows(table, catalogue)
    assert [list(row.values()) for row in rows] == [
        ["ALK", "p53 pathway", "200", "3", "12.0", "−1.25", "−2.00 to −0.50"],
        ["MYCN amplification", "p53 pathway", "1,200", "11", "12.4", "+0.30", "−0.10 to +0.70"],
        ["MYCN amplification", "ALK", "0", "0", "–", "too few patients", ""],
        ["ALK", "Clinical", "200", "4", "2.0", "too few patients", ""],
    ]
