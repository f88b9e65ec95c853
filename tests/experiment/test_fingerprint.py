"""Fingerprints change with the data and with nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from nbrelapse.experiment import ExperimentResult
from nbrelapse.experiment.fingerprint import data_fingerprint
from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.mechanisms import FeatureTable
from nbrelapse.outcome.fingerprint import outcome_fingerprint


@pytest.fixture
def data(result: ExperimentResult) -> PreparedData:
    return result.data


def with_values(data: PreparedData, values: object) -> PreparedData:
    return replace(data, table=FeatureTable(values, data.table.catalogue))


def test_they_are_sha256_in_hex(data: PreparedData) -> None:
    assert re.fullmatch("[0-9a-f]{64}", data_fingerprint(data))
    assert re.fullmatch("[0-9a-f]{64}", outcome_fingerprint(data.training))
    assert data_fingerprint(data) != outcome_fingerprint(data.training)


def test_the_order_of_patients_does_not_matter(data: PreparedData) -> None:
    turned = replace(data, training=data.training.take(data.training.patient_ids[::-1]))
    assert data_fingerprint(turned) == data_fingerprint(data)
    assert outcome_fingerprint(turned.training) == outcome_fingerprint(data.training)


def test_the_names_of_patients_do_not_matter(data: PreparedData) -> None:
    values = data.table.values.rename(index=lambda name: f"other {name}")
    training = replace(data.training, patient_ids=data.training.patient_ids.map(lambda name: f"other {name}"))
    renamed = replace(with_values(data, values), training=training)
    assert data_fingerprint(renamed) == data_fingerprint(data)
    assert outcome_fingerprint(training) == outcome_fingerprint(data.training)


def test_one_feature_of_one_patient_matters(data: PreparedData) -> None:
    values = data.table.values.copy()
    values.loc[data.training.patient_ids[0], "clinical__log2_age"] += 1e-6
    assert data_fingerprint(with_values(data, values)) != data_fingerprint(data)


def test_two_patients_who_swap_their_outcomes_matter(data: PreparedData) -> None:
    y = data.training.y.copy()
    y[[0, 1]] = y[[1, 0]]
    assert data.training.y[0] != data.training.y[1]
    swapped = replace(data, training=replace(data.training, y=y))
    assert data_fingerprint(swapped) != data_fingerprint(data)
    assert outcome_fingerprint(swapped.training) == outcome_fingerprint(data.training)


def test_features_that_are_not_read_and_the_holdout_do_not_matter(data: PreparedData) -> None:
    assert data.holdout is not None
    values = data.table.values.copy()
    values.loc[data.holdout.patient_ids] = 0.0
    values[list(data.left_out)] = np.nan
    assert data_fingerprint(with_values(data, values)) == data_fingerprint(data)


def test_one_outcome_under_two_names_is_one_hold_out(data: PreparedData) -> None:
    assert outcome_fingerprint(replace(data.training, endpoint="efs")) == outcome_fingerprint(data.training)


def test_one_time_matters(data: PreparedData) -> None:
    y = data.training.y.copy()
    y["time"][0] += 1
    assert outcome_fingerprint(replace(data.training, y=y)) != outcome_fingerprint(data.training)
