"""A baseline hazard, or an intercept, a study: against brute force, other packages, and what studies must not teach."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

from nbrelapse.errors import InputError
from nbrelapse.models import (
    Blend,
    Boosted,
    BoostedClassifier,
    BoostedPrior,
    Cox,
    CoxPrior,
    Forest,
    Logistic,
    create_model,
    model_from_state,
    partial_log_likelihood,
    recalibrated,
)
from nbrelapse.models.base import ModelState
from nbrelapse.models.hazards import _ridge_cox
from nbrelapse.models.stratified import _cox_gradient, _on_own_clock, _stratified_elastic_net
from nbrelapse.validation.fold_cache import _fold_key
from nbrelapse.validation.tuning import tune

STRATA = np.array(["SEQC", "GPOH", "COG"])


def two_studies(n: int = 300, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, dict[str, str]]:
    """Patients of two studies: ``x`` raises the risk in both; ``batch`` tells the study, whose risk is tenfold."""
    rng = np.random.default_rng(seed)
    late = np.arange(n) % 2 == 1
    X = pd.DataFrame({"x": rng.normal(size=n), "batch": late + rng.normal(scale=0.3, size=n)})
    X.index = pd.Index([f"p{number}" for number in range(n)])
    time = rng.exponential(1000 / np.exp(X["x"] + np.log(10) * late))
    y = np.zeros(n, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = time < 1500, np.minimum(time, 1500) + 0.01
    return X, y, dict(zip(X.index, np.where(late, "B", "A"), strict=True))


@pytest.fixture(scope="module")
def studies() -> tuple[pd.DataFrame, np.ndarray, dict[str, str]]:
    return two_studies()


def test_the_elastic_net_is_coxnet_with_one_stratum_and_brute_force_with_several(simulate) -> None:
    X, y, _ = simulate(150, 6, competing=False)
    Z = (X - X.mean()).to_numpy() / X.std(ddof=0).to_numpy()
    y["time"] += np.arange(len(y)) * 1e-6  # scikit-survival's Coxnet breaks ties in another way
    peer = CoxnetSurvivalAnalysis(l1_ratio=0.4, alphas=[0.05], tol=1e-10).fit(
        Z, Surv.from_arrays(y["event"] == 1, y["time"])
    )
    one = _stratified_elastic_net(Z, y, np.zeros(len(y)), 0.05, 0.4)
    np.testing.assert_allclose(one, peer.coef_[:, 0], atol=1e-5)
    assert (one == 0).any() and (one != 0).any()

    strata = STRATA[np.arange(len(y)) % 3]
    events = np.count_nonzero(y["event"] == 1)

    def objective(beta: np.ndarray) -> float:
        penalty = 0.05 * (0.4 * np.abs(beta).sum() + 0.3 * (beta**2).sum())
        return -events * partial_log_likelihood(y, Z @ beta, strata) / len(y) + penalty

    found = _stratified_elastic_net(Z, y, strata, 0.05, 0.4)
    best = minimize(objective, found, method="Powell", options={"xtol": 1e-8, "ftol": 1e-12}).fun
    assert objective(found) <= best + 1e-8
    assert np.abs(found - one).max() > 0.01


def test_the_gradient_of_the_trees_is_xgboosts_with_one_stratum_and_the_likelihoods_with_several() -> None:
    X, y, strata = two_studies(120)
    plain = Boosted(n_estimators=30).fit(X, y)
    label = plain._label(y)
    labels = np.array(list(strata.values()))
    margin = np.random.default_rng(1).normal(size=len(y))
    gradient, curvature = _cox_gradient(label, labels)(margin)
    ranks = np.zeros(len(y), dtype=y.dtype)
    ranks["event"], ranks["time"] = y["event"], np.abs(label)
    events = np.count_nonzero(y["event"])

    def loss(at: np.ndarray) -> float:
        return -events * partial_log_likelihood(ranks, at, labels)

    for patient in (0, 1, 17, 60):
        step = np.zeros(len(y))
        step[patient] = 1e-4
        up, here, down = loss(margin + step), loss(margin), loss(margin - step)
        assert gradient[patient] == pytest.approx((up - down) / 2e-4, abs=1e-5)
        assert curvature[patient] == pytest.approx((up - 2 * here + down) / 1e-8, abs=1e-3)
    # The same trees, whichever of both gradients grows them.
    values, outcome = plain._read_training(X, y)
    label = plain._label(outcome)
    grown = plain._grow(values, label, {"objective": "survival:cox", "base_score": 1.0})
    own = plain._grow(
        values, label, {"objective": "survival:cox", "base_score": 1.0}, gradient=_cox_gradient(label, np.zeros(120))
    )
    np.testing.assert_allclose(own, grown, atol=1e-3)


def test_the_clock_of_a_study_keeps_its_order_and_removes_its_scale() -> None:
    X, y, strata = two_studies(100)
    labels = np.array(list(strata.values()))
    other = y.copy()
    other["time"][labels == "B"] *= 40.0
    clock = _on_own_clock(y, labels)
    np.testing.assert_array_equal(clock["time"], _on_own_clock(other, labels)["time"])
    for study in "AB":
        own = labels == study
        np.testing.assert_allclose(
            _ridge_cox(X[own].to_numpy(), clock[own], np.ones(2), np.zeros(2)),
            _ridge_cox(X[own].to_numpy(), y[own], np.ones(2), np.zeros(2)),
            atol=1e-9,
        )


SURVIVAL = {
    "cox": lambda strata: Cox(penalty=0.01, strata=strata),
    "cox_prior": lambda strata: CoxPrior(penalty=1.0, strata=strata),
    "boosted": lambda strata: Boosted(strata=strata),
    "boosted_prior": lambda strata: BoostedPrior(strata=strata),
    "forest": lambda strata: Forest(n_estimators=50, strata=strata),
    "blend": lambda strata: Blend(members=("cox", "cox_prior"), folds=3, strata=strata),
}


@pytest.mark.parametrize("name", SURVIVAL)
def test_a_family_learns_the_risk_within_studies_and_not_which_study_is_worse(name: str, studies) -> None:
    X, y, strata = studies
    pooled, stratified = (SURVIVAL[name](given).fit(X, y) for given in (None, strata))
    batch = pd.DataFrame({"x": [0.0, 0.0], "batch": [0.0, 1.0]})
    learned, left = (float(np.diff(model.predict_log_risk(batch))[0]) for model in (pooled, stratified))
    assert learned > 0.5
    assert abs(left) < 0.5 * learned
    x = pd.DataFrame({"x": [-1.0, 1.0], "batch": [0.5, 0.5]})
    assert np.diff(stratified.predict_log_risk(x))[0] > 0.5
    # Everybody of one study, or no strata at all, is the same fit to the last bit.
    same = SURVIVAL[name](dict.fromkeys(X.index, "A")).fit(X, y)
    np.testing.assert_array_equal(same.predict_log_risk(X), pooled.predict_log_risk(X))


def test_the_order_of_patients_does_not_matter_and_copies_keep_their_study(studies) -> None:
    X, y, strata = studies
    order = np.random.default_rng(2).permutation(len(X))
    for model in (Cox(penalty=0.05, strata=strata), Boosted(n_estimators=20, strata=strata)):
        one, two = clone(model).fit(X, y), clone(model).fit(X.iloc[order], y[order])
        np.testing.assert_array_equal(one.predict_log_risk(X), two.predict_log_risk(X))
    rows = np.random.default_rng(3).integers(0, len(X), len(X))
    assert np.isfinite(Cox(strata=pd.Series(strata))._fit_part(X.iloc[rows], y[rows]).predict_log_risk(X)).all()


def test_a_new_patient_has_the_common_baseline_and_one_of_a_study_its_own_where_asked(studies) -> None:
    X, y, strata = studies
    model = Cox(strata=strata).fit(X, y)
    early, late = (model.for_study(study).predict_risk(X.iloc[:1], np.array([365.0]))[1][0, 0] for study in "AB")
    common = model.predict_risk(X.iloc[:1], np.array([365.0]))[1][0, 0]
    assert early < common < late
    document = json.loads(json.dumps(model.state().document, allow_nan=False))
    assert "p17" not in json.dumps(document)
    again = model_from_state(ModelState(document))
    assert again.for_study("B").predict_risk(X.iloc[:1], np.array([365.0]))[1][0, 0] == late
    assert again.strata is None
    with pytest.raises(InputError, match="no baseline hazard of 'C'"):
        model.for_study("C")


@pytest.mark.parametrize("name", ["cox", "cox_prior", "boosted", "boosted_prior", "forest", "blend", "clinical_cox"])
def test_no_saved_model_names_its_training_patients(name: str, studies) -> None:
    X, y, strata = studies
    model = create_model(name, strata=strata)
    X = X if name != "clinical_cox" else X.set_axis(model.columns[:2], axis=1).reindex(columns=model.columns)
    if name in ("blend", "forest"):
        model = SURVIVAL[name](strata)
    state = recalibrated(model).model.fit(X, y).state() if name == "cox" else model.fit(X, y).state()
    assert "p17" not in json.dumps(state.document)
    assert not any(b"p17" in blob for blob in state.blobs.values())


def binary_studies() -> tuple[pd.DataFrame, np.ndarray, dict[str, str]]:
    X, _, strata = two_studies(400)
    late = np.array(list(strata.values())) == "B"
    odds = X["x"] + np.where(late, 1.5, -1.5)
    y = (np.random.default_rng(5).random(len(X)) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    return X, y, strata


@pytest.mark.parametrize("model", [Logistic(penalty=0.001), BoostedClassifier()])
def test_a_binary_model_has_an_intercept_a_study(model) -> None:
    X, y, strata = binary_studies()
    batch = pd.DataFrame({"x": [0.0, 0.0], "batch": [0.0, 1.0]})
    pooled, stratified = (clone(model).set_params(strata=given).fit(X, y) for given in (None, strata))
    learned, left = (float(np.diff(fit.predict_log_risk(batch))[0]) for fit in (pooled, stratified))
    assert learned > 1
    assert abs(left) < 0.4 * learned
    # The common intercept: as many events are predicted as there were.
    assert stratified.predict_probability(X).mean() == pytest.approx(y.mean(), abs=0.02)


def test_the_logistic_regression_is_that_with_a_dummy_for_each_study() -> None:
    X, y, strata = binary_studies()
    Z = ((X - X.mean()) / X.std(ddof=0)).assign(B=np.array(list(strata.values())) == "B").to_numpy(float)
    peer = LogisticRegression(C=1e6, tol=1e-10, max_iter=1000).fit(Z, y)
    ours = Logistic(penalty=1e-6, calibration_folds=0, strata=strata).fit(X, y)
    np.testing.assert_allclose(ours.coefficients_ * X.std(ddof=0), peer.coef_[0, :2], atol=1e-3)


def test_tuning_and_the_cache_know_the_strata(studies) -> None:
    X, y, strata = studies
    tuned = tune(Cox(strata=strata), X, y, n_trials=3, n_folds=3, seed=0)
    assert tuned.strata == strata
    sides = np.arange(200), np.arange(200, 300)
    moved = dict(zip(X.index, reversed(strata.values()), strict=True))
    renamed = X.set_axis([f"q{number}" for number in range(len(X))])
    other = dict(zip(renamed.index, strata.values(), strict=True))
    keys = [
        _fold_key(Cox(["x"], strata=given), table, y, *sides, {"seed": 0})
        for given, table in ((strata, X), (other, renamed), (moved, X), (None, X))
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_patient_without_a_study_is_refused(studies) -> None:
    X, y, strata = studies
    with pytest.raises(InputError, match="of 2 of 300 patients the stratum is not known") as caught:
        Cox(strata={**strata, "p3": float("nan"), "p5": None}).fit(X, y)
    assert "p3" not in str(caught.value)
