from __future__ import annotations

import json

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from nbrelapse.errors import InputError
from nbrelapse.models.base import ModelState
from nbrelapse.models.linear import Cox
from nbrelapse.models.trees import Boosted

WITH_FIXTURE = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_ranks_new_patients_much_as_the_cox_model_that_is_true(simulate):
    X, y, _ = simulate(500)
    new, _, truth = simulate(300, seed=1)
    boosted = pd.Series(Boosted(n_estimators=150).fit(X, y).predict_log_risk(new))
    assert boosted.corr(pd.Series(truth), method="spearman") > 0.85
    linear = pd.Series(Cox(penalty=0.1).fit(X, y).predict_log_risk(new))
    assert boosted.corr(linear, method="spearman") > 0.85


def test_log_risk_is_monotone_in_the_expected_direction(simulate):
    X, y, _ = simulate(150)
    grid = pd.DataFrame(np.repeat(X.to_numpy()[:20], 50, axis=0), columns=X.columns)
    sweep = np.tile(np.linspace(-3, 3, 50), 20)
    parameters = {"max_depth": 3, "min_child_weight": 0.1, "n_estimators": 60}
    steps = {}
    for sign in (1, -1, 0):
        # m__4 has no effect, so that an unconstrained model wavers.
        model = Boosted(directions={"m__4": sign}, **parameters).fit(X, y)
        steps[sign] = np.diff(model.predict_log_risk(grid.assign(m__4=sweep)).reshape(20, 50), axis=1)
    assert steps[1].min() >= 0
    assert steps[1].max() > 0
    assert steps[-1].max() <= 0
    assert steps[-1].min() < 0
    assert steps[0].min() < 0 < steps[0].max()


def test_attributions_add_up_to_the_log_risk(simulate):
    X, y, _ = simulate(missing=0.1)
    model = Boosted(max_depth=3).fit(X, y)
    attribution = model.attribute(X)
    log_risk = model.predict_log_risk(X)
    assert np.abs(attribution.values.to_numpy().sum(axis=1) + attribution.baseline - log_risk).max() <= 1e-5
    assert list(attribution.values) == list(X.columns)
    assert abs(log_risk.mean()) < 1e-12
    assert log_risk.std() > 0.3


def test_a_feature_out_of_the_trees_has_no_attribution(simulate):
    X, y, _ = simulate()
    model = Boosted().fit(X.assign(m__constant=1.0, m__never=np.nan), y)
    contributions = model.attribute(X.assign(m__constant=5.0, m__never=2.0)).values
    assert (contributions[["m__constant", "m__never"]] == 0).all(axis=None)


def test_missingness_that_carries_risk_is_learned(simulate):
    X, y, truth = simulate(400)
    X.loc[truth > 0.5, "m__5"] = np.nan
    model = Boosted(["m__5"]).fit(X, y)
    log_risk = model.predict_log_risk(X)
    assert log_risk[X["m__5"].isna()].min() > log_risk[X["m__5"].notna()].max()


def test_missing_where_training_was_complete_stands_at_the_median(simulate):
    X, y, _ = simulate()
    model = Boosted().fit(X, y)
    unknown, median = X.assign(m__0=np.nan), X.assign(m__0=X["m__0"].median())
    np.testing.assert_array_equal(model.predict_log_risk(unknown), model.predict_log_risk(median))
    pd.testing.assert_frame_equal(model.attribute(unknown).values, model.attribute(median).values)


def test_a_competing_event_counts_as_censored_for_the_trees(simulate):
    X, y, _ = simulate()
    censored = y.copy()
    censored["event"][y["event"] == 2] = 0
    assert (y["event"] == 2).sum() > 10
    np.testing.assert_array_equal(
        Boosted().fit(X, y).predict_log_risk(X), Boosted().fit(X, censored).predict_log_risk(X)
    )


@WITH_FIXTURE
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_patients_does_not_change_a_bit(simulate, seed):
    X, y, _ = simulate(80, missing=0.2)
    order = np.random.default_rng(seed).permutation(len(X))
    one, other = Boosted(n_estimators=10).fit(X, y), Boosted(n_estimators=10).fit(X.iloc[order], y[order])
    np.testing.assert_array_equal(one.predict_log_risk(X), other.predict_log_risk(X))


def test_the_seed_decides(simulate):
    X, y, _ = simulate()
    first, again, other = (Boosted(seed=seed).fit(X, y).predict_log_risk(X) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_state_through_json_and_ubj_keeps_every_bit(simulate):
    X, y, _ = simulate(missing=0.1)
    X["m__0"] = X["m__0"].fillna(0.0)
    model = Boosted(directions={"m__0": 1}, max_depth=3, seed=5).fit(X, y)
    state = model.state()
    assert list(state.blobs) == ["model.ubj"]
    document = json.loads(json.dumps(state.document, allow_nan=False))
    again = Boosted.from_state(ModelState(document, state.blobs))
    times = np.array([365.0, 1826.0])
    new = X.assign(m__0=np.nan)
    np.testing.assert_array_equal(again.predict_log_risk(new), model.predict_log_risk(new))
    np.testing.assert_array_equal(
        again.predict_cumulative_incidence(X, times), model.predict_cumulative_incidence(X, times)
    )
    pd.testing.assert_frame_equal(again.attribute(X).values, model.attribute(X).values)
    assert again.state() == state


def test_follows_the_contract_of_scikit_learn(simulate):
    X, y, _ = simulate()
    fitted = Boosted(directions={"m__0": 1}, seed=7).fit(X, y)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "booster_")


def test_suggestions_are_parameters_it_can_fit_with(simulate):
    X, y, _ = simulate(60)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(3):
        model = Boosted()
        model.set_params(**model.suggest(study.ask())).fit(X, y)
        assert np.isfinite(model.predict_log_risk(X)).all()


def test_too_few_events_and_missing_columns_are_input_errors(simulate):
    X, y, _ = simulate()
    with pytest.raises(InputError) as error:
        Boosted().fit(X, y).predict_log_risk(X.drop(columns="m__1"))
    assert error.value.column == "m__1"
    y["event"] = 0
    with pytest.raises(InputError, match="0 of 200"):
        Boosted().fit(X, y)


def test_at_equal_times_the_censored_are_still_at_risk(simulate):
    X, y, _ = simulate(200)
    y["time"] = 30.0 * (np.arange(200) // 2 + 1)
    y["event"] = np.arange(200) % 2
    a_day_later = y.copy()
    a_day_later["time"][y["event"] == 0] += 1
    tied, distinct = Boosted().fit(X, y), Boosted().fit(X, a_day_later)
    np.testing.assert_array_equal(tied.predict_log_risk(X), distinct.predict_log_risk(X))


def test_ties_among_events_do_not_favour_any_value_of_a_feature():
    # Every value of the feature is there twice, once relapsed on the same day as all others, once followed on.
    X = pd.DataFrame({"m__0": np.repeat(np.linspace(-1, 1, 150), 2)})
    y = np.array([(1, 30.0), (0, 60.0)] * 150, dtype=[("event", np.int8), ("time", float)])
    differences = []
    for seed in range(10):
        log_risk = Boosted(colsample_bytree=1.0, seed=seed).fit(X, y).predict_log_risk(X)
        differences.append(log_risk[:100].mean() - log_risk[-100:].mean())
    assert abs(np.mean(differences)) < 0.15


def test_attributions_are_those_of_shap(simulate):
    shap = pytest.importorskip("shap")
    X, y, _ = simulate(missing=0.1)
    model = Boosted().fit(X, y)
    peer = shap.TreeExplainer(model.booster_)
    np.testing.assert_allclose(model.attribute(X).values, peer.shap_values(X), atol=1e-6)
    assert model.attribute(X).baseline == pytest.approx(float(peer.expected_value) - model.offset_, abs=1e-6)
