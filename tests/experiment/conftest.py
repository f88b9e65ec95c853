from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nbrelapse.cohort import Cohort, write_cohort
from nbrelapse.experiment import ExperimentConfig, ExperimentResult, parse_config, run_experiment
from nbrelapse.simulation import simulate_cohort


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    """180 simulated patients; `split` says "discovery" of 89 and "validation" of 91."""
    return simulate_cohort(180, seed=5)


@pytest.fixture(scope="session")
def cohort_folder(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(cohort, tmp_path_factory.mktemp("cohorts") / "simulated")


@pytest.fixture(scope="session")
def settings(cohort_folder: Path) -> Callable[..., ExperimentConfig]:
    """The smallest experiment that has everything; keywords replace its sections."""

    def configure(**changes: object) -> ExperimentConfig:
        document: dict[str, object] = {
            "name": "small",
            "seed": 3,
            "refits": 20,
            "cohort": {"path": cohort_folder},
            "split": {"train": ["discovery"], "validation": ["validation"]},
            "validation": {"folds": 3, "repeats": 1, "inner_folds": 2, "trials": 2, "bootstrap": 100},
        }
        return parse_config({key: value for key, value in (document | changes).items() if value is not None})

    return configure


@pytest.fixture(scope="session")
def result(settings: Callable[..., ExperimentConfig]) -> ExperimentResult:
    return run_experiment(settings())
