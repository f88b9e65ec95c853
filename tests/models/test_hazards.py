from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import cumulative_incidence_competing_risks
from sksurv.util import Surv

from nbrelapse.errors import InputError
from nbrelapse.models import hazards as baseline_hazard
from nbrelapse.models.hazards import _BaselineHazard, _CompetingRisk, _ridge_cox, partial_log_likelihood
from nbrelapse.models.linear import Cox

DTYPE = [("event", np.int8), ("time", np.float64)]


def outcomes(*pairs: tuple[int, float]) -> np.ndarray:
    return np.array(list(pairs), dtype=DTYPE)


def test_steps_are_events_over_the_summed_relative_hazards_at_risk():
    y = outcomes((1, 10), (1, 10), (0, 10), (2, 20), (1, 30), (0, 40))
    log_risk = np.log([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    hazard = _BaselineHazard.fit(y, log_risk, -log_risk)
    np.testing.assert_array_equal(hazard.times, [10, 20, 30])
    np.testing.assert_allclose(hazard.event_step, [2 / 21, 0, 1 / 11])
    np.testing.assert_allclose(hazard.competing_step, [0, 1 / (1 / 4 + 1 / 5 + 1 / 6), 0])
    np.testing.assert_allclose(_BaselineHazard.fit(y, log_risk).competing_step, [0, 1 / 3, 0])
    assert hazard.last_time == 40


def test_incidence_by_hand():
    y = outcomes((1, 100), (2, 200), (0, 300))
    states = _BaselineHazard.fit(y, np.zeros(3)).cumulative_incidence(np.log([1.0, 2.0]), np.array([99.0, 100.0, 1e9]))
    relapse = 1 - np.exp([-1 / 3, -2 / 3])
    death = np.exp([-1 / 3, -2 / 3]) * (1 - np.exp(-0.5))
    np.testing.assert_allclose(states[:, 0, 0], 1)
    np.testing.assert_allclose(states[:, 1, 1:], np.stack([relapse, relapse], axis=1))
    np.testing.assert_allclose(states[:, 2, 1:], np.stack([np.zeros(2), death], axis=1), atol=1e-15)


def test_cause_specific_hazard_and_survival_agree_with_scikit_survival(simulate):
    X, y, _ = simulate(competing=False)
    peer = CoxPHSurvivalAnalysis(ties="breslow").fit(X.to_numpy(), Surv.from_arrays(y["event"] == 1, y["time"]))
    log_risk = X.to_numpy() @ peer.coef_
    hazard = _BaselineHazard.fit(y, log_risk)
    expected = peer.cum_baseline_hazard_(hazard.times)
    np.testing.assert_allclose(np.cumsum(hazard.event_step), expected, rtol=1e-10)
    curves = np.stack([curve(hazard.times) for curve in peer.predict_survival_function(X.to_numpy())])
    states = hazard.cumulative_incidence(log_risk, hazard.times)
    assert states.shape == (len(X), 2, len(hazard.times))
    np.testing.assert_allclose(states[:, 0], curves, rtol=1e-10)


def test_competing_hazard_is_that_of_nelson_and_aalen(simulate):
    lifelines = pytest.importorskip("lifelines")
    _, y, _ = simulate()
    hazard = _BaselineHazard.fit(y, np.zeros(len(y)))
    peer = lifelines.NelsonAalenFitter(nelson_aalen_smoothing=False).fit(y["time"], y["event"] == 2)
    expected = peer.cumulative_hazard_.iloc[:, 0].reindex(hazard.times).to_numpy()
    np.testing.assert_allclose(np.cumsum(hazard.competing_step), expected, rtol=1e-10)


def test_without_covariates_the_incidence_is_that_of_aalen_and_johansen(simulate):
    _, y, _ = simulate(3000)
    hazard = _BaselineHazard.fit(y, np.zeros(len(y)))
    times, expected = cumulative_incidence_competing_risks(y["event"].astype(int), y["time"])
    enough = times <= np.quantile(y["time"], 0.95)
    states = hazard.cumulative_incidence(np.zeros(1), times[enough])[0]
    at_risk = (y["time"] >= times[enough].max()).sum()
    assert np.abs(states[1:] - expected[1:, enough]).max() < 1 / at_risk
    assert expected[1:, enough].max() > 0.4


def test_states_against_a_plain_loop(simulate):
    _, y, truth = simulate(60)
    hazard = _BaselineHazard.fit(y, truth, truth[::-1])
    free, relapse, death = 1.0, 0.0, 0.0
    for event_step, competing_step in zip(hazard.event_step, hazard.competing_step, strict=True):
        # Both hazards spread evenly over the step, in a thousand small parts.
        for event, competing in [(np.exp(0.7) * event_step / 1000, np.exp(-0.4) * competing_step / 1000)] * 1000:
            relapse, death = relapse + free * event, death + free * competing
            free -= free * (event + competing)
    states = hazard.cumulative_incidence(np.array([0.7]), hazard.times[-1:], np.array([-0.4]))
    np.testing.assert_allclose(states[0, :, 0], [free, relapse, death], atol=2e-4)


def test_ties_of_both_causes_share_the_loss_in_proportion_to_their_hazards():
    hazard = _BaselineHazard.fit(outcomes((1, 100), (2, 100), (0, 200), (0, 200)), np.zeros(4))
    states = hazard.cumulative_incidence(np.log([3.0]), np.array([150.0]), np.log([2.0]))
    lost = 1 - np.exp(-3 / 4 - 2 / 4)
    np.testing.assert_allclose(states[0, :, 0], [1 - lost, lost * 3 / 5, lost * 2 / 5])


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12), st.floats(-4, 4)), min_size=3, max_size=30),
    st.floats(-1000, 1000),
)
def test_states_are_probabilities_that_rise_with_time(patients, log_risk):
    y = outcomes(*((event, 100 * time) for event, time, _ in patients))
    hazard = _BaselineHazard.fit(y, np.array([risk for *_, risk in patients]))
    states = hazard.cumulative_incidence(np.array([log_risk, log_risk + 1]), np.linspace(0, 1500, 40))
    assert states.shape[1] == (3 if (y["event"] == 2).any() else 2)
    np.testing.assert_allclose(states.sum(axis=1), 1, atol=1e-12)
    assert states.min() >= 0
    assert states.max() <= 1
    assert (np.diff(states[:, 0]) <= 1e-12).all()
    assert (np.diff(states[:, 1:]) >= -1e-12).all()


def test_order_of_times_and_size_of_chunks_do_not_matter(simulate, monkeypatch):
    _, y, truth = simulate()
    hazard = _BaselineHazard.fit(y, truth)
    times = np.array([1826.0, 365.0, 1095.0])
    whole = hazard.cumulative_incidence(truth, times)
    np.testing.assert_array_equal(whole[:, :, ::-1], hazard.cumulative_incidence(truth, times[::-1]))
    monkeypatch.setattr(baseline_hazard, "_ROWS", 7)
    np.testing.assert_allclose(whole, hazard.cumulative_incidence(truth, times), rtol=1e-12)


def test_a_hazard_of_before_0_3_keeps_its_competing_slope(simulate):
    _, y, truth = simulate(60)
    document = _BaselineHazard.fit(y, truth).to_dict() | {"competing_slope": 0.6}
    hazard = _BaselineHazard.from_dict(document)
    assert hazard.to_dict() == document
    times = np.array([365.0, 1826.0])
    np.testing.assert_array_equal(
        hazard.cumulative_incidence(truth, times), hazard.cumulative_incidence(truth, times, 0.6 * truth)
    )


def test_carried_forward_beyond_the_last_observed_time():
    hazard = _BaselineHazard.fit(outcomes((1, 100), (0, 400)), np.zeros(2))
    states = hazard.cumulative_incidence(np.zeros(1), np.array([400.0, 40_000.0]))
    np.testing.assert_array_equal(states[:, :, 0], states[:, :, 1])


def test_without_any_event_everybody_stays_free():
    states = _BaselineHazard.fit(outcomes((0, 100), (0, 400)), np.zeros(2)).cumulative_incidence(
        np.array([3.0]), np.array([200.0])
    )
    np.testing.assert_array_equal(states, [[[1.0], [0.0]]])


def test_json_keeps_every_bit(simulate):
    _, y, truth = simulate()
    hazard = _BaselineHazard.fit(y, truth)
    again = _BaselineHazard.from_dict(json.loads(json.dumps(hazard.to_dict(), allow_nan=False)))
    times = np.array([365.0, 1826.0])
    np.testing.assert_array_equal(again.cumulative_incidence(truth, times), hazard.cumulative_incidence(truth, times))
    assert again.last_time == hazard.last_time


def test_json_leaves_out_the_slope_that_only_old_hazards_have():
    for code, competes in ((0, False), (2, True)):
        hazard = _BaselineHazard.fit(outcomes((1, 100), (code, 200), (0, 300)), np.zeros(3))
        document = hazard.to_dict()
        assert "competing_slope" not in document
        assert document["competes"] is competes
        states = _BaselineHazard.from_dict(document).cumulative_incidence(np.zeros(1), np.array([250.0]))
        assert states.shape == (1, 3 if competes else 2, 1)


def test_small_risks_keep_their_digits_and_the_smallest_are_those_at_minus_300():
    alone = _BaselineHazard.fit(outcomes((1, 100), (0, 200)), np.zeros(2))
    incidence = alone.cumulative_incidence(np.array([-40.0, -200.0, -300.0, -1e4]), np.array([150.0]))[:, 1, 0]
    np.testing.assert_allclose(incidence, 0.5 * np.exp([-40.0, -200.0, -300.0, -300.0]), rtol=1e-12)
    # Both hazards are too small for any number: they still share the loss as they do at -300.
    tied = _BaselineHazard.fit(outcomes((1, 100), (2, 100), (0, 200)), np.zeros(3))
    states = tied.cumulative_incidence(np.array([-1e4, 1e4]), np.array([150.0]), np.array([-1e4, 1e4]))
    np.testing.assert_allclose(states[:, :, 0], [[1, 0, 0], [0, 0.5, 0.5]], atol=1e-15)


def test_no_probability_is_below_zero_by_rounding():
    # Before the death of day 4 nobody has died: 1 - free - relapsed is -1.1e-16.
    hazard = _BaselineHazard.fit(outcomes((1, 1), (1, 2), (1, 3), (2, 4), (0, 5), (0, 6)), np.zeros(6))
    states = hazard.cumulative_incidence(np.array([2.0]), np.array([3.0]))[0, :, 0]
    assert 1 - states[0] - states[1] < 0
    assert states[2] == 0


def test_the_gradient_counts_a_step_on_the_day_itself():
    hazard = _BaselineHazard.fit(outcomes((1, 100), (2, 200), (0, 300)), np.zeros(3))
    own, other = hazard.incidence_gradient(np.zeros(1), 100.0, np.zeros(1))
    assert (own[0], other[0]) == (pytest.approx(np.exp(-1 / 3) / 3), 0)
    assert hazard.incidence_gradient(np.zeros(1), 99.0, np.zeros(1))[0][0] == 0


def test_a_time_that_is_not_a_number_is_refused():
    hazard = _BaselineHazard.fit(outcomes((1, 100), (0, 400)), np.zeros(2))
    with pytest.raises(InputError, match="not a number"):
        hazard.cumulative_incidence(np.zeros(1), np.array([100.0, np.nan]))


@pytest.mark.parametrize("competing", [False, True])
def test_the_gradient_is_that_of_the_incidence(competing):
    rng = np.random.default_rng(2)
    y = np.empty(200, dtype=[("event", np.int8), ("time", float)])
    y["time"] = np.ceil(rng.exponential(20, 200))
    y["event"] = rng.integers(0, 3 if competing else 2, 200)
    hazard = _BaselineHazard.fit(y, rng.normal(size=200))
    risks, step = rng.normal(size=(2, 50)) * 2, 1e-6

    def incidence(event, other):
        return hazard.cumulative_incidence(event, np.array([30.0]), other)[:, 1, 0]

    found = hazard.incidence_gradient(risks[0], 30.0, risks[1])
    by_event = (incidence(risks[0] + step, risks[1]) - incidence(risks[0] - step, risks[1])) / (2 * step)
    by_other = (incidence(risks[0], risks[1] + step) - incidence(risks[0], risks[1] - step)) / (2 * step)
    np.testing.assert_allclose(found[0], by_event, atol=1e-8)
    np.testing.assert_allclose(found[1], by_other, atol=1e-8)
    assert (np.abs(found[1]).max() > 0.01) == competing


def test_equals_the_definition_with_tied_times(simulate):
    _, y, risk = simulate(60)
    terms = [risk[i] - np.log(np.exp(risk[y["time"] >= y["time"][i]]).sum()) for i in np.flatnonzero(y["event"] == 1)]
    assert partial_log_likelihood(y, risk) == pytest.approx(np.mean(terms), rel=1e-12)


def test_no_event_is_nan(simulate):
    _, y, risk = simulate(20)
    y["event"] = 0
    assert np.isnan(partial_log_likelihood(y, risk))


FIVE_YEARS = np.array([1826.25])


def cohort(n: int, seed: int, shared: float = 0.7) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Features, outcomes, true log risk of death and true incidence of relapse within five years.

    Deaths follow the relapse risk, and a feature of their own.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    relapse = X[:, :3] @ np.array([0.8, -0.6, 0.4])
    death = shared * relapse + 0.5 * X[:, 3]
    hazards = np.exp(relapse) / 1500, np.exp(death) / 6000
    times = np.stack([rng.exponential(1 / hazards[0]), rng.exponential(1 / hazards[1]), rng.uniform(1000, 4000, n)])
    y = np.empty(n, dtype=[("event", np.int8), ("time", np.float64)])
    y["time"], y["event"] = times.min(axis=0), np.array([1, 2, 0])[times.argmin(axis=0)]
    total = hazards[0] + hazards[1]
    incidence = hazards[0] / total * -np.expm1(-total * FIVE_YEARS)
    return pd.DataFrame(X, columns=[f"m__{i}" for i in range(6)]), y, death, incidence


def deciles(log_risk: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(log_risk)) * 10 // len(log_risk)


def test_is_the_ridge_cox_regression_of_scikit_survival(simulate):
    X, y, truth = simulate()
    found = _CompetingRisk.fit(X.to_numpy(), y, truth)
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    precision = np.append(np.full(Z.shape[1], Z.shape[1] / 0.25), 1.0)
    peer = CoxPHSurvivalAnalysis(alpha=precision, ties="breslow", tol=1e-12)
    peer.fit(np.column_stack([Z, truth]), Surv.from_arrays(y["event"] == 2, y["time"]))
    np.testing.assert_allclose(found.coefficients * X.std(ddof=0), peer.coef_[:-1], atol=1e-6)
    assert found.slope == pytest.approx(peer.coef_[-1], abs=1e-6)


def test_a_missing_value_stands_at_the_mean(simulate):
    X, y, truth = simulate(missing=0.2)
    found = _CompetingRisk.fit(X.to_numpy(), y, truth)
    filled = X.fillna(X.mean()).to_numpy()
    np.testing.assert_allclose(found.log_risk(X.to_numpy(), truth), found.log_risk(filled, truth), atol=1e-12)
    assert abs(found.log_risk(filled, truth - truth.mean()).mean()) < 1e-12


def test_nothing_is_learned_from_fewer_than_ten_events(simulate):
    X, y, truth = simulate()
    deaths = np.flatnonzero(y["event"] == 2)
    y["event"][deaths[10:]] = 0
    assert _CompetingRisk.fit(X.to_numpy(), y, truth) is not None
    y["event"][deaths[9]] = 0
    assert _CompetingRisk.fit(X.to_numpy(), y, truth) is None
    model = Cox().fit(X, y)
    log_risk = model.predict_log_risk(X)
    np.testing.assert_array_equal(
        model.predict_cumulative_incidence(X, FIVE_YEARS),
        model.baseline_.cumulative_incidence(log_risk, FIVE_YEARS, np.zeros(len(X))),
    )


def test_features_that_tell_nobody_apart_are_left_alone(simulate):
    X, y, truth = simulate()
    values = np.column_stack([np.ones(len(X)), np.full(len(X), np.nan), X["m__0"]])
    found = _CompetingRisk.fit(values, y, truth)
    np.testing.assert_array_equal(found.coefficients[:2], [0, 0])
    nothing = _CompetingRisk.fit(values[:, :2], y, np.zeros(len(y)))
    np.testing.assert_array_equal(nothing.log_risk(values[:, :2], np.zeros(len(y))), np.zeros(len(y)))


def test_a_separating_feature_leaves_the_incidence_finite(simulate):
    X, y, _ = simulate()
    X["m__deaths"] = (y["event"] == 2).astype(float)
    model = Cox().fit(X, y)
    states = model.predict_cumulative_incidence(X, FIVE_YEARS)
    np.testing.assert_allclose(states.sum(axis=1), 1)
    assert states[y["event"] == 2, 2].mean() > states[y["event"] != 2, 2].mean()


def test_new_patients_are_given_the_deaths_that_the_truth_gives_them():
    X, y, _, _ = cohort(1500, 0)
    new, _, death, incidence = cohort(20_000, 1)
    model = Cox(penalty=0.02).fit(X, y)
    log_risk = model.predict_log_risk(new)
    found = model.competing_.log_risk(new.to_numpy(), log_risk)
    assert np.corrcoef(found, death)[0, 1] > 0.9
    top = deciles(log_risk) == 9
    predicted = model.predict_cumulative_incidence(new, FIVE_YEARS)[:, 1, 0]
    constant = model.baseline_.fit(y, model.predict_log_risk(X)).cumulative_incidence(log_risk, FIVE_YEARS)[:, 1, 0]
    assert (constant - incidence)[top].mean() > 0.05
    assert abs((predicted - incidence)[top].mean()) < 0.03
    assert np.abs(predicted - incidence).mean() < 0.6 * np.abs(constant - incidence).mean()


def test_within_deciles_of_risk_the_mean_incidence_is_that_of_aalen_and_johansen():
    X, y, _, _ = cohort(4000, 2)
    model = Cox(penalty=0.02).fit(X, y)
    decile = deciles(model.predict_log_risk(X))
    states = model.predict_cumulative_incidence(X, FIVE_YEARS)[:, :, 0]
    for group in range(10):
        times, observed = cumulative_incidence_competing_risks(
            y["event"][decile == group].astype(int), y["time"][decile == group]
        )
        at_five_years = observed[1:, np.searchsorted(times, FIVE_YEARS[0], side="right") - 1]
        # Three standard errors of a proportion among 400 patients.
        np.testing.assert_allclose(states[decile == group, 1:].mean(axis=0), at_five_years, atol=0.075)


def test_competing_risk_json_keeps_every_bit(simulate):
    X, y, truth = simulate(missing=0.1)
    found = _CompetingRisk.fit(X.to_numpy(), y, truth)
    again = _CompetingRisk.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.log_risk(X.to_numpy(), truth), found.log_risk(X.to_numpy(), truth))


@pytest.fixture
def patients(simulate):
    X, y, _ = simulate(90, 4, competing=False)
    return X.to_numpy(), y


def brute_force(Z, y, penalty, centre):
    """Breslow's likelihood, patient by patient, maximised by a general method."""

    def objective(beta):
        risk = Z @ beta
        value = 0.0
        for i in np.flatnonzero(y["event"] == 1):
            value += risk[i] - np.log(np.exp(risk[y["time"] >= y["time"][i]]).sum())
        return -value + (penalty * (beta - centre) ** 2).sum() / 2

    return minimize(objective, np.zeros(Z.shape[1]), tol=1e-12, options={"gtol": 1e-9}).x


def test_equals_scikit_survival_with_ties(patients):
    Z, y = patients
    theirs = CoxPHSurvivalAnalysis(alpha=7.0, ties="breslow", tol=1e-12).fit(
        Z, Surv.from_arrays(y["event"] == 1, y["time"])
    )
    ours = _ridge_cox(Z, y, np.full(4, 7.0), np.zeros(4))
    np.testing.assert_allclose(ours, theirs.coef_, atol=1e-6)


def test_equals_brute_force_around_a_centre(patients):
    Z, y = patients
    penalty, centre = np.array([2.0, 5.0, 20.0, 80.0]), np.array([0.5, -1.0, 0.3, 0.2])
    np.testing.assert_allclose(_ridge_cox(Z, y, penalty, centre), brute_force(Z, y, penalty, centre), atol=1e-6)


def test_more_columns_than_patients_give_the_same_answer_as_the_patients_allow(patients):
    _, y = patients
    rng = np.random.default_rng(3)
    wide, few = rng.normal(size=(25, 60)), y[:25]
    penalty, centre = rng.uniform(5, 20, 60), rng.normal(size=60) / 10
    found = _ridge_cox(wide, few, penalty, centre)
    # The gradient vanishes: the answer is the maximum.
    linear = wide @ found
    gradient = -penalty * (found - centre)
    for i in np.flatnonzero(few["event"] == 1):
        at_risk = few["time"] >= few["time"][i]
        weight = np.exp(linear[at_risk])
        gradient += wide[i] - weight @ wide[at_risk] / weight.sum()
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_a_strong_penalty_stays_at_the_centre_and_a_shift_changes_nothing(patients):
    Z, y = patients
    centre = np.array([0.1, 0.2, -0.3, 0.4])
    np.testing.assert_allclose(_ridge_cox(Z, y, np.full(4, 1e9), centre), centre, atol=1e-6)
    penalty = np.full(4, 3.0)
    np.testing.assert_allclose(_ridge_cox(Z + 5.0, y, penalty, centre), _ridge_cox(Z, y, penalty, centre), atol=1e-6)


def test_separated_patients_have_a_finite_answer():
    y = np.array([(1, 1.0), (1, 2.0), (0, 3.0), (0, 4.0)], dtype=[("event", np.int8), ("time", float)])
    found = _ridge_cox(np.array([[9.0], [8.0], [-8.0], [-9.0]]), y, np.array([1e-3]), np.zeros(1))
    assert 0 < found[0] < 100


def test_strata_are_compared_within_themselves(patients):
    Z, y = patients
    strata = np.array(["SEQC", "GPOH", "COG"])[np.arange(len(y)) % 3]
    penalty, centre = np.array([2.0, 5.0, 20.0, 80.0]), np.array([0.5, -1.0, 0.3, 0.2])
    apart = [strata == name for name in np.unique(strata)]

    def objective(beta):
        likelihood = sum(
            partial_log_likelihood(y[own], Z[own] @ beta) * np.count_nonzero(y["event"][own] == 1) for own in apart
        )
        return -likelihood + (penalty * (beta - centre) ** 2).sum() / 2

    expected = minimize(objective, np.zeros(4), tol=1e-12, options={"gtol": 1e-9}).x
    found = _ridge_cox(Z, y, penalty, centre, strata)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # A hazard that differs between the strata, whatever the size, changes nothing; the time scale of one neither.
    later = y.copy()
    later["time"][apart[0]] *= 1000.0
    np.testing.assert_allclose(_ridge_cox(Z, later, penalty, centre, strata), found, atol=1e-9)
    np.testing.assert_allclose(_ridge_cox(Z, y, penalty, centre, np.zeros(len(y))), _ridge_cox(Z, y, penalty, centre))
    assert abs(_ridge_cox(Z, y, penalty, centre) - found).max() > 0.01
