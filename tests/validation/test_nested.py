from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import evaluate
from nbrelapse.models.linear import Cox
from nbrelapse.models.recalibration import RISK_GROUP, recalibrated
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.nested import holdout_predictions, nested_cross_validation
from nbrelapse.validation.splits import repeated_folds

TIMES = np.array([200.0, 400.0, 800.0])


@pytest.fixture
def data(outcome):
    y, risk = outcome(120, 0, competing=True)
    noise = np.random.default_rng(0).normal(size=(120, 2))
    return pd.DataFrame(np.column_stack([risk, noise]), columns=["x", "a", "b"]), y


def settings(**changed):
    return {
        "n_repeats": 2,
        "n_folds": 3,
        "n_inner_folds": 2,
        "n_trials": 3,
        "seed": 0,
        "times": TIMES,
    } | changed


def test_every_patient_is_predicted_once_a_repeat_without_himself(data, slope_model):
    X, y = data
    models = {"tuned": slope_model(), "fixed": slope_model(0.5, tunable=False)}
    found = nested_cross_validation(models, X, y, **settings())
    assert list(found) == ["tuned", "fixed"]
    fixed = found["fixed"]
    assert fixed.log_risk.shape == fixed.fold.shape == (2, 120)
    assert fixed.incidence.shape == (2, 120, 3)
    assert (np.diff(fixed.incidence, axis=2) >= 0).all()
    assert np.array_equal(fixed.fold, found["tuned"].fold)
    for repeat, fold, train, test in repeated_folds(y, n_repeats=2, n_folds=3, seed=0):
        assert (fixed.fold[repeat, test] == fold).all()
        # Centred at the mean of the training patients: the others were not seen.
        expected = 0.5 * (X["x"].iloc[test] - X["x"].iloc[train].mean())
        np.testing.assert_allclose(fixed.log_risk[repeat, test], expected)
        slopes = found["tuned"].log_risk[repeat, test] / fixed.log_risk[repeat, test]
        assert np.ptp(slopes) == pytest.approx(0, abs=1e-9)


def test_results_depend_on_neither_the_jobs_nor_the_other_models(data):
    X, y = data
    models = {"cox": Cox(), "narrow": Cox(["x"])}
    told = []
    one = nested_cross_validation(
        models, X, y, **settings(n_jobs=1, progress=lambda done, total: told.append((done, total)))
    )
    two = nested_cross_validation(models, X, y, **settings(n_jobs=2))
    alone = nested_cross_validation({"cox": Cox()}, X, y, **settings())
    assert told == [(done, 12) for done in range(1, 13)]
    for name in models:
        assert np.array_equal(one[name].log_risk, two[name].log_risk)
        assert np.array_equal(one[name].incidence, two[name].incidence)
    assert np.array_equal(one["cox"].log_risk, alone["cox"].log_risk)
    other = nested_cross_validation({"cox": Cox()}, X, y, **settings(seed=1))
    assert not np.array_equal(one["cox"].log_risk, other["cox"].log_risk)


def test_cox_finds_what_there_is_to_find(data):
    X, y = data
    found = nested_cross_validation({"cox": Cox()}, X, y, **settings())
    everybody = {"all": np.ones(len(y), bool)}
    table = evaluate(found, y, populations=everybody, references=[], n_bootstrap=100).metrics.set_index("metric")
    assert table.loc["harrell_c", "value"] > 0.6 and table.loc["harrell_c", "low"] > 0.5
    assert table.loc["calibration_slope", "value"] > 0


def test_pure_noise_is_not_predicted(outcome):
    y, _ = outcome(120, 3)
    noise = pd.DataFrame(np.random.default_rng(1).normal(size=(120, 20))).add_prefix("x")
    found = nested_cross_validation({"cox": Cox()}, noise, y, **settings())
    table = evaluate(found, y, populations={"all": np.ones(120, bool)}, references=[], n_bootstrap=200).metrics
    row = table.query("metric == 'harrell_c'").iloc[0]
    assert row["low"] < 0.5 < row["high"]


def test_too_few_events_for_the_inner_folds_are_refused_before_anything_is_fitted(data, slope_model):
    X, y = data
    rare = y.copy()
    rare["event"] = 0
    rare["event"][:6] = 1
    with pytest.raises(InputError, match="4 events are too few for 5 folds"):
        nested_cross_validation({"m": slope_model()}, X, rare, **settings(n_inner_folds=5))


def test_a_hold_out_is_one_repeat_with_one_fold(data, slope_model):
    X, y = data
    model = slope_model(0.7).fit(X.iloc[:80], y[:80])
    found = holdout_predictions({"m": model}, X.iloc[80:], TIMES)["m"]
    assert found.log_risk.shape == (1, 40)
    assert (found.fold == 0).all()
    np.testing.assert_array_equal(found.log_risk[0], model.predict_log_risk(X.iloc[80:]))
    expected = model.predict_cumulative_incidence(X.iloc[80:], TIMES)[:, 1]
    np.testing.assert_array_equal(found.incidence[0], expected)


def test_log_risks_before_a_recalibration_stand_beside_those_after_it(data, tmp_path):
    X, y = data
    X = X.assign(**{RISK_GROUP: np.where(X["x"] > 0.5, 2.0, 0.5)})
    plain = Cox(["x", "a"])
    cache = FoldCache(tmp_path / "cache")
    found = nested_cross_validation({"cox": recalibrated(plain)}, X, y, **settings(cache=cache))["cox"]
    alone = nested_cross_validation({"cox": plain}, X, y, **settings())["cox"]
    np.testing.assert_array_equal(found.before, alone.log_risk)
    assert alone.before is None
    assert not np.allclose(found.log_risk, alone.log_risk)
    again = nested_cross_validation({"cox": recalibrated(plain)}, X, y, **settings(cache=cache))["cox"]
    assert cache.hits == cache.misses > 0
    np.testing.assert_array_equal(again.before, found.before)
    assert again.take(np.arange(9)).before.shape == (2, 9)

    evaluation = evaluate(
        {"cox": found, "alone": alone},
        y,
        populations={"all": np.ones(120, bool)},
        references=["alone"],
        n_bootstrap=100,
    )
    slopes = evaluation.metrics.set_index(["model", "metric"])["value"]
    assert slopes["cox", "calibration_slope_before"] == slopes["alone", "calibration_slope"]
    assert ("alone", "calibration_slope_before") not in slopes
    assert "calibration_slope_before" not in set(evaluation.differences["metric"])
    fitted = recalibrated(plain).fit(X, y)
    held = holdout_predictions({"cox": fitted}, X, TIMES)["cox"]
    np.testing.assert_array_equal(held.before[0], fitted.plain.predict_log_risk(X))
