from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.decisions import ClinicalUtility
from nbrelapse.report import draw_figures, save_pictures
from nbrelapse.report.experiment_report import ReportContent
from nbrelapse.report.patient_report import PatientContent
from nbrelapse.report.plots import beeswarm, decision_curve_plot, dependence, kaplan_meier_by_risk
from nbrelapse.report.plots.style import _ON_COLOR, _PAPER, _RISK_GROUPS
from nbrelapse.report.render import _luminance, _on_dark


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


def colours_of_words(svg: str) -> set[str]:
    """The colours that a picture has words in; those on coloured cells aside, which carry their own ground."""
    words = [group for group in ET.fromstring(svg).iter() if group.attrib.get("id", "").startswith("text_")]
    assert words
    styles = [part.attrib.get("style", "") for group in words for part in group.iter()]
    return {found[1] for style in styles if (found := re.search(r"fill: (#[0-9a-f]{6})", style))} - {_ON_COLOR}


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_words_in_pictures_are_read_on_both_grounds(
    content: ReportContent, patient_content: PatientContent, utility: ClinicalUtility, explanation: Explanation, y
) -> None:
    assert patient_content.prediction is not None
    others = {"decisions": decision_curve_plot(utility), "survival": kaplan_meier_by_risk(explanation.prediction, y)}
    pictures = content.pictures | draw_figures(dict(patient_content.prediction.figures) | others)
    found = {colour for picture in pictures.values() for colour in colours_of_words(picture.svg)}
    assert found.issuperset(_RISK_GROUPS)
    assert {colour for colour in found if contrast(colour, _PAPER) < 4.5} == set()
    assert {colour for colour in found if contrast(_on_dark(colour), _on_dark(_PAPER)) < 4.5} == set()
