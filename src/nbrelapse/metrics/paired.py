"""Figures of models that can be compared later, without anything that was known of a patient."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from nbrelapse.metrics.choice import leading_stretch
from nbrelapse.metrics.evaluation import discrimination
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import bootstrap_interval, bootstrap_weights
from nbrelapse.outcome import Outcome, event_of, hash_outcomes

_RESAMPLES = 1000
_DIGITS = 6
_DRAWN, _NAMED = b"nbrelapse resamples 1", b"nbrelapse patients 1"


@dataclass(frozen=True)
class PairedReplicates:
    """The leading metric of models in the same resamples of the same patients; no row of any patient.

    Which patients a resample holds follows from the patients themselves: their identifiers, outcomes and folds. So
    figures that were computed years and places apart are paired wherever these agree, whatever seeds were set, and
    nobody who lacks the patients can tell who was in a resample.

    Parameters
    ----------
    fingerprint : str
        Of the patients, their outcomes and their folds; the same whatever the order of rows.
    patients, events : int
    stretch : float
        Of intervals, for few events and for the folds: see :func:`nbrelapse.metrics.leading_stretch`.
    models : dict of str to list of float
        By model: of the patients themselves, then of 1,000 resamples. NaN where undefined.
    """

    fingerprint: str
    patients: int
    events: int
    stretch: float
    models: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, predictions: Mapping[str, Predictions], outcome: Outcome) -> Self:
        """Compute them.

        Parameters
        ----------
        predictions : mapping of str to Predictions
            By model, out of sample; of the patients of the outcome, all with the same folds.
        outcome : Outcome

        Examples
        --------
        >>> import pandas as pd
        >>> y = np.array([0, 1] * 10, dtype="int8")
        >>> outcome = Outcome("refractory", pd.Index([f"p{i:02d}" for i in range(20)]), y)
        >>> shape = np.zeros((1, 20), int), np.full((1, 20, 1), 0.5), np.array([np.inf])
        >>> found = PairedReplicates.of({"a": Predictions("a", y[None].astype(float), *shape)}, outcome)
        >>> found.patients, found.events, len(found.models["a"]), found.models["a"][0]
        (20, 10, 1001, 1.0)
        """
        order = np.argsort(outcome.patient_ids.astype(str).to_numpy(), kind="stable")
        fold = next(iter(predictions.values())).fold
        content = _content(outcome, order, fold)
        seed = int.from_bytes(hashlib.sha256(_DRAWN + content).digest())
        weights = bootstrap_weights(len(order), _RESAMPLES, seed)
        y = outcome.y[order]
        models = {}
        for name, prediction in predictions.items():
            own = prediction.take(order)
            values = discrimination(y, own.log_risk, fold=own.compared, weights=weights)
            models[name] = np.round(values, _DIGITS).tolist()
        return cls(
            hashlib.sha256(_NAMED + content).hexdigest(),
            len(y),
            int((event_of(y) == 1).sum()),
            leading_stretch(fold, y),
            models,
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave.

        Raises
        ------
        KeyError, TypeError
            It is something else.
        """
        models = {
            str(name): [np.nan if value is None else float(value) for value in values]
            for name, values in document["models"].items()
        }
        return cls(
            str(document["fingerprint"]),
            int(document["patients"]),
            int(document["events"]),
            float(document["stretch"]),
            models,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data; what is undefined is null."""
        models = {
            name: [None if np.isnan(value) else value for value in values] for name, values in self.models.items()
        }
        return vars(self) | {"models": models}


def _content(outcome: Outcome, order: np.ndarray, fold: np.ndarray) -> bytes:
    """Return identifiers, outcomes and folds of the patients in a fixed order: what a digest is made of."""
    names = "\n".join(outcome.patient_ids.astype(str)[order]).encode()
    folds = np.ascontiguousarray(fold[:, order], dtype="<i8").tobytes()
    return b"\0".join([outcome.endpoint.encode(), names, hash_outcomes(outcome)[order].astype("<u8").tobytes(), folds])


def paired_difference(
    challenger: Sequence[float], champion: Sequence[float], *, stretch: float = 1.0
) -> tuple[float, float, float]:
    """Return how much better one model is than another in the same patients, with a 95 % interval.

    The percentile interval of the differences within each resample, stretched for few events and, of cross-validated
    figures, so that it holds in new patients. It is that of two models named beforehand: of a model chosen as the best
    of many by the same figures it promises too much.

    Parameters
    ----------
    challenger, champion : sequence of float
        From :class:`PairedReplicates` of the same fingerprint.
    stretch : float
        Of the same.

    Returns
    -------
    difference, low, high : float
        NaN where the figure is undefined.

    Examples
    --------
    >>> better, worse = [0.75, 0.74, 0.78, 0.76], [0.70, 0.70, 0.71, 0.72]
    >>> [round(value, 3) for value in paired_difference(better, worse)]
    [0.05, 0.04, 0.069]
    """
    values = np.asarray(challenger, dtype=float) - np.asarray(champion, dtype=float)
    low, high = bootstrap_interval(float(values[0]), values[1:], stretch=stretch)
    return float(values[0]), low, high
