from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.models.linear import Cox
from nbrelapse.models.resamples import bootstrap_refits, fold_refits
from nbrelapse.models.trees import Boosted


@pytest.mark.parametrize("model", [Cox(penalty=0.05), Boosted(n_estimators=10)], ids=["cox", "boosted"])
def test_refits_are_the_same_with_any_number_of_jobs(simulate, model):
    X, y, _ = simulate(100)
    one = bootstrap_refits(model, X, y, n_refits=4, seed=1)
    two = bootstrap_refits(model, X, y, n_refits=4, seed=1, n_jobs=2)
    other = bootstrap_refits(model, X, y, n_refits=4, seed=2)
    risks = [np.stack([refit.predict_log_risk(X) for refit in refits]) for refits in (one, two, other)]
    np.testing.assert_array_equal(risks[0], risks[1])
    assert (risks[0] != risks[2]).any()
    assert len(np.unique(risks[0][:, 0])) == 4


def test_every_refit_sees_as_many_events_of_each_kind_and_keeps_the_parameters(simulate):
    X, y, _ = simulate(100)
    seen = []

    class Recorder(Cox):
        def fit(self, X, y):
            seen.append(np.bincount(y["event"], minlength=3).tolist())
            return super().fit(X, y)

    refits = bootstrap_refits(Recorder(penalty=0.07), X, y, n_refits=5, seed=0)
    assert seen == [np.bincount(y["event"]).tolist()] * 5
    assert {refit.penalty for refit in refits} == {0.07}


def test_fold_refits_leave_every_patient_out_once_with_all_copies(simulate):
    X, y, _ = simulate(90)
    rows = np.r_[np.arange(90), np.arange(10)]
    seen = []

    class Recorder(Cox):
        def fit(self, X, y):
            seen.append((set(X.index), int((y["event"] == 1).sum())))
            return super().fit(X, y)

    refits = fold_refits(Recorder(penalty=0.07), X.iloc[rows], y[rows], n_folds=5)
    assert [refit.penalty for refit in refits] == [0.07] * 5
    left_out = [set(X.index) - patients for patients, _ in seen]
    assert sorted(patient for fold in left_out for patient in fold) == sorted(X.index)
    events = int((y[rows]["event"] == 1).sum())
    assert all(abs(found - 0.8 * events) <= 3 for _, found in seen)
