"""Thousands of columns are computed with in other ways than few; the answers are the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from nbrelapse.mechanisms import PriorKnowledge
from nbrelapse.models import Blend, Cox, CoxPrior
from nbrelapse.models.design import _order, _varied
from nbrelapse.models.hazards import _ridge_cox, _spanned
from nbrelapse.outcome import event_of

RNG = np.random.default_rng(61)


def outcomes(n: int, risk: np.ndarray | float = 0.0) -> np.ndarray:
    y = np.zeros(n, dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = RNG.integers(0, 3, n), np.ceil(RNG.exponential(20 * np.exp(-np.asarray(risk)), n))
    return y


@pytest.mark.parametrize("levels", [2, 1000])
@pytest.mark.parametrize("copies", [False, True])
def test_patients_are_ordered_by_all_keys(levels: int, copies: bool) -> None:
    """Few keys decide where nobody is alike in them, or who is alike is alike in all; the others decide elsewhere."""
    values = RNG.integers(0, levels, (40, 12)).astype(float)
    values[RNG.random(values.shape) < 0.2] = np.nan
    y = outcomes(40)
    if copies:
        rows = RNG.integers(0, 40, 40)
        values, y = values[rows], y[rows]
    for outcome in (y, (y["event"] == 1).astype(np.int8)):
        event = event_of(outcome)
        times = [outcome["time"]] if outcome.dtype.names else []
        assert _order(values, outcome).tolist() == np.lexsort((event, *values.T, event != 1, *times)).tolist()


def test_copies_of_a_patient_with_another_event_are_told_apart() -> None:
    y = np.array([(2, 5.0), (0, 5.0)], dtype=[("event", np.int8), ("time", float)])
    assert _order(np.zeros((2, 20)), y).tolist() == [1, 0]


def test_columns_vary_where_three_differ_from_the_most_frequent_value() -> None:
    values = RNG.integers(0, 3, (9, 400)).astype(float)
    values[RNG.random(values.shape) < 0.4] = np.nan
    for column, varied in zip(values.T, _varied(values), strict=True):
        counts = np.unique(column[~np.isnan(column)], return_counts=True)[1]
        assert varied == (counts.sum() - counts.max(initial=0) >= 3)


def test_ridge_regression_in_the_span_of_the_rows_is_that_in_all_columns() -> None:
    Z, y = RNG.normal(size=(30, 40)), outcomes(30)
    penalty, centre = RNG.uniform(1, 5, 40), RNG.normal(size=40) / 10
    wide = _ridge_cox(Z, y, penalty, centre)
    # Rows without an event at the latest time see no other patient: they add nothing but make the design long.
    later = np.zeros(20, dtype=y.dtype)
    later["time"] = 0.5
    long = _ridge_cox(np.vstack([Z, RNG.normal(size=(20, 40))]), np.append(y, later), penalty, centre)
    np.testing.assert_allclose(wide, long, atol=1e-8)


def test_what_no_row_spans_is_left_out() -> None:
    Z = np.outer(np.arange(3.0), np.arange(5.0))
    W, rotation = _spanned(Z)
    assert W.shape == (3, 1)
    np.testing.assert_allclose(W @ rotation.T, Z, atol=1e-12)


def test_the_cox_model_of_thousands_of_genes_tries_penalties_as_it_fits_them() -> None:
    names = [f"gene{number}" for number in range(300)]
    X = pd.DataFrame(RNG.normal(size=(60, 300)), columns=names)
    y = outcomes(60, X["gene0"].to_numpy())
    prior = PriorKnowledge({"gene0": 0.5}, blocks=dict.fromkeys(names[:200], "many"))
    model = CoxPrior(names, prior)
    fold = model.trial_fold(X[:40], y[:40], X[40:])
    for penalty in (3.0, 20.0):
        trial = clone(model).set_params(penalty=penalty)
        np.testing.assert_allclose(fold(trial), trial.fit(X[:40], y[:40]).predict_log_risk(X[40:]), atol=1e-12)


def test_a_copy_shares_nothing_that_can_be_changed() -> None:
    model = Cox(["a", "b"], penalty=0.3)
    copy = clone(model)
    copy.columns.append("c")
    assert (model.columns, copy.penalty) == (["a", "b"], 0.3)
    blend = Blend(["a"], parameters={"cox": {"penalty": 0.3}})
    clone(blend).parameters["cox"]["penalty"] = 9.0
    assert blend.parameters == {"cox": {"penalty": 0.3}}
