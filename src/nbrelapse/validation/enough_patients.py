"""Whether there are enough patients to judge models by."""

from __future__ import annotations

import numpy as np

from nbrelapse.outcome.event_of import event_of, is_survival

FEWEST_PATIENTS = 10
FEWEST_EVENTS = 5
"""With k events about exp(-k) of the resamples hold none: below 1 % from five on."""


def enough_patients(y: np.ndarray) -> bool:
    """Say whether there are 10 patients and 5 events (binary: and 5 without it), fewer than which say nothing.

    Examples
    --------
    >>> enough_patients(np.array([1] * 5 + [0] * 5)), enough_patients(np.array([1] * 4 + [0] * 20))
    (True, False)
    """
    events = int((event_of(y) == 1).sum())
    rarest = events if is_survival(y) else min(events, len(y) - events)
    return len(y) >= FEWEST_PATIENTS and rarest >= FEWEST_EVENTS
