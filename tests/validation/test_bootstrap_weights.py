from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.validation.bootstrap_weights import bootstrap_weights, weight_chunks


def test_columns_are_multinomial_counts():
    weights = bootstrap_weights(50, 4000, seed=3)
    assert weights.shape == (50, 4001)
    assert (weights[:, 0] == 1).all()
    assert (weights.sum(axis=0) == 50).all()
    assert (weights == weights.round()).all()
    assert weights[:, 1:].mean(axis=1) == pytest.approx(1, abs=0.1)
    assert weights[:, 1:].var() == pytest.approx(1 - 1 / 50, abs=0.03)


def test_the_seed_decides():
    assert np.array_equal(bootstrap_weights(20, 30, seed=1), bootstrap_weights(20, 30, seed=1))
    assert not np.array_equal(bootstrap_weights(20, 30, seed=1), bootstrap_weights(20, 30, seed=2))


@pytest.mark.parametrize("n_patients", [1, 1000, 10**9])
def test_chunks_cover_every_column_once(n_patients):
    chunks = list(weight_chunks(n_patients, 100, first=1))
    assert np.concatenate([np.arange(c.start, c.stop) for c in chunks]).tolist() == list(range(1, 101))
