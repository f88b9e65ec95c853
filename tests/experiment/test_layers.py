"""Experiments with layers, and with all measured genes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, assay_rows, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import ExperimentConfig
from nbrelapse.experiment.leakage import _leakage_check
from nbrelapse.experiment.prepare import _experiment_models, _prepare_data

Settings = Callable[..., ExperimentConfig]
ROWS = [f"GENE{number}.a" for number in range(24)] + ["MYCN.a"]


@pytest.fixture(scope="module")
def layered(cohort: Cohort) -> Cohort:
    samples = cohort.assayed_samples("fish").tolist()
    values = np.random.default_rng(2).normal(size=(len(ROWS), len(samples))).round(3)
    return replace(
        cohort,
        assays=pd.concat([cohort.assays, assay_rows(samples, "layer:scores")], ignore_index=True),
        layers={"scores": pd.DataFrame(values, index=pd.Index(ROWS, name="feature"), columns=samples)},
        metadata={**cohort.metadata, "layers": {"scores": {"unit": "score", "mechanism": "gene"}}},
    )


@pytest.fixture(scope="module")
def folder(layered: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(layered, tmp_path_factory.mktemp("layers") / "cohort")


def test_layers_are_features_of_families_that_weigh_genes(settings: Settings, folder: Path, layered: Cohort) -> None:
    config = settings(cohort={"path": folder}, features={"layers": ["scores"]}, models=["cox", "cox_prior"])
    data = _prepare_data(config)
    rows = [name for name in data.columns if "__scores_" in name]
    assert len(rows) == len(ROWS) and rows.count("mycn__scores_MYCN.a") == 1
    expected = layered.layers["scores"].loc["MYCN.a"]
    sample = layered.assayed_samples("layer:scores")
    found = data.table.values["mycn__scores_MYCN.a"].loc[sample.index]
    assert found.tolist() == expected[sample].tolist()
    models = _experiment_models(config, data)[0]
    assert set(rows) <= set(models["cox_prior"].columns) and set(rows).isdisjoint(models["cox"].columns)


def test_true_takes_all_layers_and_false_none(settings: Settings, folder: Path) -> None:
    every = _prepare_data(settings(cohort={"path": folder}, features={"layers": True}))
    assert sum("__scores_" in name for name in every.columns) == len(ROWS)
    assert not any("__scores_" in name for name in _prepare_data(settings(cohort={"path": folder})).table.columns)


def test_a_layer_that_the_cohort_does_not_have(settings: Settings, folder: Path) -> None:
    with pytest.raises(InputError, match="the cohort has no layer junctions") as error:
        _prepare_data(settings(cohort={"path": folder}, features={"layers": ["junctions"]}))
    assert error.value.expected == "scores"


def test_all_measured_genes_are_features(settings: Settings, cohort: Cohort) -> None:
    assert cohort.expression is not None
    data = _prepare_data(settings(features={"genes": "all"}))
    genes = [name for name in data.table.columns if data.table.catalogue.features[name].builder == "expression"
             and data.table.catalogue.features[name].role == "gene"]  # fmt: skip
    assert len(genes) == len(cohort.expression) and "mycn__gene_MYCN" in genes
    pd.testing.assert_series_equal(
        data.table.values["mycn__gene_MYCN"], data.table.values["mycn__expression"], check_names=False
    )
    assert _prepare_data(settings(features={"genes": True})).table.shape[1] == data.table.shape[1] - len(genes)


def test_patients_with_one_profile_in_a_layer_are_refused(settings: Settings, layered: Cohort, tmp_path: Path) -> None:
    config = settings(features={"layers": True})
    values = layered.layers["scores"].copy()
    training = layered.patients.loc[layered.patients["split"] == "discovery", "patient_id"]
    own = layered.assayed_samples("layer:scores").reindex(training).dropna()
    values[own.iloc[1]] = values[own.iloc[0]]
    folder = write_cohort(replace(layered, layers={"scores": values}), tmp_path / "twins")
    twice = config.model_copy(update={"cohort": config.cohort.model_copy(update={"path": folder})})
    with pytest.raises(InputError, match="have the values in the layer scores of another"):
        _leakage_check(twice, _prepare_data(twice))
