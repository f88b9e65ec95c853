from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbrelapse.cohort.columns import _check_time_units, _map_distinct, encode
from nbrelapse.errors import InputError


def patients(**columns: list[float]) -> pd.DataFrame:
    size = max(map(len, columns.values()))
    empty = [float("nan")] * size
    return pd.DataFrame({"age_days": empty, "event_days": empty, "followup_days": empty} | columns)


MONTHS = [float(month) for month in range(1, 61)]


@pytest.mark.parametrize("column", ["age_days", "event_days", "followup_days"])
def test_months_are_refused_and_the_same_in_days_accepted(column: str) -> None:
    with pytest.raises(InputError, match="look like months, not days") as caught:
        _check_time_units(patients(**{column: MONTHS}), file="clinical.csv")
    assert (caught.value.file, caught.value.column) == ("clinical.csv", column)
    assert 'unit = "months"' in str(caught.value.fix)
    _check_time_units(patients(**{column: [month * 30.4375 for month in MONTHS]}))


def test_years_are_called_years() -> None:
    with pytest.raises(InputError, match="look like years"):
        _check_time_units(patients(age_days=[month / 12 for month in MONTHS]))


def test_an_infant_trial_in_days_passes() -> None:
    _check_time_units(patients(age_days=[float(day) for day in range(0, 360, 6)]))


def test_a_few_new_patients_are_not_judged() -> None:
    _check_time_units(patients(age_days=[1.0] * 19, event_days=[30.0] * 19, followup_days=[30.0] * 19))


@given(st.lists(st.floats(0.1, 29), min_size=20, max_size=50))
def test_follow_up_in_months_below_thirty_years_never_passes(years: list[float]) -> None:
    with pytest.raises(InputError):
        _check_time_units(patients(followup_days=[value * 12 for value in years]))


WORDS = st.lists(st.sampled_from(["chr1", "1", "chrX", "X", ""]) | st.none(), max_size=12)


@given(WORDS, st.permutations(["unseen", "", "X", "chrX", "1", "chr1"]))
def test_codes_tell_what_texts_tell(words: list[str | None], categories: list[str]) -> None:
    texts = pd.Series(words, dtype="str")
    coded = pd.Series(pd.Categorical(words, categories=pd.Index(categories, dtype="str")))
    for one, other in zip(encode(texts), encode(coded), strict=True):
        assert one.tolist() == other.tolist()

    def bare(distinct: pd.Series) -> pd.Series:
        found = distinct.str.removeprefix("chr")
        return found.mask(found == "")

    ready = _map_distinct(coded, bare)
    assert isinstance(ready.dtype, pd.CategoricalDtype)
    assert ready.cat.categories.is_unique
    pd.testing.assert_series_equal(ready.astype("str"), _map_distinct(texts, bare))
