from __future__ import annotations

import numpy as np

from nbrelapse.validation.risk_ranks import risk_ranks


def test_ties_are_within_a_fold_and_within_the_tolerance():
    risk = np.array([0.0, 5e-9, 1.0, 0.0, 0.0])
    assert risk_ranks(risk, np.array([0, 0, 0, 1, 1])).tolist() == [0, 0, 1, 2, 2]
