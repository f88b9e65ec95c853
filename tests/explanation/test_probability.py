from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.explanation import explain, to_probability
from nbrelapse.explanation.explanation import _TOLERANCE
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.models.base import RiskModel
from nbrelapse.models.families import create_model

NAMES = ["mycn__a", "mycn__b", "alk__a", "alk__b", "p53__a", "p53__b"]
HORIZON = 1500.0


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    mechanisms = {name: Mechanism(name, name, "#123456", "", (), "") for name in ("mycn", "alk", "p53")}
    features = {
        name: FeatureDefinition(name, name.split("__")[0], name, name, "clinical", "continuous", "x") for name in NAMES
    }
    return Catalogue("1", mechanisms, features)


def cohort(n: int = 300, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(NAMES)))
    relapse = rng.exponential(1500 * np.exp(-values[:, :3] @ np.array([0.8, -0.6, 0.4])))
    death = rng.exponential(3000 * np.exp(-values[:, 4]))
    end = rng.uniform(200, 4000, n)
    y = np.empty(n, dtype=[("event", np.int8), ("time", np.float64)])
    y["time"] = 30 * np.ceil(np.minimum(np.minimum(relapse, death), end) / 30)
    y["event"] = np.where(relapse <= np.minimum(death, end), 1, np.where(death <= end, 2, 0))
    values[rng.random(values.shape) < 0.1] = np.nan
    return pd.DataFrame(values, columns=NAMES), y


@pytest.fixture(scope="module", params=["cox", "cox_prior", "boosted", "boosted_prior", "forest", "blend"])
def model(request: pytest.FixtureRequest) -> RiskModel:
    X, y = cohort()
    found = create_model(request.param, columns=NAMES, seed=1)
    if request.param == "forest":
        found.set_params(n_estimators=50)
    return found.fit(X, y)


@pytest.mark.parametrize("compared", [False, True])
def test_both_scales_add_up_in_every_family(model: RiskModel, catalogue: Catalogue, compared: bool) -> None:
    X, _ = cohort(80, seed=5)
    background = cohort(30, seed=6)[0] if compared else None
    on_log_scale = explain(model, X, catalogue, background=background)
    on_probability = to_probability(on_log_scale, model, HORIZON)
    assert model.competing_ is not None
    for found, predicted in (
        (on_log_scale, model.predict_log_risk(X)),
        (on_probability, model.predict_cumulative_incidence(X, np.array([HORIZON]))[:, 1, 0]),
    ):
        assert np.abs(found.baseline + found.mechanisms.sum(axis=1) - predicted).max() <= _TOLERANCE
        assert np.abs(found.baseline + found.features.sum(axis=1) - predicted).max() <= _TOLERANCE
    assert on_probability.horizon_days == HORIZON


def test_interventional_contributions_start_from_the_mean_of_the_background(catalogue: Catalogue) -> None:
    X, y = cohort()
    for family in ("cox", "boosted"):
        model = create_model(family, columns=NAMES, seed=1).fit(X, y)
        found = explain(model, X[:20], catalogue, background=X[40:60])
        assert found.baseline == pytest.approx(model.predict_log_risk(X[40:60]).mean(), abs=1e-5)
        pd.testing.assert_frame_equal(found.background, X[40:60])


def test_interventional_trees_are_the_shapley_values_of_all_coalitions(catalogue: Catalogue) -> None:
    X, y = cohort()
    model = create_model("boosted", columns=NAMES[:3], seed=1).fit(X, y)
    patient, background = X[:1], X[100:110].reset_index(drop=True)

    def worth(known: tuple[str, ...]) -> float:
        mixed = background.assign(**{name: float(patient[name].iloc[0]) for name in known})
        return float(model.predict_log_risk(mixed).mean())

    expected = dict.fromkeys(NAMES[:3], 0.0)
    for name in expected:
        others = [other for other in expected if other != name]
        for size in range(3):
            weight = math.factorial(size) * math.factorial(2 - size) / 6
            for known in itertools.combinations(others, size):
                expected[name] += weight * (worth((*known, name)) - worth(known))
    found = explain(model, patient, catalogue, background=background).features.iloc[0]
    assert found.to_dict() == pytest.approx(expected, abs=1e-5)


def test_contributions_far_out_are_exact_and_without_effect_are_zero(catalogue: Catalogue) -> None:
    X, y = cohort()
    model = create_model("cox", columns=NAMES, seed=1).fit(X, y)
    far = X[:6].fillna(0.0) * 12
    found = to_probability(explain(model, far, catalogue), model, HORIZON)
    gap = found.baseline + found.features.sum(axis=1) - found.prediction
    assert np.abs(gap).max() < 1e-9
    assert np.abs(explain(model, far, catalogue).prediction).max() > 8
    usual = pd.DataFrame([model.means_], columns=NAMES)
    at_the_mean = to_probability(explain(model, usual, catalogue), model, HORIZON)
    assert (at_the_mean.features == 0).all(axis=None)
    assert at_the_mean.prediction.iloc[0] == pytest.approx(at_the_mean.baseline, abs=1e-12)


def test_a_binary_probability_needs_no_horizon(catalogue: Catalogue) -> None:
    X, y = cohort()
    model = create_model("logistic", columns=NAMES, seed=1, binary=True).fit(X, (y["event"] == 1).astype(np.int8))
    found = to_probability(explain(model, X, catalogue), model)
    np.testing.assert_allclose(found.baseline + found.features.sum(axis=1), model.predict_probability(X), atol=1e-9)
    assert found.scale == "probability"
    with pytest.raises(InputError, match="knows no time"):
        to_probability(explain(model, X, catalogue), model, HORIZON)


@pytest.mark.parametrize("horizon", [None, 0.0, -1.0, 1e6, float("nan")])
def test_a_horizon_that_training_does_not_carry_is_refused(catalogue: Catalogue, horizon: float | None) -> None:
    X, y = cohort()
    model = create_model("cox", columns=NAMES, seed=1).fit(X, y)
    explanation = explain(model, X, catalogue)
    with pytest.raises(InputError, match="illegal horizon"):
        to_probability(explanation, model, horizon)
    with pytest.raises(InputError, match="already"):
        to_probability(to_probability(explanation, model, HORIZON), model, HORIZON)


def test_an_empty_background_is_refused(model: RiskModel) -> None:
    X, _ = cohort(10)
    with pytest.raises(InputError, match="no patients"):
        model.attribute(X, X[:0])
