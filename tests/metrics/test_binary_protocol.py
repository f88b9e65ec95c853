"""Splits, tuning, nested cross-validation and evaluation of a binary outcome: the paths of times to an event."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import evaluate
from nbrelapse.metrics.horizons import prediction_times
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.models.hazards import log_likelihood
from nbrelapse.models.logistic import Logistic
from nbrelapse.validation.nested import holdout_predictions, nested_cross_validation
from nbrelapse.validation.splits import repeated_folds
from nbrelapse.validation.tuning import tune


@pytest.fixture(scope="module")
def data() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(150, 6)), columns=list("abcdef"))
    return X, (rng.random(150) < expit(1.5 * X["a"].to_numpy() - 0.5)).astype(np.int8)


def test_both_classes_are_in_every_fold():
    y = np.repeat([0, 1], [47, 5]).astype(np.int8)
    for _, _, train, test in repeated_folds(y, n_repeats=3, n_folds=5, seed=0):
        assert set(y[train]) == set(y[test]) == {0, 1}


@pytest.mark.parametrize(("events", "problem"), [(2, "2 events are"), (48, "2 patients without the event are")])
def test_fewer_of_a_class_than_folds_is_refused(events, problem):
    y = np.repeat([1, 0], [events, 50 - events]).astype(np.int8)
    with pytest.raises(InputError, match=problem):
        repeated_folds(y, n_repeats=1, n_folds=5, seed=0)


def test_tuning_finds_the_penalty_with_the_highest_likelihood(data):
    X, y = data
    tuned = tune(Logistic(), X, y, n_trials=12, n_folds=3, seed=1)
    assert tuned.calibration_folds == 5
    splits = repeated_folds(y, n_repeats=1, n_folds=3, seed=1)

    def likelihood(model: Logistic) -> float:
        log_odds = np.empty(len(y))
        for _, _, train, test in splits:
            log_odds[test] = model.for_trial().fit(X.iloc[train], y[train]).predict_log_risk(X.iloc[test])
        return log_likelihood(y, log_odds)

    assert likelihood(tuned) > likelihood(Logistic(penalty=3.0, l1_ratio=1.0))
    assert likelihood(tuned) >= likelihood(Logistic(penalty=0.01, l1_ratio=0.02))


def test_nested_predictions_do_not_depend_on_the_jobs_and_are_evaluated(data):
    X, y = data
    models = {"logistic": Logistic(), "none": Logistic(["f"], penalty=1.0)}
    times = prediction_times(y)
    settings = {"n_repeats": 2, "n_folds": 3, "n_inner_folds": 2, "n_trials": 3, "seed": 4, "times": times}
    found = nested_cross_validation(models, X, y, n_jobs=1, **settings)
    again = nested_cross_validation(models, X, y, n_jobs=2, **settings)
    np.testing.assert_array_equal(found["logistic"].log_risk, again["logistic"].log_risk)
    masks = {"all": np.ones(150, bool), "few": np.arange(150) < 9}
    evaluation = evaluate(found, y, populations=masks, references=["none"], n_bootstrap=200)
    row = evaluation.metrics.query("model == 'logistic' and metric == 'auc' and population == 'all'").iloc[0]
    assert 0.65 < row["low"] < row["value"] < row["high"] < 1
    assert (row["n"], row["events"]) == (150, y.sum())
    gain = evaluation.differences.query("model == 'logistic' and metric == 'brier'").iloc[0]
    assert gain["high"] < 0
    assert any(note.startswith("few: left out") for note in evaluation.notes)


def test_bca_intervals_are_given_as_well(data):
    X, y = data
    model = Logistic(penalty=0.1).fit(X.iloc[:75], y[:75])
    held = holdout_predictions({"m": model}, X.iloc[75:], prediction_times(y))
    masks = {"all": np.ones(75, bool)}
    found = evaluate(held, y[75:], populations=masks, references=[], n_bootstrap=200, interval="bca").metrics
    found = found.set_index("metric")
    assert np.isfinite(found.drop("ici")[["value", "low", "high"]].to_numpy()).all()
    assert np.isfinite(found.loc["ici", ["value", "by_chance"]].to_numpy(float)).all()


def test_what_is_undefined_is_noted():
    y = np.repeat([0, 1], 20).astype(np.int8)
    log_odds = np.where(y == 1, 2.0, -2.0)[None]
    held = Predictions("m", log_odds, np.zeros((1, 40), int), expit(log_odds)[:, :, None], np.array([np.inf]))
    found = evaluate({"m": held}, y, populations={"all": np.ones(40, bool)}, references=[], n_bootstrap=100)
    assert found.notes == [
        "Calibration slope, Calibration error (ICI) are undefined, the log risk is constant or separates the events: m",
        "AUC is without an interval, such a value leaves the resamples no room: m",
    ]
