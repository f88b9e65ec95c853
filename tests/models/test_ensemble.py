"""The ensemble: members, leaving out, missing blocks, companions, saving."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.metrics.discrimination import harrell_c
from nbrelapse.models import Ensemble, EnsembleClassifier, ModelState, check_state, ensemble_blocks, model_from_state
from nbrelapse.models.hazards import _ridge_cox
from nbrelapse.models.resamples import refit
from nbrelapse.models.ridge import _Ridge
from nbrelapse.outcome import Outcome

TIMES = np.array([365.0, 1500.0])
N, WIDE = 140, 60


@pytest.fixture(scope="module")
def patients():
    """Two blocks of many noisy measurements of one signal each, and two clinical terms."""
    rng = np.random.default_rng(11)
    signal = rng.normal(size=(N, 2))
    values = {"clinical__log2_age": rng.normal(size=N), "mycn__amplified": (rng.random(N) < 0.25).astype(float)}
    for block, name in enumerate("ab"):
        load = rng.normal(size=WIDE)
        values |= {
            f"{name}{column}": load[column] * signal[:, block] + rng.normal(size=N, scale=2.0) for column in range(WIDE)
        }
    X = pd.DataFrame(values, index=pd.Index([f"p{row}" for row in range(N)], name="patient_id"))
    risk = 0.8 * signal.sum(axis=1) + 0.7 * X["mycn__amplified"].to_numpy()
    return X, _timed(risk, rng), _timed(risk, rng)


def _timed(risk, rng):
    time, censored = rng.exponential(1500 * np.exp(-risk)), rng.uniform(300, 3000, len(risk))
    y = np.empty(len(risk), dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = time <= censored, np.minimum(time, censored)
    return y


BLOCKS = {f"{name}{column}": name for name in "ab" for column in range(WIDE)} | {
    "clinical__log2_age": "clinical",
    "mycn__amplified": "clinical",
}


@pytest.fixture(scope="module")
def fitted(patients):
    X, y, _ = patients
    return Ensemble(blocks=BLOCKS).fit(X, y)


def scaled(X):
    """The blocks as the ensemble scales them."""
    values = X.iloc[:, 2:].to_numpy()
    return (values - values.mean(axis=0)) / values.std(axis=0) / np.sqrt(WIDE * 0.5)


def test_a_member_is_the_ridge_regression(patients):
    X, y, _ = patients
    W = X.iloc[:, 2:20].to_numpy() / 7.0
    offset = 0.3 * X["a40"].to_numpy()
    strata = np.arange(N) % 3
    fit = _Ridge.fit(W, y, offset, strata)
    # An offset is a column whose coefficient is known.
    expected = _ridge_cox(
        np.column_stack([W, offset]), y, np.append(np.ones(18), 1e9), np.append(np.zeros(18), 1.0), strata
    )
    assert np.allclose(fit.coefficients, expected[:-1], atol=1e-5)
    assert np.allclose(fit.log_risk, W @ fit.coefficients + offset)


def test_a_binary_member_is_scikit_learns(patients):
    X, y, _ = patients
    W = X.iloc[:, 2:20].to_numpy() / 7.0
    fit = _Ridge.fit(W, y["event"], np.zeros(N))
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(W, y["event"])
    assert np.allclose(fit.coefficients, peer.coef_[0], atol=1e-4)


@pytest.mark.parametrize("binary", [False, True])
def test_leaving_out_by_one_step_is_leaving_out(patients, binary):
    X, y, _ = patients
    y = y["event"] if binary else y
    W = scaled(X)
    fit = _Ridge.fit(W, y, np.zeros(N))
    rows = np.arange(N)
    exact = []
    for row in rows:
        without = _Ridge.fit(W[rows != row], y[rows != row], np.zeros(N - 1))
        exact.append(W[row] @ without.coefficients)
    found = fit.left_out(rows)
    inside = fit.log_risk if not binary else W @ fit.coefficients
    found = found - (fit.log_risk - inside)  # without the intercept
    assert np.corrcoef(found, exact)[0, 1] > 0.99
    # What is seen of itself goes: the error is a small part of it.
    assert np.abs(found - exact).mean() < 0.15 * np.abs(inside - exact).mean()


def test_all_rows_of_a_patient_are_left_out_together(patients):
    X, y, _ = patients
    W = scaled(X)
    twice = np.concatenate([np.arange(N), np.arange(10)])
    fit = _Ridge.fit(W[twice], y[twice], np.zeros(N + 10))
    together, apart = fit.left_out(twice), fit.left_out(np.arange(N + 10))
    assert np.allclose(together[:10], together[N:])
    exact = []
    for row in range(10):
        kept = twice[twice != row]
        exact.append(W[row] @ _Ridge.fit(W[kept], y[kept], np.zeros(len(kept))).coefficients)
    assert np.abs(together[:10] - exact).mean() < np.abs(apart[:10] - exact).mean()


def test_it_ranks_better_than_a_block_alone(patients, fitted):
    X, y, _ = patients
    rows = np.arange(N)
    half, rest = rows % 2 == 0, rows % 2 == 1
    both = refit(Ensemble(blocks=BLOCKS), X, y, half).predict_log_risk(X[rest])
    one = refit(Ensemble([name for name in X if name[0] != "b"], BLOCKS), X, y, half).predict_log_risk(X[rest])
    assert harrell_c(y[rest], both) > harrell_c(y[rest], one) + 0.03
    assert fitted.members_ == {"a": 2, "b": 2, "clinical": 1}
    assert {name: len(own) for name, own in fitted.blocks_.items()} == {"a": WIDE, "b": WIDE, "clinical": 2}


def test_its_slope_is_of_patients_who_were_left_out(patients):
    """In patients like those of the training the log risk is neither too large nor too small."""
    rng = np.random.default_rng(3)
    slopes = []
    for _ in range(12):
        X = pd.DataFrame(rng.normal(size=(300, 40)), columns=[f"x{column}" for column in range(40)])
        y = _timed(0.35 * X.iloc[:, :6].sum(axis=1).to_numpy(), rng)
        model = refit(Ensemble(), X, y, slice(0, 100))
        log_risk = model.predict_log_risk(X.iloc[100:])
        slopes.append(_ridge_cox(log_risk[:, None], y[100:], np.array([1e-6]), np.zeros(1))[0])
    assert 0.85 < np.mean(slopes) < 1.2


def test_attributions_add_up_exactly(patients, fitted):
    X = patients[0].copy()
    X.iloc[:30, 2 : 2 + WIDE] = np.nan
    X.iloc[20:50, 0] = np.nan
    X.iloc[10:25, 2 + WIDE :] = np.nan
    log_risk = fitted.predict_log_risk(X)
    for background in (None, X.iloc[::3]):
        found = fitted.attribute(X, background)
        assert np.abs(found.baseline + found.values.sum(axis=1) - log_risk).max() < 1e-10
    alone = fitted.attribute(X)
    assert (alone.values.to_numpy()[np.isnan(X.to_numpy())] == 0).all()


def test_a_missing_block_leaves_its_members_out(patients, fitted):
    X, y, _ = patients
    without = X.copy()
    without.iloc[:, 2 : 2 + WIDE] = np.nan
    few = without.copy()
    few.iloc[:, 2:8] = X.iloc[:, 2:8]  # a tenth of the block is as good as none
    full, less = fitted.predict_log_risk(X), fitted.predict_log_risk(without)
    assert np.allclose(fitted.attribute(few).values["a0"], 0.0)
    assert np.std(less) < 0.9 * np.std(full)  # told less apart
    assert harrell_c(y, less) > 0.6
    terms = fitted.attribute(without).values
    ratio = terms["b3"] / fitted.attribute(X).values["b3"]
    assert ratio.std() < 1e-9
    assert ratio.iloc[0] > 1.0  # what is left speaks for both


def test_clinical_terms_alone_predict_where_nothing_else_is_known(patients, fitted):
    X, y, _ = patients
    nothing = X.copy()
    nothing.iloc[:, 2:] = np.nan
    log_risk = fitted.predict_log_risk(nothing)
    assert harrell_c(y, log_risk) > 0.53
    own = refit(Ensemble(["clinical__log2_age", "mycn__amplified"]), X, y)
    assert own.members_ == {"clinical": 1}
    assert np.corrcoef(own.predict_log_risk(X), log_risk)[0, 1] > 0.999
    assert np.allclose(fitted.predict_log_risk(pd.DataFrame(np.nan, X.index, X.columns)), fitted.intercept_)


def test_companions_are_read_of_the_training_patients_only(patients):
    X, y, other = patients
    half = np.arange(N) < N // 2
    changed = other.copy()
    changed["time"][~half] = 1.0
    first, second = (
        refit(Ensemble(blocks=BLOCKS, companions={"os": Outcome("os", X.index, target)}), X, y, half)
        for target in (other, changed)
    )
    assert (first.predict_log_risk(X) == second.predict_log_risk(X)).all()
    assert first.members_ == {"a": 4, "b": 4, "clinical": 2}
    alone = refit(Ensemble(blocks=BLOCKS), X, y, half)
    assert harrell_c(y[~half], first.predict_log_risk(X[~half])) > harrell_c(y[~half], alone.predict_log_risk(X[~half]))


def test_a_companion_that_says_nothing_new_is_left_out(patients):
    X, y, other = patients
    few = Outcome("os", X.index[:1], other[:1])
    same = Outcome("efs", X.index, y.copy())
    assert Ensemble(companions={"efs": same, "os": few}).fit(X, y).members_ == {"features": 2, "clinical": 1}
    assert Ensemble(companions={"efs": same, "os": few}).fit(X, y).companions_ == ()
    part = Outcome("os", X.index[10:90], other[10:90])
    partly = Ensemble(companions={"os": part}).fit(X, y)
    assert (partly.members_, partly.companions_) == ({"features": 4, "clinical": 2}, ("os",))


def test_it_starts_from_an_earlier_model(patients):
    X, y, _ = patients
    few = np.arange(N) < 30
    known = refit(Ensemble(blocks=BLOCKS), X, y, ~few)
    start = PriorKnowledge(dict(zip(X, known.coefficients_, strict=True)))
    rng = np.random.default_rng(1)
    fresh, started = [], []
    for _ in range(15):
        rows = rng.choice(np.flatnonzero(~few), 25, replace=False)
        for found, model in ((fresh, Ensemble(blocks=BLOCKS)), (started, Ensemble(blocks=BLOCKS, start=start))):
            found.append(harrell_c(y[few], refit(model, X, y, rows).predict_log_risk(X[few])))
    assert np.mean(started) > np.mean(fresh) + 0.01


@pytest.mark.parametrize("model", [Ensemble, EnsembleClassifier])
def test_it_comes_back_to_the_last_bit(patients, model):
    X, y, _ = patients
    target = y if model is Ensemble else y["event"]
    fitted = model(blocks=BLOCKS).fit(X, target)
    document = json.loads(json.dumps(fitted.state().document))
    check_state(ModelState(document))
    back = model_from_state(ModelState(document))
    gone = X.copy()
    gone.iloc[:9, 2 : 2 + WIDE] = np.nan
    for now, then in zip(back.predict_risk(gone, TIMES), fitted.predict_risk(gone, TIMES), strict=True):
        assert (now == then).all()
    assert "p3" not in json.dumps(document)


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document["blocks"]["a"]["features"].__setitem__(0, 10_000),
        lambda document: document["blocks"]["a"]["features"].__setitem__(0, document["blocks"]["b"]["features"][0]),
        lambda document: document["blocks"]["a"]["coefficients"].pop(),
        lambda document: document["covariance"].pop(),
        lambda document: document["blocks"]["b"]["clinical"].append(0.0),
        lambda document: document.update(slope=float("inf")),
        lambda document: document.update(blocks={}),
    ],
)
def test_a_damaged_state_is_refused(fitted, damage):
    document = json.loads(json.dumps(fitted.state().document))
    damage(document)
    with pytest.raises(InputError):
        check_state(ModelState(document))


def test_blocks_of_a_feature_table_come_from_its_catalogue(patients):
    _, y, _ = patients
    rng = np.random.default_rng(2)
    names = ["clinical__log2_age", "mycn__amplified", "mycn__expression", "instability__loss_1p", "ras_mapk__activity"]
    values = pd.DataFrame(rng.normal(size=(N, 5)), columns=names)
    table = FeatureTable(values, load_catalogue())
    found = Ensemble().fit(table, y)
    assert {name: sorted(own) for name, own in found.blocks_.items()} == {
        "clinical": ["clinical__log2_age", "mycn__amplified"],
        "copy_number": ["instability__loss_1p"],
        "scores": ["mycn__expression", "ras_mapk__activity"],
    }
    assert ensemble_blocks(load_catalogue(), names)["mycn__expression"] == "scores"


def test_bad_input_is_named(patients):
    X, y, _ = patients
    with pytest.raises(InputError, match="have no block"):
        Ensemble(blocks={"a0": "a"}).fit(X, y)
    with pytest.raises(InputError, match="illegal block_precision"):
        Ensemble(block_precision=0.0).fit(X, y)
    with pytest.raises(InputError, match="illegal clinical_precision"):
        EnsembleClassifier(clinical_precision=-1.0).fit(X, y["event"])


def test_competing_deaths_are_carried_by_the_clinical_terms(patients):
    X, y, _ = patients
    y = y.copy()
    y["event"][np.flatnonzero(y["event"] == 0)[:30]] = 2
    model = Ensemble(blocks=BLOCKS).fit(X, y)
    incidence = model.predict_cumulative_incidence(X, TIMES)
    assert np.allclose(incidence.sum(axis=1), 1.0)
    terms = model.competing_terms(X)
    assert (terms.drop(columns=["clinical__log2_age", "mycn__amplified"]) == 0).all().all()
