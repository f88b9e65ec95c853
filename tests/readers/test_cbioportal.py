from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, Repairs, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.readers import import_cbioportal
from nbrelapse.readers._assays import recorded_purity

NAN = float("nan")

UNKNOWN_SAMPLE = "data of samples that no clinical file has"
A, B, C = "TARGET-30-AAAAAA", "TARGET-30-BBBBBB", "TARGET-30-CCCCCC"


def assayed(cohort: Cohort, assay: str) -> list[str]:
    return sorted(cohort.assays.loc[cohort.assays["assay"] == assay, "sample_id"])


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_patients(study: Path) -> None:
    patients = import_cbioportal(study).patients.set_index("patient_id")
    a = patients.loc[A]
    assert a[["age_days", "diagnosis_year", "event_days", "death", "followup_days"]].tolist() == [
        900,
        2005,
        300,
        1,
        700,
    ]
    assert a[["sex", "inss_stage", "risk_group", "histology", "event"]].tolist() == [
        "male",
        "4",
        "high",
        "unfavorable",
        "relapse",
    ]
    assert a[["grade", "mki", "ploidy"]].tolist() == ["undifferentiated", "high", "diploid"]
    assert patients["event"].tolist() == ["relapse", "none", "unspecified"]
    assert patients["inss_stage"].isna().tolist() == [False, False, True]
    assert patients["high_risk"].tolist() == [True, False, pd.NA]
    assert np.isnan(patients.loc[C, "death"])


def test_what_a_relapse_sample_says_is_not_the_diagnosis(study: Path) -> None:
    cohort = import_cbioportal(study)
    patients = cohort.patients.set_index("patient_id")
    assert patients["mycn_status"].tolist()[:2] == ["amplified", "not_amplified"]
    assert pd.isna(patients.loc[C, "mycn_status"])
    assert patients.loc[A, "primary_site"] == "Adrenal"
    assert patients["split"].tolist()[:2] == ["discovery", "validation"]
    assert cohort.assayed_samples("fish").to_dict() == {A: f"{A}-01", B: f"{B}-09"}


def test_timepoints_and_purity_of_target_samples(study: Path) -> None:
    cohort = import_cbioportal(study)
    samples = cohort.samples.set_index("sample_id")
    assert samples["timepoint"].to_dict() == {
        f"{A}-02": "relapse",
        f"{A}-01": "diagnosis",
        f"{B}-09": "diagnosis",
        f"{C}-04": "relapse",
    }
    assert samples["purity"].dropna().to_dict() == {f"{A}-01": 0.8}
    assert "samples.purity: 1 percentages that are no numbers left out" in cohort.metadata["repairs"]


def test_who_was_profiled_for_what(study: Path) -> None:
    cohort = import_cbioportal(study)
    assert assayed(cohort, "mutations") == [f"{A}-01", f"{A}-02", f"{B}-09"]
    assert assayed(cohort, "rearrangements") == [f"{A}-01", f"{B}-09"]
    assert assayed(cohort, "copy_number") == [f"{A}-01", f"{B}-09"]
    assert assayed(cohort, "expression") == [f"{A}-01", f"{B}-09"]
    assert "assays: 1 rows of samples without clinical data left out" in cohort.metadata["repairs"]
    mutations = cohort.assays[cohort.assays["assay"] == "mutations"].set_index("sample_id")
    assert mutations["panel"].dropna().to_dict() == {f"{B}-09": "PANEL7"}
    assert set(mutations["genome_build"]) == {"hg19"}
    assert cohort.panels is not None
    assert cohort.panels.to_numpy().tolist() == [["PANEL7", "ALK"], ["PANEL7", "TP53"]]


def test_molecular_tables(study: Path) -> None:
    cohort = import_cbioportal(study)
    assert cohort.mutations is not None and cohort.segments is not None and cohort.rearrangements is not None
    assert cohort.mutations[["sample_id", "Hugo_Symbol", "HGVSp_Short"]].to_numpy().tolist() == [
        [f"{A}-01", "ALK", "p.F1174L"],
        [f"{A}-02", "TP53", "p.R248Q"],
    ]
    assert cohort.mutations["Reference_Allele"].tolist() == ["G", "-"]
    assert cohort.mutations["t_ref_count"].isna().tolist() == [False, True]
    assert cohort.segments["chromosome"].tolist() == ["1", "X", "17"]
    assert cohort.rearrangements[["sample_id", "site1_gene", "site1_chromosome", "class"]].to_numpy().tolist() == [
        [f"{B}-09", "TERT", "5", "TRANSLOCATION"]
    ]
    assert cohort.gene_copy_number is not None
    assert cohort.gene_copy_number.loc["MYCN"].tolist() == [2.0, 0.0]
    assert np.isnan(cohort.gene_copy_number.loc["ALK", f"{A}-01"])
    assert cohort.metadata["gene_copy_number"] == {"unit": "gistic", "file": "data_cna.txt"}


def test_linear_expression_is_logged_and_recorded(study: Path) -> None:
    cohort = import_cbioportal(study)
    assert cohort.expression is not None
    assert cohort.expression.loc["MYCN"].tolist() == [10.0, 3.0]
    assert cohort.metadata["expression"] == {
        "unit": "log2(x + 1) of linear values",
        "platform": "mrna_seq_rpkm",
        "file": "data_mrna_seq_rpkm.txt",
    }


def test_older_file_names(study: Path) -> None:
    (study / "data_mutations.txt").rename(study / "data_mutations_extended.txt")
    (study / "data_cna.txt").rename(study / "data_log2_cna.txt")
    cohort = import_cbioportal(study)
    assert cohort.mutations is not None and len(cohort.mutations) == 2
    assert cohort.metadata["gene_copy_number"]["unit"] == "log2"


def test_without_lists_only_samples_with_a_finding_count_and_it_is_said(study: Path) -> None:
    for file in [*(study / "case_lists").iterdir(), study / "data_gene_panel_matrix.txt"]:
        file.unlink()
    cohort = import_cbioportal(study)
    assert assayed(cohort, "mutations") == [f"{A}-01", f"{A}-02"]
    assert sum("does not say who was profiled" in repair for repair in cohort.metadata["repairs"]) == 2


def test_sequenced_samples_line_of_the_maf(study: Path) -> None:
    for file in [*(study / "case_lists").iterdir(), study / "data_gene_panel_matrix.txt"]:
        file.unlink()
    maf = study / "data_mutations.txt"
    maf.write_text(f"#sequenced_samples: {A}-01 {B}-09\n" + maf.read_text())
    assert assayed(import_cbioportal(study), "mutations") == [f"{A}-01", f"{A}-02", f"{B}-09"]


def test_a_list_without_data_profiles_nobody(study: Path) -> None:
    (study / "data_mutations.txt").unlink()
    cohort = import_cbioportal(study)
    assert cohort.mutations is None
    assert assayed(cohort, "mutations") == []


def test_sample_type_attribute_comes_first(study: Path) -> None:
    edit(study / "data_clinical_sample.txt", "CNS_SITE_OF_RELAPSE", "SAMPLE_TYPE")
    edit(study / "data_clinical_sample.txt", "Adrenal\t", "Adrenal\tMetastasis")
    samples = import_cbioportal(study).samples.set_index("sample_id")
    assert samples.loc[f"{A}-01", "timepoint"] == "other"
    assert samples.loc[f"{B}-09", "timepoint"] == "diagnosis"


def test_without_codes_the_time_point_is_unknown_unless_given(study: Path) -> None:
    for file in study.rglob("*.*"):
        file.write_text(file.read_text().replace("TARGET-30-", "P"))
    cohort = import_cbioportal(study)
    samples = cohort.samples.set_index("sample_id")["timepoint"]
    assert samples[["PAAAAAA-01", "PAAAAAA-02", "PBBBBBB-09", "PCCCCCC-04"]].isna().all()
    # MYCN alone is kept: of one undated sample, or of several that agree.
    assert [value for value in cohort.patients["mycn_status"] if isinstance(value, str)] == [
        "not_amplified",
        "amplified",
    ]
    assert set(import_cbioportal(study, timepoint="diagnosis").samples["timepoint"]) == {"diagnosis"}


def test_archive_and_folder_are_the_same(study: Path, tmp_path: Path) -> None:
    archive = tmp_path / "nbl_demo.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(study, arcname="nbl_demo")
        outside = tarfile.TarInfo("../../data_evil.txt")
        outside.size = 3
        tar.addfile(outside, io.BytesIO(b"bad"))
        link = tarfile.TarInfo("nbl_demo/data_link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    read, expected = import_cbioportal(archive), import_cbioportal(study)
    assert read.name == expected.name == "nbl_demo"
    for name in ("patients", "samples", "assays", "mutations", "segments", "expression"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(expected, name))
    assert not (tmp_path.parent.parent / "data_evil.txt").exists()


@pytest.mark.parametrize("name", ["data_mutations.txt", "data_clinical_patient.txt", "data_mrna_seq_rpkm.txt"])
def test_lfs_pointer(study: Path, name: str) -> None:
    (study / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(InputError, match="Git LFS pointer") as caught:
        import_cbioportal(study)
    assert str(caught.value.file).endswith(name)
    assert "git lfs pull" in str(caught.value.fix)


def test_missing_study_and_clinical_file(study: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the study does not exist"):
        import_cbioportal(tmp_path / "nowhere")
    (study / "data_clinical_sample.txt").unlink()
    with pytest.raises(InputError, match="the study has no sample file"):
        import_cbioportal(study)


def test_codes_are_written_as_texts_are(study: Path, tmp_path: Path) -> None:
    coded = import_cbioportal(study, codes=True)
    for table in (coded.mutations, coded.segments):
        assert table is not None
        assert isinstance(table["sample_id"].dtype, pd.CategoricalDtype)
    for name, cohort in (("coded", coded), ("texts", import_cbioportal(study))):
        write_cohort(cohort, tmp_path / name, block_size=1)
    files = sorted(file.relative_to(tmp_path / "texts") for file in (tmp_path / "texts").rglob("*.*"))
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "coded" / file).read_bytes() == (tmp_path / "texts" / file).read_bytes()


def test_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "study.tar.gz").write_bytes(b"\x1f\x8b\x08nonsense")
    with pytest.raises(InputError, match="the archive cannot be read"):
        import_cbioportal(tmp_path / "study.tar.gz")


@pytest.mark.parametrize(
    ("name", "old", "new", "problem", "column"),
    [
        ("data_clinical_patient.txt", "PATIENT_ID", "PATIENT", "a column is missing", "PATIENT_ID"),
        ("data_clinical_patient.txt", B, A, "duplicated patient", "patient_id"),
        ("data_clinical_patient.txt", "\t2000\t", "\t-2000\t", "negative value -2000", "OS_DAYS"),
        ("data_clinical_sample.txt", f"{C}\t", "TARGET-30-DDDDDD\t", "sample without patient", "patient_id"),
        ("data_mutations.txt", "Tumor_Sample_Barcode", "Barcode", "a column is missing", "Tumor_Sample_Barcode"),
        ("data_mutations.txt", f"{A}-02", f"{A}-03", UNKNOWN_SAMPLE, "Tumor_Sample_Barcode"),
        ("data_sv.txt", f"{B}-09\tSOMATIC", f"{B}-08\tSOMATIC", UNKNOWN_SAMPLE, "Sample_Id"),
        ("data_cna_hg19.seg", f"{B}-09", f"{B}-08", UNKNOWN_SAMPLE, "ID"),
        ("data_cna.txt", f"{B}-09", f"{B}-08", UNKNOWN_SAMPLE, "sample columns 2"),
        ("data_mutations.txt", "TP53\tGRCh37", "TP53\tGRCh38", "mixed genome builds: hg19, hg38", "NCBI_Build"),
        ("data_cna_hg19.seg", "seg.mean", "mean", "a column is missing", "seg.mean"),
        ("data_mrna_seq_rpkm.txt", "1023", "many", "not a number: 'many'", "sample column 1"),
    ],
)
def test_bad_files(study: Path, name: str, old: str, new: str, problem: str, column: str) -> None:
    edit(study / name, old, new)
    with pytest.raises(InputError) as caught:
        import_cbioportal(study)
    assert (caught.value.problem, caught.value.column) == (problem, column)


@pytest.mark.parametrize(
    ("values", "expected", "said"),
    [
        (["5", "80", "100"], [0.05, 0.8, 1.0], []),
        (["35%", " 80 % "], [0.35, 0.8], []),
        (["0.35", "0.8", "1"], [0.35, 0.8, 1.0], ["samples.purity: 3 read as fractions, not as percentages"]),
        (["0", "80"], [NAN, 0.8], ["samples.purity: 1 values of 0 left out: no purity was judged"]),
        (["0", "0"], [NAN, NAN], ["samples.purity: 2 values of 0 left out: no purity was judged"]),
        (["-1", "130", "70"], [NAN, NAN, 0.7], ["samples.purity: 2 values outside 0 to 100 % left out"]),
        (["60-70", "NA", "70"], [NAN, NAN, 0.7], ["samples.purity: 1 percentages that are no numbers left out"]),
    ],
)
def test_recorded_purities(values: list[str], expected: list[float], said: list[str]) -> None:
    repairs = Repairs()
    assert recorded_purity(pd.Series(values), repairs).tolist() == pytest.approx(expected, nan_ok=True)
    assert list(repairs) == said
