"""The reader of TARGET's workbooks with GDC files, on a folder with all kinds of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from nbrelapse.cli.data import cohort_app as app
from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.readers import import_gdc

A, B, C, D = (f"TARGET-30-{letter * 6}" for letter in "ABCD")


@pytest.fixture
def cohort(gdc: Path) -> Cohort:
    return import_gdc([gdc])


def column(cohort: Cohort, name: str) -> dict[str, object]:
    return cohort.patients.set_index("patient_id")[name].dropna().to_dict()


def test_cells_are_read_by_reference(gdc: Path) -> None:
    """Patient B has no year of diagnosis: its stage must not move into that column."""
    book = openpyxl.load_workbook(gdc / "TARGET_NBL_ClinicalData_Discovery_20220125.xlsx")
    sheet = book["Clinical Data"]
    assert [cell.value for cell in sheet[5]][8:13] == [2000, None, None, "Stage 4s", "Not Amplified"]
    cohort = import_gdc([gdc])
    assert column(cohort, "diagnosis_year") == {A: 2005.0}
    assert column(cohort, "inss_stage") == {A: "4", B: "4S", D: "2B"}


def test_patients(cohort: Cohort) -> None:
    assert cohort.name == "TARGET-NBL"
    assert cohort.patients["patient_id"].tolist() == [A, B, C, D]
    assert column(cohort, "event") == {A: "relapse", B: "none", C: "unspecified", D: "second_malignancy"}
    assert column(cohort, "event_days") == {A: 400.0, B: 2000.0, C: 450.0, D: 3000.0}
    assert column(cohort, "death") == {A: 1.0, B: 0.0, D: 0.0}
    assert column(cohort, "followup_days") == {A: 700.0, B: 2000.0, D: 3500.0}
    assert column(cohort, "age_days") == {A: 900.0, B: 200.0, C: 1500.0, D: 30.0}
    assert column(cohort, "sex") == {A: "male", B: "female", C: "female", D: "male"}
    assert column(cohort, "mycn_status") == {A: "amplified", B: "not_amplified", D: "not_amplified"}
    assert column(cohort, "risk_group") == {A: "high", B: "low"}
    assert column(cohort, "grade") == {A: "undifferentiated"}
    assert column(cohort, "split") == {A: "discovery", B: "discovery", D: "validation"}


def test_samples(cohort: Cohort) -> None:
    samples = cohort.samples.set_index("sample_id")
    assert samples["timepoint"].to_dict() == {
        f"{A}-01A": "diagnosis",
        f"{A}-02A": "relapse",
        f"{B}-01A": "diagnosis",
        f"{B}-09A": "diagnosis",
        f"{C}-01A": "diagnosis",
        D: "diagnosis",
    }
    assert samples["purity"].dropna().to_dict() == {f"{A}-01A": 0.8}
    assert set(samples["patient_id"]) == {A, B, C, D}


def test_what_was_looked_at(cohort: Cohort) -> None:
    """B's MAF is empty: looked at, and negative. D has no molecular file at all."""
    assert cohort.assayed_samples("mutations").to_dict() == {A: f"{A}-01A", B: f"{B}-01A"}
    assert cohort.assayed_samples("copy_number").to_dict() == {A: f"{A}-01A", B: f"{B}-09A", C: f"{C}-01A"}
    assert cohort.assayed_samples("expression").to_dict() == {A: f"{A}-01A"}
    assert cohort.assayed_samples("expression", "relapse").to_dict() == {A: f"{A}-02A"}
    builds = cohort.assays.dropna(subset=["genome_build"]).groupby("assay")["genome_build"].unique()
    assert {assay: list(found) for assay, found in builds.items()} == {"copy_number": ["hg38"], "mutations": ["hg38"]}


def test_molecular_tables(cohort: Cohort) -> None:
    assert cohort.mutations is not None and cohort.segments is not None
    assert cohort.gene_copy_number is not None and cohort.expression is not None
    mutation = cohort.mutations.iloc[0]
    assert len(cohort.mutations) == 1
    assert (mutation["sample_id"], mutation["Chromosome"], mutation["HGVSp_Short"]) == (f"{A}-01A", "2", "p.F1174L")
    assert (mutation["t_alt_count"], mutation["t_ref_count"]) == (30.0, 70.0)
    assert cohort.segments.groupby("sample_id").size().to_dict() == {f"{A}-01A": 2, f"{B}-09A": 2}
    assert cohort.gene_copy_number.to_dict() == {
        f"{A}-01A": {"MYCN": 2.0, "ALK": 1.0, "SHOX": 0.0},
        f"{C}-01A": {"MYCN": 0.0, "ALK": -1.0, "SHOX": 0.0},
    }
    assert cohort.expression.to_dict() == {
        f"{A}-01A": {"MYCN": 10.0, "ALK": 0.0, "IL3RA": 3.0},
        f"{A}-02A": {"MYCN": 3.0, "ALK": 2.0, "IL3RA": 3.0},
    }
    assert cohort.metadata["expression"] == {
        "unit": "log2(TPM + 1)",
        "platform": "gdc_star_counts",
        "genes": "protein_coding",
        "gene_model": "GENCODE v36",
    }
    assert cohort.metadata["gene_copy_number"]["unit"] == "gistic"


def test_what_was_left_out_is_said(cohort: Cohort) -> None:
    repairs = cohort.metadata["repairs"]
    assert "samples: 1 of patients without clinical data left out" in repairs
    assert "samples.purity: 1 percentages that are no numbers left out" in repairs
    assert "patients.inss_stage: 'Stage 4' read as '4' (1)" in repairs
    assert cohort.metadata["source"]["unread_columns"] == [
        "Diagnostic Category",
        "Ethnicity",
        "ICDO",
        "Race",
        "Year of Last Follow Up",
    ]


def test_a_workbook_alone_is_a_cohort(gdc: Path) -> None:
    cohort = import_gdc([gdc / "TARGET_NBL_ClinicalData_Discovery_20220125.xlsx"])
    samples = cohort.samples.set_index("sample_id")
    assert samples["timepoint"].to_dict() == {A: "diagnosis", B: "diagnosis", C: "diagnosis"}
    assert samples["purity"].dropna().to_dict() == {A: 0.8}
    assert cohort.assayed_samples("fish").to_dict() == {A: A, B: B}


def test_a_row_without_data_under_the_table(
    gdc: Path, patients: dict[str, Any], write_clinical: Callable[..., Path]
) -> None:
    file = gdc / "TARGET_NBL_ClinicalData_Discovery_20220125.xlsx"
    write_clinical(file, [patients["discovery"][0], {}, {"TARGET USI": "* as of January 2022"}])
    cohort = import_gdc([file])
    assert cohort.patients["patient_id"].tolist() == [A]
    assert "patients: 1 rows without data under the table left out" in cohort.metadata["repairs"]


def test_mafs_need_no_sample_sheet(gdc: Path) -> None:
    """The barcodes say whose a MAF is, those of its comments where it has no rows."""
    cohort = import_gdc([gdc / "TARGET_NBL_ClinicalData_Discovery_20220125.xlsx", gdc / "mutations"])
    assert cohort.assayed_samples("mutations").to_dict() == {A: f"{A}-01A", B: f"{B}-01A"}


def test_a_sample_sheet_without_sample_types(gdc: Path) -> None:
    """Newer sheets have no such column; the sample code says the same."""
    file = gdc / "gdc_sample_sheet.2026-11-24.tsv"
    sheet = pd.read_csv(file, sep="\t", dtype="str")
    expected = import_gdc([gdc])
    sheet.drop(columns="Sample Type").assign(**{"Tissue Type": "Tumor"}).to_csv(file, sep="\t", index=False)
    pd.testing.assert_frame_equal(import_gdc([gdc]).samples, expected.samples)


def test_files_may_have_been_unpacked(gdc: Path) -> None:
    import gzip

    packed = gdc / "mutations" / "maf-b.wxs.aliquot_ensemble_masked.maf.gz"
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert import_gdc([gdc]).assayed_samples("mutations").to_dict() == {A: f"{A}-01A", B: f"{B}-01A"}


def test_the_time_point_of_a_sample_without_code(gdc: Path) -> None:
    file = gdc / "all_thresholded.by_genes.txt"
    file.write_text(file.read_text().replace("TARGET-30-CCCCCC-01A-01D", "TARGET-30-CCCCCC"))
    assert C not in import_gdc([gdc]).assayed_samples("copy_number")
    assert import_gdc([gdc], timepoint="diagnosis").assayed_samples("copy_number")[C] == C


def test_the_command(gdc: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    arguments = ["import", "gdc", str(gdc), "--out", str(out)]
    first = CliRunner().invoke(app, [*arguments, "--json"])
    assert first.exit_code == 0
    document = json.loads(first.stdout)
    assert (document["patients"], document["samples"]) == (4, 6)
    assert document["assays"] == {"fish": 3, "mutations": 2, "copy_number": 3, "rearrangements": 0, "expression": 1}
    assert CliRunner().invoke(app, arguments).exit_code == 1
    again = CliRunner().invoke(app, [*arguments, "--overwrite"])
    assert (again.exit_code, again.stdout) == (0, "")
    assert "TARGET-NBL: 4 patients, 6 samples" in CliRunner().invoke(app, ["check", str(out)]).stdout


def test_germline_rows_of_a_maf_are_left_out_and_its_sample_stays_looked_at(gdc: Path) -> None:
    lines = ["Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tMutation_Status"]
    lines += [f"{gene}\t{B}-01A-01D\tMissense_Mutation\t{status}" for gene, status in GENES]
    file = gdc / "mutations" / "maf-b.wxs.aliquot_ensemble_masked.maf.gz"
    file.unlink()
    file.with_suffix("").write_text("\n".join(lines) + "\n")
    cohort = import_gdc([gdc])
    assert cohort.mutations is not None
    assert cohort.mutations["Hugo_Symbol"].tolist() == ["ALK"]
    assert cohort.assayed_samples("mutations").to_dict() == {A: f"{A}-01A", B: f"{B}-01A"}
    assert sum("left out" in repair and ".maf" in repair for repair in cohort.metadata["repairs"]) == 2
    (gdc / "mutations" / "maf-a.wxs.aliquot_ensemble_masked.maf.gz").unlink()
    with pytest.raises(InputError, match="no row is a somatic event"):
        import_gdc([gdc])


GENES = [("TP53", "Germline"), ("NRAS", "Wildtype")]
