from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builders import fish
from nbrelapse.mechanisms.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def test_mycn_status_becomes_a_binary_feature() -> None:
    patients = pd.DataFrame({"patient_id": ["p1", "p2", "p3"], "mycn_status": ["amplified", "not_amplified", None]})
    definitions = CATALOGUE.by_builder("fish")
    table = fish.build(Cohort("three", patients, pd.DataFrame(), pd.DataFrame()), definitions)
    np.testing.assert_array_equal(table["mycn__amplified"], [1.0, 0.0, np.nan])
    assert table.index.tolist() == ["p1", "p2", "p3"]


def test_mycn_pushes_relapse_and_refractoriness_in_opposite_directions() -> None:
    definition = CATALOGUE.features["mycn__amplified"]
    assert definition.assay == "fish"
    assert [definition.direction_for(endpoint) for endpoint in ("relapse", "efs", "os")] == [1, 1, 1]
    assert definition.direction_for("refractory") == -1
