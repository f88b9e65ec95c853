from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.explanation import Explanation, roll_up_difference


def _explanation(mechanisms: pd.DataFrame) -> Explanation:
    total = mechanisms.sum(axis=1)
    mechanism_of = pd.Series(mechanisms.columns, index=mechanisms.columns)
    return Explanation(0.0, mechanisms, mechanisms, mechanisms, total, mechanism_of)


def test_a_row_a_mechanism_says_how_far_the_two_lie_apart():
    sums = pd.DataFrame({"alk": [1.0, 2.0, 3.0], "mycn": [0.0, 0.0, 3.0], "p53": [1.0, 1.0, 1.0]})
    grouped = pd.DataFrame({"mycn": [0.0, 1.0, 2.0], "alk": [2.0, 3.0, 4.0], "p53": [0.0, 1.0, 2.0]})
    found = roll_up_difference(_explanation(sums), grouped)
    assert list(found.index) == ["alk", "mycn", "p53"]
    assert found.loc["alk"].tolist() == [2.0, 3.0, 1.0, 1.0, -1.0]
    np.testing.assert_allclose(found.loc["mycn"], [1.0, 1.0, np.sqrt(0.75), 2 / 3, 0.0])
    assert np.isnan(found.loc["p53", "spearman"])


def test_other_patients_or_mechanisms_are_refused():
    sums = pd.DataFrame({"alk": [1.0, 2.0]})
    with pytest.raises(InputError, match="same patients"):
        roll_up_difference(_explanation(sums), sums.iloc[:1])
    with pytest.raises(InputError, match=r"same mechanisms(.|\n)*alk, mycn"):
        roll_up_difference(_explanation(sums), sums.rename(columns={"alk": "mycn"}))
