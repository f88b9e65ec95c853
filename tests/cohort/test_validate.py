from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, assemble_cohort, validate_cohort
from nbrelapse.errors import InputError


def table(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def cohort(**patients: list[object]) -> Cohort:
    return assemble_cohort("demo", {"patients": table(**{"patient_id": ["a", "b", "c"], **patients})})


def test_a_cohort_with_unknown_outcomes_is_valid() -> None:
    made = cohort(event=["relapse", None, "none"], event_days=[100, None, 900], death=[0, None, 0])
    assert validate_cohort(made) is made


@pytest.mark.parametrize(
    ("columns", "problem", "column", "rows"),
    [
        ({"patient_id": ["a", "b", "a"]}, "duplicated patient", "patient_id", [1, 3]),
        ({"patient_id": ["a", None, "c"]}, "empty cell", "patient_id", [2]),
        ({"event_days": [10, -5, 20]}, "negative value -5.0", "event_days", [2]),
        ({"followup_days": [-1, 5, -20]}, "negative value -1.0", "followup_days", [1, 3]),
        ({"age_days": [1, 2, -3]}, "negative value -3.0", "age_days", [3]),
        ({"inss_stage": ["4", "5", "1"]}, "unknown code '5'", "inss_stage", [2]),
        ({"event": ["relapse", "none", "boom"]}, "unknown code 'boom'", "event", [3]),
        ({"dna_index": [0, 1, 1.5]}, "value not above zero 0.0", "dna_index", [1]),
        ({"diagnosis_year": [2000, 98, 2001]}, "not a year 98.0", "diagnosis_year", [2]),
        ({"ldh": [200, "high", 300]}, "not a number: 'high'", "ldh", [2]),
        (
            {"event": ["none"] * 3, "event_days": [5, 1500, 39], "followup_days": [6, 1000, 8], "death": [0, 0, 0]},
            "event-free after the end of follow-up",
            "event_days",
            [2],
        ),
        (
            {"event": ["none"] * 3, "event_days": [5, 900, 5], "followup_days": [6, 800, 6]},
            "event-free after the end of follow-up",
            "event_days",
            [2],
        ),
        (
            {"event": ["relapse"] * 3, "event_days": [5, 9, 5], "followup_days": [6, 8, 6], "death": [1, 1, 0]},
            "an event after death",
            "event_days",
            [2],
        ),
        ({"event": ["death", "none", "death"], "death": [1, 0, 0]}, "first event is death", "event", [3]),
    ],
)
def test_bad_patients(columns: dict[str, list[object]], problem: str, column: str, rows: list[int]) -> None:
    with pytest.raises(InputError) as caught:
        assemble_cohort(
            "demo",
            {"patients": table(**{"patient_id": ["a", "b", "c"], **columns})},
            files={"patients": "clinical.csv"},
        )
    assert problem in caught.value.problem
    assert (caught.value.file, caught.value.column, caught.value.rows) == ("clinical.csv", column, rows)


def test_unknown_event_lists_the_legal_codes() -> None:
    with pytest.raises(InputError) as caught:
        cohort(event=["boom", "none", "none"])
    assert caught.value.expected == "none, relapse, progression, death, second_malignancy, unspecified"


def test_a_missing_column_is_named() -> None:
    made = cohort()
    with pytest.raises(InputError, match="a column is missing") as caught:
        validate_cohort(replace(made, patients=made.patients.drop(columns="inss_stage")))
    assert caught.value.column == "inss_stage"


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(InputError, match="unknown column") as caught:
        cohort(age_month=[1, 2, 3])
    assert caught.value.column == "age_month"
    assert "age_days" in str(caught.value.expected)


def test_sample_without_patient() -> None:
    samples = table(sample_id=["s1", "s2"], patient_id=["a", "z"], timepoint=["diagnosis"] * 2)
    with pytest.raises(InputError, match="sample without patient") as caught:
        assemble_cohort("demo", {"patients": table(patient_id=["a"]), "samples": samples})
    assert caught.value.rows == [2]


def test_data_of_an_unknown_sample() -> None:
    mutations = table(sample_id=["a", "z"], Hugo_Symbol=["ALK", "TP53"])
    with pytest.raises(InputError, match="of an unknown sample"):
        assemble_cohort("demo", {"patients": table(patient_id=["a"]), "mutations": mutations})


def test_data_of_a_sample_that_was_not_assayed() -> None:
    mutations = table(sample_id=["a"], Hugo_Symbol=["ALK"])
    made = assemble_cohort("demo", {"patients": table(patient_id=["a"]), "mutations": mutations})
    with pytest.raises(InputError, match="not in assays as mutations"):
        validate_cohort(replace(made, assays=made.assays.iloc[:0]))


def test_mixed_builds() -> None:
    assays = table(sample_id=["a", "b"], assay=["mutations"] * 2, genome_build=["hg19", "GRCh38"])
    with pytest.raises(InputError, match="mixed genome builds in mutations: hg19, hg38"):
        assemble_cohort("demo", {"patients": table(patient_id=["a", "b"]), "assays": assays})


def test_two_assays_may_have_two_builds() -> None:
    assays = table(sample_id=["a", "a"], assay=["mutations", "rearrangements"], genome_build=["hg19", "hg38"])
    made = assemble_cohort("demo", {"patients": table(patient_id=["a"]), "assays": assays})
    assert made.assays["genome_build"].tolist() == ["hg19", "hg38"]


def test_months_are_refused_unless_said_to_be_checked() -> None:
    patients = table(patient_id=[f"p{number}" for number in range(30)], age_days=list(range(1, 31)))
    with pytest.raises(InputError, match="look like months"):
        assemble_cohort("demo", {"patients": patients})
    assert len(assemble_cohort("demo", {"patients": patients}, metadata={"units_checked": True}).patients) == 30


def test_purity_in_percent() -> None:
    samples = table(sample_id=["a"], patient_id=["a"], purity=[80])
    with pytest.raises(InputError, match="outside 0 to 1 80") as caught:
        assemble_cohort("demo", {"patients": table(patient_id=["a"]), "samples": samples})
    assert caught.value.fix == "divide percentages by 100"


def test_an_expression_sample_twice() -> None:
    matrix = pd.DataFrame([[1.0, 2.0]], index=["ALK"], columns=["a", "a"])
    with pytest.raises(InputError, match="a sample is there twice"):
        assemble_cohort("demo", {"patients": table(patient_id=["a"]), "expression": matrix})


def test_no_patients() -> None:
    with pytest.raises(InputError, match="no patients"):
        assemble_cohort("demo", {"patients": table(patient_id=[])})


def segments(**changes: list[object]) -> Cohort:
    columns: dict[str, list[object]] = {
        "sample_id": ["a", "a"],
        "chromosome": ["chr1", "23"],
        "start": [1, 10],
        "end": [100, 20],
        "log2_ratio": [0.1, -0.5],
    }
    tables = {"patients": table(patient_id=["a"]), "segments": table(**(columns | changes))}
    return assemble_cohort("demo", tables, files={"segments": "a.seg"})


def test_segments() -> None:
    made = segments()
    assert made.segments is not None
    assert made.segments["chromosome"].tolist() == ["1", "X"]
    assert len(made.metadata["platforms"]) == 1


@pytest.mark.parametrize(
    ("changes", "problem", "column", "rows"),
    [
        ({"end": [100, 5]}, "a segment ends before it starts", "start, end", [2]),
        ({"chromosome": ["1", "27"]}, "unknown code '27'", "chromosome", [2]),
        ({"start": [None, 10]}, "empty cell", "start", [1]),
    ],
)
def test_bad_segments(changes: dict[str, list[object]], problem: str, column: str, rows: list[int]) -> None:
    with pytest.raises(InputError) as caught:
        segments(**changes)
    error = caught.value
    assert (error.problem, error.file, error.column, error.rows) == (problem, "a.seg", column, rows)


def test_a_sample_twice_for_one_assay() -> None:
    assays = table(sample_id=["a", "a"], assay=["fish", "fish"])
    with pytest.raises(InputError, match="duplicated row") as caught:
        assemble_cohort("demo", {"patients": table(patient_id=["a"]), "assays": assays})
    assert (caught.value.column, caught.value.rows) == ("sample_id, assay", [1, 2])
