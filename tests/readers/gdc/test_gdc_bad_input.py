"""GDC and TARGET files that cannot be imported: one message through the command line, exit code 2, nothing written."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.cli import main

DISCOVERY = "TARGET_NBL_ClinicalData_Discovery_20220125.xlsx"
VALIDATION = "TARGET_NBL_ClinicalData_Validation_20220125.xlsx"
SHEET = "gdc_sample_sheet.2026-11-24.tsv"
STAR = "star-a1/star-a1.rna_seq.augmented_star_gene_counts.tsv"
SEGMENTS = "segments/seg-a.nocnv_grch38.seg.v2.txt"
MAF = "mutations/maf-a.wxs.aliquot_ensemble_masked.maf.gz"
GISTIC = "all_thresholded.by_genes.txt"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 99\n"

Refused = Callable[..., str]
Workbook = Callable[..., Path]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """``refused(sources..., texts=(...))`` imports, asserts one message with these texts, and returns it."""

    def run(*sources: Path, texts: tuple[str, ...]) -> str:
        out = tmp_path / "cohort"
        arguments = ["nbrelapse", "cohort", "import", "gdc", *map(str, sources), "--out", str(out)]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        assert caught.value.code == 2
        assert said.out == ""
        assert said.err.count("error: ") == 1 and "Traceback" not in said.err
        assert "AAAAAA" not in said.err and "CCCCCC" not in said.err
        assert not out.exists()
        for text in texts:
            assert text in said.err
        return said.err

    return run


def edit(file: Path, old: str, new: str) -> None:
    packed = file.suffix == ".gz"
    text = gzip.decompress(file.read_bytes()).decode() if packed else file.read_text()
    assert old in text
    changed = text.replace(old, new).encode()
    file.write_bytes(gzip.compress(changed) if packed else changed)


def test_no_workbook(gdc: Path, refused: Refused) -> None:
    refused(gdc / "mutations", texts=("no sheet with the patients", "column: TARGET USI", "ClinicalData"))


def test_a_workbook_without_the_patients(gdc: Path, refused: Refused) -> None:
    file = gdc / "TARGET_NBL_CDE_20220125.xlsx"
    refused(file, texts=("no sheet with the patients", f"file: {file}", "column: TARGET USI"))


def test_a_missing_column(gdc: Path, write_xlsx: Workbook, refused: Refused) -> None:
    file = write_xlsx(
        gdc / DISCOVERY, {"Clinical Data": [["TARGET USI", "First Event"], ["TARGET-30-AAAAAA", "Relapse"]]}
    )
    column = "column: Event Free Survival Time in Days, Vital Status, Overall Survival Time in Days"
    refused(gdc, texts=("a column is missing", f"file: {file}", column))


def test_a_pointer_instead_of_the_workbook(gdc: Path, refused: Refused) -> None:
    (gdc / DISCOVERY).write_text(POINTER)
    refused(gdc, texts=("Git LFS pointer", DISCOVERY, "git lfs pull"))


def test_a_text_file_named_xlsx(gdc: Path, refused: Refused) -> None:
    (gdc / DISCOVERY).write_text("TARGET USI,First Event\nTARGET-30-AAAAAA,Relapse\n")
    refused(gdc, texts=("not a readable xlsx workbook", DISCOVERY, "a renamed text file is none"))


@pytest.mark.parametrize(
    ("column", "value"),
    [("INSS Stage", "Stage 3"), ("First Event", "Relapse"), ("Age at Diagnosis in Days", 1501), ("Percent Tumor", 60)],
)
def test_patients_who_differ_between_workbooks(
    gdc: Path, patients: dict[str, Any], write_clinical: Workbook, refused: Refused, column: str, value: object
) -> None:
    patients["discovery"][2] |= {"INSS Stage": "Stage 4", "Percent Tumor": 50}
    patients["validation"][0][column] = value
    write_clinical(gdc / DISCOVERY, patients["discovery"])
    write_clinical(gdc / VALIDATION, patients["validation"])
    where = ("conflicting values of a patient", VALIDATION, f"column: {column}", "rows: 1", f"row 3 of {DISCOVERY}")
    refused(gdc, texts=where)


def test_a_patient_who_is_twice_in_one_workbook(
    gdc: Path, patients: dict[str, Any], write_clinical: Workbook, refused: Refused
) -> None:
    again = patients["discovery"][0] | {"Gender": "Female"}
    write_clinical(gdc / DISCOVERY, [*patients["discovery"], {}, again])
    refused(gdc / DISCOVERY, texts=("conflicting values of a patient", "column: Gender", "rows: 5", "what row 1 of"))


def test_an_unknown_level(gdc: Path, patients: dict[str, Any], write_clinical: Workbook, refused: Refused) -> None:
    """Rows count those of the sheet below its header, the blank one included."""
    wrong = patients["discovery"][1] | {"INSS Stage": "Stage 5"}
    write_clinical(gdc / DISCOVERY, [patients["discovery"][0], {}, wrong])
    refused(gdc / DISCOVERY, texts=("unknown code 'Stage 5'", DISCOVERY, "column: inss_stage", "rows: 3"))


def test_a_row_without_identifier(
    gdc: Path, patients: dict[str, Any], write_clinical: Workbook, refused: Refused
) -> None:
    patients["discovery"][1]["TARGET USI"] = "PBBBBBB"
    write_clinical(gdc / DISCOVERY, patients["discovery"])
    refused(gdc, texts=("a row without a TARGET identifier", "column: TARGET USI", "rows: 2"))


def test_no_sample_sheet(gdc: Path, refused: Refused) -> None:
    (gdc / SHEET).unlink()
    refused(gdc, texts=("files do not say whose they are", "expected: a GDC sample sheet", "gdc_sample_sheet.*.tsv"))


def test_a_file_that_is_not_in_the_sample_sheet(gdc: Path, refused: Refused) -> None:
    edit(gdc / SHEET, "star-a1.rna_seq", "star-q.rna_seq")
    refused(gdc, texts=("1 expression files are not in the sample sheet", STAR, "gdc_sample_sheet.*.tsv"))


def test_two_files_of_a_sample(gdc: Path, refused: Refused) -> None:
    edit(gdc / SHEET, "TARGET-30-AAAAAA-02A\tRecurrent Tumor", "TARGET-30-AAAAAA-01A\tPrimary Tumor")
    refused(gdc, texts=("two expression files are of the same sample", "star-a2", "leave all but one"))


def test_a_sample_sheet_of_another_kind(gdc: Path, refused: Refused) -> None:
    (gdc / SHEET).write_text("id\tfilename\tmd5\nx\ty\tz\n")
    refused(gdc, texts=("a column is missing", SHEET, "File Name", "cart page"))


def test_star_counts_of_another_format(gdc: Path, refused: Refused) -> None:
    (gdc / STAR).write_text("ENSG00000134323.12\t10\nENSG00000171094.18\t0\n")
    refused(gdc, texts=("not a file of GDC STAR counts", STAR, "tpm_unstranded", "STAR - Counts"))


def test_star_counts_of_another_gene_model(gdc: Path, refused: Refused) -> None:
    edit(gdc / STAR, "ENSG00000171094.18", "ENSG00000171094.20")
    refused(gdc, texts=("the genes differ from those of the other files", "GENCODE v36"))


def test_negative_tpm(gdc: Path, refused: Refused) -> None:
    edit(gdc / STAR, "\t1023\t", "\t-1\t")
    refused(gdc, texts=("missing or negative TPM", "column: tpm_unstranded", "rows: 3"))


def test_allele_specific_segments(gdc: Path, refused: Refused) -> None:
    edit(gdc / SEGMENTS, "Num_Probes\tSegment_Mean", "Copy_Number\tMajor_Copy_Number")
    refused(gdc, texts=("a column is missing", SEGMENTS, "Segment_Mean", "Masked Copy Number Segment"))


def test_segments_of_two_builds(gdc: Path, refused: Refused) -> None:
    edit(gdc / SHEET, "seg-b.nocnv_grch38", "seg-b.nocnv_hg19")
    (gdc / "segments" / "seg-b.nocnv_grch38.seg.v2.txt").rename(gdc / "segments" / "seg-b.nocnv_hg19.seg.v2.txt")
    refused(gdc, texts=("segment files of several genome builds: hg19, hg38", "lift all coordinates over"))


def test_a_maf_that_does_not_say_whose_it_is(gdc: Path, refused: Refused) -> None:
    (gdc / SHEET).unlink()
    edit(gdc / MAF, "TARGET-30-AAAAAA-01A-01D", "tumour")
    sources = (gdc / DISCOVERY, gdc / "mutations")
    refused(*sources, texts=("a MAF that does not say whose it is", "Tumor_Sample_Barcode", "rows: 1"))


def test_two_mafs_of_a_sample(gdc: Path, refused: Refused) -> None:
    (gdc / SHEET).unlink()
    (gdc / "mutations" / "copy.maf.gz").write_bytes((gdc / MAF).read_bytes())
    refused(gdc / DISCOVERY, gdc / "mutations", texts=("two MAF files hold the same sample", "leave all but one"))


def test_mafs_of_two_builds(gdc: Path, refused: Refused) -> None:
    alk = "ALK\t238\tGRCh37\tchr2\t29443695\t29443695\tMissense_Mutation\tG\tT\tx\ty\tp.F1174L\t9\t9\t9\n"
    other = gdc / "mutations" / "maf-b.wxs.aliquot_ensemble_masked.maf.gz"
    other.write_bytes(gzip.compress(gzip.decompress(other.read_bytes()) + alk.encode()))
    refused(gdc, texts=("MAF files of several genome builds: hg19, hg38", "maf-b"))


def test_gistic_values_that_are_no_levels(gdc: Path, refused: Refused) -> None:
    edit(gdc / GISTIC, "2p23.2\t1", "2p23.2\t0.37")
    refused(
        gdc, texts=("a value that is no GISTIC level", GISTIC, "1 of 3 sample columns", "rows: 2", "all_data_by_genes")
    )


def test_gistic_samples_without_barcode(gdc: Path, refused: Refused) -> None:
    edit(gdc / GISTIC, "TARGET-30-CCCCCC-01A-01D", "0aeed974-9ad8")
    refused(gdc, texts=("1 sample columns without a TARGET barcode", GISTIC))


def test_only_foreign_patients(gdc: Path, patients: dict[str, Any], write_clinical: Workbook, refused: Refused) -> None:
    for name in (DISCOVERY, VALIDATION):
        write_clinical(gdc / name, [patients["discovery"][1] | {"TARGET USI": "TARGET-30-QQQQQQ"}])
    refused(gdc, texts=("none of the molecular samples is of a patient", "discovery and validation"))


def test_sources_that_are_nothing(gdc: Path, refused: Refused) -> None:
    refused(gdc / "none", texts=("the source does not exist", "check the path"))
    (gdc / "notes.docx").write_text("x")
    refused(gdc / "notes.docx", texts=("a file of unknown kind", "*star_gene_counts.tsv", "leave this file out"))
