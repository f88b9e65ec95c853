"""Names for data that tell them apart without telling what is in them."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.outcome import Outcome


def data_fingerprint(data: PreparedData) -> str:
    """SHA-256 of the training features and outcomes, in hex; patient identifiers and row order do not enter."""
    values = data.features(data.training)[data.columns]
    rows = pd.util.hash_pandas_object(values, index=False).to_numpy() ^ _rows(data.training)
    return hashlib.sha256(np.sort(rows).tobytes()).hexdigest()


def outcome_fingerprint(outcome: Outcome) -> str:
    """SHA-256 of the outcomes, in hex: one hold-out has one, whatever the features and the endpoint's name."""
    return hashlib.sha256(np.sort(_rows(outcome)).tobytes()).hexdigest()


def _rows(outcome: Outcome) -> np.ndarray:
    names = outcome.y.dtype.names
    frame = pd.DataFrame({"event": outcome.y} if names is None else {name: outcome.y[name] for name in names})
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()
