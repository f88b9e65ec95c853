"""One self-contained HTML file from a template, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nbrelapse import __version__
from nbrelapse.errors import InputError

NOTICE = "For research use, not for treatment decisions."


def render(template: str, file: str | Path, context: dict[str, Any]) -> Path:
    """Fill a template and write the page.

    Parameters
    ----------
    template : str
        Name in ``nbrelapse/report/templates``.
    file : path
        The HTML file; an older one is replaced only once the new one is complete.
    context : dict
        What the template shows. Everything is escaped.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The file cannot be written.
    """
    templates = Environment(
        loader=PackageLoader("nbrelapse.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = resources.files("nbrelapse.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    text = templates.get_template(template).render(context, style=Markup(style), notice=NOTICE, version=__version__)
    return _replace(Path(file), text)


def _replace(path: Path, text: str) -> Path:
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as stream:
            beside = Path(stream.name)
            stream.write(text)
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as error:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise InputError(f"the report cannot be written: {error.strerror}", file=path) from None
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
