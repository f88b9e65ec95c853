from __future__ import annotations

import optuna
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.metrics.calibration import calibration_slope
from nbrelapse.models.linear import Cox
from nbrelapse.validation.tuning import Trial, tune


@pytest.fixture
def data(outcome):
    y, risk = outcome(150, 0)
    return pd.DataFrame({"x": risk}), y


def test_the_slope_that_the_data_ask_for_is_found(data, slope_model):
    X, y = data
    tuned = tune(slope_model(-1.0), X, y, n_trials=40, n_folds=5, seed=0)
    wanted = calibration_slope(y, X["x"].to_numpy())
    assert tuned.slope == pytest.approx(wanted, abs=0.15)
    assert not hasattr(tuned, "baseline_")


def test_the_same_seed_gives_the_same_parameters(data, slope_model):
    first, again, other = (
        tune(slope_model(), *data, n_trials=5, n_folds=3, seed=seed).get_params() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_nothing_to_tune_comes_back_unfitted_and_equal(data, slope_model):
    model = slope_model(0.3, tunable=False)
    tuned = tune(model, *data, n_trials=5, n_folds=3, seed=0)
    assert tuned is not model
    assert tuned.get_params() == model.get_params()


def test_trials_that_do_not_converge_are_passed_over(data, slope_model):
    class Diverging(slope_model):
        def suggest(self, trial):
            return {"slope": trial.suggest_categorical("slope", [-3.5, 0.5])}

    tuned = tune(Diverging(), *data, n_trials=12, n_folds=3, seed=0)
    assert tuned.slope == 0.5


def test_when_no_trial_converges_the_last_error_is_raised(data, slope_model):
    class Hopeless(slope_model):
        def suggest(self, trial):
            return {"slope": trial.suggest_float("slope", -4.0, -3.5)}

    with pytest.raises(FloatingPointError, match="diverged"):
        tune(Hopeless(), *data, n_trials=2, n_folds=3, seed=0)


def test_too_few_events_are_an_input_error(data, slope_model):
    X, y = data
    rare = y.copy()
    rare["event"] = 0
    rare["event"][:2] = 1
    with pytest.raises(InputError, match="2 events are too few for 5 folds"):
        tune(slope_model(), X, rare, n_trials=1, n_folds=5, seed=0)


def test_progress_is_told_and_optuna_is_silent(data, slope_model, capfd):
    told = []
    before = optuna.logging.get_verbosity()
    tune(slope_model(), *data, n_trials=3, n_folds=2, seed=0, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert optuna.logging.get_verbosity() == before
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_trial_that_falls_behind_is_stopped_before_its_last_fold(data, slope_model):
    folds_seen = []

    class Counting(slope_model):
        def suggest(self, trial):
            folds_seen.append((trial.number, trial.suggest_float("slope", -2, 2)))
            return {"slope": folds_seen[-1][1]}

        def predict_log_risk(self, X):
            if not X.index.equals(self.patients_):
                fits.append(self.slope)
            return super().predict_log_risk(X)

    fits = []
    tuned = tune(Counting(), *data, n_trials=25, n_folds=5, seed=0)
    fits_of = {slope: fits.count(slope) for _, slope in folds_seen}
    assert len(fits_of) == 25
    assert [fits_of[slope] for number, slope in folds_seen if number < 8] == [5] * 8
    stopped = [slope for slope, count in fits_of.items() if count < 5]
    assert stopped and min(fits_of[slope] for slope in stopped) >= 2
    assert tuned.slope not in stopped


def test_parts_are_tuned_each_on_its_own_and_put_back(data, slope_model):
    class Pair(slope_model):
        def parts(self):
            return {"one": slope_model(), "other": slope_model()}

        def with_parts(self, parts):
            pair = Pair()
            pair.tuned_ = {name: part.slope for name, part in parts.items()}
            return pair

        def suggest(self, trial):
            put_back.append(self.tuned_)
            return {}

    put_back, told = [], []
    tune(Pair(), *data, n_trials=4, n_folds=3, seed=5, progress=lambda *counts: told.append(counts))
    alone = tune(slope_model(), *data, n_trials=4, n_folds=3, seed=5).slope
    assert put_back == [{"one": alone, "other": alone}]
    assert told == [(done, 8) for done in range(1, 9)]


def test_trials_are_told_with_their_likelihood_after_each_fold(data, slope_model):
    trials = []
    tuned = tune(slope_model(), *data, n_trials=25, n_folds=5, seed=0, record=trials.append)
    assert [trial.number for trial in trials] == list(range(25))
    assert {"finished", "stopped"} <= {trial.state for trial in trials}
    for trial in trials:
        assert (len(trial.values) == 5) == (trial.state == "finished")
    best = max((trial for trial in trials if trial.state == "finished"), key=lambda trial: trial.values[-1])
    assert best.parameters == {"slope": tuned.slope}


def test_a_trial_that_failed_has_no_value(data, slope_model):
    class Diverging(slope_model):
        def suggest(self, trial):
            return {"slope": trial.suggest_categorical("slope", [-3.5, 0.5])}

    trials = []
    tune(Diverging(), *data, n_trials=12, n_folds=3, seed=0, record=trials.append)
    failed = [trial for trial in trials if trial.parameters["slope"] == -3.5]
    assert failed and failed[0] == Trial(failed[0].number, {"slope": -3.5}, (), "failed")
    assert all(trial.state == "failed" for trial in failed)


def test_trials_of_parts_name_the_part_and_nothing_to_tune_has_none(data, slope_model):
    class Pair(slope_model):
        def parts(self):
            return {"one": slope_model(), "other": slope_model()}

        def with_parts(self, parts):
            return Pair()

        def suggest(self, trial):
            return {}

    trials = []
    tune(Pair(), *data, n_trials=2, n_folds=3, seed=5, record=trials.append)
    assert [(trial.part, trial.number) for trial in trials] == [("one", 0), ("one", 1), ("other", 0), ("other", 1)]
    assert trials[0].values == trials[2].values


def test_patients_are_compared_within_their_study(data):
    """Times of one study on another scale change no ranks within a study, so they change no trial either."""
    X, y = data
    studies = pd.Series(["one", "two"] * (len(X) // 2), index=X.index)
    slower = y.copy()
    slower["time"][1::2] *= 40

    def values(strata, outcomes):
        trials = []
        tune(Cox(["x"], strata=strata), X, outcomes, n_trials=3, n_folds=3, seed=0, record=trials.append)
        return [value for trial in trials for value in trial.values]

    assert values(studies, slower) == pytest.approx(values(studies, y), rel=1e-6)
    assert values(None, slower) != pytest.approx(values(None, y), rel=0.01)
