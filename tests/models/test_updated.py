"""Updating a fitted model on other patients: what the closed test chooses, and what the model then predicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from nbrelapse.errors import InputError
from nbrelapse.explanation import explain, to_probability
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models import (
    LEAST_SLOPE,
    ClinicalCox,
    Cox,
    Logistic,
    ModelState,
    RiskModel,
    Update,
    UpdatedSurvival,
    check_state,
    create_model,
    model_from_state,
    recalibrated,
    updated,
)

NAMES = ["mycn__amplified", "cell_state__adrn_minus_mes", "clinical__log2_age"]


def patients(
    n: int, seed: int, *, slope: float = 1.0, level: float = 0.0, competing: float = 0.0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Features, and outcomes with log hazards of ``slope`` times those of training, a constant hazard otherwise."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.normal(size=(n, 3)), columns=NAMES)
    risk = X.to_numpy() @ [0.9, 0.5, -0.4]
    times = np.stack(
        [
            random.exponential(2000 / np.exp(slope * risk + level)),
            random.exponential(4000 / np.exp(competing + 0.3 * risk)),
            random.uniform(500, 3000, n),
        ]
    )
    y = np.zeros(n, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = np.array([1, 2, 0])[times.argmin(axis=0)], times.min(axis=0)
    return X, y


@pytest.fixture(scope="module")
def cox() -> Cox:
    return Cox(penalty=0.001).fit(*patients(1500, 0))


def chosen(model: Cox, *arguments: object, **changes: float) -> Update:
    return updated(model).fit(*patients(*arguments, **changes)).update_  # type: ignore[arg-type]


def test_patients_as_in_training_change_nothing_in_nineteen_of_twenty(cox: Cox) -> None:
    methods = [chosen(cox, 250, seed).method for seed in range(1, 81)]
    # Five per cent by the test; the model's own error is in it too.
    assert 0 <= methods.count("in the large") + methods.count("slope") <= 9


def test_another_level_is_found_in_the_large(cox: Cox) -> None:
    found = [chosen(cox, 400, seed, level=0.7) for seed in range(1, 11)]
    assert [update.method for update in found].count("in the large") >= 8
    assert np.mean([update.shift for update in found]) == pytest.approx(0.7, abs=0.1)
    assert {update.slope for update in found if update.method == "in the large"} == {1.0}


def test_weaker_effects_are_found_in_the_slope(cox: Cox) -> None:
    found = [chosen(cox, 600, seed, slope=0.4) for seed in range(1, 6)]
    assert {update.method for update in found} == {"slope"}
    assert np.mean([update.slope for update in found]) == pytest.approx(0.4, abs=0.07)


def test_competing_events_have_a_level_and_a_test_of_their_own(cox: Cox) -> None:
    found = chosen(cox, 600, 1, competing=1.0)
    assert found.competing_shift == pytest.approx(1.0, abs=0.25)
    assert found.tests[-1]["hypothesis"] == "the level of competing events is right" and found.tests[-1]["p"] < 0.001


def test_the_estimates_maximise_the_poisson_likelihood(cox: Cox) -> None:
    X, y = patients(500, 3, slope=0.5, level=0.4)
    found = updated(cox).fit(X, y).update_
    risk, until = cox.predict_log_risk(X), np.minimum(y["time"], cox.followed_days)
    steps = cox.baseline_
    hazard = np.array([steps.event_step[steps.times <= time].sum() for time in until])
    event = (y["event"] == 1) & (y["time"] <= cox.followed_days)

    def minus(theta: np.ndarray) -> float:
        linear = theta[0] + theta[1] * risk
        return float(-(event * linear - hazard * np.exp(linear)).sum())

    best = minimize(minus, [0.0, 1.0], method="BFGS")
    np.testing.assert_allclose([found.shift, found.slope], best.x, atol=1e-3)
    statistic = 2 * (minus(np.array([0.0, 1.0])) - best.fun)
    assert found.tests[0]["statistic"] == pytest.approx(statistic, rel=1e-3)
    assert [test["degrees"] for test in found.tests[:2]] == [2, 1]


def test_an_updated_model_expects_as_many_events_as_there_are(cox: Cox) -> None:
    X, y = patients(500, 4, slope=0.5, level=0.6, competing=0.8)
    model = updated(cox).fit(X, y)
    until = np.minimum(y["time"], cox.followed_days)
    for steps, risk, code in (
        (model.baseline_.event_step, model.predict_log_risk(X), 1),
        (
            model.baseline_.competing_step,
            model.competing_.log_risk(X[sorted(NAMES)].to_numpy(), model.predict_log_risk(X)),
            2,
        ),
    ):
        hazard = np.array([steps[model.baseline_.times <= time].sum() for time in until]) * np.exp(risk)
        assert hazard.sum() == pytest.approx(((y["event"] == code) & (y["time"] <= cox.followed_days)).sum(), rel=1e-6)


def test_the_competing_hazard_does_not_depend_on_the_slope(cox: Cox) -> None:
    X = patients(20, 5)[0]
    model = updated(cox, Update("slope", 0.0, 0.25))
    before = cox.competing_.log_risk(X[sorted(NAMES)].to_numpy(), cox.predict_log_risk(X))
    np.testing.assert_allclose(
        model.competing_.log_risk(X[sorted(NAMES)].to_numpy(), model.predict_log_risk(X)), before
    )


def test_no_event_and_no_risk_choose_nothing(cox: Cox) -> None:
    X, y = patients(60, 6)
    nobody = y.copy()
    nobody["event"] = 0
    assert updated(cox)._fit_part(X, nobody).update_ == Update()
    assert updated(cox).fit(X * 0, y).update_.slope == 1.0  # all of one risk


def test_risks_that_point_the_wrong_way_are_not_turned_round(cox: Cox) -> None:
    found = chosen(cox, 600, 7, slope=-0.5)
    assert (found.method, found.slope) == ("slope", LEAST_SLOPE)


def test_the_slope_stays_where_it_may_not_change(cox: Cox) -> None:
    X, y = patients(600, 8, slope=0.4, level=0.8)
    found = updated(cox, slope_allowed=False).fit(X, y).update_
    assert found.method == "in the large" and found.slope == 1.0 and found.tests[0]["degrees"] == 1


def fitted(name: str) -> RiskModel:
    X, y = patients(200, 9)
    X = X.assign(clinical__risk_group=np.tile([0.0, 2.0], 100))
    models: dict[str, RiskModel] = {
        "cox": Cox(NAMES, penalty=0.01),
        "boosted": create_model("boosted", columns=NAMES, n_estimators=10),
        "forest": create_model("forest", columns=NAMES, n_estimators=50),
        "recalibrated": recalibrated(Cox(NAMES, penalty=0.01), folds=2),
        "logistic": Logistic(NAMES, penalty=0.01),
    }
    return models[name].fit(X, (y["event"] == 1).astype(np.int8) if name == "logistic" else y)


@pytest.mark.parametrize("name", ["cox", "boosted", "forest", "recalibrated", "logistic"])
def test_contributions_add_up_and_the_state_comes_back(name: str) -> None:
    model = fitted(name)
    X = patients(30, 10)[0].assign(clinical__risk_group=2.0)
    new = updated(model, Update("slope", 0.3, 0.6, 0.2 if name != "logistic" else 0.0))
    found = new.attribute(X)
    log_risk = new.predict_log_risk(X)
    np.testing.assert_allclose(found.baseline + found.values.sum(axis=1), log_risk, atol=1e-5)
    shift = 0.3 if name == "logistic" else 0.0
    np.testing.assert_allclose(log_risk, shift + 0.6 * model.predict_log_risk(X), rtol=1e-12)
    state = new.state()
    check_state(ModelState(state.document, state.blobs))
    again = model_from_state(state)
    times = np.array([np.inf]) if name == "logistic" else np.array([400.0, 1200.0])
    for one, other in zip(new.predict_risk(X, times), again.predict_risk(X, times), strict=True):
        np.testing.assert_array_equal(one, other)
    explained = to_probability(explain(new, X, load_catalogue()), new, None if name == "logistic" else 1200.0)
    total = explained.baseline + explained.features.sum(axis=1)
    np.testing.assert_allclose(total, new.predict_risk(X, times)[1][:, -1], atol=1e-6)


def test_two_updates_are_one(cox: Cox) -> None:
    X = patients(10, 11)[0]
    times = np.array([1000.0])
    twice = updated(updated(cox, Update("slope", 0.3, 0.5, 0.1)), Update("slope", -0.2, 1.2, 0.4))
    assert twice.model is cox
    once = updated(cox, Update("slope", 0.1, 0.6, 0.5))
    np.testing.assert_allclose(twice.predict_risk(X, times)[1], once.predict_risk(X, times)[1], rtol=1e-12)
    X, y = patients(400, 12, slope=0.5)
    found = UpdatedSurvival(once).fit(X, y).update_
    whole = updated(once, found)
    np.testing.assert_allclose(
        whole.predict_risk(X, times)[1], UpdatedSurvival(once).fit(X, y).predict_risk(X, times)[1], rtol=1e-9
    )


def test_log_odds_are_updated_by_logistic_regression() -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"x": random.normal(size=800)})
    model = Logistic(["x"], penalty=0.001).fit(X, (random.random(800) < 1 / (1 + np.exp(-2 * X["x"]))).astype(np.int8))
    new = (random.random(800) < 1 / (1 + np.exp(-(X["x"] + 1)))).astype(np.int8)
    found = updated(model).fit(X, new)
    assert found.update_.method == "slope"
    assert found.update_.slope * model.coefficients_[0] == pytest.approx(1, abs=0.25)
    assert found.predict_proba(X)[:, 1].mean() == pytest.approx(new.mean(), abs=1e-6)
    assert list(found.classes_) == [0, 1]


def test_clinical_baselines_are_refused(cox: Cox) -> None:
    X, y = patients(60, 13)
    baseline = ClinicalCox(["clinical__log2_age"]).fit(X, y)
    with pytest.raises(InputError, match="ClinicalCox cannot be updated"):
        updated(baseline)
    document = updated(cox, Update("slope", 0.1, 0.5)).state().document
    forged = document | {"model": baseline.state().document}
    with pytest.raises(InputError, match="no family that is updated"):
        check_state(ModelState(forged))
    for change in ({"slope": 0.0}, {"slope": float("nan")}, {"shift": 1e9}):
        with pytest.raises(InputError):
            check_state(ModelState(document | {"update": document["update"] | change}))
