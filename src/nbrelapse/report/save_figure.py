"""A picture as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

from nbrelapse.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")


def check_picture(file: str | Path) -> Path:
    """Refuse a name that no picture can have; a command asks before its work, not after."""
    path = Path(file)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"a picture cannot be a {path.suffix or 'file without extension'}",
            file=path,
            expected=" or ".join(SUFFIXES),
        )
    return path


def save_figure(figure: Figure, file: str | Path) -> Path:
    """Write a figure; its folder is made where it does not exist. An SVG is the same, byte by byte, every time.

    Parameters
    ----------
    figure : Figure
    file : path
        ``.png`` (180 dots an inch), ``.svg`` or ``.pdf``.

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
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context({"svg.hashsalt": "nbrelapse"}):
            figure.savefig(path, dpi=180, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise InputError(f"cannot write the picture: {error.strerror}", file=path) from None
    return path
