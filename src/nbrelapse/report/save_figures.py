"""Pictures as files, each for the screen and for print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.report.save_figure import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = (".png", ".svg")


def save_figures(figures: Mapping[str, Figure], folder: str | Path) -> list[Path]:
    """Write figures as PNG and as SVG.

    Parameters
    ----------
    figures : dict of str to Figure
    folder : path
        Made where it does not exist.

    Returns
    -------
    list of Path
        ``<name>.png`` and ``<name>.svg`` of each figure.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    return [save_figure(figure, Path(folder) / f"{name}{kind}") for name, figure in figures.items() for kind in KINDS]
