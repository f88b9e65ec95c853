from __future__ import annotations

import importlib
import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.explanation import explain, grouped_shapley
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.boosted import BoostedCox
from nbrelapse.models.cox import CoxElasticNet

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
    monkeypatch.setattr(importlib.import_module("nbrelapse.explanation.grouped_shapley"), "_ROWS", 11)
    pd.testing.assert_frame_equal(grouped_shapley(_curved, X, background, MECHANISM_OF), whole, rtol=0, atol=1e-12)


def test_a_linear_model_has_the_sums_of_its_features(training):
    X, y = training
    model = CoxElasticNet(penalty=0.01).fit(X, y)
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
        model = BoostedCox(n_estimators=30, max_depth=depth, min_child_weight=1.0, colsample_bytree=1.0).fit(X, y)
        explained = explain(model, patients, load_catalogue(), background=background)
        found = grouped_shapley(model.predict_log_risk, patients, background, explained.mechanism_of)
        gaps[depth] = (found - explained.mechanisms).abs().to_numpy().max()
    assert gaps[2] < 1e-6
    assert gaps[3] > 1e-3


def test_trees_add_up_to_their_prediction(training):
    X, y = training
    model = BoostedCox(n_estimators=30, max_depth=3).fit(X, y)
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
