from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builders import clinical
from nbrelapse.mechanisms.catalogue import load_catalogue

DEFINITIONS = load_catalogue().by_builder("clinical")


def cohort_of(**columns: list) -> Cohort:
    patients = pd.DataFrame(columns)
    patients.insert(0, "patient_id", [f"p{number}" for number in range(len(patients))])
    return Cohort("hand-written", patients, pd.DataFrame(), pd.DataFrame())


def build(**columns: list) -> pd.DataFrame:
    return clinical.build(cohort_of(**columns), DEFINITIONS)


@pytest.mark.parametrize(
    ("feature", "columns", "expected"),
    [
        ("clinical__age_months", {"age_days": [0.0, 304.375, None]}, [0.0, 10.0, np.nan]),
        ("clinical__log2_age", {"age_days": [0.0, 30.4375 * 7, None]}, [0.0, 3.0, np.nan]),
        ("clinical__age_over_18_months", {"age_days": [546.0, 547.0, None]}, [0.0, 1.0, np.nan]),
        (
            "clinical__stage_metastatic",
            {"inss_stage": ["1", "2A", "3", "4", "4S", None]},
            [0.0, 0.0, 0.0, 1.0, 0.0, np.nan],
        ),
        ("clinical__stage_metastatic", {"inrgss_stage": ["L1", "L2", "M", "MS"]}, [0.0, 0.0, 1.0, 0.0]),
        ("clinical__stage_metastatic", {"inss_stage": ["3", None], "inrgss_stage": ["M", "M"]}, [0.0, 1.0]),
        ("clinical__stage_4s", {"inss_stage": ["4S", "4", None], "inrgss_stage": [None, None, "MS"]}, [1.0, 0.0, 1.0]),
        ("clinical__stage_3", {"inss_stage": ["3", "2", None], "inrgss_stage": [None, "L2", "L2"]}, [1.0, 0.0, 1.0]),
        ("clinical__male", {"sex": ["male", "female", None]}, [1.0, 0.0, np.nan]),
        ("clinical__unfavorable_histology", {"histology": ["favorable", "unfavorable", None]}, [0.0, 1.0, np.nan]),
        ("clinical__undifferentiated", {"grade": ["differentiating", "undifferentiated", None]}, [0.0, 1.0, np.nan]),
        ("clinical__mki", {"mki": ["low", "intermediate", "high", None]}, [0.0, 1.0, 2.0, np.nan]),
        ("clinical__log2_ldh", {"ldh": [1023.0, None]}, [10.0, np.nan]),
        ("clinical__log2_ferritin", {"ferritin": [0.0, 127.0, None]}, [0.0, 7.0, np.nan]),
        (
            "instability__hyperdiploid",
            {
                "dna_index": [1.0, 1.2, None, None, None, 1.0],
                "ploidy": [None, "diploid", "hyperdiploid", "diploid", None, "hyperdiploid"],
            },
            [0.0, 1.0, 1.0, 0.0, np.nan, 0.0],
        ),
        ("clinical__risk_group", {"risk_group": ["low", "intermediate", "high", None]}, [0.0, 1.0, 2.0, np.nan]),
        (
            "clinical__risk_group",
            {
                "risk_group": [None, None, None, "intermediate"],
                "high_risk": pd.array([True, False, None, False], dtype="boolean"),
            },
            [2.0, 0.5, np.nan, 1.0],
        ),
        (
            "clinical__cog_v2",
            {"inrgss_stage": ["L1", "M", None], "mycn_status": ["not_amplified"] * 3},
            [0.0, 1.5, np.nan],
        ),
        ("clinical__inrg", {"inrgss_stage": ["L1", "M", None], "age_days": [1.0, 547.0, 1.0]}, [1.5, 3.0, np.nan]),
    ],
)
def test_feature(feature: str, columns: dict, expected: list[float]) -> None:
    np.testing.assert_array_equal(build(**columns)[feature], expected)


def test_columns_index_and_type() -> None:
    table = build(sex=["male", "female"])
    assert list(table.columns) == [definition.name for definition in DEFINITIONS]
    assert table.index.tolist() == ["p0", "p1"]
    assert table.index.name == "patient_id"
    assert (table.dtypes == np.float64).all()
    assert table.drop(columns="clinical__male").isna().all(axis=None)


def test_risk_groupings_are_baselines_only() -> None:
    baselines = {definition.name for definition in DEFINITIONS if definition.role == "baseline"}
    assert baselines == {"clinical__risk_group", "clinical__cog_v2", "clinical__inrg"}


def test_types_of_a_validated_cohort_give_the_same() -> None:
    plain = {"age_days": [100.0, None], "inss_stage": ["4", None], "high_risk": [True, None]}
    typed = cohort_of(**plain)
    typed.patients["inss_stage"] = typed.patients["inss_stage"].astype("str")
    typed.patients["high_risk"] = typed.patients["high_risk"].astype("boolean")
    typed.patients["age_days"] = typed.patients["age_days"].astype("Float64")
    pd.testing.assert_frame_equal(clinical.build(typed, DEFINITIONS), build(**plain))
