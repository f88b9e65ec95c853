"""What an experiment checks of itself, and where it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nbrelapse.experiment import ExperimentConfig, ExperimentResult, run_experiment
from nbrelapse.experiment.describe import model_card
from nbrelapse.experiment.describe_guards import (
    features_used,
    guard_figures,
    guard_metrics,
    guard_sections,
    guard_tables,
    multiplicity,
)
from nbrelapse.experiment.guards import training_size
from nbrelapse.validation.sample_size import sample_size


def test_the_candidates_are_the_features_that_the_models_may_read(result: ExperimentResult) -> None:
    y = result.data.training.y
    events = int((y["event"] == 1).sum())
    assert result.guards.size == sample_size(len(y), events, len(result.data.columns))
    note = f"few events: {events} for {len(result.data.columns)} candidate features"
    assert any(text.startswith(note) for text in result.notes)


def test_enough_events_are_no_warning(result: ExperimentResult) -> None:
    few = replace(result.guards, size=sample_size(2000, 900, 3))
    assert few.notes == []


def test_a_binary_outcome_counts_its_ones(result: ExperimentResult) -> None:
    y = np.repeat([0, 1], [50, 20]).astype(np.int8)
    size = training_size(y, len(result.data.columns))
    assert (size.patients, size.events) == (70, 20)
    assert size == sample_size(70, 20, len(result.data.columns), binary=True)


def test_the_parameters_used_are_those_with_a_coefficient(result: ExperimentResult) -> None:
    model = result.models["cox"]
    X = result.data.features(result.data.training)[list(model.feature_names_in_)]
    moving = (model.coefficients_ != 0) & ((X - model.means_).abs().max().to_numpy() > 0)
    assert features_used(result, "cox") == moving.sum()
    metrics = guard_metrics(result, "cox")
    assert metrics["parameters_used"] == moving.sum()
    size = result.guards.size
    assert metrics["events_per_parameter"] == pytest.approx(size.events / size.parameters)
    assert "parameters_used" not in guard_metrics(result, "clinical_cox")


def test_report_and_card_say_it(result: ExperimentResult) -> None:
    tried = multiplicity(result, 3)
    families, section, corrected = guard_sections(result, tried)
    assert (tried.families, tried.trials, tried.experiments) == (2, 2, 3)
    assert f"would need {result.guards.size.patients_needed:,} patients" in section.sentences[0]
    card = model_card(result, "cox", tried)
    assert section.sentences[0] in card
    assert families.sentences[0] in card
    assert [row[0] for row in corrected.rows][:2] == [
        "Elastic-net Cox, Harrell C",
        "Elastic-net Cox, Calibration slope",
    ]


def test_the_choice_of_the_family_is_corrected(result: ExperimentResult) -> None:
    apparent = result.metric(result.chosen, "harrell_c")["value"]
    assert result.guards.apparent == pytest.approx(apparent, abs=1e-9)
    metrics = guard_metrics(result, result.chosen)
    assert metrics["before_correction"] == result.guards.apparent
    assert abs(metrics["corrected_for_choice"] - apparent) < 0.1
    others = [name for name in result.models if name != result.chosen]
    assert all("corrected_for_choice" not in guard_metrics(result, name) for name in others)


def test_optimism_is_logged_and_a_learning_curve_only_where_it_is_asked_for(result: ExperimentResult) -> None:
    assert result.guards.learning is None
    tables = guard_tables(result)
    assert list(tables) == ["optimism"]
    assert set(tables["optimism"]["model"]) == {"cox", "boosted"}
    assert (tables["optimism"]["resamples"] <= result.config.refits).all()
    metrics = guard_metrics(result, "cox")
    assert metrics["optimism/harrell_c_corrected"] < metrics["optimism/harrell_c_apparent"]


def test_an_experiment_with_a_learning_curve(settings: Callable[..., ExperimentConfig]) -> None:
    config = settings(
        models=["cox"],
        split=None,
        validation={
            "folds": 3, "repeats": 1, "inner_folds": 2, "trials": 1, "bootstrap": 100, "learning_curve": True
        },
    )  # fmt: skip
    found = run_experiment(config)
    learning = found.guards.learning
    assert learning is not None
    assert learning.table["value"].iloc[-1] == pytest.approx(found.guards.apparent, abs=1e-12)
    assert guard_metrics(found, "cox")["gain_of_twice_the_patients"] == learning.gain
    assert list(guard_tables(found)) == ["optimism", "learning_curve"]
    assert list(guard_figures(found)) == ["learning_curve"]
    section = guard_sections(found, multiplicity(found, 1))[-1]
    assert (section.title, section.figure) == ("Learning curve", "learning_curve")
