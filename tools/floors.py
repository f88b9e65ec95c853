"""Say of which packages of this environment pyproject.toml promises older versions than are installed.

The nox session with the oldest dependencies runs it: a promise that cannot be installed beside the others is none.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version


def main() -> None:
    """Print the packages whose lowest promised version is not installed; exit code 1 where there are any."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(line for extra in sys.argv[1:] for line in extras[extra])]
    found = [told for line in asked if (told := _above(Requirement(line)))]
    print("\n".join(found) or f"{len(asked)} promises of pyproject.toml are installed at their lowest versions")
    sys.exit(bool(found))


def _above(requirement: Requirement) -> str:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return ""
    lowest = next(Version(one.version) for one in requirement.specifier if one.operator == ">=")
    installed = Version(version(requirement.name))
    if installed.release[: len(lowest.release)] == lowest.release:
        return ""
    return f"{requirement.name}: {lowest} is promised, {installed} is the lowest that could be installed"


if __name__ == "__main__":
    main()
