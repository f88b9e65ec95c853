from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.models.inner_folds import inner_folds


@pytest.mark.parametrize("n_folds", [2, 5])
def test_everybody_is_left_out_once_with_events_in_every_fold(n_folds):
    event = (np.arange(53) % 4 == 0).astype(int)
    folds = inner_folds(pd.RangeIndex(53), event, n_folds)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(53))
    for train, test in folds:
        assert not set(train) & set(test)
        assert event[test].sum() >= 14 // n_folds


def test_copies_of_a_patient_stay_on_one_side():
    patients = pd.Index(np.random.default_rng(0).integers(0, 40, 60))
    for train, test in inner_folds(patients, (patients % 3 == 0).astype(int), 5):
        assert not set(patients[train]) & set(patients[test])


def test_a_class_too_small_for_the_folds_is_left_to_the_caller():
    folds = inner_folds(pd.RangeIndex(12), np.array([1] * 10 + [0] * 2), 5)
    assert len(folds) == 5
