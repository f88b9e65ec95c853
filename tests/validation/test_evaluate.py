from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import brier_score, concordance_index_censored
from sksurv.nonparametric import kaplan_meier_estimator

from nbrelapse.validation.evaluate import evaluate
from nbrelapse.validation.horizons import YEAR, prediction_times
from nbrelapse.validation.predictions import Predictions

METRICS = [
    *("harrell_c", "uno_c", "auc_1y", "auc_2y", "auc_3y", "auc_5y"),
    *("brier_1y", "brier_2y", "brier_3y", "brier_5y", "ipa_1y", "ipa_2y", "ipa_3y", "ipa_5y", "integrated_brier"),
    "calibration_slope",
    *(f"{metric}_{year}y" for year in (1, 2, 3, 5) for metric in ("calibration_intercept", "ici")),
]


def predict(name, y, risk, n_repeats=1, n_folds=1, seed=0):
    generator = np.random.default_rng(seed)
    log_risk = np.tile(risk, (n_repeats, 1))
    fold = np.stack([generator.permutation(len(y)) % n_folds for _ in range(n_repeats)])
    times = prediction_times(y)
    incidence = 1 - np.exp(-np.exp(log_risk)[:, :, None] * times / 1500)
    return Predictions(name, log_risk, fold, incidence, times)


@pytest.fixture(scope="module")
def judged():
    generator = np.random.default_rng(0)
    n = 300
    risk = generator.normal(size=n)
    event, censored = generator.exponential(1500 * np.exp(-risk)), generator.uniform(300, 5000, size=n)
    y = np.empty(n, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = event <= censored, np.minimum(event, censored)
    predictions = {
        "good": predict("good", y, risk, 2, 3),
        "noisy": predict("noisy", y, risk + generator.normal(size=n), 2, 3),
        "constant": predict("constant", y, np.zeros(n), 2, 3),
    }
    populations = {"all": np.ones(n, bool), "high_risk": risk > 0, "tiny": np.arange(n) < 5}
    return predictions, y, populations


@pytest.fixture(scope="module")
def evaluation(judged):
    predictions, y, populations = judged
    return evaluate(predictions, y, populations=populations, references=["noisy", "constant"], n_bootstrap=200)


def test_every_metric_of_every_model_and_population_has_a_row(evaluation):
    rows = evaluation.metrics.groupby(["model", "population"])["metric"].agg(list)
    assert all(metrics == METRICS for metrics in rows)
    assert set(rows.index) == {(m, p) for m in ("good", "noisy", "constant") for p in ("all", "high_risk")}
    assert list(evaluation.metrics) == ["model", "population", "metric", "value", "low", "high", "n", "events"]
    # Chance adds to a mean distance: resamples of a well-calibrated model may all have a larger one.
    found = evaluation.metrics[~evaluation.metrics["metric"].str.startswith("ici")].dropna()
    assert ((found["low"] <= found["value"]) & (found["value"] <= found["high"])).all()


def test_what_is_left_out_or_undefined_is_noted(evaluation):
    assert [note for note in evaluation.notes if note.startswith("tiny")] == [
        "tiny: left out, it has 5 patients and 4 events"
    ]
    slopes = [note for note in evaluation.notes if "calibration_slope of constant is undefined" in note]
    assert len(slopes) == 2
    row = evaluation.metrics.query("model == 'constant' and metric == 'calibration_slope'")
    assert row[["value", "low", "high"]].isna().all(axis=None)


def test_differences_are_of_the_same_resamples(evaluation, judged):
    predictions, y, populations = judged
    assert set(zip(evaluation.differences["model"], evaluation.differences["reference"], strict=True)) == {
        ("good", "noisy"),
        ("good", "constant"),
        ("noisy", "constant"),
        ("constant", "noisy"),
    }
    values = evaluation.metrics.set_index(["model", "population", "metric"])["value"]
    for row in evaluation.differences.dropna().itertuples():
        expected = values[row.model, row.population, row.metric] - values[row.reference, row.population, row.metric]
        assert row.difference == pytest.approx(expected, abs=1e-12)
    twins = {"a": predictions["good"], "b": predictions["good"]}
    same = evaluate(twins, y, populations=populations, references=["a"], n_bootstrap=100).differences
    assert (same[["difference", "low", "high"]] == 0).all(axis=None)


def test_the_interval_is_that_of_actual_resampling(judged):
    predictions, y, _ = judged
    held_out = predict("good", y, predictions["good"].log_risk[0])
    found = evaluate({"good": held_out}, y, populations={"all": np.ones(len(y), bool)}, references=[]).metrics
    generator = np.random.default_rng(1)
    draws = []
    for _ in range(400):
        rows = generator.integers(len(y), size=len(y))
        draws.append(concordance_index_censored(y["event"][rows] == 1, y["time"][rows], held_out.log_risk[0][rows])[0])
    row = found.query("metric == 'harrell_c'").iloc[0]
    assert row["low"] == pytest.approx(np.quantile(draws, 0.025), abs=0.006)
    assert row["high"] == pytest.approx(np.quantile(draws, 0.975), abs=0.006)


def test_the_cause_specific_c_is_reported_where_events_compete(judged):
    predictions, y, populations = judged
    competing = y.copy()
    competing["event"][(y["event"] == 1) & (np.arange(len(y)) % 4 == 0)] = 2
    found = evaluate(predictions, competing, populations={"all": populations["all"]}, references=[], n_bootstrap=100)
    names = found.metrics["metric"].unique().tolist()
    assert names == ["harrell_c", "uno_c", "cause_specific_c", *METRICS[2:]]
    values = found.metrics.set_index(["model", "metric"])["value"]
    assert values["good", "cause_specific_c"] != values["good", "harrell_c"]


def test_the_index_of_prediction_accuracy_compares_with_the_incidence_of_the_judged(judged, evaluation):
    predictions, y, _ = judged
    fitted = kaplan_meier_estimator(y["event"] == 1, y["time"])
    end = fitted[0][-1]
    boolean = np.array([(event == 1, time) for event, time in y], dtype=[("event", bool), ("time", float)])
    values = evaluation.metrics.query("population == 'all'").set_index(["model", "metric"])["value"]
    for years in (1, 5):
        day = years * YEAR
        assert day < end
        survival = np.concatenate([[1.0], fitted[1]])[np.searchsorted(fitted[0], day, side="right")]
        null = brier_score(boolean, boolean, np.full((len(y), 1), survival), [day])[1][0]
        at = np.flatnonzero(predictions["good"].times == day)[0]
        own = brier_score(boolean, boolean, 1 - predictions["good"].incidence[0, :, [at]].T, [day])[1][0]
        assert values["good", f"brier_{years}y"] == pytest.approx(own, abs=1e-9)
        assert values["good", f"ipa_{years}y"] == pytest.approx(1 - own / null, abs=1e-9)
    assert (values["good"][["ipa_1y", "ipa_3y", "ipa_5y"]] > values["constant"][["ipa_1y", "ipa_3y", "ipa_5y"]]).all()


def test_bca_moves_the_limits_and_nothing_else(judged, evaluation):
    predictions, y, populations = judged
    found = evaluate(
        predictions, y, populations=populations, references=["noisy", "constant"], n_bootstrap=200, interval="bca"
    )
    np.testing.assert_allclose(found.metrics["value"], evaluation.metrics["value"], rtol=1e-12)
    for before, after in ((evaluation.metrics, found.metrics), (evaluation.differences, found.differences)):
        assert not before["low"].equals(after["low"])
        np.testing.assert_allclose(after["low"], before["low"], rtol=0.1, atol=0.15)
        np.testing.assert_allclose(after["high"], before["high"], rtol=0.1, atol=0.15)
    assert found.notes == evaluation.notes
    with pytest.raises(ValueError, match="interval 'normal' is none of percentile, bca"):
        evaluate(predictions, y, populations=populations, references=[], interval="normal")


def test_the_same_seed_gives_the_same_numbers_and_models_do_not_disturb_each_other(judged, evaluation):
    predictions, y, populations = judged
    alone = evaluate({"good": predictions["good"]}, y, populations=populations, references=[], n_bootstrap=200)
    expected = evaluation.metrics.query("model == 'good'").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.metrics, expected)
    other = evaluate({"good": predictions["good"]}, y, populations=populations, references=[], n_bootstrap=200, seed=1)
    assert not other.metrics["low"].equals(alone.metrics["low"])
    assert other.metrics["value"].equals(alone.metrics["value"])


def test_patient_order_does_not_matter(judged):
    predictions, y, populations = judged
    order = np.random.default_rng(5).permutation(len(y))
    found = [
        evaluate({"good": p}, outcome, populations={"all": populations["all"]}, references=[], n_bootstrap=100).metrics[
            "value"
        ]
        for p, outcome in ((predictions["good"], y), (predictions["good"].take(order), y[order]))
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_a_short_follow_up_shortens_and_says_so(judged):
    predictions, y, populations = judged
    short = y.copy()
    short["event"][y["time"] > 2.5 * YEAR] = 0
    short["time"] = np.minimum(y["time"], 2.5 * YEAR)
    found = evaluate(predictions, short, populations={"all": populations["all"]}, references=[], n_bootstrap=100)
    present = set(found.metrics["metric"])
    assert present == {metric for metric in METRICS if not metric.endswith(("_3y", "_5y"))}
    notes = [note for note in found.notes if "resamples" not in note and "constant" not in note]
    assert notes == [
        "all: metrics at 3 y are left out, the follow-up ends after 2.5 years",
        "all: metrics at 5 y are left out, the follow-up ends after 2.5 years",
        "all: uno_c counts events up to 2.5 years only, the follow-up ends after 2.5 years",
        "all: integrated_brier ends at 2.2 of 5 years, the follow-up ends after 2.5 years",
    ]


def test_no_population_left_gives_empty_tables(judged):
    predictions, y, populations = judged
    found = evaluate(predictions, y, populations={"tiny": populations["tiny"]}, references=["noisy"])
    assert found.metrics.empty
    assert "value" in found.metrics
    assert found.differences.empty


def test_predictions_must_fit_together(judged):
    predictions, y, populations = judged
    good = predictions["good"]
    with pytest.raises(ValueError, match="population all is no mask of the 300 patients"):
        evaluate(predictions, y, populations={"all": np.arange(10)}, references=[])
    with pytest.raises(ValueError, match="no predictions of nobody"):
        evaluate(predictions, y, populations=populations, references=["nobody"])
    with pytest.raises(ValueError, match="good predicted 300 patients, the outcome has 299"):
        evaluate(predictions, y[1:], populations=populations, references=[])
    other = Predictions("other", good.log_risk, good.fold, good.incidence[:, :, :3], good.times[:3])
    with pytest.raises(ValueError, match="other predicted for other times"):
        evaluate({"good": good, "other": other}, y, populations=populations, references=[])
