"""Mappings whose tables are one file a sample, or in a format that needs no columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers import import_tables

PATIENTS = """
name = "demo"
[patients]
file = "clinical.csv"
[patients.columns]
patient_id = "id"
"""
MUTATIONS = """
[mutations]
file = "maf/*.maf"
sample_pattern = '^(.+)\\.maf$'
[mutations.columns]
Hugo_Symbol = "Hugo_Symbol"
"""
SEGMENTS = """
[segments]
file = "seg/*.txt"
sample_pattern = "profile_(.+).txt"
[segments.columns]
chromosome = "chrom"
start = "from"
end = "to"
log2_ratio = "ratio"
"""
VARIANTS = """
[rearrangements]
format = "vcf"
file = "sv/*.vcf"
sample_pattern = '(.+)\\.vcf'
"""
BREAKENDS = """
[rearrangements]
format = "bedpe"
file = "sv/p1.bedpe"
sample_id = "p1"
"""
GISTIC = """
[gene_copy_number]
format = "gistic"
file = "gistic.txt"
"""
COUNTS = """
[expression]
format = "star_counts"
file = "rna/*.tsv"
sample_pattern = '^([^.]+)'
"""
ASSAYS = """
[[assays]]
file = "clinical.csv"
[assays.columns]
sample_id = "id"
assay = { constant = "mutations" }
genome_build = { constant = "hg19" }
"""
VCF = """##fileformat=VCFv4.2
##contig=<ID=chr5,assembly=GRCh38>
##reference=GRCh38
##INFO=<ID=SVTYPE,Number=1,Type=String,Description="Type">
##INFO=<ID=END,Number=1,Type=Integer,Description="End">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""
DELETION = "chr5\t1290000\tx\tN\t<DEL>\t.\tPASS\tSVTYPE=DEL;END=1300000\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    star = "gene_id\tgene_name\tgene_type\ttpm_unstranded\nENSG1.1\tMYCN\tprotein_coding\t"
    files = {
        "clinical.csv": "id\np1\np2\np3\n",
        "maf/p1.maf": "#version 2.4\nHugo_Symbol\tNCBI_Build\nALK\tGRCh38\nTP53\tGRCh38\n",
        "maf/p2.maf": "#version 2.4\nHugo_Symbol\tNCBI_Build\n",
        "seg/profile_p1.txt": "chrom\tfrom\tto\tratio\nchr1\t1\t100\t-0.5\n",
        "seg/profile_p3.txt": "chrom\tfrom\tto\tratio\nchrX\t1\t100\t0.5\n",
        "sv/p1.vcf": VCF + DELETION,
        "sv/p2.vcf": VCF,
        "sv/p1.bedpe": "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\nchr5\t1290000\t1290001\tchr7\t500\t501\n",
        "gistic.txt": "Gene Symbol\tLocus ID\tCytoband\tp2\nMYCN\t4613\t2p24.3\t2\n",
        "rna/p1.star.tsv": f"{star}1023\n",
        "rna/p2.star.tsv": f"{star}7\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def mapping(folder: Path, *sections: str) -> Path:
    (folder / "map.toml").write_text("".join((PATIENTS, *sections)))
    return folder / "map.toml"


def refused(folder: Path, *sections: str) -> InputError:
    with pytest.raises(InputError) as caught:
        import_tables(mapping(folder, *sections))
    return caught.value


def test_one_file_a_sample(folder: Path) -> None:
    cohort = import_tables(mapping(folder, MUTATIONS, SEGMENTS))
    assert cohort.mutations is not None and cohort.segments is not None
    assert cohort.mutations[["sample_id", "Hugo_Symbol"]].to_numpy().tolist() == [["p1", "ALK"], ["p1", "TP53"]]
    assert cohort.segments[["sample_id", "chromosome"]].to_numpy().tolist() == [["p1", "1"], ["p3", "X"]]
    assert cohort.assayed_samples("copy_number").index.tolist() == ["p1", "p3"]


def test_a_file_without_rows_was_looked_at(folder: Path) -> None:
    cohort = import_tables(mapping(folder, MUTATIONS))
    assert cohort.assayed_samples("mutations").index.tolist() == ["p1", "p2"]
    assays = cohort.assays[cohort.assays["assay"] == "mutations"]
    assert assays["genome_build"].tolist() == ["hg38", "hg38"]


def test_one_sample_id_for_a_file(folder: Path) -> None:
    section = MUTATIONS.replace("maf/*.maf", "maf/p2.maf").replace(
        "sample_pattern = '^(.+)\\.maf$'", 'sample_id = "p3"'
    )
    cohort = import_tables(mapping(folder, section))
    assert cohort.assayed_samples("mutations").index.tolist() == ["p3"]


def test_the_build_of_the_files_completes_the_assays(folder: Path) -> None:
    without = ASSAYS.replace('genome_build = { constant = "hg19" }\n', "")
    cohort = import_tables(mapping(folder, MUTATIONS, without))
    assays = cohort.assays[cohort.assays["assay"] == "mutations"].set_index("sample_id")
    assert assays["genome_build"].to_dict() == {"p1": "hg38", "p2": "hg38", "p3": "hg38"}


def test_a_build_that_the_files_contradict(folder: Path) -> None:
    error = refused(folder, MUTATIONS, ASSAYS)
    assert error.problem == "another genome build than the files name themselves"
    assert (error.column, error.rows, error.expected) == ("genome_build", [1, 2, 3], "hg38")
    assert str(error.file).endswith("clinical.csv")


def test_files_of_two_builds(folder: Path) -> None:
    (folder / "maf" / "p2.maf").write_text("Hugo_Symbol\tNCBI_Build\nALK\t37\n")
    error = refused(folder, MUTATIONS)
    assert error.problem == "mutations files of several genome builds: hg19, hg38"
    assert str(error.file).endswith("p2.maf")


def test_gistic_and_star_counts(folder: Path) -> None:
    cohort = import_tables(mapping(folder, GISTIC, COUNTS))
    assert cohort.gene_copy_number is not None and cohort.expression is not None
    assert cohort.gene_copy_number.to_dict() == {"p2": {"MYCN": 2.0}}
    assert cohort.expression.to_dict() == {"p1": {"MYCN": 10.0}, "p2": {"MYCN": 3.0}}
    assert cohort.metadata["gene_copy_number"] == {"unit": "gistic", "file": "gistic.txt"}
    assert cohort.metadata["expression"]["unit"] == "log2(TPM + 1)"


def test_vcf_files(folder: Path) -> None:
    cohort = import_tables(mapping(folder, VARIANTS))
    assert cohort.rearrangements is not None
    found = cohort.rearrangements[["sample_id", "site1_chromosome", "site1_position", "site2_position", "class"]]
    assert found.to_numpy().tolist() == [["p1", "5", 1290000.0, 1300000.0, "DELETION"]]
    assert cohort.assayed_samples("rearrangements").index.tolist() == ["p1", "p2"]
    assert set(cohort.assays["genome_build"]) == {"hg38"}


def test_what_the_files_leave_out_is_one_line_without_names(folder: Path) -> None:
    for name in ("p1", "p2"):
        file = folder / "sv" / f"{name}.vcf"
        file.write_text(file.read_text() + DELETION.replace("PASS", "LowQual"))
    repairs = import_tables(mapping(folder, VARIANTS)).metadata["repairs"]
    assert repairs == ["rearrangements: 2 records that did not pass their filters left out"]


def test_a_variant_file_without_variants_that_is_nobodys(folder: Path) -> None:
    (folder / "sv" / "p2.vcf").write_text(VCF.replace("INFO\n", "INFO\tFORMAT\tp2\n"))
    error = refused(folder, VARIANTS.replace("sample_pattern = '(.+)\\.vcf'", "").replace("*.vcf", "p2.vcf"))
    assert error.problem == "a file without rows does not say whose it is"
    assert error.fix == "add `sample_pattern` or `sample_id` to the mapping"


def test_a_bedpe_file(folder: Path) -> None:
    cohort = import_tables(mapping(folder, BREAKENDS))
    assert cohort.rearrangements is not None
    found = cohort.rearrangements[["sample_id", "site1_chromosome", "site2_chromosome"]]
    assert found.to_numpy().tolist() == [["p1", "5", "7"]]


@pytest.mark.parametrize(
    ("section", "old", "new", "problem", "column"),
    [
        (MUTATIONS, "maf/*.maf", "maf/*.txt", "no file matches", None),
        (
            MUTATIONS,
            "'^(.+)\\.maf$'",
            "'^(.+)\\.txt$'",
            "`sample_pattern` does not match the names of 2 files",
            "sample_pattern",
        ),
        (MUTATIONS, "'^(.+)\\.maf$'", "'^.+\\.maf$'", "illegal value '^.+\\\\.maf$'", "mutations.sample_pattern"),
        (MUTATIONS, "'^(.+)\\.maf$'", "'('", "illegal value '('", "mutations.sample_pattern"),
        (
            MUTATIONS,
            "sample_pattern = '^(.+)\\.maf$'",
            "sample_pattern = '(.+)'\nsample_id = 'p1'",
            "the sample is told twice",
            "mutations.sample_pattern, mutations.sample_id",
        ),
        (MUTATIONS, "sample_pattern = '^(.+)\\.maf$'", "", "nothing tells the sample", "mutations"),
        (VARIANTS, '"vcf"', '"gff"', "illegal value 'gff'", "rearrangements.format"),
        (VARIANTS, 'format = "vcf"', "", "a required key is missing", "rearrangements.columns"),
        (VARIANTS, 'format = "vcf"', 'format = "vcf"\nseparator = ","', "unknown key", "rearrangements.separator"),
        (GISTIC, '"gistic"', '"star_counts"', "illegal value 'star_counts'", "gene_copy_number.format"),
        (GISTIC, 'file = "gistic.txt"', "", "a required key is missing", "gene_copy_number.file"),
        (COUNTS, "sample_pattern = '^([^.]+)'", "", "illegal value", "expression"),
    ],
)
def test_bad_mappings(folder: Path, section: str, old: str, new: str, problem: str, column: str | None) -> None:
    assert old in section
    error = refused(folder, section.replace(old, new))
    assert error.problem.startswith(problem)
    assert error.column == column


SAMPLE_TABLE = """
name = "demo"
[patients]
file = "patients.csv"
[patients.columns]
patient_id = "id"
[rearrangements]
format = "vcf"
file = "sv/*.vcf"
sample_table = "sv_samples.csv"
"""


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    (tmp_path / "sv").mkdir()
    header = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT"
    joint = [f"{header} A B A_normal", "1 5 a G <DEL> . PASS SVTYPE=DEL;END=9 GT 0/1 0/1 0/0"]
    joint += ["2 5 b G <DEL> . PASS SVTYPE=DEL;END=9 GT 0/0 0/1 0/0"]
    single = [f"{header} NORMAL TUMOR", "3 5 a G <DEL> . PASS SVTYPE=DEL;END=9 GT 0/0 0/1"]
    for name, lines in (("joint.vcf", joint), ("single.vcf", single)):
        (tmp_path / "sv" / name).write_text("".join(line.replace(" ", "\t") + "\n" for line in lines))
    (tmp_path / "patients.csv").write_text("id\nNB01\nNB02\nNB03\n")
    (tmp_path / "sv_samples.csv").write_text(
        "file,column,sample_id\njoint.vcf,A,NB01\njoint.vcf,B,NB02\nsingle.vcf,,NB03\n"
    )
    (tmp_path / "map.toml").write_text(SAMPLE_TABLE)
    return tmp_path


def test_a_table_says_which_sample_is_in_which_column_of_which_file(listed: Path) -> None:
    cohort = import_tables(listed / "map.toml")
    assert cohort.rearrangements is not None
    found = cohort.rearrangements[["sample_id", "site1_chromosome"]]
    assert found.to_numpy().tolist() == [["NB01", "1"], ["NB02", "1"], ["NB02", "2"], ["NB03", "3"]]
    assert cohort.assayed_samples("rearrangements").tolist() == ["NB01", "NB02", "NB03"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("joint.vcf,A,NB01\njoint.vcf,A,NB02\nsingle.vcf,,NB03\n", "one column of a file for two samples"),
        ("joint.vcf,A,NB01\nsingle.vcf,,NB01\n", "a sample is there twice"),
        ("joint.vcf,A,NB01\nother.vcf,,NB03\n", "a file that `file` of the mapping does not match"),
        ("joint.vcf,A,NB01\n", "1 of 2 files are not in the table of samples"),
        ("joint.vcf,X,NB01\nsingle.vcf,,NB03\n", "no such sample column"),
        ("joint.vcf,A,\nsingle.vcf,,NB03\n", "an empty cell"),
    ],
)
def test_a_table_of_samples_that_does_not_fit(listed: Path, rows: str, problem: str) -> None:
    (listed / "sv_samples.csv").write_text("file,column,sample_id\n" + rows)
    with pytest.raises(InputError, match=problem) as caught:
        import_tables(listed / "map.toml")
    assert "NB0" not in str(caught.value)
