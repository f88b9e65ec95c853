"""A name for training data that distinguishes them without telling what is in them."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from nbrelapse.experiment.prepare import PreparedData
from nbrelapse.outcome.fingerprint import outcome_hashes


def data_fingerprint(data: PreparedData) -> str:
    """SHA-256 of the training features and outcomes, in hex; patient identifiers and row order do not enter."""
    values = data.features(data.training)[data.columns]
    rows = pd.util.hash_pandas_object(values, index=False).to_numpy() ^ outcome_hashes(data.training)
    return hashlib.sha256(np.sort(rows).tobytes()).hexdigest()
