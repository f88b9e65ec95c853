"""Simulated patients: tumour findings, assays, courses of disease, relapse samples, and the true hazards."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

_EIGHTEEN_MONTHS = 547
"""Days; the cut of the INRG classification, Cohn 2009, PMC2650388."""


def _draw_patients(rng: np.random.Generator, n_patients: int, calibration: Mapping[str, Any]) -> pd.DataFrame:
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
    high_risk = amplified | ((stage == "4") & (age >= _EIGHTEEN_MONTHS))
    stratum = np.where(amplified, 0, np.where(high_risk, 1, 2))
    drawn = pd.DataFrame({"stage": stage, "age_days": age, "stratum": stratum})
    for code, name in enumerate(_STRATA):
        drawn[name] = (stratum == code).astype(int)
    return drawn.assign(
        stage_4=(stage == "4").astype(int),
        stage_3=(stage == "3").astype(int),
        stage_4s=(stage == "4S").astype(int),
        age_over_18_months=(age >= _EIGHTEEN_MONTHS).astype(int),
        log2_age=np.log2(1 + age / 30.4375),
    )


def _draw_alteration(rng: np.random.Generator, drawn: pd.DataFrame, figures: Mapping[str, Any]) -> np.ndarray:
    probability = _by_stratum(figures, drawn["stratum"].to_numpy())
    for cause, log_odds in figures.get("log_odds", {}).items():
        odds = probability / (1 - probability) * np.exp(log_odds * drawn[cause].to_numpy())
        probability = odds / (1 + odds)
    return (rng.random(len(drawn)) < probability).astype(int)


def _telomere(rng: np.random.Generator, drawn: pd.DataFrame, figures: Mapping[str, Any]) -> pd.DataFrame:
    """TERT rearrangement or ATRX alteration, never both."""
    stratum = drawn["stratum"].to_numpy()
    age = drawn["age_days"].to_numpy()
    tert = _by_stratum(figures["tert"], stratum)
    atrx = np.where(age < 365, 0.0, _by_stratum(figures["atrx"], stratum))
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
    low = _by_stratum(figures["mki_low"], stratum)
    intermediate = low + _by_stratum(figures["mki_intermediate"], stratum)
    mki = np.where(u < low, "Low", np.where(u < intermediate, "Intermediate", "High"))
    first, last = figures["years"]
    unfavorable = rng.random(n_patients) < _by_stratum(figures["unfavorable_histology"], stratum)
    undifferentiated = rng.random(n_patients) < _by_stratum(figures["undifferentiated"], stratum)
    ldh = _by_stratum(figures["log2_ldh"], stratum) + figures["log2_ldh"]["sd"] * rng.standard_normal(n_patients)
    ferritin = _by_stratum(figures["log2_ferritin"], stratum)
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


_ASSAYS = ("copy_number", "mutations", "rearrangements", "expression")


def _draw_assays(rng: np.random.Generator, drawn: pd.DataFrame, calibration: Mapping[str, Any]) -> pd.DataFrame:
    """Draw each patient's site, and from site and year of diagnosis the assays: they are missing in blocks.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From :func:`_draw_patients`.
    calibration : dict

    Returns
    -------
    DataFrame
        ``site``; booleans ``copy_number``, ``mutations``, ``rearrangements``, ``expression``; ``panel``: sequenced
        with a gene panel instead of the whole genome.
    """
    sites = pd.DataFrame.from_dict(calibration["sites"], orient="index")
    position = rng.choice(len(sites), size=len(drawn), p=sites["share"] / sites["share"].sum())
    own = sites.iloc[position]
    year = drawn["diagnosis_year"].to_numpy()
    assays = pd.DataFrame({name: year >= own[name].to_numpy() for name in _ASSAYS}, index=drawn.index)
    panel = own["panel"].eq(True).to_numpy() & assays["mutations"].to_numpy()
    return assays.assign(site=own.index.to_numpy(), panel=panel)


_DAYS_PER_YEAR = 365.25


def _draw_courses(
    rng: np.random.Generator, drawn: pd.DataFrame, log_hazard: np.ndarray, calibration: Mapping[str, Any]
) -> pd.DataFrame:
    """Draw response, first event, death and end of follow-up.

    Relapse or progression has the cumulative hazard ``exp(log_hazard) * plateau * F(t)`` with a log-normal F: the
    hazards are proportional, most events fall into the first years, and a fraction ``exp(-exp(log_hazard) * plateau)``
    never relapses (promotion time model of cure, 10.1006/jmva.2000.1975). Death before relapse competes.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From :func:`_draw_patients`.
    log_hazard : ndarray of shape (n_patients,)
        Sum of the true contributions.
    calibration : dict

    Returns
    -------
    DataFrame
        ``response`` (CR, PR, MR, SD, PD or empty), ``event`` (words of cBioPortal's FIRST_EVENT), ``event_days``,
        ``death``, ``followup_days``.
    """
    figures = calibration["course"]
    n_patients = len(drawn)
    stratum = drawn["stratum"].to_numpy()
    hazard = figures["plateau"] * np.exp(log_hazard)
    relapse = _time(rng, hazard, figures["relapse_median_days"], figures["relapse_log_sd"])
    competing = -np.log1p(-_by_stratum(figures["competing"], stratum))
    other = _time(rng, competing, figures["competing_median_days"], figures["competing_log_sd"])
    end = _end_of_followup(rng, drawn, calibration)
    first = np.minimum(relapse, other)
    happened = first <= end
    relapsed = happened & (relapse <= other)
    second_malignancy = happened & ~relapsed & (rng.random(n_patients) < figures["second_malignancy_share"])
    event_days = np.where(happened, first, end)
    refractory = _refractory(rng, drawn, calibration["refractory"])
    early = relapsed & ((event_days < figures["progression_before_days"]) | refractory)
    share = np.where(early, figures["progression_share"]["early"], figures["progression_share"]["late"])
    progressed = relapsed & (rng.random(n_patients) < share)
    event = np.select(
        [progressed, relapsed, second_malignancy, happened],
        ["Progression", "Relapse", "Second Malignant Neoplasm", "Death"],
        "Censored",
    )
    death_days = _death(rng, stratum, np.where(relapsed | second_malignancy, event_days, np.inf), figures)
    death_days = np.where(event == "Death", event_days, death_days)
    dead = death_days <= end
    old = drawn["diagnosis_year"].to_numpy() < figures["unspecified_before_year"]
    unspecified = relapsed & old & (rng.random(n_patients) < figures["unspecified_share"])
    response = _response(rng, drawn, refractory, event, event_days, calibration["refractory"])
    return pd.DataFrame(
        {
            "response": response,
            "event": np.where(unspecified, "Event", event),
            "relapsed": relapsed,
            "event_days": np.maximum(np.ceil(event_days), 1),
            "death": dead,
            "followup_days": np.maximum(np.ceil(np.where(dead, death_days, end)), 1),
        }
    )


def _time(rng: np.random.Generator, hazard: np.ndarray, median: float, log_sd: float) -> np.ndarray:
    """Draw times of cumulative hazard ``hazard * F(t)``, F log-normal; infinite for those who never have the event."""
    reached = rng.exponential(size=len(hazard)) / hazard
    cured = reached >= 1
    return np.where(cured, np.inf, median * np.exp(log_sd * ndtri(np.where(cured, 0.5, reached))))


def _end_of_followup(rng: np.random.Generator, drawn: pd.DataFrame, calibration: Mapping[str, Any]) -> np.ndarray:
    figures = calibration["clinical"]
    since = figures["followup_until"] - drawn["diagnosis_year"].to_numpy() - rng.random(len(drawn))
    dropout = rng.exponential(1 / figures["dropout_per_year"], size=len(drawn))
    return np.ceil(np.minimum(since, dropout) * _DAYS_PER_YEAR) + 1


def _refractory(rng: np.random.Generator, drawn: pd.DataFrame, figures: Mapping[str, Any]) -> np.ndarray:
    logit = np.full(len(drawn), figures["intercept"])
    for name, log_odds in figures["log_odds"].items():
        logit += log_odds * drawn[name].to_numpy()
    return rng.random(len(drawn)) < 1 / (1 + np.exp(-logit))


def _response(
    rng: np.random.Generator,
    drawn: pd.DataFrame,
    refractory: np.ndarray,
    event: np.ndarray,
    event_days: np.ndarray,
    figures: Mapping[str, Any],
) -> np.ndarray:
    """Response at the end of induction; empty without induction, and for who died or was lost before its end."""
    shares = figures["shares"]
    u = rng.random(len(drawn))
    responding = np.where(u < shares["CR"], "CR", "PR")
    progressed = np.isin(event, ["Progression"]) & (event_days < 365)
    resisting = np.where(u < shares["MR"], "MR", np.where(progressed, "PD", "SD"))
    treated = (drawn["stratum"].to_numpy() < 2) | drawn["stage"].isin(["3", "4"]).to_numpy()
    gone = np.isin(event, ["Death", "Censored"]) & (event_days < figures["earliest_days"])
    return np.where(treated & ~gone, np.where(refractory, resisting, responding), "")


def _death(
    rng: np.random.Generator, stratum: np.ndarray, from_days: np.ndarray, figures: Mapping[str, Any]
) -> np.ndarray:
    """Day of death after the first event; infinite for those who do not die of it."""
    fatal = rng.random(len(stratum)) < _by_stratum(figures["fatal"], stratum)
    median = _by_stratum(figures["fatal_median_days"], stratum)
    after = median * np.exp(figures["fatal_log_sd"] * rng.standard_normal(len(stratum)))
    return np.where(fatal, from_days + after, np.inf)


def _true_log_hazards(drawn: pd.DataFrame, log_hazards: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Contribution of each mechanism to the log hazard of relapse or progression.

    Parameters
    ----------
    drawn : DataFrame
        From :func:`_draw_patients`.
    log_hazards : dict of str to dict
        Log hazard ratio per unit of a drawn quantity, by mechanism.

    Returns
    -------
    DataFrame of float64
        A row a patient, a column a mechanism. ``microenvironment`` has no effect and is 0.

    Examples
    --------
    >>> drawn = pd.DataFrame({"alk_hotspot": [1, 0], "alk_expression": [2.0, 0.0]})
    >>> _true_log_hazards(drawn, {"alk": {"alk_hotspot": 0.5, "alk_expression": 0.25}})["alk"].tolist()
    [1.0, 0.0]
    """
    columns = {
        mechanism: sum((drawn[name] * effect for name, effect in effects.items()), start=np.zeros(len(drawn)))
        for mechanism, effects in log_hazards.items()
    }
    return pd.DataFrame({**columns, "microenvironment": 0.0}, index=drawn.index, dtype=np.float64)


def _draw_relapse_samples(
    rng: np.random.Generator, drawn: pd.DataFrame, courses: pd.DataFrame, calibration: Mapping[str, Any]
) -> pd.DataFrame:
    """Draw samples of some relapsed patients; they keep what the first sample carried and gain some.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From ``draw_patients``, with ``patient_id``, ``sample_id`` and the assays.
    courses : DataFrame
        From ``draw_courses``.
    calibration : dict

    Returns
    -------
    DataFrame
        The columns of `drawn`, a row a relapse sample; the same assays as at diagnosis.
    """
    figures = calibration["relapse_samples"]
    biopsied = courses["relapsed"].to_numpy() & (rng.random(len(drawn)) < figures["share"])
    second = drawn[biopsied].reset_index(drop=True)
    gained = {
        name: np.maximum(second[name], rng.random(len(second)) < share) for name, share in figures["gained"].items()
    }
    return second.assign(sample_id=second["patient_id"] + "-02", **gained)


_STRATA = ("mna", "high_na", "other")
"""MYCN amplified; high-risk without; not high-risk."""


@cache
def _load_calibration() -> Mapping[str, Any]:
    """Return the content of ``calibration.toml``."""
    text = resources.files("nbrelapse.simulation").joinpath("calibration.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _by_stratum(values: Mapping[str, float], stratum: np.ndarray) -> np.ndarray:
    """Return each patient's value of a figure that is given by stratum.

    Parameters
    ----------
    values : dict
        A value for each of ``STRATA``.
    stratum : ndarray of int, shape (n_patients,)
        Positions in ``STRATA``.
    """
    return np.array([values[name] for name in _STRATA], dtype=np.float64)[stratum]
