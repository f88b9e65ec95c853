"""The loader that MLflow calls for a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.scores import _score_features
from nbrelapse.scoring.storage import load_model


class ScoringModel:
    """What ``mlflow.pyfunc.load_model`` wraps: features in, scores out."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score feature rows.

        Parameters
        ----------
        model_input : DataFrame of shape (n_patients, n_features)
            Columns as in the model's signature, in any order; a column that is not there counts as not assayed.
        params : dict, optional
            MLflow passes it; there are none.

        Returns
        -------
        DataFrame
            As :func:`_score_features`, rows numbered from 0.
        """
        features = model_input.reindex(columns=self.bundle.schema.index)
        return _score_features(self.bundle, features).reset_index(drop=True)


def _load_pyfunc(data_path: str) -> ScoringModel:
    return ScoringModel(load_model(Path(data_path).parent))
