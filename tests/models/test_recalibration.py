from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.explanation import explain, to_probability
from nbrelapse.models import (
    RISK_GROUP,
    Blend,
    Boosted,
    BoostedClassifier,
    ClinicalCox,
    Cox,
    CoxPrior,
    Forest,
    Logistic,
    ModelState,
    bootstrap_refits,
    model_from_state,
    prior_of_model,
    recalibrated,
)
from nbrelapse.models.base import _inner_folds
from nbrelapse.models.design import _training_order
from nbrelapse.models.recalibration import _group_of, _GroupMaps
from nbrelapse.validation.tuning import tune

TIMED = {
    "cox": Cox,
    "cox_prior": CoxPrior,
    "boosted": lambda: Boosted(n_estimators=15),
    "forest": lambda: Forest(n_estimators=50),
    "blend": lambda: Blend(members=("cox", "boosted"), parameters={"boosted": {"n_estimators": 15}}, folds=2),
}
BINARY = {"logistic": Logistic, "boosted_classifier": lambda: BoostedClassifier(n_estimators=15)}
TIMES = np.array([365.0, 1826.0])


@pytest.fixture
def grouped(simulate):
    """A cohort in whose high-risk group, a third, the features say nothing; the group of a few is not known."""
    X, y, _ = simulate(300)
    group = np.where(np.arange(300) % 3 == 0, 2.0, 0.5)
    rng = np.random.default_rng(1)
    high = group == 2
    relapse, followed = rng.exponential(400, high.sum()), rng.uniform(200, 4000, high.sum())
    y["time"][high], y["event"][high] = np.ceil(np.minimum(relapse, followed)), relapse <= followed
    group[-20:] = np.nan
    return X.assign(**{RISK_GROUP: group}), y


def outcome_of(name: str, y: np.ndarray) -> np.ndarray:
    return (y["event"] == 1).astype(np.int8) if name in BINARY else y


def test_the_lines_are_learned_on_log_risks_of_patients_left_out_and_shrink(grouped):
    X, y = grouped
    model = recalibrated(Cox(penalty=0.01)).fit(X, y)
    order = _training_order(X, y, None)
    X, y = X.iloc[order], y[order]
    read, left_out = X.drop(columns=RISK_GROUP), np.empty(len(y))
    for train, test in _inner_folds(X.index, (y["event"] == 1).astype(int), 5):
        left_out[test] = Cox(penalty=0.01).fit(read.iloc[train], y[train]).predict_log_risk(read.iloc[test])
    expected = _GroupMaps.learn(y, left_out, _group_of(X))
    np.testing.assert_allclose(model.recalibration_.slopes, expected.slopes, atol=1e-12)
    steps = model.baseline_.fit(y, model.recalibration_.apply(left_out, _group_of(X)))
    np.testing.assert_allclose(model.baseline_.event_step, steps.event_step, rtol=1e-12)
    high, other, pooled = expected.slopes
    assert 0 <= high < pooled < other
    assert expected.intercepts[0] > 0 > expected.intercepts[1]


def test_where_all_groups_are_alike_the_log_risks_stay_nearly_as_they_are(simulate):
    _, y, truth = simulate(2000, competing=False)
    groups = np.arange(2000) % 2
    maps = _GroupMaps.learn(y, truth, groups)
    np.testing.assert_allclose(maps.slopes, 1, atol=0.12)
    np.testing.assert_allclose(maps.intercepts, 0, atol=0.12)


def test_no_slope_is_below_zero(simulate):
    _, y, truth = simulate(2000, competing=False)
    maps = _GroupMaps.learn(y, np.where(np.arange(2000) % 2, truth, -truth), np.arange(2000) % 2)
    assert maps.slopes[0] == 0 < maps.slopes[1]


@pytest.mark.parametrize("name", [*TIMED, *BINARY])
def test_every_family_is_recalibrated_explained_and_saved(name, grouped):
    X, y = grouped
    y = outcome_of(name, y)
    model = recalibrated({**TIMED, **BINARY}[name]()).fit(X, y)
    assert model.family == name
    plain, groups = model.plain.predict_log_risk(X), _group_of(X)
    log_risk = model.predict_log_risk(X)
    np.testing.assert_allclose(log_risk, model.recalibration_.apply(plain, groups), atol=1e-12)
    if name in TIMED:
        assert abs(log_risk.mean()) < 1e-12
    for background in (None, X.iloc[:40]):
        found = model.attribute(X, background)
        assert np.abs(found.baseline + found.values.sum(axis=1).to_numpy() - log_risk).max() < 1e-5
        assert list(found.values) == list(X.columns)
        own = model.plain.attribute(X, background).values
        slopes = model.recalibration_.slopes[groups]
        np.testing.assert_allclose(found.values[own.columns], own.mul(slopes, axis=0), atol=1e-12)
        assert found.values[RISK_GROUP].groupby(groups).nunique().max() <= 2
    assert model.attribute(X, X.iloc[:40]).baseline == pytest.approx(log_risk[:40].mean())
    state = model.state()
    again = model_from_state(ModelState(json.loads(json.dumps(state.document)), state.blobs))
    np.testing.assert_array_equal(again.predict_log_risk(X), log_risk)
    for before, after in zip(model.predict_risk(X, TIMES), again.predict_risk(X, TIMES), strict=True):
        np.testing.assert_array_equal(before, after)
    assert again.family == name and again.recalibration_.to_dict() == model.recalibration_.to_dict()


@pytest.mark.parametrize("name", ["cox", "boosted", "logistic"])
def test_the_order_of_patients_and_columns_does_not_matter(name, grouped):
    X, y = grouped
    y = outcome_of(name, y)
    model = recalibrated({**TIMED, **BINARY}[name]()).fit(X, y)
    order = np.random.default_rng(0).permutation(len(X))
    again = recalibrated({**TIMED, **BINARY}[name]()).fit(X.iloc[order, ::-1], y[order])
    np.testing.assert_array_equal(again.predict_log_risk(X), model.predict_log_risk(X))


def test_a_patient_of_unknown_group_has_the_line_of_all(grouped):
    X, y = grouped
    model = recalibrated(Cox()).fit(X, y)
    unknown = X.iloc[:5].assign(**{RISK_GROUP: np.nan})
    intercept, slope = model.recalibration_.intercepts[2], model.recalibration_.slopes[2]
    np.testing.assert_allclose(
        model.predict_log_risk(unknown), intercept + slope * model.plain.predict_log_risk(unknown), atol=1e-12
    )


def test_levels_of_the_recorded_risk_group():
    X = pd.DataFrame({RISK_GROUP: [2.0, 1.0, 0.5, 0.0, np.nan]})
    assert _group_of(X).tolist() == [0, 1, 1, 1, 2]


def test_too_few_events_leave_log_risks_as_they_are(grouped):
    X, y = grouped
    few = np.flatnonzero(y["event"] == 1)[:9]
    rows = np.concatenate([few, np.flatnonzero(y["event"] == 0)[:40]])
    model = recalibrated(Cox()).fit(X.iloc[rows], y[rows])
    assert model.recalibration_.slopes.tolist() == [1, 1, 1]
    np.testing.assert_allclose(
        model.predict_log_risk(X),
        Cox().fit(X.drop(columns=RISK_GROUP).iloc[rows], y[rows]).predict_log_risk(X),
        atol=1e-12,
    )


def test_columns_of_the_model_decide_what_is_read(grouped):
    X, y = grouped
    model = recalibrated(Cox(["m__0", "m__1"])).fit(X, y)
    assert list(model.feature_names_in_) == ["m__0", "m__1", RISK_GROUP]
    assert list(recalibrated(Cox()).fit(X, y).plain.feature_names_in_) == [*X.columns[:-1]]


def test_tuning_is_that_of_the_model(grouped):
    X, y = grouped
    alone = tune(Cox(), X.drop(columns=RISK_GROUP), y, n_trials=3, n_folds=3, seed=1)
    within = tune(recalibrated(Cox(list(X.columns[:-1]))), X, y, n_trials=3, n_folds=3, seed=1)
    assert within.plain.get_params()["penalty"] == alone.get_params()["penalty"]


def test_the_probability_is_explained_and_refits_are_recalibrated(grouped):
    X, y = grouped
    named = X.rename(columns=dict(zip(X.columns[:2], ["mycn__amplified", "clinical__log2_age"], strict=True)))
    named = named[["mycn__amplified", "clinical__log2_age", RISK_GROUP]]
    model = recalibrated(Cox(penalty=0.01)).fit(named, y)
    found = to_probability(explain(model, named), model, 1000.0)
    total = found.baseline + found.mechanisms.sum(axis=1)
    np.testing.assert_allclose(total, model.predict_risk(named, np.array([1000.0]))[1][:, 0], atol=1e-9)
    refitted = bootstrap_refits(model, named, y, n_refits=2, seed=0)
    assert {type(refit) for refit in refitted} == {type(model)}
    assert refitted[0].recalibration_.slopes.tolist() != refitted[1].recalibration_.slopes.tolist()


def test_what_the_model_expected_goes_on(grouped):
    X, y = grouped
    model = recalibrated(CoxPrior(prior=prior_of_model(Cox(penalty=0.01).fit(X.drop(columns=RISK_GROUP), y)))).fit(X, y)
    expected = dict(zip(model.feature_names_in_, model.expected_, strict=True))
    assert expected[RISK_GROUP] == 0 and expected["m__0"] == pytest.approx(
        dict(zip(model.plain.feature_names_in_, model.plain.expected_, strict=True))["m__0"]
    )
    assert not hasattr(recalibrated(Cox()).fit(X, y), "expected_")
    assert prior_of_model(model).log_hazards.keys() == set(X.columns[:-1])


def test_refusals(grouped):
    X, y = grouped
    with pytest.raises(InputError, match="lack the risk group"):
        recalibrated(Cox()).fit(X.drop(columns=RISK_GROUP), y)
    with pytest.raises(InputError, match="illegal folds"):
        recalibrated(Cox(), folds=1).fit(X, y)
    for other in (ClinicalCox(), recalibrated(Cox())):
        with pytest.raises(InputError, match="cannot be recalibrated"):
            recalibrated(other)
