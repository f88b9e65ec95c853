from __future__ import annotations

from statistics import NormalDist

import numpy as np

from nbrelapse.report.plots import binary_calibration
from nbrelapse.report.plots.performance import _observed_share_by_group


def test_groups_are_met_with_wilsons_interval():
    probability = np.repeat([0.1, 0.3, 0.6], 40)
    y = np.concatenate([np.repeat([1, 0], [events, 40 - events]) for events in (4, 10, 30)])
    table = _observed_share_by_group(probability, y, 3)
    np.testing.assert_allclose(table["observed"], [0.1, 0.25, 0.75])
    z, share = NormalDist().inv_cdf(0.975), 0.25
    centre = (share + z**2 / 80) / (1 + z**2 / 40)
    half = z / (1 + z**2 / 40) * np.sqrt(share * (1 - share) / 40 + z**2 / 6400)
    np.testing.assert_allclose(table.loc[1, ["low", "high"]].astype(float), [centre - half, centre + half])


def test_the_picture_has_the_diagonal_and_a_dot_a_group():
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=100)
    figure = binary_calibration(probability, (rng.uniform(size=100) < probability).astype(int))
    axes = figure.axes[0]
    assert [len(line.get_xdata()) for line in axes.lines[:1]] == [2]
    assert max(len(line.get_xdata()) for line in axes.lines) == 5


def test_one_prediction_for_all_is_one_group():
    table = _observed_share_by_group(np.full(20, 0.2), np.repeat([0, 1], [15, 5]), 5)
    assert table["n"].tolist() == [20]
    assert table["observed"].tolist() == [0.25]
