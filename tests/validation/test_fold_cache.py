from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.models.linear import Cox
from nbrelapse.models.trees import Boosted
from nbrelapse.validation.fold_cache import FoldCache
from nbrelapse.validation.nested import nested_cross_validation

SETTINGS = {
    "n_repeats": 1,
    "n_folds": 3,
    "n_inner_folds": 2,
    "n_trials": 2,
    "seed": 0,
    "times": np.array([200.0, 400.0]),
}


@pytest.fixture
def data(outcome):
    y, risk = outcome(120, 0)
    noise = np.random.default_rng(0).normal(size=(120, 2))
    index = pd.Index([f"secret-{number}" for number in range(120)], name="patient_id")
    return pd.DataFrame(np.column_stack([risk, noise]), columns=["x", "a", "b"], index=index), y


@pytest.fixture
def run(data, tmp_path):
    """Run with the cache in one folder; return the predictions, the folds found and those computed."""
    X, y = data

    def ran(models=None, X=X, y=y, **changed):
        cache = FoldCache(tmp_path / "cache")
        models = models or {"cox": Cox(["x", "a"]), "boosted": Boosted(["x", "a"])}
        return nested_cross_validation(models, X, y, cache=cache, **(SETTINGS | changed)), cache

    return ran


def counts(cache):
    return cache.hits, cache.misses, cache.damaged


def test_the_bits_are_the_same_without_with_and_from_the_cache(run, data):
    first, cache = run()
    assert counts(cache) == (0, 6, 0)
    again, cache = run(n_jobs=2)
    assert counts(cache) == (6, 0, 0)
    without = nested_cross_validation({"cox": Cox(["x", "a"])}, *data, **SETTINGS)
    for name in first:
        assert np.array_equal(first[name].log_risk, again[name].log_risk)
        assert np.array_equal(first[name].incidence, again[name].incidence)
        assert np.array_equal(first[name].fold, again[name].fold)
    assert np.array_equal(without["cox"].log_risk, again["cox"].log_risk)


def test_editing_one_model_leaves_the_others(run):
    run()
    _, cache = run({"cox": Cox(["x", "a"]), "boosted": Boosted(["x", "a"], {"x": 1})})
    assert counts(cache) == (3, 3, 0)
    _, cache = run({"cox": Cox(["x", "a"]), "new": Cox(["x", "a"])})
    assert counts(cache) == (3, 3, 0)


def test_what_does_not_matter_does_not_miss(run, data):
    X, _ = data
    run()
    _, cache = run(X=X.assign(b=0.0, c="text").set_axis([f"other-{number}" for number in range(120)], axis=0))
    assert counts(cache) == (6, 0, 0)


def test_what_matters_misses(run, data):
    X, y = data
    run()
    nudged = X.copy()
    nudged.iloc[0, 0] = np.nextafter(nudged.iloc[0, 0], np.inf)
    assert run(X=nudged)[1].hits == 0
    longer = y.copy()
    longer["time"][0] += 1
    # The fold that tests this patient did not train on his outcome.
    assert run(y=longer)[1].hits == 2
    for changed in ({"n_trials": 3}, {"n_inner_folds": 3}, {"seed": 1}, {"times": np.array([200.0, 401.0])}):
        assert run(**changed)[1].hits == 0
    twice = X.index.tolist()
    twice[0] = twice[1]
    assert run(X=X.set_axis(twice, axis=0))[1].hits < 6


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_a_damaged_entry_is_computed_anew(run, tmp_path, damage):
    first, _ = run()
    files = sorted((tmp_path / "cache").rglob("*.npz"))
    content = bytearray(files[0].read_bytes())
    content[len(content) // 2] ^= 1
    files[0].write_bytes(content if damage is None else damage)
    files[1].write_bytes(files[2].read_bytes())
    again, cache = run()
    assert counts(cache) == (4, 2, 2)
    assert np.array_equal(first["cox"].log_risk, again["cox"].log_risk)
    assert counts(run()[1]) == (6, 0, 0)


def test_no_pickle_is_read(run, tmp_path):
    run()
    file = next((tmp_path / "cache").rglob("*.npz"))
    np.savez(file, key=np.array(file.stem), log_risk=np.array([object()]), incidence=np.zeros((40, 2)))
    assert counts(run()[1]) == (5, 1, 1)


def test_no_identifier_is_written(run, tmp_path):
    run()
    files = list((tmp_path / "cache").rglob("*"))
    assert not any(b"secret" in file.read_bytes() for file in files if file.is_file())
    assert all(file.suffix == ".npz" for file in files if file.is_file())


def test_a_folder_that_cannot_be_written_is_said_to_be_so(run, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match="the cache cannot be written"):
        FoldCache(tmp_path / "cache").prepare()
    # Hours of computing are not thrown away because the disk has filled up.
    predictions, cache = run()
    assert set(predictions) == {"cox", "boosted"} and cache.failure


def test_the_folder_is_ignored_by_git(tmp_path):
    FoldCache(tmp_path / "cache").prepare()
    assert (tmp_path / "cache" / ".gitignore").read_text() == "*\n"


def test_the_trials_of_a_fold_are_kept_with_it(run):
    told = []

    def record(name, repeat, fold, trials):
        told.append((name, repeat, fold, trials))

    run(record=record)
    computed = sorted(told, key=lambda item: item[:3])
    told.clear()
    assert run(record=record)[1].hits == 6
    assert sorted(told, key=lambda item: item[:3]) == computed
    assert [item[:3] for item in computed] == [(name, 0, fold) for name in ("boosted", "cox") for fold in range(3)]
    assert all(len(trials) == 2 and len(trials[0].values) == 2 for *_, trials in computed)
    assert set(computed[-1][3][0].parameters) == {"penalty", "l1_ratio"}


def test_an_entry_without_its_trials_is_computed_anew(run, tmp_path):
    run()
    file = next((tmp_path / "cache").rglob("*.npz"))
    with np.load(file) as archive:
        content = dict(archive)
    for trials in (None, b"[{}]", b"{"):
        content["trials"] = np.frombuffer(trials or b"", dtype=np.uint8)
        np.savez(file, **{name: value for name, value in content.items() if trials is not None or name != "trials"})
        assert counts(run()[1]) == (5, 1, 1)
