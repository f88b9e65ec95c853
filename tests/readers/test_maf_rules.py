"""Mutations and structural variants by one rule: status, genes by Entrez id, variants listed twice, lost rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.readers import import_cbioportal, import_tables

HEADER = [
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
    "HGVSp_Short",
    "Mutation_Status",
    "t_alt_count",
    "t_ref_count",
]
MISSENSE = {"NCBI_Build": "GRCh37", "Variant_Classification": "Missense_Mutation"}
TP53 = {
    **MISSENSE,
    "Hugo_Symbol": "TP53",
    "Entrez_Gene_Id": 7157,
    "Chromosome": "17",
    "Start_Position": 7578406,
    "End_Position": 7578406,
    "Reference_Allele": "C",
    "Tumor_Seq_Allele2": "T",
    "HGVSp_Short": "p.R175H",
}
ALK = {
    **MISSENSE,
    "Hugo_Symbol": "ALK",
    "Entrez_Gene_Id": 238,
    "Chromosome": "2",
    "Start_Position": 29432664,
    "End_Position": 29432664,
    "Reference_Allele": "C",
    "Tumor_Seq_Allele2": "T",
    "HGVSp_Short": "p.R1275Q",
}
MAPPING = """
name = "demo"
[patients]
file = "patients.tsv"
columns.patient_id = "id"
[[assays]]
file = "patients.tsv"
[assays.columns]
sample_id = "id"
assay = { constant = "mutations" }
[mutations]
file = "data_mutations.txt"
[mutations.columns]
sample_id = "Tumor_Sample_Barcode"
"""
SHARED = [
    name for name in HEADER if name not in ("Entrez_Gene_Id", "NCBI_Build", "Tumor_Sample_Barcode", "Mutation_Status")
]
LISTED = "cancer_study_identifier: demo\nstable_id: demo_sequenced\ncase_list_ids: S1\tS2\tS3\n"

Rows = list[dict[str, Any]]
Read = Callable[..., Cohort]


def call(gene: dict[str, Any], sample: str, **changes: Any) -> dict[str, Any]:
    return {**gene, "Tumor_Sample_Barcode": sample, **changes}


def write(folder: Path, rows: Rows, quoted: bool = False) -> None:
    table = pd.DataFrame(rows).reindex(columns=HEADER)
    (folder / "data_mutations.txt").write_text(
        table.to_csv(sep="\t", index=False, quoting=2 if quoted else 0, na_rep="" if not quoted else "NA")
    )


def cbioportal(folder: Path, rows: Rows, **options: Any) -> Cohort:
    (folder / "case_lists").mkdir(exist_ok=True)
    (folder / "case_lists" / "cases_sequenced.txt").write_text(LISTED)
    (folder / "data_clinical_sample.txt").write_text("SAMPLE_ID\tPATIENT_ID\nS1\tS1\nS2\tS2\nS3\tS3\n")
    write(folder, rows, **options)
    return import_cbioportal(folder, timepoint="diagnosis")


def tables(folder: Path, rows: Rows, **options: Any) -> Cohort:
    (folder / "patients.tsv").write_text("id\nS1\nS2\nS3\n")
    (folder / "map.toml").write_text(MAPPING + "".join(f'{name} = "{name}"\n' for name in SHARED))
    write(folder, rows, **options)
    return import_tables(folder / "map.toml")


READERS = pytest.mark.parametrize("read", [cbioportal, tables])


def values(cohort: Cohort, feature: str) -> list[float | None]:
    column = build_features(cohort, load_catalogue()).values[feature]
    return [None if np.isnan(value) else float(value) for value in column]


@READERS
@pytest.mark.parametrize("quoted", [False, True])
def test_what_is_no_somatic_mutation_is_left_out_and_counted(tmp_path: Path, read: Read, quoted: bool) -> None:
    rows = [
        call(TP53, "S1", Mutation_Status="Wildtype"),
        call(TP53, "S2", Mutation_Status="LOH"),
        call(TP53, "S3", Mutation_Status="Somatic"),
        call(ALK, "S1", Mutation_Status="None"),
        call(ALK, "S2", Mutation_Status="GERMLINE"),
        call(ALK, "S3", Mutation_Status="Unknown"),
    ]
    cohort = read(tmp_path, rows, quoted=quoted)
    assert values(cohort, "p53__tp53_mutation") == [0, 0, 1]
    assert values(cohort, "alk__hotspot_mutation") == [0, 0, 1]
    assert values(cohort, "instability__mutation_count") == pytest.approx([0, 0, np.log(3)])
    repairs = cohort.metadata["repairs"]
    assert "data_mutations.txt: 1 germline rows left out" in repairs
    assert "data_mutations.txt: 3 rows that say that there is no mutation left out" in repairs


@READERS
def test_a_file_that_loses_all_rows_is_refused(tmp_path: Path, read: Read) -> None:
    with pytest.raises(InputError, match="no row is a somatic event") as caught:
        read(tmp_path, [call(TP53, "S1", Mutation_Status="Germline")])
    assert str(caught.value.file).endswith("data_mutations.txt")
    nameless = {"Hugo_Symbol": "", "Entrez_Gene_Id": ""}
    with pytest.raises(InputError, match="no row of the file can be used: 1 rows without a gene") as caught:
        read(tmp_path, [call(TP53, "S1", **nameless)])
    assert str(caught.value.file).endswith("data_mutations.txt")


@READERS
def test_a_gene_without_symbol_is_not_negative(tmp_path: Path, read: Read) -> None:
    # Entrez ids that no table can know: the gene may be any.
    unnamed = {"Hugo_Symbol": "", "Entrez_Gene_Id": 999999999}
    rows = [call(TP53, "S1", **unnamed), call(ALK, "S2", **unnamed), call(TP53, "S2")]
    cohort = read(tmp_path, rows)
    assert values(cohort, "p53__tp53_mutation") == [None, 1, 0]
    assert values(cohort, "alk__hotspot_mutation") == [0, None, 0]
    assert values(cohort, "instability__mutation_count") == pytest.approx([np.log(2), np.log(3), 0])
    assert "data_mutations.txt.Hugo_Symbol: 2 genes with an Entrez id alone are not known" in cohort.metadata["repairs"]


@READERS
def test_a_variant_counts_once(tmp_path: Path, read: Read) -> None:
    two = {"Reference_Allele": "CG", "Tumor_Seq_Allele2": "TA", "End_Position": 7578407}
    rows = [
        call(TP53, "S1", t_alt_count=20, t_ref_count=30),
        call(TP53, "S1", t_alt_count=22, t_ref_count=31),
        call(TP53, "S2", **two, HGVSp_Short="p.R175H"),
        call(TP53, "S2", **two, HGVSp_Short="p.A176V"),
        call(TP53, "S3"),
        call(TP53, "S3", Hugo_Symbol="WRAP53", Entrez_Gene_Id=55135, HGVSp_Short="p.R68H"),
        call(TP53, "S3", Tumor_Seq_Allele2="A", HGVSp_Short="p.R175L"),
    ]
    cohort = read(tmp_path, rows)
    assert values(cohort, "instability__mutation_count") == pytest.approx([np.log(2), np.log(2), np.log(3)])
    assert cohort.mutations is not None and len(cohort.mutations) == 6
    assert cohort.mutations["t_alt_count"].iloc[0] == 22
    assert "mutations: 1 rows of the same variant with other read counts removed" in cohort.metadata["repairs"]


@pytest.mark.parametrize(
    "change",
    [
        *("MUTATED", "p.R1275Q,p.R1192P", "p.R1275Q;p.R1192P", "ALK R1275Q", "c.3824G>A", "R/Q", "SV", "P.R1275Q"),
        *("p.R1275", "p.r1275q", "Exon 25", "p.=", "p.?", "", "p.YR1274YQ", "p.Y1274_R1275delinsYQ"),
    ],
)
def test_what_is_no_protein_change_is_judged_by_position(tmp_path: Path, change: str) -> None:
    there = call(ALK, "S1", HGVSp_Short=change)
    nowhere = call(ALK, "S2", HGVSp_Short=change, Start_Position="", End_Position="")
    elsewhere = call(ALK, "S3", HGVSp_Short=change, Start_Position=29432600, End_Position=29432600)
    right = [1.0, 1.0 if change == "P.R1275Q" else None, 1.0 if change == "P.R1275Q" else 0.0]
    assert values(cbioportal(tmp_path, [there, nowhere, elsewhere]), "alk__hotspot_mutation") == right


def test_unknown_samples_are_named_by_file_column_and_row(tmp_path: Path) -> None:
    rows = [call(TP53, "S1"), call(ALK, "S9")]
    with pytest.raises(InputError, match="data of samples that no clinical file has") as caught:
        cbioportal(tmp_path, rows)
    assert (caught.value.column, caught.value.rows) == ("Tumor_Sample_Barcode", [2])
    assert str(caught.value.file).endswith("data_mutations.txt") and "S9" not in str(caught.value)
    with pytest.raises(InputError, match="data of samples that no clinical file has") as caught:
        tables(tmp_path, rows)
    own = "Tumor_Sample_Barcode, which the mapping makes sample_id"
    assert (caught.value.column, caught.value.rows) == (own, [2])
    assert str(caught.value.file).endswith("data_mutations.txt")


SV = "Sample_Id\tSV_Status\tSite1_Hugo_Symbol\tSite1_Entrez_Gene_Id\tSite2_Hugo_Symbol\tClass\n"


def structural(folder: Path, text: str) -> Cohort:
    (folder / "data_sv.txt").write_text(SV + text)
    (folder / "case_lists").mkdir(exist_ok=True)
    (folder / "case_lists" / "cases_sv.txt").write_text(LISTED.replace("sequenced", "sv"))
    (folder / "data_clinical_sample.txt").write_text("SAMPLE_ID\tPATIENT_ID\nS1\tS1\nS2\tS2\nS3\tS3\n")
    return import_cbioportal(folder, timepoint="diagnosis")


def test_structural_variants_follow_the_same_rule(tmp_path: Path) -> None:
    cohort = structural(
        tmp_path,
        "S1\tSOMATIC\tALK\t238\t\tINVERSION\nS2\tGermline\tALK\t238\t\tINVERSION\nS3\tSOMATIC\t\t999999999\t\tINVERSION\n",
    )
    assert values(cohort, "alk__rearrangement") == [1, 0, None]
    assert "data_sv.txt: 1 germline rows left out" in cohort.metadata["repairs"]
    with pytest.raises(InputError, match="no row is a somatic event"):
        structural(tmp_path, "S2\tGERMLINE\tALK\t238\t\tINVERSION\n")


def test_levels_in_a_mapped_matrix(tmp_path: Path) -> None:
    (tmp_path / "patients.tsv").write_text("id\nS1\nS2\n")
    (tmp_path / "map.toml").write_text(
        'name = "demo"\n[patients]\nfile = "patients.tsv"\ncolumns.patient_id = "id"\n'
        '[gene_copy_number]\nfile = "cna.tsv"\n'
    )
    (tmp_path / "cna.tsv").write_text("Hugo_Symbol\tS1\tS2\nMYCN\t2\t0\nCDKN2A\t-1.5\t0\n")
    cohort = import_tables(tmp_path / "map.toml")
    assert cohort.metadata["gene_copy_number"]["unit"] == "gistic"
    assert cohort.gene_copy_number is not None and cohort.gene_copy_number.loc["CDKN2A"].tolist() == [-2, 0]
    (tmp_path / "cna.tsv").write_text("Hugo_Symbol\tS1\tS2\nMYCN\t1.7\t0\n")
    assert import_tables(tmp_path / "map.toml").metadata["gene_copy_number"]["unit"] == "log2"
