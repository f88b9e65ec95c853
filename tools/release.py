"""Make a release: check the tree, write the version where it stands, commit and tag. Nothing is uploaded.

python tools/release.py VERSION [--dry-run]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "nbrelapse" / "__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
CITATION = ROOT / "CITATION.cff"
HEAD = "## Unreleased"


def git(*arguments: str) -> str:
    """Return what git says."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def later(version: str, than: str) -> bool:
    """Say whether a version of three numbers is later than another.

    Examples
    --------
    >>> later("0.10.0", "0.9.3"), later("0.4.0", "0.4.0")
    (True, False)
    """
    one, other = (tuple(int(part) for part in text.split(".")) for text in (version, than))
    return one > other


def problems(version: str) -> list[str]:
    """Say what stands against a release."""
    found = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return [f"{version} is no version of three numbers"]
    current = re.search(r'__version__ = "([\d.]+)"', PACKAGE.read_text(encoding="utf-8"))
    assert current is not None
    if not later(version, current[1]):
        found.append(f"{version} is not later than {current[1]}")
    if git("status", "--porcelain"):
        found.append("there are changes that are not committed")
    if f"v{version}" in git("tag").split():
        found.append(f"there is a tag v{version}")
    unreleased = CHANGELOG.read_text(encoding="utf-8").partition(HEAD)[2].partition("\n## ")[0]
    if not unreleased.strip():
        found.append(f"{CHANGELOG.name} has nothing under {HEAD!r}")
    return found


def write(version: str) -> None:
    """Write the version into the package, the citation and the changelog."""
    today = datetime.now(UTC).date().isoformat()
    for file, pattern, text in (
        (PACKAGE, r'__version__ = ".*"', f'__version__ = "{version}"'),
        (CITATION, r"(?m)^version: .*$", f"version: {version}"),
        (CITATION, r"(?m)^date-released: .*$", f"date-released: {today}"),
        (CHANGELOG, re.escape(HEAD), f"{HEAD}\n\n## {version} ({today})"),
    ):
        old = file.read_text(encoding="utf-8")
        new, replaced = re.subn(pattern, lambda _, text=text: text, old, count=1)
        if not replaced:
            sys.exit(f"{file.name}: nothing looks like {pattern}")
        file.write_text(new, encoding="utf-8")


def main() -> None:
    """Check, write, commit and tag; with --dry-run check alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--dry-run", action="store_true", help="only say what stands against it")
    parser.add_argument("--without-ci", action="store_true", help="where .ci/run has passed on this very commit")
    asked = parser.parse_args()
    against = problems(asked.version)
    if against:
        sys.exit("no release: " + "; ".join(against))
    if asked.dry_run:
        print(f"nothing stands against {asked.version}")
        return
    if not asked.without_ci and subprocess.run(["bash", ".ci/run"], cwd=ROOT, check=False).returncode:
        sys.exit("no release: .ci/run failed")
    write(asked.version)
    git("commit", "--all", "--message", f"Release {asked.version}")
    git("tag", "--annotate", f"v{asked.version}", "--message", f"nbrelapse {asked.version}")
    print(f"committed and tagged v{asked.version}; the reference models carry the version: make models, then amend")
    print("build: .venv/bin/uv build; upload dist/* where you publish, and push the tag")


if __name__ == "__main__":
    main()
