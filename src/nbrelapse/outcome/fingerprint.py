"""A name for an outcome that says nothing of any one patient."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from nbrelapse.outcome.outcome import Outcome


def outcome_fingerprint(outcome: Outcome) -> str:
    """SHA-256 of the outcomes, in hex: one hold-out has one, whatever the features and the endpoint's name."""
    return hashlib.sha256(np.sort(outcome_hashes(outcome)).tobytes()).hexdigest()


def outcome_hashes(outcome: Outcome) -> np.ndarray:
    """Hash of each patient's outcome, shape (n_patients,), uint64; the patients' names do not enter."""
    names = outcome.y.dtype.names
    frame = pd.DataFrame({"event": outcome.y} if names is None else {name: outcome.y[name] for name in names})
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()
