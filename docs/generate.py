"""Fill the tables of the documentation that are made from the code, and `mechanisms.md`.

Such a table stands between `<!-- made of WHAT -->` and `<!-- end -->`. What it says is changed where the code says it:
in `experiment/config.py`, `cohort/schema.py`, `metrics/table.py`, or the help of a command. `docs/check.py` refuses
pages that this would change.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nbrelapse.cli import app
from nbrelapse.cohort.schema import LAYER, TABLES, coded_columns, levels
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.metrics import METRICS
from nbrelapse.report import mechanism_page

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(r"(<!-- made of (\w+)(?: ([\w. ]+))? -->\n).*?(<!-- end -->)", flags=re.S)


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _prose(text: str, page: Path) -> str:
    """Return a docstring as a cell of Markdown: one line, roles as code, decisions as links."""
    line = re.sub(r":\w+:`([^`]+)`", r"`\1`", " ".join(text.split())).replace("``", "`")
    up = "../" * (len(page.relative_to(DOCS).parts) - 1)

    def link(found: re.Match[str]) -> str:
        file = next((DOCS / "decisions").glob(f"{found[1]}-*.md"))
        return f"[decision {found[1]}]({up}decisions/{file.name})"

    line = re.sub(r"\((\w+)\.md\)", rf"([\1]({up}\1.md))", line)
    return re.sub(r"decision (\d{3})", link, line)


# The keys of an experiment file.


def _kind(annotation: Any, bounds: list[Any]) -> str:
    """Return a type in words."""
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *more = get_args(annotation)
        return _kind(base, [bound for one in more for bound in getattr(one, "metadata", [one])])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(one, bounds) for one in get_args(annotation) if one is not type(None))
    if origin is tuple:
        member = get_args(annotation)[0]
        return "list of families" if get_origin(member) is Literal else f"list of {_kind(member, [])}s"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    words = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}
    return words[annotation] + " and".join(f" {sign} {value}" for sign, value in _limits(bounds))


def _limits(bounds: list[Any]) -> Iterator[tuple[str, Any]]:
    for bound in bounds:
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if getattr(bound, attribute, None) is not None:
                yield sign, getattr(bound, attribute)


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "; by default those of the endpoint"
    if field.default is PydanticUndefined:
        return "; required"
    if field.default is None:
        return "; by default none"
    if isinstance(field.default, BaseModel):
        return ""
    if isinstance(field.default, bool):
        return f"; by default `{str(field.default).lower()}`"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"; by default `{value!r}`".replace("'", '"')


def _section(name: str) -> type[BaseModel]:
    """Return the model of a section, such as ``cohort.simulate``."""
    section: type[BaseModel] = ExperimentConfig
    for part in filter(None, name.split(".")):
        annotation = section.model_fields[part].annotation
        kinds = (annotation, *get_args(annotation))
        section = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return section


def _experiment(name: str, page: Path) -> str:
    rows = []
    for key, field in _section(name).model_fields.items():
        kind = _kind(field.annotation, field.metadata)
        anchor = f"{name}{key}".replace(".", "")
        shown = f"[`{key}`](#{anchor})" if kind == "table" else f"`{key}`"
        rows.append([shown, f"{kind}{_default(field)}", _prose(field.description or "", page)])
    return _table(["key", "value", "what it says"], rows)


# The tables of a cohort.

_CHECKS = {"non_negative": "≥ 0", "positive": "> 0", "fraction": "0 to 1", "zero_or_one": "0 or 1"}


def _values(name: str, column: Any) -> str:
    kind = str(column.dtype)
    if kind == "boolean":
        return "true or false"
    if kind == "float64":
        return " ".join(["number", *(_CHECKS.get(str(check.error), "") for check in column.checks)]).strip()
    if name == "chromosome":
        return "chromosome"
    if name in coded_columns() and column.checks:
        return ", ".join(f"`{level}`" for level in levels(name)) + (f", `{LAYER}NAME`" if name == "assay" else "")
    return "text"


def _cohort(name: str, page: Path) -> str:
    rows = []
    for key, column in TABLES[name].columns.items():
        needed = "" if column.nullable else "; needed"
        rows.append([f"`{key}`", f"{_values(str(key), column)}{needed}", _prose(column.description, page)])
    return _table(["column", "values", "what it is"], rows)


# Metrics.


def _metrics(name: str, page: Path) -> str:
    rows: dict[tuple[str, ...], list[str]] = {}
    for metric in METRICS.values():
        kinds = " and ".join("time to an event" if kind.has_time else "yes or no" for kind in metric.kinds)
        better = metric.direction.removesuffix(" is better")
        chance = "" if metric.chance is None else f"; by chance {metric.chance:g}"
        title = f"{metric.subject}, of {kinds}"
        rows.setdefault((title, f"{better}{chance}", metric.undefined), []).append(f"`{metric.name}`")
    table = [[" ".join(keys), *facts] for facts, keys in rows.items()]
    return _table(["key", "title", "better", "no value where"], table)


# The command line.


def _commands(name: str, page: Path) -> str:
    return "\n".join(_command(typer.main.get_command(app), "nbrelapse"))


def _command(command: Any, path: str) -> Iterator[str]:
    """Yield a section for a command, or for each command of a group, those of inner groups last."""
    inner = getattr(command, "commands", {})
    for key, one in sorted(inner.items(), key=lambda item: hasattr(item[1], "commands")):
        yield from _command(one, f"{path} {key}")
    if inner:
        return
    context = command.context_class(command, info_name=path)
    usage = " ".join(piece.replace("{", "").replace("}", "").upper() for piece in command.collect_usage_pieces(context))
    yield f"## {path}\n\n```text\n{path} {usage}\n```\n\n{command.help.strip()}\n"
    rows = []
    for parameter in command.params:
        names, text = parameter.get_help_record(context)
        shown = names.split(" <")[0].upper() if parameter.param_type_name == "argument" else names
        rows.append([f"`{shown}`", " ".join(text.split())])
    if rows:
        yield _table(["option", "what it says"], rows)


_MAKERS: dict[str, Callable[[str, Path], str]] = {
    "experiment": _experiment,
    "cohort": _cohort,
    "metrics": _metrics,
    "commands": _commands,
}


def filled(page: Path) -> str:
    """Return the text of a page with its tables made anew."""

    def fill(block: re.Match[str]) -> str:
        return f"{block[1]}\n{_MAKERS[block[2]](block[3] or '', page)}\n{block[4]}"

    if page == DOCS / "mechanisms.md":
        return mechanism_page(load_catalogue())
    return _BLOCK.sub(fill, page.read_text(encoding="utf-8"))


def outdated() -> dict[Path, str]:
    """Return the pages that are not what the code says, and what they should be."""
    pages = {page: filled(page) for page in sorted(DOCS.rglob("*.md"))}
    return {page: text for page, text in pages.items() if text != page.read_text(encoding="utf-8")}


if __name__ == "__main__":
    for page, text in outdated().items():
        page.write_text(text, encoding="utf-8")
        print(f"written: {page.relative_to(DOCS.parent)}", file=sys.stderr)
