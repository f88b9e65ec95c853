from __future__ import annotations

import json

import numpy as np
import pytest

from nbrelapse.models.families import SURVIVAL_FAMILIES, create_model, model_from_state
from nbrelapse.models.risk_model import ModelState

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
