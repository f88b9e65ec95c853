from __future__ import annotations

import gzip
import os
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers import import_geo
from nbrelapse.readers.geo import _read_geo_series

DATA = Path(os.environ.get("NBRELAPSE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "seqc"

COLUMNS = {
    "dataset": ["1", "2", "1"],
    "Sex": ["M", "F", "F"],
    "age at diagnosis": ["987", "0", "400"],
    "mycn status": ["1", "0", "N/A"],
    "high risk": ["1", "0", "0"],
    "inss stage": ["4", "4S", "1"],
    "progression": ["1", "0", "0"],
    "death from disease": ["1", "0", "0"],
}
RAGGED = [
    ["training/validation: Training", "training/validation: Validation", "training/validation: Training"],
    ["age: 987", "age: 0", "age: 400"],
    ["efs day: 593", "efs day: 2000", "efs day: 100"],
    ["efs bin: 1", "efs bin: 0", "efs bin: 1"],
    ["os day: 1362", "os day: 2000", "os day: 900"],
    ["os bin: 1", "os bin: 0", "os bin: 0"],
    ["high risk: HR", "a_efs_all: 0", "a_efs_all: 1"],
    ["a_efs_all: 1", "", ""],
]


def write(file: Path, accession: str, titles: list[str], rows: list[list[str]]) -> Path:
    lines = [
        ["!Series_geo_accession", accession],
        ["!Series_platform_id", "GPL1"],
        ["!Sample_title", *titles],
        ["!Sample_geo_accession", *[f"GSM{accession[3:]}{number}" for number in range(len(titles))]],
        *[["!Sample_characteristics_ch1", *row] for row in rows],
    ]
    text = "".join("\t".join([line[0], *[f'"{cell}"' for cell in line[1:]]]) + "\n" for line in lines)
    file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())
    return file


@pytest.fixture
def first(tmp_path: Path) -> Path:
    rows = [[f"{key}: {value}" for value in values] for key, values in COLUMNS.items()]
    return write(tmp_path / "GSE49711_series_matrix.txt", "GSE49711", ["N1", "N2", "N3"], rows)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    titles = ["N1 [2]", "N2 [2]", "N3 [2]"]
    return write(tmp_path / "GSE62564_series_matrix.txt.gz", "GSE62564", titles, RAGGED)


def test_ragged_rows_are_read_by_key(second: Path) -> None:
    series = _read_geo_series(second)
    assert series.characteristics.index.tolist() == ["N1", "N2", "N3"]
    assert series.characteristics["a_efs_all"].tolist() == ["1", "0", "1"]
    assert series.characteristics["high risk"].fillna("-").tolist() == ["HR", "-", "-"]


def test_joined_series(first: Path, second: Path) -> None:
    cohort = import_geo([first, second])
    patients = cohort.patients.set_index("patient_id")
    assert patients["event"].tolist() == ["progression", "none", "unspecified"]
    assert patients["event_days"].tolist() == [593, 2000, 100]
    assert patients["death"].tolist() == [1, 0, 0]
    assert patients["followup_days"].tolist() == [1362, 2000, 900]
    assert patients["high_risk"].tolist() == [True, False, False]
    assert patients["risk_group"].isna().all()
    assert patients["split"].tolist() == ["train", "validation", "train"]
    assert patients["age_days"].tolist() == [987, 0, 400]
    assert cohort.assayed_samples("fish").index.tolist() == ["N1", "N2"]
    assert "GSE62564: a_efs_all" in cohort.metadata["source"]["unread_keys"]


def test_the_first_series_alone_has_no_times(first: Path) -> None:
    patients = import_geo([first]).patients
    assert patients["event"].tolist() == ["progression", "none", "none"]
    assert patients["event_days"].isna().all()


def test_an_absent_high_risk_key_of_the_second_means_not_high_risk(second: Path) -> None:
    assert import_geo([second]).patients["high_risk"].tolist() == [True, False, False]


def test_expression_by_title_or_accession(first: Path, tmp_path: Path) -> None:
    (tmp_path / "e.tsv").write_text("gene\tN3\tGSM497110\tother\nMYCN\t1.5\t2.5\t9\n")
    cohort = import_geo([first], expression=tmp_path / "e.tsv")
    assert cohort.expression is not None
    assert cohort.expression.loc["MYCN"].to_dict() == {"N3": 1.5, "N1": 2.5}
    assert "e.tsv: 1 columns are no samples of the series, left out" in cohort.metadata["repairs"]
    assert cohort.assayed_samples("expression").index.tolist() == ["N1", "N3"]
    assert cohort.metadata["expression"]["platform"] == "GPL1"


def test_contradictions_name_the_key_and_the_number(first: Path, tmp_path: Path) -> None:
    rows = [["age: 987", "age: 1", "age: 2"]]
    other = write(tmp_path / "b.txt", "GSE62564", ["N1", "N2", "N3"], rows)
    with pytest.raises(InputError, match="contradict each other for 2 patients") as caught:
        import_geo([first, other])
    assert caught.value.column == "age_days"


def test_progression_without_event(first: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "b.txt", "GSE62564", ["N1", "N2", "N3"], [["efs bin: 0"] * 3])
    with pytest.raises(InputError, match="1 patients progressed and had no event"):
        import_geo([first, other])


def test_other_samples(first: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "b.txt", "GSE62564", ["X1"], [["age: 987"]])
    with pytest.raises(InputError, match="GSE62564 has no sample of GSE49711"):
        import_geo([first, other])


@pytest.mark.parametrize("rows", [["ENSG00000134323.12", "ENSG00000171094"], ["MYCN|4613", "?|238"], ["4613", "238"]])
def test_expression_by_identifier(first: Path, tmp_path: Path, rows: list[str]) -> None:
    (tmp_path / "e.tsv").write_text(f"id\tN1\tN3\n{rows[0]}\t2.5\t1.5\n{rows[1]}\t0\t3\n")
    cohort = import_geo([first], expression=tmp_path / "e.tsv")
    assert cohort.expression is not None
    assert cohort.expression.index.tolist() == ["MYCN", "ALK"]
    assert any("2 rows named by identifiers: 2 read" in line for line in cohort.metadata["repairs"])


def test_probes_are_no_genes(first: Path, tmp_path: Path) -> None:
    (tmp_path / "e.tsv").write_text("ID_REF\tN1\tN3\n1007_s_at\t2.5\t1.5\n1053_at\t0\t3\n")
    with pytest.raises(InputError, match="no genes"):
        import_geo([first], expression=tmp_path / "e.tsv")


def test_foreign_expression(first: Path, tmp_path: Path) -> None:
    (tmp_path / "e.tsv").write_text("gene\tX\nMYCN\t1.5\n")
    with pytest.raises(InputError, match="no sample of the series") as caught:
        import_geo([first], expression=tmp_path / "e.tsv")
    assert caught.value.column == "1 sample columns"
    assert "N1" not in str(caught.value)


def test_no_known_key(tmp_path: Path) -> None:
    other = write(tmp_path / "b.txt", "GSE1", ["X1"], [["colour: red"]])
    with pytest.raises(InputError, match="no characteristic of the series is known"):
        import_geo([other])


def test_an_unknown_series_with_known_keys_has_no_time_point_unless_given(tmp_path: Path) -> None:
    other = write(tmp_path / "b.txt", "GSE1", ["X1"], [["gender: F"]])
    assert import_geo([other]).samples["timepoint"].isna().all()
    assert import_geo([other], timepoint="relapse").samples["timepoint"].tolist() == ["relapse"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\tb\n1\t2\n", "not a GEO series matrix"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b'!Sample_title\t"A"\t"A [2]"\n', "two samples share a title"),
        (b'!Sample_title\t"A"\t"B"\n!Sample_characteristics_ch1\t"age: 1"\n', "another number of samples"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(InputError, match=problem):
        import_geo([tmp_path / "s.txt"])


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no seqc in {DATA.parent}")
def test_seqc() -> None:
    cohort = import_geo(
        [DATA / "GSE49711_series_matrix.txt.gz", DATA / "GSE62564_series_matrix.txt.gz"],
        expression=DATA / "expression_log2_2000_genes.tsv.gz",
    )
    patients = cohort.patients
    assert len(patients) == 498
    assert patients["event"].value_counts().to_dict() == {"none": 315, "progression": 183}
    assert patients["death"].sum() == 105
    assert patients["high_risk"].sum() == 176
    assert patients["mycn_status"].fillna("-").value_counts().to_dict() == {
        "not_amplified": 401,
        "amplified": 92,
        "-": 5,
    }
    assert patients["split"].value_counts().to_dict() == {"train": 249, "validation": 249}
    assert patients[["age_days", "sex", "inss_stage", "event_days", "followup_days"]].notna().all(axis=None)
    assert cohort.expression is not None and cohort.expression.shape == (2000, 498)
    assert len(cohort.assayed_samples("expression")) == 498
    assert pd.Series(cohort.metadata["expression"])["unit"] == "log2"


def test_the_expression_of_gse49711_is_read_beside_its_columns_about_genes(
    first: Path, second: Path, tmp_path: Path
) -> None:
    """The layout of GSE49711_SEQC_NB_TAV_G_log2.final.txt.gz, which `cohort fetch seqc` fetches."""
    about = ["Gene", "Gene_set", "NCBI_gene_ID", "RefSeq_transcript_ID", "Chromosome", "Strand", "Start", "End"]
    rows = [
        [
            "MYCN",
            "Gene_AceView",
            "4613",
            "NM_005378.4",
            "2",
            "+",
            "16080683",
            "16087129",
            "21.1928",
            "16.5853",
            "0.0000",
        ],
        ["ALK", "Gene_AceView", "238", "NM_004304.4", "2", "-", "29415640", "30144432", "17.2744", "15.3742", "12.5"],
        ["2-oxoacid_dh", "Gene_AceView", ".", ".", "11", "-", "111933358", "111934981", "16.1", "16.5", "16.8"],
    ]
    text = "".join("\t".join(row) + "\n" for row in [[*about, "N1", "N2", "N3"], *rows])
    (tmp_path / "tav.txt.gz").write_bytes(gzip.compress(text.encode()))
    cohort = import_geo([first, second], expression=tmp_path / "tav.txt.gz")
    assert cohort.expression is not None
    assert cohort.expression.columns.tolist() == ["N1", "N2", "N3"]
    assert cohort.expression.loc["MYCN"].tolist() == [21.1928, 16.5853, 0.0]
    assert cohort.expression.loc["ALK"].tolist() == [17.2744, 15.3742, 12.5]
