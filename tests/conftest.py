"""Fixtures that the tests of several rooms share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pandas as pd
import pytest

from nbrelapse.outcome import SURVIVAL_DTYPE

if TYPE_CHECKING:
    from nbrelapse.cohort import Cohort
    from nbrelapse.experiment import ExperimentConfig, ExperimentResult
    from nbrelapse.scoring import Bundle

# New examples are looked for at the desk; in CI a change passes or fails for what it changed.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was made of damaged inputs (``readers/test_damaged_inputs.py``) and files (``torture``)."""
    _print_counts(terminalreporter, "damaged", "damaged inputs", ("refused", "repaired", "same", "silent"))
    _print_counts(terminalreporter, "tortured", "damaged files", ("refused", "told", "same", "plausible"))


def _print_counts(terminalreporter: Any, property_name: str, title: str, columns: tuple[str, ...]) -> None:
    counts: dict[str, Counter[str]] = {}
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    for report in reports:
        for name, value in getattr(report, "user_properties", []):
            if name == property_name and report.when == "call":
                counts.setdefault(value[0], Counter()).update(value[1])
    if counts:
        terminalreporter.section(title)
        terminalreporter.line(f"{'kind':<12}{'tried':>8}" + "".join(f"{name:>10}" for name in columns))
        for reader, found in {**counts, "all": sum(counts.values(), Counter())}.items():
            cells = "".join(f"{found[name]:>10}" for name in columns)
            terminalreporter.line(f"{reader:<12}{found.total():>8}{cells}")


def random_outcome(n: int, seed: int, *, competing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return ``y`` and log risks that predict it; times and risks have ties."""
    generator = np.random.default_rng(seed)
    risk = generator.normal(size=n).round(1)
    times = np.stack(
        [
            generator.exponential(900 * np.exp(-0.8 * risk)),
            generator.exponential(4000, size=n) if competing else np.full(n, np.inf),
            generator.uniform(100, 2600, size=n),
        ]
    )
    y = np.empty(n, dtype=SURVIVAL_DTYPE)
    y["event"] = np.array([1, 2, 0])[times.argmin(axis=0)]
    y["time"] = np.ceil(times.min(axis=0) / 50) * 50
    return y, risk


def boolean_outcome(y: np.ndarray) -> np.ndarray:
    """Return ``y`` as scikit-survival wants it, with competing events censored."""
    found = np.empty(len(y), dtype=[("event", bool), ("time", float)])
    found["event"], found["time"] = y["event"] == 1, y["time"]
    return found


@pytest.fixture
def outcome() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return random_outcome


@pytest.fixture
def as_boolean() -> Callable[[np.ndarray], np.ndarray]:
    return boolean_outcome


FEATURES = ("mycn__amplified", "instability__loss_11q", "cell_state__adrn_minus_mes", "clinical__log2_age")


@pytest.fixture(scope="session")
def target_patient_header() -> list[str]:
    """Columns of ``data_clinical_patient.txt`` of nbl_target_2018_pub, which the simulator writes too."""
    return [
        "PATIENT_ID",
        "PROTOCOL",
        "ICDO",
        "SNOMED",
        "ICDO_SNOMED_DESCRIPTION",
        "AGE_IN_DAYS",
        "AGE",
        "YEAR_OF_DIAGNOSIS",
        "INSS_STAGE",
        "TUMOR_SAMPLE_HISTOLOGY",
        "DIAGNOSIS",
        "EFSCENS",
        "SCENS",
        "EFS_TIME",
        "STIME",
        "SEX",
        "ETHNICITY",
        "RACE",
        "RISK_GROUP",
        "PERCENTAGE_TUMOR_PURITY",
        "FIRST_EVENT",
        "OS_STATUS",
        "OS_DAYS",
        "OS_MONTHS",
        "LAST_FOLLOWUP_YEAR",
        "PERCENTAGE_NECROSIS",
        "PERCENT_TUMOR_VS_STROMA",
        "PERCENT_TUMOR_CELLS_RELAPSE",
        "RELAPSE_PERCENT_NECROSIS",
        "RELAPSE_PERCENT_STROMA",
    ]


def _training(n: int = 160) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(7)
    X = pd.DataFrame(
        {
            "mycn__amplified": random.integers(0, 2, n).astype(float),
            "instability__loss_11q": random.integers(0, 2, n).astype(float),
            "cell_state__adrn_minus_mes": random.normal(size=n),
            "clinical__log2_age": random.uniform(1, 7, n),
        },
        index=pd.Index([f"patient-{number}" for number in range(n)], name="patient_id"),
    )
    risk = X["mycn__amplified"] + X["instability__loss_11q"] + 0.3 * X["clinical__log2_age"]
    y = np.zeros(n, dtype=[("event", np.int8), ("time", np.float64)])
    y["event"] = random.choice([0, 1, 1, 2], n, p=[0.45, 0.3, 0.2, 0.05])
    y["time"] = 1 + random.exponential(2000 / np.exp(risk.to_numpy() - risk.mean()))
    y["event"][y["time"] > 1500] = 0
    y["time"] = np.minimum(y["time"], 1500)
    X = X.mask(random.random(X.shape) < 0.15)
    return X, y


@pytest.fixture(scope="session")
def training() -> tuple[pd.DataFrame, np.ndarray]:
    """Features (15 % missing) and outcome of 160 made-up patients, followed for 1,500 days at most."""
    return _training()


@pytest.fixture(scope="session")
def bundles(training: tuple[pd.DataFrame, np.ndarray]) -> dict[str, Bundle]:
    """A bundle of each family, with eight refits."""
    from nbrelapse.mechanisms import load_catalogue
    from nbrelapse.models.clinical import ClinicalCox
    from nbrelapse.models.families import create_model
    from nbrelapse.models.resamples import bootstrap_refits
    from nbrelapse.scoring import TrainingSummary, make_bundle
    from nbrelapse.validation import cross_predictions, learn_bands

    X, y = training
    times = np.array([365.25, 730.5, 1095.75])
    found = {}
    families: dict[str, dict[str, Any]] = {
        "cox": {"penalty": 0.05},
        "boosted": {"n_estimators": 15},
        "forest": {"n_estimators": 50},
        "blend": {"members": ("cox", "boosted"), "parameters": {"boosted": {"n_estimators": 15}}, "folds": 2},
    }
    for family, parameters in families.items():
        model = create_model(family, columns=FEATURES, **parameters).fit(X, y)
        found[family] = make_bundle(
            "relapse",
            model,
            X,
            refits=tuple(bootstrap_refits(model, X, y, n_refits=8, seed=1)),
            references={"clinical_cox": ClinicalCox(["clinical__log2_age", "mycn__amplified"]).fit(X, y)},
            catalogue=load_catalogue(),
            gene_sets={"UNREAD": ["TP53"]},
            training=TrainingSummary(patients=len(y)),
            card="# A made-up model\n",
            bands=learn_bands(cross_predictions(model, X, y, times=times, n_folds=3), model, X, y),
        )
    return found


@pytest.fixture(scope="session")
def _empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables; making it takes seconds, copying it does not."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    code = f"import mlflow; mlflow.MlflowClient('sqlite:///{file}').search_experiments()"
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
    return file


@pytest.fixture
def no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without an MLflow store; the folder that would hold one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mlruns"


@pytest.fixture
def store(no_store: Path, _empty_database: Path) -> Path:
    """The folder of an empty MLflow store in the working directory, where the default store is looked for."""
    no_store.mkdir()
    shutil.copyfile(_empty_database, no_store / "mlflow.db")
    return no_store


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    """180 simulated patients; `split` says "discovery" of 89 and "validation" of 91."""
    from nbrelapse.simulation import simulate_cohort

    return simulate_cohort(180, seed=5)


@pytest.fixture(scope="session")
def cohort_folder(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nbrelapse.cohort import write_cohort

    return write_cohort(cohort, tmp_path_factory.mktemp("cohorts") / "simulated")


@pytest.fixture(scope="session")
def settings(cohort_folder: Path) -> Callable[..., ExperimentConfig]:
    """The smallest experiment that has everything; keywords replace its sections."""

    from nbrelapse.experiment import parse_config

    def configure(**changes: object) -> ExperimentConfig:
        document: dict[str, object] = {
            "name": "small",
            "seed": 3,
            "refits": 20,
            "cohort": {"path": cohort_folder},
            "split": {"train": ["discovery"], "validation": ["validation"]},
            "validation": {"folds": 3, "repeats": 1, "inner_folds": 2, "trials": 2, "bootstrap": 100},
            "models": ["cox", "boosted"],
        }
        if changes.get("endpoint") == "refractory":
            del document["models"]
        return parse_config({key: value for key, value in (document | changes).items() if value is not None})

    return configure


@pytest.fixture(scope="session")
def result(settings: Callable[..., ExperimentConfig]) -> ExperimentResult:
    from nbrelapse.experiment import run_experiment

    return run_experiment(settings())
