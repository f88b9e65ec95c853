"""AUC, Brier score, index of prediction accuracy and calibration against scikit-learn, with ties and weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sksurv.metrics import brier_score, concordance_index_censored
from sksurv.nonparametric import kaplan_meier_estimator

from nbrelapse.metrics.discrimination import roc_area
from nbrelapse.metrics.evaluation import MEAN, _metric_replicates, discrimination, evaluate, evaluate_groups
from nbrelapse.metrics.horizons import YEAR, prediction_times
from nbrelapse.metrics.predictions import Predictions, _JudgedPatients
from nbrelapse.metrics.resampling import bootstrap_weights
from nbrelapse.models.hazards import log_likelihood

EXPECTED_METRICS = [
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
    populations = {"all": np.ones(n, bool), "high_risk": risk > -0.5, "tiny": np.arange(n) < 5}
    return predictions, y, populations


@pytest.fixture(scope="module")
def evaluation(judged):
    predictions, y, populations = judged
    return evaluate(predictions, y, populations=populations, references=["noisy", "constant"], n_bootstrap=200)


def test_every_metric_of_every_model_and_population_has_a_row(evaluation):
    rows = evaluation.metrics.groupby(["model", "population"])["metric"].agg(list)
    assert all(metrics == EXPECTED_METRICS for metrics in rows)
    assert set(rows.index) == {(m, p) for m in ("good", "noisy", "constant") for p in ("all", "high_risk")}
    columns = ["model", "population", "metric", "value", "low", "high", "n", "events"]
    assert list(evaluation.metrics) == [*columns, "at_risk", "events_by", "by_chance"]
    found = evaluation.metrics.dropna(subset=["value", "low", "high"])
    assert ((found["low"] <= found["value"]) & (found["value"] <= found["high"])).all()


def test_what_is_left_out_or_undefined_is_noted(evaluation):
    assert evaluation.notes == [
        "tiny: left out, it has 5 patients and 4 events",
        "Calibration slope is undefined, the log risk is constant or separates the events: constant",
    ]
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
    assert (same["difference"] == 0).all()
    assert (same.loc[~same["metric"].str.startswith("ici"), ["low", "high"]] == 0).all(axis=None)


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
    assert names == ["harrell_c", "uno_c", "cause_specific_c", *EXPECTED_METRICS[2:]]
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
    assert present == {metric for metric in EXPECTED_METRICS if not metric.endswith(("_3y", "_5y"))}
    assert found.notes[:4] == [
        "All patients: figures at 3 years are left out: 0 patients are at risk then, 10 are needed",
        "All patients: figures at 5 years are left out: 0 patients are at risk then, 10 are needed",
        "All patients: Uno C counts events up to 2.5 years only, beyond 2.5 years fewer than 10 patients are at risk",
        "All patients: the integrated Brier score ends at 2.2 of 5 years, "
        "beyond 2.5 years fewer than 10 patients are at risk",
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


def judge(outcome, groups, interval):
    y, risk = outcome(len(groups), 5)
    times = prediction_times(y)
    incidence = 1 - np.exp(-np.exp(risk)[:, None] * times / 1500)
    model = Predictions("model", risk[None], np.zeros((1, len(y)), int), incidence[None], times)
    found = evaluate_groups({"model": model}, y, groups, references=[], n_bootstrap=200, interval=interval)
    return found.metrics.set_index(["population", "metric"])[["value", "low", "high"]]


def test_bca_moves_the_limits_of_the_groups_and_of_their_mean(outcome):
    groups = np.repeat(["A", "B", "C"], [60, 40, 50])
    percentile, bca = (judge(outcome, groups, interval) for interval in ("percentile", "bca"))
    np.testing.assert_allclose(bca["value"], percentile["value"], rtol=1e-9)
    for population in ("A", "B", "C", MEAN):
        before, after = percentile.loc[population].dropna(), bca.loc[population].dropna()
        assert not before["low"].equals(after["low"])
        assert ((after["low"] <= after["value"]) & (after["value"] <= after["high"])).all()


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_the_mean_of_one_group_is_that_group(outcome, interval):
    found = judge(outcome, np.repeat("A", 80), interval)
    np.testing.assert_allclose(found.loc[MEAN], found.loc["A"], rtol=1e-9)


N = 300


def predicted(log_odds: np.ndarray, fold: np.ndarray | None = None) -> Predictions:
    log_odds = np.atleast_2d(log_odds)
    fold = np.zeros(log_odds.shape, dtype=np.int64) if fold is None else np.atleast_2d(fold)
    return Predictions("m", log_odds, fold, expit(log_odds)[:, :, None], np.array([np.inf]))


def binary_metrics(prediction: Predictions, y: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    judged = _JudgedPatients(y, weights, prediction.times)
    return {metric: values for (_, metric), values in _metric_replicates({"m": prediction}, judged).items()}


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


@pytest.mark.parametrize("seed", range(3))
def test_a_time_to_an_event_gives_harrells_c(outcome, seed):
    y, risk = outcome(150, seed)
    expected = concordance_index_censored(y["event"] == 1, y["time"], risk)[0]
    assert discrimination(y, risk) == pytest.approx(expected, abs=1e-6)


def test_a_binary_outcome_gives_the_auc_ties_among_it():
    generator = np.random.default_rng(1)
    risk = generator.normal(size=200).round(1)
    y = (generator.random(200) < 1 / (1 + np.exp(-risk))).astype(np.int8)
    assert discrimination(y, risk) == pytest.approx(roc_auc_score(y, risk), abs=1e-6)


def test_patients_of_different_folds_are_not_compared():
    y = np.array([1, 0, 1, 0])
    risk, fold = np.array([1.0, 0.0, -5.0, -6.0]), np.array([0, 0, 1, 1])
    assert discrimination(y, risk) == 0.75
    assert discrimination(y, risk, fold=fold) == 1.0
