"""Who the patients are and what their tumours carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.simulation.calibration import STRATA, by_stratum

EIGHTEEN_MONTHS = 547
"""Days; the cut of the INRG classification, Cohn 2009, PMC2650388."""


def draw_patients(rng: np.random.Generator, n_patients: int, calibration: Mapping[str, Any]) -> pd.DataFrame:
    """Draw clinical characteristics, alterations and expression programs.

    Parameters
    ----------
    rng : Generator
    n_patients : int
    calibration : dict
        Content of ``calibration.toml``.

    Returns
    -------
    DataFrame
        A row a patient: ``stage``, ``age_days``, ``stratum`` (position in ``STRATA``), alterations as 0 and 1,
        programs in standard deviations, clinical values without missing ones.
    """
    drawn = _stage_and_age(rng, n_patients, calibration["stages"])
    for name, figures in calibration["alterations"].items():
        drawn[name] = _draw_alteration(rng, drawn, figures)
    drawn = _telomere(rng, drawn, calibration["telomere"])
    drawn = _clinical(rng, drawn, calibration["clinical"])
    for name, shifts in calibration["latents"].items():
        mean = sum((drawn[cause] * shift for cause, shift in shifts.items()), start=np.zeros(n_patients))
        drawn[name] = mean + rng.standard_normal(n_patients)
    return drawn


def _stage_and_age(rng: np.random.Generator, n_patients: int, stages: Mapping[str, Any]) -> pd.DataFrame:
    names = list(stages)
    figures = pd.DataFrame(list(stages.values()))
    position = rng.choice(len(names), size=n_patients, p=figures["share"] / figures["share"].sum())
    own = figures.iloc[position].reset_index(drop=True)
    stage = np.array(names)[position]
    log_age = np.log(own["median_age_days"]) + own["log_age_sd"] * rng.standard_normal(n_patients)
    oldest = np.where(stage == "4S", 364, 25 * 365)
    age = np.clip(np.floor(np.exp(log_age)), 0, oldest).astype(int)
    amplified = rng.random(n_patients) < own["mycn_amplified"]
    high_risk = amplified | ((stage == "4") & (age >= EIGHTEEN_MONTHS))
    stratum = np.where(amplified, 0, np.where(high_risk, 1, 2))
    drawn = pd.DataFrame({"stage": stage, "age_days": age, "stratum": stratum})
    for code, name in enumerate(STRATA):
        drawn[name] = (stratum == code).astype(int)
    return drawn.assign(
        stage_4=(stage == "4").astype(int),
        stage_3=(stage == "3").astype(int),
        stage_4s=(stage == "4S").astype(int),
        age_over_18_months=(age >= EIGHTEEN_MONTHS).astype(int),
        log2_age=np.log2(1 + age / 30.4375),
    )


def _draw_alteration(rng: np.random.Generator, drawn: pd.DataFrame, figures: Mapping[str, Any]) -> np.ndarray:
    probability = by_stratum(figures, drawn["stratum"].to_numpy())
    for cause, log_odds in figures.get("log_odds", {}).items():
        odds = probability / (1 - probability) * np.exp(log_odds * drawn[cause].to_numpy())
        probability = odds / (1 + odds)
    return (rng.random(len(drawn)) < probability).astype(int)


def _telomere(rng: np.random.Generator, drawn: pd.DataFrame, figures: Mapping[str, Any]) -> pd.DataFrame:
    """TERT rearrangement or ATRX alteration, never both."""
    stratum = drawn["stratum"].to_numpy()
    age = drawn["age_days"].to_numpy()
    tert = by_stratum(figures["tert"], stratum)
    atrx = np.where(age < 365, 0.0, by_stratum(figures["atrx"], stratum))
    atrx = np.where((age >= 12 * 365) & (stratum == 1), figures["atrx_adolescent"], atrx)
    u = rng.random(len(drawn))
    altered = (u >= tert) & (u < tert + atrx)
    deleted = altered & (rng.random(len(drawn)) < figures["atrx_deletion_share"])
    return drawn.assign(
        tert_rearranged=(u < tert).astype(int),
        atrx_altered=altered.astype(int),
        atrx_deleted=deleted.astype(int),
        atrx_truncated=(altered & ~deleted).astype(int),
    )


def _clinical(rng: np.random.Generator, drawn: pd.DataFrame, figures: Mapping[str, Any]) -> pd.DataFrame:
    n_patients = len(drawn)
    stratum = drawn["stratum"].to_numpy()
    u = rng.random(n_patients)
    low = by_stratum(figures["mki_low"], stratum)
    intermediate = low + by_stratum(figures["mki_intermediate"], stratum)
    mki = np.where(u < low, "Low", np.where(u < intermediate, "Intermediate", "High"))
    first, last = figures["years"]
    unfavorable = rng.random(n_patients) < by_stratum(figures["unfavorable_histology"], stratum)
    undifferentiated = rng.random(n_patients) < by_stratum(figures["undifferentiated"], stratum)
    ldh = by_stratum(figures["log2_ldh"], stratum) + figures["log2_ldh"]["sd"] * rng.standard_normal(n_patients)
    ferritin = by_stratum(figures["log2_ferritin"], stratum)
    ferritin = ferritin + figures["log2_ferritin"]["sd"] * rng.standard_normal(n_patients)
    return drawn.assign(
        male=(rng.random(n_patients) < figures["male"]).astype(int),
        unfavorable_histology=unfavorable.astype(int),
        undifferentiated=undifferentiated.astype(int),
        mki=mki,
        mki_high=(mki == "High").astype(int),
        log2_ldh=ldh,
        log2_ferritin=ferritin,
        diagnosis_year=rng.integers(first, last + 1, size=n_patients),
        purity=0.45 + 0.5 * rng.beta(3.0, 2.0, size=n_patients),
        discovery=rng.random(n_patients) < 0.55,
    )
