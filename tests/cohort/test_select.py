"""Patients by a condition: what it means, what is missing, what is refused; and patients by a list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort import (
    Cohort,
    assemble_cohort,
    condition_columns,
    read_cohort,
    select_patients,
    take_listed,
    take_where,
    write_cohort,
)
from nbrelapse.errors import InputError

PATIENTS = pd.DataFrame(
    {
        "patient_id": list("abcdef"),
        "risk_group": ["high", "high", "low", None, "high", "intermediate"],
        "high_risk": ["yes", "yes", "no", None, "yes", "no"],
        "study": ["COG", "GPOH", "GPOH", "GPOH", None, "COG"],
        "inss_stage": ["4", "4S", "1", "4", "3", None],
        "age_days": [100.0, 400.0, 600.0, None, 547.0, 1000.0],
        "event": ["relapse", "none", "none", "relapse", "none", "none"],
        "event_days": [300.0, 900.0, 2000.0, 50.0, 700.0, 800.0],
    }
)
SAMPLES = pd.DataFrame(
    {
        "sample_id": ["a1", "a2", "b1", "c1", "d1", "e1"],
        "patient_id": ["a", "a", "b", "c", "d", "e"],
        "timepoint": ["diagnosis", "relapse", "diagnosis", "relapse", None, "diagnosis"],
    }
)
ASSAYS = pd.DataFrame({"sample_id": ["a1", "b1", "c1", "d1"], "assay": "mutations"})


@pytest.fixture(scope="module")
def small() -> Cohort:
    return assemble_cohort("small", {"patients": PATIENTS, "samples": SAMPLES, "assays": ASSAYS})


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("risk_group == 'high'", "abe"),
        ("risk_group == 'HR'", "abe"),
        ("'high' == risk_group", "abe"),
        ("high_risk", "abe"),
        ("high_risk == True and study == 'GPOH'", "b"),
        ("risk_group == 'high' and study != 'COG'", "b"),
        ("inss_stage == 4", "ad"),
        ('inss_stage in ("4", "4s")', "abd"),
        ("100 < age_days <= 547", "be"),
        ("547 <= age_days", "cef"),
        ("age_days > -1 and\n(age_days < 200 or age_days > 900)", "af"),
        ("event_days > age_days", "abce"),
        ("has('mutations')", "ab"),
        ("has('relapse')", "ac"),
        ("has('mutations', 'relapse')", "c"),
    ],
)
def test_what_is_true_is_selected_in_the_order_of_the_cohort(small: Cohort, where: str, ids: str) -> None:
    assert select_patients(small, where).tolist() == list(ids)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("risk_group != 'high'", "cf"),
        ("not risk_group == 'high'", "cf"),
        ("risk_group not in ['high']", "cf"),
        ("not high_risk", "cf"),
        ("not age_days < 547", "cef"),
        ("not (risk_group == 'high' and study == 'COG')", "bcdf"),
        ("risk_group != 'high' or risk_group is None", "cdf"),
        ("study is not None and study != 'COG'", "bcd"),
        ("risk_group == 'high' or study == 'GPOH'", "abcde"),
        ("not has('mutations')", "cef"),
        ("not has('relapse')", "bef"),
    ],
)
def test_what_is_missing_is_neither_true_nor_false(small: Cohort, where: str, ids: str) -> None:
    assert select_patients(small, where).tolist() == list(ids)


def test_of_how_many_it_cannot_be_told_is_on_record(small: Cohort) -> None:
    kept = take_where(small, " study != 'COG' ")
    step = {"cohort": "small", "patients": 6, "kept": 3, "where": "study != 'COG'", "not_known": 1}
    assert kept.metadata["selections"] == [step]
    assert kept.where == "study != 'COG'"
    again = take_where(kept, "has('mutations')")
    assert again.where == "study != 'COG'; has('mutations')"
    assert small.where is None and take_where(small, None) is small


@pytest.mark.parametrize(
    ("where", "texts"),
    [
        ("stage == '4'", ("no column 'stage'", "did you mean inss_stage or inrgss_stage?")),
        ("mycn == 'amplified'", ("no column 'mycn'", "did you mean mycn_status?")),
        ("risk_gruop == 'high'", ("no column 'risk_gruop'", "did you mean risk_group?")),
        ("has_segments", ("no column 'has_segments'", "has('copy_number')")),
        ("risk_group == high", ("no column 'high'", "texts in quotes")),
        ("risk_group == 'hihg'", ("no patient has the risk_group 'hihg'", "high, intermediate, low")),
        ("study != 'CGO'", ("no patient has the study 'CGO'", "COG, GPOH", "write 'COG'")),
        ("inss_stage in ['4', '5']", ("no patient has the inss_stage '5'", "1, 3, 4, 4S")),
        ("primary_site == 'adrenal'", ("no patient has a value in primary_site")),
        ("has('segments')", ("'segments' is no assay and no time point", "copy_number")),
        ("has('mutations', 'later')", ("'later'", "relapse")),
        ("risk_group == 'low' and high_risk", ("true of none of 6 patients; of 1 it cannot be told",)),
        ("grade is not None", ("true of none of 6 patients",)),
        ("age_days > '547'", ("age_days is a number",)),
        ("risk_group > 'low'", ("risk_group has no order",)),
        ("high_risk == 'yes'", ("high_risk is yes or no",)),
        ("age_days", ("needs a comparison",)),
        ("age_days == None", ("`is None`",)),
        ("study in 'COG'", ("needs a list",)),
        ("study in []", ("needs a list",)),
        ("(high_risk) & (age_days > 5)", ("write `and` and `or`",)),
        ("risk_group = 'high'", ("cannot be read",)),
        ("risk_group == 'high' AND high_risk", ("cannot be read",)),
        ("risk_group == 'high'  # and study != 'COG'", ("cannot be read",)),
        ("", ("is empty",)),
        ("patient_id == 'a'", ("cannot name patients", "--patients FILE")),
    ],
)
def test_what_cannot_be_meant_is_refused(small: Cohort, where: str, texts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        select_patients(small, where)
    assert error.value.column == "where"
    for text in texts:
        assert text in str(error.value)


@pytest.mark.parametrize(
    "where",
    [
        "__import__('os').system('touch ran')",
        "high_risk and open('ran', 'w')",
        "risk_group.__class__ == 'str'",
        "@pd.read_csv('x')",
        "[high_risk for high_risk in (1,)]",
        "(lambda: True)()",
        "has(*['relapse'])",
        "has(assay='mutations')",
        "(x := high_risk)",
        "f'{open(1)}' == 'a'",
        "age_days == 10**10**10",
        "age_days if high_risk else age_days > 1",
        "1 == 1",
        "True",
        "high_risk\0",
        "(" * 300 + "high_risk" + ")" * 300,
        "not " * 1200 + "high_risk",
        "high_risk or " * 500 + "high_risk",
    ],
)
def test_nothing_of_it_is_run(small: Cohort, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        select_patients(small, where)
    assert not list(tmp_path.iterdir())


def test_the_columns_that_a_condition_reads() -> None:
    assert condition_columns("high_risk and has('relapse') or 5 < age_days") == {"high_risk", "age_days"}


def test_barred_columns_decide_nothing(small: Cohort) -> None:
    with pytest.raises(InputError, match="what became of them: event, event_days"):
        take_where(small, "high_risk or event == 'none' and event_days > 365", barred=["event", "event_days"])


def test_a_list_is_ids_by_line_or_a_table(small: Cohort, tmp_path: Path) -> None:
    files = {
        "lines.txt": b"e\r\n\r\n a \r\na\r\n",
        "headed.txt": b"patient_id\ne\na\n",
        "table.csv": b"\xef\xbb\xbfage,patient_id\n3,e\n4,a\n",
        "table.tsv": b"patient_id\tage\ne\t3\na\t4\n",
        "german.csv": b"patient_id;age\ne;3\na;4\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert take_listed(small, tmp_path / name).patient_ids.tolist() == ["a", "e"], name
    pd.DataFrame({"patient_id": ["e", "a"]}).to_parquet(tmp_path / "table.parquet")
    assert take_listed(small, tmp_path / "table.parquet").where == "a list of 2 patients"
    rest = take_listed(small, without=tmp_path / "lines.txt")
    assert (rest.patient_ids.tolist(), rest.where) == (["b", "c", "d", "f"], "all but a list of 2 patients")


@pytest.mark.parametrize(
    ("content", "texts", "rows"),
    [
        (b"a\n\nnobody\nb\nwho\n", ("2 of 4 ids are of no patient",), [3, 5]),
        (b"patient_id\na\nnobody\n", ("1 of 2 ids is of no patient",), [2]),
        (b"patient_id,age\na,3\nnobody,4\n", ("1 of 2 ids is of no patient",), [2]),
        (b"patient_id,age\na,3\n,4\n", ("a row without an id",), [2]),
        (b"id,age\na,3\n", ("a column is missing", "patient_id", "id, age"), None),
        (b"\n", ("no patient is listed",), None),
    ],
)
def test_a_list_is_refused_by_row_and_names_nobody(
    small: Cohort, tmp_path: Path, content: bytes, texts: tuple[str, ...], rows: list[int] | None
) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    for arguments in ({"patients": file}, {"without": file}):
        with pytest.raises(InputError) as error:
            take_listed(small, **arguments)
        assert error.value.rows == rows
        assert error.value.file == str(file)
        assert "nobody" not in str(error.value) and "who" not in str(error.value)
        for text in texts:
            assert text in str(error.value)


def test_infants_alone_are_still_in_days(cohort: Cohort, tmp_path: Path) -> None:
    ages = [float(day) for day in range(len(cohort.patients))]
    patients = cohort.patients.assign(age_days=[age if age < 60 else 1000 + age for age in ages])
    infants = take_where(replace(cohort, patients=patients), "age_days < 60")
    assert len(infants.patients) == 60
    assert read_cohort(write_cohort(infants, tmp_path / "infants")).where == "age_days < 60"
