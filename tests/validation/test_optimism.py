from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import concordance_index_censored

from nbrelapse.models.cox import CoxElasticNet
from nbrelapse.models.resamples import bootstrap_refits, bootstrap_rows
from nbrelapse.validation.calibration_slope import calibration_slope
from nbrelapse.validation.optimism import optimism


@pytest.fixture
def data(outcome):
    y, risk = outcome(120, 11)
    noise = np.random.default_rng(11).normal(size=(120, 8))
    return pd.DataFrame(np.column_stack([risk, noise]), columns=[f"x{i}" for i in range(9)]), y


def test_the_resamples_are_those_of_the_refits(data):
    X, y = data
    model = CoxElasticNet(penalty=0.05)
    refits = bootstrap_refits(model, X, y, n_refits=3, seed=2)
    for refit, rows in zip(refits, bootstrap_rows(y, 3, seed=2), strict=True):
        again = CoxElasticNet(penalty=0.05).fit(X.iloc[rows], y[rows])
        assert np.array_equal(again.coefficients_, refit.coefficients_)


def test_it_is_harrells_bootstrap_step_by_step(data):
    X, y = data
    model = CoxElasticNet(penalty=0.02).fit(X, y)
    refits, rows = bootstrap_refits(model, X, y, n_refits=4, seed=2), bootstrap_rows(y, 4, seed=2)

    def c(fitted: CoxElasticNet, chosen: np.ndarray) -> float:
        risk = fitted.predict_log_risk(X.iloc[chosen])
        return concordance_index_censored(y["event"][chosen] == 1, y["time"][chosen], risk)[0]

    def slope(fitted: CoxElasticNet, chosen: np.ndarray) -> float:
        risk = fitted.predict_log_risk(X.iloc[chosen])[np.newaxis]
        return calibration_slope(y[chosen], risk, np.zeros_like(risk, dtype=int), np.ones((120, 1)))[0]

    everyone = np.arange(120)
    found = optimism(model, refits, rows, X, y)
    gaps = [c(refit, drawn) - c(refit, everyone) for refit, drawn in zip(refits, rows, strict=True)]
    row = found.loc["harrell_c"]
    assert row["apparent"] == pytest.approx(c(model, everyone), abs=1e-6)
    assert row["optimism"] == pytest.approx(np.mean(gaps), abs=1e-6)
    assert row["corrected"] == pytest.approx(row["apparent"] - row["optimism"])
    assert row["resamples"] == 4
    gaps = [slope(refit, drawn) - slope(refit, everyone) for refit, drawn in zip(refits, rows, strict=True)]
    row = found.loc["calibration_slope"]
    assert row["apparent"] == pytest.approx(slope(model, everyone), abs=1e-6)
    assert row["optimism"] == pytest.approx(np.mean(gaps), abs=1e-6)


def test_an_unpenalised_model_of_noise_is_optimistic_and_a_model_of_nothing_is_not(data):
    X, y = data
    X = X.drop(columns="x0")
    model = CoxElasticNet(penalty=0.001, l1_ratio=0.01).fit(X, y)
    rows = bootstrap_rows(y, 20, seed=0)
    found = optimism(model, bootstrap_refits(model, X, y, n_refits=20, seed=0), rows, X, y)
    assert found.loc["harrell_c", "optimism"] > 0.03
    assert found.loc["harrell_c", "corrected"] < 0.56
    assert found.loc["calibration_slope", "corrected"] < 0.7
    empty = CoxElasticNet(penalty=10.0, l1_ratio=1.0).fit(X, y)
    nothing = optimism(empty, bootstrap_refits(empty, X, y, n_refits=3, seed=0), rows[:3], X, y)
    assert nothing.loc["harrell_c", ["apparent", "optimism", "corrected"]].tolist() == [0.5, 0.0, 0.5]
    assert np.isnan(nothing.loc["calibration_slope", "corrected"])
    assert nothing.loc["calibration_slope", "resamples"] == 0


def test_a_binary_outcome_has_an_auc(data):
    from nbrelapse.models.logistic import LogisticElasticNet

    X, y = data
    event = (y["event"] == 1).astype(np.int8)
    model = LogisticElasticNet().fit(X, event)
    found = optimism(
        model, bootstrap_refits(model, X, event, n_refits=3, seed=0), bootstrap_rows(event, 3, 0), X, event
    )
    assert found.index.tolist() == ["auc", "calibration_slope"]
    assert 0.5 < found.loc["auc", "corrected"] <= found.loc["auc", "apparent"] + 0.05
