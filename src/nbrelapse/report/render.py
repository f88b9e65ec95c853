"""One self-contained HTML file from a template, and figures as files or inside a page."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from joblib import delayed
from markupsafe import Markup
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from nbrelapse import __version__
from nbrelapse.cohort.files import check_file_name, check_writable, write_beside
from nbrelapse.errors import InputError
from nbrelapse.models.processes import in_processes
from nbrelapse.report.plots.style import _ABSENT, _ACCENT, _GRID, _INK, _MUTED, _ON_COLOR, _PAPER, _RISK_GROUPS

_NOTICE = "For research use, not for treatment decisions."


def _render(template: str, file: str | Path, context: dict[str, Any], *, private: bool = False) -> Path:
    """Fill a template and write the page.

    Parameters
    ----------
    template : str
        Name in ``nbrelapse/report/templates``.
    file : path
        The HTML file; an older one is replaced only once the new one is complete.
    context : dict
        What the template shows. Everything is escaped.
    private : bool
        It is of a single patient: nobody else on this machine may read it.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The file cannot be written.
    """
    return _replace(Path(file), _fill(template, context), private=private)


def _fill(template: str, context: dict[str, Any]) -> str:
    """Fill a template; see :func:`_render`."""
    templates = Environment(
        loader=PackageLoader("nbrelapse.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(template).render(
        context, style=Markup(page_style()), notice=_NOTICE, version=__version__
    )


def page_style() -> str:
    """Return the style sheet of all pages."""
    return resources.files("nbrelapse.report").joinpath("templates/style.css").read_text(encoding="utf-8")


def _replace(path: Path, text: str, *, private: bool) -> Path:
    try:
        with write_beside(path, private=private) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the report cannot be written: {error.strerror}", file=path) from None
    return path


_DARK = {
    _INK: "#e6ebf0",
    _MUTED: "#9aa7b4",
    _GRID: "#33404d",
    _ABSENT: "#6f7c89",
    _PAPER: "#151b22",
    _ON_COLOR: _ON_COLOR,
    _ACCENT: "#72b4ec",
    **dict(zip(_RISK_GROUPS, ("#6aaee8", "#b79fd9", "#ef8f52"), strict=True)),
}
"""What the neutral colours, and those that words are written in, become on a dark screen."""

_LEAST_CONTRAST = 3.0
"""With the dark page, of colours that stay as they are (https://www.w3.org/TR/WCAG22/#non-text-contrast)."""


@dataclass(frozen=True)
class Picture:
    """A figure that has been drawn, once for all the places it goes to: a page, a folder, MLflow.

    Parameters
    ----------
    png : bytes
        180 dots an inch.
    svg : str
        On paper; no date and no random ids stand in it.

    Examples
    --------
    >>> picture = draw_figures({"empty": Figure((1, 1))})["empty"]
    >>> picture.png[1:4], picture.data_uri[:26]
    (b'PNG', 'data:image/svg+xml;base64,')
    """

    png: bytes
    svg: str

    @property
    def data_uri(self) -> str:
        """The picture inside a page, without its paper; it follows the reader's light or dark scheme."""
        return _data_uri(_PAPER_OF_SVG.sub(r"\1none", self.svg, count=1))


_PAPER_OF_SVG = re.compile(r'(<g id="patch_1">\s*<path [^>]*style="fill: )[^";]+')
"""The first patch of a figure is its background."""


_Name = TypeVar("_Name", bound=Hashable)


Plot = Callable[[], Figure]
"""What makes a figure, wherever it is to be drawn: a plot with its arguments, see ``functools.partial``."""


def draw_figures(figures: Mapping[_Name, Figure | Plot], *, n_jobs: int = 1) -> dict[_Name, Picture]:
    """Draw figures; drawing takes longer than all else that is done with them, so it is done once.

    Parameters
    ----------
    figures : dict of Figure or Plot
        By any name. The same figure under two names is drawn once.
    n_jobs : int
        Processes; the pictures do not depend on it.

    Returns
    -------
    dict of Picture
        By the same names.
    """
    return begin_drawing(figures, n_jobs=n_jobs)()


def begin_drawing(figures: Mapping[_Name, Figure | Plot], *, n_jobs: int) -> Callable[[], dict[_Name, Picture]]:
    """Draw figures in other processes while this one goes on; see :func:`draw_figures`.

    Returns
    -------
    callable
        Waits for the pictures and returns them. With one job it is what draws them.
    """
    once = {id(figure): figure for figure in figures.values()}
    drawn = in_processes([delayed(_draw)(figure) for figure in once.values()], n_jobs)

    def pictures() -> dict[_Name, Picture]:
        found = dict(zip(once, drawn, strict=True))
        return {name: found[id(figure)] for name, figure in figures.items()}

    return pictures


def _draw(plot: Figure | Plot) -> Picture:
    figure = plot if isinstance(plot, Figure) else plot()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.set_layout_engine("none")  # the places found for the one format are good for the other
    try:
        return Picture(png.getvalue(), _svg(figure))
    finally:
        figure.set_layout_engine(engine)


def _svg(figure: Figure, **options: Any) -> str:
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "nbrelapse", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", dpi=_DPI, metadata={"Date": None, "Creator": None}, **options)
    return file.getvalue()


def _figure_data_uri(figure: Figure) -> str:
    """Return a figure as the data URI of an SVG image.

    The image follows the reader's light or dark scheme by itself: its neutral colours change, and colours too dark for
    a dark page become lighter. Inside ``<img>`` nothing in it can run or load.

    Parameters
    ----------
    figure : Figure
        That goes nowhere but into one page; others are drawn by :func:`draw_figures`.

    Returns
    -------
    str
        ``data:image/svg+xml;base64,...``; no date and no random ids stand in it.
    """
    return _data_uri(_svg(figure, facecolor="none"))


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(_follow_the_scheme(svg).encode()).decode()


def _follow_the_scheme(svg: str) -> str:
    found = sorted(set(re.findall(r"#[0-9a-f]{6}\b", svg)))
    light = "".join(f"--c{color[1:]}:{color};" for color in found)
    dark = "".join(f"--c{color[1:]}:{_on_dark(color)};" for color in found)
    style = f"<style>:root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    body = re.sub(r"(?<=[ :])#([0-9a-f]{6})\b(?=[;\"])", r"var(--c\1)", svg)
    body = re.sub(r'(fill|stroke)="(var\([^)]*\))"', r'style="\1:\2"', body)
    return re.sub(r"(<svg[^>]*>)", lambda match: match[1] + style, body, count=1)


def _on_dark(color: str) -> str:
    """Return what a hex colour in lower case becomes on a dark screen: itself where it stands out from the page.

    Examples
    --------
    >>> _on_dark("#d55e00"), _on_dark("#332288")
    ('#d55e00', '#6b5ea9')
    """
    if color in _DARK:
        return _DARK[color]
    if _luminance(color) + 0.05 >= _LEAST_CONTRAST * (_luminance(_DARK[_PAPER]) + 0.05):
        return color
    red, green, blue = to_rgb(color)
    lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    towards_white = max(0.0, 0.45 - lightness)
    return to_hex((_lift(red, towards_white), _lift(green, towards_white), _lift(blue, towards_white)))


def _luminance(color: str) -> float:
    """Relative luminance of a colour (WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    parts = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color))
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def _lift(part: float, towards_white: float) -> float:
    return part + (1 - part) * towards_white


_DPI = 180
_SUFFIXES = (".png", ".svg", ".pdf")


def check_picture(file: str | Path) -> Path:
    """Refuse a name that no picture can have, or a place that cannot be written to, before the work."""
    path = check_file_name(file, "a picture", _SUFFIXES)
    check_writable(path, "the picture", "name another folder", replaced=True)
    return path


def save_figure(figure: Figure, file: str | Path, *, private: bool = False) -> Path:
    """Write a figure; its folder is made where it does not exist. An SVG is the same, byte by byte, every time.

    Parameters
    ----------
    figure : Figure
    file : path
        ``.png`` (180 dots an inch), ``.svg`` or ``.pdf``.
    private : bool
        It shows single patients: nobody else on this machine may read it.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The extension is another one, or the file cannot be written.
    """
    path = check_picture(file)
    try:
        with mpl.rc_context({"svg.hashsalt": "nbrelapse"}), write_beside(path, private=private) as beside:
            figure.savefig(beside, dpi=_DPI, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise InputError(f"cannot write the picture: {error.strerror}", file=path) from None
    return path


def save_pictures(pictures: Mapping[str, Picture], folder: str | Path, *, private: bool = False) -> list[Path]:
    """Write pictures as PNG and as SVG.

    Parameters
    ----------
    pictures : dict of str to Picture
    folder : path
        Made where it does not exist.
    private : bool
        They show single patients: nobody else on this machine may read them.

    Returns
    -------
    list of Path
        ``<name>.png`` and ``<name>.svg`` of each picture.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    contents = {
        Path(folder) / f"{name}{kind}": content
        for name, picture in pictures.items()
        for kind, content in ((".png", picture.png), (".svg", picture.svg.encode()))
    }
    for path, content in contents.items():
        try:
            with write_beside(path, private=private) as beside:
                beside.write_bytes(content)
        except OSError as error:
            raise InputError(f"cannot write the picture: {error.strerror}", file=path) from None
    return list(contents)
