"""Risk models: estimators for scikit-learn, a family a class, and the clinical baselines."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "Attribution": "risk_model",
    "BinaryModel": "binary_model",
    "Blend": "blend",
    "Boosted": "boosted",
    "BoostedClassifier": "boosted_classifier",
    "BoostedPrior": "boosted_prior",
    "ClinicalCox": "clinical",
    "ClinicalLogistic": "clinical",
    "Cox": "cox",
    "CoxPrior": "cox_prior",
    "Forest": "forest",
    "LinearModel": "linear_model",
    "Logistic": "logistic",
    "ModelState": "risk_model",
    "RiskModel": "risk_model",
    "SurvivalModel": "survival_model",
    "TreeModel": "tree_model",
    "bootstrap_refits": "resamples",
    "create_model": "families",
    "fold_refits": "resamples",
    "model_from_state": "families",
    "prediction_interval": "resamples",
    "read_columns": "design",
    "training_matrix": "design",
}
__all__ = [*_HOME]

if TYPE_CHECKING:
    from nbrelapse.models.base import Attribution, BinaryModel, ModelState, RiskModel, SurvivalModel
    from nbrelapse.models.blend import Blend
    from nbrelapse.models.boosted_prior import BoostedPrior
    from nbrelapse.models.clinical import ClinicalCox, ClinicalLogistic
    from nbrelapse.models.design import read_columns, training_matrix
    from nbrelapse.models.families import create_model, model_from_state
    from nbrelapse.models.forest import Forest
    from nbrelapse.models.linear import Cox, LinearModel
    from nbrelapse.models.logistic import Logistic
    from nbrelapse.models.prior import CoxPrior
    from nbrelapse.models.resamples import bootstrap_refits, fold_refits, prediction_interval
    from nbrelapse.models.trees import Boosted, BoostedClassifier, TreeModel


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
