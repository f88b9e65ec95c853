"""Patients and samples of a cBioPortal study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.readers.study_files import StudyFiles
from nbrelapse.cohort.readers.target_barcodes import target_timepoints
from nbrelapse.cohort.readers.tumour_purity import purity_from_percent
from nbrelapse.cohort.schema import PATIENTS, SAMPLES
from nbrelapse.cohort.vocabulary import as_text, normalise_levels
from nbrelapse.errors import InputError


def read_clinical(
    study: StudyFiles, keys: Mapping[str, Any], timepoint: str | None, repairs: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Read the clinical files.

    Parameters
    ----------
    study : StudyFiles
    keys : dict
        ``cbioportal_keys.toml``.
    timepoint : str or None
        Of samples for which neither an attribute nor a TARGET code says it.
    repairs : list of str
        What was changed is appended.

    Returns
    -------
    patients, samples : DataFrame
        With the schema's column names; values as the files spell them.
    unread : list of str
        Attributes that the cohort has no column for.

    Raises
    ------
    InputError
        A clinical file is missing or lacks ``PATIENT_ID`` or ``SAMPLE_ID``.
    """
    raw_patients, unread = _attributes(study, keys, "patient", ["PATIENT_ID"])
    raw_samples, unread_samples = _attributes(study, keys, "sample", ["PATIENT_ID", "SAMPLE_ID"])
    samples = pd.DataFrame({name: as_text(raw_samples[name]) for name in ("sample_id", "patient_id")})
    samples["timepoint"] = _timepoint(study, keys, raw_samples, timepoint)
    samples["purity"] = _purity(raw_patients, raw_samples, samples, repairs)
    patients = raw_patients.drop(columns="purity_percent", errors="ignore")
    patients["patient_id"] = as_text(patients["patient_id"])
    lifted = [str(name) for name in raw_samples.columns if name in PATIENTS.columns and name != "patient_id"]
    of_patient = _lift(raw_samples, samples, lifted)
    for name in lifted:
        values = patients["patient_id"].map(of_patient[name])
        patients[name] = as_text(patients[name]).fillna(values) if name in patients else values
    if "split" in lifted:
        patients["split"] = patients["split"].astype("str").str.lower()
    return patients, samples, unread + unread_samples


def _attributes(
    study: StudyFiles, keys: Mapping[str, Any], kind: str, required: list[str]
) -> tuple[pd.DataFrame, list[str]]:
    name = study.first(keys["files"][kind])
    if name is None:
        raise InputError(
            f"the study has no {kind} file",
            file=study.source,
            expected=" or ".join(keys["files"][kind]),
            mend="give the folder or archive of one study, as downloaded",
        )
    table = study.table(name)
    absent = [column for column in required if column not in table]
    if absent:
        raise InputError(
            "a column is missing",
            file=study.where(name),
            column=", ".join(absent),
            expected="four lines that start with #, then the header",
        )
    own = {**PATIENTS.columns, **(SAMPLES.columns if kind == "sample" else {})}
    known = {column.upper(): column for column in map(str, own)} | keys[f"{kind}_attributes"]
    chosen = {column: known[column] for column in table.columns if column in known}
    superseded = keys["superseded"]["attributes"]
    unread = [column for column in table.columns if column not in chosen and column not in superseded]
    return table[list(chosen)].rename(columns=chosen), unread


def _timepoint(study: StudyFiles, keys: Mapping[str, Any], samples: pd.DataFrame, default: str | None) -> pd.Series:
    by_code = target_timepoints(samples["sample_id"]).replace({"normal": "other"})
    if "timepoint" in samples:
        file = study.where(study.first(keys["files"]["sample"]) or "")
        said = normalise_levels(samples["timepoint"].rename("TIMEPOINT or SAMPLE_TYPE"), "timepoint", file=file)
        by_code = said.fillna(by_code)
    return by_code if default is None else by_code.fillna(default)


def _purity(patients: pd.DataFrame, raw_samples: pd.DataFrame, samples: pd.DataFrame, repairs: list[str]) -> pd.Series:
    """Purity as a fraction: the sample's own, or the patient's percentage for diagnosis samples."""
    own = pd.to_numeric(as_text(raw_samples["purity"]), errors="coerce") if "purity" in raw_samples else np.nan
    purity = pd.Series(own, index=samples.index, dtype="float64")
    if "purity_percent" not in patients:
        return purity
    by_patient = purity_from_percent(patients["purity_percent"], repairs).set_axis(as_text(patients["patient_id"]))
    by_patient = by_patient[~by_patient.index.duplicated()]
    at_diagnosis = samples["timepoint"] == "diagnosis"
    return purity.fillna(samples["patient_id"].map(by_patient).where(at_diagnosis))


def _lift(raw: pd.DataFrame, samples: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """First known value among a patient's diagnosis samples, in order of sample id."""
    values = pd.DataFrame({name: as_text(raw[name]) for name in columns}, index=raw.index)
    chosen = values.assign(patient_id=samples["patient_id"], sample_id=samples["sample_id"])
    chosen = chosen[samples["timepoint"] == "diagnosis"].sort_values("sample_id")
    return chosen.groupby("patient_id")[columns].first()
