from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.explanation.settle_ties import ROUNDING, settle_ties


def test_values_within_rounding_are_equal_wherever_they_lie():
    for value in (0.0, -0.25, 0.1234565):
        table = pd.DataFrame({"a": [value + 1e-9, 5.0, value, value - 1e-9, np.nan], "b": [1.0, 2.0, 3.0, 4.0, 5.0]})
        found = settle_ties(table)
        assert found["a"].tolist()[:4] == [value - 1e-9, 5.0, value - 1e-9, value - 1e-9]
        assert np.isnan(found["a"].iloc[4])
        assert found["b"].tolist() == table["b"].tolist()


def test_values_further_apart_stay_apart():
    table = pd.DataFrame({"a": [0.0, 3 * ROUNDING, 6 * ROUNDING]})
    pd.testing.assert_frame_equal(settle_ties(table), table)


def test_an_empty_table_stays_empty():
    assert settle_ties(pd.DataFrame({"a": []}, dtype=float)).shape == (0, 1)
