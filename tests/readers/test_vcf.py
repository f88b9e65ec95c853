from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.schema import REARRANGEMENTS
from nbrelapse.errors import InputError
from nbrelapse.readers.vcf import _read_vcf

SITES = ["site1_chromosome", "site1_position", "site2_chromosome", "site2_position", "class"]
HG38 = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n"


def vcf(folder: Path, *records: str, samples: str = "", meta: str = HG38, name: str = "sv.vcf") -> Path:
    """Records are written with blanks for tabulators."""
    header = "#CHROM POS ID REF ALT QUAL FILTER INFO" + (f" FORMAT {samples}" if samples else "")
    text = meta + "\n".join(line.replace(" ", "\t") for line in [header, *records]) + "\n"
    file = folder / name
    file.write_text(text)
    return file


def rows(file: Path, sample_id: str | None = "NB01", **options: bool) -> list[list]:
    table, _ = _read_vcf(file, sample_id, **options)
    return table[SITES].astype(object).where(table[SITES].notna(), None).to_numpy().tolist()


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        # The four forms of a breakend, between chromosomes.
        ("chr2 321681 a G G]chr17:198982] . PASS SVTYPE=BND", ["2", 321681, "17", 198982, "TRANSLOCATION"]),
        ("chr2 321681 a G G[chr17:198982[ . PASS SVTYPE=BND", ["2", 321681, "17", 198982, "TRANSLOCATION"]),
        ("chr2 321681 a G ]chr17:198982]G . PASS SVTYPE=BND", ["2", 321681, "17", 198982, "TRANSLOCATION"]),
        ("chr2 321681 a G [chr17:198982[G . PASS SVTYPE=BND", ["2", 321681, "17", 198982, "TRANSLOCATION"]),
        # Within one, from either side.
        ("2 100 a G G[2:900[ . PASS SVTYPE=BND", ["2", 100, "2", 900, "DELETION"]),
        ("2 900 a G ]2:100]G . PASS SVTYPE=BND", ["2", 100, "2", 900, "DELETION"]),
        ("2 100 a G ]2:900]G . PASS SVTYPE=BND", ["2", 100, "2", 900, "DUPLICATION"]),
        ("2 900 a G G[2:100[ . PASS SVTYPE=BND", ["2", 100, "2", 900, "DUPLICATION"]),
        ("2 100 a G G]2:900] . PASS SVTYPE=BND", ["2", 100, "2", 900, "INVERSION"]),
        ("2 100 a G [2:900[G . PASS SVTYPE=BND", ["2", 100, "2", 900, "INVERSION"]),
        # Bases put in between (SvABA), a missing reference base, a contig with colons.
        ("2 100 a G GATTA[2:900[ . PASS SVTYPE=BND", ["2", 100, "2", 900, "DELETION"]),
        ("2 100 a . .[2:900[ . PASS SVTYPE=BND", ["2", 100, "2", 900, "DELETION"]),
        ("2 100 a G G[HLA-A*01:01:01:01:5[ . . SVTYPE=BND", ["2", 100, "HLA-A*01:01:01:01", 5, "TRANSLOCATION"]),
        # GRIDSS: single breakends.
        ("2 100 a G GACT. . PASS SVTYPE=BND", ["2", 100, None, None, None]),
        ("2 100 a G .ACTG . PASS SVTYPE=BND", ["2", 100, None, None, None]),
        # Symbolic alleles.
        ("X 100 a G <DEL> . PASS SVTYPE=DEL;END=900;SVLEN=-800", ["X", 100, "X", 900, "DELETION"]),
        ("X 100 a G <DEL> . PASS SVTYPE=DEL;SVLEN=-800", ["X", 100, "X", 900, "DELETION"]),
        ("X 100 a G <DUP:TANDEM> . PASS END=900;SVTYPE=DUP", ["X", 100, "X", 900, "DUPLICATION"]),
        ("X 100 a G <INV> . PASS END=900;SVTYPE=INV;INV3", ["X", 100, "X", 900, "INVERSION"]),
        ("X 100 a G <INV> . PASS END=900;SVTYPE=INV;INV5", ["X", 100, "X", 900, "INVERSION"]),
        ("X 100 a G <INS> . PASS END=100;SVTYPE=INS;SVLEN=60", ["X", 100, None, None, "INSERTION"]),
        ("X 100 a G <INS:ME:L1> . PASS SVTYPE=INS", ["X", 100, None, None, "INSERTION"]),
        # Delly, old and new.
        ("2 100 a G <TRA> . PASS SVTYPE=TRA;CHR2=chr5;END=70;CT=3to5", ["2", 100, "5", 70, "TRANSLOCATION"]),
        ("2 100 a G <BND> . PASS SVTYPE=BND;END=101;CHR2=5;POS2=70", ["2", 100, "5", 70, "TRANSLOCATION"]),
        # Written out in bases.
        ("2 100 a GATTACA G . PASS SVTYPE=DEL", ["2", 100, "2", 106, "DELETION"]),
        ("2 100 a G GATTACA . PASS SVTYPE=INS", ["2", 100, None, None, "INSERTION"]),
    ],
)
def test_every_form_of_a_variant(tmp_path: Path, record: str, expected: list) -> None:
    assert rows(vcf(tmp_path, record)) == [expected]


def test_a_deletion_without_an_end_has_none(tmp_path: Path) -> None:
    assert rows(vcf(tmp_path, "X 100 a G <DEL> . PASS SVTYPE=DEL")) == [["X", 100, "X", None, "DELETION"]]


def test_columns_are_those_of_the_table(tmp_path: Path) -> None:
    table, _ = _read_vcf(vcf(tmp_path, "X 100 a G <DEL> . PASS SVTYPE=DEL;END=900"), "NB01")
    assert list(table.columns) == list(REARRANGEMENTS.columns)
    assert table["sample_id"].tolist() == ["NB01"]
    assert table[["site1_gene", "site2_gene"]].isna().all(axis=None)


def test_mates_are_one_row(tmp_path: Path) -> None:
    mates = [
        "chr2 900 a G G]chr5:70] . PASS SVTYPE=BND;MATEID=b",
        "chr5 70 b T T]chr2:900] . PASS SVTYPE=BND;MATEID=a",
    ]
    one = [["2", 900, "5", 70, "TRANSLOCATION"]]
    assert rows(vcf(tmp_path, *mates)) == one
    assert rows(vcf(tmp_path, *reversed(mates))) == one
    assert rows(vcf(tmp_path, mates[1])) == one


def test_mates_that_differ_by_shared_bases_are_one_row_in_any_order(tmp_path: Path) -> None:
    mates = ["2 900 a G G]5:70] . PASS SVTYPE=BND;MATEID=b", "5 73 b T T]2:903] . PASS SVTYPE=BND;MATEID=a"]
    assert (
        rows(vcf(tmp_path, *mates)) == rows(vcf(tmp_path, *reversed(mates))) == [["2", 900, "5", 70, "TRANSLOCATION"]]
    )


def test_mirror_images_without_mate_ids_are_one_row(tmp_path: Path) -> None:
    mates = ["2 100 a G G[2:900[ . PASS SVTYPE=BND", "2 900 b T ]2:100]T . PASS SVTYPE=BND"]
    assert rows(vcf(tmp_path, *mates)) == [["2", 100, "2", 900, "DELETION"]]


def test_two_joins_of_the_same_places_are_two_rows(tmp_path: Path) -> None:
    inversion = ["2 100 a G G]2:900] . PASS SVTYPE=BND", "2 100 b G [2:900[G . PASS SVTYPE=BND"]
    assert rows(vcf(tmp_path, *inversion)) == [["2", 100, "2", 900, "INVERSION"]] * 2


def test_only_what_passed_unless_asked(tmp_path: Path) -> None:
    file = vcf(
        tmp_path,
        "1 1 a G <DEL> . PASS SVTYPE=DEL;END=9",
        "1 2 b G <DEL> . . SVTYPE=DEL;END=9",
        "1 3 c G <DEL> . LowQual SVTYPE=DEL;END=9",
    )
    notes = Repairs()
    table, _ = _read_vcf(file, "NB01", repairs=notes)
    assert table["site1_position"].tolist() == [1, 2]
    assert list(notes) == ["sv.vcf: 1 records that did not pass their filters left out"]
    assert len(rows(file, passed_only=False)) == 3


def test_small_variants_and_copy_numbers_are_left_out(tmp_path: Path) -> None:
    notes = Repairs()
    file = vcf(
        tmp_path, "1 1 a G A . PASS DP=9", "1 1 b G <CNV> . PASS SVTYPE=CNV", "1 5 c G <DEL> . PASS SVTYPE=DEL;END=9"
    )
    assert _read_vcf(file, "NB01", repairs=notes)[0]["site1_position"].tolist() == [5]
    assert list(notes) == ["sv.vcf: 2 small variants and copy-number records left out"]


@pytest.mark.parametrize("samples", ["", "TUMOR", "NORMAL TUMOR"])
def test_a_file_without_records_is_of_a_sample_without_variants(tmp_path: Path, samples: str) -> None:
    table, build = _read_vcf(vcf(tmp_path, samples=samples), "NB01")
    assert table.empty
    assert list(table.columns) == list(REARRANGEMENTS.columns)
    assert build == "hg38"


@pytest.mark.parametrize(
    ("meta", "build"),
    [
        ("##contig=<ID=1,length=249250621>\n", "hg19"),
        ("##contig=<ID=chr1,length=248956422,assembly=x>\n", "hg38"),
        ("##contig=<ID=chr5,length=181538259>\n##reference=hg19.fa\n", "hg38"),
        ("##reference=file:///data/hs37d5.fa.gz\n", "hg19"),
        ("##reference=/data/Homo_sapiens_assembly_GRCh38.fasta\n", "hg38"),
        ("##contig=<ID=chr1,assembly=b37>\n", "hg19"),
        ("##reference=hg19_and_hg38.fa\n", None),
        ("##source=hg19caller\n", None),
        ("", None),
    ],
)
def test_the_header_tells_the_build(tmp_path: Path, meta: str, build: str | None) -> None:
    assert _read_vcf(vcf(tmp_path, meta=meta), "NB01")[1] == build


def test_blocked_gzip(tmp_path: Path) -> None:
    plain = vcf(tmp_path, "1 5 c G <DEL> . PASS SVTYPE=DEL;END=9").read_bytes()
    packed = tmp_path / "sv.vcf.gz"
    packed.write_bytes(gzip.compress(plain[:60]) + gzip.compress(plain[60:]) + gzip.compress(b""))
    assert rows(packed) == [["1", 5, "1", 9, "DELETION"]]


def test_windows_line_ends(tmp_path: Path) -> None:
    file = vcf(tmp_path, "1 5 c G <DEL> . PASS SVTYPE=DEL;END=9 GT 0/1", samples="NB01")
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert rows(file, None) == [["1", 5, "1", 9, "DELETION"]]


DELETION = "1 5 c G <DEL> . PASS SVTYPE=DEL;END=9"


def carriers(file: Path, sample_id: str | None = None) -> list[str]:
    return _read_vcf(file, sample_id)[0]["sample_id"].tolist()


@pytest.mark.parametrize(
    ("samples", "formats", "sample_id", "expected"),
    [
        ("A", "GT 0/1", None, ["A"]),
        ("A", "GT 0/1", "NB01", ["NB01"]),
        ("A", "GT:PR ./.:1,2", None, ["A"]),
        ("A", "PR 1,2", "NB01", ["NB01"]),
        ("A", "GT 0/0", None, []),
        ("A B C", "GT 0/1 0|0 1/1", None, ["A", "C"]),
        ("A B C", "GT 0/1 0|0 1/1", "C", ["C"]),
        ("A B C", "GT 0/1 0|0 1/1", "B", []),
        ("A B C", "GT 0/1 ./. ./.", "B", []),
        # Tumour and normal.
        ("N1 T1", "GT 0/0 0/1", "T1", ["T1"]),
        ("N1 T1", "GT 0/1 0/1", "T1", []),
        ("NORMAL TUMOR", "GT 0/0 0/1", "NB01", ["NB01"]),
        ("NORMAL TUMOR", "GT 0/1 0/1", None, []),
        ("NORMAL TUMOR", "PR:SR 9,0 9,4", "NB01", ["NB01"]),
        ("T1 T1_blood", "GT 0/1 0/0", None, ["T1"]),
        ("N1 T1", "GT . .", "T1", ["T1"]),
    ],
)
def test_who_carries_a_variant(
    tmp_path: Path, samples: str, formats: str, sample_id: str | None, expected: list[str]
) -> None:
    assert carriers(vcf(tmp_path, f"{DELETION} {formats}", samples=samples), sample_id) == expected


def test_a_somatic_call_stays_although_the_normal_has_it(tmp_path: Path) -> None:
    notes = Repairs()
    calls = [f"{DELETION};SOMATIC GT 0/1 0/1", "1 6 d G <DEL> . PASS SVTYPE=DEL;END=9 GT 0/1 0/1"]
    table, _ = _read_vcf(vcf(tmp_path, *calls, samples="N1 T1"), "T1", repairs=notes)
    assert table["site1_position"].tolist() == [5]
    assert list(notes) == ["sv.vcf: 1 variants that the normal carries too left out"]


def test_the_header_names_the_normal(tmp_path: Path) -> None:
    file = vcf(tmp_path, f"{DELETION} GT 0/1 0/1 0/1", samples="A B C", meta="##normal_sample=B\n")
    assert carriers(file) == []
    file = vcf(tmp_path, f"{DELETION} GT 0/1 0/0 0/1", samples="A B C", meta="##normal_sample=B\n")
    assert carriers(file) == ["A", "C"]


@pytest.mark.parametrize(
    ("record", "samples", "sample_id", "problem", "found_rows"),
    [
        ("1 5 c G <DEL> . PASS", "", "NB01", "row 1 has 7 cells, the header has 8", [1]),
        ("1 5 c G <XYZ> . PASS SVTYPE=DEL", "", "NB01", "unknown form of ALT '<XYZ>'", [1]),
        ("1 5 c G G[2:7] . PASS SVTYPE=BND", "", "NB01", "unknown form of ALT", [1]),
        ("1 5 c G G[2:7[G . PASS SVTYPE=BND", "", "NB01", "unknown form of ALT", [1]),
        ("1 5 c G <DEL>,<DUP> . PASS SVTYPE=DEL", "", "NB01", "several ALT alleles", [1]),
        ("1 50 c G <DEL> . PASS SVTYPE=DEL;END=9", "", "NB01", "ends before it starts", [1]),
        ("1 x c G <DEL> . PASS SVTYPE=DEL;END=9", "", "NB01", "not a number: 'x'", [1]),
        ("1 5 c G <DEL> . PASS SVTYPE=DEL;END=x", "", "NB01", "not a number: 'x'", [1]),
        ("doggy 5 c G <DEL> . PASS SVTYPE=DEL;END=9", "", "NB01", "unknown code 'doggy'", [1]),
        ("1 5 c G A . PASS DP=9", "", "NB01", "holds no structural variants", None),
        (DELETION, "", None, "names no sample", None),
        (f"{DELETION} GT 0/1 0/1 0/1", "A B C", "secret", "not among the 3 of the file", None),
        (f"{DELETION} GT 0/1 0/1", "A B", "secret", "not among the 2 of the file", None),
        (f"{DELETION} PR 1 2", "A B", None, "no genotype says", [1]),
        (f"{DELETION} GT 0/1 0/1", "A A", None, "is there twice", None),
    ],
)
def test_bad_files(
    tmp_path: Path, record: str, samples: str, sample_id: str | None, problem: str, found_rows: list[int] | None
) -> None:
    with pytest.raises(InputError) as caught:
        _read_vcf(vcf(tmp_path, record, samples=samples), sample_id)
    assert problem in caught.value.problem
    assert caught.value.rows == found_rows
    assert "sv.vcf" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_row_numbers_count_records_that_were_filtered(tmp_path: Path) -> None:
    file = vcf(tmp_path, "1 5 c G <DEL> . LowQual SVTYPE=DEL;END=9", "1 5 c G <XYZ> . PASS SVTYPE=DEL")
    with pytest.raises(InputError) as caught:
        _read_vcf(file, "NB01")
    assert caught.value.rows == [2]


def test_no_header_line(tmp_path: Path) -> None:
    file = tmp_path / "sv.vcf"
    file.write_text(HG38 + DELETION.replace(" ", "\t") + "\n")
    with pytest.raises(InputError, match="no #CHROM line"):
        _read_vcf(file, "NB01")


def test_blanks_instead_of_tabulators(tmp_path: Path) -> None:
    file = tmp_path / "sv.vcf"
    file.write_text("#CHROM POS ID REF ALT QUAL FILTER INFO\n" + DELETION + "\n")
    with pytest.raises(InputError, match="not that of a VCF"):
        _read_vcf(file, "NB01")


def test_truncated_gzip(tmp_path: Path) -> None:
    plain = vcf(tmp_path, *[f"1 {n} c{n} G <DEL> . PASS SVTYPE=DEL;END=90{n}" for n in range(1, 900)]).read_bytes()
    packed = tmp_path / "sv.vcf.gz"
    packed.write_bytes(gzip.compress(plain)[:-40])
    with pytest.raises(InputError, match="gzip file is damaged"):
        _read_vcf(packed, "NB01")


def test_row_order_does_not_matter(tmp_path: Path) -> None:
    records = [
        "2 900 a G G]5:70] . PASS SVTYPE=BND;MATEID=b",
        "5 73 b T T]2:903] . PASS SVTYPE=BND;MATEID=a",
        "X 100 c G <DEL> . PASS SVTYPE=DEL;END=900",
        "2 100 d G G[2:900[ . PASS SVTYPE=BND",
        "2 900 e T ]2:100]T . PASS SVTYPE=BND",
    ]
    tables = [_read_vcf(vcf(tmp_path, *order), "NB01")[0] for order in (records, records[::-1])]
    first, second = (table.sort_values(SITES, ignore_index=True) for table in tables)
    pd.testing.assert_frame_equal(first, second)


READABLE = [f"1 {n} c{n} G <DEL> . PASS SVTYPE=DEL;END=90{n}" for n in range(1, 4)]


@pytest.mark.parametrize(
    "record",
    [
        "1 5 c G <XYZ> . PASS SVTYPE=DEL",
        "1 5 c G G[2:7] . PASS SVTYPE=BND",
        "1 5 c G <DEL>,<DUP> . PASS SVTYPE=DEL",
        "1 50 c G <DEL> . PASS SVTYPE=DEL;END=9",
        "1 x c G <DEL> . PASS SVTYPE=DEL;END=9",
        "1 5 c G <DEL> . PASS SVTYPE=DEL;END=x",
        "dog1 5 c G <DEL> . PASS SVTYPE=DEL;END=9",
        "1 5 c G G[dog1:7[ . PASS SVTYPE=BND",
        "1 5 c G <DEL> . PASS",
        "1 5 c G <DEL> . PASS SVTYPE=DEL;END=9 a b",
    ],
)
def test_a_record_that_cannot_be_read_is_left_out_and_counted(tmp_path: Path, record: str) -> None:
    notes = Repairs()
    for place in (0, 1):
        file = vcf(tmp_path, *READABLE[:place], record, *READABLE[place:])
        table, _ = _read_vcf(file, "NB01", repairs=notes)
        assert table["site1_position"].tolist() == [1, 2, 3]
    assert list(notes) == ["sv.vcf: 1 records that cannot be read left out"] * 2


def test_several_kinds_of_unreadable_records(tmp_path: Path) -> None:
    notes = Repairs()
    wrong = ["1 5 c G <XYZ> . PASS SVTYPE=DEL", "1 x c G <DEL> . PASS SVTYPE=DEL;END=9", "1 5 c G"]
    assert len(_read_vcf(vcf(tmp_path, *wrong, *READABLE), "NB01", repairs=notes)[0]) == 3
    assert notes.totals() == {"records that cannot be read left out": 3}


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 4 has 4 cells, the header has 8"):
        _read_vcf(vcf(tmp_path, *READABLE, "1 5 c G"), "NB01")


def test_a_file_of_mostly_unreadable_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown form of ALT") as caught:
        _read_vcf(vcf(tmp_path, READABLE[0], *["1 5 c G <XYZ> . PASS SVTYPE=DEL"] * 2), "NB01")
    assert caught.value.rows == [2, 3]


GRIDSS = "GT:VF:BVF"


@pytest.mark.parametrize(
    ("samples", "formats", "sample_id", "expected"),
    [
        # PURPLE: the reference is ...R, the tumour ...T.
        ("NB01R NB01T", "GT:VF ./.:0 ./.:20", None, ["NB01T"]),
        ("NB01R NB01T", "GT:VF ./.:0 ./.:20", "NB01T", ["NB01T"]),
        ("NB01R NB01T", "GT:VF ./.:0 ./.:20", "patient", ["patient"]),
        ("NB01-R NB01-T", "GT 0/0 0/1", "patient", ["patient"]),
        # GRIDSS: columns are named by BAM files, and no genotype is called.
        ("normal.bam tumor.bam", f"{GRIDSS} .:0:0 .:20:0", "NB01", ["NB01"]),
        ("NB01_blood.bam NB01.bam", f"{GRIDSS} .:0:0 .:20:0", "NB01", ["NB01"]),
        ("/data/NB01N.bam /data/NB01_dedup.bam", f"{GRIDSS} .:0:0 .:20:0", "NB01", ["NB01"]),
        ("normal.bam tumor.bam", f"{GRIDSS} .:9:0 .:20:0", "NB01", []),
        ("normal.bam tumor.bam", f"{GRIDSS} .:1:0 .:20:0", "NB01", ["NB01"]),
        ("normal.bam tumor.bam", f"{GRIDSS} .:0:0 .:0:7", "NB01", ["NB01"]),
        ("A.bam B.bam normal.bam", f"{GRIDSS} .:9:0 .:0:0 .:0:0", None, ["A"]),
        ("A.bam B.bam normal.bam", f"{GRIDSS} .:9:0 .:8:0 .:9:0", None, []),
        # Names that only look so.
        ("T1 BOR", "GT 0/1 0/1", None, ["T1", "BOR"]),
    ],
)
def test_columns_as_purple_and_gridss_name_them(
    tmp_path: Path, samples: str, formats: str, sample_id: str | None, expected: list[str]
) -> None:
    assert carriers(vcf(tmp_path, f"{DELETION} {formats}", samples=samples), sample_id) == expected


def test_a_column_of_another_name(tmp_path: Path) -> None:
    file = vcf(tmp_path, f"{DELETION} GT 0/1 0/0 0/0", samples="A B A_normal")
    assert _read_vcf(file, "NB01", column="A")[0]["sample_id"].tolist() == ["NB01"]
    assert _read_vcf(file, "NB02", column="B")[0].empty
    with pytest.raises(InputError, match="no such sample column") as caught:
        _read_vcf(file, "NB01", column="secret")
    assert "secret" not in str(caught.value)
