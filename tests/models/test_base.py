from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from nbrelapse.models.base import ModelState, _inner_folds
from nbrelapse.models.binary import _platt_scaling, weighted_logistic
from nbrelapse.models.families import SURVIVAL_FAMILIES, create_model, model_from_state

TIMES = np.array([365.0, 1826.0])


@pytest.mark.parametrize("family", SURVIVAL_FAMILIES)
def test_every_family_models_the_competing_event_and_keeps_it(simulate, family):
    X, y, _ = simulate(missing=0.1)
    X["m__5"] += 2.0 * (y["event"] == 2)
    model = create_model(family, directions={}).fit(X, y)
    state = model.state()
    again = model_from_state(ModelState(json.loads(json.dumps(state.document, allow_nan=False)), state.blobs))
    states = model.predict_cumulative_incidence(X, TIMES)
    np.testing.assert_array_equal(again.predict_cumulative_incidence(X, TIMES), states)
    np.testing.assert_allclose(states.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict_risk(X, TIMES)[1], states[:, 1])
    np.testing.assert_array_equal(model.predict_survival(X, TIMES), states[:, 0])
    assert states[y["event"] == 2, 2, 1].mean() > 1.1 * states[y["event"] != 2, 2, 1].mean()


@pytest.mark.parametrize("family", SURVIVAL_FAMILIES)
def test_a_tuning_trial_gives_the_same_log_risks_without_a_model_of_the_competing_event(simulate, family):
    X, y, _ = simulate(100)
    model = create_model(family, directions={})
    trial = model.for_trial().fit(X, y)
    fitted = model.fit(X, y)
    assert trial.competing_ is None
    assert fitted.competing_ is not None
    assert model.for_trial().get_params() == model.get_params()
    np.testing.assert_array_equal(trial.predict_log_risk(X), fitted.predict_log_risk(X))


def test_the_model_of_an_earlier_fit_is_forgotten(simulate):
    X, y, _ = simulate(100)
    model = create_model("cox").fit(X, y)
    y["event"][y["event"] == 2] = 0
    assert model.fit(X, y).competing_ is None


def test_it_is_logistic_regression_on_platts_targets():
    """Each patient counts as a case with the weight of his target, and as a control with the rest."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=150).round(1)
    y = (rng.random(150) < expit(0.5 * log_odds - 1)).astype(int)
    cases, controls = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (cases + 1) / (cases + 2), 1 / (controls + 2))
    peer = LogisticRegression(C=np.inf, tol=1e-12, solver="newton-cholesky").fit(
        np.tile(log_odds, 2)[:, None], np.repeat([1, 0], 150), np.concatenate([target, 1 - target])
    )
    intercept, slope = _platt_scaling(y, log_odds)
    assert (intercept, slope) == pytest.approx((peer.intercept_[0], peer.coef_[0, 0]), abs=1e-6)


def test_log_odds_that_point_the_wrong_way_give_everybody_the_same_probability():
    y = np.repeat([0, 1], 50)
    intercept, slope = _platt_scaling(y, np.linspace(2, -2, 100))
    assert (intercept, slope) == (pytest.approx(0.0), 0.0)


def test_constant_log_odds_give_the_share():
    y = np.repeat([0, 1], [80, 20])
    assert _platt_scaling(y, np.full(100, 0.3)) == (pytest.approx(logit(0.2), abs=0.05), 0.0)


def test_a_perfect_separation_has_a_finite_slope():
    _, slope = _platt_scaling(np.repeat([0, 1], 20), np.repeat([-1.0, 1.0], 20))
    assert slope == pytest.approx(logit(21 / 22), abs=1e-6)


def test_a_separated_column_is_nan_beside_one_that_is_not():
    terms = np.column_stack([np.ones(4), [0.0, 0, 1, 1]])
    weights = np.array([[1.0, 1], [1, 0], [1, 1], [1, 0]])
    found = weighted_logistic(terms, np.array([0.0, 1, 1, 0]), weights)
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-9)
    assert np.isnan(found[:, 1]).all()


@pytest.mark.parametrize("n_folds", [2, 5])
def test_everybody_is_left_out_once_with_events_in_every_fold(n_folds):
    event = (np.arange(53) % 4 == 0).astype(int)
    folds = _inner_folds(pd.RangeIndex(53), event, n_folds)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(53))
    for train, test in folds:
        assert not set(train) & set(test)
        assert event[test].sum() >= 14 // n_folds


def test_copies_of_a_patient_stay_on_one_side():
    patients = pd.Index(np.random.default_rng(0).integers(0, 40, 60))
    for train, test in _inner_folds(patients, (patients % 3 == 0).astype(int), 5):
        assert not set(patients[train]) & set(patients[test])


def test_a_class_too_small_for_the_folds_is_left_to_the_caller():
    folds = _inner_folds(pd.RangeIndex(12), np.array([1] * 10 + [0] * 2), 5)
    assert len(folds) == 5


TRIALS = {
    "cox": ({"penalty": 0.3, "l1_ratio": 0.2}, {"penalty": 0.05}),
    "boosted": ({"n_estimators": 15, "max_depth": 3}, {"n_estimators": 30, "learning_rate": 0.1, "subsample": 0.9}),
    "clinical_cox": ({},),
}


@pytest.mark.parametrize("family", TRIALS)
def test_a_prepared_fold_predicts_what_a_fresh_fit_does_whatever_was_tried_before(simulate, family):
    X, y, _ = simulate(150, missing=0.1)
    unseen, _, _ = simulate(40, seed=1, missing=0.2)
    X["m__5"] = X["m__5"].fillna(0.0)
    base = create_model(family) if family != "boosted" else create_model(family, directions={"m__0": 1})
    base.set_params(columns=["m__5", "m__0", "m__3"])
    predict = base.trial_fold(X, y, unseen)
    for parameters in (*TRIALS[family], TRIALS[family][0]):
        trial = clone(base).set_params(**parameters)
        expected = clone(trial).fit(X, y).predict_log_risk(unseen)
        np.testing.assert_array_equal(predict(trial), expected)
        assert not hasattr(trial, "feature_names_in_")
