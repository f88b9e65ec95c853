"""How the patients that a model is judged on differ from those it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.report import case_mix_sentences
from nbrelapse.scoring import Bundle, CaseMix, compare_case_mix, load_model
from nbrelapse.scoring.case_mix import _calibrated_c, _expected_c

OLDER = Path(__file__).parent / "bundles" / "version_0_3_0"
AGE, MYCN, STATE, LOSS = (
    "clinical__log2_age",
    "mycn__amplified",
    "cell_state__adrn_minus_mes",
    "instability__loss_11q",
)


@pytest.fixture
def cox(bundles: dict[str, Bundle]) -> Bundle:
    return bundles["cox"]


def others(n: int = 200, seed: int = 11) -> tuple[pd.DataFrame, np.ndarray]:
    """Patients drawn as the training patients of the bundles are."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            MYCN: random.integers(0, 2, n).astype(float),
            LOSS: random.integers(0, 2, n).astype(float),
            STATE: random.normal(size=n),
            AGE: random.uniform(1, 7, n),
        }
    ).mask(random.random((n, 4)) < 0.15)
    y = np.zeros(n, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = random.integers(0, 2, n), random.exponential(1000, n) + 1
    return X, y


def row(found: CaseMix, feature: str) -> pd.Series:
    return found.features.set_index("feature").loc[feature]


def test_patients_as_in_training_differ_in_nothing(cox: Bundle) -> None:
    found = compare_case_mix(cox, *others())
    assert (found.features["differs"] == "").all()
    assert found.value("features_differing") == 0
    assert found.features["difference"].abs().max() < 0.4
    low, high = found.value("membership_c", "low"), found.value("membership_c", "high")
    assert low < 0.5 < high


def test_false_alarms_are_rare(cox: Bundle) -> None:
    alarms = [compare_case_mix(cox, *others(100, seed)).value("features_differing") for seed in range(40)]
    # At most one cohort in twenty would name any feature, were its patients another draw each time, and the training
    # patients too; those are the same here.
    assert np.mean(np.array(alarms) > 0) <= 0.15


def test_figures_are_those_of_the_patients(cox: Bundle, training: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = others()
    found = compare_case_mix(cox, X, y)
    for name in (AGE, MYCN):
        own = row(found, name)
        assert own["mean"] == pytest.approx(X[name].mean())
        assert own["training_mean"] == pytest.approx(training[0][name].mean(), rel=1e-5)
        assert own["known"] == pytest.approx(X[name].notna().mean())
        pooled = np.sqrt((X[name].var(ddof=0) + training[0][name].var(ddof=0)) / 2)
        assert own["difference"] == pytest.approx((X[name].mean() - training[0][name].mean()) / pooled, rel=1e-4)
    risk = cox.model.predict_log_risk(X)
    assert found.value("log_risk_sd") == pytest.approx(risk.std())
    assert found.value("log_risk_sd", "training") == pytest.approx(
        cox.model.predict_log_risk(training[0]).std(), rel=0.01
    )


def test_what_differs_is_named_and_in_what(cox: Bundle) -> None:
    X, y = others()
    random = np.random.default_rng(0)
    X[AGE] += 2.0
    X[STATE] = np.where(random.random(len(X)) < 0.5, -1.0, 1.0) * random.normal(2.0, 0.1, len(X))  # mean as before
    X[MYCN] = X[MYCN].mask(random.random(len(X)) < 0.6)
    X[LOSS] = np.nan
    found = compare_case_mix(cox, X, y)
    assert row(found, AGE)["differs"] == "mean, distribution"
    assert row(found, AGE)["difference"] == pytest.approx(2 / 1.73, abs=0.25)
    assert row(found, AGE)["low"] < row(found, AGE)["difference"] < row(found, AGE)["high"]
    assert row(found, AGE)["out_of_range"] > 0.15
    assert "distribution" in row(found, STATE)["differs"] and row(found, STATE)["psi"] > 0.25
    assert row(found, MYCN)["differs"] == "known"
    assert row(found, LOSS)["known"] == 0 and np.isnan(row(found, LOSS)["mean"])
    assert found.value("features_never_known") == 1 and found.value("features_differing") == 4
    assert found.value("membership_c", "low") > 0.55 and found.value("far") > 0.05
    told = case_mix_sentences(found.features, found.figures)
    assert told[0].startswith("Of 4 features 4 differ from the training patients beyond chance: 3 in how often")
    assert told[0].endswith("1 is known of nobody here.")


def test_a_model_saved_before_is_compared_in_what_it_kept() -> None:
    bundle = load_model(OLDER / "boosted")
    X = pd.read_csv(OLDER / "features.csv", index_col="patient_id")
    y = np.array([(1, 100.0), (0, 200.0)] * len(X), dtype=[("event", np.int8), ("time", float)])[: len(X)]
    found = compare_case_mix(bundle, X, y)
    assert found.features["training_mean"].isna().all() and (found.features["differs"] == "").all()
    assert found.features["training_known"].notna().all()
    assert np.isfinite(found.value("expected_c", "training")) and np.isnan(found.value("membership_c"))
    assert "saved without their distribution" in case_mix_sentences(found.features, found.figures)[0]


def test_the_expected_concordance_is_that_of_outcomes_drawn_from_the_model() -> None:
    random = np.random.default_rng(3)
    risk = random.normal(size=2000)
    times = random.exponential(np.exp(-risk))
    first, second = risk[:1000], risk[1000:]
    observed = np.mean(np.where(times[:1000] < times[1000:], first > second, first < second))
    assert _expected_c(risk, binary=False) == pytest.approx(observed, abs=0.03)
    events = random.random(2000) < 1 / (1 + np.exp(-risk))
    pairs = risk[events][:, None] > risk[~events][None]
    assert _expected_c(risk, binary=True) == pytest.approx(pairs.mean(), abs=0.03)


def test_a_slope_below_one_lowers_it_and_one_below_zero_turns_it_round() -> None:
    risk, y = np.random.default_rng(0).normal(size=300), others(300)[1]
    whole, half, turned = (_calibrated_c(risk, y, {"slope": slope})[0] for slope in (1.0, 0.5, -1.0))
    assert whole == pytest.approx(_expected_c(risk, binary=False)) and turned == pytest.approx(1 - whole)
    assert 0.5 < half < whole
    binary = (np.random.default_rng(1).random(300) < 1 / (1 + np.exp(-0.5 * risk))).astype(np.int8)
    assert 0.5 < _calibrated_c(risk, binary, {"slope": 0.5})[0] < _calibrated_c(risk, binary, {"slope": 1.0})[0]


def test_fewer_unlike_patients_are_said_to_be_more_alike(cox: Bundle) -> None:
    X, y = others(400)
    risk = cox.model.predict_log_risk(X)
    narrow = np.abs(risk - np.median(risk)) < 0.3
    found = compare_case_mix(cox, X[narrow], y[narrow], {"slope": 1.0})
    assert found.value("expected_c") < found.value("expected_c", "training") - 0.05
    assert found.value("calibrated_c") == pytest.approx(found.value("expected_c"))
    assert "who are more alike: that is case mix" in case_mix_sentences(found.features, found.figures)[-1]


def test_nobody_is_compared_without_a_crash(cox: Bundle) -> None:
    X, y = others(2)
    found = compare_case_mix(cox, X, y)
    assert len(found.features) == 4 and found.value("patients") == 2
    constant = replace(cox, profile=None)
    assert len(compare_case_mix(constant, X, y).features) == 4
