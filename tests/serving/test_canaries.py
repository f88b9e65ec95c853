"""Nothing of a request reaches the log, the metrics or the output of the service, whatever becomes of the request."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

CANARY = "ZQCANARY"


def test_requests_leave_nothing(
    client: Callable[..., Any],
    patient: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = client()
    named = patient | {"patient_id": f"{CANARY} Anna"}
    headers = {"Referer": f"http://localhost/{CANARY}", "User-Agent": CANARY, "X-Patient": CANARY}
    bodies: list[Any] = [
        {"patients": [named]},
        {"patients": [named, named]},
        {"patients": [named | {"notes": f"mother of {CANARY}"}]},
        {"patients": [{"patient_id": CANARY, "features": {CANARY: 1}}]},
        {"patients": [{"patient_id": CANARY, "features": {"mycn__amplified": CANARY}}]},
        {"tables": {"patients": [{"patient_id": CANARY, "age_days": CANARY, "address": CANARY}]}},
    ]
    contents = [*map(json.dumps, bodies), f'{{"patients": [{CANARY}', f"name={CANARY}&mycn__amplified=1"]
    statuses = {
        connection.post(path, content=content, headers=headers).status_code
        for path in ("/score", "/explain", "/", f"/score/{CANARY}", f"/score?name={CANARY}")
        for content in contents
    }
    assert {200, 422} <= statuses
    metrics = connection.get("/metrics").text
    said = capfd.readouterr()
    own = [record for record in caplog.records if not record.name.startswith("httpx")]  # the client's of this test
    told = "".join(f"{record.getMessage()} {vars(record)}" for record in own)
    assert "POST /score 200" in told
    assert "nbrelapse" in metrics
    assert CANARY.lower() not in (told + metrics + said.out + said.err).lower()
