from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.mechanisms.prior_knowledge import PriorKnowledge
from nbrelapse.models.prior_effects import prior_effects


def standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


@pytest.fixture
def independent() -> np.ndarray:
    """Three features without correlation."""
    return standardised(np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)]))


def test_independent_features_keep_their_figures_per_standard_deviation(independent):
    prior = PriorKnowledge({"a": 1.0, "b": -0.4})
    found = prior_effects(independent, np.array([0.5, 2.0, 1.0]), ["a", "b", "c"], prior)
    np.testing.assert_allclose(found, [0.5, -0.8, 0.0], atol=1e-12)


def test_correlated_features_obey_their_marginal_effects():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=500)
    Z = standardised(np.column_stack([shared + rng.normal(size=500), shared + rng.normal(size=500)]))
    found = prior_effects(Z, np.ones(2), ["a", "b"], PriorKnowledge({"a": 0.8, "b": 0.6}))
    np.testing.assert_allclose(np.corrcoef(Z.T) @ found, [0.8, 0.6], atol=1e-9)


def test_no_effect_is_turned_against_its_direction():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=500)
    Z = standardised(np.column_stack([shared, shared + 0.1 * rng.normal(size=500)]))
    found = prior_effects(Z, np.ones(2), ["a", "b"], PriorKnowledge({"a": 1.0, "b": 0.1}))
    assert found[1] == 0
    assert found[0] == pytest.approx(0.55, abs=0.01)


def test_adjusted_figures_are_taken_as_they_are():
    Z = np.array([[1.0, 1.0], [-1.0, -1.0]])
    prior = PriorKnowledge({"a": 0.8, "b": 0.8}, adjusted=frozenset({"a"}))
    np.testing.assert_allclose(prior_effects(Z, np.ones(2), ["a", "b"], prior), [0.8, 0.8])


def test_directions_are_one_index_of_blocks_that_weigh_the_same(independent):
    prior = PriorKnowledge(
        directions={"a": 1, "b": 1, "c": -1}, log_hazard_per_sd=0.9, blocks={"a": "x", "b": "x", "c": "y"}
    )
    found = prior_effects(independent, np.ones(3), ["a", "b", "c"], prior)
    np.testing.assert_allclose(found / found[0], [1.0, 1.0, -2.0])
    assert float(np.std(independent @ found)) == pytest.approx(0.9)


def test_nothing_known_is_nothing_expected(independent):
    np.testing.assert_array_equal(prior_effects(independent, np.ones(3), ["a", "b", "c"], PriorKnowledge()), 0.0)
