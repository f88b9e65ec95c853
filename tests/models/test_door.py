"""What every family refuses, and what it takes, at its door: the same, with the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from nbrelapse.errors import InputError
from nbrelapse.models import FAMILIES, RiskModel, SurvivalModel
from nbrelapse.outcome import SURVIVAL_DTYPE, Outcome

SMALL: dict[str, dict[str, Any]] = {
    "boosted": {"n_estimators": 10},
    "boosted_prior": {"n_estimators": 10},
    "boosted_classifier": {"n_estimators": 10},
    "forest": {"n_estimators": 50},
    "blend": {"members": ("cox", "boosted"), "parameters": {"boosted": {"n_estimators": 10}}, "folds": 2},
}
TIMED = [name for name, family in FAMILIES.items() if issubclass(family, SurvivalModel)]
Change = Callable[[pd.DataFrame], pd.DataFrame]


def made(family: str, columns: Any) -> RiskModel:
    """The clinical baselines read their own columns unless told otherwise."""
    model = FAMILIES[family](**SMALL.get(family, {}))
    return model.set_params(columns=list(columns)) if family.startswith("clinical") else model


@pytest.fixture
def patients(simulate) -> tuple[pd.DataFrame, np.ndarray]:
    X, y, _ = simulate(80, p=4, missing=0.1)
    return X, y


def target(family: str, y: np.ndarray) -> np.ndarray:
    return y if family in TIMED else (y["event"] == 1).astype(np.int8)


BAD_FEATURES: dict[str, tuple[Change, str]] = {
    "infinite": (lambda X: X.assign(**dict.fromkeys(X.columns, np.inf)), "infinite feature values"),
    "minus infinity": (lambda X: X.assign(m__0=X["m__0"].where(X.index != 3, -np.inf)), "infinite feature values"),
    "beyond 32 bits": (lambda X: X * 1e300, "infinite feature values"),
    "text": (lambda X: X.assign(m__1="high"), "features that are not numbers"),
    "text of numbers": (lambda X: X.assign(m__1="1.5"), "features that are not numbers"),
    "objects": (lambda X: X.astype(object).assign(m__1=[[1]] * len(X)), "features that are not numbers"),
    "levels": (lambda X: X.assign(m__1=pd.Categorical(["a", "b"] * (len(X) // 2))), "features that are not numbers"),
    "dates": (lambda X: X.assign(m__1=pd.Timestamp("2020-01-01")), "features that are not numbers"),
    "complex": (lambda X: X.assign(m__1=1j), "features that are not numbers"),
    "a column twice": (lambda X: X.set_axis(["m__0", "m__0", "m__2", "m__3"], axis=1), "a column more than once"),
    "no column": (lambda X: X[[]], "no column to read"),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bad", BAD_FEATURES)
def test_features_that_cannot_be_read_are_refused(patients, family, bad):
    X, y = patients
    change, problem = BAD_FEATURES[bad]
    wrong = change(X)
    with pytest.raises(InputError, match=problem):
        made(family, wrong.columns).fit(wrong, target(family, y))
    if bad in ("a column twice", "no column"):
        return
    fitted = made(family, X.columns).fit(X, target(family, y))
    for ask in (fitted.predict, fitted.predict_log_risk, fitted.attribute, lambda X: fitted.attribute(patients[0], X)):
        with pytest.raises(InputError, match=problem):
            ask(wrong)


def with_time(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def changed(y: np.ndarray) -> np.ndarray:
        y = y.copy()
        y["time"][4] = value
        return y

    return changed


def with_event(change: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    def changed(y: np.ndarray) -> np.ndarray:
        y = y.copy()
        y["event"] = change(y["event"])
        return y

    return changed


BAD_OUTCOMES = {
    "a missing time": (with_time(np.nan), "illegal values in y", "time"),
    "an infinite time": (with_time(np.inf), "illegal values in y", "time"),
    "a negative time": (with_time(-5.0), "illegal values in y", "time"),
    "day 0": (with_time(0.0), "illegal values in y", "time"),
    "code 3": (with_event(lambda event: np.where(np.arange(len(event)) < 5, 3, event)), "illegal values", "event"),
    "code -1": (with_event(lambda event: np.where(event == 0, -1, event)), "illegal values", "event"),
    "R's codes": (with_event(lambda event: np.where(event == 1, 2, 1)), "1 = censored and 2 = the event", "event"),
    "no event": (with_event(lambda event: 0), "too few events", "event"),
    "one event": (with_event(lambda event: np.arange(len(event)) == 7), "too few events", "event"),
    "only competing events": (with_event(lambda event: np.where(event == 1, 2, event)), "too few events", "event"),
}


@pytest.mark.parametrize("family", TIMED)
@pytest.mark.parametrize("bad", BAD_OUTCOMES)
def test_outcomes_that_mean_something_else_are_refused(patients, family, bad):
    X, y = patients
    change, problem, column = BAD_OUTCOMES[bad]
    with pytest.raises(InputError, match=problem) as error:
        made(family, X.columns).fit(X, change(y))
    assert error.value.column == column
    assert error.value.fix


@pytest.mark.parametrize("family", FAMILIES)
def test_one_id_for_all_patients_is_refused(patients, family):
    X, y = patients
    for index in (["p"] * len(X), [0] * len(X), [None] * len(X)):
        with pytest.raises(InputError, match="all 80 rows of X have one index") as error:
            made(family, X.columns).fit(X.set_axis(index), target(family, y))
        assert "reset_index" in error.value.fix


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("patients_in_it", [2, 3, 40])
def test_rows_of_the_same_patient_are_taken(patients, family, patients_in_it):
    X, y = patients
    fitted = made(family, X.columns).fit(X.set_axis(np.arange(80) % patients_in_it), target(family, y))
    assert np.isfinite(fitted.predict_log_risk(X)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_all_events_are_taken_where_there_is_a_time(patients, family):
    X, y = patients
    y["event"] = 1
    if family in TIMED:
        assert np.isfinite(made(family, X.columns).fit(X, y).predict_log_risk(X)).all()
        return
    with pytest.raises(InputError, match="too few patients without the event"):
        made(family, X.columns).fit(X, target(family, y))


@pytest.mark.parametrize("family", TIMED)
def test_an_outcome_says_what_its_codes_are_even_where_nobody_was_censored(patients, family):
    X, y = patients
    y["event"] = np.where(y["event"] == 1, 1, 2)
    taken = made(family, X.columns).fit(X, Outcome("relapse", X.index, y))
    assert np.isfinite(taken.predict_log_risk(X)).all()
    assert not taken._of_part


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_patients_are_refused(patients, family, rows):
    X, y = patients
    with pytest.raises(InputError):
        made(family, X.columns).fit(X[:rows], target(family, y)[:rows])


@pytest.mark.parametrize("family", FAMILIES)
def test_nobody_is_predicted_as_nobody(patients, family):
    X, y = patients
    fitted = made(family, X.columns).fit(X, target(family, y))
    risk, probability = fitted.predict_risk(X[:0], np.array([100.0, 900.0]))
    assert (risk.shape, probability.shape) == ((0,), (0, 2))
    assert fitted.attribute(X[:0]).values.shape == (0, 4)
    assert fitted.attribute(X[:0], X).values.shape == (0, 4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "names",
    [
        ["a<b", "c[1]", "d]", "e,f"],
        ["", " ", "f0", "f1"],
        [0, 1, 2, 3],
        [("a", 1), ("a", 2), ("b", 1), ("b", 2)],
        [1, "1", 2.5, "two\nlines"],
        ["é", "ü<", "x\t", "z" * 300],
    ],
    ids=str,
)
def test_columns_may_have_any_name(patients, family, names):
    X, y = patients
    named = X.copy()
    index = pd.Index(names, tupleize_cols=False)
    named.columns = index
    fitted = made(family, names).fit(named, target(family, y))
    assert set(fitted.feature_names_in_) == set(names)
    predicted = fitted.predict_log_risk(named)
    assert np.isfinite(predicted).all()
    for background in (None, named[:20]):
        found = fitted.attribute(named[:5], background)
        assert list(found.values.columns) == list(fitted.feature_names_in_)
        np.testing.assert_allclose(found.baseline + found.values.sum(axis=1), predicted[:5], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_before_the_fit_nothing_is_predicted(patients, family):
    X, _ = patients
    model = made(family, X.columns)
    for ask in (model.predict, model.predict_log_risk, model.attribute, lambda X: model.predict_risk(X, [1.0])):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            ask(X)
        with pytest.raises(NotFittedError):
            ask(X.to_numpy())


@pytest.mark.parametrize("family", FAMILIES)
def test_unknown_values_arrays_and_other_types_of_numbers_are_taken(patients, family):
    X, y = patients
    X = X.set_axis(["x0", "x1", "x2", "x3"], axis=1)
    expected = made(family, X.columns).fit(X, target(family, y)).predict_log_risk(X)
    of_array = made(family, X.columns).fit(X.to_numpy(), target(family, y))
    np.testing.assert_array_equal(of_array.predict_log_risk(X.to_numpy()), expected)
    for other in (X.astype("Float64"), X.astype(object), X.astype(object).where(X.notna(), None)):
        again = made(family, X.columns).fit(other, target(family, y))
        np.testing.assert_array_equal(again.predict_log_risk(other), expected)


def test_a_fold_without_a_censored_patient_is_no_coding_of_another_package(simulate):
    from nbrelapse.models import bootstrap_refits, fold_refits, refit

    X, y, _ = simulate(60)
    y["event"] = np.where(y["event"] == 1, 1, 2)
    y["event"][0] = 0
    model = made("cox", X.columns)
    model.fit(X, y)
    assert len(fold_refits(model, X, y, n_folds=5)) == 5
    assert len(bootstrap_refits(model, X, y, n_refits=3, seed=0)) == 3
    assert refit(model, X, y, np.arange(1, 60)).n_features_in_ == 6
    blend = made("blend", X.columns).fit(X, y)
    assert sum(blend.weights_.values()) == pytest.approx(1)
    with pytest.raises(InputError, match="R codes"):
        model.fit(X[1:], y[1:])


@pytest.mark.parametrize(
    "dtype", [SURVIVAL_DTYPE, [("status", "i8"), ("days", "f4")], [("time", "f8"), ("event", "u1")]], ids=str
)
def test_r_codes_are_known_whatever_the_fields_are_called(patients, dtype):
    X, y = patients
    other = np.zeros(len(y), dtype=dtype)
    event, time = sorted(other.dtype.names, key=lambda name: name in ("days", "time"))
    other[event], other[time] = np.where(y["event"] == 1, 2, 1), y["time"]
    with pytest.raises(InputError, match="R codes 1 = censored"):
        made("cox", X.columns).fit(X, other)
    other[event] -= 1
    assert made("cox", X.columns).fit(X, other).n_features_in_ == 4
