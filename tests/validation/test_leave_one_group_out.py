from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import MEAN, evaluate
from nbrelapse.models.linear import Cox
from nbrelapse.validation.nested import leave_one_group_out

SETTINGS = {"n_inner_folds": 3, "n_trials": 3, "seed": 0, "n_bootstrap": 200}


@pytest.fixture
def data(outcome):
    y, risk = outcome(180, 0, competing=True)
    noise = np.random.default_rng(0).normal(size=(180, 2))
    groups = np.array(["GPOH", "COG", "COG", "SIOPEN", "SIOPEN", "SIOPEN"] * 30, dtype=object)
    return pd.DataFrame(np.column_stack([risk, noise]), columns=["x", "a", "b"]), y, groups


def harrell(table, model="cox"):
    rows = table[(table["metric"] == "harrell_c") & (table["model"] == model)]
    return rows.set_index("population")


def test_a_group_is_predicted_by_a_model_of_the_others(data, slope_model):
    X, y, groups = data
    found = leave_one_group_out({"fixed": slope_model(0.5, tunable=False)}, X, y, groups, references=[], **SETTINGS)
    assert np.array_equal(found.judged, np.arange(180))
    for name in ("COG", "GPOH", "SIOPEN"):
        inside = groups == name
        expected = 0.5 * (X["x"][inside] - X["x"][~inside].mean())
        np.testing.assert_allclose(found.predictions["fixed"].log_risk[0, inside], expected)
        assert len(np.unique(found.predictions["fixed"].fold[0, inside])) == 1
    assert found.left_out == {}


def test_figures_by_group_their_mean_and_paired_differences(data):
    X, y, groups = data
    models = {"cox": Cox(), "noise": Cox(["a", "b"])}
    found = leave_one_group_out(models, X, y, groups, references=["noise"], **SETTINGS)
    table = harrell(found.evaluation.metrics)
    assert list(table.index) == ["COG", "GPOH", "SIOPEN", MEAN]
    assert table["n"].tolist() == [60, 30, 90, 180]
    names = ["COG", "GPOH", "SIOPEN"]
    assert table.loc[MEAN, "value"] == pytest.approx(table.loc[names, "value"].mean(), abs=1e-12)
    assert table.loc[MEAN, "low"] > 0.5
    # Three independent estimates: the mean is surer than any of them.
    width = table["high"] - table["low"]
    assert width[MEAN] < width[names].min()
    assert width[MEAN] == pytest.approx(np.sqrt((width[names] ** 2).sum()) / 3, rel=0.2)
    noise = harrell(found.evaluation.metrics, "noise")
    difference = found.evaluation.differences
    difference = difference[difference["metric"] == "harrell_c"].set_index("population")["difference"]
    np.testing.assert_allclose(difference[table.index], table["value"] - noise["value"])
    # A group's figure is that of the group alone.
    for name in names:
        inside = groups == name
        alone = {model: prediction.take(inside) for model, prediction in found.predictions.items()}
        everybody = {"all": np.ones(inside.sum(), bool)}
        expected = evaluate(alone, y[inside], populations=everybody, references=[], n_bootstrap=100).metrics
        assert table.loc[name, "value"] == pytest.approx(harrell(expected).loc["all", "value"], abs=1e-12)


def test_results_depend_on_neither_the_jobs_nor_the_other_models(data):
    X, y, groups = data
    models = {"cox": Cox(), "narrow": Cox(["x"])}
    told = []
    one = leave_one_group_out(
        models, X, y, groups, references=[], progress=lambda done, total: told.append((done, total)), **SETTINGS
    )
    two = leave_one_group_out({"cox": Cox()}, X, y, groups, references=[], n_jobs=2, **SETTINGS)
    assert told == [(done, 6) for done in range(1, 7)]
    assert np.array_equal(one.predictions["cox"].log_risk, two.predictions["cox"].log_risk)
    pd.testing.assert_frame_equal(harrell(one.evaluation.metrics), harrell(two.evaluation.metrics))


def test_groups_that_cannot_be_judged_are_named_and_still_trained_on(data, slope_model):
    X, y, groups = data
    y["event"][groups == "COG"] = 0
    groups[:2] = None
    found = leave_one_group_out({"m": slope_model(tunable=False)}, X, y, groups, references=[], **SETTINGS)
    reason = "59 patients and 0 events, fewer than 10 or 5"
    assert found.left_out == {"COG": reason}
    assert f"COG: not judged, it has {reason}" in found.evaluation.notes
    assert "2 patients belong to no known group; they are left out" in found.evaluation.notes
    assert set(found.evaluation.metrics["population"]) == {"GPOH", "SIOPEN", MEAN}
    inside = groups == "SIOPEN"
    others = (groups == "COG") | (groups == "GPOH")
    np.testing.assert_allclose(
        found.predictions["m"].log_risk[0, np.isin(found.judged, np.flatnonzero(inside))],
        X["x"][inside] - X["x"][others].mean(),
    )


def test_a_metric_that_one_group_lacks_has_no_mean(data, slope_model):
    X, y, groups = data
    short = groups == "GPOH"
    y["event"][short & (y["time"] > 700)] = 0
    y["time"][short] = np.minimum(y["time"][short], 700)
    found = leave_one_group_out({"m": slope_model(tunable=False)}, X, y, groups, references=[], **SETTINGS)
    metrics = found.evaluation.metrics.groupby("population")["metric"].agg(set)
    assert "auc_2y" in metrics["COG"] and "auc_2y" not in metrics["GPOH"] | metrics[MEAN]
    assert any(note.startswith(f"{MEAN}: AUC 2 y") for note in found.evaluation.notes)


def test_too_few_groups_or_none_with_events_are_refused(data, slope_model):
    X, y, groups = data
    models = {"m": slope_model()}
    with pytest.raises(InputError, match="too few groups to leave one out: COG"):
        leave_one_group_out(models, X, y, np.full(180, "COG"), references=[], **SETTINGS)
    rare = y.copy()
    rare["event"] = 0
    rare["event"][:5] = 1
    with pytest.raises(InputError, match="no group can be left out") as error:
        leave_one_group_out(models, X, rare, groups, references=[], **SETTINGS)
    assert "COG has 60 patients and 2 events" in error.value.expected
    lone = y.copy()
    lone["event"][groups != "SIOPEN"] = 0
    with pytest.raises(InputError, match="no group can be left out") as error:
        leave_one_group_out(models, X, lone, groups, references=[], **SETTINGS)
    assert "and the other groups 0: too few for 3 inner folds" in error.value.expected
