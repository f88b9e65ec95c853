from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers.cbioportal import import_cbioportal
from nbrelapse.simulation import read_truth, simulate_cohort, write_raw_files


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raw_files(tmp_path_factory.mktemp("simulated") / "study", 400, seed=5)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    first = files(write_raw_files(tmp_path / "a", 60, seed=1))
    again = files(write_raw_files(tmp_path / "b", 60, seed=1))
    other = files(write_raw_files(tmp_path / "c", 60, seed=2))
    assert first == again
    assert {name for name in first if first[name] != other[name]} >= {
        "data_clinical_patient.txt",
        "data_cna_hg19.seg",
        "data_mrna_seq_rpkm.txt",
        "data_mutations.txt",
        "data_sv.txt",
        "truth.parquet",
    }


def test_the_clinical_file_has_the_columns_of_the_target_study(study: Path, target_patient_header: list[str]) -> None:
    lines = (study / "data_clinical_patient.txt").read_text().splitlines()
    assert [line[0] for line in lines[:4]] == ["#"] * 4
    header = lines[4].split("\t")
    assert header[: len(target_patient_header)] == target_patient_header
    assert header[len(target_patient_header) :] == ["INDUCTION_RESPONSE", "LDH", "FERRITIN"]
    assert {len(line.split("\t")) for line in lines[:5]} == {len(header)}


def test_the_truth_is_apart_from_the_study(study: Path) -> None:
    truth = read_truth(study)
    assert truth.index.name == "patient_id"
    assert list(truth) == [
        "mycn",
        "alk",
        "telomere",
        "p53",
        "instability",
        "ras_mapk",
        "cell_state",
        "clinical",
        "microenvironment",
    ]
    assert (truth["microenvironment"] == 0).all()
    assert (truth.drop(columns="microenvironment").std() > 0.25).all()
    cohort = import_cbioportal(study)
    assert truth.index.tolist() == cohort.patient_ids.tolist()
    written = [path.name for path in study.rglob("*.txt") if "hazard" in path.read_text().lower()]
    assert written == []


def test_relapse_samples_gain_mutations(study: Path) -> None:
    cohort = import_cbioportal(study)
    counts = cohort.samples["timepoint"].value_counts()
    assert counts["diagnosis"] == 400
    assert counts["relapse"] >= 5
    assert set(cohort.assayed_samples("mutations").str.removeprefix("SIM-").str[-3:]) == {"-01"}


def test_assays_are_missing_in_blocks(study: Path) -> None:
    cohort = import_cbioportal(study)
    clinical = pd.read_csv(study / "data_clinical_patient.txt", sep="\t", comment="#")
    site = clinical.set_index("PATIENT_ID")["PROTOCOL"]
    by_site = {
        assay: site.index.isin(cohort.assayed_samples(assay).index)
        for assay in ("copy_number", "mutations", "rearrangements", "expression")
    }
    share = pd.DataFrame(by_site).groupby(site.to_numpy()).mean()
    assert (share.loc["SITE-A"] == 1).all()
    assert share.loc["SITE-D", "rearrangements"] == 0
    assert share.loc["SITE-E", "expression"] == 0
    assert 0 < share.loc["SITE-E", "mutations"] < 1
    sequenced = cohort.assays[cohort.assays["assay"] == "mutations"]
    assert set(sequenced["panel"].dropna()) == {"SIM-NB18"}
    assert cohort.mutations is not None
    assert set(cohort.assays["genome_build"].dropna()) == {"hg19"}


def test_simulate_cohort_is_the_study_read_back(study: Path) -> None:
    cohort = simulate_cohort(400, seed=5)
    pd.testing.assert_frame_equal(cohort.patients, import_cbioportal(study).patients)
    assert cohort.metadata["source"] == {"reader": "simulation", "n_patients": 400, "seed": 5}


def test_the_smallest_cohort_can_be_read() -> None:
    assert len(simulate_cohort(20, seed=0).patients) == 20


@pytest.mark.parametrize(("size", "seed", "column"), [(19, 0, "n_patients"), (50, -1, "seed")])
def test_arguments_out_of_range(tmp_path: Path, size: int, seed: int, column: str) -> None:
    with pytest.raises(InputError) as error:
        write_raw_files(tmp_path / "study", size, seed)
    assert error.value.column == column
    assert not (tmp_path / "study").exists()


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="the folder is not empty"):
        write_raw_files(tmp_path, 50)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_study_without_truth(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the true log hazards are not there"):
        read_truth(tmp_path)
