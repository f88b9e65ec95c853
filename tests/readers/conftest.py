"""A small cBioPortal study under the exact headers of nbl_target_2018_pub, with rows of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

SAMPLE_HEADER = [
    "PATIENT_ID",
    "SAMPLE_ID",
    "MYCN",
    "PLOIDY",
    "GRADE",
    "MKI",
    "ONCOTREE_CODE",
    "ANALYSIS_COHORT",
    "TUMOR_TISSUE_SITE",
    "CNS_SITE_OF_RELAPSE",
    "TUMOR_PLOIDY",
    "CANCER_TYPE",
    "CANCER_TYPE_DETAILED",
    "TMB_NONSYNONYMOUS",
]
MAF_HEADER = [
    "Hugo_Symbol",
    "NCBI_Build",
    "Chromosome",
    "Start_Position",
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "Tumor_Sample_Barcode",
    "HGVSp_Short",
    "t_alt_count",
    "t_ref_count",
    "Variant_Classification",
]
SV_HEADER = [
    "Sample_Id",
    "SV_Status",
    "Site1_Hugo_Symbol",
    "Site1_Chromosome",
    "Site1_Position",
    "Site2_Hugo_Symbol",
    "Site2_Chromosome",
    "Site2_Position",
    "NCBI_Build",
    "Class",
]

PATIENTS = [
    {
        "PATIENT_ID": "TARGET-30-AAAAAA",
        "AGE_IN_DAYS": "900",
        "AGE": "3",
        "YEAR_OF_DIAGNOSIS": "2005",
        "INSS_STAGE": "Stage 4",
        "TUMOR_SAMPLE_HISTOLOGY": "Unfavorable",
        "EFSCENS": "0",
        "STIME": "99",
        "EFS_TIME": "300",
        "SEX": "Male",
        "RISK_GROUP": "High Risk",
        "PERCENTAGE_TUMOR_PURITY": "80",
        "FIRST_EVENT": "Relapse",
        "OS_STATUS": "1:DECEASED",
        "OS_DAYS": "700",
    },
    {
        "PATIENT_ID": "TARGET-30-BBBBBB",
        "AGE_IN_DAYS": "200",
        "INSS_STAGE": "Stage 4s",
        "TUMOR_SAMPLE_HISTOLOGY": "Unknown",
        "EFS_TIME": "2000",
        "SEX": "Female",
        "RISK_GROUP": "Low Risk",
        "PERCENTAGE_TUMOR_PURITY": ">90",
        "FIRST_EVENT": "Censored",
        "OS_STATUS": "0:LIVING",
        "OS_DAYS": "2000",
    },
    {
        "PATIENT_ID": "TARGET-30-CCCCCC",
        "AGE_IN_DAYS": "1500",
        "INSS_STAGE": "Unknown",
        "EFS_TIME": "450",
        "SEX": "Female",
        "RISK_GROUP": "Unknown",
        "FIRST_EVENT": "Event",
        "OS_STATUS": "",
        "OS_DAYS": "",
    },
]
SAMPLES = [
    ("AAAAAA", "02", {"MYCN": "Not Amplified", "ANALYSIS_COHORT": "DISCOVERY", "TUMOR_TISSUE_SITE": "Bone"}),
    (
        "AAAAAA",
        "01",
        {
            "MYCN": "Amplified",
            "PLOIDY": "Diploid (DI=1)",
            "GRADE": "Undifferentiated or Poorly Differentiated",
            "MKI": "High",
            "ANALYSIS_COHORT": "DISCOVERY",
            "TUMOR_TISSUE_SITE": "Adrenal",
        },
    ),
    ("BBBBBB", "09", {"MYCN": "Not Amplified", "PLOIDY": "Hyperdiploid (DI>1)", "ANALYSIS_COHORT": "VALIDATION"}),
    ("CCCCCC", "04", {"MYCN": "Amplified", "MKI": "Unknown"}),
]


def tsv(rows: list[list[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def clinical(header: list[str], rows: list[dict[str, str]]) -> str:
    comments = [[f"#{word}", *[word] * (len(header) - 1)] for word in ("Name", "Text", "STRING", "1")]
    return tsv([*comments, header, *[[row.get(name, "") for name in header] for row in rows]])


@pytest.fixture
def study(tmp_path: Path, target_patient_header: list[str]) -> Path:
    folder = tmp_path / "nbl_demo"
    (folder / "case_lists").mkdir(parents=True)
    a1, a2, b, c = (f"TARGET-30-{name}" for name in ("AAAAAA-01", "AAAAAA-02", "BBBBBB-09", "CCCCCC-04"))
    samples = [
        {"PATIENT_ID": f"TARGET-30-{name}", "SAMPLE_ID": f"TARGET-30-{name}-{code}", **values}
        for name, code, values in SAMPLES
    ]
    files = {
        "data_clinical_patient.txt": clinical(target_patient_header, PATIENTS),
        "data_clinical_sample.txt": clinical(SAMPLE_HEADER, samples),
        "meta_study.txt": "type_of_cancer: nbl\ncancer_study_identifier: nbl_demo\nname: A demo: hand-made\n",
        "data_mutations.txt": tsv(
            [
                MAF_HEADER,
                ["ALK", "GRCh37", "2", "29443695", "G", "T", a1, "p.F1174L", "30", "70", "Missense_Mutation"],
                ["TP53", "GRCh37", "17", "7577538", "-", "T", a2, "p.R248Q", "", ".", "Missense_Mutation"],
            ]
        ),
        "data_cna_hg19.seg": tsv(
            [
                ["ID", "chrom", "loc.start", "loc.end", "num.mark", "seg.mean"],
                [a1, "1", "1", "30000000", "500", "-0.6"],
                [a1, "23", "1", "150000000", "900", "0.01"],
                [b, "17", "1", "80000000", "700", "0.4"],
            ]
        ),
        "data_cna.txt": tsv(
            [["Hugo_Symbol", "Entrez_Gene_Id", a1, b], ["MYCN", "4613", "2", "0"], ["ALK", "238", "NA", "-1"]]
        ),
        "data_sv.txt": tsv(
            [
                SV_HEADER,
                [b, "SOMATIC", "TERT", "chr5", "1290000", "", "7", "1000000", "GRCh37", "TRANSLOCATION"],
                [b, "GERMLINE", "NF1", "17", "29500000", "NF1", "17", "29600000", "GRCh37", "DELETION"],
            ]
        ),
        "data_mrna_seq_rpkm.txt": tsv(
            [["Hugo_Symbol", "Entrez_Gene_Id", a1, b], ["MYCN", "4613", "1023", "7"], ["ALK", "238", "0", "1"]]
        ),
        "data_mrna_seq_rpkm_zscores_ref_all_samples.txt": tsv([["Hugo_Symbol", a1, b], ["MYCN", "9", "9"]]),
        "case_lists/cases_sequenced.txt": (
            "cancer_study_identifier: nbl_demo\nstable_id: nbl_demo_sequenced\n"
            f"case_list_ids: {a1}\t{a2}\t{b}\tTARGET-30-ZZZZZZ-01\n"
        ),
        "case_lists/cases_sv.txt": (
            f"cancer_study_identifier: nbl_demo\nstable_id: nbl_demo_sv\ncase_list_ids: {a1}\t{b}\n"
        ),
        "data_gene_panel_matrix.txt": tsv(
            [["SAMPLE_ID", "mutations", "gistic"], [a1, "WGS", "NA"], [b, "PANEL7", "NA"], [c, "NA", "NA"]]
        ),
        "data_gene_panel_7.txt": "stable_id: PANEL7\ndescription: seven\ngene_list: ALK\tTP53\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
