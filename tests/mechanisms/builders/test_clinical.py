from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders import clinical
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue

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
            "clinical__unfavorable_histology",
            {
                "histology": ["favorable", None, None, None],
                "age_days": [3000.0, 3000.0, 100.0, 600.0],
                "mki": ["high", None, "low", "low"],
                "grade": [None, None, None, "differentiating"],
            },
            [0.0, 1.0, np.nan, 0.0],
        ),
        (
            "telomere__alt_test",
            {
                "c_circle": ["positive", "negative", None, None, None, "negative"],
                "apb": [None, None, "positive", "negative", None, "positive"],
            },
            [1.0, 0.0, 1.0, 0.0, np.nan, 0.0],
        ),
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
    definitions = load_catalogue().features.values()
    clinical = [definition for definition in definitions if definition.mechanism == "clinical"]
    baselines = {definition.name for definition in clinical if definition.role == "baseline"}
    assert baselines == {"clinical__risk_group", "clinical__cog_v2", "clinical__inrg", "clinical__cog_inss"}


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "nothing says what to read"),
        ({"colum": "ldh"}, "does not read colum"),
        ({"column": "lactate"}, "no numeric column lactate"),
        ({"column": "sex"}, "no numeric column sex"),
        ({"column": "ldh", "at_least": "547"}, "illegal at_least"),
        ({"column": "ldh", "divide_by": 0}, "illegal divide_by"),
        ({"column": "ldh", "at_least": 1, "above": 1}, "contradictory parameters"),
        ({"levels": {"sex": {"male": 1}}, "above": 1}, "above without a column"),
        ({"levels": {"sex": 1}}, "illegal levels"),
        ({"levels": {"ldh": {"high": 1}}}, "no column ldh with levels"),
        ({"levels": {"sex": {"Male": 1}}}, "illegal level or value of sex: Male"),
        ({"levels": {"sex": {"male": "yes"}}}, "illegal level or value of sex: male"),
        ({"rule": "cog_v9"}, "no classification 'cog_v9'"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused(parameters: dict, problem: str) -> None:
    entry = FeatureDefinition("clinical__x", "clinical", "X", "", "clinical", "binary", "clinical", parameters)
    with pytest.raises(InputError, match=problem):
        clinical.build(cohort_of(sex=["male"]), [entry])


def test_types_of_a_validated_cohort_give_the_same() -> None:
    plain = {"age_days": [100.0, None], "inss_stage": ["4", None], "high_risk": [True, None]}
    typed = cohort_of(**plain)
    typed.patients["inss_stage"] = typed.patients["inss_stage"].astype("str")
    typed.patients["high_risk"] = typed.patients["high_risk"].astype("boolean")
    typed.patients["age_days"] = typed.patients["age_days"].astype("Float64")
    pd.testing.assert_frame_equal(clinical.build(typed, DEFINITIONS), build(**plain))
