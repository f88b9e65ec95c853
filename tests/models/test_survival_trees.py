from __future__ import annotations

import numpy as np
import pytest
import xgboost
from sksurv.ensemble import RandomSurvivalForest
from sksurv.util import Surv

from nbrelapse.models.survival_trees import forest_as_booster

NAMES = [f"m__{i}" for i in range(8)]


def cohort(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scale, with ties, missing values, and one in adjacent 32-bit floats."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(120, len(NAMES))) * 10.0 ** rng.integers(-30, 30, len(NAMES))
    values[:, 3] = np.float32(1) + rng.integers(0, 4, len(values)) * np.float32(2**-23)
    values[:, 4:] = rng.integers(0, 3, (len(values), 4))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, 7] = np.nan
    time = np.ceil(rng.exponential(10, len(values)))
    return values, Surv.from_arrays(rng.random(len(values)) < 0.5, time)


def read(values: np.ndarray) -> xgboost.DMatrix:
    return xgboost.DMatrix(values, feature_names=NAMES, nthread=1)


@pytest.mark.parametrize("seed", range(4))
def test_the_margin_is_the_mortality_that_scikit_survival_predicts(seed):
    values, y = cohort(seed)
    forest = RandomSurvivalForest(60, low_memory=True, random_state=seed).fit(values, y)
    booster = forest_as_booster(forest, NAMES)
    rng = np.random.default_rng(seed)
    new = np.where(rng.random(values.shape) < 0.3, np.nan, rng.permuted(values, axis=0))
    for patients in (values, new):
        margin = booster.predict(read(patients), output_margin=True)
        np.testing.assert_allclose(margin, forest.predict(patients), rtol=2e-6)
        contributions = booster.predict(read(patients), pred_contribs=True)
        np.testing.assert_allclose(contributions.sum(axis=1), margin, rtol=1e-5)


def test_a_value_at_a_threshold_goes_left_and_the_next_float_right():
    values = np.repeat([[0.0], [1.0]], 40, axis=0)
    time = np.arange(1.0, 81.0)[::-1]
    forest = RandomSurvivalForest(1, bootstrap=False, low_memory=True, max_depth=1, max_features=1.0)
    forest.fit(values, Surv.from_arrays(np.ones(80, bool), time))
    assert forest.estimators_[0].tree_.threshold[0] == 0.5
    booster = forest_as_booster(forest, ["a"])
    edge = np.float32([[0.5], [np.nextafter(np.float32(0.5), np.float32(1))], [0.0], [1.0]])
    low, high, left, right = booster.predict(xgboost.DMatrix(edge, feature_names=["a"]), output_margin=True)
    assert (low, high) == (left, right)
    assert low < high


def test_where_being_missing_is_all_that_tells_the_missing_go_their_own_way():
    values = np.arange(80.0)[:, None] % 7
    values[40:] = np.nan
    y = Surv.from_arrays(np.ones(80, bool), np.arange(1.0, 81.0)[::-1])
    forest = RandomSurvivalForest(1, bootstrap=False, low_memory=True, max_depth=1, max_features=1.0).fit(values, y)
    assert np.isinf(forest.estimators_[0].tree_.threshold[0])
    booster = forest_as_booster(forest, ["a"])
    margin = booster.predict(xgboost.DMatrix(values, feature_names=["a"]), output_margin=True)
    np.testing.assert_allclose(margin, forest.predict(values), rtol=1e-6)
    assert margin[40:].min() > margin[:40].max()


def test_contributions_start_at_the_mean_weighted_by_the_bootstrap():
    values, y = cohort(0)
    forest = RandomSurvivalForest(50, low_memory=True, random_state=0).fit(values, y)
    leaves = [tree.tree_ for tree in forest.estimators_]
    expected = np.mean(
        [
            np.average(
                tree.value[tree.children_left < 0, 0, 0], weights=tree.weighted_n_node_samples[tree.children_left < 0]
            )
            for tree in leaves
        ]
    )
    contributions = forest_as_booster(forest, NAMES).predict(read(values[:1]), pred_contribs=True)
    assert contributions[0, -1] == pytest.approx(expected, rel=1e-5)
