from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.mechanisms import FeatureTable, load_catalogue
from nbrelapse.mechanisms.telomere_class import EVIDENCE, ROUTES, telomere_class


def classify(**features: float) -> tuple[str, str]:
    index = pd.Index(["p"], name="patient_id")
    values = pd.DataFrame({name: [value] for name, value in features.items()}, index=index, dtype="float64")
    row = telomere_class(FeatureTable(values, load_catalogue())).iloc[0]
    return row["class"], row["evidence"]


def routes(mycn: float, tert: float, alt: float) -> dict[str, float]:
    return dict(zip(ROUTES.values(), (mycn, tert, alt), strict=True))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((1, 0, 0), "MYCN"),
        ((0, 1, 0), "TERT"),
        ((0, 0, 1), "ALT"),
        ((np.nan, 1, np.nan), "TERT"),
        ((1, np.nan, 0), "MYCN"),
        ((1, 1, 0), "multiple"),
        ((np.nan, 1, 1), "multiple"),
        ((0, 0, 0), "none found"),
        ((0, 0, np.nan), "unknown"),
        ((np.nan, np.nan, np.nan), "unknown"),
    ],
)
def test_class(found: tuple[float, float, float], expected: str) -> None:
    assert classify(**routes(*found)) == (expected, "")


def test_evidence_names_what_is_known_whatever_it_is() -> None:
    known = {"mycn__amplified": 0, "telomere__tert_promoter_mutation": np.nan, "telomere__atrx_deletion": 1}
    assert classify(**known)[1] == "MYCN status, ATRX deletion"
    assert classify(**dict.fromkeys(EVIDENCE.values(), 0))[1] == ", ".join(EVIDENCE)


def test_rows_index_and_a_table_without_the_features() -> None:
    index = pd.Index(["b", "a"], name="patient_id")
    table = FeatureTable(pd.DataFrame({"clinical__male": [1.0, 0.0]}, index=index), load_catalogue())
    expected = pd.DataFrame({"class": ["unknown"] * 2, "evidence": [""] * 2}, index=index, dtype="str")
    pd.testing.assert_frame_equal(telomere_class(table), expected)


def test_every_feature_that_is_read_is_in_the_catalogue() -> None:
    assert {*ROUTES.values(), *EVIDENCE.values()} <= load_catalogue().features.keys()
