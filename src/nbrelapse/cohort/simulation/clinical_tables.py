"""The clinical tables of a simulated study, in cBioPortal's columns and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

RISK_GROUPS = {"high": "High Risk", "intermediate": "Intermediate Risk", "low": "Low Risk"}


def patient_table(
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


def sample_table(
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
    names = [RISK_GROUPS["high"], RISK_GROUPS["intermediate"]]
    return np.select([drawn["stratum"] < 2, intermediate], names, RISK_GROUPS["low"])


def _hide(rng: np.random.Generator, values: np.ndarray | pd.Series, share: float, word: str = "Unknown") -> np.ndarray:
    text = np.asarray(values).astype(str).astype(object)
    return np.where(rng.random(len(text)) < share, word, text)
