from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from nbrelapse.report.render import save_figures


def test_each_picture_is_a_png_and_an_svg_that_is_the_same_every_time(tmp_path: Path) -> None:
    def saved(folder: str) -> list[Path]:
        figure = Figure()
        figure.subplots().fill_between([0, 1], [0, 1], hatch="//")
        return save_figures({"one": figure, "two": figure}, tmp_path / folder)

    first, second = saved("a"), saved("b")
    assert [file.name for file in first] == ["one.png", "one.svg", "two.png", "two.svg"]
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_without_pictures_no_folder_is_made(tmp_path: Path) -> None:
    assert save_figures({}, tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()
