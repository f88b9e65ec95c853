"""Study files that cannot be imported: one message that says what and where, exit code 2, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import read_cohort

Run = Callable[..., Any]
Names = Callable[[Path], list[str]]

MAPPING = """
name = "demo"
[patients]
file = "clinical.tsv"
[patients.columns]
patient_id = "id"
age_days = "age"
inss_stage = "stage"
mycn_status = "mycn"
event = "event"
event_days = "event_days"
death = "death"
followup_days = "followup"
[assays]
file = "assays.tsv"
[assays.columns]
sample_id = "id"
assay = { constant = "mutations" }
genome_build = "build"
"""

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 99\n"


def clinical() -> pd.DataFrame:
    """24 patients whose records are in order; every third relapsed."""
    number = np.arange(24)
    relapsed = number % 3 == 0
    followup = 900 + 100 * number
    return pd.DataFrame(
        {
            "id": [f"p{n:02d}" for n in number],
            "age": 300 + 40 * number,
            "stage": "4",
            "mycn": np.where(relapsed, "amplified", "not amplified"),
            "event": np.where(relapsed, "relapse", "none"),
            "event_days": np.where(relapsed, 400, followup),
            "death": 0,
            "followup": followup,
        }
    )


def write_study(folder: Path, patients: pd.DataFrame, *, second_build: str = "hg19") -> Path:
    patients.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    builds = np.where(patients.index < 12, "hg19", second_build)
    pd.DataFrame({"id": patients["id"], "build": builds}).to_csv(folder / "assays.tsv", sep="\t", index=False)
    (folder / "map.toml").write_text(MAPPING)
    return folder / "map.toml"


def test_a_study_in_order_is_imported(empty: Path, nbrelapse: Run) -> None:
    write_study(empty, clinical())
    assert nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort").code == 0
    assert len(read_cohort(empty / "cohort").patients) == 24


def with_value(column: str, row: int, value: object) -> pd.DataFrame:
    patients = clinical()
    patients[column] = patients[column].astype("object")
    patients.loc[row, column] = value
    return patients


def in_months() -> pd.DataFrame:
    patients = clinical()
    for column in ("event_days", "followup"):
        patients[column] = (patients[column] / 30.4375).round(1)
    return patients


@pytest.mark.parametrize(
    ("patients", "texts"),
    [
        pytest.param(
            clinical().drop(columns="stage"),
            ["a column that the mapping names is missing", "column: stage", "expected: one of id, age, mycn"],
            id="missing column",
        ),
        pytest.param(
            with_value("id", 23, "p00"),
            ["duplicated patient", "column: id, which the mapping makes patient_id", "rows: 1, 24"],
            id="duplicate",
        ),
        pytest.param(
            with_value("event_days", 2, -5), ["negative value", "column: event_days", "rows: 3"], id="negative time"
        ),
        pytest.param(
            in_months(), ["the times look like months, not days", "column: event_days", 'unit = "months"'], id="months"
        ),
        pytest.param(
            with_value("stage", 3, "5"),
            [
                "unknown code",
                "column: stage, which the mapping makes inss_stage",
                "rows: 4",
                "expected: 1, 2, 2A, 2B, 3, 4, 4S",
            ],
            id="unknown stage",
        ),
        pytest.param(
            with_value("event_days", 1, "soon"), ["column: event_days", "rows: 2"], id="a time that is no number"
        ),
    ],
)
def test_patients_that_cannot_be_used(
    empty: Path, nbrelapse: Run, names: Names, patients: pd.DataFrame, texts: list[str]
) -> None:
    write_study(empty, patients)
    before = names(empty)
    answer = nbrelapse("cohort", "import", "tables", "map.toml", "--out", "new/cohort", "--json")
    answer.assert_refused("file: clinical.tsv", *texts)
    assert names(empty) == before


@pytest.mark.parametrize("value", ["", "Unknown", "Not Reported", "NA"])
def test_what_is_not_known_is_no_mistake(empty: Path, nbrelapse: Run, value: str) -> None:
    patients = with_value("stage", 3, value)
    patients["mycn"] = np.where(patients.index == 5, value, patients["mycn"])
    write_study(empty, patients)
    assert nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort").code == 0
    read = read_cohort(empty / "cohort").patients
    assert read["inss_stage"].isna().tolist() == [row == 3 for row in range(24)]
    assert read["mycn_status"].isna().tolist() == [row == 5 for row in range(24)]


def test_mixed_genome_builds(empty: Path, nbrelapse: Run, names: Names) -> None:
    write_study(empty, clinical(), second_build="hg38")
    before = names(empty)
    answer = nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort")
    answer.assert_refused("mixed genome builds in mutations: hg19, hg38", "file: assays.tsv", "makes genome_build")
    assert names(empty) == before


@pytest.mark.parametrize("replaced", ["clinical.tsv", "map.toml"])
def test_a_git_lfs_pointer(empty: Path, nbrelapse: Run, names: Names, replaced: str) -> None:
    write_study(empty, clinical())
    (empty / replaced).write_text(POINTER)
    before = names(empty)
    answer = nbrelapse("cohort", "import", "tables", "map.toml", "--out", "cohort")
    answer.assert_refused("the file is a Git LFS pointer, not the data", f"file: {replaced}", "git lfs pull")
    assert names(empty) == before
