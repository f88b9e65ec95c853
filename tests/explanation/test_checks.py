from __future__ import annotations

import importlib
import itertools
import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.explanation import (
    DeletionCurve,
    Explanation,
    deletion_curve,
    direction_agreement,
    explain,
    grouped_shapley,
    roll_up_difference,
    truth_agreement,
)
from nbrelapse.explanation.checks import _ROUNDING, _settle_ties
from nbrelapse.explanation.explanation import roll_up
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.models.linear import Cox
from nbrelapse.models.trees import Boosted

MECHANISM_OF = pd.Series({"a__x": "a", "b__x": "b", "a__y": "a", "c__x": "c"})


def _table(n: int, seed: int) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(n, len(MECHANISM_OF)))
    return pd.DataFrame(values, columns=MECHANISM_OF.index, index=[f"p{row}" for row in range(n)])


def _curved(X: pd.DataFrame) -> np.ndarray:
    return np.asarray(np.sin(X["a__x"] * X["b__x"]) + X["a__y"] ** 2 * X["c__x"] + X["b__x"] * X["c__x"])


def _by_permutations(X: pd.DataFrame, background: pd.DataFrame) -> pd.DataFrame:
    """The mean over all orders in which mechanisms join, one patient and one background row at a time."""
    names = ["a", "b", "c"]
    found = pd.DataFrame(0.0, index=X.index, columns=names)
    for patient, own in X.iterrows():
        for _, usual in background.iterrows():
            for order in itertools.permutations(names):
                mixed = usual.copy()
                before = _curved(mixed.to_frame().T)[0]
                for name in order:
                    columns = MECHANISM_OF.index[name == MECHANISM_OF]
                    mixed[columns] = own[columns]
                    after = _curved(mixed.to_frame().T)[0]
                    found.loc[patient, name] += (after - before) / math.factorial(3) / len(background)
                    before = after
    return found


def test_the_values_are_those_of_all_orders_of_joining():
    X, background = _table(4, 0), _table(3, 1)
    found = grouped_shapley(_curved, X, background, MECHANISM_OF)
    pd.testing.assert_frame_equal(found, _by_permutations(X, background), rtol=0, atol=1e-12)


def test_with_a_feature_a_mechanism_they_are_those_of_shap():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        X, background = _table(5, 2), _table(6, 3)
        masker = shap.maskers.Independent(background, max_samples=len(background))
        explainer = shap.ExactExplainer(lambda rows: _curved(pd.DataFrame(rows, columns=X.columns)), masker)
        theirs = explainer(X).values
    own = pd.Series(X.columns, index=X.columns)
    np.testing.assert_allclose(grouped_shapley(_curved, X, background, own), theirs, atol=1e-9)


def test_the_values_do_not_depend_on_the_chunks(monkeypatch):
    X, background = _table(7, 4), _table(5, 5)
    whole = grouped_shapley(_curved, X, background, MECHANISM_OF)
    monkeypatch.setattr(importlib.import_module("nbrelapse.explanation.checks"), "_ROWS", 11)
    pd.testing.assert_frame_equal(grouped_shapley(_curved, X, background, MECHANISM_OF), whole, rtol=0, atol=1e-12)


def test_a_linear_model_has_the_sums_of_its_features(training):
    X, y = training
    model = Cox(penalty=0.01).fit(X, y)
    patients, background = X.iloc[:20], X.iloc[20:40]
    explained = explain(model, patients, load_catalogue(), background=background)
    found = grouped_shapley(model.predict_log_risk, patients, background, explained.mechanism_of)
    np.testing.assert_allclose(found[explained.mechanisms.columns], explained.mechanisms, atol=1e-9)


def test_where_only_pairs_of_features_interact_they_are_the_sums(training):
    X, y = training
    X = X.rename(columns={"clinical__log2_age": "instability__loss_1p"})
    patients, background = X.iloc[:20], X.iloc[20:40]
    gaps = {}
    for depth in (2, 3):
        model = Boosted(n_estimators=30, max_depth=depth, min_child_weight=1.0, colsample_bytree=1.0).fit(X, y)
        explained = explain(model, patients, load_catalogue(), background=background)
        found = grouped_shapley(model.predict_log_risk, patients, background, explained.mechanism_of)
        gaps[depth] = (found - explained.mechanisms).abs().to_numpy().max()
    assert gaps[2] < 1e-6
    assert gaps[3] > 1e-3


def test_trees_add_up_to_their_prediction(training):
    X, y = training
    model = Boosted(n_estimators=30, max_depth=3).fit(X, y)
    patients, background = X.iloc[:20], X.iloc[20:40]
    mechanism_of = explain(model, patients, load_catalogue()).mechanism_of
    found = grouped_shapley(model.predict_log_risk, patients, background, mechanism_of)
    total = model.predict_log_risk(background).mean() + found.sum(axis=1)
    np.testing.assert_allclose(total, model.predict_log_risk(patients), atol=1e-6)


def test_an_idle_mechanism_has_nothing_and_missing_values_reach_the_model():
    X, background = _table(3, 6).assign(c__x=np.nan), _table(4, 7)

    def known(rows: pd.DataFrame) -> np.ndarray:
        return np.asarray(rows["c__x"].isna() * 2.0 + rows["a__x"])

    found = grouped_shapley(known, X, background, MECHANISM_OF)
    np.testing.assert_allclose(found["b"], 0.0, atol=1e-12)
    np.testing.assert_allclose(found["c"], 2.0)


def test_nobody_has_no_values():
    assert grouped_shapley(_curved, _table(0, 0), _table(2, 1), MECHANISM_OF).shape == (0, 3)


def test_what_cannot_be_shared_out_is_refused():
    X, background = _table(3, 0), _table(2, 1)
    with pytest.raises(InputError, match="background is empty"):
        grouped_shapley(_curved, X, background.iloc[:0], MECHANISM_OF)
    with pytest.raises(InputError, match="no mechanism"):
        grouped_shapley(_curved, X, background, MECHANISM_OF.iloc[:0])
    with pytest.raises(InputError, match=r"X lacks(.|\n)*a__y"):
        grouped_shapley(_curved, X.drop(columns="a__y"), background, MECHANISM_OF)
    many = pd.Series({f"m{number}": f"m{number}" for number in range(40)})
    wide = pd.DataFrame(0.0, index=range(2), columns=many.index)
    with pytest.raises(InputError, match="1,099,511,627,776 coalitions"):
        grouped_shapley(_curved, wide, wide, many)
    with pytest.raises(NbRelapseError, match="do not add up"):
        grouped_shapley(lambda rows: _curved(rows) * len(rows), X, background, MECHANISM_OF)
    with pytest.raises(NbRelapseError, match="do not add up"):
        grouped_shapley(lambda rows: np.full(len(rows), np.nan), X, background, MECHANISM_OF)


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


PATIENTS = list("abcd")
TRUTH = pd.DataFrame(
    {
        "mycn": [1.0, 1.0, -0.5, -0.5],
        "alk": [0.0, 0.2, -0.2, np.nan],
        "p53": [0.3, -0.1, -0.1, np.nan],
    },
    index=PATIENTS,
)
FOUND = pd.DataFrame(
    {
        "alk": [0.1, 0.1, 0.1, 7.0],
        "mycn": [0.5, 1.0, -0.5, -1.0],
        "p53": [0.6, -0.2, 0.1, 9.0],
    },
    index=PATIENTS,
)


def test_each_mechanism_is_judged_among_the_patients_with_a_truth():
    table = truth_agreement(FOUND, TRUTH).mechanisms
    assert table.index.tolist() == ["mycn", "alk", "p53"]
    assert table["n_patients"].tolist() == [4, 3, 3]
    np.testing.assert_allclose(table["mean_absolute_error"], [0.25, 0.5 / 3, 0.2])
    np.testing.assert_allclose(table["true_size"], [0.75, 0.4 / 3, 0.5 / 3])
    assert table.loc["mycn", "spearman"] == pytest.approx(spearmanr(FOUND["mycn"], TRUTH["mycn"]).statistic)
    assert np.isnan(table.loc["alk", "spearman"])


def test_signs_are_judged_where_the_truth_has_one():
    table = truth_agreement(FOUND, TRUTH).mechanisms
    np.testing.assert_allclose(table["sign_accuracy"], [1.0, 1 / 2, 2 / 3])
    nothing = truth_agreement(FOUND * 0, TRUTH * 0).mechanisms
    assert nothing["sign_accuracy"].isna().all()


def test_each_patient_is_judged_over_the_known_mechanisms():
    table = truth_agreement(FOUND, TRUTH).patients
    assert table.index.tolist() == PATIENTS
    assert table["n_mechanisms"].tolist() == [3, 3, 3, 1]
    names = ["mycn", "alk", "p53"]
    for patient in "abc":
        expected = spearmanr(FOUND.loc[patient, names], TRUTH.loc[patient, names]).statistic
        assert table.loc[patient, "spearman"] == pytest.approx(expected)
    assert np.isnan(table.loc["d", "spearman"])
    assert table["leading"].tolist() == [False, True, True, True]
    assert truth_agreement(FOUND, TRUTH).leading_share == 0.75


def test_without_a_true_contribution_nothing_leads_and_silence_is_not_right():
    truth = TRUTH.mul([0, 1, 1, 1], axis=0)
    found = FOUND.mul([1, 0, 1, 1], axis=0)
    assert truth_agreement(found, truth).patients["leading"].tolist() == [pd.NA, False, True, True]
    assert np.isnan(truth_agreement(FOUND, TRUTH * 0).leading_share)


def test_tied_leading_mechanisms_are_both_right():
    truth = pd.DataFrame({"a": [1.0], "b": [-1.0], "c": [0.0]})
    for name in "ab":
        assert truth_agreement(pd.DataFrame({name: [0.4]}), truth).leading_share == 1.0


def test_rounding_makes_no_ranks_and_no_signs():
    truth = pd.DataFrame({"a": [0.0, 0.0, 1.0, 2.0]})
    noise = pd.DataFrame({"a": [1e-8, -1e-8, 0.0, 0.0]})
    found = truth_agreement(truth + noise, truth - noise)
    assert found.mechanisms.loc["a", ["spearman", "sign_accuracy"]].tolist() == pytest.approx([1.0, 1.0])


def test_a_mechanism_of_one_side_only_is_nothing_in_the_other():
    truth = TRUTH[["mycn", "alk"]].dropna()
    table = truth_agreement(FOUND.loc[truth.index, ["mycn", "p53"]], truth).mechanisms
    assert table.index.tolist() == ["mycn", "alk", "p53"]
    np.testing.assert_allclose(table.loc["alk", "mean_absolute_error"], 0.4 / 3)
    np.testing.assert_allclose(table.loc["p53", "mean_absolute_error"], 0.3)
    assert table.loc[["alk", "p53"], "spearman"].isna().all()


def test_the_truth_agrees_with_itself():
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(rng.normal(size=(30, 5)), columns=list("abcde"))
    found = truth_agreement(truth, truth)
    np.testing.assert_allclose(found.mechanisms[["spearman", "sign_accuracy"]], 1.0)
    np.testing.assert_allclose(found.patients["spearman"], 1.0)
    assert (found.leading_share, found.mechanisms["mean_absolute_error"].max()) == (1.0, 0.0)


def test_other_patients_or_none_are_refused():
    with pytest.raises(InputError, match="same patients"):
        truth_agreement(FOUND, TRUTH.iloc[::-1])
    with pytest.raises(InputError, match="without patients"):
        truth_agreement(FOUND.iloc[:0], TRUTH.iloc[:0])


NAMES = ["mycn__amplified", "instability__loss_11q", "cell_state__ntrk1_expression", "clinical__log2_age"]


class Slopes:
    """A linear model without intercept, or that claims other slopes than it has."""

    def __init__(self, *slopes: float) -> None:
        self.slopes = np.array(slopes)

    def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
        return X.to_numpy() @ self.slopes


def _deletion_curve_explanation(X: pd.DataFrame, *slopes: float) -> Explanation:
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
    found = _curve(Slopes(1, 2, 3, 0), _deletion_curve_explanation(X, 1, 2, 3, 0))
    # 6 goes by 3, 2, 1; -3 by -4 (beyond the background), then back by 1.
    np.testing.assert_allclose(found.table["by_contribution"], np.array([0, 3 + 4, 5 + 3, 6 + 3]) / 9)
    assert found.areas.loc["by_contribution", "value"] == pytest.approx((3.5 + 7.5 + 8.5) / 9 / 3)
    assert found.n_patients == 2


def test_insertion_goes_from_the_background_to_the_patient():
    class Product(Slopes):
        def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
            return X.iloc[:, 0].to_numpy() * X.iloc[:, 1].to_numpy() + X.to_numpy() @ self.slopes

    X = _patients([2, 3, 1, 9])
    explanation = _deletion_curve_explanation(X, 3, 1, 1, 0)
    # 6, 3, 1 are claimed: inserting goes 0, 0, 6, 7; deleting 7, 1, 1, 0.
    inserted = _curve(Product(0, 0, 1, 0), explanation, insertion=True)
    np.testing.assert_allclose(inserted.table["by_contribution"], [0, 0, 6 / 7, 1])
    assert inserted.table.index.name == "inserted"
    np.testing.assert_allclose(_curve(Product(0, 0, 1, 0), explanation).table["by_contribution"], [0, 6 / 7, 6 / 7, 1])


def test_features_without_contributions_are_not_counted():
    found = _curve(Slopes(1, 2, 3, 0), _deletion_curve_explanation(_patients([1, 1, 1, 9]), 1, 2, 3, 0))
    assert found.table.index.tolist() == [0, 1, 2, 3]


def test_at_random_a_linear_model_goes_straight():
    X = _patients([1, 2, 3, 4])
    found = _curve(Slopes(1, 1, 1, 1), _deletion_curve_explanation(X, 1, 1, 1, 1), n_orders=2000, n_resamples=2)
    np.testing.assert_allclose(found.table["at_random"], np.linspace(0, 1, 5), atol=0.02)
    assert found.areas.loc["at_random", "value"] == pytest.approx(0.5, abs=0.01)


def test_an_explanation_that_names_the_wrong_features_is_found_out():
    X = _patients(*np.random.default_rng(0).normal(2.0, 0.3, (40, 4)))
    model = Slopes(8, 4, 2, 1)
    right = _curve(model, _deletion_curve_explanation(X, 8, 4, 2, 1)).areas
    wrong = _curve(model, _deletion_curve_explanation(X, 1, 2, 4, 8)).areas
    assert right.loc["difference", "low"] > 0
    assert wrong.loc["difference", "high"] < 0
    assert (right["low"] <= right["value"]).all() and (right["value"] <= right["high"]).all()


def test_several_background_patients_stand_in_on_average():
    class Squares(Slopes):
        def predict_log_risk(self, X: pd.DataFrame) -> np.ndarray:
            return X.to_numpy() ** 2 @ self.slopes

    usual = _patients([1, 0, 0, 0], [3, 0, 0, 0])
    X = _patients([4, 2, 0, 0])
    found = _curve(Squares(1, 1, 0, 0), _deletion_curve_explanation(X, 4, 1, 0, 0), usual)
    # 16 and 4: the first goes to the mean of 1 and 9, the second to 0.
    np.testing.assert_allclose(found.table["by_contribution"], [0, 11 / 15, 1])


def test_the_same_seed_and_any_chunks_give_the_same_curve(monkeypatch):
    import importlib

    X = _patients(*np.random.default_rng(1).normal(size=(7, 4)))
    arguments = (Slopes(1, 2, 3, 4), _deletion_curve_explanation(X, 1, 2, 3, 4), X.iloc[:3])
    first = _curve(*arguments, seed=4)
    monkeypatch.setattr(importlib.import_module("nbrelapse.explanation.checks"), "_ROWS", 7)
    second = _curve(*arguments, seed=4)
    pd.testing.assert_frame_equal(first.table, second.table)
    assert not first.table["at_random"].equals(_curve(*arguments, seed=5).table["at_random"])


def test_trees_end_at_the_background_of_their_own_explanation(training):
    X, y = training
    model = Boosted(n_estimators=20).fit(X, y)
    found = deletion_curve(model, explain(model, X.iloc[:60], load_catalogue(), background=X.iloc[100:110]))
    ends = found.table.loc[[0, len(found.table) - 1], ["by_contribution", "at_random"]].to_numpy()
    np.testing.assert_allclose(ends, [[0, 0], [1, 1]], atol=1e-6)
    assert found.areas.loc["difference", "low"] > 0


def test_what_has_no_curve_is_refused():
    X = _patients([1, 1, 1, 1])
    model, explanation = Slopes(1, 2, 3, 0), _deletion_curve_explanation(X, 1, 2, 3, 0)
    with pytest.raises(InputError, match="without one"):
        _curve(model, explanation, None)
    with pytest.raises(InputError, match="probabilities"):
        _curve(model, replace(explanation, scale="probability"))
    with pytest.raises(InputError, match="no feature contributes"):
        _curve(model, _deletion_curve_explanation(X, 0, 0, 0, 0))
    with pytest.raises(InputError, match="differs from the background"):
        _curve(model, explanation, X)


def test_values_within_rounding_are_equal_wherever_they_lie():
    for value in (0.0, -0.25, 0.1234565):
        table = pd.DataFrame({"a": [value + 1e-9, 5.0, value, value - 1e-9, np.nan], "b": [1.0, 2.0, 3.0, 4.0, 5.0]})
        found = _settle_ties(table)
        assert found["a"].tolist()[:4] == [value - 1e-9, 5.0, value - 1e-9, value - 1e-9]
        assert np.isnan(found["a"].iloc[4])
        assert found["b"].tolist() == table["b"].tolist()


def test_values_further_apart_stay_apart():
    table = pd.DataFrame({"a": [0.0, 3 * _ROUNDING, 6 * _ROUNDING]})
    pd.testing.assert_frame_equal(_settle_ties(table), table)


def test_an_empty_table_stays_empty():
    assert _settle_ties(pd.DataFrame({"a": []}, dtype=float)).shape == (0, 1)


DIRECTIONS = {"m__as_expected": 1, "m__against": 1, "m__no_expectation": 0, "m__no_effect": -1}


@pytest.fixture
def catalogue() -> Catalogue:
    features = {
        name: FeatureDefinition(name, "m", name, "", "clinical", "continuous", "x", direction={"relapse": sign})
        for name, sign in DIRECTIONS.items()
    }
    return Catalogue("1", {"m": Mechanism("m", "M", "#123456", "", (), "")}, features)


def explanation(values: pd.DataFrame, contributions: pd.DataFrame) -> Explanation:
    mechanism_of = pd.Series("m", index=values.columns, dtype="object")
    return Explanation(
        0.0, contributions, roll_up(contributions, mechanism_of), values, contributions.sum(axis=1), mechanism_of
    )


def test_each_feature_is_judged_by_its_observed_values(catalogue: Catalogue) -> None:
    values = pd.DataFrame({name: [1.0, 2.0, 3.0, np.nan] for name in DIRECTIONS})
    contributions = pd.DataFrame(
        {
            "m__as_expected": [-0.1, 0.0, 0.1, 9.0],
            "m__against": [0.2, 0.0, -0.2, -9.5],
            "m__no_expectation": [-0.1, 0.0, 0.1, 0.0],
            "m__no_effect": [0.0, 0.0, 0.0, 0.0],
        }
    )
    found = direction_agreement(explanation(values, contributions), catalogue, "efs")
    assert list(found.index) == ["m__against", "m__as_expected", "m__no_expectation", "m__no_effect"]
    assert found["found"].to_dict() == {
        "m__against": -1, "m__as_expected": 1, "m__no_expectation": 1, "m__no_effect": 0
    }  # fmt: skip
    assert found["agrees"].to_list() == [False, True, pd.NA, pd.NA]
    assert found["correlation"].isna().to_list() == [False, False, False, True]


def test_the_correlation_is_spearmans(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(0)
    values = pd.DataFrame(rng.integers(0, 5, (60, 4)).astype(float), columns=list(DIRECTIONS))
    values = values.mask(rng.random(values.shape) < 0.2)
    contributions = pd.DataFrame(rng.normal(size=(60, 4)), columns=list(DIRECTIONS))
    found = direction_agreement(explanation(values, contributions), catalogue, "relapse")["correlation"]
    for name in DIRECTIONS:
        known = values[name].notna()
        theirs = spearmanr(values.loc[known, name], contributions.loc[known, name]).statistic
        assert found[name] == pytest.approx(theirs, abs=1e-12)
