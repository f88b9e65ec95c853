"""A headless Chromium that reports what a page does, driven through the DevTools protocol over a pipe."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0
"""Seconds to wait for an answer before the test fails: for a slow machine, not a measurement."""
ROOTLESS_AND_OFFLINE = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-pipe",
)  # fmt: skip
HEIGHT = 900
LOOK = """(async () => {
  const shown = e => e.checkVisibility() && e.getClientRects().length;
  const unshown = [...document.querySelectorAll('details:not([open])')]
    .filter(fold => ![...fold.children].slice(1).every(shown)).map(fold => fold.querySelector('summary').innerText);
  for (const fold of document.querySelectorAll('details')) fold.open = true;
  await Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
  const scrolls = e => ['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX);
  const inside = e => e && (scrolls(e) || inside(e.parentElement));
  // A scroll bar takes its part of the window; a page that is not made for telephones has a wider one there.
  const width = Math.min(document.documentElement.clientWidth, WIDTH);
  const style = getComputedStyle(document.body);
  const cells = [...document.querySelectorAll('td, th')].filter(shown);
  const range = document.createRange();
  const leaves = e => { range.selectNodeContents(e);
    const [inner, outer] = [range.getBoundingClientRect(), e.getBoundingClientRect()];
    return inner.width && (inner.right > outer.right + 1 || inner.left < outer.left - 1); };
  // Red, green, blue and opacity; what lies over what; WCAG's relative luminance.
  const colour = css => { const [r, g, b, a = 1] = css.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, under) => under.map((part, at) => at < 3 ? top[at] * top[3] + part * (1 - top[3]) : 1);
  const ground = e => { const own = colour(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, e.parentElement ? ground(e.parentElement) : [255, 255, 255, 1]); };
  const linear = part => part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = e => { const paper = ground(e), ink = over(colour(getComputedStyle(e).color), paper);
    const [low, high] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05); };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), written = new Set();
  while (words.nextNode()) if (words.currentNode.data.trim()) written.add(words.currentNode.parentElement);
  return {
    unshown,
    cut: cells.filter(e => e.scrollWidth > e.clientWidth + 1 || leaves(e)).map(e => e.innerText.slice(0, 80)),
    scrolled: [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)
      .map(e => e.innerText.slice(0, 80)),
    written: written.size,
    faint: [...written].filter(shown).map(e => [contrast(e), e.innerText.slice(0, 80)])
      .filter(([found]) => found < CONTRAST).map(([found, text]) => `${found.toFixed(2)} ${text}`),
    overflow: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - width,
    overflowing: [...document.querySelectorAll('body *')]
      .filter(e => e.getBoundingClientRect().right > width + 0.5 && !inside(e.parentElement))
      .map(e => e.outerHTML.slice(0, 80)),
    text: document.body.innerText,
    images: document.images.length,
    broken: [...document.images].filter(image => !image.naturalWidth).length,
    ink: style.color,
    paper: style.backgroundColor,
  };
})()"""
"""What is seen of a page with all its folds open; boxes that scroll by themselves may be wider than the page."""
CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3: minimum contrast of text, https://www.w3.org/TR/WCAG22/#contrast-minimum."""


@dataclass(frozen=True)
class Visit:
    """What a page did and what it looked like.

    ``requests`` are the addresses it asked for other than files and ``data:``, ``messages`` what the console and the
    browser's log said (a refusal by the page's own policy is among them), ``overflow`` is by how many pixels the
    contents are wider than the window and ``overflowing`` what sticks out, ``ink`` and ``paper`` are the colours of
    text and page, 0 to 255 each. ``unshown`` are the titles of closed folds whose contents are not shown, ``cut`` the
    table cells that what is in them leaves, ``scrolled`` the boxes that are narrower than their table, ``written`` how
    many elements have words, and ``faint`` those of too little contrast.
    """

    requests: list[str]
    messages: list[str]
    overflow: int
    overflowing: list[str]
    text: str
    images: int
    broken: int
    ink: tuple[int, ...]
    paper: tuple[int, ...]
    unshown: list[str]
    cut: list[str]
    scrolled: list[str]
    written: int
    faint: list[str]
    pdf: bytes


class Browser:
    """One Chromium; a new tab a visit."""

    def __init__(self, executable: str, profile: Path) -> None:
        # Chromium reads commands from descriptor 3 and answers on 4.
        redirect = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'
        command = ["sh", "-c", redirect, "sh", executable, *ROOTLESS_AND_OFFLINE, f"--user-data-dir={profile}"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.events: list[dict[str, Any]] = []
        self.unread = b""
        self.commands = 0

    def close(self) -> None:
        try:
            self.send("Browser.close")
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.communicate()

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command; events that come before it are kept."""
        self.commands += 1
        number = self.commands
        document = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(document).encode() + b"\0")
        answer = self._until(lambda message: message.get("id") == number)
        assert "error" not in answer, f"{method}: {answer}"
        result: dict[str, Any] = answer["result"]
        return result

    def visit(
        self, page: Path | str, *, width: int, scheme: str = "light", media: str = "screen", leave: str = ""
    ) -> Visit:
        """Open a file or an address in a window of a width (pixels), in a colour scheme and for a medium.

        ``leave`` is a script that leads to another page, which is then the one that is seen.
        """
        context = self.send("Target.createBrowserContext")["browserContextId"]
        tab = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        self.events.clear()
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable", session)
        mobile = media == "screen" and width < 800
        size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": mobile}
        self.send("Emulation.setDeviceMetricsOverride", session, **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", session, media=media, features=[feature])
        self.send("Page.navigate", session, url=page if isinstance(page, str) else page.resolve().as_uri())
        if not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._until(lambda message: message.get("method") == "Page.loadEventFired")
        if leave:
            before = len(self.events)
            self.send("Runtime.evaluate", session, expression=leave)
            if not any(event["method"] == "Page.loadEventFired" for event in self.events[before:]):
                self._until(lambda message: message.get("method") == "Page.loadEventFired")
        look = LOOK.replace("WIDTH", str(width)).replace("CONTRAST", str(CONTRAST))
        seen = self.send("Runtime.evaluate", session, expression=look, awaitPromise=True, returnByValue=True)
        pdf = self.send("Page.printToPDF", session, printBackground=True)["data"] if media == "print" else ""
        found = seen["result"]["value"]
        found |= {name: _colour(found[name]) for name in ("ink", "paper")}
        visit = Visit(**found, **_behaviour(self.events), pdf=base64.b64decode(pdf))
        self.send("Target.disposeBrowserContext", browserContextId=context)
        return visit

    def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._read(deadline)
            if wanted(message):
                self.events += [message] if "method" in message else []
                return message
            self.events.append(message)

    def _read(self, deadline: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        stream = self.process.stdout.fileno()
        while b"\0" not in self.unread:
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium said nothing for {PATIENCE:g} seconds"
            part = os.read(stream, 1 << 20)
            assert part, "Chromium has ended"
            self.unread += part
        text, _, self.unread = self.unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


def _behaviour(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Requests beyond the file itself, and what was complained of."""
    requests, messages = [], []
    for event in events:
        match event.get("method"), event.get("params"):
            case "Network.requestWillBeSent", {"request": {"url": url}} if not url.startswith(("file:", "data:")):
                requests.append(url)
            case "Log.entryAdded", {"entry": {"level": "warning" | "error", "text": text}}:
                messages.append(text)
            case "Runtime.consoleAPICalled", {"type": "warning" | "error" | "assert", "args": values}:
                messages.append(" ".join(str(value.get("value", value.get("description"))) for value in values))
            case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                messages.append(str(details["text"]))
    return {"requests": requests, "messages": messages}


def _colour(css: str) -> tuple[int, ...]:
    """Red, green and blue of ``rgb(1, 2, 3)``."""
    return tuple(int(part) for part in css[css.index("(") + 1 : css.index(")")].split(",")[:3])


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: apt-get install chromium")
    opened = Browser(executable, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
