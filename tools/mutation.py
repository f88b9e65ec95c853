"""Measure how many faults the tests of a room notice: `python tools/mutation.py outcome --sample 120`.

Mutmut changes one thing in a function (a comparison, a number, an argument, an operator) and runs those of the room's
tests that call the function; a mutant that they pass survives. A random sample of the room's mutants is tried, the same
for the same seed and code. Printed are the survivors, as differences, and the share noticed with its 95 % interval
(Wilson). Tests run quickest first, for at most 12 seconds of processor time a mutant; what only later ones would notice
counts as a survivor, so the share is a lower bound. Left out are mutants that only reword a text, letters of a literal
with a blank. Mutmut leaves alone what has a decorator and what stands outside functions; doctests are not run.

It needs `pip install "mutmut>=3.8,<4"` (Linux, macOS), which no lock holds. Work is left in build/mutation/ROOM.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/nbrelapse"
BUILDERS = f"{PACKAGE}/mechanisms/builders"
ROOMS = {
    "outcome": ([f"{PACKAGE}/outcome/*.py"], ["tests/outcome", "tests/metrics/test_horizons.py"]),
    "validation": ([f"{PACKAGE}/validation/*.py"], ["tests/validation"]),
    "copy_number": (
        [
            f"{BUILDERS}/*copy_number*.py",
            *(f"{PACKAGE}/{name}.py" for name in ("mechanisms/profile", "mechanisms/genome")),
            *(f"{PACKAGE}/cohort/{name}.py" for name in ("segments", "log2_scale", "genome")),
        ],
        [
            "tests/mechanisms/builders/test_copy_number.py",
            "tests/mechanisms/builders/test_copy_number_burden.py",
            "tests/mechanisms/builders/test_copy_number_measures.py",
            "tests/mechanisms/test_profile.py",
            "tests/mechanisms/test_genome.py",
            "tests/cohort/test_segments.py",
            "tests/cohort/test_log2_scale.py",
            "tests/cohort/test_genome.py",
        ],
    ),
    "mutations": (
        [f"{BUILDERS}/*mutation*.py", f"{PACKAGE}/cohort/mutations.py"],
        [
            "tests/mechanisms/builders/test_mutations.py",
            "tests/mechanisms/builders/test_mutation_rules.py",
            "tests/cohort/test_mutations.py",
            "tests/cohort/test_validate.py",
            "tests/readers/test_maf_rules.py",
        ],
    ),
}
WITHOUT = "not depend"
"""Tests whose names say what results do not depend on compare whole runs, in several processes."""
QUICK_FIRST = """
import json, os, time
from pathlib import Path
import pytest

def pytest_collection_modifyitems(items):
    if "__mutmut_" in os.environ.get("MUTANT_UNDER_TEST", ""):
        seconds = json.loads(Path("mutmut-stats.json").read_text(encoding="utf-8"))["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0))

def pytest_runtest_setup(item):
    if "__mutmut_" in os.environ.get("MUTANT_UNDER_TEST", "") and time.process_time() > 12:
        pytest.skip("the time of this mutant is over")
"""
MUTMUT = [sys.executable, "-c", "from mutmut.__main__ import cli; cli()"]


def main() -> None:
    """Print the share of a room's mutants that its tests notice, and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--sample", type=int, default=120, help="mutants to try")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files, tests = ROOMS[options.room]
    scratch = _copy(ROOT / "build" / "mutation" / options.room, files, tests)
    os.chdir(scratch)
    mutants = _mutants([file for pattern in files for file in sorted(Path().glob(pattern))])
    names = random.Random(options.seed).sample(sorted(mutants), min(options.sample, len(mutants)))
    environment = {**os.environ, "CI": "1", "OMP_NUM_THREADS": "1"}
    with Path("mutmut.log").open("w", encoding="utf-8") as log:
        ended = subprocess.run([*MUTMUT, "run", "--max-children", "1", *names], env=environment, stdout=log, stderr=log)
    if ended.returncode:
        sys.exit(f"mutmut failed: {(scratch / 'mutmut.log')}")
    _report({name: mutants[name] for name in names}, len(mutants))


def _copy(scratch: Path, files: list[str], tests: list[str]) -> Path:
    """Return a fresh copy of what the tests need, with mutmut's settings."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for folder in ("src", "tests", "experiments"):
        shutil.copytree(ROOT / folder, scratch / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (scratch / "conftest.py").write_text(QUICK_FIRST, encoding="utf-8")
    settings = {
        "source_paths": ["src/"],
        "only_mutate": files,
        "also_copy": ["conftest.py", "experiments"],
        "pytest_add_cli_args": ["-k", WITHOUT],
        "pytest_add_cli_args_test_selection": tests,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (scratch / "pyproject.toml").write_text("\n".join([project, "[tool.mutmut]", *lines, ""]), encoding="utf-8")
    return scratch


def _mutants(files: list[Path]) -> dict[str, str]:
    """Return the difference that each mutant makes, by its name; those that only reword a text are left out."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name, mangled_name_from_mutant_name

    found = {}
    for file in files:
        mutated = mutate_file_contents(str(file), file.read_text(encoding="utf-8"))
        lines, spans = mutated.code.splitlines(), mutated.line_span_by_function_name
        bodies = {name: _body(lines[span.start - 1 : span.end]) for name, span in spans.items()}
        for name in mutated.mutant_names:
            original = bodies[f"{mangled_name_from_mutant_name(name)}__mutmut_orig"]
            changes = [*difflib.unified_diff(original, bodies[name], lineterm="", n=1)][2:]
            if not _rewords(changes):
                found[get_mutant_name(file, name)] = "\n".join(changes)
    return found


def _body(lines: list[str]) -> list[str]:
    """Return a function's lines under a name that mutants share."""
    return re.sub(r"x[\w\u01c1]*__mutmut_\w+", "f", textwrap.dedent("\n".join(lines))).splitlines()


def _rewords(changes: list[str]) -> bool:
    """Say whether a difference is only in the letters of a text with a blank in it."""
    old = [line[1:] for line in changes if line.startswith("-")]
    new = [line[1:] for line in changes if line.startswith("+")]
    if len(old) != 1 or len(new) != 1:
        return False
    texts = [re.findall(r'"([^"]*)"', line[0]) for line in (old, new)]
    bare = [re.sub(r'"[^"]*"', '""', line[0]) for line in (old, new)]
    return bare[0] == bare[1] and any(" " in a and a != b for a, b in zip(*texts, strict=True))


def _report(mutants: dict[str, str], population: int) -> None:
    """Print the share noticed, with its interval, and each survivor."""
    codes: dict[str, int] = {}
    for meta in Path("mutants").rglob("*.meta"):
        codes |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    survivors = [name for name in mutants if codes[name] in (0, 5, 33)]
    for name in sorted(survivors):
        print(f"\n{name}{'' if codes[name] == 0 else ' (no test calls it)'}\n{mutants[name]}")
    killed = len(mutants) - len(survivors)
    low, high = binomtest(killed, len(mutants)).proportion_ci(method="wilson")
    late = sum(codes[name] not in (0, 1, 3, 5, 33) for name in mutants)
    print(
        f"\n{killed} of {len(mutants)} noticed, {killed / len(mutants):.0%} (95 % {low:.0%} to {high:.0%}); "
        f"{late} by running out of time or crashing; {population:,} mutants in all"
    )


if __name__ == "__main__":
    main()
