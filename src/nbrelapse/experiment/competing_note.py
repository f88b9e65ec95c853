"""What is said where competing events are too few to be modelled."""

from __future__ import annotations

import numpy as np

from nbrelapse.models.competing_risk import FEWEST_COMPETING_EVENTS
from nbrelapse.outcome.event_of import event_of


def competing_note(y: np.ndarray) -> list[str]:
    """Return a note where there are competing events, but too few for a model of their own.

    Examples
    --------
    >>> competing_note(np.array([(2, 90.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")]))[0][:28]
    '1 competing event is too few'
    >>> competing_note(np.array([(1, 90.0), (0, 400.0)], dtype=[("event", "i1"), ("time", "f8")]))
    []
    """
    count = int((event_of(y) == 2).sum())
    if not 0 < count < FEWEST_COMPETING_EVENTS:
        return []
    found = "1 competing event is" if count == 1 else f"{count} competing events are"
    return [
        f"{found} too few for a cause-specific model, which takes {FEWEST_COMPETING_EVENTS}: the competing hazard "
        "is the same for everybody"
    ]
