from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers._columns import to_log2

RANDOM = np.random.default_rng(3)
LOG2 = np.linspace(0, 12, 60)[:, None] + RANDOM.normal(0, 1, (60, 25))


def test_linear_values_become_log2() -> None:
    logged, unit = to_log2(pd.DataFrame(2**LOG2 - 1))
    assert unit == "log2(x + 1) of linear values"
    np.testing.assert_allclose(logged, np.log2(np.clip(2**LOG2 - 1, 0, None) + 1))


@pytest.mark.parametrize("offset", [0.0, -6.0])
def test_log2_values_stay(offset: float) -> None:
    table = pd.DataFrame(LOG2 + offset)
    logged, unit = to_log2(table)
    assert unit == "log2"
    assert logged is table


@pytest.mark.parametrize("scale", [1.0, 40.0])
@pytest.mark.parametrize("against", [slice(None), slice(0, 12)])
def test_z_scores_are_refused(scale: float, against: slice) -> None:
    centre, spread = LOG2[:, against].mean(axis=1, keepdims=True), LOG2.std(axis=1, keepdims=True)
    table = pd.DataFrame(scale * (LOG2 - centre) / spread)
    table.iloc[3, 4] = np.nan
    with pytest.raises(InputError, match="z-scores") as caught:
        to_log2(table, "z.txt")
    assert caught.value.file == "z.txt"


def test_few_samples_do_not_tell() -> None:
    assert to_log2(pd.DataFrame(LOG2[:, :5] - LOG2[:, :5].mean(axis=1, keepdims=True)))[1] == "log2"


def test_the_log2_of_0_in_expression_is_refused() -> None:
    with pytest.raises(InputError, match="hold the log2 of 0") as caught:
        to_log2(pd.DataFrame({"a": [3.0, -1022.0], "b": [2.0, 4.0]}), "expression.tsv")
    assert caught.value.rows == [2]
    # Linear intensities less their background are another thing.
    assert to_log2(pd.DataFrame({"a": [3000.0, -120.0]}))[0]["a"].round(1).tolist() == [11.6, 0.0]
