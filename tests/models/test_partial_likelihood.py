from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.models.partial_likelihood import partial_log_likelihood


def test_equals_the_definition_with_tied_times(simulate):
    _, y, risk = simulate(60)
    terms = [risk[i] - np.log(np.exp(risk[y["time"] >= y["time"][i]]).sum()) for i in np.flatnonzero(y["event"] == 1)]
    assert partial_log_likelihood(y, risk) == pytest.approx(np.mean(terms), rel=1e-12)


def test_no_event_is_nan(simulate):
    _, y, risk = simulate(20)
    y["event"] = 0
    assert np.isnan(partial_log_likelihood(y, risk))
