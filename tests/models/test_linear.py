from __future__ import annotations

import json

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.nonparametric import nelson_aalen_estimator
from sksurv.util import Surv

from nbrelapse.errors import InputError
from nbrelapse.models.base import ModelState
from nbrelapse.models.linear import Cox

WITH_FIXTURE = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_all_but_unpenalised_it_is_the_cox_model_of_scikit_survival(simulate):
    X, y, _ = simulate(400)
    peer = CoxPHSurvivalAnalysis(ties="breslow").fit(X.to_numpy(), Surv.from_arrays(y["event"] == 1, y["time"]))
    model = Cox(penalty=1e-5, l1_ratio=0.1).fit(X, y)
    np.testing.assert_allclose(model.coefficients_, peer.coef_, atol=1e-3)
    assert np.abs(peer.coef_).max() > 0.5


def test_penalty_is_in_units_of_the_largest_null_score(simulate):
    X, y, _ = simulate()
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    times, hazard = nelson_aalen_estimator(y["event"] == 1, y["time"])
    residual = (y["event"] == 1) - hazard[np.searchsorted(times, y["time"])]
    unit = np.abs(Z.T @ residual).max() / len(y)
    target = Surv.from_arrays(y["event"] == 1, y["time"])
    peer = CoxnetSurvivalAnalysis(l1_ratio=0.5, alphas=[0.2 * unit], tol=1e-12).fit(Z, target)
    model = Cox(penalty=0.2, l1_ratio=0.5).fit(X, y)
    np.testing.assert_allclose(model.coefficients_ * X.std(ddof=0), peer.coef_[:, 0], atol=1e-3)


@pytest.mark.parametrize(("penalty", "selected"), [(1.001, 0), (0.98, 1)])
def test_at_penalty_one_the_lasso_selects_nothing(simulate, penalty, selected):
    X, y, _ = simulate()
    model = Cox(penalty=penalty, l1_ratio=1.0).fit(X, y)
    assert np.count_nonzero(model.coefficients_) == selected


def test_one_penalty_means_the_same_at_any_cohort_size_and_unit(simulate):
    X, y, _ = simulate()
    model = Cox(penalty=0.3).fit(X, y)
    thrice = Cox(penalty=0.3).fit(pd.concat([X] * 3, ignore_index=True), np.concatenate([y] * 3))
    np.testing.assert_allclose(thrice.coefficients_, model.coefficients_, atol=1e-4)
    rescaled = Cox(penalty=0.3).fit(X * 1000, y)
    np.testing.assert_allclose(rescaled.coefficients_ * 1000, model.coefficients_, atol=1e-8)


def test_ranks_patients_by_their_true_risk(simulate):
    X, y, _ = simulate(400)
    new, _, truth = simulate(300, seed=1)
    assert pd.Series(Cox(penalty=0.1).fit(X, y).predict_log_risk(new)).corr(pd.Series(truth)) > 0.95


def test_a_competing_event_counts_as_censored_for_the_coefficients(simulate):
    X, y, _ = simulate()
    censored = y.copy()
    censored["event"][y["event"] == 2] = 0
    model, other = Cox().fit(X, y), Cox().fit(X, censored)
    assert (y["event"] == 2).sum() > 10
    np.testing.assert_allclose(model.coefficients_, other.coefficients_, rtol=1e-12)
    assert model.predict_cumulative_incidence(X, np.array([365.0])).shape[1] == 3
    assert other.predict_cumulative_incidence(X, np.array([365.0])).shape[1] == 2


def test_attributions_are_coefficient_times_distance_from_the_mean_and_add_up(simulate):
    X, y, _ = simulate(missing=0.2)
    model = Cox().fit(X, y)
    attribution = model.attribute(X)
    expected = (X - X.mean()) * model.coefficients_
    pd.testing.assert_frame_equal(attribution.values, expected.fillna(0.0))
    log_risk = model.predict_log_risk(X)
    assert attribution.baseline == 0.0
    np.testing.assert_allclose(attribution.values.to_numpy().sum(axis=1), log_risk, atol=1e-12)
    assert abs(log_risk.mean()) < 1e-12
    assert log_risk.std() > 0.3


def test_what_was_not_assayed_is_no_evidence(simulate):
    X, y, _ = simulate(missing=0.2)
    model = Cox().fit(X, y)
    unknown = pd.DataFrame(np.nan, index=["a"], columns=X.columns)
    np.testing.assert_array_equal(model.predict_log_risk(unknown), [0.0])


def test_features_that_too_few_patients_vary_in_are_left_at_zero_and_named(simulate):
    X, y, _ = simulate()
    X["m__constant"], X["m__never"] = 1.0, np.nan
    X["m__two"], X["m__three"] = 0.0, 0.0
    X.loc[:1, "m__two"], X.loc[:2, "m__three"] = 1.0, 1.0
    model = Cox(penalty=0.001).fit(X, y)
    assert model.unused_ == ["m__constant", "m__never", "m__two"]
    contributions = model.attribute(X).values
    assert (contributions[model.unused_] == 0).all(axis=None)
    assert model.coefficients_[X.columns.get_loc("m__three")] != 0


def test_all_features_constant_gives_the_same_risk_to_all(simulate):
    X, y, _ = simulate()
    model = Cox().fit(X * 0, y)
    np.testing.assert_array_equal(model.predict_log_risk(X), np.zeros(len(X)))
    assert model.unused_ == list(X.columns)


def test_a_separating_feature_raises_the_penalty_instead_of_an_error(simulate):
    X, y, _ = simulate()
    X["m__order"] = -y["time"]
    model = Cox(penalty=1e-8, l1_ratio=1.0).fit(X, y)
    assert 1e-8 < model.penalty_ < 1
    assert np.isfinite(model.predict_log_risk(X)).all()
    assert model.coefficients_[-1] > 0
    states = model.predict_cumulative_incidence(X, np.array([365.0]))
    np.testing.assert_allclose(states.sum(axis=1), 1)


@WITH_FIXTURE
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_patients_does_not_change_a_bit(simulate, seed):
    X, y, _ = simulate(80, missing=0.2)
    order = np.random.default_rng(seed).permutation(len(X))
    one, other = Cox().fit(X, y), Cox().fit(X.iloc[order], y[order])
    np.testing.assert_array_equal(one.coefficients_, other.coefficients_)
    np.testing.assert_array_equal(one.baseline_.event_step, other.baseline_.event_step)


def test_reads_its_columns_only_whatever_their_order(simulate):
    X, y, _ = simulate()
    model = Cox(columns=["m__2", "m__0"]).fit(X, y)
    assert list(model.feature_names_in_) == ["m__2", "m__0"]
    np.testing.assert_array_equal(model.predict_log_risk(X), model.predict_log_risk(X[["m__0", "m__2"]]))


def test_state_through_json_keeps_every_bit(simulate):
    X, y, _ = simulate(missing=0.1)
    X["m__never"] = np.nan
    model = Cox(penalty=0.05, l1_ratio=0.2).fit(X, y)
    state = model.state()
    assert state.blobs == {}
    again = Cox.from_state(ModelState(json.loads(json.dumps(state.document, allow_nan=False))))
    times = np.array([365.0, 1826.0])
    np.testing.assert_array_equal(again.predict_log_risk(X), model.predict_log_risk(X))
    np.testing.assert_array_equal(
        again.predict_cumulative_incidence(X, times), model.predict_cumulative_incidence(X, times)
    )
    assert again.state() == state


def test_follows_the_contract_of_scikit_learn(simulate):
    X, y, _ = simulate()
    fitted = Cox(["m__0"], penalty=0.2, l1_ratio=0.7).fit(X, y)
    copy = clone(fitted)
    assert copy.get_params() == {
        "columns": ["m__0"],
        "penalty": 0.2,
        "l1_ratio": 0.7,
        "not_assayed": "mean",
        "strata": None,
    }
    assert not hasattr(copy, "coefficients_")


def test_suggestions_are_parameters_it_can_fit_with(simulate):
    X, y, _ = simulate(60)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(5):
        model = Cox()
        model.set_params(**model.suggest(study.ask())).fit(X, y)
        assert model.penalty_ == pytest.approx(model.penalty)


def test_too_few_events_is_an_input_error(simulate):
    X, y, _ = simulate()
    y["event"] = 0
    y["event"][0] = 1
    with pytest.raises(InputError, match="1 of 200") as error:
        Cox().fit(X, y)
    assert error.value.column == "event"


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (lambda X: X.drop(columns=["m__0", "m__3"]), "m__0, m__3"),
        (lambda X: X.assign(m__1=np.inf), "m__1"),
        (lambda X: X.assign(m__2="high"), "m__2"),
        (lambda X: pd.concat([X, X[["m__4"]]], axis=1), "m__4"),
    ],
    ids=["missing", "infinite", "text", "twice"],
)
def test_columns_that_cannot_be_read_are_named(simulate, change, column):
    X, y, _ = simulate()
    model = Cox().fit(X, y)
    with pytest.raises(InputError) as error:
        model.predict_log_risk(change(X))
    assert error.value.column == column


def test_a_pandas_missing_value_is_a_nan(simulate):
    X, y, _ = simulate()
    model = Cox().fit(X, y)
    nullable = X.astype("Float64").assign(m__0=pd.array([pd.NA] * len(X), dtype="Float64"))
    np.testing.assert_array_equal(model.predict_log_risk(nullable), model.predict_log_risk(X.assign(m__0=np.nan)))


@pytest.mark.parametrize(
    "parameters", [{"penalty": 0.0}, {"penalty": np.nan}, {"l1_ratio": 0.0}, {"l1_ratio": 1.5}, {"columns": []}]
)
def test_illegal_parameters_are_refused(simulate, parameters):
    X, y, _ = simulate()
    with pytest.raises(InputError) as error:
        Cox(**parameters).fit(X, y)
    assert error.value.column == next(iter(parameters))


def test_features_and_outcomes_of_different_patients_are_refused(simulate):
    X, y, _ = simulate()
    with pytest.raises(InputError, match="X has 200 patients and y has 199"):
        Cox().fit(X, y[1:])
