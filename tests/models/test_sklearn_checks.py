"""scikit-learn's own checks of estimators, for every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from nbrelapse import models


class Timed:
    """The checks know no time to an event: the numbers they give as y become the days of an event each."""

    def fit(self, X: Any, y: Any) -> Any:
        return super().fit(X, _timed(y))

    def score(self, X: Any, y: Any) -> float:
        return super().score(X, _timed(y))


class AnyColumns:
    """The checks know no clinical columns: the clinical baselines read what there is."""

    def _default_columns(self, X: Any, table: Any) -> None:
        return None


class Cox(Timed, models.Cox): ...


class CoxPrior(Timed, models.CoxPrior): ...


class Boosted(Timed, models.Boosted): ...


class BoostedPrior(Timed, models.BoostedPrior): ...


class Forest(Timed, models.Forest): ...


class Blend(Timed, models.Blend): ...


class Ensemble(Timed, models.Ensemble): ...


class ClinicalCox(Timed, AnyColumns, models.ClinicalCox): ...


class ClinicalLogistic(AnyColumns, models.ClinicalLogistic): ...


def _timed(y: Any) -> Any:
    if y is None:
        return None
    values = np.asarray(y).astype(float)
    if values.ndim != 1 or not len(values):
        return values
    found = np.empty(len(values), dtype=[("event", "?"), ("time", "f8")])
    found["event"], found["time"] = True, values - values.min() + 1
    return found


def expected_failures(model: BaseEstimator) -> dict[str, str]:
    failures = {"check_dtype_object": "what is no number is an InputError, a ValueError and no TypeError"}
    if isinstance(model, models.BinaryModel):
        failures["check_classifiers_one_label"] = "the error speaks of patients without the event, not of classes"
    return failures


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        Cox(),
        CoxPrior(),
        Boosted(n_estimators=20),
        BoostedPrior(n_estimators=20),
        Forest(n_estimators=50, min_samples_leaf=5),
        Blend(parameters={"boosted": {"n_estimators": 20}}),
        ClinicalCox(),
        models.Logistic(),
        models.BoostedClassifier(n_estimators=20, min_child_weight=0.5),
        Ensemble(),
        models.EnsembleClassifier(),
        ClinicalLogistic(),
    ],
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)
