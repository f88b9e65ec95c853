from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.models.cox import CoxElasticNet
from nbrelapse.validation.discrimination import discrimination
from nbrelapse.validation.learning_curve import learning_curve
from nbrelapse.validation.nested import nested_cross_validation

SETTINGS = {
    "n_repeats": 1,
    "n_folds": 3,
    "n_inner_folds": 2,
    "n_trials": 2,
    "seed": 1,
    "times": np.array([200.0, 400.0]),
}


@pytest.fixture
def data(outcome):
    y, risk = outcome(240, 12)
    noise = np.random.default_rng(12).normal(size=(240, 5))
    return pd.DataFrame(np.column_stack([risk, noise]), columns=list("xabcde")), y


def test_the_last_point_is_the_nested_cross_validation(data):
    X, y = data
    told = []
    found = learning_curve(
        "cox", CoxElasticNet(), X, y, **SETTINGS, n_bootstrap=100, progress=lambda *step: told.append(step)
    )
    nested = nested_cross_validation({"cox": CoxElasticNet()}, X, y, **SETTINGS)["cox"]
    assert found.table["value"].iloc[-1] == pytest.approx(discrimination(y, nested), abs=1e-12)
    assert found.table["patients"].tolist() == pytest.approx([40, 80, 120, 160], abs=1.5)
    assert found.table["events"].is_monotonic_increasing
    assert found.table["step"].iloc[1:].tolist() == pytest.approx(np.diff(found.table["value"]).tolist())
    assert np.isnan(found.table["step"].iloc[0])
    assert (found.table["low"] <= found.table["value"]).all() and (found.table["value"] <= found.table["high"]).all()
    assert told[-1] == (12, 12)
    assert found.notes == []


def test_the_gain_is_that_of_the_line_over_the_inverse_root(data):
    X, y = data
    found = learning_curve("cox", CoxElasticNet(), X, y, **SETTINGS, n_bootstrap=100)
    n = found.table["patients"].to_numpy()
    slope = np.polyfit(n**-0.5, found.table["value"], 1)[0]
    assert found.gain == pytest.approx(slope * ((2 * n[-1]) ** -0.5 - n[-1] ** -0.5))
    assert found.gain_low <= found.gain <= found.gain_high


def test_the_figures_do_not_depend_on_the_jobs(data):
    X, y = data
    one, two = (
        learning_curve("cox", CoxElasticNet(), X, y, **SETTINGS, n_jobs=jobs, n_bootstrap=100) for jobs in (1, 2)
    )
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)


def test_parts_with_too_few_events_are_left_out_with_a_note(data):
    X, y = data
    y = y.copy()
    had = np.flatnonzero(y["event"] == 1)
    y["event"][had[12:]] = 0
    found = learning_curve("cox", CoxElasticNet(), X, y, **SETTINGS, n_bootstrap=100)
    assert len(found.table) == 3
    assert found.notes == ["25% of the patients: left out, a fold has 2 events for 2 inner folds"]
