from __future__ import annotations

import numpy as np

from nbrelapse.validation.jackknife_weights import jackknife_weights


def test_each_patient_is_left_out_once_and_alone():
    np.testing.assert_array_equal(jackknife_weights(7, 0), 1 - np.eye(7))


def test_many_patients_are_left_out_in_groups_of_nearly_equal_size():
    weights = jackknife_weights(2500, 0)
    assert weights.shape == (2500, 1000)
    assert ((weights == 0).sum(axis=1) == 1).all()
    assert set((weights == 0).sum(axis=0)) == {2, 3}
    np.testing.assert_array_equal(weights, jackknife_weights(2500, 0))


def test_grouping_keeps_the_acceleration():
    """The acceleration of a mean is a sixth of its skewness over the root of n."""
    sample = np.random.default_rng(0).exponential(size=4000)
    weights = jackknife_weights(4000, 1)
    influence = -(sample @ weights / weights.sum(axis=0) - sample.mean())
    grouped = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    centred = sample - sample.mean()
    alone = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    assert abs(grouped - alone) < 0.3 * alone
