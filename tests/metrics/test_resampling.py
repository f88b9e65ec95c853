from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from nbrelapse.metrics.discrimination import concordance
from nbrelapse.metrics.evaluation import evaluate
from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import (
    _jackknife_weights,
    _weight_chunks,
    bootstrap_interval,
    bootstrap_weights,
    cross_validation_stretch,
)
from nbrelapse.metrics.table import METRICS


def test_columns_are_multinomial_counts():
    weights = bootstrap_weights(50, 4000, seed=3)
    assert weights.shape == (50, 4001)
    assert (weights[:, 0] == 1).all()
    assert (weights.sum(axis=0) == 50).all()
    assert (weights == weights.round()).all()
    assert weights[:, 1:].mean(axis=1) == pytest.approx(1, abs=0.1)
    assert weights[:, 1:].var() == pytest.approx(1 - 1 / 50, abs=0.03)


def test_the_seed_decides():
    assert np.array_equal(bootstrap_weights(20, 30, seed=1), bootstrap_weights(20, 30, seed=1))
    assert not np.array_equal(bootstrap_weights(20, 30, seed=1), bootstrap_weights(20, 30, seed=2))


@pytest.mark.parametrize("n_patients", [1, 1000, 10**9])
def test_chunks_cover_every_column_once(n_patients):
    chunks = list(_weight_chunks(n_patients, 100, first=1))
    assert np.concatenate([np.arange(c.start, c.stop) for c in chunks]).tolist() == list(range(1, 101))


@pytest.mark.parametrize("seed", range(3))
def test_bca_of_a_mean_equals_scipy(seed):
    sample = np.random.default_rng(seed).exponential(size=40)
    expected = bootstrap((sample,), np.mean, n_resamples=500, method="BCa", rng=np.random.default_rng(seed))
    jackknife = sample @ _jackknife_weights(40, 0) / 39
    found = bootstrap_interval(sample.mean(), expected.bootstrap_distribution, jackknife)
    np.testing.assert_allclose(found, expected.confidence_interval, rtol=1e-9)


def test_bca_of_a_concordance_equals_scipy(outcome):
    y, risk = outcome(60, 0)
    fold, censoring = np.zeros((1, 60), int), CensoringDistribution.fit(y)

    def harrell(weights):
        return concordance(y, risk[None], fold=fold, weights=weights, censoring=censoring, tau=900.0).harrell

    def of_rows(rows):
        return harrell(np.bincount(rows, minlength=60)[:, None].astype(np.float32))[0]

    expected = bootstrap(
        (np.arange(60),), of_rows, n_resamples=300, vectorized=False, method="BCa", rng=np.random.default_rng(1)
    )
    value = float(harrell(np.ones((60, 1)))[0])
    found = bootstrap_interval(value, expected.bootstrap_distribution, harrell(_jackknife_weights(60, 0)))
    np.testing.assert_allclose(found, expected.confidence_interval, rtol=1e-9)
    assert found != bootstrap_interval(value, expected.bootstrap_distribution)


def test_the_default_is_the_percentile_interval():
    resamples = np.random.default_rng(0).normal(size=999)
    assert bootstrap_interval(0.0, resamples) == tuple(np.quantile(resamples, [0.025, 0.975]))


def test_undefined_resamples_are_passed_over_and_an_undefined_value_has_no_interval():
    resamples = np.array([np.nan, 1.0, 2.0, 3.0])
    assert bootstrap_interval(2.0, resamples) == bootstrap_interval(2.0, resamples[1:])
    jackknife = np.array([1.0, np.nan, 4.0, 9.0])
    assert bootstrap_interval(2.0, resamples, jackknife) == bootstrap_interval(
        2.0, resamples[1:], np.array([1.0, 4.0, 9.0])
    )
    assert np.isnan(bootstrap_interval(np.nan, resamples)).all()
    assert np.isnan(bootstrap_interval(2.0, np.full(3, np.nan), jackknife)).all()


def test_bca_stays_within_the_resamples_when_nothing_varies_or_all_lies_on_one_side():
    same = np.full(100, 0.5)
    assert bootstrap_interval(0.5, same, same) == (0.5, 0.5)
    low, high = bootstrap_interval(1.0, np.linspace(0, 0.9, 100), np.array([0.0, 0.0, 1.0]))
    assert 0 <= low <= high <= 0.9
    low, high = bootstrap_interval(-1.0, np.linspace(0, 0.9, 100), np.array([0.0, 0.0, 1.0]))
    assert 0 <= low <= high <= 0.9


def test_bca_covers_a_skewed_mean_better_than_percentiles():
    generator = np.random.default_rng(0)
    covered = np.zeros(2)
    weights = bootstrap_weights(20, 400, 0)[:, 1:]
    for _ in range(400):
        sample = generator.exponential(size=20)
        resamples, jackknife = sample @ weights / 20, sample @ _jackknife_weights(20, 0) / 19
        intervals = [bootstrap_interval(sample.mean(), resamples, given) for given in (None, jackknife)]
        covered += [low <= 1 <= high for low, high in intervals]
    assert covered[1] > covered[0]


def test_each_patient_is_left_out_once_and_alone():
    np.testing.assert_array_equal(_jackknife_weights(7, 0), 1 - np.eye(7))


def test_many_patients_are_left_out_in_groups_of_nearly_equal_size():
    weights = _jackknife_weights(2500, 0)
    assert weights.shape == (2500, 1000)
    assert ((weights == 0).sum(axis=1) == 1).all()
    assert set((weights == 0).sum(axis=0)) == {2, 3}
    np.testing.assert_array_equal(weights, _jackknife_weights(2500, 0))


def test_grouping_keeps_the_acceleration():
    """The acceleration of a mean is a sixth of its skewness over the root of n."""
    sample = np.random.default_rng(0).exponential(size=4000)
    weights = _jackknife_weights(4000, 1)
    influence = -(sample @ weights / weights.sum(axis=0) - sample.mean())
    grouped = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    centred = sample - sample.mean()
    alone = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    assert abs(grouped - alone) < 0.3 * alone


def test_intervals_of_cross_validation_are_wider_than_those_of_a_hold_out_about_the_same_values():
    rng = np.random.default_rng(0)
    risk = rng.normal(size=(2, 90))
    y = np.zeros(90, dtype=[("event", "i1"), ("time", "f8")])
    y["event"], y["time"] = rng.random(90) < 0.7, rng.exponential(900 * np.exp(-risk.mean(axis=0)))
    times = np.array([365.25])
    tables = {}
    for name, fold in (("hold-out", 0), ("five", np.arange(90) % 5), ("two", np.arange(90) % 2)):
        folds = np.broadcast_to(fold, (2, 90))
        models = {key: Predictions(key, x, folds, np.full((2, 90, 1), 0.3), times) for key, x in
                  {"good": risk, "none": rng.normal(size=(2, 90))}.items()}  # fmt: skip
        found = evaluate(models, y, populations={"all": np.ones(90, bool)}, references=["none"], n_bootstrap=200)
        stretch = cross_validation_stretch(folds, METRICS["harrell_c"].training)
        for table, value in ((found.metrics, "value"), (found.differences, "difference")):
            row = table[(table["metric"] == "harrell_c") & (table["model"] == "good")].iloc[0]
            tables[name, value] = (row["high"] - row["low"]) / stretch, stretch
            assert row["low"] < row[value] < row["high"] <= 1
    assert [tables[name, "value"][1] for name in ("hold-out", "five", "two")] == [1.0, np.sqrt(1.625), np.sqrt(2)]
    assert all(0.04 < width < 0.5 for width, _ in tables.values())


def test_other_training_patients_matter_more_to_accuracy_than_to_ranks_and_most_to_a_slope():
    rng = np.random.default_rng(1)
    risk = rng.normal(size=(1, 400))
    y = (rng.random(400) < 1 / (1 + np.exp(-risk[0]))).astype(np.int8)
    probability = 1 / (1 + np.exp(-risk[:, :, np.newaxis]))
    width = {}
    for name, fold in (("one model", np.zeros((1, 400), int)), ("five", rng.permutation(400)[np.newaxis] % 5)):
        model = Predictions("a", risk, fold, probability, np.array([np.inf]))
        found = evaluate({"a": model}, y, populations={"all": np.ones(400, bool)}, references=[], n_bootstrap=200)
        table = found.metrics.set_index("metric")
        width[name] = table["high"] - table["low"]
    ratio = width["five"] / width["one model"]
    assert ratio["calibration_slope"] == pytest.approx(np.sqrt(1 + 2.5 * 5 / 4))
    assert ratio["calibration_intercept"] == pytest.approx(np.sqrt(1 + 0.5 * 5 / 4))
    assert ratio["brier"] == pytest.approx(1.5, rel=0.02)
