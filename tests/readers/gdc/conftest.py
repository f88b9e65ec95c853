"""A folder as a user of TARGET-NBL has it: every file under its exact header, with rows of our own.

The workbooks are written part by part, so that blank cells are really absent from their XML, as in TARGET's files.
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

Cell = str | int | float | None

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def column_letters(number: int) -> str:
    letters = ""
    while number >= 0:
        letters = chr(ord("A") + number % 26) + letters
        number = number // 26 - 1
    return letters


def sheet_xml(rows: Sequence[Sequence[Cell]]) -> str:
    """One sheet; cells and rows that are None or empty do not appear in it."""
    lines = []
    for number, row in enumerate(rows, 1):
        cells = []
        for position, value in enumerate(row):
            if value is None:
                continue
            reference = f"{column_letters(position)}{number}"
            if isinstance(value, str):
                cells.append(f'<c r="{reference}" t="inlineStr"><is><t>{escape(value)}</t></is></c>')
            else:
                cells.append(f'<c r="{reference}"><v>{value}</v></c>')
        if cells:
            lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return f'<?xml version="1.0"?><worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def _write_xlsx(file: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> Path:
    numbers = range(1, len(sheets) + 1)
    named = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in zip(numbers, sheets, strict=True)
    )
    relations = "".join(
        f'<Relationship Id="r{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{SPREADSHEET}.worksheet+xml"/>' for n in numbers
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{SPREADSHEET}.sheet.main+xml"/>{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument" '
        f'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{named}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}">{relations}</Relationships>',
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        for number, rows in zip(numbers, sheets.values(), strict=True):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", sheet_xml(rows))
    return file


CLINICAL = [
    "TARGET USI",
    "Gender",
    "Race",
    "Ethnicity",
    "Age at Diagnosis in Days",
    "First Event",
    "Event Free Survival Time in Days",
    "Vital Status",
    "Overall Survival Time in Days",
    "Year of Diagnosis",
    "Year of Last Follow Up",
    "INSS Stage",
    "MYCN status",
    "Ploidy",
    "Histology",
    "Grade",
    "MKI",
    "Diagnostic Category",
    "ICDO",
    "COG Risk Group",
    "Percent Tumor",
]
DISCOVERY: list[dict[str, Cell]] = [
    {
        "TARGET USI": "TARGET-30-AAAAAA",
        "Gender": "Male",
        "Age at Diagnosis in Days": 900,
        "First Event": "Relapse",
        "Event Free Survival Time in Days": 400,
        "Vital Status": "Dead",
        "Overall Survival Time in Days": 700,
        "Year of Diagnosis": 2005,
        "INSS Stage": "Stage 4",
        "MYCN status": "Amplified",
        "Ploidy": "Diploid (DI=1)",
        "Histology": "Unfavorable",
        "Grade": "Undifferentiated or Poorly Differentiated",
        "MKI": "High",
        "COG Risk Group": "High Risk",
        "Percent Tumor": 80,
    },
    {
        "TARGET USI": "TARGET-30-BBBBBB",
        "Gender": "Female",
        "Age at Diagnosis in Days": 200,
        "First Event": "Censored",
        "Event Free Survival Time in Days": 2000,
        "Vital Status": "Alive",
        "Overall Survival Time in Days": 2000,
        "INSS Stage": "Stage 4s",
        "MYCN status": "Not Amplified",
        "Ploidy": "Hyperdiploid (DI>1)",
        "COG Risk Group": "Low Risk",
        "Percent Tumor": ">90",
    },
    {
        "TARGET USI": "TARGET-30-CCCCCC",
        "Age at Diagnosis in Days": 1500,
        "First Event": "Event",
        "Event Free Survival Time in Days": 450,
        "INSS Stage": "Unknown",
        "MYCN status": "Unknown",
    },
]
VALIDATION: list[dict[str, Cell]] = [
    # The same patient once more: spelled otherwise, with a value that the other file lacks and without one it has.
    {
        "TARGET USI": "TARGET-30-CCCCCC",
        "Gender": "Female",
        "Age at Diagnosis in Days": "1500",
        "First Event": "event",
        "INSS Stage": "Not Reported",
    },
    {
        "TARGET USI": "TARGET-30-DDDDDD",
        "Gender": "Male",
        "Age at Diagnosis in Days": 30,
        "First Event": "Second Malignant Neoplasm",
        "Event Free Survival Time in Days": 3000,
        "Vital Status": "Alive",
        "Overall Survival Time in Days": 3500,
        "INSS Stage": "Stage 2b",
        "MYCN status": "Not Amplified",
    },
]
NOTES: list[list[Cell]] = [["Data dictionary"], ["Column", "Meaning"], ["MKI", "Mitosis karyorrhexis index"]]

SHEET = ["File ID", "File Name", "Data Category", "Data Type", "Project ID", "Case ID", "Sample ID", "Sample Type"]
MAF = [
    "Hugo_Symbol",
    "Entrez_Gene_Id",
    "NCBI_Build",
    "Chromosome",
    "Start_Position",
    "End_Position",
    "Variant_Classification",
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "Tumor_Sample_Barcode",
    "Matched_Norm_Sample_Barcode",
    "HGVSp_Short",
    "t_depth",
    "t_ref_count",
    "t_alt_count",
]
STAR = [
    "gene_id",
    "gene_name",
    "gene_type",
    "unstranded",
    "stranded_first",
    "stranded_second",
    "tpm_unstranded",
    "fpkm_unstranded",
    "fpkm_uq_unstranded",
]
SEGMENTS = ["GDC_Aliquot", "Chromosome", "Start", "End", "Num_Probes", "Segment_Mean"]
COUNTS = "rna_seq.augmented_star_gene_counts.tsv"


def tsv(rows: Sequence[Sequence[object]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def clinical_rows(patients: Sequence[Mapping[str, Cell]]) -> list[list[Cell]]:
    return [list(CLINICAL), *[[patient.get(name) for name in CLINICAL] for patient in patients]]


def star_counts(mycn: float, alk: float) -> str:
    unread = [[f"N_{name}", "", "", 9, 9, 9, "", "", ""] for name in ("unmapped", "multimapping")]
    genes = [
        ("ENSG00000134323.12", "MYCN", "protein_coding", mycn),
        ("ENSG00000171094.18", "ALK", "protein_coding", alk),
        ("ENSG00000185291.12", "IL3RA", "protein_coding", 5),
        ("ENSG00000185291.12_PAR_Y", "IL3RA", "protein_coding", 2),
        ("ENSG00000270141.3", "TERC", "lncRNA", 100),
    ]
    rows = [[gene, name, kind, 10, 5, 5, tpm, 0.1, 0.1] for gene, name, kind, tpm in genes]
    return "# gene-model: GENCODE v36\n" + tsv([STAR, *unread, *rows])


def maf(sample: str, rows: Sequence[Sequence[object]]) -> bytes:
    head = f"#version gdc-1.0.0\n#n.analyzed.samples 1\n#tumor.aliquots.submitter_id {sample}-01D\n"
    full = [[*row[:9], f"{sample}-01D", sample.replace("-01A", "-10A") + "-01D", *row[9:]] for row in rows]
    return gzip.compress((head + tsv([MAF, *full])).encode())


def sheet_rows() -> list[list[str]]:
    single = [
        (f"star-a1.{COUNTS}", "AAAAAA", "01A", "Primary Tumor"),
        (f"star-a2.{COUNTS}", "AAAAAA", "02A", "Recurrent Tumor"),
        (f"star-z.{COUNTS}", "ZZZZZZ", "01A", "Primary Tumor"),
        ("seg-a.nocnv_grch38.seg.v2.txt", "AAAAAA", "01A", "Primary Tumor"),
        ("seg-n.nocnv_grch38.seg.v2.txt", "AAAAAA", "10A", "Blood Derived Normal"),
        ("seg-b.nocnv_grch38.seg.v2.txt", "BBBBBB", "09A", "Primary Blood Derived Cancer - Bone Marrow"),
    ]
    rows = [
        ["id", name, "Category", "Type", "TARGET-NBL", f"TARGET-30-{case}", f"TARGET-30-{case}-{code}", kind]
        for name, case, code, kind in single
    ]
    for name, case in (("maf-a", "AAAAAA"), ("maf-b", "BBBBBB")):
        patient = f"TARGET-30-{case}"
        samples = f"{patient}-10A, {patient}-01A"
        kinds = "Blood Derived Normal, Primary Tumor"
        file = f"{name}.wxs.aliquot_ensemble_masked.maf.gz"
        rows.append(["id", file, "Category", "Type", "TARGET-NBL", f"{patient}, {patient}", samples, kinds])
    return [SHEET, *rows]


@pytest.fixture
def write_xlsx() -> Callable[..., Path]:
    """``write_xlsx(file, {sheet name: rows})``; None cells do not appear in the file."""
    return _write_xlsx


@pytest.fixture
def write_clinical(tmp_path: Path) -> Callable[..., Path]:
    """``write_clinical(file, patients)`` with a notes sheet first and a title above the header."""

    def write(file: Path, patients: Sequence[Mapping[str, Cell]]) -> Path:
        table = [["TARGET Neuroblastoma clinical data"], [], *clinical_rows(patients)]
        return _write_xlsx(file, {"Notes": NOTES, "Clinical Data": table})

    return write


@pytest.fixture
def patients() -> dict[str, Any]:
    """Rows of the two workbooks, to be changed."""
    return {"discovery": [dict(row) for row in DISCOVERY], "validation": [dict(row) for row in VALIDATION]}


@pytest.fixture
def gdc(tmp_path: Path, write_clinical: Callable[..., Path]) -> Path:
    """The folder, with all kinds of files."""
    folder = tmp_path / "target_nbl"
    a, b = "TARGET-30-AAAAAA-01A", "TARGET-30-BBBBBB-01A"
    for name in ("star-a1", "star-a2", "star-z", "segments", "mutations"):
        (folder / name).mkdir(parents=True)
    write_clinical(folder / "TARGET_NBL_ClinicalData_Discovery_20220125.xlsx", DISCOVERY)
    write_clinical(folder / "TARGET_NBL_ClinicalData_Validation_20220125.xlsx", VALIDATION)
    _write_xlsx(folder / "TARGET_NBL_CDE_20220125.xlsx", {"CDE": NOTES})
    (folder / "gdc_sample_sheet.2026-11-24.tsv").write_text(tsv(sheet_rows()))
    (folder / "star-a1" / f"star-a1.{COUNTS}").write_text(star_counts(1023, 0))
    (folder / "star-a1" / "annotations.txt").write_text("id\n")
    (folder / "star-a2" / f"star-a2.{COUNTS}.gz").write_bytes(gzip.compress(star_counts(7, 3).encode()))
    (folder / "star-z" / f"star-z.{COUNTS}").write_text(star_counts(1, 1))
    one = [["x", "chr1", 1, 30_000_000, 500, -0.6], ["x", "chr2", 16_000_000, 16_100_000, 40, 3.2]]
    two = [["y", "chr17", 40_000_000, 80_000_000, 700, 0.4], ["y", "chrX", 1, 1_000_000, 90, 0.01]]
    for name, rows in (("a", one), ("b", two), ("n", one)):
        (folder / "segments" / f"seg-{name}.nocnv_grch38.seg.v2.txt").write_text(tsv([SEGMENTS, *rows]))
    alk = ["ALK", 238, "GRCh38", "chr2", 29220829, 29220829, "Missense_Mutation", "G", "T", "p.F1174L", 100, 70, 30]
    (folder / "mutations" / "maf-a.wxs.aliquot_ensemble_masked.maf.gz").write_bytes(maf(a, [alk]))
    (folder / "mutations" / "maf-b.wxs.aliquot_ensemble_masked.maf.gz").write_bytes(maf(b, []))
    gistic = [
        [
            "Gene Symbol",
            "Locus ID",
            "Cytoband",
            "TARGET-30-AAAAAA-01",
            "TARGET-30-CCCCCC-01A-01D",
            "TARGET-30-AAAAAA-10A",
        ],
        ["MYCN", 4613, "2p24.3", 2, 0, 0],
        ["ALK", 238, "2p23.2", 1, -1, 0],
        ["SHOX|chrX", 6473, "Xp22.33", 0, 0, 0],
    ]
    (folder / "all_thresholded.by_genes.txt").write_text(tsv(gistic))
    return folder
