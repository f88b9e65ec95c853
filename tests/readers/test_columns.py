from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Repairs
from nbrelapse.errors import InputError
from nbrelapse.readers._columns import to_log2

RANDOM = np.random.default_rng(3)
LOG2 = np.linspace(0, 12, 60)[:, None] + RANDOM.normal(0, 1, (60, 25))


def test_linear_values_become_log2() -> None:
    logged, about = to_log2(pd.DataFrame(2**LOG2 - 1))
    assert about["unit"] == "log2(x + 1) of linear values"
    np.testing.assert_allclose(logged, np.log2(np.clip(2**LOG2 - 1, 0, None) + 1))


@pytest.mark.parametrize("offset", [0.0, -6.0])
def test_log2_values_stay(offset: float) -> None:
    table = pd.DataFrame(LOG2 + offset)
    logged, about = to_log2(table)
    assert about["unit"] == "log2"
    assert "centring" not in about.get("not_told", "")
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


GENES = np.linspace(0, 12, 400)[:, None] + RANDOM.normal(0, 1, (400, 40))
CENTRED = GENES - GENES.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("samples", [2, 3, 5, 9])
def test_few_samples_show_that_they_were_centred_among_themselves(samples: int) -> None:
    few = GENES[:, :samples]
    with pytest.raises(InputError, match="centred"):
        to_log2(pd.DataFrame(few - few.mean(axis=1, keepdims=True)))


@pytest.mark.parametrize("samples", [1, 2, 3, 9])
def test_centred_values_are_never_taken_silently(samples: int) -> None:
    repairs = Repairs()
    try:
        _, about = to_log2(pd.DataFrame(CENTRED[:, -samples:]), "e.tsv", repairs)
    except InputError as refused:
        assert "centred" in str(refused)
    else:
        assert about == {"unit": "log2", "not_told": "centring"}
        assert list(repairs) == [
            "e.tsv: whether the values were centred gene by gene cannot be told, read as if they were not"
        ]


@pytest.mark.parametrize("samples", [1, 2, 9, 40])
def test_values_that_are_nearly_all_positive_are_not_centred(samples: int) -> None:
    repairs = Repairs()
    assert to_log2(pd.DataFrame(GENES[:, :samples]), "e.tsv", repairs)[1] == {"unit": "log2"}
    assert not len(repairs)


def test_log2_values_below_0_of_few_samples_are_read_with_a_note() -> None:
    table = pd.DataFrame(GENES[:, :3] - 6)
    logged, about = to_log2(table)
    assert logged is table
    assert about["not_told"] == "centring"
    assert "not_told" not in to_log2(pd.DataFrame(GENES - 6))[1]


def test_a_few_genes_tell_neither_unit_nor_centring() -> None:
    repairs = Repairs()
    assert to_log2(pd.DataFrame(GENES[100:104, :2]), "e.tsv", repairs)[1]["not_told"] == "unit, centring"
    assert len(repairs) == 2
    assert to_log2(pd.DataFrame(GENES[100:150, :2]), "e.tsv")[1]["not_told"] == "unit"


def test_negative_linear_values_are_counted() -> None:
    repairs = Repairs()
    to_log2(pd.DataFrame(2**GENES - 1).mask(GENES < -1, -3.0), "e.tsv", repairs)
    assert len(repairs) == 1
    assert "negative linear values read as 0" in next(iter(repairs))


def test_the_log2_of_0_in_expression_is_refused() -> None:
    with pytest.raises(InputError, match="hold the log2 of 0") as caught:
        to_log2(pd.DataFrame({"a": [3.0, -1022.0], "b": [2.0, 4.0]}), "expression.tsv")
    assert caught.value.rows == [2]
    # Linear intensities less their background are another thing.
    assert to_log2(pd.DataFrame({"a": [3000.0, -120.0]}))[0]["a"].round(1).tolist() == [11.6, 0.0]
