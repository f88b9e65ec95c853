"""Tables of a cohort folder: read by their distinct texts, with nothing let through and nothing changed by it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from nbrelapse.cohort import Repairs, levels, normalise_table, open_cohort, read_cohort, read_table, write_cohort
from nbrelapse.cohort.assemble import _normalise_column
from nbrelapse.cohort.genes import _current_symbols
from nbrelapse.cohort.schema import TABLES, _kind, _missing_words, coded_columns
from nbrelapse.cohort.stored_tables import _is_spelled
from nbrelapse.errors import InputError
from nbrelapse.simulation import simulate_cohort

ODD = [
    *_missing_words(), *sorted(_current_symbols())[::40],
    "a", " a", "a ", "a  b", "a b", '"a"', "a\tb", "é", "=a", "-a",
    "@a", "+", "1", "23", "chr7", "1-Mar", "MAR-01", "SEP-10", "2016-12-01", "ENSG00000134323", "MYCN|4613", "entrez:9",
    "ACGT", "-", "N", "NA", "x" * 201, "43160", "layer:cells", "amp", "Relapse", "HLA-A", "AC000111.1", "\u200e",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(simulate_cohort(60, seed=3), tmp_path_factory.mktemp("stored") / "cohort", block_size=25)


@pytest.mark.parametrize("table", list(TABLES))
def test_what_counts_as_spelled_is_left_as_it_is_by_normalising(table: str) -> None:
    for column in [str(name) for name, rule in TABLES[table].columns.items() if _kind(rule) == "str"]:
        legal = [*levels(column)] if column in coded_columns() else []
        spelled = [text for text in dict.fromkeys([*ODD, *legal]) if _is_spelled(pa.array([text]), column)]
        found = _normalise_column(pd.Series(spelled, name=column, dtype="str"), "str", table, "file", Repairs())
        assert spelled and found.tolist() == spelled


def test_tables_are_those_of_the_import(folder: Path) -> None:
    for block in open_cohort(folder).blocks:
        read = block.read()
        for name in TABLES:
            file = folder / "panels.parquet" if name == "panels" else folder / name / f"part-{block.number:05d}.parquet"
            expected = normalise_table(name, read_table(file), file, Repairs()).reset_index(drop=True)
            pd.testing.assert_frame_equal(getattr(read, name), expected, check_exact=True)


@pytest.mark.parametrize(
    ("table", "column", "value", "problem"),
    [
        ("patients", "event", "boom", "unknown code 'boom'"),
        ("patients", "patient_id", "=1+1", "begins with a sign"),
        ("patients", "study", "a\u202eb", "control characters"),
        ("patients", "patient_id", None, "empty cell"),
        ("samples", "purity", 80.0, "value outside 0 to 1"),
        ("samples", "patient_id", "nobody", "sample without patient"),
        ("assays", "assay", "x-ray", "unknown code"),
        ("mutations", "sample_id", "nobody", "data of an unknown sample"),
        ("mutations", "Start_Position", 7.5, "a position between two bases"),
        ("mutations", "Hugo_Symbol", "1-Mar", "turned gene symbols into dates"),
        ("segments", "end", 1e16, "not a number"),
        ("segments", "end", 0.0, "value not above zero"),
        ("segments", "sample_id", None, "empty cell"),
        ("rearrangements", "site1_chromosome", "99", "unknown code"),
    ],
)
def test_one_wrong_cell_is_refused_with_its_file_and_row(
    folder: Path, table: str, column: str, value: object, problem: str
) -> None:
    file = folder / table / "part-00001.parquet"
    before = file.read_bytes()
    rows = pd.read_parquet(file)
    values = rows[column].astype("object")
    values.iloc[2] = value
    try:
        rows.assign(**{column: values.astype(rows[column].dtype)}).to_parquet(file, index=False)
        with pytest.raises(InputError, match=problem) as caught:
            open_cohort(folder).blocks[1].read()
    finally:
        file.write_bytes(before)
    assert str(caught.value.file).endswith(f"{table}/part-00001.parquet")
    # Of texts that cannot be shown no row is named.
    assert caught.value.rows == (None if "characters" in problem or "sign" in problem else [3])


def test_what_can_be_repaired_still_is(folder: Path) -> None:
    file = folder / "patients" / "part-00001.parquet"
    before = file.read_bytes()
    rows = pd.read_parquet(file)
    try:
        rows.assign(event="Relapse", study=" GPOH ").to_parquet(file)
        patients = open_cohort(folder).blocks[1].read().patients
    finally:
        file.write_bytes(before)
    assert set(patients["event"]) == {"relapse"} and set(patients["study"]) == {"GPOH"}


def test_columns_that_are_not_stored_are_empty(folder: Path) -> None:
    for file in sorted((folder / "patients").iterdir()):
        pd.read_parquet(file).drop(columns=["apb", "ferritin"]).to_parquet(file, index=False)
    read = read_cohort(folder).patients
    assert read[["apb", "ferritin"]].isna().all(axis=None) and read.dtypes["apb"] == "str"
