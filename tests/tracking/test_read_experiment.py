from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.tracking import ExperimentRecord, ModelRecord, log_experiment, read_experiment

Record = Callable[..., ExperimentRecord]


def test_what_was_logged_is_read(store: Path, record: Record) -> None:
    written = record()
    logged = log_experiment(written)
    found = read_experiment("small")
    assert (found.run_id, found.endpoint, found.chosen) == (logged.run_id, "relapse", "cox")
    assert found.model_uris == logged.model_uris
    pd.testing.assert_frame_equal(found.cross_validation.metrics, written.tables["cross_validation_metrics"])
    pd.testing.assert_frame_equal(found.cross_validation.differences, written.tables["cross_validation_differences"])
    assert found.holdout is None


def test_the_hold_out_is_read_where_there_is_one(store: Path, record: Record) -> None:
    tables = dict(record().tables)
    tables |= {name.replace("cross_validation", "holdout"): table for name, table in tables.items()}
    log_experiment(record(tables=tables))
    holdout = read_experiment("small").holdout
    assert holdout is not None
    assert holdout.metrics["value"].iloc[0] == 0.71


def test_the_latest_finished_run_is_read(store: Path, record: Record) -> None:
    def fail(path: str, description: object) -> None:
        raise OSError("disk full")

    log_experiment(record())
    second = log_experiment(record())
    with pytest.raises(OSError, match="disk full"):
        log_experiment(record(models=(ModelRecord("cox", {}, {}, fail),)))
    assert read_experiment("small").run_id == second.run_id


def test_an_unknown_experiment_names_those_that_there_are(store: Path, record: Record) -> None:
    log_experiment(record(models=()))
    with pytest.raises(InputError, match="no experiment named 'smal'") as caught:
        read_experiment("smal")
    assert "experiments: small" in str(caught.value)


def test_an_experiment_without_a_finished_run(store: Path) -> None:
    with pytest.raises(InputError, match="no finished run"):
        read_experiment("Default")


def test_a_run_without_its_tables(store: Path, record: Record) -> None:
    log_experiment(record(tables={}))
    with pytest.raises(InputError, match="no table of its metrics"):
        read_experiment("small")
