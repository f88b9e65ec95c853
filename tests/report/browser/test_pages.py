"""Every page in a real browser: nothing is loaded, complained of or cut off, on a screen and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PAGES = ["full_report", "evaluation_report", "cohort_report", "patient_report", "unscored_report"]
WITHOUT_PICTURES = "unscored_report"
NOTICE = "For research use, not for treatment decisions"
A4 = 718
"""Pixels (96 an inch) between the margins of Chromium on A4."""
CONTRAST = 7.0
"""WCAG 2.2, success criterion 1.4.6: enhanced contrast of text, https://www.w3.org/TR/WCAG22/#contrast-enhanced."""


@pytest.fixture
def pictured(request: pytest.FixtureRequest) -> bool:
    """Whether the page has pictures and fills more than one sheet."""
    return WITHOUT_PICTURES not in request.node.callspec.params.values()


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Path:
    file: Path = request.getfixturevalue(request.param)
    return file


def luminance(colour: tuple[int, ...]) -> float:
    """Relative luminance of sRGB, 0 to 1 (WCAG 2.2)."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_renders_quietly_and_nothing_overflows(
    browser: Any, page: Path, pictured: bool, width: int, scheme: str
) -> None:
    seen = browser.visit(page, width=width, scheme=scheme)
    assert seen.requests == []
    assert seen.messages == []
    assert (seen.overflow, seen.overflowing) == (0, [])
    assert NOTICE in seen.text
    assert (seen.images > 0) == pictured
    assert seen.broken == 0
    assert (luminance(seen.paper) < 0.5) == (scheme == "dark")
    assert contrast(seen.ink, seen.paper) >= CONTRAST
    assert seen.written > 10
    assert seen.faint == []
    assert seen.cut == []
    assert width == 390 or seen.scrolled == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_prints_black_on_white(browser: Any, page: Path, pictured: bool, scheme: str) -> None:
    printed = browser.visit(page, width=A4, scheme=scheme, media="print")
    assert (printed.overflow, printed.overflowing) == (0, [])
    assert printed.requests == []
    assert printed.messages == []
    assert printed.pdf.startswith(b"%PDF-")
    assert (printed.pdf.count(b"/Type /Page\n") > 1) == pictured
    assert luminance(printed.paper) > 0.9
    assert contrast(printed.ink, printed.paper) >= CONTRAST
    assert printed.unshown == []
    assert printed.faint == []
    assert (printed.cut, printed.scrolled) == ([], [])


CONTROLS = {
    "image": '<img src="https://example.org/absent.png">',
    "script": "<script>console.error('told'); console.warn('warned')</script>",
    "exception": "<script>throw new Error('thrown')</script>",
    "policy": """<meta http-equiv="Content-Security-Policy" content="default-src 'none'"><img src="https://example.org/x.png">""",
    "wide": '<div style="width: 2000px">wide</div>',
    "faint": '<p>plain</p><p style="color: #999">faint</p><p style="color: #0005; background: #777">fainter</p>',
    "cut": '<table style="table-layout: fixed; width: 90px"><tr><td>fits<td>incomprehensibilities</table>',
    "folded": "<details><summary>Title</summary><p>contents</p></details>",
    "scrolling": '<div style="overflow-x: auto"><div style="width: 2000px">wide</div></div>',
}


@pytest.fixture
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "control.html"
    head = '<!doctype html><meta name="viewport" content="width=device-width"><title>Control</title>'
    file.write_text(head + CONTROLS[request.param], encoding="utf-8")
    return file


@pytest.mark.parametrize("control", ["image"], indirect=True)
def test_an_external_image_is_noticed(browser: Any, control: Path) -> None:
    seen = browser.visit(control, width=390)
    assert seen.requests == ["https://example.org/absent.png"]
    assert (seen.images, seen.broken) == (1, 1)


@pytest.mark.parametrize(
    ("control", "words"),
    [("script", ["told", "warned"]), ("exception", ["Uncaught"]), ("policy", ["Content Security Policy"])],
    indirect=["control"],
)
def test_what_the_console_says_is_noticed(browser: Any, control: Path, words: list[str]) -> None:
    seen = browser.visit(control, width=390)
    assert len(seen.messages) == len(words)
    assert all(word in message for word, message in zip(words, seen.messages, strict=True))


@pytest.mark.parametrize(("width", "media"), [(390, "screen"), (1280, "screen"), (A4, "print")])
@pytest.mark.parametrize("control", ["wide"], indirect=True)
def test_what_overflows_is_noticed(browser: Any, control: Path, width: int, media: str) -> None:
    seen = browser.visit(control, width=width, media=media)
    assert seen.overflow >= 2000 - width
    assert seen.overflowing == [CONTROLS["wide"]]


@pytest.mark.parametrize("control", ["faint"], indirect=True)
def test_words_of_too_little_contrast_are_noticed(browser: Any, control: Path) -> None:
    seen = browser.visit(control, width=390)
    assert seen.written == 3
    assert seen.faint == ["2.85 faint", "1.82 fainter"]


@pytest.mark.parametrize("control", ["cut"], indirect=True)
def test_a_cell_that_its_word_leaves_is_noticed(browser: Any, control: Path) -> None:
    assert browser.visit(control, width=1280).cut == ["incomprehensibilities"]


@pytest.mark.parametrize("control", ["folded"], indirect=True)
def test_a_fold_that_stays_closed_on_paper_is_noticed(browser: Any, control: Path) -> None:
    assert browser.visit(control, width=A4, media="print").unshown == ["Title"]


@pytest.mark.parametrize("control", ["scrolling"], indirect=True)
def test_a_box_that_scrolls_by_itself_does_not_overflow(browser: Any, control: Path) -> None:
    seen = browser.visit(control, width=390)
    assert (seen.overflow, seen.overflowing) == (0, [])


@pytest.mark.parametrize("control", ["wide"], indirect=True)
def test_a_page_without_colours_of_its_own_is_not_dark(browser: Any, control: Path) -> None:
    assert luminance(browser.visit(control, width=390, scheme="dark").ink) < 0.5
