"""The house: who may import whom, and what a light command must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nbrelapse

PACKAGE = Path(nbrelapse.__file__).parent
ORDER = {
    room: place
    for place, room in enumerate(
        (
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
            "cli",
        )
    )
}
LAZY = ("explanation/plotting.py", "report")
"""The one import against the order, inside a function: explanations know their pictures."""


def imported_packages(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    modules += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    return {module.split(".")[1] for module in modules if module.startswith("nbrelapse.")}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_left(file: Path) -> None:
    own = file.relative_to(PACKAGE).parts[0]
    for other in imported_packages(file):
        allowed = other == own or ORDER[other] < ORDER[own] or (str(file.relative_to(PACKAGE)), other) == LAZY
        assert allowed, f"{own} must not import {other}"


def test_every_package_has_a_place_in_the_order() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(ORDER) - {
        "errors",
        "outcome",
    }


def test_only_tracking_and_the_bundle_loader_know_mlflow() -> None:
    users = {
        str(file.relative_to(PACKAGE).parts[0])
        for file in FILES
        if any(
            (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "mlflow" for name in node.names))
            or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mlflow")
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        )
    }
    assert users <= {"tracking", "scoring"}


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
