from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models.prior import CoxPrior, _prior_effects, prior_of_model
from nbrelapse.models.trees import Boosted

TRUTH = PriorKnowledge({"m__0": 0.8, "m__1": -0.6, "m__2": 0.4}, frozenset({"m__0", "m__1", "m__2"}))
WRONG = PriorKnowledge({"m__0": -0.8, "m__1": 0.6, "m__2": -0.4}, frozenset({"m__0", "m__1", "m__2"}))


def test_a_true_prior_is_trusted_and_a_wrong_one_is_not(simulate):
    X, y, _ = simulate(400)
    assert CoxPrior(prior=TRUTH).fit(X, y).trust_ == pytest.approx(1.0, abs=0.25)
    assert CoxPrior(prior=WRONG).fit(X, y).trust_ < 0


def test_a_true_prior_helps_where_patients_are_few(simulate):
    X, y, _ = simulate(40, 40)
    unseen, _, true = simulate(500, 40, seed=1)
    with_prior = np.corrcoef(CoxPrior(prior=TRUTH).fit(X, y).predict_log_risk(unseen), true)[0, 1]
    without = np.corrcoef(CoxPrior().fit(X, y).predict_log_risk(unseen), true)[0, 1]
    assert with_prior > without + 0.1


def test_a_wrong_prior_is_overcome_by_many_patients(simulate):
    X, y, truth = simulate(2000)
    assert np.corrcoef(CoxPrior(prior=WRONG).fit(X, y).predict_log_risk(X), truth)[0, 1] > 0.97


def test_the_order_of_rows_and_columns_changes_nothing(simulate):
    X, y, _ = simulate(80, missing=0.1)
    reference = CoxPrior(prior=TRUTH).fit(X, y)
    rows, columns = np.random.default_rng(0).permutation(80), ["m__4", "m__1", "m__0", "m__5", "m__2", "m__3"]
    shuffled = CoxPrior(prior=TRUTH).fit(X.iloc[rows], y[rows])
    np.testing.assert_allclose(shuffled.predict_log_risk(X), reference.predict_log_risk(X), atol=1e-8)
    turned = CoxPrior(prior=TRUTH).fit(X[columns], y)
    np.testing.assert_allclose(turned.predict_log_risk(X), reference.predict_log_risk(X), atol=1e-8)


def test_features_of_one_block_share_what_they_may_weigh(simulate):
    X, y, _ = simulate(150)
    X = pd.concat([X[["m__0"]]] + [X[["m__3"]].add_suffix(f"_{i}") for i in range(20)], axis=1)
    alone = CoxPrior(penalty=30.0).fit(X, y)
    blocks = dict.fromkeys(X.columns[1:], "noise")
    together = CoxPrior(prior=PriorKnowledge(blocks=blocks), penalty=30.0).fit(X, y)
    noise = X.columns[1:]
    weigh = [abs(model.attribute(X).values[noise].sum(axis=1)).mean() for model in (alone, together)]
    assert weigh[1] < weigh[0]


def test_attributions_add_up_and_missing_values_say_nothing(simulate):
    X, y, _ = simulate(120, missing=0.2)
    model = CoxPrior(prior=TRUTH).fit(X, y)
    found = model.attribute(X)
    np.testing.assert_allclose(found.baseline + found.values.sum(axis=1), model.predict_log_risk(X))
    assert (found.values.to_numpy()[X.isna().to_numpy()] == 0).all()


def test_an_indicator_lets_absence_speak(simulate):
    X, y, _ = simulate(600, missing=0.0)
    # The patients who do worse are not assayed.
    early = (y["event"] == 1) & (y["time"] < 500)
    X.loc[early, ["m__4", "m__5"]] = np.nan
    model = CoxPrior(not_assayed="indicator").fit(X, y)
    assert model.missing_effects_[4] == model.missing_effects_[5] > 0.5
    assert (model.missing_effects_[:4] == 0).all()
    found = model.attribute(X)
    np.testing.assert_allclose(found.values.sum(axis=1), model.predict_log_risk(X))
    assert model.predict_log_risk(X).mean() == pytest.approx(0, abs=1e-9)
    again = CoxPrior.from_state(model.state())
    np.testing.assert_array_equal(again.predict_log_risk(X), model.predict_log_risk(X))


def test_a_saved_model_is_updated_on_few_patients(simulate):
    X, y, truth = simulate(1000)
    large = CoxPrior(penalty=1.0).fit(X, y)
    few, outcome, _ = simulate(25, seed=5)
    updated = CoxPrior(prior=prior_of_model(large), penalty=300.0).fit(few, outcome)
    assert np.corrcoef(updated.predict_log_risk(X), truth)[0, 1] > 0.95
    np.testing.assert_allclose(updated.expected_, large.coefficients_)


def test_trees_are_no_prior(simulate):
    X, y, _ = simulate(80)
    with pytest.raises(InputError, match="boosted"):
        prior_of_model(Boosted(n_estimators=3).fit(X, y))


def test_constant_and_absent_features_are_unused(simulate):
    X, y, _ = simulate(80)
    X = X.assign(constant=1.0, absent=np.nan)
    model = CoxPrior(prior=TRUTH).fit(X, y)
    assert model.unused_ == ["constant", "absent"]
    nothing = CoxPrior(["constant", "absent"]).fit(X, y)
    assert (nothing.predict_log_risk(X) == 0).all()
    assert np.isnan(nothing.trust_)


@pytest.mark.parametrize("penalty", [0.0, -1.0, np.inf, np.nan])
def test_an_illegal_penalty_is_refused(simulate, penalty):
    X, y, _ = simulate(40)
    with pytest.raises(InputError, match="penalty"):
        CoxPrior(penalty=penalty).fit(X, y)


def test_an_illegal_choice_for_missing_values_is_refused(simulate):
    X, y, _ = simulate(40)
    with pytest.raises(InputError, match="not_assayed"):
        CoxPrior(not_assayed="zero").fit(X, y)


def test_is_cloned_with_its_prior():
    assert clone(CoxPrior(["a"], TRUTH, penalty=3.0)).get_params() == {
        "columns": ["a"],
        "prior": TRUTH,
        "penalty": 3.0,
        "not_assayed": "mean",
        "strata": None,
    }


def standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


@pytest.fixture
def independent() -> np.ndarray:
    """Three features without correlation."""
    return standardised(np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)]))


def test_independent_features_keep_their_figures_per_standard_deviation(independent):
    prior = PriorKnowledge({"a": 1.0, "b": -0.4})
    found = _prior_effects(independent, np.array([0.5, 2.0, 1.0]), ["a", "b", "c"], prior)
    np.testing.assert_allclose(found, [0.5, -0.8, 0.0], atol=1e-12)


def test_correlated_features_obey_their_marginal_effects():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=500)
    Z = standardised(np.column_stack([shared + rng.normal(size=500), shared + rng.normal(size=500)]))
    found = _prior_effects(Z, np.ones(2), ["a", "b"], PriorKnowledge({"a": 0.8, "b": 0.6}))
    np.testing.assert_allclose(np.corrcoef(Z.T) @ found, [0.8, 0.6], atol=1e-9)


def test_no_effect_is_turned_against_its_direction():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=500)
    Z = standardised(np.column_stack([shared, shared + 0.1 * rng.normal(size=500)]))
    found = _prior_effects(Z, np.ones(2), ["a", "b"], PriorKnowledge({"a": 1.0, "b": 0.1}))
    assert found[1] == 0
    assert found[0] == pytest.approx(0.55, abs=0.01)


def test_adjusted_figures_are_taken_as_they_are():
    Z = np.array([[1.0, 1.0], [-1.0, -1.0]])
    prior = PriorKnowledge({"a": 0.8, "b": 0.8}, adjusted=frozenset({"a"}))
    np.testing.assert_allclose(_prior_effects(Z, np.ones(2), ["a", "b"], prior), [0.8, 0.8])


def test_directions_are_one_index_of_blocks_that_weigh_the_same(independent):
    prior = PriorKnowledge(
        directions={"a": 1, "b": 1, "c": -1}, log_hazard_per_sd=0.9, blocks={"a": "x", "b": "x", "c": "y"}
    )
    found = _prior_effects(independent, np.ones(3), ["a", "b", "c"], prior)
    np.testing.assert_allclose(found / found[0], [1.0, 1.0, -2.0])
    assert float(np.std(independent @ found)) == pytest.approx(0.9)


def test_nothing_known_is_nothing_expected(independent):
    np.testing.assert_array_equal(_prior_effects(independent, np.ones(3), ["a", "b", "c"], PriorKnowledge()), 0.0)
