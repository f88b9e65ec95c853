from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbrelapse.scoring import Bundle
from nbrelapse.scoring.evidence_of import evidence_of


@pytest.mark.parametrize(
    ("importance", "expected"),
    [([0.5, 0.25, 0.25, 0.0], [1.0, 0.5, 0.0]), ([0.0, 0.0, 0.0, 0.0], [1.0, 0.75, 0.25])],
)
def test_evidence_is_the_importance_of_what_is_known(
    bundles: dict[str, Bundle], importance: list[float], expected: list[float]
) -> None:
    bundle = bundles["cox"]
    names = list(bundle.schema.index[:4])
    schema = bundle.schema.loc[names].assign(importance=importance)
    nan = np.nan
    values = pd.DataFrame([[1, 0, 2, 3], [nan, 0, 2, 3], [nan, nan, nan, 3]], columns=names, dtype=float)
    # Columns in another order, and one that the model does not read.
    values = values[names[::-1]].assign(another=nan)
    assert evidence_of(replace(bundle, schema=schema), values).tolist() == expected
