"""The refractory endpoint from the experiment file to scores."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentConfig, ExperimentResult, parse_config, publish, read_config, run_experiment
from nbrelapse.scoring import load_model, score
from nbrelapse.scoring.evaluate import evaluate_bundle
from nbrelapse.simulation import simulate_cohort
from nbrelapse.tracking import read_experiment

FAMILIES = ["ensemble_classifier", "logistic", "boosted_classifier"]
METRICS = ["auc", "brier", "ipa", "calibration_slope", "calibration_intercept", "ici"]


@pytest.fixture(scope="module")
def refractory(settings: Callable[..., ExperimentConfig]) -> ExperimentResult:
    source = {"simulate": {"patients": 200, "seed": 8}}
    return run_experiment(settings(endpoint="refractory", cohort=source, split=None))


def test_the_models_are_those_of_the_endpoint():
    document = {"name": "a", "cohort": {"simulate": {}}}
    assert list(parse_config(document | {"endpoint": "refractory"}).models) == FAMILIES
    for endpoint, model in (("refractory", "cox"), ("efs", "logistic")):
        with pytest.raises(InputError, match=f"models of endpoint '{endpoint}'") as caught:
            parse_config(document | {"endpoint": endpoint, "models": [model]})
        assert caught.value.column == "models"


def test_the_example_experiment_is_legal():
    config = read_config(Path(__file__).parents[2] / "experiments" / "refractory_simulated.toml")
    assert (config.endpoint, config.progressive) == ("refractory", "refractory")


def test_every_metric_of_every_model_is_there(refractory: ExperimentResult) -> None:
    table = refractory.cross_validation.metrics
    assert list(dict.fromkeys(table["metric"])) == METRICS
    assert set(table["model"]) == {*refractory.baselines, *FAMILIES}
    assert {"clinical_logistic", "clinical_cog_v2"} <= set(refractory.baselines)
    leading = table[(table["metric"] == "auc") & (table["population"] == "all")].set_index("model")["value"]
    choice = refractory.choice
    assert choice.leader == leading[FAMILIES].idxmax()
    assert refractory.chosen == ("ensemble_classifier" if choice.tie else choice.leader)


def test_probabilities_follow_the_log_odds(refractory: ExperimentResult) -> None:
    for prediction in refractory.predictions.values():
        assert prediction.times.tolist() == [np.inf]
        np.testing.assert_allclose(prediction.incidence[:, :, 0], 1 / (1 + np.exp(-prediction.log_risk)), atol=1e-12)


@pytest.fixture
def published(
    refractory: ExperimentResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, dict[str, str]]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'store.db'}")
    done = publish(refractory, tmp_path / "report.html")
    return done.report.read_text(encoding="utf-8"), done.model_uris


def test_report_store_model_and_scores_agree(
    refractory: ExperimentResult, published: tuple[str, dict[str, str]]
) -> None:
    report, uris = published
    text = re.sub(r"<[^>]+>", " ", report)
    assert "As odds ratio" in text
    assert "AUC" in text and "log odds" in text
    assert not re.search("Event-free|Harrell|log hazard|follow-up|smooth curve|Risk groups", text)
    recorded = read_experiment("small")
    assert recorded.endpoint == "refractory"
    pd.testing.assert_frame_equal(recorded.cross_validation.metrics, refractory.cross_validation.metrics)
    other = simulate_cohort(150, seed=77)
    for family in FAMILIES:
        bundle = load_model(uris[family])
        scores = score(bundle, other)
        assert scores.columns[5:8].tolist() == [
            "probability_refractory",
            "probability_refractory_low",
            "probability_refractory_high",
        ]
        assert not [name for name in scores if name.startswith(("incidence", "survival"))]
        known = scores.dropna(subset=["log_risk"])
        np.testing.assert_allclose(known["probability_refractory"], 1 / (1 + np.exp(-known["log_risk"])))
        parts = known[["baseline", *(name for name in scores if name.startswith("mechanism__"))]].sum(axis=1)
        np.testing.assert_allclose(parts, known["log_risk"], atol=1e-5)
        found = evaluate_bundle(bundle, other, n_bootstrap=100)
        assert set(found.metrics["metric"]) == set(METRICS)
        with pytest.raises(InputError, match="trained on"):
            evaluate_bundle(bundle, refractory.data.cohort, n_bootstrap=100)


def test_progression_can_be_left_out(settings: Callable[..., ExperimentConfig], refractory: ExperimentResult) -> None:
    from nbrelapse.experiment.prepare import _prepare_data

    changed = refractory.config.model_copy(update={"progressive": "exclude"})
    kept = _prepare_data(changed).training
    assert kept.excluded["progressive disease during induction"] > 0
    assert len(kept.y) < len(refractory.data.training.y)


def test_too_few_of_either_kind_for_the_folds_is_said(settings: Callable[..., ExperimentConfig]) -> None:
    config = settings(
        endpoint="refractory",
        cohort={"simulate": {"patients": 60, "seed": 1}},
        split=None,
        validation={"folds": 40, "repeats": 1, "inner_folds": 2, "trials": 1, "bootstrap": 100},
    )
    with pytest.raises(InputError, match="are too few for 40 folds"):
        run_experiment(config)
