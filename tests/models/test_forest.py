from __future__ import annotations

import json

import numpy as np
import optuna
import pandas as pd
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sksurv.ensemble import RandomSurvivalForest
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from nbrelapse.errors import InputError
from nbrelapse.models.base import ModelState
from nbrelapse.models.forest import Forest, _forest_as_booster
from nbrelapse.models.hazards import partial_log_likelihood

WITH_FIXTURE = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SMALL = {"n_estimators": 50}


def peer(model: Forest, X: pd.DataFrame, y: np.ndarray) -> RandomSurvivalForest:
    """scikit-survival's own forest on the rows in the order that the model sorts them in."""
    order = np.lexsort((y["event"], *X.to_numpy().T, y["event"] != 1, y["time"]))
    forest = RandomSurvivalForest(
        model.n_estimators,
        min_samples_leaf=model.min_samples_leaf,
        min_samples_split=2 * model.min_samples_leaf,
        max_features=model.max_features,
        random_state=model.seed,
    )
    return forest.fit(X.to_numpy()[order], Surv.from_arrays(y["event"][order] == 1, y["time"][order]))


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_ranks_patients_as_the_forest_of_scikit_survival_does(simulate, missing):
    X, y, _ = simulate(150, missing=missing)
    new, outcome, _ = simulate(150, seed=1, missing=missing)
    model = Forest(**SMALL, seed=3).fit(X, y)
    score = peer(model, X, y).predict(new.to_numpy())
    log_risk = model.predict_log_risk(new)
    expected = model.slope_ * np.log(score + 1) - model.offset_
    np.testing.assert_allclose(log_risk, expected, rtol=1e-5, atol=1e-5)
    found = [concordance_index_censored(outcome["event"] == 1, outcome["time"], risk)[0] for risk in (log_risk, score)]
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_ranks_new_patients_much_as_the_truth(simulate):
    X, y, _ = simulate(500)
    new, _, truth = simulate(300, seed=1)
    forest = pd.Series(Forest(**SMALL, max_features=0.5).fit(X, y).predict_log_risk(new))
    assert forest.corr(pd.Series(truth), method="spearman") > 0.8


def test_the_log_risk_is_on_the_scale_of_a_cox_regression(simulate):
    X, y, _ = simulate(500)
    new, outcome, _ = simulate(3000, seed=1)
    risk = Forest(n_estimators=100, max_features=0.5).fit(X, y).predict_log_risk(new)
    slopes = np.array([0.5, 0.7, 1.0, 1.4, 2.0])
    likelihood = [partial_log_likelihood(outcome, slope * risk) for slope in slopes]
    assert slopes[np.argmax(likelihood)] in (0.7, 1.0, 1.4)


def test_attributions_add_up_to_the_log_risk(simulate):
    X, y, _ = simulate(missing=0.1)
    model = Forest(**SMALL).fit(X, y)
    attribution = model.attribute(X)
    log_risk = model.predict_log_risk(X)
    assert np.abs(attribution.values.to_numpy().sum(axis=1) + attribution.baseline - log_risk).max() <= 1e-12
    assert list(attribution.values) == list(X.columns)
    assert abs(log_risk.mean()) < 1e-12
    assert log_risk.std() > 0.3
    nobody = model.attribute(X[:0])
    assert (nobody.values.shape, nobody.baseline) == ((0, X.shape[1]), attribution.baseline)


def test_attributions_are_in_proportion_to_those_of_the_mortality(simulate):
    X, y, _ = simulate()
    model = Forest(**SMALL).fit(X, y)
    exact = model.booster_.predict(model._matrix(X.to_numpy()), pred_contribs=True)[:, :-1]
    share = model.attribute(X).values.to_numpy() / exact
    np.testing.assert_allclose(share, np.broadcast_to(share[:, :1], share.shape), rtol=1e-4)
    assert (share > 0).all()


def test_forests_of_one_leaf_give_everybody_the_same_risk(simulate):
    X, y, _ = simulate(30)
    model = Forest(**SMALL, min_samples_leaf=20).fit(X, y)
    np.testing.assert_allclose(model.predict_log_risk(X), np.zeros(len(X)), atol=1e-12)
    assert (model.attribute(X).values == 0).all(axis=None)
    np.testing.assert_allclose(model.predict_cumulative_incidence(X, np.array([365.0])).sum(axis=1), 1)


def test_constant_and_never_observed_features_have_no_attribution(simulate):
    X, y, _ = simulate(100)
    model = Forest(**SMALL).fit(X.assign(m__constant=1.0, m__never=np.nan), y)
    contributions = model.attribute(X.assign(m__constant=5.0, m__never=2.0)).values
    assert (contributions[["m__constant", "m__never"]] == 0).all(axis=None)
    nothing = Forest(**SMALL).fit(X * np.nan, y)
    np.testing.assert_allclose(nothing.predict_log_risk(X), np.zeros(len(X)), atol=1e-12)


def test_missingness_that_carries_risk_is_learned(simulate):
    X, y, truth = simulate(400)
    X.loc[truth > 0.5, "m__5"] = np.nan
    model = Forest(["m__5"], **SMALL, min_samples_leaf=40).fit(X, y)
    log_risk = model.predict_log_risk(X)
    assert log_risk[X["m__5"].isna()].mean() > log_risk[X["m__5"].notna()].mean() + 0.5


def test_missing_where_training_was_complete_stands_at_the_median(simulate):
    X, y, _ = simulate(100)
    model = Forest(**SMALL).fit(X, y)
    unknown, median = X.assign(m__0=np.nan), X.assign(m__0=X["m__0"].median())
    np.testing.assert_array_equal(model.predict_log_risk(unknown), model.predict_log_risk(median))


def test_a_separating_feature_and_few_events_give_finite_risks(simulate):
    X, y, _ = simulate(100)
    separated = Forest(**SMALL, max_features=1.0).fit(X.assign(m__order=-y["time"]), y)
    assert 0 < separated.slope_ <= 5
    assert np.isfinite(separated.predict_log_risk(X.assign(m__order=-y["time"]))).all()
    y["event"][np.flatnonzero(y["event"] == 1)[2:]] = 0
    y["time"][y["event"] == 1] = y["time"].max()
    few = Forest(**SMALL).fit(X, y)
    assert np.isfinite(few.predict_log_risk(X)).all()
    assert few.slope_ > 0


def test_copies_of_a_patient_do_not_vouch_for_each_other(simulate):
    rng = np.random.default_rng(0)
    X, y, _ = simulate(100, p=20)
    y = y[rng.permutation(len(y))]
    # The features say nothing, but a copy in the bag foretells its twin out of it.
    rows = np.repeat(np.arange(50), 2)
    twice = Forest(**SMALL, min_samples_leaf=2, max_features=1.0).fit(X.iloc[rows], y[rows])
    assert twice.slope_ == 1.0


@WITH_FIXTURE
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_patients_and_of_columns_does_not_change_a_bit(simulate, seed):
    X, y, _ = simulate(80, missing=0.2)
    rng = np.random.default_rng(seed)
    order, columns = rng.permutation(len(X)), rng.permutation(X.shape[1])
    one = Forest(**SMALL).fit(X, y)
    other = Forest(**SMALL).fit(X.iloc[order, columns], y[order])
    np.testing.assert_array_equal(one.predict_log_risk(X), other.predict_log_risk(X.iloc[:, columns]))


def test_the_seed_decides(simulate):
    X, y, _ = simulate(100)
    first, again, other = (Forest(**SMALL, seed=seed).fit(X, y).predict_log_risk(X) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_state_through_json_and_ubj_keeps_every_bit(simulate):
    X, y, _ = simulate(missing=0.1)
    X["m__0"] = X["m__0"].fillna(0.0)
    model = Forest(**SMALL, seed=5).fit(X, y)
    state = model.state()
    assert list(state.blobs) == ["model.ubj"]
    document = json.loads(json.dumps(state.document, allow_nan=False))
    again = Forest.from_state(ModelState(document, state.blobs))
    times = np.array([365.0, 1826.0])
    new = X.assign(m__0=np.nan)
    np.testing.assert_array_equal(again.predict_log_risk(new), model.predict_log_risk(new))
    np.testing.assert_array_equal(
        again.predict_cumulative_incidence(X, times), model.predict_cumulative_incidence(X, times)
    )
    pd.testing.assert_frame_equal(again.attribute(X).values, model.attribute(X).values)
    assert again.state() == state


def test_follows_the_contract_of_scikit_learn(simulate):
    X, y, _ = simulate(60)
    fitted = Forest(["m__0"], **SMALL, seed=7).fit(X, y)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "booster_")


def test_suggestions_are_parameters_it_can_fit_with(simulate):
    X, y, _ = simulate(60)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(3):
        model = Forest(**SMALL)
        model.set_params(**model.suggest(study.ask())).fit(X, y)
        assert np.isfinite(model.predict_log_risk(X)).all()


@pytest.mark.parametrize(
    "parameters", [{"n_estimators": 49}, {"min_samples_leaf": 0}, {"max_features": 0.0}, {"max_features": 1.5}]
)
def test_illegal_parameters_are_refused(simulate, parameters):
    X, y, _ = simulate(60)
    with pytest.raises(InputError) as error:
        Forest(**parameters).fit(X, y)
    assert error.value.column == next(iter(parameters))


def test_too_few_events_and_missing_columns_are_input_errors(simulate):
    X, y, _ = simulate(60)
    with pytest.raises(InputError) as error:
        Forest(**SMALL).fit(X, y).predict_log_risk(X.drop(columns="m__1"))
    assert error.value.column == "m__1"
    y["event"] = 0
    with pytest.raises(InputError, match="0 of 60"):
        Forest(**SMALL).fit(X, y)


NAMES = [f"m__{i}" for i in range(8)]


def cohort(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scale, with ties, missing values, and one in adjacent 32-bit floats."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(120, len(NAMES))) * 10.0 ** rng.integers(-30, 30, len(NAMES))
    values[:, 3] = np.float32(1) + rng.integers(0, 4, len(values)) * np.float32(2**-23)
    values[:, 4:] = rng.integers(0, 3, (len(values), 4))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, 7] = np.nan
    time = np.ceil(rng.exponential(10, len(values)))
    return values, Surv.from_arrays(rng.random(len(values)) < 0.5, time)


def read(values: np.ndarray) -> xgboost.DMatrix:
    return xgboost.DMatrix(values, nthread=1)


@pytest.mark.parametrize("seed", range(4))
def test_the_margin_is_the_mortality_that_scikit_survival_predicts(seed):
    values, y = cohort(seed)
    forest = RandomSurvivalForest(60, low_memory=True, random_state=seed).fit(values, y)
    booster = _forest_as_booster(forest)
    rng = np.random.default_rng(seed)
    new = np.where(rng.random(values.shape) < 0.3, np.nan, rng.permuted(values, axis=0))
    for patients in (values, new):
        margin = booster.predict(read(patients), output_margin=True)
        np.testing.assert_allclose(margin, forest.predict(patients), rtol=2e-6)
        contributions = booster.predict(read(patients), pred_contribs=True)
        np.testing.assert_allclose(contributions.sum(axis=1), margin, rtol=1e-5)


def test_a_value_at_a_threshold_goes_left_and_the_next_float_right():
    values = np.repeat([[0.0], [1.0]], 40, axis=0)
    time = np.arange(1.0, 81.0)[::-1]
    forest = RandomSurvivalForest(1, bootstrap=False, low_memory=True, max_depth=1, max_features=1.0)
    forest.fit(values, Surv.from_arrays(np.ones(80, bool), time))
    assert forest.estimators_[0].tree_.threshold[0] == 0.5
    booster = _forest_as_booster(forest)
    edge = np.float32([[0.5], [np.nextafter(np.float32(0.5), np.float32(1))], [0.0], [1.0]])
    low, high, left, right = booster.predict(xgboost.DMatrix(edge), output_margin=True)
    assert (low, high) == (left, right)
    assert low < high


def test_where_being_missing_is_all_that_tells_the_missing_go_their_own_way():
    values = np.arange(80.0)[:, None] % 7
    values[40:] = np.nan
    y = Surv.from_arrays(np.ones(80, bool), np.arange(1.0, 81.0)[::-1])
    forest = RandomSurvivalForest(1, bootstrap=False, low_memory=True, max_depth=1, max_features=1.0).fit(values, y)
    assert np.isinf(forest.estimators_[0].tree_.threshold[0])
    booster = _forest_as_booster(forest)
    margin = booster.predict(xgboost.DMatrix(values), output_margin=True)
    np.testing.assert_allclose(margin, forest.predict(values), rtol=1e-6)
    assert margin[40:].min() > margin[:40].max()


def test_contributions_start_at_the_mean_weighted_by_the_bootstrap():
    values, y = cohort(0)
    forest = RandomSurvivalForest(50, low_memory=True, random_state=0).fit(values, y)
    leaves = [tree.tree_ for tree in forest.estimators_]
    expected = np.mean(
        [
            np.average(
                tree.value[tree.children_left < 0, 0, 0], weights=tree.weighted_n_node_samples[tree.children_left < 0]
            )
            for tree in leaves
        ]
    )
    contributions = _forest_as_booster(forest).predict(read(values[:1]), pred_contribs=True)
    assert contributions[0, -1] == pytest.approx(expected, rel=1e-5)
