from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nbrelapse.experiment import ExperimentConfig, ExperimentResult, run_experiment
from nbrelapse.experiment.card import _model_card
from nbrelapse.experiment.describe import _training_summary
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import load_model, make_bundle, write_bundle
from nbrelapse.scoring.evaluate import evaluate_bundle
from nbrelapse.simulation import simulate_cohort


@pytest.fixture(scope="module")
def landmark(settings: Callable[..., ExperimentConfig]) -> ExperimentResult:
    return run_experiment(settings(landmark_days=180, split=None, models=["cox"]))


def test_times_and_horizons_count_from_the_landmark(landmark: ExperimentResult) -> None:
    expected = make_outcome(landmark.data.cohort, "relapse", landmark_days=180)
    whole = make_outcome(landmark.data.cohort, "relapse")
    assert np.array_equal(landmark.data.training.y, expected.y)
    assert len(expected.y) < len(whole.y)
    assert landmark.models["cox"].baseline_.last_time == whole.y["time"].max() - 180
    left_out = len(whole.y) - len(expected.y)
    note = f"the landmark is day 180: times and horizons count from it, and {left_out} patients of the cohort"
    assert any(text.startswith(note) for text in landmark.notes)
    assert "Landmark days: 180.0" in _model_card(landmark, "cox")


def test_a_saved_model_keeps_its_landmark_and_is_judged_from_it(landmark: ExperimentResult, tmp_path: Path) -> None:
    bundle = make_bundle(
        "relapse",
        landmark.models["cox"],
        landmark.data.features(landmark.data.training),
        refits=tuple(landmark.refits["cox"]),
        references={},
        catalogue=landmark.data.table.catalogue,
        gene_sets={},
        training=_training_summary(landmark),
    )
    folder = write_bundle(bundle, tmp_path / "model")
    assert json.loads((folder / "data" / "manifest.json").read_text())["landmark_days"] == 180
    others = simulate_cohort(150, seed=78)
    found = evaluate_bundle(load_model(folder), others, n_bootstrap=100)
    n = len(make_outcome(others, "relapse", landmark_days=180).y)
    population = "all" if found.judged == n else "all_recorded"
    assert found.recorded == n
    assert set(found.metrics.loc[found.metrics["population"] == population, "n"]) == {n}
