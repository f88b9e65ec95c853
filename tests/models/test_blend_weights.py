from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.models.blend_weights import blend_weights
from nbrelapse.models.partial_likelihood import partial_log_likelihood


def test_no_point_of_a_fine_grid_is_better(simulate):
    _, y, truth = simulate(300)
    rng = np.random.default_rng(0)
    log_risks = truth[:, None] * [0.4, 0.6, 0.2] + rng.normal(0, 0.4, (300, 3))
    weights = blend_weights(y, log_risks)
    reached = partial_log_likelihood(y, log_risks @ weights)
    steps = np.linspace(0, 1, 41)
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1]
    assert reached >= max(partial_log_likelihood(y, log_risks @ np.array(point)) for point in grid) - 1e-9
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0


def test_a_log_risk_that_misleads_has_no_weight(simulate):
    _, y, truth = simulate(300)
    np.testing.assert_allclose(blend_weights(y, np.column_stack([-truth, truth]) / 2), [0, 1], atol=1e-6)


def test_log_risks_that_tell_nothing_apart_share_the_weight(simulate):
    _, y, truth = simulate(100)
    np.testing.assert_allclose(blend_weights(y, np.column_stack([truth] * 4)), [0.25] * 4)
    np.testing.assert_allclose(blend_weights(y, np.zeros((100, 2))), [0.5, 0.5])
    np.testing.assert_array_equal(blend_weights(y, truth[:, None]), [1.0])
