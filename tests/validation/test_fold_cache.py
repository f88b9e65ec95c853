from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.models.blend import Blend
from nbrelapse.models.linear import Cox
from nbrelapse.models.trees import Boosted
from nbrelapse.validation.fold_cache import FoldCache, _KeepTrial
from nbrelapse.validation.nested import nested_cross_validation
from nbrelapse.validation.tuning import Trial, tune

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


class CutOffError(Exception):
    """What ends a computation in these tests."""


@pytest.fixture
def cut_off(monkeypatch):
    """Let the computation end when so many trials are kept."""

    def after(count):
        whole, kept = _KeepTrial.__call__, []

        def keep(self, trial):
            whole(self, trial)
            kept.append(trial)
            if len(kept) == count:
                raise CutOffError

        monkeypatch.setattr(_KeepTrial, "__call__", keep)
        return monkeypatch.undo

    return after


@pytest.mark.parametrize("models", [{"cox": Cox(["x", "a"])}, {"blend": Blend(["x", "a"], members=("cox", "boosted"))}])
def test_a_tuning_that_was_cut_off_goes_on_from_its_trials(run, data, tmp_path, cut_off, models):
    (tmp_path / "cache").mkdir()
    seen = []
    whole = nested_cross_validation(
        models, *data, **(SETTINGS | {"n_trials": 12}), record=lambda *told: seen.append(told)
    )
    go_on = cut_off(17)
    with pytest.raises(CutOffError):
        run(models, n_trials=12)
    go_on()
    told = []
    again, cache = run(models, n_trials=12, record=lambda *item: told.append(item))
    (name,) = models
    # A blend has two parts of twelve trials: it was cut off in the second part of its first fold.
    assert (cache.hits, cache.trials) == ((1, 5) if name == "cox" else (0, 17))
    assert np.array_equal(again[name].log_risk, whole[name].log_risk)
    assert np.array_equal(again[name].incidence, whole[name].incidence)
    assert sorted(told, key=str) == sorted(seen, key=str)
    # They are in the entries of their folds now.
    assert not list(cache.folder.glob("*/*.trials"))


def test_known_trials_are_not_computed_again(data, monkeypatch):
    trials = []
    best = tune(Cox(["x", "a"]), *data, n_trials=4, n_folds=2, seed=1, record=trials.append)
    monkeypatch.setattr(Cox, "trial_fold", lambda *_: pytest.fail("a model was fitted"))
    again = tune(Cox(["x", "a"]), *data, n_trials=4, n_folds=2, seed=1, known=trials[::-1])
    assert again.get_params() == best.get_params()


def test_trials_of_other_parameters_are_computed_again(data):
    trials, kept = [], []
    settings = {"n_trials": 3, "n_folds": 2, "seed": 1}
    tune(Cox(["x", "a"]), *data, **settings, record=trials.append)
    forged = [replace(trials[1], parameters={"penalty": 1.0, "l1_ratio": 0.5}), trials[2]]
    tune(Cox(["x", "a"]), *data, **settings, known=forged, keep=kept.append)
    assert kept == trials[:2]


@pytest.mark.parametrize("damage", [b"", b"no trial", None])
def test_a_damaged_trial_is_no_trial(tmp_path, damage):
    cache = FoldCache(tmp_path / "cache")
    cache.prepare()
    keep = cache.keep_trials("ab12")
    for number in range(2):
        keep(Trial(number, {"penalty": 0.1}, (-1.0, -0.1 - 0.2), "finished"))
    file = sorted(cache.folder.rglob("*.json"))[0]
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content if damage is None else damage)
    (known,) = cache.load_trials("ab12")
    assert known == Trial(1, {"penalty": 0.1}, (-1.0, -0.1 - 0.2), "finished")
    assert (cache.trials, cache.damaged) == (1, 1)


def test_a_worker_without_the_folder_keeps_nothing(tmp_path):
    FoldCache(tmp_path / "elsewhere" / "cache").keep_trials("ab12")(Trial(0, {}, (), "finished"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", [Cox(["x", "a"]), Boosted(["x", "a"], n_estimators=5)], ids=["cox", "boosted"])
def test_a_refit_comes_back_to_the_last_bit(tmp_path, data, model):
    X, y = data
    fitted = model.fit(X, y)
    cache = FoldCache(tmp_path)
    key = cache.key(model, X, y, {"refit": True})
    assert cache.load_refit(key) is None
    assert cache.refits == 0
    cache.store_refit(key, fitted)
    again = cache.load_refit(key)
    assert again.state() == fitted.state()
    assert np.array_equal(again.predict_log_risk(X), fitted.predict_log_risk(X))
    assert (cache.refits, cache.refits_missed, cache.damaged) == (1, 1, 0)
    file = next(tmp_path.rglob("*.npz"))
    file.write_bytes(file.read_bytes()[:-40])
    assert cache.load_refit(key) is None
    assert cache.damaged == 1


def test_what_a_killed_process_left_half_written_goes(tmp_path):
    cache = FoldCache(tmp_path)
    old, new = tmp_path / "ab" / ".ab12.npz-x1", tmp_path / "ab" / "ab12.trials" / ".0000.json-x2"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    cache.prepare()
    assert not old.exists() and new.exists()
