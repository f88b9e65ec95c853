from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone

from nbrelapse.models.linear import Cox
from nbrelapse.models.logistic import Logistic
from nbrelapse.models.prior import CoxPrior, PriorKnowledge
from nbrelapse.models.resamples import bootstrap_refits
from nbrelapse.models.trees import Boosted
from nbrelapse.validation import PatientBands, cross_predictions, learn_bands
from nbrelapse.validation.patient_bands import _log_odds

YEAR = 365.25
TIMES = np.array([YEAR, 2 * YEAR, 3 * YEAR])
EFFECTS = np.array([0.9, -0.7, 0.5, 0.5, 0.3, -0.3, 0.2, 0.2])


def drawn(n: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Features, outcome, and the true incidence within two years."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        rng.normal(size=(n, 16)), columns=[f"m__{i}" for i in range(16)], index=[f"p{i}" for i in range(n)]
    )
    hazard = np.exp(X.to_numpy()[:, :8] @ EFFECTS - 0.5) / 1500
    event, end = rng.exponential(1 / hazard), rng.uniform(600, 3000, n)
    y = np.zeros(n, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = event <= end, np.minimum(event, end)
    return X, y, -np.expm1(-hazard * 2 * YEAR)


def covered(model, n: int, seed: int) -> tuple[float, float]:
    """Coverage of the true incidence by the spread of the refits, and by the band."""
    X, y, _ = drawn(n, seed)
    new, _, true = drawn(300, 1000 + seed)
    fitted = clone(model).fit(X, y)
    bands = learn_bands(cross_predictions(model, X, y, times=TIMES), fitted, X, y)
    refits = bootstrap_refits(model, X, y, n_refits=20, seed=seed)
    at = TIMES[1:2]
    predicted = fitted.predict_risk(new, at)[1]
    refitted = np.stack([refit.predict_risk(new, at)[1] for refit in refits])
    low, high, *_ = bands.limits(predicted, at, refitted)
    assert ((low <= predicted) & (predicted <= high)).all()
    spread = np.quantile(refitted[:, :, 0], [0.025, 0.975], axis=0)
    inside = [(a <= true) & (true <= b) for a, b in (spread, (low[:, 0], high[:, 0]))]
    return float(inside[0].mean()), float(inside[1].mean())


@pytest.mark.parametrize("model", [Cox(penalty=0.2), Boosted(n_estimators=15)], ids=["cox", "boosted"])
def test_bands_hold_the_truth_where_the_refits_of_a_shrunken_model_do_not(model) -> None:
    found = np.array([covered(model, 160, seed) for seed in range(3)]).mean(axis=0)
    assert found[0] < 0.8
    assert found[1] > 0.92


def test_bands_narrow_as_cohorts_grow() -> None:
    widths = []
    for n in (100, 600):
        X, y, _ = drawn(n)
        model = Cox(penalty=0.02)
        predictions = cross_predictions(model, X, y, times=TIMES)
        bands = learn_bands(predictions, clone(model).fit(X, y), X, y)
        widths.append(np.mean(bands.variance))
    assert widths[1] < 0.6 * widths[0]


def test_what_the_literature_knew_makes_bands_narrower_where_it_was_right() -> None:
    X, y, _ = drawn(150)
    known = {f"m__{i}": effect for i, effect in enumerate(EFFECTS)}
    variance = []
    for prior in (PriorKnowledge(known, frozenset(known)), None):
        model = CoxPrior(prior=prior, penalty=10).fit(X, y)
        bands = learn_bands(cross_predictions(model, X, y, times=TIMES), model, X, y)
        variance.append(np.mean(bands.variance))
    assert variance[0] < 0.95 * variance[1]


def test_a_patient_whom_refits_disagree_on_has_a_wider_band() -> None:
    bands = PatientBands((YEAR, 2 * YEAR), ((-3.0, 0.0),) * 2, ((0.0, 0.0),) * 2, ((0.1, 0.1), (0.2, 0.2)))
    predicted = np.full((2, 1), 0.3)
    refitted = np.stack([[[0.3], [level]] for level in (0.05, 0.3, 0.9)])
    low, high, below, above = bands.limits(predicted, np.array([YEAR]), refitted)
    assert high[0, 0] - low[0, 0] < high[1, 0] - low[1, 0]
    # 3.1 standard deviations below in the lowest tenth of risk, 1.64 in the highest, where this band has two.
    risk = np.log(-np.log(0.7))
    deviations = 3.1 + (1.64 - 3.1) * (risk + 3) / 3
    np.testing.assert_allclose([below[0, 0], above[0, 0]], [-deviations * np.sqrt(0.1), 1.8 * np.sqrt(0.1)])
    # Between horizons, and beyond them.
    for days, variance in ((1.5 * YEAR, 0.15), (9 * YEAR, 0.2), (30.0, 0.1)):
        *_, above = bands.limits(predicted, np.array([days]), predicted[None])
        np.testing.assert_allclose(above[0, 0], 1.8 * np.sqrt(variance))
    low, high, *_ = bands.limits(np.zeros((1, 1)), np.array([0.0]), np.zeros((1, 1, 1)))
    assert low[0, 0] == high[0, 0] == 0
    assert PatientBands.from_dict(bands.to_dict()) == bands


def test_limits_never_fall_with_time_and_refits_before_their_first_event_say_nothing() -> None:
    """Regression: where some refits still predict 0, the upper limit of a small risk rose to 53 % and fell again."""
    bands = PatientBands((YEAR,), ((-2.0, 0.0),), ((0.0, 0.0),), ((0.04, 0.04),))
    times = np.array([60.0, 120.0, 240.0, YEAR])
    predicted = np.array([[0.0, 0.005, 0.05, 0.28]])
    refitted = predicted[None] * np.array([0.8, 1.0, 1.2])[:, None, None]
    refitted[0, 0, 1] = 0.0
    low, high, *_ = bands.limits(predicted, times, refitted)
    assert (np.diff(low) >= 0).all() and (np.diff(high) >= 0).all()
    assert (low <= predicted).all() and (predicted <= high).all()
    assert high[0, 1] < 0.01 and high[0, 0] == 0
    # A lower limit later is not undercut, and an upper one not passed before.
    jumpy = np.stack([predicted * 0.5, predicted * 2.0]) * np.array([1.0, 1.0, 1.0, 0.9])
    low, high, *_ = bands.limits(predicted, times, np.clip(jumpy, 0, 0.99))
    assert (np.diff(low) >= 0).all() and (np.diff(high) >= 0).all()


def test_of_a_binary_endpoint() -> None:
    held, widths = [], []
    for seed in range(4):
        X, _, _ = drawn(240, seed)
        probability = expit(X.to_numpy()[:, :8] @ EFFECTS)
        y = (np.random.default_rng(seed).random(240) < probability).astype(np.int8)
        model, whenever = Logistic(penalty=0.3), np.array([np.inf])
        fitted = clone(model).fit(X, y)
        bands = learn_bands(cross_predictions(model, X, y, times=whenever), fitted, X, y)
        assert bands is not None and bands.days == ()
        predicted = fitted.predict_risk(X, whenever)[1]
        low, high, *_ = bands.limits(predicted, whenever, predicted[None])
        held.append(((low[:, 0] <= probability) & (probability <= high[:, 0])).mean())
        widths.append((high - low).mean())
    assert np.mean(held) > 0.92
    assert 0.1 < np.mean(widths) < 0.8


def test_a_patient_with_missing_values_and_too_few_events() -> None:
    X, y, _ = drawn(80)
    X = X.mask(np.random.default_rng(1).random(X.shape) < 0.3)
    X["m__3"] = np.nan
    model = Cox(penalty=0.1).fit(X, y)
    predictions = cross_predictions(model, X, y, times=TIMES)
    assert np.isfinite(learn_bands(predictions, model, X, y).variance).all()
    y["event"] = 0
    y["event"][:4] = 1
    assert learn_bands(predictions, model, X, y) is None


def test_certain_probabilities_have_finite_log_odds():
    found = _log_odds(np.array([0.0, 0.5, 1.0]))
    assert np.isfinite(found).all()
    assert found[1] == 0 and found[0] == pytest.approx(-found[2])
