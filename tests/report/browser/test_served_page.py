"""The form of `nbrelapse serve` in a real browser: typed or pasted, it leads to the report, and loads nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from nbrelapse.scoring import Bundle
from nbrelapse.serving import make_app

FEATURES = {
    "mycn__amplified": 1,
    "instability__loss_11q": 0,
    "cell_state__adrn_minus_mes": 0.25,
    "clinical__log2_age": 5.5,
}
TYPE = """for (const [name, value] of Object.entries(FEATURES))
  document.querySelector(`[name="feature.${name}"]`).value = String(value);
document.querySelector('button').click();"""
PASTE = "document.querySelector('textarea').value = JSON.stringify(FEATURES); document.querySelector('button').click();"


@pytest.fixture(scope="module")
def address(bundles: dict[str, Bundle]) -> Iterator[str]:
    """Where the linear model is served."""
    server = uvicorn.Server(
        uvicorn.Config(make_app(bundles["cox"]), port=0, log_config=None, lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_form_is_whole(browser: Any, address: str, width: int, scheme: str) -> None:
    seen = browser.visit(address, width=width, scheme=scheme)
    assert (seen.faint, seen.cut) == ([], [])
    assert seen.requests == [address]
    assert seen.messages == []
    assert (seen.overflow, seen.overflowing) == (0, [])
    assert "For research use, not for treatment decisions" in seen.text
    assert "MYCN amplification" in seen.text


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("act", [TYPE, PASTE])
def test_what_is_typed_or_pasted_becomes_the_report(browser: Any, address: str, width: int, act: str) -> None:
    seen = browser.visit(address, width=width, leave=act.replace("FEATURES", f"({json.dumps(FEATURES)})"))
    assert seen.requests == [address, f"{address}report"]
    assert seen.messages == []
    assert (seen.overflow, seen.overflowing) == (0, [])
    assert "Patient not named" in seen.text
    assert "How the prediction comes about" in seen.text
    assert (seen.images > 0, seen.broken) == (True, 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_mistake_is_told_in_words(browser: Any, address: str, scheme: str) -> None:
    act = PASTE.replace("FEATURES", '({"mycn__amplfied": 1})')
    seen = browser.visit(address, width=390, scheme=scheme, leave=act)
    assert (seen.faint, seen.cut) == ([], [])
    assert "This patient cannot be read" in seen.text
    assert "Expected: mycn__amplified" in seen.text
    assert (seen.overflow, seen.overflowing) == (0, [])
