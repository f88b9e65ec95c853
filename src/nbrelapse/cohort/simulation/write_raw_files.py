"""A simulated study as the files that a real one has."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.simulation.calibration import load_calibration
from nbrelapse.cohort.simulation.clinical_tables import patient_table, sample_table
from nbrelapse.cohort.simulation.draw_assays import draw_assays
from nbrelapse.cohort.simulation.draw_courses import draw_courses
from nbrelapse.cohort.simulation.draw_expression import draw_expression
from nbrelapse.cohort.simulation.draw_mutations import draw_mutations, load_variants
from nbrelapse.cohort.simulation.draw_patients import draw_patients
from nbrelapse.cohort.simulation.draw_rearrangements import draw_rearrangements
from nbrelapse.cohort.simulation.draw_relapse_samples import draw_relapse_samples
from nbrelapse.cohort.simulation.draw_segments import draw_segments
from nbrelapse.cohort.simulation.read_truth import TRUTH_FILE
from nbrelapse.cohort.simulation.true_log_hazards import true_log_hazards
from nbrelapse.errors import InputError

STUDY = "simulated"
SMALLEST = 20


def write_raw_files(folder: str | Path, n_patients: int = 500, seed: int = 0) -> Path:
    """Simulate a study of neuroblastoma and write it as cBioPortal would.

    The figures (stages, ages, alterations and their dependence, response, relapse, death, missing assays) and their
    sources stand in ``calibration.toml`` beside the code. Relapse follows a Cox model whose log hazard is the sum of
    the mechanisms' contributions; these are kept aside in ``truth.parquet``, which no reader looks at.

    Parameters
    ----------
    folder : path
        Made where it does not exist; must be empty.
    n_patients : int, default 500
        At least 20.
    seed : int, default 0
        The same seed and size give the same files.

    Returns
    -------
    Path
        The folder: clinical, mutation, segment, SV, expression, panel and case list files.

    Raises
    ------
    InputError
        An argument is out of range, or the folder has content.
    """
    target = Path(folder)
    _check(target, n_patients, seed)
    calibration = load_calibration()
    # One stream for each table: a change in one leaves the others as they are.
    streams = iter(np.random.default_rng(seed).spawn(10))
    drawn = draw_patients(next(streams), n_patients, calibration)
    drawn["patient_id"] = [f"SIM-{number:06d}" for number in range(1, n_patients + 1)]
    drawn["sample_id"] = drawn["patient_id"] + "-01"
    truth = true_log_hazards(drawn, calibration["log_hazards"])
    log_hazard = truth.sum(axis=1).to_numpy() - calibration["course"]["mean_log_hazard"]
    courses = draw_courses(next(streams), drawn, log_hazard, calibration)
    drawn = drawn.join(draw_assays(next(streams), drawn, calibration))
    relapse = draw_relapse_samples(next(streams), drawn, courses, calibration)
    target.mkdir(parents=True, exist_ok=True)
    _write_clinical(target, "patient", patient_table(next(streams), drawn, courses, calibration))
    _write_clinical(target, "sample", sample_table(next(streams), drawn, relapse, calibration))
    samples = pd.concat([drawn, relapse], ignore_index=True)
    _write_molecular(target, samples, streams)
    _write_profiled(target, samples)
    truth.insert(0, "patient_id", drawn["patient_id"])
    truth.to_parquet(target / TRUTH_FILE, index=False)
    return target


def _check(folder: Path, n_patients: int, seed: int) -> None:
    if n_patients < SMALLEST:
        raise InputError(
            f"{n_patients} patients are too few to simulate", column="n_patients", expected=f"at least {SMALLEST}"
        )
    if seed < 0:
        raise InputError(f"illegal seed {seed}", column="seed", expected="0 or more")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("the folder is not empty", file=folder, mend="choose a new folder")


def _write_clinical(folder: Path, kind: str, table: pd.DataFrame) -> None:
    text = resources.files("nbrelapse.cohort.simulation").joinpath("clinical_columns.toml").read_text(encoding="utf-8")
    columns: Mapping[str, Any] = tomllib.loads(text)[kind]
    names, types, priorities = zip(*columns.values(), strict=True)
    head = ["#" + "\t".join(map(str, line)) for line in (names, names, types, priorities)]
    file = folder / f"data_clinical_{kind}.txt"
    file.write_text("\n".join(head) + "\n", encoding="utf-8")
    table.reindex(columns=list(columns)).to_csv(file, sep="\t", index=False, mode="a", lineterminator="\n")


def _write_molecular(folder: Path, samples: pd.DataFrame, streams: Iterable[np.random.Generator]) -> None:
    rng = iter(streams)
    tables = {
        "data_mutations.txt": draw_mutations(next(rng), _profiled(samples, "mutations")),
        "data_cna_hg19.seg": draw_segments(next(rng), _profiled(samples, "copy_number")),
        "data_sv.txt": draw_rearrangements(next(rng), _profiled(samples, "rearrangements")),
        "data_mrna_seq_rpkm.txt": draw_expression(next(rng), _profiled(samples, "expression")).reset_index(),
    }
    for name, table in tables.items():
        table.to_csv(folder / name, sep="\t", index=False, lineterminator="\n")


def _profiled(samples: pd.DataFrame, assay: str) -> pd.DataFrame:
    return samples[samples[assay]].reset_index(drop=True)


def _write_profiled(folder: Path, samples: pd.DataFrame) -> None:
    """Who was profiled: gene panel matrix, panel, case lists; and the study's name."""
    panel = load_variants()["panel"]
    matrix = pd.DataFrame(
        {
            "SAMPLE_ID": samples["sample_id"],
            "mutations": np.where(samples["panel"], panel["name"], np.where(samples["mutations"], "WGS", "NA")),
            "structural_variants": np.where(samples["rearrangements"], "WGS", "NA"),
        }
    )
    matrix.to_csv(folder / "data_gene_panel_matrix.txt", sep="\t", index=False, lineterminator="\n")
    _write_fields(
        folder / f"data_gene_panel_{panel['name']}.txt",
        {"stable_id": panel["name"], "description": "Simulated panel", "gene_list": "\t".join(panel["genes"])},
    )
    _write_fields(
        folder / "meta_study.txt",
        {
            "type_of_cancer": "nbl",
            "cancer_study_identifier": STUDY,
            "name": "Simulated neuroblastoma",
            "description": "Simulated by nbrelapse; no real patient is described",
        },
    )
    lists = {"all": None, "sequenced": "mutations", "cna": "copy_number", "sv": "rearrangements"}
    for name, assay in (lists | {"rna_seq_mrna": "expression"}).items():
        ids = samples["sample_id"] if assay is None else _profiled(samples, assay)["sample_id"]
        fields = {
            "cancer_study_identifier": STUDY,
            "stable_id": f"{STUDY}_{name}",
            "case_list_name": name,
            "case_list_description": f"{len(ids)} samples",
            "case_list_ids": "\t".join(ids),
        }
        (folder / "case_lists").mkdir(exist_ok=True)
        _write_fields(folder / "case_lists" / f"cases_{name}.txt", fields)


def _write_fields(file: Path, fields: Mapping[str, str]) -> None:
    file.write_text("".join(f"{key}: {value}\n" for key, value in fields.items()), encoding="utf-8")
