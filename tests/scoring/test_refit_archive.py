from __future__ import annotations

import time

import pytest

from nbrelapse.models.risk_model import ModelState
from nbrelapse.scoring.refit_archive import pack_refits, unpack_refits

STATES = [
    ModelState({"family": "boosted", "offset": 0.1 + 0.2 * number}, {"model.ubj": bytes([number])})
    for number in range(12)
]


def test_states_come_back_in_their_order() -> None:
    assert unpack_refits(pack_refits(STATES)) == STATES
    assert unpack_refits(pack_refits([])) == []


def test_the_bytes_do_not_depend_on_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack_refits(STATES)
    later = time.time() + 1e6
    monkeypatch.setattr(time, "time", lambda: later)
    assert pack_refits(STATES) == first


def test_what_is_no_archive_is_refused() -> None:
    with pytest.raises(ValueError, match="not a zip file"):
        unpack_refits(b"{}")
