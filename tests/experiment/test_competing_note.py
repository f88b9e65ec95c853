from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.experiment.competing_note import competing_note


@pytest.mark.parametrize(("competing", "said"), [(0, 0), (1, 1), (9, 1), (10, 0)])
def test_said_from_the_first_competing_event_to_the_ninth(competing, said):
    y = np.zeros(30, dtype=[("event", np.int8), ("time", np.float64)])
    y["event"][:competing] = 2
    assert len(competing_note(y)) == said


def test_a_binary_outcome_has_none():
    assert competing_note(np.array([0, 1, 1], dtype=np.int8)) == []
