"""How often each alteration is found at diagnosis, ours beside the published, on real and simulated patients.

Ours is the share of the patients who were looked at, with its Wilson interval; the goal is the published figure, or the
nearest end of the published range, and it is met where the interval reaches it. A figure that is not met is one to
explain: another population, another assay, or a wrong call. SEQC's MYCN status by stage and age was counted in these
very patients: it tests the reading. The published figures and their sources stand in published_prevalences.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from _document import ROOT, DataAbsentError, data_folder, main
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms import build_features
from nbrelapse.readers import import_geo, import_tables
from nbrelapse.simulation import simulate_cohort

SIMULATED_PATIENTS = 2000
EIGHTEEN_MONTHS = 547


def high_risk_copy_number() -> Cohort:
    folder = data_folder("high_risk_copy_number")
    return import_tables(ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml", source=folder)


def seqc() -> Cohort:
    folder = data_folder("seqc")
    return import_geo([folder / "GSE49711_series_matrix.txt.gz", folder / "GSE62564_series_matrix.txt.gz"])


def simulated() -> Cohort:
    return simulate_cohort(SIMULATED_PATIENTS, seed=0)


COHORTS: dict[str, Callable[[], Cohort]] = {
    function.__name__: function for function in (high_risk_copy_number, seqc, simulated)
}
POPULATIONS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], pd.Series]] = {
    "all": lambda patients, _: pd.Series(True, index=patients.index),
    "high risk": lambda patients, _: patients["high_risk"].fillna(False).astype(bool),
    "ALK amplified": lambda _, values: values["alk__amplified"] == 1,
    "INSS 1": lambda patients, _: patients["inss_stage"] == "1",
    "INSS 2": lambda patients, _: patients["inss_stage"].isin(["2", "2A", "2B"]),
    "INSS 3": lambda patients, _: patients["inss_stage"] == "3",
    "INSS 4": lambda patients, _: patients["inss_stage"] == "4",
    "INSS 4S": lambda patients, _: patients["inss_stage"] == "4S",
    "under 18 months": lambda patients, _: patients["age_days"] < EIGHTEEN_MONTHS,
    "18 months or older": lambda patients, _: patients["age_days"] >= EIGHTEEN_MONTHS,
}


def carriers(values: pd.DataFrame, published: Mapping[str, Any]) -> pd.Series:
    """All or any of the features, 1, 0 or NaN a patient; a missing one counts where it could change the answer."""
    if "all_of" in published:
        features = values[published["all_of"]]
        return features.min(axis=1).where((features == 0).any(axis=1) | features.notna().all(axis=1))
    features = values[published["any_of"]]
    return features.max(axis=1).where((features == 1).any(axis=1) | features.notna().all(axis=1))


def prevalences(cohort: Cohort, label: str, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    values = build_features(cohort).values
    patients = cohort.patients.set_index("patient_id")
    results = []
    for published in table:
        carried = carriers(values, published)[POPULATIONS[published["population"]](patients, values)].dropna()
        if carried.empty:
            raise DataAbsentError(f"no patient of {label} was looked at for {published['what']}")
        test = binomtest(int(carried.sum()), len(carried))
        interval = test.proportion_ci(method="wilson")
        low, high = published["published"]
        nearest = round(float(np.clip(test.statistic, low, high)), 3)
        figure = f"{100 * low:g} %" if low == high else f"{100 * low:g} to {100 * high:g} %"
        population = f"{published['population']}, {len(carried)} patients"
        results.append(
            {
                "name": f"{label}: {published['what']} ({population}); published {figure} ({published['source']})",
                "value": float(test.statistic),
                "low": float(interval.low),
                "high": float(interval.high),
                "goal": nearest,
                "met": bool(interval.low <= high and interval.high >= low),
            }
        )
    return results


def prevalence() -> list[dict[str, Any]]:
    text = Path(__file__).with_name("published_prevalences.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["prevalence"]
    results = []
    for label, read in COHORTS.items():
        results += prevalences(read(), label, [row for row in table if label in row["cohorts"]])
    agreeing = sum(row["met"] for row in results)
    return [*results, {"name": f"figures that agree, of {len(results)}", "value": agreeing}]


if __name__ == "__main__":
    main("prevalence", prevalence)
