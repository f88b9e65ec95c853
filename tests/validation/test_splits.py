from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.errors import InputError
from nbrelapse.validation.splits import named_split, repeated_folds


def with_events(counts):
    event = np.repeat([0, 1, 2], counts)
    y = np.empty(len(event), dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = event, 10.0
    return y


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(2, 30), st.integers(0, 12), st.integers(2, 5), st.integers(0, 99))
def test_every_patient_is_tested_once_a_repeat_and_every_fold_has_events(censored, events, competing, n_folds, seed):
    y = with_events([censored, max(events, n_folds), competing])
    splits = repeated_folds(y, n_repeats=2, n_folds=n_folds, seed=seed)
    assert [(repeat, fold) for repeat, fold, _, _ in splits] == [(r, f) for r in range(2) for f in range(n_folds)]
    for repeat in range(2):
        tested = np.concatenate([test for r, _, _, test in splits if r == repeat])
        assert sorted(tested) == list(range(len(y)))
    counts = [int((y["event"][test] == 1).sum()) for _, _, _, test in splits]
    assert min(counts) >= 1
    assert all(
        not np.intersect1d(train, test).size and len(train) + len(test) == len(y) for _, _, train, test in splits
    )


def test_competing_events_too_rare_for_every_fold_are_shared_out_with_the_censored():
    y = with_events([17, 22, 3])
    for _, _, _, test in repeated_folds(y, n_repeats=2, n_folds=5, seed=0):
        assert (y["event"][test] != 1).sum() == 4


@pytest.mark.parametrize("names", [(0, 1), ("a", "b")])
def test_every_fold_has_the_same_share_of_every_study_and_its_outcomes(names):
    y = with_events([40, 20, 0])
    study = np.array(names)[np.repeat([0, 1, 0, 1], [30, 10, 5, 15])]
    for _, _, _, test in repeated_folds(y, n_repeats=2, n_folds=5, seed=0, strata=study):
        found = [int(((study == name) & (y["event"] == event))[test].sum()) for name in names for event in (0, 1)]
        assert found == [6, 1, 2, 3]


def test_the_mix_of_outcomes_is_the_same_in_every_fold():
    y = with_events([50, 25, 10])
    for _, _, _, test in repeated_folds(y, n_repeats=2, n_folds=5, seed=0):
        assert np.bincount(y["event"][test]).tolist() == [10, 5, 2]


def test_repeats_differ_and_the_seed_decides():
    y = with_events([30, 20, 0])
    first, again, other = (repeated_folds(y, n_repeats=2, n_folds=5, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a[3], b[3]) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][3], first[5][3])
    assert not np.array_equal(first[0][3], other[0][3])


def test_groups_stay_together():
    y = with_events([40, 20, 0])
    groups = np.random.default_rng(0).integers(0, 25, size=60)
    for _, _, train, test in repeated_folds(y, n_repeats=3, n_folds=4, seed=0, groups=groups):
        assert not set(groups[train]) & set(groups[test])


def test_too_few_events_are_refused_with_the_fix():
    with pytest.raises(InputError, match=r"4 events are too few for 5 folds[\s\S]*ask for fewer folds"):
        repeated_folds(with_events([50, 4, 9]), n_repeats=1, n_folds=5, seed=0)
    one_family = np.zeros(60, dtype=int)
    one_family[:20] = np.arange(1, 21)
    with pytest.raises(InputError, match="too few"):
        repeated_folds(with_events([40, 20, 0])[::-1], n_repeats=1, n_folds=5, seed=0, groups=one_family[::-1])


LABELS = pd.Series(["train", "test", None, "train", "other"], index=list("abcde"), name="split")


def test_named_split_gives_positions():
    train, validation = named_split(LABELS, ["train", "other"], ["test"])
    assert (train.tolist(), validation.tolist()) == ([0, 3, 4], [1])


def test_nobody_need_be_held_out():
    train, validation = named_split(LABELS, ["train"], [])
    assert (train.tolist(), validation.tolist()) == ([0, 3], [])


def test_named_split_reads_numbers_as_their_text():
    train, validation = named_split(pd.Series([1, 2, 1], name="set"), ["1"], ["2"])
    assert (train.tolist(), validation.tolist()) == ([0, 2], [1])


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (["train"], ["tset"], r"no patient has 'tset'\n  column: split\n  expected: other or test or train"),
        (["train"], ["train", "test"], "'train' is on both sides"),
        ([], ["test"], "the split's train side names no value"),
        ([], [], "the split's train side names no value"),
    ],
)
def test_named_split_refuses_what_cannot_be(train, validation, message):
    with pytest.raises(InputError, match=message):
        named_split(LABELS, train, validation)


def test_a_patient_on_both_sides_is_refused_by_row():
    labels = pd.Series(["train", "test", "test"], index=["a", "b", "a"], name="split")
    with pytest.raises(InputError, match=r"patients are on both sides[\s\S]*rows: 3"):
        named_split(labels, ["train"], ["test"])
