from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from nbrelapse.validation.discrimination import discrimination
from nbrelapse.validation.predictions import Predictions


def predicted(log_risk: np.ndarray, fold: np.ndarray | None = None) -> Predictions:
    risk = log_risk[np.newaxis]
    folds = np.zeros(risk.shape, dtype=int) if fold is None else fold[np.newaxis]
    return Predictions("m", risk, folds, np.zeros((*risk.shape, 1)), np.ones(1))


@pytest.mark.parametrize("seed", range(3))
def test_a_time_to_an_event_gives_harrells_c(outcome, seed):
    y, risk = outcome(150, seed)
    expected = concordance_index_censored(y["event"] == 1, y["time"], risk)[0]
    assert discrimination(y, predicted(risk)) == pytest.approx(expected, abs=1e-6)


def test_a_binary_outcome_gives_the_auc_ties_among_it():
    generator = np.random.default_rng(1)
    risk = generator.normal(size=200).round(1)
    y = (generator.random(200) < 1 / (1 + np.exp(-risk))).astype(np.int8)
    assert discrimination(y, predicted(risk)) == pytest.approx(roc_auc_score(y, risk), abs=1e-6)


def test_patients_of_different_folds_are_not_compared():
    y = np.array([1, 0, 1, 0])
    risk, fold = np.array([1.0, 0.0, -5.0, -6.0]), np.array([0, 0, 1, 1])
    assert discrimination(y, predicted(risk)) == 0.75
    assert discrimination(y, predicted(risk, fold)) == 1.0
