from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.schema import REARRANGEMENTS
from nbrelapse.errors import InputError
from nbrelapse.readers.bedpe import _read_bedpe

SITES = ["site1_chromosome", "site1_position", "site2_chromosome", "site2_position", "class"]
PCAWG = "chrom1 start1 end1 chrom2 start2 end2 sv_id pe_support strand1 strand2"


def bedpe(folder: Path, *lines: str, name: str = "sv.bedpe") -> Path:
    """Lines are written with blanks for tabulators."""
    file = folder / name
    file.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines))
    return file


def rows(file: Path, sample_id: str | None = "NB01") -> list[list]:
    table, _ = _read_bedpe(file, sample_id)
    return table[SITES].astype(object).where(table[SITES].notna(), None).to_numpy().tolist()


@pytest.mark.parametrize("header", [[PCAWG], [f"#{PCAWG}"], []])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1 99 100 1 899 900 sv 80 + -", ["1", 100, "1", 900, "DELETION"]),
        ("1 99 100 1 899 900 sv 80 - +", ["1", 100, "1", 900, "DUPLICATION"]),
        ("1 99 100 1 899 900 sv 80 + +", ["1", 100, "1", 900, "INVERSION"]),
        ("1 99 100 1 899 900 sv 80 - -", ["1", 100, "1", 900, "INVERSION"]),
        ("1 99 100 13 899 900 sv 80 + -", ["1", 100, "13", 900, "TRANSLOCATION"]),
        # The higher site first: the strands are those of the other order.
        ("1 899 900 1 99 100 sv 80 + -", ["1", 900, "1", 100, "DUPLICATION"]),
        ("chr1 99 100 chrX 899 900 sv 80 + -", ["1", 100, "X", 900, "TRANSLOCATION"]),
        ("1 99 100 1 899 900 sv 80 . .", ["1", 100, "1", 900, None]),
    ],
)
def test_strands_tell_the_class(tmp_path: Path, header: list[str], line: str, expected: list) -> None:
    assert rows(bedpe(tmp_path, *header, line)) == [expected]


@pytest.mark.parametrize("column", ["svclass", "SVTYPE", "TYPE", "class"])
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("DEL", "DELETION"),
        ("h2hINV", "INVERSION"),
        ("t2tINV", "INVERSION"),
        ("TRA", "TRANSLOCATION"),
        ("BND", "DELETION"),
    ],
)
def test_a_column_tells_the_class_before_the_strands(tmp_path: Path, column: str, word: str, expected: str) -> None:
    file = bedpe(tmp_path, f"{PCAWG} {column}", f"1 99 100 1 899 900 sv 80 + - {word}")
    assert rows(file)[0][-1] == expected


@pytest.mark.parametrize(
    ("interval", "position"), [("99 100", 100), ("100 100", 100), ("90 110", 100), ("90 111", 101), ("0 1", 1)]
)
def test_the_position_is_the_middle_counted_from_1(tmp_path: Path, interval: str, position: int) -> None:
    assert rows(bedpe(tmp_path, f"1 {interval} 2 899 900"))[0][:2] == ["1", position]


def test_an_unknown_end_is_missing(tmp_path: Path) -> None:
    assert rows(bedpe(tmp_path, "1 99 100 . -1 -1 sv 80 + .")) == [["1", 100, None, None, None]]


def test_svtools_names_filters_and_build(tmp_path: Path) -> None:
    file = bedpe(
        tmp_path,
        "##contig=<ID=1,length=249250621>",
        "#CHROM_A START_A END_A CHROM_B START_B END_B ID QUAL STRAND_A STRAND_B TYPE FILTER",
        "1 99 100 1 899 900 a . + - DEL PASS",
        "1 99 100 1 899 900 b . - + DUP LOW",
    )
    notes = Repairs()
    table, build = _read_bedpe(file, "NB01", repairs=notes)
    assert table["class"].tolist() == ["DELETION"]
    assert build == "hg19"
    assert list(notes) == ["sv.bedpe: 1 rows that did not pass their filters left out"]
    assert len(_read_bedpe(file, "NB01", passed_only=False)[0]) == 2


@pytest.mark.parametrize("column", ["sample", "sample_id", "Tumor_Sample_Barcode"])
def test_a_column_of_samples(tmp_path: Path, column: str) -> None:
    file = bedpe(tmp_path, f"{PCAWG} {column}", "1 9 10 1 89 90 a . + - A", "2 9 10 2 89 90 b . + - B")
    assert _read_bedpe(file)[0]["sample_id"].tolist() == ["A", "B"]
    assert rows(file, "B") == [["2", 10, "2", 90, "DELETION"]]
    with pytest.raises(InputError, match="not in the file") as caught:
        _read_bedpe(file, "secret")
    assert "secret" not in str(caught.value)


def test_genes_and_columns_of_the_table(tmp_path: Path) -> None:
    file = bedpe(tmp_path, f"{PCAWG} gene1 gene2", "5 9 10 1 89 90 a . + - TERT BRAF")
    table, build = _read_bedpe(file, "NB01")
    assert list(table.columns) == list(REARRANGEMENTS.columns)
    assert table[["sample_id", "site1_gene", "site2_gene"]].to_numpy().tolist() == [["NB01", "TERT", "BRAF"]]
    assert build is None


@pytest.mark.parametrize("lines", [[PCAWG], []])
def test_a_file_without_rows_is_of_a_sample_without_variants(tmp_path: Path, lines: list[str]) -> None:
    assert _read_bedpe(bedpe(tmp_path, *lines), "NB01")[0].empty


def test_gzip_and_columns_beyond_the_standard(tmp_path: Path) -> None:
    plain = bedpe(tmp_path, "1 99 100 1 899 900 sv 80 + - more and more").read_bytes()
    packed = tmp_path / "sv.bedpe.gz"
    packed.write_bytes(gzip.compress(plain))
    assert rows(packed) == [["1", 100, "1", 900, "DELETION"]]
    packed.write_bytes(gzip.compress(plain)[:-9])
    with pytest.raises(InputError, match="gzip file is damaged"):
        _read_bedpe(packed, "NB01")


@pytest.mark.parametrize(
    ("lines", "sample_id", "problem", "column", "found_rows"),
    [
        (["1 9 10 1 89"], "NB01", "a column is missing", "end2", None),
        (["1,9,10,1,89,90"], "NB01", "a column is missing", "start1, end1, chrom2, start2, end2", None),
        ([PCAWG.replace("end1", "stop1"), "1 9 10 1 89 90 a . + -"], "NB01", "a column is missing", "end1", None),
        (["1 9 10 1 89 90", "1 10 9 1 89 90"], "NB01", "an interval ends before it starts", "end1", [2]),
        (["1 9 10 1 x 90"], "NB01", "not a number: 'x'", "start2", [1]),
        (["1 9 10 1 89 90 a . + -", "1 9 10 1 89 90 a"], "NB01", "row 2 has 7 cells", None, [2]),
        (["dog 9 10 1 89 90"], "NB01", "unknown code 'dog'", "chrom1", [1]),
        (["1 9 10 1 89 90"], None, "nothing says whose the file is", None, None),
    ],
)
def test_bad_files(
    tmp_path: Path,
    lines: list[str],
    sample_id: str | None,
    problem: str,
    column: str | None,
    found_rows: list[int] | None,
) -> None:
    with pytest.raises(InputError) as caught:
        _read_bedpe(bedpe(tmp_path, *lines), sample_id)
    assert problem in caught.value.problem
    assert (caught.value.column, caught.value.rows) == (column, found_rows)
    assert "sv.bedpe" in str(caught.value)
