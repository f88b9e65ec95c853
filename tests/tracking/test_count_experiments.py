from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbrelapse.tracking import TRAINING_TAG, ExperimentRecord, count_experiments, log_experiment, read_experiment

Record = Callable[..., ExperimentRecord]


def test_experiments_count_by_their_mark_and_runs_of_models_do_not(store: Path, record: Record) -> None:
    log_experiment(record(tags={TRAINING_TAG: "patients-1"}))
    log_experiment(record(name="another", tags={TRAINING_TAG: "patients-1"}))
    log_experiment(record(tags={TRAINING_TAG: "patients-2"}))
    assert [count_experiments(TRAINING_TAG, f"patients-{number}") for number in (1, 2, 3)] == [2, 1, 0]


def test_what_an_experiment_tried_is_read_with_the_present_count(store: Path, record: Record) -> None:
    tags = {TRAINING_TAG: "patients-1", "nbrelapse.families": "2", "nbrelapse.trials": "40"}
    log_experiment(record(tags=tags, metrics={"before_correction": 0.71, "corrected_for_choice": 0.70}))
    log_experiment(record(name="another", tags=tags))
    tried = read_experiment("small").multiplicity
    assert tried is not None
    assert (tried.families, tried.trials, tried.experiments) == (2, 40, 2)
    assert (tried.apparent, tried.corrected) == (0.71, 0.70)


def test_an_older_run_does_not_say(store: Path, record: Record) -> None:
    log_experiment(record())
    assert read_experiment("small").multiplicity is None
