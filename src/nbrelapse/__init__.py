"""Relapse and refractoriness risk in neuroblastoma, from its molecular mechanisms.

The public names are imported on first use, so that ``import nbrelapse`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

_HOME = {
    "Cohort": "nbrelapse.cohort",
    "read_cohort": "nbrelapse.cohort",
    "simulate_cohort": "nbrelapse.simulation",
    "FeatureTable": "nbrelapse.mechanisms",
    "build_features": "nbrelapse.mechanisms",
    "load_catalogue": "nbrelapse.mechanisms",
    "Outcome": "nbrelapse.outcome",
    "make_outcome": "nbrelapse.outcome",
    "explain": "nbrelapse.explanation",
    "load_model": "nbrelapse.scoring",
    "save_model": "nbrelapse.scoring",
    "score": "nbrelapse.scoring",
    "run_experiment": "nbrelapse.experiment",
}
__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from nbrelapse.cohort.cohort import Cohort
    from nbrelapse.cohort.storage import read_cohort
    from nbrelapse.experiment.run import run_experiment
    from nbrelapse.explanation.explanation import explain
    from nbrelapse.mechanisms.build import build_features
    from nbrelapse.mechanisms.catalogue import load_catalogue
    from nbrelapse.mechanisms.feature_table import FeatureTable
    from nbrelapse.outcome import Outcome, make_outcome
    from nbrelapse.scoring.scores import score
    from nbrelapse.scoring.storage import load_model, save_model
    from nbrelapse.simulation.simulate import simulate_cohort


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'nbrelapse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
