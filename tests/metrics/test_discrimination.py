from __future__ import annotations

import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.utils import concordance_index
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc

from nbrelapse.metrics.discrimination import _ComparablePairs, _risk_ranks, concordance, dynamic_auc
from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.resampling import bootstrap_weights


def one_fold(risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log risks and folds of one model that predicted all."""
    return risk[np.newaxis], np.zeros((1, len(risk)), dtype=int)


def brute_force(y, risk, fold, weights, censoring, tau):
    """Pair by pair, from the definitions."""
    sums = np.zeros(6)
    for r, f in zip(risk, fold, strict=True):
        for i in range(len(y)):
            for j in range(len(y)):
                ti, tj, ei, ej = y["time"][i], y["time"][j], y["event"][i], y["event"][j]
                if ei != 1 or f[i] != f[j] or not (ti < tj or ej == 2 or (ti == tj and ej == 0)):
                    continue
                credit = 1.0 if r[i] > r[j] else 0.5 if r[i] == r[j] else 0.0
                pair = weights[i] * weights[j]
                first_out = min(tj, ti) if ej == 2 else ti
                ipcw = 1 / (censoring.at(ti) * censoring.at(first_out)) if ti < tau else 0.0
                at_risk = float(ti < tj or (ti == tj and ej != 1))
                sums += pair * np.array([credit, 1, credit * ipcw, ipcw, credit * at_risk, at_risk])
    return sums[::2] / sums[1::2]


@pytest.mark.parametrize("seed", range(4))
def test_resamples_equal_scikit_survival(outcome, as_boolean, seed):
    y, risk = outcome(120, seed)
    train = as_boolean(outcome(150, seed + 100)[0])
    weights = bootstrap_weights(len(y), 20, seed)
    tau = 1500.0
    harrell, uno, _ = concordance(y, risk, weights=weights, censoring=CensoringDistribution.fit(train), tau=tau)
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        test = as_boolean(y[rows])
        assert harrell[column] == pytest.approx(
            concordance_index_censored(test["event"], test["time"], risk[rows])[0], abs=1e-12
        )
        assert uno[column] == pytest.approx(concordance_index_ipcw(train, test, risk[rows], tau=tau)[0], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 6), st.integers(0, 3), st.integers(0, 1)), min_size=2, max_size=12
    ),
    st.integers(2, 7),
)
def test_competing_events_and_folds_equal_the_definition(rows, tau):
    table = np.array(rows)
    y = np.empty(len(rows), dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = table[:, 0], table[:, 1]
    risk = np.stack([table[:, 2], -table[:, 2]]).astype(float)
    fold = np.stack([table[:, 3], 1 - table[:, 3]])
    censoring = CensoringDistribution.fit(y)
    tau = min(float(tau), censoring.last_time)
    weights = bootstrap_weights(len(y), 3, 0)
    found = concordance(y, risk, fold=fold, weights=weights, censoring=censoring, tau=tau)
    with np.errstate(invalid="ignore"):
        expected = [brute_force(y, risk, fold, weights[:, b], censoring, tau) for b in range(4)]
    np.testing.assert_allclose(np.transpose(found), np.array(expected, dtype=float), rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_sixty_patients_equal_the_definition(seed):
    generator = np.random.default_rng(seed)
    y = np.empty(60, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = generator.integers(0, 3, 60), generator.integers(1, 7, 60)
    risk = generator.integers(0, 9, 60).astype(float)
    censoring = CensoringDistribution.fit(y)
    weights = bootstrap_weights(60, 2, seed)
    found = concordance(y, risk, weights=weights, censoring=censoring, tau=5.0)
    expected = [brute_force(y, *one_fold(risk), weights[:, b], censoring, 5.0) for b in range(3)]
    np.testing.assert_allclose(np.transpose(found), expected, rtol=1e-9)


def test_each_pair_by_hand():
    """Observation ends on days 1 and 3, so G falls to 5/6 and to 5/6 * 3/4 = 5/8."""
    y = np.array(
        [(0, 1.0), (2, 2.0), (0, 3.0), (1, 4.0), (0, 5.0), (0, 6.0)], dtype=[("event", np.int8), ("time", float)]
    )
    risk = np.array([9.0, 1.0, 9.0, 2.0, 1.0, 3.0])
    ones = np.ones((6, 1), dtype=np.float32)
    censoring = CensoringDistribution.fit(y)
    # The event on day 4 outranks the competing event on day 2 and the patient of day 5, not that of day 6.
    harrell, uno, cause_specific = concordance(y, risk, weights=ones, censoring=censoring, tau=4.5)
    later, earlier = (8 / 5) ** 2, 8 / 5 * 6 / 5
    assert harrell[0] == pytest.approx(2 / 3)
    assert uno[0] == pytest.approx((later + earlier) / (2 * later + earlier))
    assert cause_specific[0] == pytest.approx(1 / 2)
    # A tie is half a credit; an event on day tau does not count.
    tied = np.where(risk == 3.0, 2.0, risk)
    assert concordance(y, tied, weights=ones, censoring=censoring, tau=4.5).harrell[0] == pytest.approx(2.5 / 3)
    at_tau = concordance(y, risk, weights=ones, censoring=censoring, tau=4.0)
    assert np.isnan(at_tau.uno[0])
    assert at_tau.harrell[0] == pytest.approx(2 / 3)


def test_a_competing_event_is_never_having_the_event(outcome):
    """Wolbers 2009: Harrell's C equals the one with competing events censored after everybody else."""
    y, risk = outcome(150, 3, competing=True)
    assert (y["event"] == 2).sum() > 10
    forever = y.copy()
    forever["time"][y["event"] == 2] = 1e6
    forever["event"][y["event"] == 2] = 0
    weights = bootstrap_weights(len(y), 5, 0)
    censoring = CensoringDistribution.fit(y)
    harrell, *_ = concordance(y, risk, weights=weights, censoring=censoring, tau=1000.0)
    expected, *_ = concordance(forever, risk, weights=weights, censoring=censoring, tau=1000.0)
    np.testing.assert_allclose(harrell, expected, rtol=1e-12)


def test_log_risks_of_different_folds_are_not_compared(outcome):
    y, risk = outcome(100, 1)
    fold = np.arange(100)[np.newaxis] % 2
    ones = np.ones((100, 1), dtype=np.float32)
    censoring = CensoringDistribution.fit(y)
    shifted = risk + 100 * fold[0]
    assert concordance(y, risk[np.newaxis], fold=fold, weights=ones, censoring=censoring, tau=900.0) == concordance(
        y, shifted[np.newaxis], fold=fold, weights=ones, censoring=censoring, tau=900.0
    )


def test_the_cause_specific_c_censors_competing_events(outcome, as_boolean):
    y, risk = outcome(200, 4, competing=True)
    censored = y.copy()
    censored["event"][y["event"] == 2] = 0
    weights = bootstrap_weights(len(y), 5, 0)
    distribution = CensoringDistribution.fit(y)
    found = concordance(y, risk, weights=weights, censoring=distribution, tau=1000.0)
    expected = concordance(censored, risk, weights=weights, censoring=distribution, tau=1000.0)
    np.testing.assert_array_equal(found.cause_specific, expected.harrell)
    np.testing.assert_array_equal(expected.cause_specific, expected.harrell)
    assert (found.cause_specific != found.harrell).all()
    boolean = as_boolean(y)
    assert found.cause_specific[0] == pytest.approx(
        concordance_index_censored(boolean["event"], boolean["time"], risk)[0], abs=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_equals_lifelines(outcome, seed):
    y, risk = outcome(150, seed)
    ones = np.ones((len(y), 1), dtype=np.float32)
    found = concordance(y, risk, weights=ones, censoring=CensoringDistribution.fit(y), tau=1000.0)
    assert found.harrell[0] == pytest.approx(concordance_index(y["time"], -risk, y["event"] == 1), abs=1e-12)


def test_chunks_of_columns_change_nothing(outcome, monkeypatch):
    y, risk = outcome(80, 2, competing=True)
    weights = bootstrap_weights(80, 40, 0)
    censoring = CensoringDistribution.fit(y)
    whole = concordance(y, risk, weights=weights, censoring=censoring, tau=900.0)
    monkeypatch.setattr("nbrelapse.metrics.resampling._CHUNK_VALUES", 80)
    np.testing.assert_allclose(concordance(y, risk, weights=weights, censoring=censoring, tau=900.0), whole, rtol=1e-12)


def test_no_comparable_pair_is_nan():
    y = np.array([(0, 5.0), (0, 6.0)], dtype=[("event", np.int8), ("time", float)])
    ones = np.ones((2, 1), dtype=np.float32)
    found = concordance(y, np.array([1.0, 2.0]), weights=ones, tau=6.0)
    assert np.isnan(found).all()


ITEM = st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 5), st.booleans(), st.booleans())


@pytest.mark.parametrize("block_bits", [1, 5])
@settings(max_examples=80, deadline=None)
@given(st.lists(ITEM, min_size=1, max_size=20))
def test_sums_equal_the_definition(block_bits, items):
    stratum, position, rank, query, source = (np.array(column) for column in zip(*items, strict=True))
    generator = np.random.default_rng(0)
    own, given_ = generator.uniform(size=(2, len(items), 3))
    factors = generator.uniform(size=(2, len(items)))
    expected = np.zeros((2, 2, 3))
    for i in np.flatnonzero(query):
        for j in np.flatnonzero(source):
            if stratum[i] == stratum[j] and position[j] > position[i]:
                pair = factors[:, [i]] * own[i] * given_[j]
                expected += [(rank[i] > rank[j]) * pair + (rank[i] == rank[j]) * pair / 2, pair]
    with mock.patch.object(sys.modules[_ComparablePairs.__module__], "_BLOCK_BITS", block_bits):
        pairs = _ComparablePairs.of(stratum, position, rank + 6 * stratum, query=query, source=source)
    np.testing.assert_allclose(pairs.sums(own, given_, factors), expected, atol=1e-12)


def test_ties_are_within_a_fold_and_within_the_tolerance():
    risk = np.array([0.0, 5e-9, 2e-8, 1.0, 0.0, 0.0])
    assert _risk_ranks(risk, np.array([0, 0, 0, 0, 1, 1])).tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("horizon", [365.25, 700.0, 1800.0])
def test_dynamic_auc_resamples_equal_scikit_survival(outcome, as_boolean, seed, horizon):
    y, risk = outcome(150, seed)
    train = as_boolean(outcome(150, seed + 100)[0])
    train["time"][0], train["event"][0] = 9000, False  # scikit-survival wants G at every test time
    weights = bootstrap_weights(len(y), 10, seed)
    fold = np.zeros((1, len(y)), dtype=int)
    found = dynamic_auc(
        y, risk[np.newaxis], horizon, fold=fold, weights=weights, censoring=CensoringDistribution.fit(train)
    )
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        expected, _ = cumulative_dynamic_auc(train, as_boolean(y[rows]), risk[rows], horizon)
        assert found[column] == pytest.approx(expected[0], abs=1e-9)


def test_competing_events_folds_and_repeats_equal_the_definition(outcome):
    y, risk = outcome(60, 5, competing=True)
    generator = np.random.default_rng(0)
    log_risk = np.stack([risk, np.round(risk + generator.normal(size=60), 1)])
    fold = generator.integers(0, 3, size=(2, 60))
    weights = bootstrap_weights(60, 2, 1)
    censoring = CensoringDistribution.fit(y)
    horizon = 800.0
    expected = np.zeros((2, 3))
    for r, f in zip(log_risk, fold, strict=True):
        for i in range(60):
            for j in range(60):
                case = y["event"][i] == 1 and y["time"][i] <= horizon
                control = y["time"][j] > horizon or y["event"][j] == 2
                if case and control and f[i] == f[j]:
                    credit = 1.0 if r[i] > r[j] else 0.5 if r[i] == r[j] else 0.0
                    pair = weights[i] * weights[j] / censoring.at(y["time"][i])
                    pair = pair / censoring.at(min(y["time"][j], horizon))
                    expected += np.outer([credit, 1], pair)
    found = dynamic_auc(y, log_risk, horizon, fold=fold, weights=weights, censoring=censoring)
    np.testing.assert_allclose(found, expected[0] / expected[1], rtol=1e-6)


def test_cases_without_controls_in_their_fold_are_nan():
    y = np.array([(1, 5.0), (0, 60.0)], dtype=[("event", np.int8), ("time", float)])
    fold = np.array([[0, 1]])
    found = dynamic_auc(y, np.array([[1.0, 0.0]]), 20.0, fold=fold)
    assert np.isnan(found).all()
