"""Net benefit, thirds and reclassification of a binary endpoint, which has no horizon."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from nbrelapse.metrics import (
    TREAT_ALL,
    at_years,
    clinical_utility,
    decision_curve,
    observed_by_group,
    reclassification,
    weighted_incidence,
)
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.report import decisions_section
from nbrelapse.report.plots import decision_curve_plot


def predicted(probability: np.ndarray, name: str = "logistic") -> Predictions:
    odds = np.log(probability / (1 - probability))
    return Predictions(name, odds[None], np.zeros((1, len(odds)), int), probability[None, :, None], np.array([np.inf]))


@pytest.fixture
def judged():
    rng = np.random.default_rng(4)
    probability = rng.beta(1.5, 3.5, 300)
    y = (rng.random(300) < probability).astype(int)
    return predicted(probability), (probability > 0.4) * 1.0, y


def test_net_benefit_is_that_of_its_definition(judged):
    model, group, y = judged
    thresholds = np.array([0.1, 0.3, 0.6])
    found = decision_curve({"logistic": model}, {"high_risk": group == 1}, y, thresholds=thresholds, n_bootstrap=50)
    table = found.net_benefit.pivot(index="threshold", columns="strategy", values="net_benefit")
    for threshold in thresholds:
        odds = threshold / (1 - threshold)
        for name, treated in {
            "logistic": model.incidence[0, :, 0] >= threshold,
            "high_risk": group == 1,
            TREAT_ALL: np.ones(300, bool),
        }.items():
            expected = np.mean(treated & (y == 1)) - odds * np.mean(treated & (y == 0))
            assert table.loc[threshold, name] == pytest.approx(expected, abs=1e-9)
    assert found.net_benefit["years"].isna().all()
    assert found.notes == []


def test_the_differences_have_intervals_around_them(judged):
    model, group, y = judged
    found = decision_curve({"logistic": model}, {"high_risk": group == 1}, y, n_bootstrap=200).differences
    assert set(found["reference"]) == {"high_risk", TREAT_ALL}
    assert (found["low"] <= found["difference"]).all() and (found["difference"] <= found["high"]).all()


@pytest.mark.parametrize(("events", "others"), [(4, 200), (100, 9), (2, 5)])
def test_few_patients_of_either_kind_have_no_net_benefit_and_a_note(events, others):
    y = np.repeat([1, 0], [events, others])
    model = predicted(np.random.default_rng(0).uniform(0.1, 0.9, len(y)))
    found = clinical_utility("logistic", {"logistic": model}, {"high_risk": y * 1.0}, y, n_bootstrap=50)
    assert (found.years, found.tables()) == ((), {})
    assert found.notes == ["net benefit is left out: it needs 10 patients without the event and 5 with it"]
    assert decisions_section(found)["sentences"] == []


def test_thirds_are_shares_with_exact_intervals(judged):
    model, _, y = judged
    table = observed_by_group(model.incidence[0, :, 0], y, np.inf, 3)
    order = np.argsort(model.incidence[0, :, 0])
    for row, third in zip(table.itertuples(), np.array_split(order, 3), strict=True):
        limit = binomtest(int(y[third].sum()), 100).proportion_ci(method="exact")
        assert (row.n, row.observed) == (100, y[third].mean())
        assert (row.low, row.high) == pytest.approx((limit.low, limit.high))


def test_reclassification_counts_who_moves(judged):
    model, group, y = judged
    found = reclassification(group, model, y, np.inf, cuts=[0.5], n_bootstrap=50)
    move = (model.incidence[0, :, 0] >= 0.5).astype(int) - group
    value = found.improvement.set_index("component")["value"]
    assert value["events"] == pytest.approx(move[y == 1].mean(), abs=1e-9)
    assert value["nonevents"] == pytest.approx(-move[y == 0].mean(), abs=1e-9)
    assert found.cells["n"].sum() == 300


def test_the_incidence_of_a_binary_outcome_is_its_weighted_share(judged):
    _, _, y = judged
    weights = np.random.default_rng(0).integers(0, 3, (300, 4))
    found = weighted_incidence(y, weights, np.array([np.inf]))[0]
    assert np.allclose(found, (y @ weights) / weights.sum(axis=0))


def test_utility_is_shown_without_years(judged):
    model, group, y = judged
    baseline = predicted(np.clip(model.incidence[0, :, 0] * 0.5 + 0.1, 0.01, 0.99), "clinical_logistic")
    predictions = {"logistic": model, "clinical_logistic": baseline}
    found = clinical_utility("logistic", predictions, {"high_risk": group}, y, n_bootstrap=50)
    assert found.years == (None,)
    assert set(found.decisions.net_benefit["strategy"]) >= {"logistic", "clinical_logistic", "high_risk"}
    assert "event_free_time" not in found.tables()
    shown = decisions_section(found)
    assert len(shown["sentences"]) == 1
    assert shown["sentences"][0][0].isupper() and "years" not in shown["sentences"][0]
    assert [row["years"] for row in shown["tertiles"]] == ["–"] * 3
    assert shown["event_free"] == [] and shown["crossed"] is not None and shown["within"] == ""
    figure = decision_curve_plot(found)
    assert figure.axes[0].get_title() == ""
    assert len(figure.axes[0].lines) == found.decisions.net_benefit["strategy"].nunique()
    assert len(at_years(pd.DataFrame({"years": [3, 5]}), 3)) == 1
