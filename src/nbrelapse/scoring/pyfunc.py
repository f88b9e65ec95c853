"""The loader that MLflow calls for a saved model."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.load_model import load_data
from nbrelapse.scoring.score import score_features


class ScoringModel:
    """What ``mlflow.pyfunc.load_model`` wraps: features in, scores out."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score feature rows; columns as in the model's signature, NaN = not assayed."""
        return score_features(self.bundle, model_input).reset_index(drop=True)


def _load_pyfunc(data_path: str) -> ScoringModel:
    return ScoringModel(load_data(data_path))
