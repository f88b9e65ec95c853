from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from nbrelapse.models.ridge_cox import ridge_cox


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
    ours = ridge_cox(Z, y, np.full(4, 7.0), np.zeros(4))
    np.testing.assert_allclose(ours, theirs.coef_, atol=1e-6)


def test_equals_brute_force_around_a_centre(patients):
    Z, y = patients
    penalty, centre = np.array([2.0, 5.0, 20.0, 80.0]), np.array([0.5, -1.0, 0.3, 0.2])
    np.testing.assert_allclose(ridge_cox(Z, y, penalty, centre), brute_force(Z, y, penalty, centre), atol=1e-6)


def test_more_columns_than_patients_give_the_same_answer_as_the_patients_allow(patients):
    _, y = patients
    rng = np.random.default_rng(3)
    wide, few = rng.normal(size=(25, 60)), y[:25]
    penalty, centre = rng.uniform(5, 20, 60), rng.normal(size=60) / 10
    found = ridge_cox(wide, few, penalty, centre)
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
    np.testing.assert_allclose(ridge_cox(Z, y, np.full(4, 1e9), centre), centre, atol=1e-6)
    penalty = np.full(4, 3.0)
    np.testing.assert_allclose(ridge_cox(Z + 5.0, y, penalty, centre), ridge_cox(Z, y, penalty, centre), atol=1e-6)


def test_separated_patients_have_a_finite_answer():
    y = np.array([(1, 1.0), (1, 2.0), (0, 3.0), (0, 4.0)], dtype=[("event", np.int8), ("time", float)])
    found = ridge_cox(np.array([[9.0], [8.0], [-8.0], [-9.0]]), y, np.array([1e-3]), np.zeros(1))
    assert 0 < found[0] < 100
