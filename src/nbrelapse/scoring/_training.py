"""What a saved model remembers of whom it was trained on: simulated or real, risk groups, and marks of the patients."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.build import build_features
from nbrelapse.mechanisms.catalogue import load_catalogue

_RISK = {0.0: "low", 0.5: "not high", 1.0: "intermediate", 2.0: "high"}
_INRG = {0.0: "low", 1.0: "low", 2.0: "intermediate", 3.0: "high"}


def _risk_groups(cohort: Cohort) -> pd.Series:
    """Return each patient's risk group: the recorded one, else high-risk or not, else by COG v2, else by INRG.

    Returns
    -------
    Series of str
        By patient: ``low``, ``intermediate``, ``high`` or ``not high``; missing where it is not known.
    """
    names = ["clinical__risk_group", "clinical__cog_v2", "clinical__inrg"]
    levels = build_features(cohort, load_catalogue().subset(names)).values
    recorded = cohort.patients.set_index("patient_id")["high_risk"].astype(object)
    groups = levels[names[0]].map(_RISK)
    for other in (
        recorded.map({True: "high", False: "not high"}),
        levels[names[1]].map(_RISK),
        levels[names[2]].map(_INRG),
    ):
        groups = groups.where(groups.notna(), other.reindex(groups.index))
    return groups.astype(object)


_NEARLY_ALL = 0.95
"""Share of the training patients from which on a model counts as trained on one group only. A choice of caution."""

_TITLES = {"low": "low-risk", "intermediate": "intermediate-risk", "high": "high-risk", "not high": "not high-risk"}


@dataclass(frozen=True)
class _Unseen:
    """Risk groups that (nearly) no training patient was of.

    Parameters
    ----------
    told : str
        What the model was trained on, in words.
    groups : frozenset of str
        Those that it has not seen.
    doubtful : bool
        Whether a patient of unknown group may well be of them.
    """

    told: str
    groups: frozenset[str]
    doubtful: bool

    def warnings(self, groups: pd.Series) -> dict[str, np.ndarray]:
        """Return what is to be said of patients, with the mask of whom."""
        found = {
            f"{self.told}; this patient is {_TITLES[group]}": (groups == group).to_numpy()
            for group in sorted(self.groups)
        }
        if self.doubtful:
            found[f"{self.told}; this patient's risk group is not known"] = groups.isna().to_numpy()
        return found

    def note(self, groups: pd.Series) -> str | None:
        """Return what is to be said of a cohort; None where it holds only groups that training had."""
        strange, unknown = int(groups.isin(self.groups).sum()), int(groups.isna().sum()) if self.doubtful else 0
        are = "are not" if "high" not in self.groups and len(self.groups) > 1 else "are"
        parts = [f"{strange} of these {len(groups)} patients {are}"] if strange else []
        parts += [f"the risk group of {unknown} is not known"] if unknown else []
        return f"{self.told}; {', '.join(parts)}" if parts else None


def _unseen_groups(groups: Mapping[str, int] | None, patients: int | None, high_risk: int | None) -> _Unseen | None:
    """Return the risk groups that training did not see, as far as that was recorded.

    Parameters
    ----------
    groups : mapping of str to int or None
        Training patients by group; None in a model of an earlier version.
    patients, high_risk : int or None
        Training patients, and those whom the clinic called high-risk.

    Examples
    --------
    >>> _unseen_groups({"high": 122}, 122, 122).told
    'the model was trained on high-risk patients only'
    >>> sorted(_unseen_groups({"low": 40, "intermediate": 40, "high": 1}, 90, 1).groups)
    ['high']
    >>> _unseen_groups(None, 500, 178) is None
    True
    """
    if groups is None:
        # That nobody is high-risk could mean that nobody has recorded it.
        if not patients or high_risk is None or high_risk < _NEARLY_ALL * patients:
            return None
        groups = {"high": high_risk, "not high": patients - high_risk}
    known, high = sum(groups.values()), groups.get("high", 0)
    if not known or 2 * known < (patients or 0):
        return None
    start = "the model was trained on"
    if high >= _NEARLY_ALL * known:
        only = "only" if high == known else f"almost only ({high} of {known})"
        return _Unseen(f"{start} high-risk patients {only}", frozenset({"low", "intermediate", "not high"}), True)
    if known - high >= _NEARLY_ALL * known:
        few = "no high-risk patients" if not high else f"hardly any high-risk patients ({high} of {known})"
        return _Unseen(f"{start} {few}", frozenset({"high"}), True)
    if not groups.get("not high"):
        for group in ("low", "intermediate"):
            if not groups.get(group):
                return _Unseen(f"{start} no {group}-risk patients", frozenset({group}), False)
    return None


_BITS_A_PATIENT = 16
_KEPT = 0.75
"""Chance that a bit says what it would say without noise: nobody's likelihood ratio exceeds 0.75 / 0.25 = 3."""

_CHANCE = 0.001
_LEAST_COMPARED = 10
_ROTATIONS = 50


def _people(cohort: Cohort, patient_ids: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Return who patients are (age, sex) and what became of them, as text, without those of whom either is unknown."""
    patients = cohort.patients.set_index("patient_id").loc[patient_ids]
    days = {name: patients[name].round() for name in ("age_days", "event_days", "followup_days")}
    known = (days["age_days"].notna() & (days["event_days"].notna() | days["followup_days"].notna())).to_numpy()
    who = _joined(days["age_days"], patients["sex"])[known]
    course = _joined(patients["event"], days["event_days"], patients["death"], days["followup_days"])[known]
    return who, course


def _joined(*columns: pd.Series) -> np.ndarray:
    texts = [column.astype(object).where(column.notna(), "").astype(str).to_numpy() for column in columns]
    return np.array(["|".join(row) for row in zip(*texts, strict=True)], dtype=object)


def _positions(salt: str, size: int, who: np.ndarray, course: np.ndarray) -> np.ndarray:
    key = bytes.fromhex(salt)
    digests = [
        hashlib.blake2b(f"{a}|{b}".encode(), key=key, digest_size=8).digest() for a, b in zip(who, course, strict=True)
    ]
    return np.array([int.from_bytes(digest, "big") % size for digest in digests], dtype=np.int64)


def _marks_of(cohort: Cohort, patient_ids: pd.Index) -> dict[str, Any] | None:
    """Mark training patients: enough to recognise many of them together, too little to recognise one.

    Every patient sets one bit of a row of 16 bits a patient; then a quarter of all bits, by a secret of the data, are
    turned. See docs/decisions/041-marks-of-training-patients.md.

    Returns
    -------
    dict or None
        ``salt``, ``size`` and ``bits``; None where too few patients have an age and a course. The same patients have
        the same marks.
    """
    who, course = _people(cohort, patient_ids)
    if len(who) < _LEAST_COMPARED:
        return None
    secret = "\n".join(sorted(f"{a}|{b}" for a, b in zip(who, course, strict=True))).encode()
    salt = hashlib.sha256(b"salt\n" + secret).hexdigest()[:32]
    size = _BITS_A_PATIENT * len(who)
    bits = np.zeros(size, dtype=bool)
    bits[_positions(salt, size, who, course)] = True
    noise = np.frombuffer(hashlib.shake_256(b"noise\n" + secret).digest(size // 4), dtype=np.uint8)
    first, second = np.unpackbits(noise).astype(bool).reshape(2, size)
    turned = bits ^ (first & second)
    return {"salt": salt, "size": size, "bits": base64.b64encode(np.packbits(turned).tobytes()).decode()}


@dataclass(frozen=True)
class _Resemblance:
    """How many patients look the same as training patients.

    Parameters
    ----------
    compared : int
        Patients with an age and a course.
    alike : int
        About how many of them look the same as training patients, those expected by chance taken off.
    probability : float
        Of at least so many marks by chance.
    """

    compared: int
    alike: int
    probability: float

    @property
    def beyond_chance(self) -> bool:
        """Whether more look the same than chance makes."""
        return self.probability < _CHANCE and self.alike > 0


def _resemblance(marks: Mapping[str, Any], cohort: Cohort, patient_ids: pd.Index) -> _Resemblance | None:
    """Compare patients with the marks of training patients; None where too few can be compared.

    What agrees by chance is counted with patients who do not exist: age and sex of one, course of another.
    """
    who, course = _people(cohort, patient_ids)
    n = len(who)
    if n < _LEAST_COMPARED:
        return None
    salt, size = str(marks["salt"]), int(marks["size"])
    bits = np.unpackbits(np.frombuffer(base64.b64decode(marks["bits"]), dtype=np.uint8), count=size).astype(bool)
    found = int(bits[_positions(salt, size, who, course)].sum())
    rotated = [bits[_positions(salt, size, np.roll(who, by), course)].mean() for by in range(1, min(n, _ROTATIONS + 1))]
    chance = max(float(np.mean(rotated)), float(bits.mean()))
    if chance >= _KEPT:
        return None
    alike = round(n * min(1.0, max(0.0, (found / n - chance) / (_KEPT - chance))))
    return _Resemblance(n, alike, float(binom.sf(found - 1, n, chance)))
