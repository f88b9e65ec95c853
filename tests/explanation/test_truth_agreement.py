from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from nbrelapse.errors import InputError
from nbrelapse.explanation import truth_agreement

PATIENTS = list("abcd")
TRUTH = pd.DataFrame(
    {
        "mycn": [1.0, 1.0, -0.5, -0.5],
        "alk": [0.0, 0.2, -0.2, np.nan],
        "p53": [0.3, -0.1, -0.1, np.nan],
    },
    index=PATIENTS,
)
FOUND = pd.DataFrame(
    {
        "alk": [0.1, 0.1, 0.1, 7.0],
        "mycn": [0.5, 1.0, -0.5, -1.0],
        "p53": [0.6, -0.2, 0.1, 9.0],
    },
    index=PATIENTS,
)


def test_each_mechanism_is_judged_among_the_patients_with_a_truth():
    table = truth_agreement(FOUND, TRUTH).mechanisms
    assert table.index.tolist() == ["mycn", "alk", "p53"]
    assert table["n_patients"].tolist() == [4, 3, 3]
    np.testing.assert_allclose(table["mean_absolute_error"], [0.25, 0.5 / 3, 0.2])
    np.testing.assert_allclose(table["true_size"], [0.75, 0.4 / 3, 0.5 / 3])
    assert table.loc["mycn", "spearman"] == pytest.approx(spearmanr(FOUND["mycn"], TRUTH["mycn"]).statistic)
    assert np.isnan(table.loc["alk", "spearman"])


def test_signs_are_judged_where_the_truth_has_one():
    table = truth_agreement(FOUND, TRUTH).mechanisms
    np.testing.assert_allclose(table["sign_accuracy"], [1.0, 1 / 2, 2 / 3])
    nothing = truth_agreement(FOUND * 0, TRUTH * 0).mechanisms
    assert nothing["sign_accuracy"].isna().all()


def test_each_patient_is_judged_over_the_known_mechanisms():
    table = truth_agreement(FOUND, TRUTH).patients
    assert table.index.tolist() == PATIENTS
    assert table["n_mechanisms"].tolist() == [3, 3, 3, 1]
    names = ["mycn", "alk", "p53"]
    for patient in "abc":
        expected = spearmanr(FOUND.loc[patient, names], TRUTH.loc[patient, names]).statistic
        assert table.loc[patient, "spearman"] == pytest.approx(expected)
    assert np.isnan(table.loc["d", "spearman"])
    assert table["leading"].tolist() == [False, True, True, True]
    assert truth_agreement(FOUND, TRUTH).leading_share == 0.75


def test_without_a_true_contribution_nothing_leads_and_silence_is_not_right():
    truth = TRUTH.mul([0, 1, 1, 1], axis=0)
    found = FOUND.mul([1, 0, 1, 1], axis=0)
    assert truth_agreement(found, truth).patients["leading"].tolist() == [pd.NA, False, True, True]
    assert np.isnan(truth_agreement(FOUND, TRUTH * 0).leading_share)


def test_tied_leading_mechanisms_are_both_right():
    truth = pd.DataFrame({"a": [1.0], "b": [-1.0], "c": [0.0]})
    for name in "ab":
        assert truth_agreement(pd.DataFrame({name: [0.4]}), truth).leading_share == 1.0


def test_rounding_makes_no_ranks_and_no_signs():
    truth = pd.DataFrame({"a": [0.0, 0.0, 1.0, 2.0]})
    noise = pd.DataFrame({"a": [1e-8, -1e-8, 0.0, 0.0]})
    found = truth_agreement(truth + noise, truth - noise)
    assert found.mechanisms.loc["a", ["spearman", "sign_accuracy"]].tolist() == pytest.approx([1.0, 1.0])


def test_a_mechanism_of_one_side_only_is_nothing_in_the_other():
    truth = TRUTH[["mycn", "alk"]].dropna()
    table = truth_agreement(FOUND.loc[truth.index, ["mycn", "p53"]], truth).mechanisms
    assert table.index.tolist() == ["mycn", "alk", "p53"]
    np.testing.assert_allclose(table.loc["alk", "mean_absolute_error"], 0.4 / 3)
    np.testing.assert_allclose(table.loc["p53", "mean_absolute_error"], 0.3)
    assert table.loc[["alk", "p53"], "spearman"].isna().all()


def test_the_truth_agrees_with_itself():
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(rng.normal(size=(30, 5)), columns=list("abcde"))
    found = truth_agreement(truth, truth)
    np.testing.assert_allclose(found.mechanisms[["spearman", "sign_accuracy"]], 1.0)
    np.testing.assert_allclose(found.patients["spearman"], 1.0)
    assert (found.leading_share, found.mechanisms["mean_absolute_error"].max()) == (1.0, 0.0)


def test_other_patients_or_none_are_refused():
    with pytest.raises(InputError, match="same patients"):
        truth_agreement(FOUND, TRUTH.iloc[::-1])
    with pytest.raises(InputError, match="without patients"):
        truth_agreement(FOUND.iloc[:0], TRUTH.iloc[:0])
