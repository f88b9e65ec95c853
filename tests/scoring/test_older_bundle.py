"""A bundle that version 0.1.0 wrote with the first catalogue still loads and scores alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.mechanisms import build_features
from nbrelapse.scoring import load_model
from nbrelapse.scoring.scores import _score_features
from nbrelapse.simulation import simulate_cohort

FOLDER = Path(__file__).parent / "bundles"


def test_log_risks_are_those_it_gave_when_it_was_written() -> None:
    bundle = load_model(FOLDER / "catalogue_1")
    features = pd.read_csv(FOLDER / "catalogue_1_features.csv", index_col="patient_id")
    expected = pd.read_csv(FOLDER / "catalogue_1_log_risk.csv", index_col="patient_id")["log_risk"]
    risk = bundle.model.predict_log_risk(features[list(bundle.model.feature_names_in_)])
    np.testing.assert_allclose(risk, expected, rtol=1e-12)


def test_incidences_are_those_it_gave_when_competing_events_had_one_slope() -> None:
    bundle = load_model(FOLDER / "catalogue_1")
    features = pd.read_csv(FOLDER / "catalogue_1_features.csv", index_col="patient_id")
    expected = pd.read_csv(FOLDER / "catalogue_1_incidence.csv", index_col="patient_id")
    states = bundle.model.predict_cumulative_incidence(features, np.array([365.25, 1826.25]))
    np.testing.assert_allclose(np.hstack([states[:, :, 0], states[:, :, 1]]), expected, rtol=1e-12)
    refit = bundle.refits[0].predict_cumulative_incidence(features, np.array([1826.25]))
    assert bundle.refits[0].baseline_.competing_slope > 0
    np.testing.assert_allclose(refit.sum(axis=1), 1)


def test_it_reads_the_features_of_its_own_catalogue() -> None:
    bundle = load_model(FOLDER / "catalogue_1")
    table = build_features(simulate_cohort(40, 5), bundle.catalogue)
    assert list(table.values.columns) == list(bundle.catalogue.features)
    scores = _score_features(bundle, table.values)
    assert scores["log_risk"].notna().mean() > 0.9


@pytest.mark.parametrize(
    ("version", "family"),
    [("0_2_0", "boosted"), ("0_3_0", "boosted"), ("0_3_0", "forest"), ("0_3_0", "blend")],
)
def test_trees_of_earlier_versions_predict_as_they_did(version: str, family: str) -> None:
    folder = FOLDER / f"version_{version}"
    bundle = load_model(folder / family)
    features = pd.read_csv(folder / "features.csv", index_col="patient_id")
    expected = pd.read_csv(folder / "predictions.csv", index_col="patient_id")
    assert bundle.version == version.replace("_", ".")
    assert len(bundle.refits) == 2
    np.testing.assert_allclose(bundle.model.predict_log_risk(features), expected[family], rtol=1e-12, atol=1e-12)
    if f"{family}_1200d" in expected:
        incidence = bundle.model.predict_risk(features, np.array([1200.0]))[1][:, 0]
        np.testing.assert_allclose(incidence, expected[f"{family}_1200d"], rtol=1e-12)
