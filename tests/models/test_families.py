from __future__ import annotations

import json

import numpy as np
import pytest

from nbrelapse.errors import InputError
from nbrelapse.models.base import ModelState
from nbrelapse.models.families import _CLINICAL_BASELINES, SURVIVAL_FAMILIES, create_model, model_from_state

NAMES = (*SURVIVAL_FAMILIES, *_CLINICAL_BASELINES)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_survives_its_state(simulate, name):
    X, y, _ = simulate(120)
    model = create_model(name, columns=list(X.columns), directions={"m__0": 1}, seed=4)
    if name in _CLINICAL_BASELINES:
        X.columns = [*model.columns, *X.columns[len(model.columns) :]]
    model.fit(X, y)
    state = model.state()
    again = model_from_state(ModelState(json.loads(json.dumps(state.document)), state.blobs))
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.predict_log_risk(X), model.predict_log_risk(X))
    assert {k: v for k, v in again.get_params().items() if k not in ("columns", "directions")} == {
        k: v for k, v in model.get_params().items() if k not in ("columns", "directions")
    }


def test_parameters_reach_the_model():
    assert create_model("cox", columns=["a"], penalty=0.3).get_params() == {
        "columns": ["a"],
        "penalty": 0.3,
        "l1_ratio": 0.5,
        "not_assayed": "mean",
        "strata": None,
    }
    boosted = create_model("boosted", directions={"a": -1}, seed=9, max_depth=1)
    assert (boosted.directions, boosted.seed, boosted.max_depth) == ({"a": -1}, 9, 1)


def test_an_unknown_model_lists_the_legal_ones():
    with pytest.raises(InputError, match="'transformer'") as error:
        create_model("transformer")
    assert error.value.expected == ", ".join(NAMES)


def test_an_unknown_parameter_lists_the_legal_ones():
    with pytest.raises(InputError) as error:
        create_model("cox", alpha=1.0)
    assert (error.value.column, error.value.expected) == ("alpha", "l1_ratio, not_assayed, penalty")


def test_a_state_of_an_unknown_family_is_refused():
    with pytest.raises(InputError, match="'transformer'"):
        model_from_state(ModelState({"family": "transformer"}))
