"""``.. face:: nbrelapse.metrics`` documents what a room's face lists: classes, functions, constants.

What has no public name but is referred to by a docstring, such as a base class that explains parameters, follows at
the end. References that name the file of an object (``nbrelapse.metrics.discrimination.harrell_c``), or leave out the
room, lead to where the face has it; those of an attribute to its class, those of a file to its room.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_LINE = re.compile(r"^from \.([\w.]+) import (\w+) as \2$", flags=re.M)
_PRIVATE = re.compile(r":(?:func|class):`([\w.]+\.)?(_\w+)`")
_LONGEST_VALUE = 72


def _face(room: str) -> list[tuple[str, str, Any]]:
    """Name, module and object of each name that a face lists."""
    module = importlib.import_module(room)
    stub = Path(str(module.__file__)).with_suffix(".pyi").read_text(encoding="utf-8")
    return [(name, f"{room}.{file}", getattr(module, name)) for file, name in _LINE.findall(stub)]


@cache
def _texts(file: str) -> dict[str, str]:
    """Return what stands below the assignments of a file."""
    lines = ast.parse(Path(file).read_text(encoding="utf-8")).body
    found = {}
    for line, below in pairwise(lines):
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        if isinstance(target, ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[target.id] = inspect.cleandoc(str(below.value.value))
    return found


def _document(name: str, module: str, thing: Any) -> tuple[str, list[str]]:
    """Return the kind of an object, and the reST that documents it."""
    if inspect.isclass(thing):
        return "Classes", [f".. autoclass:: {name}", "   :members:", ""]
    if inspect.isroutine(thing):
        return "Functions", [f".. autofunction:: {name}", ""]
    shown = repr(thing)
    short = not isinstance(thing, re.Pattern) and "<" not in shown and len(shown) <= _LONGEST_VALUE
    text = _texts(str(importlib.import_module(module).__file__)).get(name.rsplit(".", 1)[-1], "").splitlines()
    head = [f".. py:data:: {name}", *([f"   :value: {shown}"] if short else []), ""]
    return "Constants", [*head, *(f"   {line}" for line in text), ""]


def _docstrings(thing: Any) -> str:
    members = vars(thing).values() if inspect.isclass(thing) else ()
    return "\n".join(inspect.getdoc(one) or "" for one in (thing, *members) if not isinstance(one, str | int | float))


def _referred_to(module: str, thing: Any) -> list[tuple[str, str, Any]]:
    """Name, module and object of what a docstring refers to by a private name, as its file sees it."""
    found = []
    for file, name in _PRIVATE.findall(_docstrings(thing)):
        found += [one for one in [getattr(importlib.import_module(file.rstrip(".") or module), name, None)] if one]
    return [(f"{one.__module__}.{one.__name__}", one.__module__, one) for one in found]


class Face(SphinxDirective):
    """The directive."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Document the room."""
        room = self.arguments[0]
        waiting = [(f"{room}.{name}", module, thing) for name, module, thing in _face(room)]
        public, seen = len(waiting), set()
        kinds: dict[str, list[str]] = {"Classes": [], "Functions": [], "Constants": [], "Referred to above": []}
        for place, (name, module, thing) in enumerate(waiting):  # it grows
            if name in seen or inspect.ismodule(thing):
                continue
            seen.add(name)
            self.env.note_dependency(str(importlib.import_module(module).__file__))
            kind, lines = _document(name, module, thing)
            kinds[kind if place < public else "Referred to above"] += lines
            if kind != "Constants":
                waiting += _referred_to(thing.__module__, thing)
        rubrics = [line for kind, found in kinds.items() if found for line in (f".. rubric:: {kind}", "", *found)]
        node = nodes.container()
        self.state.nested_parse(StringList([f".. py:module:: {room}", "", *rubrics], room), self.content_offset, node)
        return node.children


def _by_face(app: Sphinx, env: Any, node: Any, contnode: nodes.Node) -> nodes.Node | None:
    """Resolve what is named by its file, without its room, or as an attribute; of private methods keep the name."""
    if node.get("refdomain") != "py":
        return None
    objects = {name: entry for name, entry in env.get_domain("py").objects.items() if not entry.aliased}
    context = [node.get("py:module"), node.get("py:class")]
    whole = node["reftarget"]
    parts = whole.split(".")
    if node["reftype"] in ("meth", "attr") and len(parts) == 1:
        if parts[0].startswith("_"):
            return contnode
        parts = [*(context[1] or "").split("."), *parts]
    tails = [parts[-2:], parts[-1:], parts[-2:-1]] if len(parts) > 1 else [parts]
    for tail in tails:
        found = [name for name in objects if name.endswith("." + ".".join(tail)) and name.startswith("nbrelapse.")]
        found.sort(key=lambda name: (name.count("."), name.split(".")[1:2] != parts[1:2]))
        if found:
            entry = objects[found[0]]
            uri = app.builder.get_relative_uri(node.get("refdoc", ""), entry.docname)
            return nodes.reference("", "", contnode, internal=True, refuri=f"{uri}#{entry.node_id}")
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive; load what pydantic makes models of before autodoc has looked at any module."""
    importlib.import_module("fastapi")
    app.add_directive("face", Face)
    app.connect("missing-reference", _by_face)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
