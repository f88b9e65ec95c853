from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import cumulative_incidence_competing_risks
from sksurv.util import Surv

from nbrelapse.errors import InputError
from nbrelapse.models import baseline_hazard
from nbrelapse.models.baseline_hazard import BaselineHazard

DTYPE = [("event", np.int8), ("time", np.float64)]


def outcomes(*pairs: tuple[int, float]) -> np.ndarray:
    return np.array(list(pairs), dtype=DTYPE)


def test_steps_are_events_over_the_summed_relative_hazards_at_risk():
    y = outcomes((1, 10), (1, 10), (0, 10), (2, 20), (1, 30), (0, 40))
    log_risk = np.log([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    hazard = BaselineHazard.fit(y, log_risk, -log_risk)
    np.testing.assert_array_equal(hazard.times, [10, 20, 30])
    np.testing.assert_allclose(hazard.event_step, [2 / 21, 0, 1 / 11])
    np.testing.assert_allclose(hazard.competing_step, [0, 1 / (1 / 4 + 1 / 5 + 1 / 6), 0])
    np.testing.assert_allclose(BaselineHazard.fit(y, log_risk).competing_step, [0, 1 / 3, 0])
    assert hazard.last_time == 40


def test_incidence_by_hand():
    y = outcomes((1, 100), (2, 200), (0, 300))
    states = BaselineHazard.fit(y, np.zeros(3)).cumulative_incidence(np.log([1.0, 2.0]), np.array([99.0, 100.0, 1e9]))
    relapse = 1 - np.exp([-1 / 3, -2 / 3])
    death = np.exp([-1 / 3, -2 / 3]) * (1 - np.exp(-0.5))
    np.testing.assert_allclose(states[:, 0, 0], 1)
    np.testing.assert_allclose(states[:, 1, 1:], np.stack([relapse, relapse], axis=1))
    np.testing.assert_allclose(states[:, 2, 1:], np.stack([np.zeros(2), death], axis=1), atol=1e-15)


def test_cause_specific_hazard_and_survival_agree_with_scikit_survival(simulate):
    X, y, _ = simulate(competing=False)
    peer = CoxPHSurvivalAnalysis(ties="breslow").fit(X.to_numpy(), Surv.from_arrays(y["event"] == 1, y["time"]))
    log_risk = X.to_numpy() @ peer.coef_
    hazard = BaselineHazard.fit(y, log_risk)
    expected = peer.cum_baseline_hazard_(hazard.times)
    np.testing.assert_allclose(np.cumsum(hazard.event_step), expected, rtol=1e-10)
    curves = np.stack([curve(hazard.times) for curve in peer.predict_survival_function(X.to_numpy())])
    states = hazard.cumulative_incidence(log_risk, hazard.times)
    assert states.shape == (len(X), 2, len(hazard.times))
    np.testing.assert_allclose(states[:, 0], curves, rtol=1e-10)


def test_competing_hazard_is_that_of_nelson_and_aalen(simulate):
    lifelines = pytest.importorskip("lifelines")
    _, y, _ = simulate()
    hazard = BaselineHazard.fit(y, np.zeros(len(y)))
    peer = lifelines.NelsonAalenFitter(nelson_aalen_smoothing=False).fit(y["time"], y["event"] == 2)
    expected = peer.cumulative_hazard_.iloc[:, 0].reindex(hazard.times).to_numpy()
    np.testing.assert_allclose(np.cumsum(hazard.competing_step), expected, rtol=1e-10)


def test_without_covariates_the_incidence_is_that_of_aalen_and_johansen(simulate):
    _, y, _ = simulate(3000)
    hazard = BaselineHazard.fit(y, np.zeros(len(y)))
    times, expected = cumulative_incidence_competing_risks(y["event"].astype(int), y["time"])
    enough = times <= np.quantile(y["time"], 0.95)
    states = hazard.cumulative_incidence(np.zeros(1), times[enough])[0]
    at_risk = (y["time"] >= times[enough].max()).sum()
    assert np.abs(states[1:] - expected[1:, enough]).max() < 1 / at_risk
    assert expected[1:, enough].max() > 0.4


def test_states_against_a_plain_loop(simulate):
    _, y, truth = simulate(60)
    hazard = BaselineHazard.fit(y, truth, truth[::-1])
    free, relapse, death = 1.0, 0.0, 0.0
    for event_step, competing_step in zip(hazard.event_step, hazard.competing_step, strict=True):
        # Both hazards spread evenly over the step, in a thousand small parts.
        for event, competing in [(np.exp(0.7) * event_step / 1000, np.exp(-0.4) * competing_step / 1000)] * 1000:
            relapse, death = relapse + free * event, death + free * competing
            free -= free * (event + competing)
    states = hazard.cumulative_incidence(np.array([0.7]), hazard.times[-1:], np.array([-0.4]))
    np.testing.assert_allclose(states[0, :, 0], [free, relapse, death], atol=2e-4)


def test_ties_of_both_causes_share_the_loss_in_proportion_to_their_hazards():
    hazard = BaselineHazard.fit(outcomes((1, 100), (2, 100), (0, 200), (0, 200)), np.zeros(4))
    states = hazard.cumulative_incidence(np.log([3.0]), np.array([150.0]), np.log([2.0]))
    lost = 1 - np.exp(-3 / 4 - 2 / 4)
    np.testing.assert_allclose(states[0, :, 0], [1 - lost, lost * 3 / 5, lost * 2 / 5])


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12), st.floats(-4, 4)), min_size=3, max_size=30),
    st.floats(-1000, 1000),
)
def test_states_are_probabilities_that_rise_with_time(patients, log_risk):
    y = outcomes(*((event, 100 * time) for event, time, _ in patients))
    hazard = BaselineHazard.fit(y, np.array([risk for *_, risk in patients]))
    states = hazard.cumulative_incidence(np.array([log_risk, log_risk + 1]), np.linspace(0, 1500, 40))
    assert states.shape[1] == (3 if (y["event"] == 2).any() else 2)
    np.testing.assert_allclose(states.sum(axis=1), 1, atol=1e-12)
    assert states.min() >= 0
    assert states.max() <= 1
    assert (np.diff(states[:, 0]) <= 1e-12).all()
    assert (np.diff(states[:, 1:]) >= -1e-12).all()


def test_order_of_times_and_size_of_chunks_do_not_matter(simulate, monkeypatch):
    _, y, truth = simulate()
    hazard = BaselineHazard.fit(y, truth)
    times = np.array([1826.0, 365.0, 1095.0])
    whole = hazard.cumulative_incidence(truth, times)
    np.testing.assert_array_equal(whole[:, :, ::-1], hazard.cumulative_incidence(truth, times[::-1]))
    monkeypatch.setattr(baseline_hazard, "_ROWS", 7)
    np.testing.assert_allclose(whole, hazard.cumulative_incidence(truth, times), rtol=1e-12)


def test_a_hazard_of_before_0_3_keeps_its_competing_slope(simulate):
    _, y, truth = simulate(60)
    document = BaselineHazard.fit(y, truth).to_dict() | {"competing_slope": 0.6}
    hazard = BaselineHazard.from_dict(document)
    assert hazard.to_dict() == document
    times = np.array([365.0, 1826.0])
    np.testing.assert_array_equal(
        hazard.cumulative_incidence(truth, times), hazard.cumulative_incidence(truth, times, 0.6 * truth)
    )


def test_carried_forward_beyond_the_last_observed_time():
    hazard = BaselineHazard.fit(outcomes((1, 100), (0, 400)), np.zeros(2))
    states = hazard.cumulative_incidence(np.zeros(1), np.array([400.0, 40_000.0]))
    np.testing.assert_array_equal(states[:, :, 0], states[:, :, 1])


def test_without_any_event_everybody_stays_free():
    states = BaselineHazard.fit(outcomes((0, 100), (0, 400)), np.zeros(2)).cumulative_incidence(
        np.array([3.0]), np.array([200.0])
    )
    np.testing.assert_array_equal(states, [[[1.0], [0.0]]])


def test_json_keeps_every_bit(simulate):
    _, y, truth = simulate()
    hazard = BaselineHazard.fit(y, truth)
    again = BaselineHazard.from_dict(json.loads(json.dumps(hazard.to_dict(), allow_nan=False)))
    times = np.array([365.0, 1826.0])
    np.testing.assert_array_equal(again.cumulative_incidence(truth, times), hazard.cumulative_incidence(truth, times))
    assert again.last_time == hazard.last_time


def test_a_time_that_is_not_a_number_is_refused():
    hazard = BaselineHazard.fit(outcomes((1, 100), (0, 400)), np.zeros(2))
    with pytest.raises(InputError, match="not a number"):
        hazard.cumulative_incidence(np.zeros(1), np.array([np.nan]))


@pytest.mark.parametrize("competing", [False, True])
def test_the_gradient_is_that_of_the_incidence(competing):
    rng = np.random.default_rng(2)
    y = np.empty(200, dtype=[("event", np.int8), ("time", float)])
    y["time"] = np.ceil(rng.exponential(20, 200))
    y["event"] = rng.integers(0, 3 if competing else 2, 200)
    hazard = BaselineHazard.fit(y, rng.normal(size=200))
    risks, step = rng.normal(size=(2, 50)) * 2, 1e-6

    def incidence(event, other):
        return hazard.cumulative_incidence(event, np.array([30.0]), other)[:, 1, 0]

    found = hazard.incidence_gradient(risks[0], 30.0, risks[1])
    by_event = (incidence(risks[0] + step, risks[1]) - incidence(risks[0] - step, risks[1])) / (2 * step)
    by_other = (incidence(risks[0], risks[1] + step) - incidence(risks[0], risks[1] - step)) / (2 * step)
    np.testing.assert_allclose(found[0], by_event, atol=1e-8)
    np.testing.assert_allclose(found[1], by_other, atol=1e-8)
    assert (np.abs(found[1]).max() > 0.01) == competing
