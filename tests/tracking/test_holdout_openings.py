from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nbrelapse.tracking import ExperimentRecord, ModelRecord, count_holdout_openings, log_experiment, open_store

Record = Callable[..., ExperimentRecord]


def test_no_store_means_no_opening_and_makes_none(no_store: Path) -> None:
    assert count_holdout_openings("holdout-1") == 0
    assert not (no_store / "mlflow.db").exists()


def test_every_experiment_counts_once_under_whatever_name(store: Path, record: Record) -> None:
    assert count_holdout_openings("holdout-1") == 0
    log_experiment(record())
    assert count_holdout_openings("holdout-1") == 1
    log_experiment(record(name="another"))
    log_experiment(record(tags={"nbrelapse.holdout": "holdout-2"}))
    assert count_holdout_openings("holdout-1") == 2
    assert count_holdout_openings("holdout-2") == 1


def test_failed_and_deleted_runs_have_looked_too(store: Path, record: Record) -> None:
    def fail(path: str, description: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        log_experiment(record(models=(ModelRecord("cox", {}, {}, fail),)))
    open_store().delete_run(log_experiment(record()).run_id)
    assert count_holdout_openings("holdout-1") == 2
