from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nbrelapse.explanation.attribution_table import attribution_table
from nbrelapse.explanation.explanation import Explanation, roll_up

FEATURES = pd.DataFrame({"alk__a": [0.5, -0.25], "alk__b": [0.25, 0.0], "mycn__a": [1.0, 2.0]}, index=["P2", "P1"])
MECHANISM_OF = pd.Series({"alk__a": "alk", "alk__b": "alk", "mycn__a": "mycn"})
VALUES = pd.DataFrame({"alk__a": [1.0, np.nan], "alk__b": [np.nan, 0.0], "mycn__a": [3.0, 4.0]}, index=FEATURES.index)
EXPLANATION = Explanation(
    baseline=0.5,
    features=FEATURES,
    mechanisms=roll_up(FEATURES, MECHANISM_OF),
    values=VALUES,
    prediction=(0.5 + FEATURES.sum(axis=1)).rename("log_risk"),
    mechanism_of=MECHANISM_OF,
)


def test_a_row_adds_up_and_says_what_comes_from_missing_values() -> None:
    expected = pd.DataFrame(
        {
            "patient_id": ["P2", "P1"],
            "log_risk": [2.25, 2.25],
            "baseline": [0.5, 0.5],
            "mechanism__alk": [0.75, -0.25],
            "mechanism__mycn": [1.0, 2.0],
            "not_assayed__alk": [0.25, -0.25],
            "not_assayed__mycn": [0.0, 0.0],
            "alk__a": [0.5, -0.25],
            "alk__b": [0.25, 0.0],
            "mycn__a": [1.0, 2.0],
        }
    )
    pd.testing.assert_frame_equal(attribution_table(EXPLANATION), expected)


def test_a_probability_is_named_with_its_horizon() -> None:
    by_then = replace(EXPLANATION, prediction=EXPLANATION.prediction.rename("probability"), horizon_days=730.5)
    table = attribution_table(by_then, np.array([0.5, 1.0]))
    assert list(table.columns[:5]) == ["patient_id", "probability", "horizon_days", "baseline", "evidence"]
    assert table["evidence"].tolist() == [0.5, 1.0]
    assert (table["horizon_days"] == 730.5).all()


def test_nobody_gives_an_empty_table_with_all_columns() -> None:
    nobody = replace(
        EXPLANATION,
        **{name: getattr(EXPLANATION, name).iloc[:0] for name in ("features", "mechanisms", "values", "prediction")},
    )
    assert list(attribution_table(nobody)) == list(attribution_table(EXPLANATION))
    assert attribution_table(nobody).empty
