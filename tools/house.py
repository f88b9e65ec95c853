"""Measure the house: sizes of files, who imports whom, and (--trace) how much code a step passes."""

from __future__ import annotations

import argparse
import ast
import graphlib
import inspect
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from pathlib import Path
from types import FrameType

LONGEST = 650
"""Lines; a longer file is named."""

READY = "from nbrelapse import build_features, load_model, score, simulate_cohort; cohort = simulate_cohort(60, seed=1)"
MODEL = "bundle = load_model('models/quickstart')"
REQUEST = """
try:
    from nbrelapse.scoring import ExplainRequest, explain_cohort
except ImportError:  # version 0.3
    from nbrelapse.scoring.explain import ExplainRequest, explain_cohort
"""
EXPLAIN = "explain_cohort(bundle, cohort, out, ExplainRequest(patient=cohort.patient_ids[0]))"
STEPS = {
    "import nbrelapse": ("", "import nbrelapse"),
    "features": (READY, "build_features(cohort)"),
    "score": (f"{READY}; {MODEL}", "score(bundle, cohort)"),
    "explain": (f"{READY}; {MODEL}{REQUEST}", EXPLAIN),
}
"""What is done before the trace begins, and what is traced; each in a process of its own."""


class House:
    """The files of a package and the imports between them, by their dotted names; faces are looked through."""

    def __init__(self, root: Path) -> None:
        source = root / "src" / "nbrelapse"
        files = {".".join(("nbrelapse", *file.relative_to(source).parts))[:-3]: file for file in source.rglob("*.py")}
        self.files = {name.removesuffix(".__init__"): file for name, file in files.items()}
        self.trees = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in self.files.items()}
        self.lines = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in self.files.items()}
        self.faces = {name: self._face(name, file) for name, file in self.files.items() if file.stem == "__init__"}
        self.imports = {name: self._imported(tree) - {name} for name, tree in self.trees.items()}

    def _face(self, name: str, file: Path) -> dict[str, str]:
        """Names that a face lists, with the files they come from."""
        stub = file.with_suffix(".pyi")
        tree = ast.parse(stub.read_text(encoding="utf-8")) if stub.exists() else self.trees[name]
        listed: dict[str, str] = {}
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)):
            origin = ".".join(part for part in (name if node.level else "", node.module) if part)
            listed |= {alias.asname or alias.name: origin for alias in node.names}
        return listed

    def _home(self, module: str, name: str) -> str:
        """Return the file that ``from module import name`` reads."""
        while (origin := self.faces.get(module, {}).get(name)) not in (None, module):
            module = str(origin)
        return f"{module}.{name}" if f"{module}.{name}" in self.files else module

    def _imported(self, tree: ast.Module) -> set[str]:
        found = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {self._home(node.module, alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        return found & set(self.files)

    def public(self, name: str) -> list[str]:
        """Public functions and classes at the top of a file."""
        kinds = (ast.FunctionDef, ast.ClassDef)
        return [node.name for node in self.trees[name].body if isinstance(node, kinds) and node.name[0] != "_"]


def print_sizes(house: House) -> None:
    """Print how many files there are, and how long they are."""
    largest = max(house.lines, key=house.lines.__getitem__)
    single = sum(len(house.public(name)) == 1 for name in house.files)
    importers = defaultdict(set)
    for name in house.files.keys() - house.faces.keys():
        for other in house.imports[name]:
            importers[other].add(name)
    lonely = [name for name, users in importers.items() if len(users) == 1]
    print(f"files {len(house.lines)}, lines {sum(house.lines.values()):,}")
    print(f"lines a file: median {statistics.median(house.lines.values()):g}, most {house.lines[largest]} ({largest})")
    print(f"files with one public name: {single} ({single / len(house.files):.0%})")
    print(f"files with exactly one importer: {len(lonely)} ({sum(house.lines[name] for name in lonely):,} lines)")
    print(f"files over {LONGEST} lines: {', '.join(n for n in house.lines if house.lines[n] > LONGEST) or 'none'}")


def print_arrows(house: House, order: dict[str, int]) -> None:
    """Print which room imports which, imports against the order, and a cycle of files where there is one."""
    rooms, against = defaultdict(set), []
    for name in house.files.keys() - {"nbrelapse"}:
        own = name.split(".")[1]
        for other in house.imports[name] - {"nbrelapse"}:
            room = other.split(".")[1]
            rooms[own] |= {room} - {own}
            if order.get(room, -1) > order.get(own, -1):
                against.append(f"{name} -> {other}")
    for room in sorted(rooms, key=lambda room: order.get(room, -1)):
        print(f"{room} <- {', '.join(sorted(rooms[room], key=lambda name: order.get(name, -1))) or 'nothing'}")
    print(f"against the order: {', '.join(sorted(against)) or 'none'}")
    try:
        graphlib.TopologicalSorter({name: house.imports[name] - {"nbrelapse"} for name in house.files}).prepare()
        print("cycles of files: none")
    except graphlib.CycleError as error:
        print(f"cycles of files: {' -> '.join(error.args[1])}")


def trace(step: str, package: Path) -> str:
    """Run one step; a row of files loaded, files and functions passed, and the deepest own stack."""
    loaded, passed, deepest = set(), set(), 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal deepest
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(str(package)):
            return
        if code.co_name == "<module>":
            loaded.add(code.co_filename)
        if not code.co_flags & inspect.CO_OPTIMIZED or code.co_name.startswith("<"):
            return
        passed.add((code.co_filename, code.co_qualname))
        depth, caller = 0, frame
        while caller is not None:
            depth += caller.f_code.co_filename.startswith(str(package)) and not caller.f_code.co_name.startswith("<")
            caller = caller.f_back
        deepest = max(deepest, depth)

    before, traced = STEPS[step]
    with tempfile.TemporaryDirectory() as out:
        names = {"out": Path(out)}
        exec(before, names)
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            exec(traced, names)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return f"{step:18} {len(loaded):12} {len({file for file, _ in passed}):12} {len(passed):16} {deepest:13}"


def main() -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="the checkout")
    parser.add_argument("--trace", action="store_true", help="run steps on a simulated cohort and count what they pass")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    root = asked.root.resolve()
    if asked.step:
        print(trace(asked.step, root / "src" / "nbrelapse"))
        return
    sys.path.insert(0, str(root / "src"))
    house = House(root)
    print_sizes(house)
    tested = runpy.run_path(str(root / "tests" / "test_imports.py"))
    rooms = tested["ROOMS"] if "ROOMS" in tested else tested["ORDER"]  # version 0.3
    print_arrows(house, {room: place for place, room in enumerate(rooms)})
    if asked.trace:
        print(f"{'step':18} files loaded files passed functions passed deepest stack", flush=True)
        environment = os.environ | {"PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        for step in STEPS:
            command = [sys.executable, __file__, "--root", str(root), "--step", step]
            subprocess.run(command, cwd=root, env=environment, check=True)


if __name__ == "__main__":
    main()
