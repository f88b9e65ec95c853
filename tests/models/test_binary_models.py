"""Logistic regression and boosted classifier: parity, calibration, attributions, saving, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from nbrelapse.errors import InputError
from nbrelapse.models.base import ModelState
from nbrelapse.models.binary import BinaryModel
from nbrelapse.models.clinical import ClinicalLogistic
from nbrelapse.models.families import BINARY_FAMILIES, clinical_baselines, create_model, model_from_state
from nbrelapse.models.hazards import log_likelihood
from nbrelapse.models.logistic import Logistic
from nbrelapse.models.trees import BoostedClassifier

MODELS: list[Callable[[], BinaryModel]] = [
    lambda: Logistic(penalty=0.05),
    lambda: BoostedClassifier(n_estimators=30),
    lambda: ClinicalLogistic(["a", "b"]),
]


def drawn(n: int = 240, seed: int = 0, missing: float = 0.0) -> tuple[pd.DataFrame, np.ndarray]:
    """`a` raises the odds, `b` lowers them, `c` and `d` say nothing; `a` is partly unknown."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"), index=[f"p{i}" for i in range(n)])
    X["b"] = (X["b"] > 0).astype(float)
    y = (rng.random(n) < expit(1.2 * X["a"] - 1.0 * X["b"] - 0.3).to_numpy()).astype(np.int8)
    X.loc[rng.random(n) < missing, "a"] = np.nan
    return X, y


def test_without_penalty_and_calibration_it_is_maximum_likelihood():
    X, y = drawn()
    model = Logistic(penalty=1e-7, calibration_folds=0).fit(X, y)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(model.coefficients_, peer.coef_[0], atol=1e-3)
    np.testing.assert_allclose(model.predict_probability(X), peer.predict_proba(X)[:, 1], atol=1e-3)


def test_a_penalty_of_one_is_the_smallest_that_selects_nothing():
    X, y = drawn()
    assert not Logistic(penalty=1.001, l1_ratio=1.0).fit(X, y).coefficients_.any()
    assert Logistic(penalty=0.95, l1_ratio=1.0, calibration_folds=0).fit(X, y).coefficients_.any()


@pytest.mark.parametrize("make", MODELS)
def test_attributions_add_up_to_the_calibrated_log_odds(make):
    X, y = drawn(missing=0.2)
    model = make().fit(X, y)
    attribution = model.attribute(X)
    total = attribution.baseline + attribution.values.sum(axis=1)
    np.testing.assert_allclose(total, model.predict_log_risk(X), atol=1e-6)
    np.testing.assert_array_equal(model.predict_probability(X), expit(model.predict_log_risk(X)))


@pytest.mark.parametrize("make", MODELS)
def test_a_saved_model_predicts_to_the_last_bit(make):
    X, y = drawn(missing=0.2)
    model = make().fit(X, y)
    state = model.state()
    again = model_from_state(ModelState(json.loads(json.dumps(state.document)), state.blobs))
    np.testing.assert_array_equal(again.predict_log_risk(X), model.predict_log_risk(X))
    pd.testing.assert_frame_equal(again.attribute(X).values, model.attribute(X).values)
    assert again.state().document == state.document


@pytest.mark.parametrize("make", MODELS)
def test_the_order_of_the_patients_does_not_matter(make):
    X, y = drawn(missing=0.2)
    shuffled = np.random.default_rng(1).permutation(len(y))
    first, second = make().fit(X, y), make().fit(X.iloc[shuffled], y[shuffled])
    np.testing.assert_array_equal(first.predict_log_risk(X), second.predict_log_risk(X))


def test_calibration_shrinks_log_odds_that_are_too_extreme():
    X, y = drawn(150)
    raw = BoostedClassifier(n_estimators=300, learning_rate=0.3, max_depth=3, min_child_weight=1.0)
    intercept, slope = raw.fit(X, y).calibration_
    assert 0 < slope < 0.8
    uncalibrated = clone(raw).set_params(calibration_folds=0).fit(X, y)
    assert uncalibrated.calibration_ == (0.0, 1.0)
    np.testing.assert_allclose(
        raw.predict_log_risk(X), intercept + slope * uncalibrated.predict_log_risk(X), atol=1e-12
    )
    fresh, outcome = drawn(5000, seed=9)
    loss = [-np.mean(np.log(np.where(outcome == 1, p, 1 - p))) for p in map(_probability(fresh), (raw, uncalibrated))]
    assert loss[0] < loss[1]


def _probability(X: pd.DataFrame) -> Callable[[BinaryModel], np.ndarray]:
    return lambda model: model.predict_probability(X)


def test_with_few_of_a_class_the_log_odds_stay_as_fitted():
    X, y = drawn(60)
    y[:] = 0
    y[:9] = 1
    assert Logistic().fit(X, y).calibration_ == (0.0, 1.0)


def test_repeated_patients_stand_on_one_side_of_the_calibration():
    """Copies of a patient in training and calibration would make an overfitted model look calibrated."""
    X, y = drawn(120)
    rows = np.repeat(np.arange(120), 3)
    model = BoostedClassifier(n_estimators=300, learning_rate=0.3, max_depth=3, min_child_weight=1.0)
    assert model.fit(X.iloc[rows], y[rows]).calibration_[1] < 0.8


def test_the_catalogues_directions_are_kept():
    X, y = drawn()
    model = BoostedClassifier(directions={"a": -1, "b": -1}).fit(X, y)
    line = pd.DataFrame(0.0, index=range(50), columns=list("abcd")).assign(a=np.linspace(-3, 3, 50))
    assert (np.diff(model.predict_log_risk(line)) <= 0).all()


def test_a_separated_outcome_gives_finite_probabilities():
    X = pd.DataFrame({"a": np.repeat([0.0, 1.0], 40), "b": np.tile([0.0, 1.0], 40)})
    y = X["a"].to_numpy().astype(np.int8)
    for model in (Logistic(penalty=0.01), BoostedClassifier(), ClinicalLogistic(["a"])):
        probability = model.fit(X, y).predict_probability(X)
        assert np.isfinite(model.predict_log_risk(X)).all()
        assert probability[y == 0].max() < 0.2 and probability[y == 1].min() > 0.8


def test_constant_and_unknown_features_do_nothing():
    X, y = drawn()
    X = X.assign(constant=1.0, unknown=np.nan)
    model = Logistic(penalty=0.05).fit(X, y)
    assert model.unused_ == ["constant", "unknown"]
    nothing = pd.DataFrame({"constant": np.ones(100), "unknown": np.nan})
    y = np.repeat([0, 1], [70, 30]).astype(np.int8)
    alone = Logistic().fit(nothing, y)
    np.testing.assert_allclose(alone.predict_probability(nothing), 0.3, atol=0.01)
    np.testing.assert_allclose(BoostedClassifier().fit(nothing, y).predict_probability(nothing), 0.3, atol=0.01)


@pytest.mark.parametrize(("value", "problem"), [(0, "too few events"), (1, "without the event")])
def test_one_class_alone_cannot_be_fitted(value, problem):
    X, y = drawn()
    y[:] = value
    for name in BINARY_FAMILIES:
        with pytest.raises(InputError, match=problem):
            create_model(name, binary=True).fit(X, y)


def test_a_model_of_the_other_kind_is_refused():
    with pytest.raises(InputError, match="no model named 'cox' for a binary endpoint"):
        create_model("cox", binary=True)
    with pytest.raises(InputError, match="no model named 'logistic' for a time to an event"):
        create_model("logistic")


def test_the_clinical_baselines_have_the_same_groups_for_both_kinds():
    survival, binary = clinical_baselines(binary=False), clinical_baselines(binary=True)
    assert survival[:3] == binary[:3]
    assert create_model(survival[3]).columns == create_model(binary[3], binary=True).columns


def test_the_path_of_the_fit_ends_at_the_model_before_its_calibration():
    X, y = drawn(missing=0.1)
    model = BoostedClassifier(n_estimators=30, calibration_folds=0).fit(X, y)
    path = model.training_path(X, y)
    null = log_likelihood(y, np.full(len(y), logit(y.mean())))
    assert len(path) == 30
    assert path[-1] == pytest.approx(1 - log_likelihood(y, model.predict_log_risk(X)) / null, abs=1e-5)
    assert 0 < path[0] < path[-1]
    calibrated = BoostedClassifier(n_estimators=30).fit(X, y)
    np.testing.assert_array_equal(calibrated.training_path(X, y), path)
    assert not len(Logistic(penalty=0.05).fit(X, y).training_path(X, y))
