"""Studies as other people's cBioPortal has them: file names, attributes and codes that are not TARGET's."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, check_cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.outcome import count_endpoints
from nbrelapse.readers import import_cbioportal

Write = Callable[..., Path]

SAMPLES = {"SAMPLE_ID": ["S1", "S2", "S3"], "PATIENT_ID": ["P1", "P2", "P3"]}
LISTED = "cancer_study_identifier: demo\nstable_id: demo_{}\ncase_list_ids: S1\tS2\tS3\n"


def table(columns: dict[str, Sequence[Any]], comments: int = 0) -> str:
    lines = ["#" + "\t".join("x" * len(columns))] * comments
    lines += ["\t".join(columns), *("\t".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a study of three patients: clinical attributes, and other files as text."""

    def build(
        patients: dict[str, Sequence[Any]] | None = None,
        samples: dict[str, Sequence[Any]] | None = None,
        **files: str,
    ) -> Path:
        folder = tmp_path / "study"
        (folder / "case_lists").mkdir(parents=True, exist_ok=True)
        (folder / "meta_study.txt").write_text("cancer_study_identifier: demo\n")
        whole = {"PATIENT_ID": SAMPLES["PATIENT_ID"], **(patients or {})}
        (folder / "data_clinical_patient.txt").write_text(table(whole, 4))
        (folder / "data_clinical_sample.txt").write_text(table({**SAMPLES, **(samples or {})}, 4))
        for name, text in files.items():
            (folder / name.replace("__", "/").replace("_dot_", ".")).write_text(text)
        return folder

    return build


def column(cohort: Cohort, name: str) -> list[Any]:
    return cohort.patients[name].astype("object").where(cohort.patients[name].notna(), None).tolist()


def unread(cohort: Cohort) -> str:
    return "\n".join(cohort.metadata["source"]["unread_attributes"])


@pytest.mark.parametrize(
    ("name", "codes", "right"),
    [
        ("MYCN", ["non-amp", "amp", "gain"], ["not_amplified", "amplified", None]),
        ("MYCN_AMP", ["1", "0", "9"], ["amplified", "not_amplified", None]),
        ("MYCN_AMP", ["No", "Yes", "No"], ["not_amplified", "amplified", "not_amplified"]),
        ("MYCN_STATUS", ["Amplified", "Not Amplified", "NA"], ["amplified", "not_amplified", None]),
        ("MYCN", ["1", "2", "3"], [None, None, None]),
        ("MYCN", ["7.4", "0", "1"], [None, None, None]),
    ],
)
@pytest.mark.parametrize("where", ["patients", "samples"])
def test_mycn_needs_no_time_point(
    write: Write, where: str, name: str, codes: list[str], right: list[str | None]
) -> None:
    cohort = import_cbioportal(write(**{where: {name: codes}}))
    assert column(cohort, "mycn_status") == right
    features = build_features(cohort, load_catalogue())
    assert len(cohort.assayed_samples("fish")) == sum(value is not None for value in right)
    if any(right):
        values = features.values["mycn__amplified"]
        assert [None if pd.isna(value) else bool(value) for value in values] == [
            None if value is None else value == "amplified" for value in right
        ]


LAYOUTS: dict[str, dict[str, dict[str, Sequence[Any]]]] = {
    "broad": {
        "patients": {"SEX": ["Male", "Female", "Male"], "OS_STATUS": ["1:DECEASED", "0:LIVING", "0:LIVING"],
                     "OS_MONTHS": [12, 60, 24], "INSS_STAGE": ["4", "1", "4S"]},
        "samples": {"MYCN_AMP": ["1", "0", "9"], "GRADE": ["9", "0", "1"], "MKI": ["9", "1", "3"]},
    },
    "amc": {
        "patients": {"GENDER": ["M", "F", "M"], "OS_STATUS": ["DECEASED", "LIVING", "LIVING"],
                     "OS_MONTHS": [12, 60, 24], "INSS_STAGE": ["st4", "st1", "st4s"]},
        "samples": {"MYCN": ["amp", "non-amp", "gain"], "SAMPLE_TYPE": ["Primary", "Primary", "Primary"]},
    },
    "cologne": {
        "patients": {"OS_STATUS": ["1:DECEASED", "0:LIVING", "0:LIVING"], "OS_MONTHS": [12, 60, 24],
                     "EFS_STATUS": ["1:Event", "0:Event Free", "0:Event Free"], "EFS_MONTHS": [6, 60, 24]},
        "samples": {"MYCN_AMP": ["Yes", "No", "NA"], "PURITY": ["0.93", "0.73", "0.90"],
                    "PLOIDY": ["2.14", "1.99", "2.84"]},
    },
    "dkfz": {
        "patients": {"GENDER": ["Male", "Female", "Male"], "OS_STATUS": ["1:DECEASED", "0:LIVING", "0:LIVING"],
                     "OS_MONTHS": [12, 60, 24]},
        "samples": {"SAMPLE_TYPE": ["Primary", "Primary", "Relapse"], "PLOIDY": ["2.51", "2", "NA"]},
    },
}  # fmt: skip
"""As nbl_broad_2013, nbl_amc_2012, nbl_ucologne_2015 and pediatric_dkfz_2017 code what they share with others."""


@pytest.mark.parametrize("study", LAYOUTS)
def test_the_public_studies_keep_mycn_and_the_outcome_without_a_time_point(write: Write, study: str) -> None:
    calls = "Hugo_Symbol\tS1\tS2\tS3\nMYCN\t2\t0\t2\nALK\t0\t0\t0\n"
    extra = {"data_cna_dot_txt": calls} if study == "dkfz" else {}
    cohort = import_cbioportal(write(**LAYOUTS[study], **extra))
    assert column(cohort, "death") == [1, 0, 0]
    assert column(cohort, "followup_days") == [365.25, 1826.25, 730.5]
    assert count_endpoints(cohort)["os"]["events"] == 1
    if study == "cologne":
        assert column(cohort, "event") == ["unspecified", "none", "none"]
        assert count_endpoints(cohort)["efs"]["patients"] == 3
    if study == "dkfz":
        # The relapse says nothing of the tumour at diagnosis.
        values = build_features(cohort, load_catalogue()).values["mycn__amplified_copy_number"]
        assert values.tolist()[:2] == [1.0, 0.0] and pd.isna(values.iloc[2])
    else:
        assert column(cohort, "mycn_status") == ["amplified", "not_amplified", None]


@pytest.mark.parametrize(
    ("attribute", "codes"),
    [
        ("GRADE", ["9", "0", "1"]),
        ("GRADE", ["High", "Low", "High"]),
        ("MKI", ["9", "1", "3"]),
        ("PLOIDY", ["2.14", "1.99", "NA"]),
        ("HISTOLOGY", ["Mucinous", "Papillary", "Mucinous"]),
        ("INSS_STAGE", ["1", "5", "6"]),
        ("SEX", ["7", "8", "7"]),
        ("LDH", ["raised", "normal", "normal"]),
        ("DNA_INDEX", ["tetraploid", "0", "x"]),
    ],
)
@pytest.mark.parametrize("where", ["patients", "samples"])
def test_foreign_values_of_a_familiar_attribute_are_left_out_and_said(
    write: Write, where: str, attribute: str, codes: list[str]
) -> None:
    cohort = import_cbioportal(write(**{where: {attribute: codes}}))
    assert column(cohort, attribute.lower()) == [None] * 3
    line = next(line for line in cohort.metadata["source"]["unread_attributes"] if line.startswith(attribute))
    assert f"data_clinical_{where.removesuffix('s')}.txt" in line and "rows" in line
    assert line in check_cohort(cohort).to_text()


def test_a_foreign_cell_among_readable_ones_is_left_out_alone(write: Write) -> None:
    cohort = import_cbioportal(write(patients={"INSS_STAGE": ["Stage 4", "4S", "Stage 5"]}))
    assert column(cohort, "inss_stage") == ["4", "4S", None]
    assert any("rows 3: 'Stage 5'" in repair for repair in cohort.metadata["repairs"])


def test_attributes_can_be_named_and_ignored(write: Write) -> None:
    study = write(patients={"STAGE": ["1", "4", "4S"], "AGE_AT_DX": [10, 20, 30], "SEX": ["Male", "Female", "Male"]})
    assert column(import_cbioportal(study), "inss_stage") == [None] * 3
    cohort = import_cbioportal(
        study, attributes={"STAGE": "inss_stage", "AGE_AT_DX": "age_days:months"}, ignore=["SEX"]
    )
    assert column(cohort, "inss_stage") == ["1", "4", "4S"]
    assert column(cohort, "age_days") == [304.375, 608.75, 913.125]
    assert column(cohort, "sex") == [None] * 3
    assert "SEX (ignored)" in unread(cohort)


@pytest.mark.parametrize(
    ("attributes", "ignore", "problem", "where"),
    [
        ({"STAGES": "inss_stage"}, [], "no clinical file has such an attribute", "--attribute STAGES"),
        ({}, ["SXE"], "no clinical file has such an attribute", "--ignore SXE"),
        ({"STAGE": "stage"}, [], "'stage' is no column of a cohort", "--attribute STAGE"),
        ({"STAGE": "age_days:lustra"}, [], "'age_days:lustra' has no such unit", "--attribute STAGE"),
        ({"STAGE": "inss_stage"}, [], "'II b?' cannot be read", "STAGE"),
    ],
)
def test_wrong_wishes_are_refused(
    write: Write, attributes: dict[str, str], ignore: list[str], problem: str, where: str
) -> None:
    study = write(patients={"STAGE": ["1", "II b?", "4S"]})
    with pytest.raises(InputError) as caught:
        import_cbioportal(study, attributes=attributes, ignore=ignore)
    assert (caught.value.problem, caught.value.column) == (problem, where)


@pytest.mark.parametrize(
    ("attributes", "events", "days"),
    [
        (
            {"DFS_STATUS": ["1:Recurred/Progressed", "0:DiseaseFree", ""], "DFS_MONTHS": [12, 60, ""]},
            ["unspecified", "none", None],
            [365.25, 1826.25, None],
        ),
        (
            {"PFS_STATUS": ["1:PROGRESSION", "0:CENSORED", "NA"], "PFS_MONTHS": [12, 60, "NA"]},
            ["unspecified", "none", None],
            [365.25, 1826.25, None],
        ),
        (
            {"EFS_STATUS": ["1:Relapse", "0", "1"], "EFS_DAYS": [300, 900, 400]},
            ["relapse", "none", "unspecified"],
            [300, 900, 400],
        ),
        (
            {
                "DFS_STATUS": ["0:DiseaseFree"] * 3,
                "DFS_MONTHS": [1, 1, 1],
                "EFS_STATUS": ["1:Event", "0:No event", "1:Death"],
                "EFS_MONTHS": [12, 60, 2],
            },
            ["unspecified", "none", "death"],
            [365.25, 1826.25, 60.875],
        ),
        (
            {"FIRST_EVENT": ["Relapse", "Censored", "Event"], "EFS_MONTHS": [12, 60, 2]},
            ["relapse", "none", "unspecified"],
            [365.25, 1826.25, 60.875],
        ),
        (
            # A status without its time gives way to the next endpoint that is whole.
            {
                "EFS_STATUS": ["1:Event", "0:No event", "1:Event"],
                "PFS_STATUS": ["0:CENSORED", "1:PROGRESSION", "0:CENSORED"],
                "PFS_MONTHS": [12, 60, 2],
            },
            ["none", "unspecified", "none"],
            [365.25, 1826.25, 60.875],
        ),
    ],
)
def test_first_events(
    write: Write, attributes: dict[str, Any], events: list[str | None], days: list[float | None]
) -> None:
    cohort = import_cbioportal(write(patients=attributes))
    assert column(cohort, "event") == events
    assert column(cohort, "event_days") == days


def test_overall_survival_in_months_and_gender(write: Write) -> None:
    attributes = {
        "GENDER": ["Male", "Female", ""],
        "OS_STATUS": ["1:DECEASED", "0:LIVING", ""],
        "OS_MONTHS": [24, 60, ""],
    }
    cohort = import_cbioportal(write(patients=attributes))
    assert column(cohort, "death") == [1, 0, None]
    assert column(cohort, "followup_days") == [730.5, 1826.25, None]
    assert column(cohort, "sex") == ["male", "female", None]
    both = import_cbioportal(write(patients={**attributes, "OS_DAYS": [731, 1826, ""]}))
    assert column(both, "followup_days") == [731, 1826, None]
    assert "OS_MONTHS (OS_DAYS is read)" in unread(both)


def test_times_rounded_to_months_contradict_nobody(write: Write) -> None:
    dead = {"OS_STATUS": ["1:DECEASED"] * 3, "DFS_STATUS": ["1:Recurred/Progressed"] * 3}
    cohort = import_cbioportal(write(patients={**dead, "OS_MONTHS": [12.0, 12, 12], "DFS_MONTHS": [12.1, 3, 4]}))
    assert column(cohort, "event_days")[0] == 365.25
    with pytest.raises(InputError, match="an event after death"):
        import_cbioportal(write(patients={**dead, "OS_MONTHS": [12, 12, 12], "DFS_MONTHS": [18, 3, 4]}))


@pytest.mark.parametrize(
    ("attribute", "values", "right"),
    [
        ("AGE_IN_DAYS", ["300", "900", "NA"], [300, 900, None]),
        ("AGE_MONTHS", ["12", "24", ""], [365.25, 730.5, None]),
        ("AGE", ["1.5", "2", "0.25"], [547.875, 730.5, 91.3125]),
        ("AGE", ["2", "3", "4"], [None, None, None]),
        ("AGE", ["61.5", "55", "70"], [None, None, None]),
    ],
)
def test_age_is_read_where_it_tells_18_months(
    write: Write, attribute: str, values: list[str], right: list[float | None]
) -> None:
    cohort = import_cbioportal(write(patients={attribute: values}))
    assert column(cohort, "age_days") == right
    assert (f"{attribute} (" in unread(cohort)) == (not any(right))


@pytest.mark.parametrize("attribute", ["TIMEPOINT", "SAMPLE_TIMEPOINT", "SAMPLE_TYPE", "PHASE"])
def test_time_points(write: Write, attribute: str) -> None:
    study = write(samples={attribute: ["Primary", "Relapse", "nodal"], "MYCN": ["amp", "amp", "amp"]})
    cohort = import_cbioportal(study, timepoint="diagnosis")
    timepoint = cohort.samples.set_index("sample_id")["timepoint"]
    assert timepoint[["S1", "S2"]].tolist() == ["diagnosis", "relapse"]
    assert pd.isna(timepoint["S3"])
    # What a relapse says is not the diagnosis.
    assert column(cohort, "mycn_status") == ["amplified", None, "amplified"]


def test_samples_without_time_point_that_contradict_each_other_say_nothing(write: Write) -> None:
    samples = {"SAMPLE_ID": ["S1", "S2", "S3"], "PATIENT_ID": ["P1", "P1", "P2"], "MYCN": ["amp", "non-amp", "amp"]}
    cohort = import_cbioportal(write(samples=samples))
    assert column(cohort, "mycn_status") == [None, "amplified", None]


def test_purity_in_percent(write: Write) -> None:
    assert import_cbioportal(write(samples={"PURITY": ["0.93", "0.7", "1"]})).samples["purity"].tolist() == [
        0.93,
        0.7,
        1,
    ]
    cohort = import_cbioportal(write(samples={"TUMOR_PURITY": ["80", "60", "90"]}))
    assert cohort.samples["purity"].tolist() == [0.8, 0.6, 0.9]


def test_files_are_those_that_the_meta_files_name(write: Write) -> None:
    maf = table(
        {
            "Hugo_Symbol": ["TP53"],
            "NCBI_Build": ["GRCh37"],
            "Variant_Classification": ["Missense_Mutation"],
            "Tumor_Sample_Barcode": ["S1"],
        }
    )
    study = write(samples={"MYCN": ["amp", "amp", "amp"]})
    (study / "data_clinical_sample.txt").rename(study / "samples_2024.tsv")
    (study / "case_lists" / "cases_sequenced.txt").write_text(LISTED.format("sequenced"))
    (study / "calls.maf").write_text(maf)
    (study / "fusions.txt").write_text("Hugo_Symbol\tFusion\nALK\tx\n")
    for name, kind, file in (
        ("meta_mutations_extended", "MUTATION_EXTENDED\ndatatype: MAF", "calls.maf"),
        ("meta_samples", "CLINICAL\ndatatype: SAMPLE_ATTRIBUTES", "samples_2024.tsv"),
        ("meta_fusions", "FUSION\ndatatype: FUSION", "fusions.txt"),
        ("meta_methylation", "METHYLATION\ndatatype: CONTINUOUS", "beta.txt"),
    ):
        (study / f"{name}.txt").write_text(f"genetic_alteration_type: {kind}\ndata_filename: {file}\n")
    archive = study.parent / "demo.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(study, arcname="demo")
        tar.addfile(tarfile.TarInfo("demo/.data_hidden.txt"), io.BytesIO())
    for source in (study, archive):
        cohort = import_cbioportal(source)
        assert cohort.mutations is not None and cohort.mutations["sample_id"].tolist() == ["S1"]
        assert sorted(cohort.assays.loc[cohort.assays["assay"] == "mutations", "sample_id"]) == ["S1", "S2", "S3"]
        assert column(cohort, "mycn_status") == ["amplified"] * 3
        assert cohort.metadata["source"]["unread_files"] == ["fusions.txt", "beta.txt (not in the study)"]
        report = check_cohort(cohort)
        assert "files not read\n  fusions.txt" in report.to_text()
        assert any("time point of 3 samples with mutations" in line for line in report.missing_for_training)


def test_data_of_no_meta_file_and_no_usual_name_are_named(write: Write) -> None:
    study = write(data_cna_discrete_dot_txt=table({"Hugo_Symbol": ["MYCN"], "S1": [2]}))
    assert import_cbioportal(study).metadata["source"]["unread_files"] == ["data_cna_discrete.txt"]


def test_a_study_needs_no_file_of_patients(write: Write) -> None:
    study = write(samples={"OS_STATUS": ["1:DECEASED", "0:LIVING", "0:LIVING"], "OS_MONTHS": [12, 24, 36]})
    (study / "data_clinical_patient.txt").unlink()
    cohort = import_cbioportal(study)
    assert column(cohort, "patient_id") == ["P1", "P2", "P3"]
    assert column(cohort, "death") == [1, 0, 0]


LOG2 = {"Hugo_Symbol": ["MYCN", "ALK"], "S1": [1.72, 0.4], "S2": [0.05, -0.02]}


def test_log2_ratios_are_no_levels(write: Write) -> None:
    with pytest.raises(InputError, match="no levels of copy number") as caught:
        import_cbioportal(write(data_cna_dot_txt=table(LOG2)))
    assert caught.value.rows == [1, 2] and caught.value.column == "2 of 2 sample columns"
    meta = "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: {}\ndata_filename: data_cna.txt\n"
    study = write(data_cna_dot_txt=table(LOG2), meta_cna_dot_txt=meta.format("LOG2-VALUE"))
    assert import_cbioportal(study).metadata["gene_copy_number"] == {"unit": "log2", "file": "data_cna.txt"}
    with pytest.raises(InputError, match="no levels of copy number"):
        import_cbioportal(write(meta_cna_dot_txt=meta.format("DISCRETE")))


def test_levels_are_no_log2_ratios(write: Write) -> None:
    genes = ["MYCN", "ALK", "TERT", "ATRX", "TP53", "CDKN2A", "MDM2", "CDK4", "CCND1", "ATM"] + [
        f"G{n}" for n in range(10)
    ]
    study = write(data_log2_cna_dot_txt=table({"Hugo_Symbol": genes, "S1": [0, 1, 2, -1, -2] * 4}))
    with pytest.raises(InputError, match="where log2 ratios are expected"):
        import_cbioportal(study)


def test_partial_deletions_are_read_as_cbioportal_does(write: Write) -> None:
    study = write(data_cna_dot_txt=table({"Hugo_Symbol": ["CDKN2A", "MYCN"], "S1": [-1.5, "NA"], "S2": [0, 2]}))
    matrix = import_cbioportal(study).gene_copy_number
    assert matrix is not None and matrix.loc["CDKN2A"].tolist() == [-2, 0]
    assert pd.isna(matrix.loc["MYCN", "S1"])


@pytest.mark.parametrize("names", [("Sample_Id", "Value"), ("SAMPLE_ID", "value")])
def test_long_copy_number(write: Write, names: tuple[str, str]) -> None:
    long = {
        "Hugo_Symbol": ["MYCN", "MYCN", "MYCN", "ALK", "MYCN"],
        "Entrez_Gene_Id": [4613, 4613, 4613, 238, 4613],
        names[0]: ["S1", "S2", "S3", "S1", "S2"],
        names[1]: [2, 0, -1, "NA", 1],
    }
    matrix = import_cbioportal(write(data_cna_dot_txt=table(long))).gene_copy_number
    assert matrix is not None
    assert matrix.loc["MYCN", ["S1", "S2", "S3"]].tolist() == [2, 1, -1]
    assert matrix.loc["ALK"].isna().all()


def test_long_copy_number_of_altered_genes_alone_is_not_neutral_elsewhere(write: Write) -> None:
    long = {"Hugo_Symbol": ["MYCN", "ALK"], "Sample_Id": ["S1", "S2"], "Value": [2, 1]}
    cohort = import_cbioportal(write(data_cna_dot_txt=table(long)))
    assert cohort.gene_copy_number is not None and pd.isna(cohort.gene_copy_number.loc["MYCN", "S2"])
    assert any("not known, not neutral" in repair for repair in cohort.metadata["repairs"])


def test_a_word_in_long_copy_number_is_named_by_row(write: Write) -> None:
    long = {"Hugo_Symbol": ["MYCN", "ALK"], "Sample_Id": ["S1", "S2"], "Value": [2, "Amp"]}
    with pytest.raises(InputError, match="not a number: 'Amp'") as caught:
        import_cbioportal(write(data_cna_dot_txt=table(long)))
    assert (caught.value.column, caught.value.rows) == ("Value", [2])
