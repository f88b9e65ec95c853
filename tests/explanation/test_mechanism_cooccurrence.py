from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import expected_freq

from nbrelapse.explanation.explanation import Explanation, roll_up
from nbrelapse.explanation.mechanism_cooccurrence import mechanism_cooccurrence


def explained(**columns: list[float]) -> Explanation:
    """Contributions are the values, 0.5 where they are missing: absence alone raises nothing."""
    values = pd.DataFrame({f"{name}__x": column for name, column in columns.items()}, dtype=float)
    mechanism_of = pd.Series({f"{name}__x": name for name in columns}, dtype=object)
    features = values.fillna(0.5)
    return Explanation(0.0, features, roll_up(features, mechanism_of), values, features.sum(axis=1), mechanism_of)


def test_counts_ratio_and_interval_of_a_table_by_hand() -> None:
    both, only_alk, only_mycn, neither = 12, 6, 9, 23
    alk = [1.0] * (both + only_alk) + [0.0] * (only_mycn + neither) + [np.nan] * 5 + [1.0] * 2
    mycn = [1.0] * both + [0.0] * only_alk + [1.0] * only_mycn + [0.0] * neither + [1.0] * 5 + [np.nan] * 2
    (row,) = mechanism_cooccurrence(explained(alk=alk, mycn=mycn)).to_dict("records")
    assert (row["first"], row["second"], row["assayed"]) == ("alk", "mycn", 50)
    assert [row[name] for name in ("both", "only_first", "only_second", "neither")] == [12, 6, 9, 23]
    assert row["expected"] == pytest.approx(18 * 21 / 50)
    ratio = np.log(12.5 * 23.5 / (6.5 * 9.5))
    spread = 1.959963984540054 * np.sqrt(1 / 12.5 + 1 / 6.5 + 1 / 9.5 + 1 / 23.5)
    assert [row[name] for name in ("log_odds_ratio", "low", "high")] == pytest.approx(
        [ratio, ratio - spread, ratio + spread]
    )
    assert row["enough"]


def test_few_expected_patients_are_not_enough() -> None:
    alk = [1.0] * 5 + [0.0] * 45
    mycn = [1.0] * 25 + [0.0] * 25
    (row,) = mechanism_cooccurrence(explained(alk=alk, mycn=mycn)).to_dict("records")
    assert row["expected"] == 2.5
    assert not row["enough"]


def test_a_mechanism_that_raises_the_risk_of_nobody_has_no_ratio() -> None:
    (row,) = mechanism_cooccurrence(explained(alk=[-1.0] * 4, mycn=[1.0, 1.0, 0.0, 0.0])).to_dict("records")
    assert (row["both"], row["expected"], row["enough"]) == (0, 0.0, False)
    assert np.isnan([row["log_odds_ratio"], row["low"], row["high"]]).all()


def test_mechanisms_never_assayed_together_have_no_expectation() -> None:
    (row,) = mechanism_cooccurrence(explained(alk=[1.0, np.nan], mycn=[np.nan, 1.0])).to_dict("records")
    assert row["assayed"] == 0
    assert np.isnan([row["expected"], row["log_odds_ratio"]]).all()


def test_a_mechanism_that_the_model_does_not_use_is_in_no_pair() -> None:
    table = mechanism_cooccurrence(explained(alk=[0.0, 0.0], mycn=[1.0, 0.0], p53=[0.0, 1.0]))
    assert table[["first", "second"]].values.tolist() == [["mycn", "p53"]]
    assert mechanism_cooccurrence(explained(alk=[0.0], mycn=[1.0])).empty


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, np.nan])] * 3), min_size=2, max_size=40), st.randoms())
def test_the_table_does_not_depend_on_the_order_of_patients_and_is_scipys(rows: list[Any], random: Any) -> None:
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("alk", "mycn", "p53"))}
    table = mechanism_cooccurrence(explained(**columns))
    order = random.sample(range(len(rows)), len(rows))
    shuffled = mechanism_cooccurrence(explained(**{name: [own[i] for i in order] for name, own in columns.items()}))
    pd.testing.assert_frame_equal(table, shuffled)
    cells = table[["both", "only_first", "only_second", "neither"]].to_numpy()
    assert (cells.sum(axis=1) == table["assayed"]).all()
    for row, own in zip(cells, table.to_dict("records"), strict=True):
        if own["assayed"]:
            expected = expected_freq(row.reshape(2, 2))
            assert own["expected"] == pytest.approx(expected[0, 0])
            assert own["enough"] == bool(expected.min() >= 5)
