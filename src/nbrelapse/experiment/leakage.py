"""What an experiment must not train on: later features, labels, patients of both sides or counted twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.cohort.layers import layer_assay
from nbrelapse.cohort.overlap import find_overlap
from nbrelapse.cohort.schema import LAYER
from nbrelapse.cohort.select import condition_columns
from nbrelapse.errors import InputError
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.experiment.prepare import _PreparedData
from nbrelapse.mechanisms.feature_table import known_at, later_columns
from nbrelapse.mechanisms.layers import layers_read
from nbrelapse.validation.guards import label_leakage

_SUSPICIOUS = 0.95
"""Concordance or AUC of a single feature above which it is pointed out. A choice: nothing known of neuroblastoma at
diagnosis comes near it."""

_PROFILES = {"expression": "expression profile", "copy_number": "copy-number profile"}


def _leakage_check(config: ExperimentConfig, data: _PreparedData) -> list[str]:
    """Refuse an experiment whose data would let it know what it is to predict.

    Parameters
    ----------
    config : ExperimentConfig
    data : PreparedData

    Returns
    -------
    list of str
        Warnings: patients chosen by what became of them, features that tell the outcome suspiciously well, patients who
        may be there twice.

    Raises
    ------
    InputError
        A feature is known later than the experiment predicts from, equals the outcome, or patients with one molecular
        profile stand under two names; or more patients look the same than chance makes (see
        :func:`nbrelapse.cohort.find_overlap`), unless the experiment allows it.
    """
    _refuse_later_features(config, data)
    return _chosen_by_outcome(config, data.cohort) + _labels(data) + _twins(config, data)


def _chosen_by_outcome(config: ExperimentConfig, cohort: Cohort) -> list[str]:
    conditions = [step["where"] for step in cohort.metadata.get("selections", []) if "where" in step]
    read = set().union(*map(condition_columns, conditions)) & set(later_columns(config.endpoint, config.landmark_days))
    if not read:
        return []
    return [
        f"the patients of the cohort were chosen by what became of them ({', '.join(sorted(read))}): figures and risks "
        "hold for patients chosen so, and of a new patient nobody can tell yet"
    ]


def _refuse_later_features(config: ExperimentConfig, data: _PreparedData) -> None:
    start = float(config.landmark_days or 0)
    days = {name: known_at(data.table.catalogue, name) for name in data.columns}
    late = {name: day for name, day in days.items() if day > start}
    if not late:
        return
    worst = max(late.values())
    unsaid = worst == float("inf")
    when = "after diagnosis, or hold the outcome" if unsaid else f"{worst:g} days after diagnosis"
    raise InputError(
        f"features that are known only {when}",
        column=", ".join(late),
        expected=f"what is known on day {start:g}, from which this experiment predicts",
        fix="exclude them under [features]"
        + (
            "; the response to induction needs known_at_days in the catalogue, and a landmark in the experiment"
            if unsaid
            else f", or predict from a landmark: landmark_days = {worst:g}"
        ),
    )


def _labels(data: _PreparedData) -> list[str]:
    table = label_leakage(data.features(data.training)[data.columns], data.training.y)
    exact = table.index[table["exact"]]
    if len(exact):
        raise InputError(
            "features that equal the outcome: their values, or that they are missing, tell without error who had it",
            column=", ".join(map(str, exact)),
            fix="exclude them under [features], and find out how the outcome came into them",
        )
    figures = table[["concordance", "auc", "missing_auc"]]
    best, kind = figures.max(axis=1), figures.fillna(0).idxmax(axis=1)
    words = {
        "concordance": "ranks the outcome",
        "auc": "tells who has the event",
        "missing_auc": "tells who has the event by being missing",
    }
    return [
        f"{name} alone {words[str(kind[str(name)])]} with a concordance of {value:.2f}: does the outcome cause it?"
        for name, value in best[best > _SUSPICIOUS].items()
    ]


def _twins(config: ExperimentConfig, data: _PreparedData) -> list[str]:
    training = data.training.patient_ids
    holdout = None if data.holdout is None else data.holdout.patient_ids
    read = {layer_assay(name): f"values in the layer {name}" for name in layers_read(data.table.catalogue)}
    for assay, profile in (_PROFILES | read).items():
        _refuse_twins(_profile_fingerprints(data.cohort, assay), profile, training, holdout)
    return _persons(config, data, training, holdout)


def _persons(config: ExperimentConfig, data: _PreparedData, training: pd.Index, holdout: pd.Index | None) -> list[str]:
    """Compare the patients of the folds, groups and cohorts that are trained together, and both sides of a split."""
    first = _patients(data.cohort, training, "the training patients")
    sides = [None] if holdout is None else [None, _patients(data.cohort, holdout, "the hold-out")]
    notes = []
    for second in sides:
        if any(side.patients["age_days"].isna().all() for side in (first, second or first)):
            notes.append("no ages in days: whether a patient is there twice was not looked at")
        else:
            notes += find_overlap(first, second).notes(allowed=config.allow_overlap)
    return notes


def _patients(cohort: Cohort, ids: pd.Index, name: str) -> Cohort:
    patients = cohort.patients[cohort.patients["patient_id"].isin(ids)].reset_index(drop=True)
    return replace(cohort, name=name, patients=patients)


def _refuse_twins(fingerprints: pd.Series, profile: str, training: pd.Index, holdout: pd.Index | None) -> None:
    across = 0 if holdout is None else _count_twins(fingerprints, training, holdout)
    within = _count_twins(fingerprints, training)
    if not across and not within:
        return
    where = (
        f"{across} hold-out patients have the {profile} of a training patient"
        if across
        else f"{within} training patients have the {profile} of another, and folds would put them on both sides"
    )
    raise InputError(
        where,
        column="patients",
        expected="each patient once, on one side",
        fix="remove the duplicates from the cohort; `patient_id` differs, the data are the same",
    )


_FEWEST_VALUES = 20
"""Distinct values that a profile needs before an equal one cannot be chance. A choice."""


def _profile_fingerprints(cohort: Cohort, assay: str) -> pd.Series:
    """Return a number for each patient's profile at diagnosis; equal profiles have equal numbers.

    Parameters
    ----------
    cohort : Cohort
    assay : {"expression", "copy_number"}
        Or a layer's.

    Returns
    -------
    Series of uint64
        By patient; without those who have no profile, or one with fewer than 20 distinct values.
    """
    samples = cohort.assayed_samples(assay)
    if assay == "expression" and cohort.expression is not None:
        found = _expression(cohort.expression[samples])
    elif (name := assay.removeprefix(LAYER)) in cohort.layers:
        layer = cohort.layers[name]
        found = _expression(layer[samples[samples.isin(layer.columns)]])
    elif assay == "copy_number" and cohort.segments is not None:
        found = _segments(cohort.segments[cohort.segments["sample_id"].isin(samples)])
    else:
        return pd.Series(dtype=np.uint64)
    patient_of = pd.Series(samples.index, index=samples.to_numpy())
    return found.set_axis(patient_of.reindex(found.index), axis=0)


def _expression(matrix: pd.DataFrame) -> pd.Series:
    values = matrix.to_numpy(dtype=float)
    hashes = pd.util.hash_array(values.ravel()).reshape(values.shape)
    numbers = (hashes * _odd_numbers(len(values))[:, np.newaxis]).sum(axis=0, dtype=np.uint64)
    varied = matrix.nunique().to_numpy() >= _FEWEST_VALUES
    return pd.Series(numbers[varied], index=matrix.columns[varied])


def _segments(segments: pd.DataFrame) -> pd.Series:
    rows = pd.util.hash_pandas_object(segments[["chromosome", "start", "end", "log2_ratio"]], index=False)
    by_sample = segments["sample_id"].astype("str")
    numbers = rows.astype(np.uint64).groupby(by_sample).sum()
    varied = segments["log2_ratio"].groupby(by_sample).nunique() >= _FEWEST_VALUES
    return numbers[varied]


def _odd_numbers(n: int) -> np.ndarray:
    """Weights that make a sum of hashes depend on their order; sums of uint64 wrap around, on purpose."""
    return np.random.default_rng(0).integers(0, 2**63, n, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _count_twins(fingerprints: pd.Series, first: pd.Index, second: pd.Index | None = None) -> int:
    """Return how many patients of one group have an equal in the other, or, without another, in their own.

    Examples
    --------
    >>> numbers = pd.Series([7, 7, 8, 9], index=list("abcd"), dtype=np.uint64)
    >>> _count_twins(numbers, pd.Index(list("ac")), pd.Index(list("bd")))
    1
    >>> _count_twins(numbers, pd.Index(list("abcd")))
    1
    """
    own = fingerprints[fingerprints.index.isin(first)]
    if second is None:
        return int(own.duplicated().sum())
    return int(fingerprints[fingerprints.index.isin(second)].isin(own).sum())
