from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.scoring import Bundle, write_bundle
from nbrelapse.scoring.scores import _score_features

# MLflow warns of its own type hints while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_mlflow_gives_the_same_scores(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], tmp_path: Path, family: str
) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(write_bundle(bundles[family], tmp_path / "model")))
    features = training[0]
    expected = _score_features(bundles[family], features).reset_index(drop=True)
    pd.testing.assert_frame_equal(model.predict(features), expected, rtol=0, atol=0)
    shuffled = features[features.columns[::-1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(model.predict(shuffled), expected, rtol=0, atol=0)


def test_a_column_that_is_not_there_counts_as_not_assayed(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(write_bundle(bundles["cox"], tmp_path / "model")))
    features = training[0]
    expected = _score_features(bundles["cox"], features.assign(mycn__amplified=np.nan)).reset_index(drop=True)
    pd.testing.assert_frame_equal(model.predict(features.drop(columns="mycn__amplified")), expected, rtol=0, atol=0)
