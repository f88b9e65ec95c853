"""Models stacked predict what each predicts alone, whoever else is predicted; features read once are read the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.models import Cox, Logistic, ReadFeatures, RiskModel, StackedModels, create_model, read_columns
from nbrelapse.models.resamples import bootstrap_refits

TIMES = np.array([0.0, 20.0, 365.25, 730.5, 1095.75, 5000.0])
FAMILIES: dict[str, dict[str, Any]] = {
    "cox": {"penalty": 0.05},
    "cox_prior": {},
    "boosted": {"n_estimators": 8},
    "forest": {"n_estimators": 50},
    "blend": {"members": ("cox", "boosted"), "parameters": {"boosted": {"n_estimators": 8}}, "folds": 2},
    "logistic": {"calibration_folds": 0, "not_assayed": "indicator"},
}


def outcome(y: np.ndarray, family: str) -> np.ndarray:
    """Times in steps of 50 days, so that events and competing events are tied; yes or no for a binary family."""
    if family == "logistic":
        return (y["event"] == 1).astype(np.int8)
    tied = y.copy()
    tied["time"] = np.ceil(y["time"] / 50) * 50
    return tied


def refits(family: str, training: tuple[pd.DataFrame, np.ndarray]) -> list[RiskModel]:
    X, y = training
    columns, parameters = list(X.columns), FAMILIES[family]
    binary = family == "logistic"
    model = Logistic(columns, **parameters) if binary else create_model(family, columns=columns, **parameters)
    return list(bootstrap_refits(model, X, outcome(y, family), n_refits=4, seed=2))


@pytest.mark.parametrize("family", FAMILIES)
def test_each_model_predicts_as_it_does_alone(family: str, training: tuple[pd.DataFrame, np.ndarray]) -> None:
    models, X = refits(family, training), training[0]
    together = StackedModels(models).probability(X, TIMES)
    alone = np.stack([model.predict_risk(X, TIMES)[1] for model in models])
    np.testing.assert_allclose(together, alone, rtol=1e-10, atol=1e-14)
    assert ((together == 0) == (alone == 0)).all()


@pytest.mark.parametrize("family", ["cox", "boosted", "logistic"])
def test_a_patient_does_not_depend_on_the_others(family: str, training: tuple[pd.DataFrame, np.ndarray]) -> None:
    stacked, X = StackedModels(refits(family, training)), training[0]
    whole = stacked.probability(X, TIMES)
    for rows in (slice(0, 1), slice(31, 34), slice(60, 160)):
        assert (stacked.probability(X.iloc[rows], TIMES) == whole[:, rows]).all()


def test_the_competing_event_takes_its_part(training: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = training
    y = outcome(y, "cox")
    y["event"][::4] = 2
    model = Cox(penalty=0.05).fit(X, y)
    assert model.competing_ is not None
    both = (model.baseline_.event_step > 0) & (model.baseline_.competing_step > 0)
    assert both.any()
    alone = model.predict_risk(X, TIMES)[1]
    np.testing.assert_allclose(StackedModels([model]).probability(X, TIMES)[0], alone, rtol=1e-10, atol=1e-14)


def test_models_of_other_columns_are_stacked_by_name(training: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = training
    y = y.copy()
    y["event"] = np.where(y["event"] == 2, 0, y["event"])
    models = [Cox(columns, penalty=0.05).fit(X, y) for columns in (list(X.columns[:2]), list(X.columns[::-1]))]
    together = StackedModels(models).probability(X, TIMES)
    for number, model in enumerate(models):
        np.testing.assert_allclose(together[number], model.predict_risk(X, TIMES)[1], rtol=1e-10, atol=1e-14)


def test_features_that_were_read_are_read_the_same(training: tuple[pd.DataFrame, np.ndarray]) -> None:
    X = training[0]
    names = X.columns.to_numpy(dtype=object)
    read = ReadFeatures(read_columns(X, names), index=X.index, columns=X.columns)
    pd.testing.assert_frame_equal(pd.DataFrame(read), X)
    for wanted in (names, names[::-1], names[1:2]):
        np.testing.assert_array_equal(read_columns(read, wanted), read_columns(X, wanted))
        assert read_columns(read, wanted).flags.c_contiguous
    np.testing.assert_array_equal(read_columns(read.rows(slice(3, 5)), names[::-1]), X.iloc[3:5, ::-1].to_numpy())
    assert type(read.iloc[3:5]) is pd.DataFrame
    with pytest.raises(InputError, match="lacks columns that the model reads"):
        read_columns(read, np.array(["absent"], dtype=object))
