"""A simulated study as the raw files that a real one has, and its true log hazards read back."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.readers.cbioportal import import_cbioportal
from nbrelapse.simulation.genomes import (
    _draw_expression,
    _draw_mutations,
    _draw_rearrangements,
    _draw_segments,
    _load_variants,
)
from nbrelapse.simulation.patients import (
    _draw_assays,
    _draw_courses,
    _draw_patients,
    _draw_relapse_samples,
    _load_calibration,
    _true_log_hazards,
)

_STUDY = "simulated"
_SMALLEST = 20


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
    calibration = _load_calibration()
    # One stream for each table: a change in one leaves the others as they are.
    streams = iter(np.random.default_rng(seed).spawn(10))
    drawn = _draw_patients(next(streams), n_patients, calibration)
    drawn["patient_id"] = [f"SIM-{number:06d}" for number in range(1, n_patients + 1)]
    drawn["sample_id"] = drawn["patient_id"] + "-01"
    truth = _true_log_hazards(drawn, calibration["log_hazards"])
    log_hazard = truth.sum(axis=1).to_numpy() - calibration["course"]["mean_log_hazard"]
    courses = _draw_courses(next(streams), drawn, log_hazard, calibration)
    drawn = drawn.join(_draw_assays(next(streams), drawn, calibration))
    relapse = _draw_relapse_samples(next(streams), drawn, courses, calibration)
    target.mkdir(parents=True, exist_ok=True)
    _write_clinical(target, "patient", _patient_table(next(streams), drawn, courses, calibration))
    _write_clinical(target, "sample", _sample_table(next(streams), drawn, relapse, calibration))
    samples = pd.concat([drawn, relapse], ignore_index=True)
    _write_molecular(target, samples, streams)
    _write_profiled(target, samples)
    truth.insert(0, "patient_id", drawn["patient_id"])
    truth.to_parquet(target / TRUTH_FILE, index=False)
    return target


def _check(folder: Path, n_patients: int, seed: int) -> None:
    if n_patients < _SMALLEST:
        raise InputError(
            f"{n_patients} patients are too few to simulate", column="n_patients", expected=f"at least {_SMALLEST}"
        )
    if seed < 0:
        raise InputError(f"illegal seed {seed}", column="seed", expected="0 or more")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("the folder is not empty", file=folder, fix="choose a new folder")


def _write_clinical(folder: Path, kind: str, table: pd.DataFrame) -> None:
    text = resources.files("nbrelapse.simulation").joinpath("clinical_columns.toml").read_text(encoding="utf-8")
    columns: Mapping[str, Any] = tomllib.loads(text)[kind]
    names, types, priorities = zip(*columns.values(), strict=True)
    head = ["#" + "\t".join(map(str, line)) for line in (names, names, types, priorities)]
    file = folder / f"data_clinical_{kind}.txt"
    file.write_text("\n".join(head) + "\n", encoding="utf-8")
    table.reindex(columns=list(columns)).to_csv(file, sep="\t", index=False, mode="a", lineterminator="\n")


def _write_molecular(folder: Path, samples: pd.DataFrame, streams: Iterable[np.random.Generator]) -> None:
    rng = iter(streams)
    tables = {
        "data_mutations.txt": _draw_mutations(next(rng), _profiled(samples, "mutations")),
        "data_cna_hg19.seg": _draw_segments(next(rng), _profiled(samples, "copy_number")),
        "data_sv.txt": _draw_rearrangements(next(rng), _profiled(samples, "rearrangements")),
        "data_mrna_seq_rpkm.txt": _draw_expression(next(rng), _profiled(samples, "expression")).reset_index(),
    }
    for name, table in tables.items():
        table.to_csv(folder / name, sep="\t", index=False, lineterminator="\n")


def _profiled(samples: pd.DataFrame, assay: str) -> pd.DataFrame:
    return samples[samples[assay]].reset_index(drop=True)


def _write_profiled(folder: Path, samples: pd.DataFrame) -> None:
    """Who was profiled: gene panel matrix, panel, case lists; and the study's name."""
    panel = _load_variants()["panel"]
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
            "cancer_study_identifier": _STUDY,
            "name": "Simulated neuroblastoma",
            "description": "Simulated by nbrelapse; no real patient is described",
        },
    )
    lists = {"all": None, "sequenced": "mutations", "cna": "copy_number", "sv": "rearrangements"}
    for name, assay in (lists | {"rna_seq_mrna": "expression"}).items():
        ids = samples["sample_id"] if assay is None else _profiled(samples, assay)["sample_id"]
        fields = {
            "cancer_study_identifier": _STUDY,
            "stable_id": f"{_STUDY}_{name}",
            "case_list_name": name,
            "case_list_description": f"{len(ids)} samples",
            "case_list_ids": "\t".join(ids),
        }
        (folder / "case_lists").mkdir(exist_ok=True)
        _write_fields(folder / "case_lists" / f"cases_{name}.txt", fields)


def _write_fields(file: Path, fields: Mapping[str, str]) -> None:
    file.write_text("".join(f"{key}: {value}\n" for key, value in fields.items()), encoding="utf-8")


_RISK_GROUPS = {"high": "High Risk", "intermediate": "Intermediate Risk", "low": "Low Risk"}


def _patient_table(
    rng: np.random.Generator, drawn: pd.DataFrame, courses: pd.DataFrame, calibration: Mapping[str, Any]
) -> pd.DataFrame:
    """Rows of ``data_clinical_patient.txt``, with values unknown here and there.

    Parameters
    ----------
    rng : Generator
    drawn, courses : DataFrame
        From ``draw_patients`` (with ``patient_id`` and ``site``) and ``draw_courses``.
    calibration : dict
    """
    unknown = calibration["clinical"]["unknown"]
    years = drawn["diagnosis_year"] + courses["followup_days"] / 365.25
    return pd.DataFrame(
        {
            "PATIENT_ID": drawn["patient_id"],
            "PROTOCOL": drawn["site"],
            "AGE_IN_DAYS": drawn["age_days"],
            "AGE": np.ceil(drawn["age_days"] / 365.25).astype(int),
            "YEAR_OF_DIAGNOSIS": drawn["diagnosis_year"],
            "INSS_STAGE": "Stage " + drawn["stage"].str.lower(),
            "TUMOR_SAMPLE_HISTOLOGY": _hide(
                rng, np.where(drawn["unfavorable_histology"] == 1, "Unfavorable", "Favorable"), unknown["histology"]
            ),
            "DIAGNOSIS": "Neuroblastoma",
            "EFS_TIME": courses["event_days"].astype(int),
            "SEX": np.where(drawn["male"] == 1, "Male", "Female"),
            "RISK_GROUP": _risk_group(drawn),
            "PERCENTAGE_TUMOR_PURITY": np.round(100 * drawn["purity"]).astype(int),
            "FIRST_EVENT": courses["event"],
            "OS_STATUS": np.where(courses["death"], "1:DECEASED", "0:LIVING"),
            "OS_DAYS": courses["followup_days"].astype(int),
            "OS_MONTHS": np.round(courses["followup_days"] / 30.4375, 1),
            "LAST_FOLLOWUP_YEAR": np.floor(years).astype(int),
            "INDUCTION_RESPONSE": courses["response"],
            "LDH": _hide(rng, np.round(np.exp2(drawn["log2_ldh"])).astype(int), unknown["ldh"], ""),
            "FERRITIN": _hide(rng, np.round(np.exp2(drawn["log2_ferritin"])).astype(int), unknown["ferritin"], ""),
        }
    )


def _sample_table(
    rng: np.random.Generator, drawn: pd.DataFrame, relapse_samples: pd.DataFrame, calibration: Mapping[str, Any]
) -> pd.DataFrame:
    """Rows of ``data_clinical_sample.txt``: a diagnosis sample a patient, and the relapse samples.

    Parameters
    ----------
    rng : Generator
    drawn, relapse_samples : DataFrame
        Both with ``patient_id`` and ``sample_id``.
    calibration : dict
    """
    unknown = calibration["clinical"]["unknown"]
    sites = calibration["clinical"]["primary_site"]
    ploidy = np.where(drawn["hyperdiploid"] == 1, "Hyperdiploid (DI>1)", "Diploid (DI=1)")
    grade = np.where(drawn["undifferentiated"] == 1, "Undifferentiated or Poorly Differentiated", "Differentiating")
    first = pd.DataFrame(
        {
            "PATIENT_ID": drawn["patient_id"],
            "SAMPLE_ID": drawn["sample_id"],
            "MYCN": _hide(rng, np.where(drawn["mna"] == 1, "Amplified", "Not Amplified"), unknown["mycn"]),
            "PLOIDY": _hide(rng, ploidy, unknown["ploidy"]),
            "GRADE": _hide(rng, grade, unknown["grade"]),
            "MKI": _hide(rng, drawn["mki"].to_numpy(), unknown["mki"]),
            "ANALYSIS_COHORT": np.where(drawn["discovery"], "DISCOVERY", "VALIDATION"),
            "TUMOR_TISSUE_SITE": rng.choice(list(sites), len(drawn), p=list(sites.values())),
            "SAMPLE_TYPE": "Primary",
        }
    )
    second = pd.DataFrame(
        {
            "PATIENT_ID": relapse_samples["patient_id"],
            "SAMPLE_ID": relapse_samples["sample_id"],
            "MYCN": np.where(relapse_samples["mna"] == 1, "Amplified", "Not Amplified"),
            "SAMPLE_TYPE": "Recurrence",
        }
    )
    both = pd.concat([first, second], ignore_index=True)
    return both.assign(
        ONCOTREE_CODE="NBL", CANCER_TYPE="Peripheral Nervous System", CANCER_TYPE_DETAILED="Neuroblastoma"
    )


def _risk_group(drawn: pd.DataFrame) -> np.ndarray:
    """High: MYCN amplified, or stage 4 from 18 months; intermediate: stages 3 and 4 else, and unfavourable 4S."""
    special = (drawn["stage"] == "4S") & ((drawn["unfavorable_histology"] == 1) | (drawn["hyperdiploid"] == 0))
    intermediate = drawn["stage"].isin(["3", "4"]) | special
    names = [_RISK_GROUPS["high"], _RISK_GROUPS["intermediate"]]
    return np.select([drawn["stratum"] < 2, intermediate], names, _RISK_GROUPS["low"])


def _hide(rng: np.random.Generator, values: np.ndarray | pd.Series, share: float, word: str = "Unknown") -> np.ndarray:
    text = np.asarray(values).astype(str).astype(object)
    return np.where(rng.random(len(text)) < share, word, text)


TRUTH_FILE = "truth.parquet"


def read_truth(folder: str | Path) -> pd.DataFrame:
    """Read what :func:`write_raw_files` kept aside.

    Parameters
    ----------
    folder : path
        The folder that the study was written to.

    Returns
    -------
    DataFrame of float64
        Index ``patient_id``, a column a mechanism: its true contribution to the log hazard of relapse or
        progression. The log hazard is the sum of the columns, up to a constant; a mechanism without effect is 0.

    Raises
    ------
    InputError
        The folder has no truth file.
    """
    file = Path(folder) / TRUTH_FILE
    if not file.exists():
        raise InputError(
            "the true log hazards are not there",
            file=file,
            expected="a folder written by write_raw_files (`nbrelapse cohort simulate`)",
        )
    return pd.read_parquet(file).set_index("patient_id")


def simulate_cohort(n_patients: int = 500, seed: int = 0) -> Cohort:
    """Simulate a study and read its files with the reader of real studies.

    Parameters
    ----------
    n_patients : int, default 500
    seed : int, default 0

    Returns
    -------
    Cohort
        Named ``simulated``; equal arguments give equal cohorts. The true log hazards are not in it: use
        :func:`write_raw_files` and :func:`read_truth` where they are wanted.

    Raises
    ------
    InputError
        `n_patients` or `seed` is out of range.

    Examples
    --------
    >>> cohort = simulate_cohort(60, seed=1)
    >>> len(cohort.patients), cohort.name
    (60, 'simulated')
    """
    with tempfile.TemporaryDirectory(prefix="nbrelapse-simulated-") as folder:
        cohort = import_cbioportal(write_raw_files(Path(folder) / "simulated", n_patients, seed))
    source: dict[str, Any] = {"reader": "simulation", "n_patients": n_patients, "seed": seed}
    return replace(cohort, metadata={**cohort.metadata, "source": source})
