"""The house: who may import whom, what is public, and what a light command must not load."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nbrelapse

PACKAGE = Path(nbrelapse.__file__).parent
ROOMS = (
    "errors",
    "cohort",
    "readers",
    "mechanisms",
    "outcome",
    "simulation",
    "models",
    "metrics",
    "explanation",
    "validation",
    "report",
    "tracking",
    "scoring",
    "experiment",
    "serving",
    "cli",
    "__main__",
)
FACES = [room for room in ROOMS if (PACKAGE / room / "__init__.pyi").exists()] + ["report.plots"]
UPWARD = {
    ("explanation", "report"): "Explanation.plot draws",
    ("validation", "report"): "CrossValidation.plot draws",
}
"""The lazy arrows that run against the order: a result that can be drawn."""


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("nbrelapse", *(parts[:-1] if parts[-1] == "__init__" else parts)))


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {name: path for name, path in FILES.items() if path.name != "__init__.py"}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def imports(module: str, *, running: bool = False) -> frozenset[tuple[str, str]]:
    """Modules of this package that a file imports (for types too, unless running), each with the name it takes."""
    found = set()
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    if running:
        tree.body = [node for node in tree.body if not is_for_types(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nbrelapse":
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                found.add((whole, "") if whole in MODULES else (str(node.module), name.name))
        elif isinstance(node, ast.Import):
            found |= {(name.name, "") for name in node.names if name.name.split(".")[0] == "nbrelapse"}
    return frozenset(found)


def public_names(module: str) -> set[str]:
    """Names without underscore that a file defines."""
    found: set[str] = set()
    for node in ast.parse(FILES[module].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return {name for name in found if not name.startswith("_")}


def is_private(module: str) -> bool:
    return any(part.startswith("_") for part in module.split("."))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_left(module: str) -> None:
    own = room_of(module)
    for other in {room_of(name) for name, _ in imports(module)} - {"", own}:
        allowed = ROOMS.index(other) < ROOMS.index(own) or (own, other) in UPWARD
        assert allowed, f"{own} must not import {other}"


def test_every_room_has_a_place_in_the_order() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders | {"errors", "__main__"} == set(ROOMS)


def test_no_files_import_each_other() -> None:
    drawn = {name: {other for other, _ in imports(name, running=True) if other in MODULES} for name in MODULES}
    for name, others in drawn.items():
        drawn[name] = {other for other in others if (room_of(name), room_of(other)) not in UPWARD}
    TopologicalSorter(drawn).prepare()


@pytest.mark.parametrize("room", FACES)
def test_a_face_lists_what_is_there(room: str) -> None:
    face = importlib.import_module(f"nbrelapse.{room}")
    assert dir(face) == sorted(face.__all__)
    for name in face.__all__:
        assert getattr(face, name) is not None


@pytest.mark.parametrize("room", FACES)
def test_what_is_public_stands_in_the_face(room: str) -> None:
    listed = set(importlib.import_module(f"nbrelapse.{room}").__all__)
    files = [name for name in MODULES if name.rpartition(".")[0] == f"nbrelapse.{room}" and not is_private(name)]
    outside = {f"{name}: {public}" for name in files for public in public_names(name) - listed}
    assert outside - {"nbrelapse.scoring.pyfunc: ScoringModel"} == set()


@pytest.mark.parametrize("module", MODULES)
def test_other_rooms_take_what_is_public(module: str) -> None:
    hidden = {
        f"{other}.{name}"
        for other, name in imports(module)
        if room_of(other) != room_of(module) and (is_private(other) or name.startswith("_"))
    }
    assert hidden - {"nbrelapse.__version__"} == set()


def test_the_library_shows_its_names() -> None:
    assert dir(nbrelapse) == sorted(set(nbrelapse.__all__) - {"__version__"})
    for name in nbrelapse.__all__:
        assert getattr(nbrelapse, name) is not None


def test_only_tracking_and_the_bundle_loader_know_mlflow() -> None:
    users = {
        room_of(module)
        for module, file in MODULES.items()
        if any(
            (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "mlflow" for name in node.names))
            or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mlflow")
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        )
    }
    assert users <= {"tracking", "scoring"}


def test_the_import_of_the_library_loads_nothing_heavy() -> None:
    heavy = ["mlflow", "shap", "xgboost", "sklearn", "pandas", "numpy", "matplotlib", "typer"]
    code = f"import sys, nbrelapse; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_stay_light(option: str) -> None:
    heavy = ["mlflow", "shap", "xgboost", "sklearn", "pandas", "numpy", "matplotlib"]
    code = (
        "import sys; from nbrelapse.cli import main\n"
        f"sys.argv = ['nbrelapse', {option!r}]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "nbrelapse" in done.stdout
