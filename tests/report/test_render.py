from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report import draw_figures, save_pictures
from nbrelapse.report.plots import beeswarm, dependence


def hatched() -> Figure:
    figure = Figure()
    figure.subplots().fill_between([0, 1], [0, 1], hatch="//")
    return figure


def test_each_picture_is_a_png_and_an_svg_that_is_the_same_every_time(tmp_path: Path) -> None:
    def saved(folder: str) -> list[Path]:
        figure = hatched()
        return save_pictures(draw_figures({"one": figure, "two": figure}), tmp_path / folder)

    first, second = saved("a"), saved("b")
    assert [file.name for file in first] == ["one.png", "one.svg", "two.png", "two.svg"]
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_without_pictures_no_folder_is_made(tmp_path: Path) -> None:
    assert save_pictures({}, tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("plot", [beeswarm, dependence])
def test_a_picture_does_not_depend_on_the_processes(plot, explanation: Explanation, catalogue: Catalogue) -> None:
    figure = plot(explanation, catalogue)
    assert draw_figures({"a": figure, "b": hatched()}, n_jobs=2) == draw_figures({"a": figure, "b": hatched()})


@pytest.mark.parametrize("plot", [beeswarm, dependence])
def test_drawn_once_the_png_is_the_same_and_both_formats_have_the_same_places(
    plot, explanation: Explanation, catalogue: Catalogue
) -> None:
    figure, alone = plot(explanation, catalogue), io.BytesIO()
    engine = figure.get_layout_engine()
    picture = draw_figures({"a": figure})["a"]
    places = [axes.get_position().bounds for axes in figure.axes]
    assert figure.get_layout_engine() is engine
    other = plot(explanation, catalogue)
    other.savefig(alone, format="png", dpi=180)
    assert picture.png == alone.getvalue()
    assert places == [axes.get_position().bounds for axes in other.axes]


def test_in_a_page_a_picture_has_no_paper() -> None:
    picture = draw_figures({"a": hatched()})["a"]
    inside = base64.b64decode(picture.data_uri.removeprefix("data:image/svg+xml;base64,")).decode()
    root = ET.fromstring(inside)
    background = root.find(".//*[@id='patch_1']/*")
    assert background is not None
    assert "fill: none" in background.attrib["style"]
    assert picture.data_uri == draw_figures({"again": hatched()})["again"].data_uri
