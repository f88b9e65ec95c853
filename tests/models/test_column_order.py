"""The order of the columns changes no bit of anything a model says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models import FAMILIES, SurvivalModel, bootstrap_refits
from nbrelapse.validation import nested_cross_validation
from nbrelapse.validation.tuning import tune

TIMES = np.array([365.0, 1500.0])
NAMES = ["mycn__amplified", "b__x10", "b__x2", "alk__gain", "copy", "copy2", "Z", "constant"]
SMALL = {
    "boosted": {"n_estimators": 15},
    "boosted_prior": {"n_estimators": 15},
    "boosted_classifier": {"n_estimators": 15},
    "forest": {"n_estimators": 50, "max_features": 0.4, "min_samples_leaf": 4},
    "blend": {"members": ("cox", "cox_prior", "boosted", "forest"), "folds": 2},
}
PRIOR = PriorKnowledge(
    {"mycn__amplified": 0.9, "copy": 0.4},
    directions={"b__x2": 1, "Z": -1},
    blocks={"b__x2": "b", "b__x10": "b", "Z": "b"},
    log_hazard_per_sd=0.3,
)


def made(family):
    model = FAMILIES[family](**SMALL.get(family, {}))
    given = {"directions": {"mycn__amplified": 1, "Z": -1}, "prior": PRIOR, "not_assayed": "indicator", "seed": 3}
    if family.startswith("clinical"):
        given["columns"] = NAMES
    return model.set_params(**{name: value for name, value in given.items() if name in model.get_params(deep=False)})


@pytest.fixture(scope="module")
def patients():
    """Alike, repeated and constant columns, missing values and ties: what an order could decide."""
    rng = np.random.default_rng(5)
    n = 90
    values = rng.integers(0, 3, size=(n, len(NAMES))).astype(float) / 3
    values[:, 0] = rng.random(n) < 0.3
    values[:, 5] = values[:, 4]
    values[:, 7] = 1.0
    values[rng.random(values.shape) < 0.1] = np.nan
    risk = np.nan_to_num(values[:, :3]).sum(axis=1)
    y = np.empty(n, dtype=[("event", np.int8), ("time", float)])
    y["time"] = np.ceil(rng.exponential(1500 * np.exp(-risk)) / 90) * 90
    y["event"] = rng.choice([0, 1, 1, 2], size=n)
    return pd.DataFrame(values, columns=NAMES), y


def target(family, y):
    return y if issubclass(FAMILIES[family], SurvivalModel) else (y["event"] == 1).astype(np.int8)


def shuffled(X, order, blocks):
    """Bring other columns first; and, as tables come about in many ways, each column in memory of its own."""
    return pd.DataFrame({name: X[name].copy() for name in order}) if blocks else X[list(order)]


EXPECTED: dict[str, tuple] = {}


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(NAMES), other=st.permutations(NAMES), blocks=st.booleans())
def test_every_family_says_the_same_to_the_bit(patients, family, order, other, blocks):
    X, y = patients
    if family not in EXPECTED:
        fitted = made(family).fit(X, target(family, y))
        EXPECTED[family] = (fitted, *fitted.predict_risk(X, TIMES), fitted.attribute(X), fitted.attribute(X, X[:20]))
    first, log_risk, probability, paths, compared = EXPECTED[family]
    again = made(family).fit(shuffled(X, order, blocks), target(family, y))
    mixed = shuffled(X, other, not blocks)
    assert list(again.feature_names_in_) == (NAMES if family.startswith("clinical") else list(order))
    assert list(again.attribute(mixed).values) == list(again.feature_names_in_)
    for numbers in ("coefficients_", "means_", "medians_", "expected_"):
        if isinstance(getattr(first, numbers, None), np.ndarray):
            named = [dict(zip(each.feature_names_in_, getattr(each, numbers), strict=True)) for each in (first, again)]
            assert str(named[0]) == str({name: named[1][name] for name in named[0]})
    for model in (first, again):
        found = model.predict_risk(mixed, TIMES)
        np.testing.assert_array_equal(found[0], log_risk)
        np.testing.assert_array_equal(found[1], probability)
    for found, expected in ((again.attribute(mixed), paths), (again.attribute(mixed, mixed[:20]), compared)):
        assert found.baseline == expected.baseline
        pd.testing.assert_frame_equal(found.values[list(expected.values)], expected.values, check_exact=True)
    assert again.state() == first.state()


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend", "logistic", "boosted_classifier"])
def test_tuning_refits_and_columns_that_are_named_follow(patients, family):
    X, y = patients
    y, mixed = target(family, y), X[NAMES[::-1]]
    tuned = [tune(made(family), table, y, n_trials=2, n_folds=2, seed=1) for table in (X, mixed)]
    assert tuned[0].get_params() == tuned[1].get_params()
    refits = [bootstrap_refits(made(family), table, y, n_refits=1, seed=1)[0] for table in (X, mixed)]
    np.testing.assert_array_equal(*(each.predict_log_risk(X) for each in refits))
    named = [made(family).set_params(columns=names).fit(X, y) for names in (NAMES[:5], NAMES[4::-1])]
    np.testing.assert_array_equal(*(each.predict_log_risk(X) for each in named))


def test_cross_validation_follows(patients):
    X, y = patients
    models = {name: made(name) for name in ("cox", "boosted", "forest")}
    found = [
        nested_cross_validation(
            models, table, y, n_folds=2, n_repeats=1, n_trials=1, n_inner_folds=2, seed=0, times=TIMES
        )
        for table in (X, X[NAMES[::-1]])
    ]
    for name in models:
        one, other = (each[name] for each in found)
        np.testing.assert_array_equal(one.log_risk, other.log_risk)
        np.testing.assert_array_equal(one.incidence, other.incidence)
