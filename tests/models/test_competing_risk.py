from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import cumulative_incidence_competing_risks
from sksurv.util import Surv

from nbrelapse.models.competing_risk import CompetingRisk
from nbrelapse.models.cox import CoxElasticNet

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
    found = CompetingRisk.fit(X.to_numpy(), y, truth)
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    precision = np.append(np.full(Z.shape[1], Z.shape[1] / 0.25), 1.0)
    peer = CoxPHSurvivalAnalysis(alpha=precision, ties="breslow", tol=1e-12)
    peer.fit(np.column_stack([Z, truth]), Surv.from_arrays(y["event"] == 2, y["time"]))
    np.testing.assert_allclose(found.coefficients * X.std(ddof=0), peer.coef_[:-1], atol=1e-6)
    assert found.slope == pytest.approx(peer.coef_[-1], abs=1e-6)


def test_a_missing_value_stands_at_the_mean(simulate):
    X, y, truth = simulate(missing=0.2)
    found = CompetingRisk.fit(X.to_numpy(), y, truth)
    filled = X.fillna(X.mean()).to_numpy()
    np.testing.assert_allclose(found.log_risk(X.to_numpy(), truth), found.log_risk(filled, truth), atol=1e-12)
    assert abs(found.log_risk(filled, truth - truth.mean()).mean()) < 1e-12


def test_nothing_is_learned_from_fewer_than_ten_events(simulate):
    X, y, truth = simulate()
    deaths = np.flatnonzero(y["event"] == 2)
    y["event"][deaths[10:]] = 0
    assert CompetingRisk.fit(X.to_numpy(), y, truth) is not None
    y["event"][deaths[9]] = 0
    assert CompetingRisk.fit(X.to_numpy(), y, truth) is None
    model = CoxElasticNet().fit(X, y)
    log_risk = model.predict_log_risk(X)
    np.testing.assert_array_equal(
        model.predict_cumulative_incidence(X, FIVE_YEARS),
        model.baseline_.cumulative_incidence(log_risk, FIVE_YEARS, np.zeros(len(X))),
    )


def test_features_that_tell_nobody_apart_are_left_alone(simulate):
    X, y, truth = simulate()
    values = np.column_stack([np.ones(len(X)), np.full(len(X), np.nan), X["m__0"]])
    found = CompetingRisk.fit(values, y, truth)
    np.testing.assert_array_equal(found.coefficients[:2], [0, 0])
    nothing = CompetingRisk.fit(values[:, :2], y, np.zeros(len(y)))
    np.testing.assert_array_equal(nothing.log_risk(values[:, :2], np.zeros(len(y))), np.zeros(len(y)))


def test_a_separating_feature_leaves_the_incidence_finite(simulate):
    X, y, _ = simulate()
    X["m__deaths"] = (y["event"] == 2).astype(float)
    model = CoxElasticNet().fit(X, y)
    states = model.predict_cumulative_incidence(X, FIVE_YEARS)
    np.testing.assert_allclose(states.sum(axis=1), 1)
    assert states[y["event"] == 2, 2].mean() > states[y["event"] != 2, 2].mean()


def test_new_patients_are_given_the_deaths_that_the_truth_gives_them():
    X, y, _, _ = cohort(1500, 0)
    new, _, death, incidence = cohort(20_000, 1)
    model = CoxElasticNet(penalty=0.02).fit(X, y)
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
    model = CoxElasticNet(penalty=0.02).fit(X, y)
    decile = deciles(model.predict_log_risk(X))
    states = model.predict_cumulative_incidence(X, FIVE_YEARS)[:, :, 0]
    for group in range(10):
        times, observed = cumulative_incidence_competing_risks(
            y["event"][decile == group].astype(int), y["time"][decile == group]
        )
        at_five_years = observed[1:, np.searchsorted(times, FIVE_YEARS[0], side="right") - 1]
        # Three standard errors of a proportion among 400 patients.
        np.testing.assert_allclose(states[decile == group, 1:].mean(axis=0), at_five_years, atol=0.075)


def test_json_keeps_every_bit(simulate):
    X, y, truth = simulate(missing=0.1)
    found = CompetingRisk.fit(X.to_numpy(), y, truth)
    again = CompetingRisk.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.log_risk(X.to_numpy(), truth), found.log_risk(X.to_numpy(), truth))
