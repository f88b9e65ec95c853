from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.models.cox import CoxElasticNet
from nbrelapse.validation.permuted_discrimination import permuted_discrimination

SETTINGS = {"n_folds": 3, "n_inner_folds": 2, "n_trials": 2, "seed": 4}


@pytest.fixture
def data(outcome):
    y, risk = outcome(150, 2, competing=True)
    noise = np.random.default_rng(2).normal(size=(150, 3))
    return pd.DataFrame(np.column_stack([risk, noise]), columns=["x", "a", "b", "c"]), y


def test_a_strong_predictor_of_the_outcome_predicts_no_permutation_of_it(data):
    X, y = data
    found = permuted_discrimination({"cox": CoxElasticNet()}, X, y, n_permutations=12, **SETTINGS)
    assert found.shape == (12, 1)
    assert abs(found["cox"].mean() - 0.5) < 0.04
    assert found["cox"].nunique() == 12


def test_the_figures_depend_neither_on_the_jobs_nor_on_how_many_follow(data):
    X, y = data
    told = []
    one = permuted_discrimination(
        {"cox": CoxElasticNet()},
        X,
        y,
        n_permutations=6,
        progress=lambda done, total: told.append((done, total)),
        **SETTINGS,
    )
    two = permuted_discrimination({"cox": CoxElasticNet()}, X, y, n_permutations=5, n_jobs=2, **SETTINGS)
    pd.testing.assert_frame_equal(one.iloc[:5], two, check_exact=True)
    assert told == [(done, 6) for done in range(1, 7)]


class Remembering(CoxElasticNet):
    """Leaks: what one fold's training was told is used for the patients of another fold."""

    seen: ClassVar[dict[object, float]] = {}

    def fit(self, X, y):
        self.seen.update(zip(X.index, y["time"], strict=True))
        return super().fit(X, y)

    def predict_log_risk(self, X):
        return np.array([-self.seen.get(patient, 1000.0) / 1000 for patient in X.index])

    def suggest(self, trial):
        return {}


def test_a_leak_between_folds_is_far_from_chance(data):
    X, y = data
    found = permuted_discrimination({"leaky": Remembering()}, X, y, n_permutations=5, **SETTINGS)
    assert (found["leaky"] > 0.6).all()


def test_too_few_permutations_or_events_are_refused(data):
    X, y = data
    with pytest.raises(InputError, match="too few permutations: 4"):
        permuted_discrimination({"cox": CoxElasticNet()}, X, y, n_permutations=4, **SETTINGS)
    rare = y.copy()
    rare["event"] = 0
    rare["event"][:2] = 1
    with pytest.raises(InputError, match="2 events are too few for 3 folds"):
        permuted_discrimination({"cox": CoxElasticNet()}, X, rare, n_permutations=5, **SETTINGS)
