from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, Repairs, assemble_cohort, normalise_matrix
from nbrelapse.cohort.schema import PATIENTS
from nbrelapse.errors import InputError


def build(**tables: dict[str, list[object]]) -> Cohort:
    return assemble_cohort("demo", {name: pd.DataFrame(columns) for name, columns in tables.items()})


def test_all_columns_are_there_and_typed() -> None:
    cohort = build(patients={"patient_id": [1, 2], "inss_stage": ["4s", ""]})
    assert list(cohort.patients.columns) == list(PATIENTS.columns)
    assert cohort.patients["patient_id"].tolist() == ["1", "2"]
    assert cohort.patients["high_risk"].dtype == "boolean"
    assert cohort.patients["age_days"].dtype == "float64"
    assert cohort.patients["inss_stage"].dtype == "str"


def test_high_risk_follows_the_risk_group_and_not_the_other_way_round() -> None:
    cohort = build(
        patients={
            "patient_id": list("abcd"),
            "risk_group": ["High Risk", "low", None, None],
            "high_risk": [None, None, "1", None],
        }
    )
    assert cohort.patients["high_risk"].tolist() == [True, False, True, pd.NA]
    assert cohort.patients["risk_group"].isna().tolist() == [False, False, True, True]


def test_without_samples_each_patient_is_one() -> None:
    cohort = build(patients={"patient_id": ["a", "b"]})
    assert cohort.samples[["sample_id", "patient_id", "timepoint"]].to_numpy().tolist() == [
        ["a", "a", "diagnosis"],
        ["b", "b", "diagnosis"],
    ]


def test_known_mycn_is_a_fish_assay_of_a_diagnosis_sample() -> None:
    cohort = build(
        patients={"patient_id": ["a", "b", "c"], "mycn_status": ["Amplified", "Not Amplified", "Unknown"]},
        samples={
            "sample_id": ["a-02", "a-01", "c-01"],
            "patient_id": ["a", "a", "c"],
            "timepoint": ["relapse"] + ["diagnosis"] * 2,
        },
    )
    assert cohort.assayed_samples("fish").to_dict() == {"a": "a-01", "b": "b"}
    assert cohort.metadata["repairs"][-1].startswith("samples: 1 diagnosis samples added")


def test_an_added_sample_does_not_take_the_name_of_another() -> None:
    cohort = build(
        patients={"patient_id": ["a"], "mycn_status": ["1"]},
        samples={"sample_id": ["a"], "patient_id": ["a"], "timepoint": ["relapse"]},
    )
    assert cohort.assayed_samples("fish").to_dict() == {"a": "a-diagnosis"}


def test_data_imply_assays_and_said_assays_stay() -> None:
    cohort = build(
        patients={"patient_id": ["a", "b", "c"]},
        assays={"sample_id": ["b"], "assay": ["mutations"], "genome_build": ["GRCh37"], "panel": ["P1"]},
        mutations={"sample_id": ["a"], "Hugo_Symbol": ["ALK"]},
    )
    assays = cohort.assays.set_index("sample_id")
    assert assays["assay"].to_dict() == {"b": "mutations", "a": "mutations"}
    assert assays["genome_build"].to_dict() == {"b": "hg19", "a": "hg19"}
    assert assays.loc["b", "panel"] == "P1"


def test_repairs_of_the_outcome() -> None:
    cohort = build(
        patients={
            "patient_id": ["a", "b"],
            "event": ["Death", "Relapse"],
            "event_days": [100, 400],
            "death": [None, 0],
            "followup_days": [100, 350],
        }
    )
    assert cohort.patients["death"].tolist() == [1.0, 0.0]
    assert cohort.patients["followup_days"].tolist() == [100.0, 400.0]
    assert "patients.death: 1 set to 1, their first event is death" in cohort.metadata["repairs"]
    assert "patients.followup_days: 1 raised to event_days, which is later" in cohort.metadata["repairs"]


def test_other_spellings_are_recorded_and_unknown_words_are_not() -> None:
    cohort = build(patients={"patient_id": ["a", "b", "c"], "inss_stage": ["Stage 4", "4S", "Unknown"]})
    assert cohort.metadata["repairs"] == ["patients.inss_stage: 'Stage 4' read as '4' (1)"]


def test_alleles_keep_the_dash_and_rows_without_gene_go() -> None:
    cohort = build(
        patients={"patient_id": ["a"]},
        mutations={
            "sample_id": ["a", "a"],
            "Hugo_Symbol": ["ALK", "Unknown"],
            "Reference_Allele": ["-", "A"],
            "Tumor_Seq_Allele2": ["GT", "-"],
            "Chromosome": ["chr2", "23"],
        },
    )
    assert cohort.mutations is not None
    assert cohort.mutations[["Reference_Allele", "Tumor_Seq_Allele2", "Chromosome"]].to_numpy().tolist() == [
        ["-", "GT", "2"]
    ]
    assert "mutations: 1 rows without a gene removed" in cohort.metadata["repairs"]


def test_of_repeated_genes_the_highest_stays() -> None:
    matrix = pd.DataFrame(
        [[1.0, 2.0], [5.0, 6.0], [3.0, 3.0], [0.0, 0.0]], index=["ALK", "MYCN", "ALK", None], columns=["a", "b"]
    )
    cohort = assemble_cohort("demo", {"patients": pd.DataFrame({"patient_id": ["a", "b"]}), "expression": matrix})
    assert cohort.expression is not None
    assert cohort.expression.to_dict("index") == {"MYCN": {"a": 5.0, "b": 6.0}, "ALK": {"a": 3.0, "b": 3.0}}
    assert cohort.expression.index.name == "Hugo_Symbol"


def test_unknown_table() -> None:
    with pytest.raises(InputError, match="unknown table"):
        build(patients={"patient_id": ["a"]}, methylation={"sample_id": ["a"]})


@pytest.mark.parametrize("nothing", ["-1022", "-1022.0", "-Inf", -1074.0, -np.inf])
def test_the_log2_of_0_is_no_measurement(nothing: object) -> None:
    segments = pd.DataFrame(
        {"sample_id": "a", "chromosome": ["1", "9", "Y"], "start": 1, "end": 9000, "log2_ratio": [-16.5, nothing, 0.1]}
    )
    cohort = assemble_cohort("demo", {"patients": pd.DataFrame({"patient_id": ["a"]}), "segments": segments})
    assert cohort.segments is not None
    assert cohort.segments["log2_ratio"].tolist() == [-16.5, 0.1]
    assert (
        "segments.log2_ratio: 1 values below -30 stand for the log2 of 0, read as not measured"
        in (cohort.metadata["repairs"])
    )


def test_a_log2_ratio_that_no_tumour_has() -> None:
    segments = pd.DataFrame({"sample_id": "a", "chromosome": "1", "start": 1, "end": 9000, "log2_ratio": [1023.0]})
    with pytest.raises(InputError, match="a log2 ratio above 15") as caught:
        assemble_cohort("demo", {"patients": pd.DataFrame({"patient_id": ["a"]}), "segments": segments})
    assert caught.value.rows == [1]


def test_an_infinite_value_in_a_matrix() -> None:
    matrix = pd.DataFrame({"NB01": [1.0, -np.inf], "NB02": [1.0, 2.0]}, index=["ALK", "TP53"])
    with pytest.raises(InputError, match="infinite") as caught:
        normalise_matrix(matrix, "expression.tsv", Repairs())
    assert (caught.value.rows, caught.value.column) == ([2], "1 of 2 sample columns")
    assert "NB01" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "column", "value", "problem"),
    [
        ("mutations", "Start_Position", "-5", "value not above zero"),
        ("mutations", "Start_Position", "0", "value not above zero"),
        ("mutations", "End_Position", "900000000", "beyond the end of its chromosome in any genome build"),
        ("segments", "start", "-5", "negative value"),
        ("segments", "end", "1e12", "beyond the end of its chromosome in any genome build"),
        ("rearrangements", "site2_position", "-7", "negative value"),
        ("rearrangements", "site1_position", "1e300", "not a number"),
    ],
)
def test_impossible_positions_are_refused_in_each_table(table: str, column: str, value: str, problem: str) -> None:
    rows: dict[str, dict[str, object]] = {
        "mutations": {"Hugo_Symbol": "ALK", "Chromosome": "2", "Start_Position": "100", "End_Position": "100"},
        "segments": {"chromosome": "2", "start": "1", "end": "100", "log2_ratio": "0.1"},
        "rearrangements": {
            **{f"site{number}_chromosome": "2" for number in (1, 2)},
            **{f"site{number}_position": "100" for number in (1, 2)},
        },
    }
    raw = pd.DataFrame({"sample_id": ["NB01", "NB02"], **rows[table]}).astype("object")
    raw.loc[1, column] = value
    if table == "segments":
        raw.loc[1, "chromosome"] = "3"
    with pytest.raises(InputError, match=problem) as caught:
        assemble_cohort("demo", {"patients": pd.DataFrame({"patient_id": ["NB01", "NB02"]}), table: raw})
    assert caught.value.rows == [2]
    assert "NB0" not in str(caught.value)


def test_a_position_of_minus_1_is_not_known_in_rearrangements() -> None:
    raw = pd.DataFrame(
        {"sample_id": ["a"], "site1_gene": ["TERT"], "site1_position": ["100"], "site2_position": ["-1"]}
    )
    cohort = assemble_cohort("demo", {"patients": pd.DataFrame({"patient_id": ["a"]}), "rearrangements": raw})
    assert cohort.rearrangements is not None
    assert cohort.rearrangements[["site1_position", "site2_position"]].isna().to_numpy().tolist() == [[False, True]]
    assert "rearrangements.site2_position: 1 positions of -1 read as not known" in cohort.metadata["repairs"]


MAF = {
    "sample_id": ["b", "a", "a", "b", "a", "b"],
    "Hugo_Symbol": ["2-Sep", "ENSG00000134323", "", "ALK", "ALK", "ALK"],
    "Chromosome": ["chr2", "2", "2", "GL000191.1", "chr2", "2"],
    "Start_Position": [5.0, 6.0, 7.0, 8.0, 9.0, 9.0],
    "Variant_Classification": ["Odd", "silent", "Silent", "Lost", "missense_mutation", "other"],
    "Tumor_Seq_Allele2": ["-", "A", ".", "", '"C"', "T"],
}
SEG = {
    "sample_id": ["b", "b", "a", "a", "b"],
    "chromosome": ["chr1", "chr1", "23", "X", "1"],
    "start": [0.0, 50.0, 0.0, 70.0, 50.0],
    "end": [50.0, 90.0, 70.0, 90.0, 90.0],
    "log2_ratio": [0.1, -0.4, 0.2, -2000.0, -0.4],
}


def test_texts_may_come_as_codes() -> None:
    texts = {"mutations": pd.DataFrame(MAF), "segments": pd.DataFrame(SEG)}
    # Files name values in another order than the rows that are left.
    coded = {
        name: table.apply(lambda column: column if column.dtype == "float64" else column.astype("category"))
        for name, table in texts.items()
    }
    patients = pd.DataFrame({"patient_id": ["a", "b"]})
    one, other = (assemble_cohort("demo", {"patients": patients, **tables}) for tables in (texts, coded))
    assert one.metadata == other.metadata
    assert len(one.metadata["repairs"]) > 6
    for name in ("assays", "mutations", "segments"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("mutations", "Chromosome", "chr77"), ("mutations", "Hugo_Symbol", "1-Mar"), ("segments", "chromosome", "")],
)
def test_what_is_wrong_is_told_of_codes_as_of_texts(table: str, column: str, value: str) -> None:
    raw = pd.DataFrame({"mutations": MAF, "segments": SEG}[table])
    raw.loc[[1, 2], column] = value
    patients = pd.DataFrame({"patient_id": ["a", "b"]})
    told = []
    for given in (raw, raw.astype({column: "category", "sample_id": "category"})):
        with pytest.raises(InputError) as caught:
            assemble_cohort("demo", {"patients": patients, table: given})
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert "rows: 2, 3" in told[0]
