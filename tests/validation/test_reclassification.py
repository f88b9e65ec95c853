from __future__ import annotations

import numpy as np
import pytest
from sksurv.nonparametric import cumulative_incidence_competing_risks

from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.reclassification import reclassification

HORIZON = 1000.0


def predict(risk):
    incidence = 1 - np.exp(-np.exp(0.8 * risk) * HORIZON / 900)
    return Predictions("m", risk[None], np.zeros((1, len(risk)), int), incidence[None, :, None], np.array([HORIZON]))


def incidence(y):
    times, found = cumulative_incidence_competing_risks(y["event"].astype(int), y["time"])
    return found[1][np.searchsorted(times, HORIZON, side="right") - 1]


@pytest.fixture
def judged(outcome):
    y, risk = outcome(400, 4, competing=True)
    generator = np.random.default_rng(0)
    fine = risk + 0.001 * generator.normal(size=400)
    return np.digitize(risk + generator.normal(size=400), [-0.5, 1.0]).astype(float), predict(fine), y


def test_model_groups_have_the_sizes_of_the_clinical_groups(judged):
    clinical, predictions, y = judged
    cells = reclassification(clinical, predictions, y, HORIZON, n_bootstrap=100).cells
    sizes = np.bincount(clinical.astype(int))
    assert cells.groupby("clinical")["n"].sum().tolist() == sizes.tolist()
    assert cells.groupby("model")["n"].sum().tolist() == sizes.tolist()
    corner = cells.query("clinical == 1 and model == 2").iloc[0]
    risk = predictions.incidence[0, :, 0]
    inside = (clinical == 1) & (risk >= np.sort(risk)[sizes[:2].sum()])
    assert corner["n"] == inside.sum()
    assert corner["observed"] == pytest.approx(incidence(y[inside]), abs=1e-9)


def test_the_improvement_is_that_of_the_formula(judged):
    clinical, predictions, y = judged
    found = reclassification(clinical, predictions, y, HORIZON, cuts=[0.4, 0.7], n_bootstrap=100)
    model = np.digitize(predictions.incidence[0, :, 0], [0.4, 0.7])
    up, down = model > clinical, model < clinical
    overall = incidence(y)
    events = (up.mean() * incidence(y[up]) - down.mean() * incidence(y[down])) / overall
    nonevents = (down.mean() * (1 - incidence(y[down])) - up.mean() * (1 - incidence(y[up]))) / (1 - overall)
    np.testing.assert_allclose(found.improvement["value"], [events, nonevents], atol=1e-9)
    table = found.improvement
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()


def test_without_censoring_it_is_the_share_that_moves(outcome):
    y, risk = outcome(200, 6)
    y = np.where(y["event"] == 1, y, np.array((1, 5000.0), y.dtype))
    clinical = (np.random.default_rng(1).normal(size=200) + risk > 0).astype(int)
    found = reclassification(clinical, predict(risk), y, HORIZON, cuts=[0.5], n_bootstrap=100)
    move = (predict(risk).incidence[0, :, 0] >= 0.5).astype(int) - clinical
    event = y["time"] <= HORIZON
    np.testing.assert_allclose(found.improvement["value"], [move[event].mean(), -move[~event].mean()], atol=1e-9)


def test_the_same_groups_move_nobody(judged):
    _, predictions, y = judged
    same = np.digitize(predictions.incidence[0, :, 0], [0.3, 0.6])
    found = reclassification(same, predictions, y, HORIZON, n_bootstrap=100)
    assert (found.improvement[["value", "low", "high"]] == 0).all(axis=None)
    assert (found.cells["clinical"] == found.cells["model"]).all()


def test_patients_without_a_group_are_left_out_and_counted(judged):
    clinical, predictions, y = judged
    clinical = np.where(np.arange(400) < 30, np.nan, clinical)
    found = reclassification(clinical, predictions, y, HORIZON, n_bootstrap=100)
    assert (found.unknown, found.cells["n"].sum()) == (30, 370)


def test_what_cannot_be_crossed_is_refused(judged):
    clinical, predictions, y = judged
    with pytest.raises(ValueError, match="two clinical groups, there are 1"):
        reclassification(np.zeros(400), predictions, y, HORIZON)
    with pytest.raises(ValueError, match="3 clinical groups need 2 rising cuts"):
        reclassification(clinical, predictions, y, HORIZON, cuts=[0.5])
