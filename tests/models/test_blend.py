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
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models.base import ModelState, _inner_folds
from nbrelapse.models.blend import Blend, _blend_weights
from nbrelapse.models.design import _training_order
from nbrelapse.models.hazards import partial_log_likelihood
from nbrelapse.models.linear import Cox
from nbrelapse.models.resamples import bootstrap_refits

WITH_FIXTURE = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TIMES = np.array([365.0, 1826.0])
SMALL = {"parameters": {"boosted": {"n_estimators": 15}}}


def test_the_log_risk_is_the_weighted_mean_of_members_fitted_alone(simulate):
    X, y, _ = simulate(missing=0.1)
    model = Blend(members=("cox", "boosted"), parameters={"cox": {"penalty": 0.3}, "boosted": {"n_estimators": 15}})
    model.fit(X, y)
    assert sum(model.weights_.values()) == pytest.approx(1)
    alone = {name: clone(member).fit(X, y).predict_log_risk(X) for name, member in model.members_.items()}
    assert model.members_["cox"].penalty == 0.3
    expected = sum(weight * alone[name] for name, weight in model.weights_.items())
    np.testing.assert_allclose(model.predict_log_risk(X), expected, atol=1e-12)
    assert abs(model.predict_log_risk(X).mean()) < 1e-12


def test_weights_and_hazards_rest_on_log_risks_of_patients_left_out(simulate):
    X, y, _ = simulate()
    model = Blend(members=("cox", "boosted"), **SMALL).fit(X, y)
    order = _training_order(X, y, None)
    X, y = X.iloc[order], y[order]
    left_out = np.empty((len(y), 2))
    for train, test in _inner_folds(X.index, (y["event"] == 1).astype(int), 5):
        for column, member in enumerate(model.members_.values()):
            left_out[test, column] = clone(member).fit(X.iloc[train], y[train]).predict_log_risk(X.iloc[test])
    weights = np.array(list(model.weights_.values()))
    np.testing.assert_allclose(weights, _blend_weights(y, left_out), atol=1e-12)
    hazard = model.baseline_.fit(y, left_out @ weights)
    np.testing.assert_allclose(model.baseline_.event_step, hazard.event_step, rtol=1e-12)


def test_the_member_that_is_right_has_most_of_the_weight(simulate):
    X, y, _ = simulate(400)
    # A linear truth, and trees of one leaf.
    model = Blend(members=("boosted", "cox"), parameters={"boosted": {"n_estimators": 5, "min_child_weight": 1e6}})
    assert model.fit(X, y).weights_["cox"] > 0.9


def test_attributions_add_up_to_the_log_risk(simulate):
    X, y, _ = simulate(missing=0.1)
    model = Blend(members=("cox", "boosted", "forest"), parameters={"forest": {"n_estimators": 50}}).fit(X, y)
    attribution, log_risk = model.attribute(X), model.predict_log_risk(X)
    assert np.abs(attribution.values.to_numpy().sum(axis=1) + attribution.baseline - log_risk).max() <= 1e-5
    assert list(attribution.values) == list(X.columns)
    parts = [weight * model.members_[name].attribute(X).values[X.columns] for name, weight in model.weights_.items()]
    np.testing.assert_allclose(attribution.values, sum(parts), atol=1e-12)


def test_too_few_events_for_weights_give_equal_ones(simulate):
    X, y, _ = simulate()
    y["event"][np.flatnonzero(y["event"] == 1)[9:]] = 0
    model = Blend(**SMALL).fit(X, y)
    np.testing.assert_allclose(list(model.weights_.values()), [1 / 3] * 3)
    assert np.isfinite(model.predict_cumulative_incidence(X, TIMES)).all()


def test_constant_never_observed_and_separating_features_are_borne(simulate):
    X, y, _ = simulate(100)
    X = X.assign(m__constant=1.0, m__never=np.nan, m__order=-y["time"])
    model = Blend(**SMALL).fit(X, y)
    assert np.isfinite(model.predict_log_risk(X)).all()
    assert (model.attribute(X).values[["m__constant", "m__never"]] == 0).all(axis=None)
    nothing = Blend(**SMALL).fit(X * np.nan, y)
    np.testing.assert_allclose(nothing.predict_log_risk(X), np.zeros(len(X)), atol=1e-6)


def test_copies_of_a_patient_stand_in_one_fold(simulate):
    X, y, _ = simulate(100, p=20)
    y = y[np.random.default_rng(0).permutation(len(y))]
    rows = np.repeat(np.arange(100), 2)
    # Deep trees know their own patients by heart; were a twin among the left out, they would seem to be right.
    greedy = {"boosted": {"n_estimators": 60, "max_depth": 6, "min_child_weight": 0.01, "reg_lambda": 0.1}}
    model = Blend(members=("cox", "boosted"), parameters={"cox": {"penalty": 3.0}, **greedy})
    assert model.fit(X.iloc[rows], y[rows]).weights_["boosted"] < 0.3


@WITH_FIXTURE
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_patients_does_not_change_a_bit(simulate, seed):
    X, y, _ = simulate(80, missing=0.2)
    order = np.random.default_rng(seed).permutation(len(X))
    one, other = Blend(**SMALL).fit(X, y), Blend(**SMALL).fit(X.iloc[order], y[order])
    np.testing.assert_array_equal(one.predict_log_risk(X), other.predict_log_risk(X))


def test_reads_its_columns_only_whatever_their_order(simulate):
    X, y, _ = simulate(80)
    model = Blend(["m__2", "m__0"], **SMALL).fit(X, y)
    assert list(model.feature_names_in_) == ["m__2", "m__0"]
    np.testing.assert_array_equal(model.predict_log_risk(X), model.predict_log_risk(X[["m__0", "m__2"]]))


def test_state_through_json_and_ubj_keeps_every_bit(simulate):
    X, y, _ = simulate(missing=0.1)
    prior = PriorKnowledge({"m__0": 0.5})
    members = ("cox", "cox_prior", "boosted", "forest")
    model = Blend(directions={"m__0": 1}, prior=prior, members=members, seed=5, not_assayed="indicator").fit(X, y)
    state = model.state()
    assert list(state.blobs) == ["boosted-model.ubj", "forest-model.ubj"]
    document = json.loads(json.dumps(state.document, allow_nan=False))
    again = Blend.from_state(ModelState(document, state.blobs))
    np.testing.assert_array_equal(again.predict_log_risk(X), model.predict_log_risk(X))
    np.testing.assert_array_equal(
        again.predict_cumulative_incidence(X, TIMES), model.predict_cumulative_incidence(X, TIMES)
    )
    pd.testing.assert_frame_equal(again.attribute(X).values, model.attribute(X).values)
    assert again.state() == state
    np.testing.assert_array_equal(clone(again).fit(X, y).predict_log_risk(X), model.predict_log_risk(X))


def test_members_are_given_what_they_share(simulate):
    prior = PriorKnowledge({"m__0": 0.5})
    parts = Blend(["m__0"], {"m__0": -1}, prior, not_assayed="indicator", seed=3).parts()
    assert list(parts) == ["cox", "cox_prior", "boosted"]
    assert parts["cox"].get_params()["not_assayed"] == "indicator"
    assert parts["cox_prior"].get_params()["prior"] == prior
    assert (parts["boosted"].directions, parts["boosted"].seed, parts["boosted"].columns) == ({"m__0": -1}, 3, ["m__0"])


def test_tuned_parts_come_back_as_parameters():
    model = Blend(members=("cox", "boosted"), seed=3)
    tuned = model.with_parts({"cox": Cox(penalty=0.7, l1_ratio=0.2), "boosted": model.parts()["boosted"]})
    assert tuned.parameters["cox"] == {"penalty": 0.7, "l1_ratio": 0.2}
    assert tuned.parts()["cox"].penalty == 0.7
    assert "seed" not in tuned.parameters["boosted"]
    assert model.suggest(optuna.create_study().ask()) == {}


def test_refits_are_the_same_with_any_number_of_jobs(simulate):
    X, y, _ = simulate(80)
    model = Blend(members=("cox", "boosted"), **SMALL)
    one, two = (bootstrap_refits(model, X, y, n_refits=2, seed=1, n_jobs=jobs) for jobs in (1, 2))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first.predict_log_risk(X), second.predict_log_risk(X))


def test_follows_the_contract_of_scikit_learn(simulate):
    X, y, _ = simulate(60)
    fitted = Blend(directions={"m__0": 1}, members=("cox",), seed=7).fit(X, y)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "members_")
    assert fitted.weights_ == {"cox": 1.0}


@pytest.mark.parametrize(
    ("parameters", "column"),
    [
        ({"members": ("cox", "oracle")}, "members"),
        ({"members": ("cox", "cox")}, "members"),
        ({"members": ()}, "members"),
        ({"parameters": {"forest": {}}}, "parameters"),
        ({"parameters": {"cox": {"alpha": 1.0}}}, "alpha"),
        ({"parameters": {"boosted": {"seed": 1}}}, "seed"),
        ({"folds": 1}, "folds"),
    ],
)
def test_illegal_parameters_are_refused(simulate, parameters, column):
    X, y, _ = simulate(60)
    with pytest.raises(InputError) as error:
        Blend(**parameters).fit(X, y)
    assert error.value.column == column


def test_too_few_events_and_missing_columns_are_input_errors(simulate):
    X, y, _ = simulate(60)
    with pytest.raises(InputError) as error:
        Blend(**SMALL).fit(X, y).predict_log_risk(X.drop(columns="m__1"))
    assert error.value.column == "m__1"
    y["event"] = 0
    with pytest.raises(InputError, match="0 of 60"):
        Blend(**SMALL).fit(X, y)


def test_no_point_of_a_fine_grid_is_better(simulate):
    _, y, truth = simulate(300)
    rng = np.random.default_rng(0)
    log_risks = truth[:, None] * [0.4, 0.6, 0.2] + rng.normal(0, 0.4, (300, 3))
    weights = _blend_weights(y, log_risks)
    reached = partial_log_likelihood(y, log_risks @ weights)
    steps = np.linspace(0, 1, 41)
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1]
    assert reached >= max(partial_log_likelihood(y, log_risks @ np.array(point)) for point in grid) - 1e-9
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0


def test_a_log_risk_that_misleads_has_no_weight(simulate):
    _, y, truth = simulate(300)
    np.testing.assert_allclose(_blend_weights(y, np.column_stack([-truth, truth]) / 2), [0, 1], atol=1e-6)


def test_log_risks_that_tell_nothing_apart_share_the_weight(simulate):
    _, y, truth = simulate(100)
    np.testing.assert_allclose(_blend_weights(y, np.column_stack([truth] * 4)), [0.25] * 4)
    np.testing.assert_allclose(_blend_weights(y, np.zeros((100, 2))), [0.5, 0.5])
    np.testing.assert_array_equal(_blend_weights(y, truth[:, None]), [1.0])
