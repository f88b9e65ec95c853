"""Model cards: what TRIPOD+AI asks for, and numbers that are those of the experiment."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nbrelapse.experiment import ExperimentConfig, ExperimentResult
from nbrelapse.experiment.card import _calibration_by_group, _card_numbers, _model_card
from nbrelapse.metrics import harrell_c
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.scoring import Bundle, TrainingSummary, make_bundle, score

SECTIONS = [
    "Participants",
    "Outcome",
    "Predictors and missing data",
    "Performance, in the hold-out",
    "Calibration, overall and by risk group",
    "Mechanisms, by mean absolute contribution to the log hazard",
    "Against the literature",
    "How far the figures carry",
    "What it must not be used for",
    "Limits",
    "Licence and terms of the data",
    "Score and load",
]


@pytest.fixture(scope="module")
def told(result: ExperimentResult, settings: Callable[..., ExperimentConfig]) -> ExperimentResult:
    """The small experiment with sentences for its cards."""
    card = {
        "participants": "Made-up children.",
        "predictors": "Measured by a random generator.",
        "performance": "Opened before.",
        "not_for": ["Mice."],
        "terms": "Do as you like.",
    }
    return replace(result, config=settings(card=card))


@pytest.fixture(scope="module")
def bundle(result: ExperimentResult) -> Bundle:
    data = result.data
    return make_bundle(
        result.config.endpoint,
        result.models["cox"],
        data.features(data.training),
        refits=(),
        references={},
        catalogue=data.table.catalogue,
        gene_sets={},
        training=TrainingSummary.of(data.cohort, data.training),
    )


@pytest.fixture(scope="module")
def numbers(result: ExperimentResult, bundle: Bundle) -> dict[str, Any]:
    return json.loads(json.dumps(_card_numbers(result, bundle, "cox"), allow_nan=False))


def test_a_card_has_what_tripod_asks_for(told: ExperimentResult) -> None:
    card = _model_card(told, "cox", openings=3)
    assert re.findall("^## (.+)$", card, flags=re.M) == SECTIONS
    for sentence in ("Made-up children.", "Measured by a random", "Opened before.", "- Mice.", "Do as you like."):
        assert sentence in card
    assert "the hold-out was opened 3 times. Intervals hold 95% of 100 bootstrap resamples" in card
    assert "- Any real patient: it was trained on simulated ones" in card
    assert not set(told.data.cohort.patient_ids) & set(re.findall(r"[\w-]+", card))


def test_without_a_hold_out_the_card_says_how_the_figures_came_about(told: ExperimentResult) -> None:
    plain = replace(told, holdout=None, holdout_predictions=None, config=told.config.model_copy(update={"split": None}))
    card = _model_card(plain, "cox")
    assert "## Performance, in nested cross-validation of the training patients\n" in card
    assert (
        "Nested cross-validation in 3 folds: every patient is predicted by models that were tuned (2 settings" in card
    )
    value = plain.metric("cox", "harrell_c")["value"]
    assert f"| all | harrell_c | {value:.3f} |" in card


def test_the_numbers_are_those_of_the_card(told: ExperimentResult, numbers: dict[str, Any]) -> None:
    card = _model_card(told, "cox")
    assert told.holdout is not None
    assert numbers["performance"]["where"] == "the hold-out"
    assert len(numbers["performance"]["metrics"]) == (told.holdout.metrics["model"] == "cox").sum()
    for row in numbers["performance"]["metrics"]:
        assert f"| {row['population']} | {row['metric']} | {row['value']:.3f} |" in card
    for row in numbers["calibration"]:
        assert f"| {row['population']} | {row['years']} | {row['patients']} | {row['predicted']:.3f} |" in card
    assert {row["reference"] for row in numbers["performance"]["differences"]} <= set(told.models)
    assert numbers["left_out_groups"] is None


def test_calibration_of_groups_is_that_of_their_patients(result: ExperimentResult) -> None:
    table = _calibration_by_group(result, "cox").set_index(["population", "years"])
    assert result.holdout_predictions is not None and result.data.holdout is not None
    high = result.data.cohort.patients.set_index("patient_id")["high_risk"].astype(bool)
    mask = high.loc[result.data.holdout.patient_ids].to_numpy()
    own = result.holdout_predictions["cox"]
    column = int(np.flatnonzero(np.isclose(own.times, 2 * YEAR))[0])
    row = table.loc[("high_risk", 2)]
    assert row["patients"] == mask.sum()
    assert row["predicted"] == pytest.approx(own.incidence[0, mask, column].mean())
    assert row["low"] <= row["observed"] <= row["high"]
    assert table.loc[("not high_risk", 2), "patients"] == (~mask).sum()


def test_scoring_the_training_patients_anew_gives_what_the_numbers_say(
    result: ExperimentResult, bundle: Bundle, numbers: dict[str, Any]
) -> None:
    told = numbers["training_scored"]
    training = result.data.training
    table = score(bundle, result.data.cohort).set_index("patient_id").loc[training.patient_ids]
    known = table["log_risk"].notna().to_numpy()
    assert (told["patients"], told["scored"]) == (len(training.y), known.sum())
    assert told["scored"] < told["patients"]
    assert told["log_risk_mean"] == pytest.approx(table["log_risk"].mean())
    assert told["harrell_c"] == pytest.approx(harrell_c(training.y[known], table.loc[known, "log_risk"].to_numpy()))
    for name, value in told["probability"].items():
        assert value == pytest.approx(table[name].mean())
    assert all(math.isfinite(value) for value in told["probability"].values())
