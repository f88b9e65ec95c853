from __future__ import annotations

import json

import numpy as np
import pytest

from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.models.base import ModelState
from nbrelapse.models.boosted_prior import BoostedPrior
from nbrelapse.models.hazards import partial_log_likelihood
from nbrelapse.models.trees import Boosted

TRUTH = PriorKnowledge({"m__0": 0.8, "m__1": -0.6, "m__2": 0.4}, frozenset({"m__0", "m__1", "m__2"}))


def test_what_is_known_need_not_be_learned(simulate):
    X, y, _ = simulate(60)
    unseen, _, truth = simulate(500, seed=1)
    found = {
        model.family: np.corrcoef(model.fit(X, y).predict_log_risk(unseen), truth)[0, 1]
        for model in (BoostedPrior(prior=TRUTH, n_estimators=20), Boosted(n_estimators=20))
    }
    assert found["boosted_prior"] > found["boosted"] + 0.1


def test_without_a_prior_it_is_the_boosted_model(simulate):
    X, y, _ = simulate(100, missing=0.1)
    plain, prior = Boosted(n_estimators=10).fit(X, y), BoostedPrior(n_estimators=10).fit(X, y)
    np.testing.assert_allclose(prior.predict_log_risk(X), plain.predict_log_risk(X), atol=1e-6)


def test_attributions_add_up(simulate):
    X, y, _ = simulate(100, missing=0.1)
    model = BoostedPrior(prior=TRUTH, n_estimators=10).fit(X, y)
    found = model.attribute(X)
    np.testing.assert_allclose(found.baseline + found.values.sum(axis=1), model.predict_log_risk(X), atol=1e-5)
    assert model.predict_log_risk(X).mean() == pytest.approx(0, abs=1e-6)


def test_survives_its_state(simulate):
    X, y, _ = simulate(100)
    model = BoostedPrior(prior=TRUTH, directions={"m__0": 1}, n_estimators=10).fit(X, y)
    state = model.state()
    again = BoostedPrior.from_state(ModelState(json.loads(json.dumps(state.document)), state.blobs))
    np.testing.assert_array_equal(again.predict_log_risk(X), model.predict_log_risk(X))
    assert again.prior == TRUTH


def test_the_path_of_the_fit_starts_from_what_is_expected(simulate):
    X, y, _ = simulate(100)
    model = BoostedPrior(prior=TRUTH, n_estimators=15).fit(X, y)
    null = partial_log_likelihood(y, np.zeros(len(y)))
    path = model.training_path(X, y)
    assert len(path) == 15
    assert path[-1] == pytest.approx(1 - partial_log_likelihood(y, model.predict_log_risk(X)) / null, abs=1e-6)
    expected = 1 - partial_log_likelihood(y, model.expected_.predict_log_risk(X)) / null
    assert expected > 0.05
    assert abs(path[0] - expected) < 0.02
