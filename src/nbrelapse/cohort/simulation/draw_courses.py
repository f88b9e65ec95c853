"""What becomes of the patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from nbrelapse.cohort.simulation.calibration import by_stratum

DAYS_PER_YEAR = 365.25


def draw_courses(
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
        From :func:`draw_patients`.
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
    competing = -np.log1p(-by_stratum(figures["competing"], stratum))
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
    return np.ceil(np.minimum(since, dropout) * DAYS_PER_YEAR) + 1


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
    fatal = rng.random(len(stratum)) < by_stratum(figures["fatal"], stratum)
    median = by_stratum(figures["fatal_median_days"], stratum)
    after = median * np.exp(figures["fatal_log_sd"] * rng.standard_normal(len(stratum)))
    return np.where(fatal, from_days + after, np.inf)
