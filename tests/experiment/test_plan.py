"""What an experiment will do, before it does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nbrelapse.errors import InputError
from nbrelapse.experiment.config import parse_config, read_config
from nbrelapse.experiment.plan import plan_experiment
from nbrelapse.experiment.prepare import _prepare_data


def document(**changes: object) -> dict[str, object]:
    own: dict[str, object] = {
        "name": "small",
        "seed": 3,
        "models": ["cox"],
        "refits": 20,
        "cohort": {"simulate": {"patients": 120, "seed": 3}},
        "validation": {"folds": 3, "repeats": 2, "inner_folds": 3, "trials": 9, "bootstrap": 100},
    }
    return own | changes


def test_a_plan_counts_folds_events_and_fits() -> None:
    plan = plan_experiment(parse_config(document()), n_jobs=2)
    folds = plan.folds
    assert len(folds) == 6 and folds["repeat"].max() == 2
    patients, events = plan.patients.loc["training"]
    assert (folds["train"] + folds["test"] == patients).all()
    assert (folds["train_events"] + folds["test_events"] == events).all()
    own = plan.models.loc["cox"]
    assert (own["trials"], own["tunings"], own["refits"]) == (9, 7, 20)
    assert plan.models.loc["clinical_cox", ["trials", "refits"]].tolist() == [0, 0]
    assert own["fold_seconds"] > own["fit_seconds"] > 0
    each = plan.models["tunings"] * plan.models["fold_seconds"] + plan.models["refits"] * plan.models["fit_seconds"]
    assert plan.seconds == pytest.approx(each.sum() / 2)


def test_the_hold_out_is_counted() -> None:
    split = {"column": "sex", "train": ["male"], "validation": ["female"]}
    plan = plan_experiment(parse_config(document(split=split)))
    assert plan.patients.index[:2].tolist() == ["training", "hold-out"]
    assert plan.patients["events"].iloc[:2].gt(0).all()
    assert plan.folds["train"].max() < plan.patients.loc["training", "patients"]
    assert np.isfinite(plan.seconds)


def test_what_a_run_would_refuse_is_refused() -> None:
    settings = {"folds": 60, "repeats": 1, "inner_folds": 3, "trials": 3, "bootstrap": 100}
    with pytest.raises(InputError, match="too few"):
        plan_experiment(parse_config(document(validation=settings)))


EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda file: file.stem)
def test_experiments_to_copy_from_are_sound(file: Path) -> None:
    """Each says its own name, and is in the list; those of simulated patients have what they ask for."""
    config = read_config(file)
    assert config.name == file.stem
    assert f"]({file.name})" in (EXPERIMENTS / "README.md").read_text(encoding="utf-8")
    if config.cohort.simulate is not None and config.features.layers is False:
        data = _prepare_data(config)
        assert len(data.columns) >= 10
        assert (data.holdout is None) == (config.split is None)
