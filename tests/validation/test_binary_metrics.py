"""AUC, Brier score, index of prediction accuracy and calibration against scikit-learn, with ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from nbrelapse.models.log_likelihood import log_likelihood
from nbrelapse.validation.binary_metrics import binary_metrics
from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.roc_area import roc_area

N = 300


def predicted(log_odds: np.ndarray, fold: np.ndarray | None = None) -> Predictions:
    log_odds = np.atleast_2d(log_odds)
    fold = np.zeros(log_odds.shape, dtype=np.int64) if fold is None else np.atleast_2d(fold)
    return Predictions("m", log_odds, fold, expit(log_odds)[:, :, None], np.array([np.inf]))


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, overconfident log odds with ties, and the weights of 20 resamples."""
    rng = np.random.default_rng(4)
    log_odds = rng.normal(-0.5, 1.5, N).round(1)
    y = (rng.random(N) < expit(0.3 + 0.6 * log_odds)).astype(np.int8)
    return y, log_odds, bootstrap_weights(N, 20, seed=1)


def spline(x: np.ndarray) -> np.ndarray:
    """Harrell's restricted cubic spline with three knots, from its formula."""
    k = np.quantile(x, [0.1, 0.5, 0.9])
    cube = np.maximum(x[:, None] - k, 0) ** 3
    curved = cube[:, 0] - cube[:, 1] * (k[2] - k[0]) / (k[2] - k[1]) + cube[:, 2] * (k[1] - k[0]) / (k[2] - k[1])
    return np.column_stack([x, curved / (k[2] - k[0]) ** 2])


def unpenalised(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> LogisticRegression:
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=5000, solver="newton-cholesky")
    return model.fit(X, y, sample_weight=weight)


def test_every_metric_is_that_of_scikit_learn(drawn):
    y, log_odds, weights = drawn
    found = binary_metrics(predicted(log_odds), y, weights)
    for column in range(weights.shape[1]):
        own = weights[:, column].astype(float)
        brier = brier_score_loss(y, expit(log_odds), sample_weight=own)
        share = np.average(y, weights=own)
        slope = unpenalised(log_odds[:, None], y, own).coef_[0, 0]
        smooth = unpenalised(spline(log_odds), y, own).predict_proba(spline(log_odds))[:, 1]
        expected = {
            "auc": roc_auc_score(y, log_odds, sample_weight=own),
            "brier": brier,
            "ipa": 1 - brier / brier_score_loss(y, np.full(N, share), sample_weight=own),
            "calibration_slope": slope,
            "ici": np.average(np.abs(smooth - expit(log_odds)), weights=own),
        }
        for name, value in expected.items():
            assert found[name][column] == pytest.approx(value, abs=1e-6), name


def test_calibration_in_the_large_makes_the_expected_events_the_observed_ones(drawn):
    y, log_odds, weights = drawn
    intercept = binary_metrics(predicted(log_odds), y, weights)["calibration_intercept"]
    expected = (expit(log_odds[:, None] + intercept) * weights).sum(axis=0)
    np.testing.assert_allclose(expected, y @ weights.astype(float), atol=1e-6)


def test_a_resample_is_worth_its_repeated_patients(drawn):
    y, log_odds, weights = drawn
    rows = np.repeat(np.arange(N), weights[:, 3].astype(int))
    one = np.ones((N, 1), np.float32)
    by_weight = binary_metrics(predicted(log_odds), y, weights[:, 3:4])
    by_row = binary_metrics(predicted(log_odds[rows]), y[rows], one)
    for name in set(by_row) - {"ici"}:
        # The knots of the spline stay where all patients put them.
        assert by_weight[name][0] == pytest.approx(by_row[name][0], abs=1e-8), name


def test_pairs_are_formed_within_a_fold_and_summed_over_repeats(drawn):
    y, log_odds, _ = drawn
    fold = np.stack([np.arange(N) % 3, np.arange(N) % 2])
    risk = np.stack([log_odds + 10 * fold[0], -log_odds])
    credit = pairs = 0.0
    for repeat in range(2):
        for name in np.unique(fold[repeat]):
            inside = fold[repeat] == name
            n_pairs = y[inside].sum() * (1 - y[inside]).sum()
            credit += n_pairs * roc_auc_score(y[inside], risk[repeat, inside])
            pairs += n_pairs
    found = roc_area(risk, fold, np.ones((N, 1)), y == 1, y == 0)
    assert found[0] == pytest.approx(credit / pairs, abs=1e-9)


def test_repeats_are_pooled(drawn):
    y, log_odds, weights = drawn
    twice = binary_metrics(predicted(np.stack([log_odds, log_odds])), y, weights)
    for name, values in binary_metrics(predicted(log_odds), y, weights).items():
        np.testing.assert_allclose(twice[name], values, atol=1e-7, err_msg=name)


def test_perfect_predictions_have_no_calibration_slope():
    y = np.repeat([0, 1], 20).astype(np.int8)
    found = binary_metrics(predicted(np.where(y == 1, 3.0, -3.0)), y, np.ones((40, 1), np.float32))
    assert found["auc"][0] == 1
    assert np.isnan(found["calibration_slope"][0]) and np.isnan(found["ici"][0])


def test_the_same_prediction_for_all_of_a_fold_has_no_slope_but_an_intercept():
    y, fold = np.array([0, 1, 1, 1] * 10, dtype=np.int8), np.repeat([0, 1], 20)
    found = binary_metrics(predicted(np.where(fold == 0, 0.1, 0.2), fold), y, np.ones((40, 1), np.float32))
    assert found["auc"][0] == 0.5
    assert np.isnan(found["calibration_slope"][0])
    assert found["calibration_intercept"][0] == pytest.approx(logit(0.75) - 0.15, abs=1e-3)


def test_groups_are_calibrated_by_a_straight_line():
    """Two levels leave the spline without its knots; the observed shares are then met exactly."""
    y = np.repeat([0, 1, 0, 1], [30, 10, 5, 15]).astype(np.int8)
    log_odds = np.repeat([logit(0.5), logit(0.6)], [40, 20])
    found = binary_metrics(predicted(log_odds), y, np.ones((60, 1), np.float32))
    assert found["ici"][0] == pytest.approx((40 * 0.25 + 20 * 0.15) / 60, abs=1e-6)


def test_one_class_alone_has_no_index_and_no_auc():
    found = binary_metrics(predicted(np.linspace(-1, 1, 12)), np.ones(12, np.int8), np.ones((12, 1), np.float32))
    assert all(np.isnan(found[name][0]) for name in ("auc", "ipa", "calibration_slope", "calibration_intercept"))


def test_the_log_likelihood_is_minus_the_log_loss(drawn):
    y, log_odds, _ = drawn
    assert log_likelihood(y, log_odds) == pytest.approx(-log_loss(y, expit(log_odds)), abs=1e-12)
