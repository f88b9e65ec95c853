from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

Cohort = tuple[pd.DataFrame, np.ndarray, np.ndarray]


@pytest.fixture
def simulate() -> Callable[..., Cohort]:
    """Features ``m__0`` …, outcomes, and the true log hazard of each patient (the first three features act)."""

    def simulated(n: int = 200, p: int = 6, *, seed: int = 0, competing: bool = True, missing: float = 0.0) -> Cohort:
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(n, p))
        truth = values[:, :3] @ np.array([0.8, -0.6, 0.4])
        relapse = rng.exponential(1500 * np.exp(-truth))
        death = rng.exponential(6000, n) if competing else np.full(n, np.inf)
        followed = rng.uniform(200, 4000, n)
        y = np.empty(n, dtype=[("event", np.int8), ("time", np.float64)])
        # Whole months make ties.
        y["time"] = 30 * np.ceil(np.minimum(np.minimum(relapse, death), followed) / 30)
        first_is_relapse = relapse <= np.minimum(death, followed)
        y["event"] = np.where(first_is_relapse, 1, np.where(death <= followed, 2, 0))
        values[rng.random(values.shape) < missing] = np.nan
        return pd.DataFrame(values, columns=[f"m__{i}" for i in range(p)]), y, truth

    return simulated
