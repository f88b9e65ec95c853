"""A cBioPortal study of any size, made up in seconds: every count is a fixed multiple of the number of samples."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from _document import DataAbsentError
from _synthetic_mutations import write_mutations
from _synthetic_segments import write_segments
from _synthetic_tables import COLUMNS, append_rows, write_lines
from nbrelapse.mechanisms.genome import _AUTOSOMES

STUDY = "synthetic"
MUTATIONS, SEGMENTS, REARRANGEMENTS = 10, 50, 30
"""MAF rows and segments a sample, and rearrangements a carrier."""
CARRIERS = 100
"""One sample in so many carries rearrangements, ten times as many were looked at."""
BYTES_A_SAMPLE = 12_000
CHUNK = 10_000


def write_synthetic_study(folder: Path, samples: int, seed: int = 0) -> Path:
    """Write a study of neuroblastoma-like samples with 10 mutations and 50 segments each.

    Parameters
    ----------
    folder : Path
        A new folder; its parent exists.
    samples : int
        One a patient; about 12 kB each on disk.
    seed : int, default 0

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataAbsentError
        There is not enough space on the disk.
    """
    free, needed = shutil.disk_usage(folder.parent).free / 1e9, 1.2 * samples * BYTES_A_SAMPLE / 1e9
    if free < needed:
        raise DataAbsentError(
            f"{folder.parent} has {free:.1f} GB free, a study of {samples} samples needs {needed:.1f} GB;"
            " set TMPDIR to a folder on a larger disk"
        )
    (folder / "case_lists").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    patients = pa.array([f"SYN-30-{number:06d}" for number in range(samples)])
    ids = pa.array([f"SYN-30-{number:06d}-01" for number in range(samples)])
    _write_clinical(folder, rng, patients, ids)
    write_mutations(folder / "data_mutations.txt", rng, ids, MUTATIONS, CHUNK)
    write_segments(folder / "data_cna_hg19.seg", rng, ids, CHUNK)
    _write_rearrangements(folder / "data_sv.txt", rng, ids)
    _write_descriptions(folder, ids)
    return folder


def _write_clinical(folder: Path, rng: np.random.Generator, patients: pa.Array, ids: pa.Array) -> None:
    count = len(ids)
    followup, event = rng.integers(30, 4000, count), rng.random(count) < 0.4
    event_days = (followup * np.where(event, rng.uniform(0.1, 1, count), 1)).astype(int)
    died = event & (rng.random(count) < 0.6)
    risk_group = ["High Risk", "High Risk", "Intermediate Risk", "Low Risk", "Unknown"]
    known: dict[str, object] = {
        "PATIENT_ID": patients,
        "AGE_IN_DAYS": rng.lognormal(6.3, 1.0, count).astype(int) + 1,
        "YEAR_OF_DIAGNOSIS": rng.integers(1990, 2020, count),
        "INSS_STAGE": _any_of(rng, ["Stage 1", "Stage 2a", "Stage 2b", "Stage 3", "Stage 4", "Stage 4s"], count),
        "TUMOR_SAMPLE_HISTOLOGY": _any_of(rng, ["Unfavorable", "Favorable", "Unknown"], count),
        "EFS_TIME": event_days,
        "SEX": _any_of(rng, ["Male", "Female"], count),
        "RISK_GROUP": _any_of(rng, risk_group, count),
        "PERCENTAGE_TUMOR_PURITY": rng.integers(40, 100, count),
        "FIRST_EVENT": np.where(event, _any_of(rng, ["Relapse", "Progression", "Event"], count), "Censored"),
        "OS_STATUS": np.where(died, "1:DECEASED", "0:LIVING"),
        "OS_DAYS": followup,
    }
    _write_attributes(folder / "data_clinical_patient.txt", COLUMNS["patient"], known, count)
    known = {
        "PATIENT_ID": patients,
        "SAMPLE_ID": ids,
        "MYCN": _any_of(rng, ["Amplified", "Not Amplified", "Not Amplified", "Unknown"], count),
        "PLOIDY": _any_of(rng, ["Hyperdiploid (DI>1)", "Diploid (DI=1)", "Unknown"], count),
        "GRADE": _any_of(rng, ["Undifferentiated or Poorly Differentiated", "Differentiating", "Unknown"], count),
        "MKI": _any_of(rng, ["Low", "Intermediate", "High", "Unknown"], count),
        "SAMPLE_TYPE": np.full(count, "Primary"),
    }
    _write_attributes(folder / "data_clinical_sample.txt", COLUMNS["sample"], known, count)


def _any_of(rng: np.random.Generator, values: list[str], count: int) -> np.ndarray:
    return np.array(values)[rng.integers(len(values), size=count)]


def _write_attributes(file: Path, columns: list[str], known: dict[str, object], count: int) -> None:
    empty = pa.array(np.full(count, ""))
    names = "\t".join(columns)
    types, priorities = ("\t".join([word] * len(columns)) for word in ("STRING", "1"))
    head = f"#{names}\n#{names}\n#{types}\n#{priorities}\n{names}\n"
    with file.open("wb") as stream:
        stream.write(head.encode())
        append_rows(stream, pa.table({name: known.get(name, empty) for name in columns}))


def _write_rearrangements(file: Path, rng: np.random.Generator, ids: pa.Array) -> None:
    carriers = np.arange(0, len(ids), CARRIERS)
    count = len(carriers) * REARRANGEMENTS
    chromosomes = np.array([*_AUTOSOMES, "X"])
    first, second = rng.integers(len(chromosomes), size=(2, count))
    second = np.where(rng.random(count) < 0.6, first, second)
    near_tert = (np.arange(count) % (5 * REARRANGEMENTS)) == 0
    gene = _any_of(rng, [f"GENE{number:05d}" for number in range(5000)], count)
    columns = {
        "Sample_Id": ids.take(pa.array(np.repeat(carriers, REARRANGEMENTS))),
        "SV_Status": np.full(count, "SOMATIC"),
        "Site1_Hugo_Symbol": np.where(near_tert, "TERT", gene),
        "Site1_Chromosome": np.where(near_tert, "5", chromosomes[first]),
        "Site1_Position": np.where(near_tert, 1_290_000, rng.integers(1, 45_000_000, count)),
        "Site2_Hugo_Symbol": rng.permutation(gene),
        "Site2_Chromosome": chromosomes[second],
        "Site2_Position": rng.integers(1, 45_000_000, count),
        "NCBI_Build": np.full(count, "GRCh37"),
        "Class": _any_of(rng, ["DELETION", "DUPLICATION", "INVERSION", "TRANSLOCATION"], count),
        "Tumor_Read_Count": rng.integers(4, 80, count),
        "Event_Info": np.full(count, "Protein Fusion: out of frame"),
    }
    with file.open("wb") as stream:
        stream.write(("\t".join(COLUMNS["rearrangement"]) + "\n").encode())
        append_rows(stream, pa.table({name: columns[name] for name in COLUMNS["rearrangement"]}))


def _write_descriptions(folder: Path, ids: pa.Array) -> None:
    """Meta files, and the case lists that say who was looked at."""
    about = {"cancer_study_identifier": STUDY}
    write_lines(folder / "meta_study.txt", {"type_of_cancer": "nbl", **about, "name": "Synthetic"})
    segments = {"data_filename": "data_cna_hg19.seg", "reference_genome_id": "hg19"}
    kind = {"genetic_alteration_type": "COPY_NUMBER_ALTERATION", "datatype": "SEG"}
    write_lines(folder / "meta_cna_hg19_seg.txt", {**about, **kind, **segments})
    for name, alteration, datatype in (("mutations", "MUTATION_EXTENDED", "MAF"), ("sv", "STRUCTURAL_VARIANT", "SV")):
        kind = {"genetic_alteration_type": alteration, "datatype": datatype}
        write_lines(folder / f"meta_{name}.txt", {**about, **kind, "data_filename": f"data_{name}.txt"})
    profiled = {
        "all": ids,
        "sequenced": ids,
        "cna": ids,
        "sv": ids.take(pa.array(np.arange(0, len(ids), CARRIERS // 10))),
    }
    for name, listed in profiled.items():
        fields = {**about, "stable_id": f"{STUDY}_{name}", "case_list_ids": "\t".join(listed.to_pylist())}
        write_lines(folder / "case_lists" / f"cases_{name}.txt", fields)
