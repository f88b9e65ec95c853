from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import concordance_index_censored

from nbrelapse.validation.bootstrap_weights import bootstrap_weights
from nbrelapse.validation.corrected_choice import corrected_choice
from nbrelapse.validation.discrimination import discrimination
from nbrelapse.validation.predictions import Predictions


def predicted(log_risk: np.ndarray) -> Predictions:
    risk = log_risk[np.newaxis]
    return Predictions("m", risk, np.zeros(risk.shape, dtype=int), np.zeros((*risk.shape, 1)), np.ones(1))


def test_it_is_the_mean_over_resamples_of_the_winner_among_the_others(outcome):
    y, risk = outcome(60, 7)
    generator = np.random.default_rng(7)
    models = {name: predicted(risk + generator.normal(scale=2, size=60)) for name in "abc"}
    inside = bootstrap_weights(60, 20, 1)[:, 1:]
    expected = []
    for weights in inside.T:
        rows, rest = np.repeat(np.arange(60), weights.astype(int)), np.flatnonzero(weights == 0)

        def c(model: Predictions, chosen: np.ndarray) -> float:
            return concordance_index_censored(y["event"][chosen] == 1, y["time"][chosen], model.log_risk[0, chosen])[0]

        best = max(models.values(), key=lambda model: c(model, rows))
        expected.append(c(best, rest))
    assert corrected_choice(models, y, n_bootstrap=20, seed=1) == pytest.approx(np.mean(expected), abs=1e-6)


def test_the_best_of_many_coins_is_a_coin(outcome):
    y, _ = outcome(120, 8)
    coins = {str(seed): predicted(np.random.default_rng(seed).normal(size=120)) for seed in range(100, 120)}
    apparent = max(discrimination(y, coin) for coin in coins.values())
    corrected = corrected_choice(coins, y)
    assert apparent > 0.53
    assert corrected < apparent - 0.01


def test_a_clear_winner_keeps_its_figure(outcome):
    y, risk = outcome(200, 9)
    models = {"good": predicted(risk), "bad": predicted(-risk)}
    assert corrected_choice(models, y) == pytest.approx(discrimination(y, models["good"]), abs=0.01)


def test_without_a_choice_there_is_nothing_to_correct(outcome):
    y, risk = outcome(50, 1)
    assert np.isnan(corrected_choice({"one": predicted(risk)}, y))
    nobody = y.copy()
    nobody["event"] = 0
    assert np.isnan(corrected_choice({"one": predicted(risk), "two": predicted(-risk)}, nobody))
