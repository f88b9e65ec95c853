from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers import import_tables

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data"))

MAPPING = """
name = "demo"
source = "doi:10.1/x"

[patients]
file = "clinical.csv"
separator = ";"

[patients.columns]
patient_id = "Name"
age_days = { column = "Age", unit = "months" }
inss_stage = "Stage"
event = { column = "EFS", values = { 0 = "none", 1 = "unspecified" } }
event_days = { column = "Time", unit = "years" }
risk_group = { constant = "high" }

[[assays]]
file = "clinical.csv"
separator = ";"
[assays.columns]
sample_id = "Name"
assay = { constant = "copy_number" }
genome_build = { constant = "GRCh37" }
platform = "Array"

[segments]
file = "segments.tsv"
[segments.columns]
sample_id = "Name"
chromosome = "chr"
start = "min"
end = "max"
log2_ratio = "ratio"

[expression]
file = "expression.csv"
gene_column = "symbol"
ignored_columns = ["entrez"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "map.toml").write_text(MAPPING)
    (tmp_path / "clinical.csv").write_text(
        "Name;Age;Stage;EFS;Time;Array\np1;10;4s;0;4;Agilent\np2;24;3;1;0.5;Illumina\np3;NA;Unknown;;;Illumina\n"
    )
    (tmp_path / "segments.tsv").write_text("Name\tchr\tmin\tmax\tratio\np1\t23\t1\t100\t0.5\np2\tchr1\t1\t50\tNA\n")
    (tmp_path / "expression.csv").write_text("symbol,entrez,p1,p2\nMYCN,4613,5.5,6\n")
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_mapping(folder: Path) -> None:
    cohort = import_tables(folder / "map.toml")
    patients = cohort.patients.set_index("patient_id")
    assert patients["age_days"].dropna().to_dict() == {"p1": 304.375, "p2": 730.5}
    assert patients["event_days"].dropna().to_dict() == {"p1": 1461.0, "p2": 182.625}
    assert patients["event"].dropna().to_dict() == {"p1": "none", "p2": "unspecified"}
    assert patients["inss_stage"].dropna().to_dict() == {"p1": "4S", "p2": "3"}
    assert patients["high_risk"].all()
    assert cohort.segments is not None and cohort.expression is not None
    assert cohort.segments["chromosome"].tolist() == ["X"]
    copy_number = cohort.assays[cohort.assays["assay"] == "copy_number"].set_index("sample_id")
    assert copy_number["platform"].to_dict() == {"p1": "Agilent", "p2": "Illumina", "p3": "Illumina"}
    assert set(copy_number["genome_build"]) == {"hg19"}
    assert cohort.expression.loc["MYCN"].to_dict() == {"p1": 5.5, "p2": 6.0}
    assert cohort.metadata["source"]["reference"] == "doi:10.1/x"
    assert "segments: 1 rows without a log2 ratio removed" in cohort.metadata["repairs"]


def test_any_file_format_reads_the_same(folder: Path, tmp_path: Path) -> None:
    expected = import_tables(folder / "map.toml").patients
    clinical = pd.read_csv(folder / "clinical.csv", sep=";", dtype="str", keep_default_na=False)
    clinical.to_parquet(folder / "clinical.parquet")
    clinical.to_excel(folder / "clinical.xlsx", index=False)
    for suffix in ("parquet", "xlsx"):
        (folder / f"{suffix}.toml").write_text(MAPPING.replace("clinical.csv", f"clinical.{suffix}"))
        pd.testing.assert_frame_equal(import_tables(folder / f"{suffix}.toml").patients, expected)


@pytest.mark.parametrize(
    ("old", "new", "problem", "column"),
    [
        ('name = "demo"', 'name = "demo"\nauthor = "me"', "unknown key", "author"),
        ('separator = ";"\n\n', 'separator = ";"\nsep = ";"\n\n', "unknown key", "patients.sep"),
        ("inss_stage =", "stage =", "unknown key", "patients.columns.stage"),
        ('name = "demo"', "", "a required key is missing", "name"),
        ('unit = "years"', 'unit = "decades"', "illegal value 'decades'", "patients.columns.event_days.unit"),
        (
            'constant = "high"',
            'constant = "high", unit = "months"',
            "a unit for a column",
            "patients.columns.risk_group",
        ),
        ('{ constant = "high" }', "{ }", "illegal value {}", "patients.columns.risk_group"),
        ('"clinical.csv"\nseparator = ";"\n\n', '"clinic.csv"\n\n', "the file does not exist", None),
        ('"Stage"', '"INSS"', "a column that the mapping names is missing", "INSS"),
        ('separator = ";"\n\n', "\n", "the columns are separated by semicolons, not by commas", "Name"),
        ('["entrez"]', '["Entrez"]', "a column is missing", "Entrez"),
        ('name = "demo"', "name = ", "not valid TOML", None),
    ],
)
def test_bad_mappings(folder: Path, old: str, new: str, problem: str, column: str | None) -> None:
    edit(folder / "map.toml", old, new)
    with pytest.raises(InputError) as caught:
        import_tables(folder / "map.toml")
    assert problem in caught.value.problem
    assert caught.value.column == column


def test_bad_value_names_the_file_and_row(folder: Path) -> None:
    edit(folder / "clinical.csv", "p2;24;3;1;0.5", "p2;24;3;2;0.5")
    with pytest.raises(InputError, match="unknown code '2'") as caught:
        import_tables(folder / "map.toml")
    assert (caught.value.column, caught.value.rows) == ("EFS, which the mapping makes event", [2])
    assert str(caught.value.file).endswith("clinical.csv")
    assert str(caught.value.fix).startswith(
        """say in the mapping what it means: event = { column = "EFS", values = { '2' = ... } }; or correct the value"""
    )


def test_any_problem_of_a_column_names_it_as_the_file_does(folder: Path) -> None:
    edit(folder / "clinical.csv", "p2;24;3;1;0.5", "p2;24;3;1;-0.5")
    with pytest.raises(InputError, match="negative value") as caught:
        import_tables(folder / "map.toml")
    assert caught.value.column == "Time, which the mapping makes event_days"
    assert "in the mapping" not in str(caught.value.fix)


def test_missing_mapping_and_source(folder: Path) -> None:
    with pytest.raises(InputError, match="the file does not exist"):
        import_tables(folder / "none.toml")
    with pytest.raises(InputError, match="the source folder does not exist"):
        import_tables(folder / "map.toml", folder / "none")


@pytest.mark.skipif(not (DATA / "high_risk_copy_number").is_dir(), reason=f"no high_risk_copy_number in {DATA}")
def test_the_high_risk_cohort() -> None:
    mapping = ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml"
    cohort = import_tables(mapping, DATA / "high_risk_copy_number")
    patients = cohort.patients
    assert patients["study"].value_counts().to_dict() == {"COG": 207, "GPOH": 122, "JAP": 68}
    assert patients["event"].fillna("-").value_counts().to_dict() == {"unspecified": 234, "none": 95, "-": 68}
    assert patients["death"].sum() == 270
    assert patients["high_risk"].all()
    assert (patients["mycn_status"] == "amplified").sum() == 179
    assert patients["inss_stage"].value_counts().to_dict() == {"4": 370, "3": 20, "2A": 3, "4S": 3, "1": 1}
    assert cohort.segments is not None and len(cohort.segments) == 13588
    assert "X" in set(cohort.segments["chromosome"])
    assert set(cohort.metadata["platforms"]) == {"Affymetrix", "Agilent", "Illumina"}
    assert len(cohort.assayed_samples("copy_number")) == len(cohort.assayed_samples("fish")) == 397


@pytest.mark.parametrize("ending", ["\r", "\r\n", "\n"])
def test_line_ends_of_every_system(tmp_path: Path, ending: str) -> None:
    (tmp_path / "map.toml").write_bytes(
        'name = "x"\n[patients]\nfile = "clin.csv"\n[patients.columns]\npatient_id = "id"\ninss_stage = "stage"\n'
        'mycn_status = "mycn"\n'.replace("\n", ending).encode()
    )
    (tmp_path / "clin.csv").write_bytes("id,stage,mycn\nA,4,1\nB,2,0\nC,1,N.D.\n".replace("\n", ending).encode())
    patients = import_tables(tmp_path / "map.toml").patients
    assert patients["inss_stage"].tolist() == ["4", "2", "1"]
    assert patients["mycn_status"].isna().tolist() == [False, False, True]


def test_a_code_written_with_decimals_is_the_code(folder: Path) -> None:
    """A column of 0, 1 and empty cells is written as 0.0 and 1.0 by pandas and spreadsheets."""
    before = import_tables(folder / "map.toml")
    file = folder / "clinical.csv"
    file.write_text(file.read_text().replace(";4s;0;", ";4s;0.0;").replace(";3;1;", ";3;1.00;"))
    pd.testing.assert_frame_equal(import_tables(folder / "map.toml").patients, before.patients)
    file.write_text(file.read_text().replace(";0.0;", ";0.5;"))
    with pytest.raises(InputError, match=r"0\.5"):
        import_tables(folder / "map.toml")
