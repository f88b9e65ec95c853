"""The colours of the mechanisms: distinguishable with every colour vision, and seen on light and dark pages."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from nbrelapse.mechanisms import OTHER, load_catalogue, with_all_genes
from nbrelapse.report.plots.style import _PAPER
from nbrelapse.report.render import _on_dark

VISIONS = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Of linear RGB: Machado, Oliveira and Fernandes 2009, 10.1109/TVCG.2009.113, severity 1."""

LEAST_DISTANCE = 0.079
"""In OKLab (https://bottosson.github.io/posts/oklab/), where black and white are 1 apart and about 0.02 is just
noticed. A choice."""

LEAST_CONTRAST = {"light page": 2.2, "dark page": 3.0}
"""WCAG 2.2 asks for 3 (https://www.w3.org/TR/WCAG22/#non-text-contrast) unless words beside say the same; they do."""

COLORS = {name: mechanism.color for name, mechanism in load_catalogue().mechanisms.items()}


def linear(color: str) -> np.ndarray:
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def oklab(linear_rgb: np.ndarray) -> np.ndarray:
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(to_lab @ np.cbrt(to_lms @ linear_rgb))


def distance(one: str, other: str, vision: str) -> float:
    seen = [oklab(np.clip(VISIONS[vision] @ linear(color), 0, 1)) for color in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


def contrast(one: str, other: str) -> float:
    dark, light = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (one, other))
    return (light + 0.05) / (dark + 0.05)


def test_the_measures_have_their_known_values() -> None:
    np.testing.assert_allclose(oklab(linear("#ff0000")), [0.6280, 0.2249, 0.1258], atol=1e-4)
    assert distance("#000000", "#ffffff", "all cones") == pytest.approx(1.0, abs=1e-3)
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert distance("#8C6BB1", "#0072B2", "protanopia") < 0.02  # the purple and the blue of before 0.4.0


@pytest.mark.parametrize("vision", VISIONS)
def test_mechanisms_are_tellable_apart(vision: str) -> None:
    close = {
        pair: round(found, 3)
        for pair in combinations(COLORS, 2)
        if (found := distance(COLORS[pair[0]], COLORS[pair[1]], vision)) < LEAST_DISTANCE
    }
    assert close == {}


@pytest.mark.parametrize(("page", "paper"), [("light page", _PAPER), ("dark page", _on_dark(_PAPER))])
def test_mechanisms_are_seen_on_the_page(page: str, paper: str) -> None:
    faint = {name: round(contrast(color, paper), 2) for name, color in COLORS.items()}
    assert {name: found for name, found in faint.items() if found < LEAST_CONTRAST[page]} == {}


def test_mechanisms_keep_their_colour_on_a_dark_page() -> None:
    assert {name for name, color in COLORS.items() if _on_dark(color.lower()) != color.lower()} == set()
    assert _on_dark("#101010") != "#101010"


def test_what_belongs_to_no_mechanism_has_its_own_colour() -> None:
    other = with_all_genes(load_catalogue(), ["ACTB"]).mechanisms[OTHER].color
    for vision in VISIONS:
        assert min(distance(other, color, vision) for color in COLORS.values()) >= LEAST_DISTANCE
    assert contrast(other, _PAPER) >= LEAST_CONTRAST["light page"]
    assert contrast(other, _on_dark(_PAPER)) >= LEAST_CONTRAST["dark page"]
    assert _on_dark(other.lower()) == other.lower()
