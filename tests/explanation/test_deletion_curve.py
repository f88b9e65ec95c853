from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.explanation import DeletionCurve, Explanation, deletion_curve, explain
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.boosted import BoostedCox

NAMES = ["mycn__amplified", "instability__loss_11q", "cell_state__ntrk1_expression", "clinical__log2_age"]


class Slopes:
    """A linear model without intercept, or that claims other slopes than it has."""

    def __init__(self, *slopes: float) -> None:
        self.slopes = np.array(slopes)

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        return X.to_numpy() @ self.slopes


def _explanation(X: pd.DataFrame, *slopes: float) -> Explanation:
    features = X * np.array(slopes)
    owner = pd.Series([name.split("__")[0] for name in X.columns], index=X.columns)
    return Explanation(0.0, features, features, X, features.sum(axis=1), owner)


def _patients(*rows: list[float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=NAMES, dtype=float)


ZERO = _patients([0, 0, 0, 0])


def _curve(model: Any, explanation: Explanation, background: pd.DataFrame | None = ZERO, **other: Any) -> DeletionCurve:
    return deletion_curve(model, explanation, background, **other)


def test_the_largest_contributions_go_first():
    X = _patients([1, 1, 1, 1], [1, -2, 0, 5])
    found = _curve(Slopes(1, 2, 3, 0), _explanation(X, 1, 2, 3, 0))
    # 6 goes by 3, 2, 1; -3 by -4 (beyond the background), then back by 1.
    np.testing.assert_allclose(found.table["by_contribution"], np.array([0, 3 + 4, 5 + 3, 6 + 3]) / 9)
    assert found.areas.loc["by_contribution", "value"] == pytest.approx((3.5 + 7.5 + 8.5) / 9 / 3)
    assert found.n_patients == 2


def test_insertion_goes_from_the_background_to_the_patient():
    class Product(Slopes):
        def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
            return X.iloc[:, 0].to_numpy() * X.iloc[:, 1].to_numpy() + X.to_numpy() @ self.slopes

    X = _patients([2, 3, 1, 9])
    explanation = _explanation(X, 3, 1, 1, 0)
    # 6, 3, 1 are claimed: inserting goes 0, 0, 6, 7; deleting 7, 1, 1, 0.
    inserted = _curve(Product(0, 0, 1, 0), explanation, insertion=True)
    np.testing.assert_allclose(inserted.table["by_contribution"], [0, 0, 6 / 7, 1])
    assert inserted.table.index.name == "inserted"
    np.testing.assert_allclose(_curve(Product(0, 0, 1, 0), explanation).table["by_contribution"], [0, 6 / 7, 6 / 7, 1])


def test_features_without_contributions_are_not_counted():
    found = _curve(Slopes(1, 2, 3, 0), _explanation(_patients([1, 1, 1, 9]), 1, 2, 3, 0))
    assert found.table.index.tolist() == [0, 1, 2, 3]


def test_at_random_a_linear_model_goes_straight():
    X = _patients([1, 2, 3, 4])
    found = _curve(Slopes(1, 1, 1, 1), _explanation(X, 1, 1, 1, 1), n_orders=2000, n_resamples=2)
    np.testing.assert_allclose(found.table["at_random"], np.linspace(0, 1, 5), atol=0.02)
    assert found.areas.loc["at_random", "value"] == pytest.approx(0.5, abs=0.01)


def test_an_explanation_that_names_the_wrong_features_is_found_out():
    X = _patients(*np.random.default_rng(0).normal(2.0, 0.3, (40, 4)))
    model = Slopes(8, 4, 2, 1)
    right = _curve(model, _explanation(X, 8, 4, 2, 1)).areas
    wrong = _curve(model, _explanation(X, 1, 2, 4, 8)).areas
    assert right.loc["difference", "low"] > 0
    assert wrong.loc["difference", "high"] < 0
    assert (right["low"] <= right["value"]).all() and (right["value"] <= right["high"]).all()


def test_several_background_patients_stand_in_on_average():
    class Squares(Slopes):
        def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
            return X.to_numpy() ** 2 @ self.slopes

    usual = _patients([1, 0, 0, 0], [3, 0, 0, 0])
    X = _patients([4, 2, 0, 0])
    found = _curve(Squares(1, 1, 0, 0), _explanation(X, 4, 1, 0, 0), usual)
    # 16 and 4: the first goes to the mean of 1 and 9, the second to 0.
    np.testing.assert_allclose(found.table["by_contribution"], [0, 11 / 15, 1])


def test_the_same_seed_and_any_chunks_give_the_same_curve(monkeypatch):
    import importlib

    X = _patients(*np.random.default_rng(1).normal(size=(7, 4)))
    arguments = (Slopes(1, 2, 3, 4), _explanation(X, 1, 2, 3, 4), X.iloc[:3])
    first = _curve(*arguments, seed=4)
    monkeypatch.setattr(importlib.import_module("nbrelapse.explanation.deletion_curve"), "_ROWS", 7)
    second = _curve(*arguments, seed=4)
    pd.testing.assert_frame_equal(first.table, second.table)
    assert not first.table["at_random"].equals(_curve(*arguments, seed=5).table["at_random"])


def test_trees_end_at_the_background_of_their_own_explanation(training):
    X, y = training
    model = BoostedCox(n_estimators=20).fit(X, y)
    found = deletion_curve(model, explain(model, X.iloc[:60], load_catalogue(), background=X.iloc[100:110]))
    ends = found.table.loc[[0, len(found.table) - 1], ["by_contribution", "at_random"]].to_numpy()
    np.testing.assert_allclose(ends, [[0, 0], [1, 1]], atol=1e-6)
    assert found.areas.loc["difference", "low"] > 0


def test_what_has_no_curve_is_refused():
    X = _patients([1, 1, 1, 1])
    model, explanation = Slopes(1, 2, 3, 0), _explanation(X, 1, 2, 3, 0)
    with pytest.raises(InputError, match="without one"):
        _curve(model, explanation, None)
    with pytest.raises(InputError, match="probabilities"):
        _curve(model, replace(explanation, scale="probability"))
    with pytest.raises(InputError, match="no feature contributes"):
        _curve(model, _explanation(X, 0, 0, 0, 0))
    with pytest.raises(InputError, match="differs from the background"):
        _curve(model, explanation, X)
