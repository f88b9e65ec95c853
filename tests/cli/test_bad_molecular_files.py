"""Malformed molecular files: refused with file, column, rows and fix, or repaired where the repair is certain."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, read_cohort

Run = Callable[..., Any]
Names = Callable[[Path], list[str]]
Change = Callable[[str], str]

MAF, SEG, SV, EXPRESSION = "data_mutations.txt", "data_cna_hg19.seg", "data_sv.txt", "data_mrna_seq_tpm.txt"
SAMPLES = [f"S{number:02d}" for number in range(12)]

MAF_TEXT = """\
Hugo_Symbol\tNCBI_Build\tChromosome\tStart_Position\tEnd_Position\tVariant_Classification\tReference_Allele\t\
Tumor_Seq_Allele2\tTumor_Sample_Barcode\tMatched_Norm_Sample_Barcode\tHGVSp_Short\tt_alt_count\tt_ref_count
ALK\tGRCh37\t2\t29443695\t29443695\tMissense_Mutation\tG\tT\tS00\tN00\tp.F1174L\t30\t70
TP53\tGRCh37\t17\t7577538\t7577538\tMissense_Mutation\tC\tT\tS01\tN01\tp.R248Q\t12\t80
SEPTIN2\tGRCh37\t2\t242254000\t242254001\tFrame_Shift_Del\tAC\t-\tS02\tN02\tp.K10fs\t9\t41
"""
SEG_TEXT = """\
ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean
S00\t1\t10001\t120000000\t900\t-0.51
S00\t1\t120000000\t249000000\t900\t0.02
S01\t11\t10001\t70000000\t500\t0.01
S01\t11\t70000001\t134000000\t500\t-0.43
"""
FIREHOSE = "Sample\tChromosome\tStart\tEnd\tNum_Probes\tSegment_Mean"
SV_TEXT = """\
Sample_Id\tSV_Status\tSite1_Hugo_Symbol\tSite1_Chromosome\tSite1_Position\tSite2_Hugo_Symbol\tSite2_Chromosome\t\
Site2_Position\tNCBI_Build\tClass
S03\tSOMATIC\tTERT\t5\t1290000\tZNF\t7\t1000000\tGRCh37\tTRANSLOCATION
"""


def tsv(rows: list[list[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def expression(levels: Callable[[np.ndarray], np.ndarray], first_gene: str = "MYCN") -> str:
    """Thirty genes in the twelve samples; `levels` turns log2 values (gene means 2 to 9) into the file's unit."""
    random = np.random.default_rng(1)
    values = levels(np.linspace(2, 9, 30)[:, None] + random.normal(0, 1, (30, 12)))
    genes = [first_gene, *(f"GENE{number}" for number in range(29))]
    rows = [[gene, *(f"{value:.4f}" for value in row)] for gene, row in zip(genes, values, strict=True)]
    return tsv([["Hugo_Symbol", *SAMPLES], *rows])


def z_scores(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)


@pytest.fixture
def raw(empty: Path) -> Path:
    """A study of 12 patients that imports as it is."""
    folder = empty / "raw"
    (folder / "case_lists").mkdir(parents=True)
    patients = [["PATIENT_ID", "INSS_STAGE"], *[[f"P{sample[1:]}", "Stage 4"] for sample in SAMPLES]]
    samples = [["PATIENT_ID", "SAMPLE_ID"], *[[f"P{sample[1:]}", sample] for sample in SAMPLES]]
    listed = "cancer_study_identifier: demo\nstable_id: demo_{}\ncase_list_ids: " + "\t".join(SAMPLES) + "\n"
    files = {
        "data_clinical_patient.txt": tsv(patients),
        "data_clinical_sample.txt": tsv(samples),
        MAF: MAF_TEXT,
        SEG: SEG_TEXT,
        SV: SV_TEXT,
        EXPRESSION: expression(lambda log2: 2**log2),
        "case_lists/cases_sequenced.txt": listed.format("sequenced"),
        "case_lists/cases_sv.txt": listed.format("sv"),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def swap(old: str, new: str) -> Change:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def append(*rows: str) -> Change:
    return lambda text: text + "".join(row.replace(" ", "\t") + "\n" for row in rows)


def instead(text: str) -> Change:
    return lambda _: text


WHOLE_GENOME = [(str(number), 1, 100_000_000) for number in range(1, 13)]


def segments(values: list[float]) -> Change:
    """A sample with twelve long segments of these values in turn."""
    rows = [
        ["S00", chromosome, str(start), str(end), "99", str(values[number % len(values)])]
        for number, (chromosome, start, end) in enumerate(WHOLE_GENOME)
    ]
    return instead(tsv([SEG_TEXT.splitlines()[0].split("\t"), *rows]))


def case(name: str, file: str, change: Change, *texts: str) -> Any:
    return pytest.param(file, change, texts, id=name)


REFUSED = [
    case(
        "commas instead of tabulators",
        MAF,
        lambda text: text.replace("\t", ","),
        "the columns are separated by commas, not by tabulators",
        "column: Hugo_Symbol",
        "fix: save it so",
    ),
    case("semicolons in a segment file", SEG, lambda text: text.replace("\t", ";"), "separated by semicolons"),
    case(
        "no header",
        MAF,
        lambda text: "#version 2.4\n" + text.split("\n", 1)[1],
        "a column is named twice",
        "where the first line is no header, add one",
    ),
    case(
        "no header of segments",
        SEG,
        lambda text: text.split("\n", 1)[1],
        "the file has no header line",
        "column: ID",
        "add the header line",
    ),
    case("no rows, no header", SEG, instead("#only a remark\n"), "the file is empty", "expected: a header line"),
    case(
        "a row with a cell too many", SEG, append("S02 1 1 9 1 0 0"), "row 5 has 7 cells, the header has 6", "rows: 5"
    ),
    case(
        "a file cut off in a row",
        SEG,
        lambda text: text[:-12],
        "row 4 has 4 cells, the header has 6",
        "the file was cut off",
    ),
    case("a column named twice", MAF, swap("HGVSp_Short", "Chromosome"), "a column is named twice", "Chromosome"),
    case(
        "a missing column", SEG, swap("seg.mean", "value"), "a column is missing", "column: seg.mean", "columns found"
    ),
    case(
        "a position that is no number",
        MAF,
        swap("\t7577538\tM", "\t7,577,538\tM"),
        "not a number: '7,577,538'",
        "rows: 2",
    ),
    case("an infinite ratio", SEG, swap("-0.43", "Inf"), "not a number", "column: log2_ratio", "rows: 4"),
    case(
        "an ambiguous Excel date", MAF, swap("SEPTIN2", "1-Mar"), "'1-Mar'", "Hugo_Symbol", "rows: 3", "MARCHF1, MTARC1"
    ),
    case("a date that is no gene", SV, swap("ZNF", "7-Jul"), "'7-Jul'", "column: site2_gene", "rows: 1", "fix: write"),
    case("an Excel day number", EXPRESSION, swap("MYCN\t", "43891\t"), "'43891'", "rows: 1", "these rows"),
    case(
        "end before start",
        SEG,
        swap("S01\t11\t10001\t70000000", "S01\t11\t70000000\t10001"),
        "ends before it starts",
        "rows: 3",
    ),
    case(
        "overlapping segments",
        SEG,
        swap("120000000\t249000000", "119000000\t249000000"),
        "segments of a sample overlap by up to 1000001 bases",
        "column: start, end",
        "rows: 2",
        "fix: keep one profile",
    ),
    case(
        "an unknown chromosome",
        SEG,
        swap("S01\t11\t7", "S01\tchr27\t7"),
        "unknown code 'chr27'",
        "column: chromosome",
        "rows: 4",
    ),
    case(
        "an unknown chromosome of a mutation",
        MAF,
        swap("\t17\t", "\t170\t"),
        "unknown code '170'",
        "column: Chromosome",
        "rows: 2",
    ),
    case(
        "copy numbers",
        SEG,
        segments([2.0, 2.1, 3.0, 1.0]),
        "look like copy numbers",
        "column: log2_ratio",
        "log2(copies / 2)",
    ),
    case("ratios", SEG, segments([1.0, 1.02, 1.4, 0.6]), "look like ratios", "their median is 1.00", "log2(ratio)"),
    case(
        "two builds",
        MAF,
        swap("TP53\tGRCh37", "TP53\tGRCh38"),
        "mixed genome builds: hg19, hg38",
        "column: NCBI_Build",
        "rows: 2",
    ),
    case(
        "beyond the chromosome",
        MAF,
        swap("242254000\t242254001", "243254000\t243254001"),
        "beyond the end",
        "rows: 3",
        "hg19",
    ),
    case(
        "the other build",
        MAF,
        swap("GRCh37", "GRCh38"),
        "the file says hg38, but ALK F1174 lies where hg19 has it",
        "rows: 1",
        "lift",
    ),
    case(
        "negative counts", MAF, swap("\t12\t80", "\t-12\t80"), "negative value -12.0", "column: t_alt_count", "rows: 2"
    ),
    case(
        "a tumour that is its normal",
        MAF,
        swap("S01\tN01", "S01\tS01"),
        "is the matched normal sample",
        "rows: 2",
        "correct the barcodes",
    ),
    case(
        "a row without its tumour, but with a normal",
        MAF,
        swap("S01\tN01", "\tN77"),
        "empty cell",
        "column: Tumor_Sample_Barcode",
        "rows: 2",
    ),
    case(
        "a sample without patient",
        "data_clinical_sample.txt",
        append("P77 S77"),
        "sample without patient",
        "column: patient_id",
        "rows: 13",
    ),
    case(
        "data of an unknown sample",
        SEG,
        append("S77 1 1 9 1 0"),
        "data of samples that no clinical file has",
        "column: ID",
        "rows: 5",
    ),
    case("z-scores", EXPRESSION, instead(expression(z_scores)), "z-scores", "fix: use the file without z-scores"),
    case(
        "text in expression",
        EXPRESSION,
        swap("MYCN\t", "MYCN\tx"),
        "not a number",
        "column: sample column 1",
        "rows: 1",
    ),
    case("not UTF-8", MAF, swap("Hugo_Symbol", "H\udcfcgo_Symbol"), "not UTF-8 text (byte 1)", "fix: save it as UTF-8"),
    case("not UTF-8 in a row", MAF, swap("TP53", "TP\udcff"), "not UTF-8 text (byte", "fix: save it as UTF-8"),
]


@pytest.mark.parametrize(("file", "change", "texts"), REFUSED)
def test_refused(raw: Path, nbrelapse: Run, names: Names, file: str, change: Change, texts: tuple[str, ...]) -> None:
    text = change((raw / file).read_text())
    (raw / file).write_bytes(text.encode("utf-8", "surrogateescape"))
    before = names(raw.parent)
    answer = nbrelapse("cohort", "import", "cbioportal", raw, "--out", "cohort", "--json")
    answer.assert_refused("file: ", *texts)
    assert file in answer.err
    assert not any(sample in answer.err for sample in [*SAMPLES, "S77", "P77"])
    assert names(raw.parent) == before


@pytest.mark.parametrize("lost", [1, 9, 60])
def test_a_truncated_gzip(raw: Path, nbrelapse: Run, names: Names, lost: int) -> None:
    (raw / MAF).write_bytes(gzip.compress(MAF_TEXT.encode())[:-lost])
    before = names(raw.parent)
    answer = nbrelapse("cohort", "import", "cbioportal", raw, "--out", "cohort")
    answer.assert_refused("the gzip file is damaged", f"file: {raw / MAF}", "fix: download it again")
    assert names(raw.parent) == before


def test_z_scores_by_name(raw: Path, nbrelapse: Run) -> None:
    name = "data_mrna_seq_tpm_zscores_ref_all_samples.txt"
    (raw / name).write_text(expression(z_scores))
    answer = nbrelapse("cohort", "import", "cbioportal", raw, "--out", "cohort", "--expression", name)
    answer.assert_refused("z-scores cannot be compared", name, f"expected: {EXPRESSION}", "without z-scores")
    answer = nbrelapse("cohort", "import", "cbioportal", raw, "--out", "cohort", "--expression", "data_x.txt")
    answer.assert_refused("the study has no such file", "data_x.txt", "column: --expression")


def test_two_gene_panels_of_a_sample(raw: Path, nbrelapse: Run) -> None:
    (raw / "data_gene_panel_matrix.txt").write_text("SAMPLE_ID\tmutations\nS00\tA\nS01\tA\nS00\tB\n")
    answer = nbrelapse("cohort", "import", "cbioportal", raw, "--out", "cohort")
    answer.assert_refused(
        "two gene panels for one assay", "data_gene_panel_matrix.txt", "column: SAMPLE_ID", "rows: 1, 3"
    )


def imported(raw: Path, nbrelapse: Run) -> tuple[Cohort, list[str]]:
    """The cohort, and the repairs that import and check both show."""
    answer = nbrelapse("cohort", "import", "cbioportal", raw, "--out", "cohort", "--json")
    assert answer.code == 0, answer.err
    assert nbrelapse("cohort", "check", "cohort", "--json").document["repairs"] == answer.document["repairs"]
    return read_cohort("cohort"), [repair for repair in answer.document["repairs"] if "inss_stage" not in repair]


def values(table: pd.DataFrame | None, *columns: str) -> list[list[object]]:
    assert table is not None
    return table[list(columns)].to_numpy().tolist()


def test_a_study_in_order_needs_no_repair(raw: Path, nbrelapse: Run) -> None:
    cohort, repairs = imported(raw, nbrelapse)
    assert repairs == []
    assert values(cohort.segments, "start", "end")[1] == [120000000.0, 249000000.0]
    assert cohort.expression is not None and cohort.expression.shape == (30, 12)


def repair(name: str, file: str, change: Change, table: str, expected: dict[str, list[object]], *notes: str) -> Any:
    return pytest.param(file, change, table, expected, notes, id=name)


AS_IS = {"Hugo_Symbol": ["ALK", "TP53", "SEPTIN2"], "Start_Position": [29443695.0, 7577538.0, 242254000.0]}
REPAIRED = [
    repair(
        "comments above and between",
        MAF,
        lambda text: "#version 2.4\n#by hand\n" + text.replace("\nTP53", "\n# a remark\nTP53"),
        "mutations",
        AS_IS,
    ),
    repair(
        "a comment with as many cells",
        SEG,
        lambda text: text + "#\t\t\t\t\t\n",
        "segments",
        {"chromosome": ["1", "1", "11", "11"]},
    ),
    repair(
        "Windows line ends",
        MAF,
        lambda text: text.replace("\n", "\r\n"),
        "mutations",
        AS_IS | {"t_ref_count": [70.0, 80.0, 41.0]},
    ),
    repair("a byte order mark", MAF, lambda text: "\ufeff" + text, "mutations", AS_IS),
    repair("empty lines", MAF, lambda text: text.replace("\nTP53", "\n\n   \nTP53") + "\n", "mutations", AS_IS),
    repair(
        "old column names",
        MAF,
        swap("Start_Position\tEnd_Position", "Start_position\tEnd_position"),
        "mutations",
        AS_IS,
        "data_mutations.txt: column 'Start_position' read as 'Start_Position'",
        "data_mutations.txt: column 'End_position' read as 'End_Position'",
    ),
    repair(
        "column names of Firehose",
        SEG,
        swap(SEG_TEXT.split("\n")[0], FIREHOSE),
        "segments",
        {"log2_ratio": [-0.51, 0.02, 0.01, -0.43]},
    ),
    repair(
        "a quote before ID",
        SEG,
        swap("ID\t", "'ID\t"),
        "segments",
        {"chromosome": ["1", "1", "11", "11"]},
        "data_cna_hg19.seg: column ''ID' read as 'ID'",
    ),
    repair(
        "chr before chromosomes",
        MAF,
        lambda text: text.replace("GRCh37\t", "GRCh37\tchr"),
        "mutations",
        {"Chromosome": ["2", "17", "2"]},
    ),
    repair(
        "a certain Excel date",
        MAF,
        swap("SEPTIN2", "2-Sep"),
        "mutations",
        AS_IS,
        "mutations.Hugo_Symbol: '2-Sep' read as 'SEPTIN2' (1)",
    ),
    repair(
        "an Excel day number of one gene",
        MAF,
        swap("SEPTIN2", "37226"),
        "mutations",
        {"Hugo_Symbol": ["ALK", "TP53", "DELEC1"]},
        "mutations.Hugo_Symbol: '37226' read as 'DELEC1' (1)",
    ),
    repair(
        "positions from 0",
        SEG,
        lambda text: text.replace("10001", "0").replace("70000001", "70000000"),
        "segments",
        {"start": [1.0, 120000001.0, 1.0, 70000001.0], "end": [120000000.0, 249000000.0, 70000000.0, 134000000.0]},
        "segments: starts count from 0, all 4 raised by one",
    ),
    repair(
        "a zero where positions count from 1",
        SEG,
        lambda text: text.replace("10001", "0").replace("120000000\t249", "120000001\t249"),
        "segments",
        {"start": [1.0, 120000001.0, 1.0, 70000001.0]},
        "segments: 2 starts of 0 read as 1, positions count from 1",
    ),
    repair(
        "segments twice",
        SEG,
        append("S01 11 10001 70000000 500 0.01"),
        "segments",
        {"start": [10001.0, 120000000.0, 10001.0, 70000001.0]},
        "segments: 1 rows that repeat another removed",
    ),
    repair(
        "contigs",
        SEG,
        append(
            "S01 GL000191.1 1 900 9 3",
            "S01 chrUn_KI270742v1 1 900 9 3",
            "S01 chr1_KI270706v1_random 1 900 9 3",
            "S01 chrEBV 1 900 9 3",
        ),
        "segments",
        {"chromosome": ["1", "1", "11", "11"]},
        "segments: 4 rows on contigs outside the chromosomes left out",
    ),
    repair(
        "a mutation on a contig",
        MAF,
        lambda text: text + text.splitlines()[1].replace("\t2\t", "\tGL000220.1\t") + "\n",
        "mutations",
        AS_IS,
        "mutations: 1 rows on contigs outside the chromosomes left out",
    ),
    repair(
        "a row twice",
        MAF,
        lambda text: text + text.splitlines()[1] + "\n",
        "mutations",
        AS_IS,
        "mutations: 1 rows that repeat another removed",
    ),
    repair(
        "a class in other letters",
        MAF,
        swap("Frame_Shift_Del", "frame_shift_del"),
        "mutations",
        {"Variant_Classification": ["Missense_Mutation", "Missense_Mutation", "Frame_Shift_Del"]},
        "mutations.Variant_Classification: 'frame_shift_del' read as 'Frame_Shift_Del' (1)",
    ),
    repair(
        "an unknown class stays",
        MAF,
        swap("Frame_Shift_Del", "frameshift"),
        "mutations",
        {"Variant_Classification": ["Missense_Mutation", "Missense_Mutation", "frameshift"]},
        "mutations.Variant_Classification: 'frameshift' is no class of the MAF format (1)",
    ),
    repair("unknown counts", MAF, swap("\t12\t80", "\t.\tNA"), "mutations", AS_IS),
    repair(
        "a matched normal among the tumours",
        SEG,
        append("N01 1 1 249000000 99 0.0"),
        "segments",
        {"chromosome": ["1", "1", "11", "11"]},
        "segments: 1 matched normal samples left out",
    ),
    repair(
        "a patient without sample",
        "data_clinical_patient.txt",
        append("P77 4"),
        "samples",
        {"sample_id": SAMPLES},
        "samples: 1 patients have no sample",
    ),
]


@pytest.mark.parametrize(("file", "change", "table", "expected", "notes"), REPAIRED)
def test_repaired(
    raw: Path,
    nbrelapse: Run,
    file: str,
    change: Change,
    table: str,
    expected: dict[str, list[object]],
    notes: tuple[str, ...],
) -> None:
    (raw / file).write_text(change((raw / file).read_text()), encoding="utf-8", newline="")
    cohort, repairs = imported(raw, nbrelapse)
    read = getattr(cohort, table)
    assert {column: read[column].tolist() for column in expected} == expected
    assert [repair for repair in repairs if "legal are" not in repair] == list(notes)


def test_repeated_genes_and_a_former_date_are_one_row(raw: Path, nbrelapse: Run) -> None:
    text = expression(lambda log2: log2, first_gene="2-Sep")
    (raw / EXPRESSION).write_text(text.replace("GENE28\t", "SEPTIN2\t"))
    cohort, repairs = imported(raw, nbrelapse)
    assert cohort.expression is not None
    assert cohort.expression.loc["SEPTIN2"].mean() > 8
    assert repairs == [
        f"{EXPRESSION}: '2-Sep' read as 'SEPTIN2' (1)",
        f"{EXPRESSION}: 1 repeated genes removed, in each sample the largest value kept",
    ]


def test_samples_with_data_that_no_list_names(raw: Path, nbrelapse: Run) -> None:
    listed = raw / "case_lists" / "cases_sequenced.txt"
    listed.write_text(listed.read_text().replace("S01\t", ""))
    cohort, repairs = imported(raw, nbrelapse)
    assert repairs == ["assays: 1 samples have mutations data but are not listed as profiled; they count as profiled"]
    assert (cohort.assays["assay"] == "mutations").sum() == 12


@pytest.mark.parametrize(
    ("levels", "unit"),
    [
        pytest.param(lambda log2: 2**log2 - 1, "log2(x + 1) of linear values", id="TPM or RPKM"),
        pytest.param(
            lambda log2: np.round(2 ** (log2 + 4)), "log2(x + 1) of linear values", id="counts or intensities"
        ),
        pytest.param(lambda log2: log2, "log2", id="log2"),
        pytest.param(lambda log2: log2 - 5, "log2", id="log2 ratios to a pool"),
    ],
)
def test_the_scale_of_expression(
    raw: Path, nbrelapse: Run, levels: Callable[[np.ndarray], np.ndarray], unit: str
) -> None:
    (raw / EXPRESSION).write_text(expression(levels))
    cohort, _ = imported(raw, nbrelapse)
    assert cohort.metadata["expression"]["unit"] == unit
    assert cohort.expression is not None
    assert cohort.expression.max(axis=None) < 20
