from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from matplotlib.figure import Figure

from nbrelapse.report import draw_figures
from nbrelapse.scoring import write_bundle
from nbrelapse.tracking import HOLDOUT_TAG, DatasetRecord, ExperimentRecord, ModelRecord

if TYPE_CHECKING:
    from nbrelapse.scoring import Bundle


@pytest.fixture
def record(bundles: dict[str, Bundle]) -> Callable[..., ExperimentRecord]:
    """A small experiment with two saved models and a baseline; keywords replace its parts."""

    def make(**changes: object) -> ExperimentRecord:
        bundle = bundles["cox"]
        boosted = bundles["boosted"]
        metrics = {"c": 0.71, "c.low": 0.65, "c.high": 0.77, "c.minus_baseline": 0.01, "c.high_risk": 0.6}
        parts: dict[str, object] = {
            "name": "small",
            "description": "A small experiment.",
            "datasets": (DatasetRecord("made-up", "f" * 64, 160, 80, tuple(bundle.schema.index)),),
            "parameters": {"endpoint": "relapse", "validation.folds": "5"},
            "tags": {"commit": "abc123", "nbrelapse.chosen": "cox", HOLDOUT_TAG: "holdout-1"},
            "metrics": metrics,
            "models": (
                ModelRecord(
                    "cox",
                    {"penalty": "0.05"},
                    metrics,
                    lambda path, description: write_bundle(bundle, path, mlflow_model=description),
                    tables={"mechanism_importance": pd.DataFrame({"x": [1.0]})},
                    pictures=draw_figures({"curve": Figure()}),
                    card="# Card\n",
                ),
                ModelRecord(
                    "boosted",
                    {},
                    {"c": 0.68},
                    lambda path, description: write_bundle(boosted, path, mlflow_model=description),
                ),
                ModelRecord("clinical_cox", {}, {"c": 0.7}),
            ),
            "tables": evaluation_tables(),
            "pictures": draw_figures({"leaderboard": Figure()}),
            "documents": {"experiment.json": "{}"},
        }
        return ExperimentRecord(**(parts | changes))  # type: ignore[arg-type]

    return make


def evaluation_tables(value: float = 0.71) -> dict[str, pd.DataFrame]:
    row = {"model": "cox", "population": "all", "metric": "harrell_c", "low": 0.65, "high": 0.77}
    metrics = pd.DataFrame(
        [{**row, "value": value, "n": 160, "events": 80}, {**row, "model": "clinical_cox", "value": 0.70}]
    )
    differences = pd.DataFrame(
        [{**row, "reference": "clinical_cox", "difference": value - 0.70, "low": -0.02, "high": 0.05}]
    )
    return {"cross_validation_metrics": metrics, "cross_validation_differences": differences}
