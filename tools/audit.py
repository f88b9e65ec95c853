"""Audit the environment: advisories, licences beside GPL-3.0-or-later, and the weight of each package.

Exit code 1 where an advisory is known or a licence is none of those that may be joined with ours; where the advisory
service cannot be reached this is said, and the rest is done.
"""

from __future__ import annotations

import importlib.metadata as metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
USERS, DEVELOPERS = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"

JOINABLE = (
    *("0bsd", "apache", "bsd", "cc0", "gpl-3.0-or-later", "gplv3", "hpnd", "isc", "lgpl-3.0", "mit", "mpl-2.0"),
    *("mozilla public license 2.0", "psf", "python software foundation", "unlicense", "zlib"),
)
"""Beginnings of the names of licences that a work under GPL-3.0-or-later may be joined with, as the FSF lists them:
https://www.gnu.org/licenses/license-list.html."""

KNOWN = {"huey": "MIT", "skops": "MIT"}
"""Licences of packages whose metadata do not say, read in the package's own LICENSE file."""

HEAVIEST = 15
"""Packages listed by weight."""


class Package(NamedTuple):
    """An installed package: ``size`` in bytes, ``needed_by`` the packages of the lock that require it."""

    name: str
    version: str
    size: int
    needed_by: list[str]


def locked(lock: Path) -> dict[str, str]:
    """Return the versions of a lock by package; one of several for other platforms."""
    return dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock.read_text(encoding="utf-8"), flags=re.M))


def packages(names: Iterable[str]) -> list[Package]:
    """Return what is installed of the named packages, the heaviest first."""
    names = {canonicalize_name(name) for name in names}
    found = {canonicalize_name(own.metadata["Name"]): own for own in metadata.distributions()}
    present = sorted(names & set(found))
    needed: dict[str, list[str]] = {}
    for name in present:
        for text in found[name].requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                needed.setdefault(canonicalize_name(wanted.name), []).append(name)
    listed = [Package(name, found[name].version, weight(found[name]), needed.get(name, [])) for name in present]
    return sorted(listed, key=lambda package: -package.size)


def weight(package: metadata.Distribution) -> int:
    """Return the bytes of the files that a package installed."""
    files = (Path(str(package.locate_file(file))) for file in package.files or ())
    return sum(file.stat().st_size for file in files if file.is_file())


def advisories(lock: Path) -> int:
    """Print what is known against the packages of a lock; return how many advisories there are."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        audited = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        audited = []
    looked_at = [package for package in audited if "vulns" in package]
    if not looked_at:
        print(
            f"advisories: the advisory service could not be reached; nothing is known of {len(locked(lock))} packages"
        )
        return 0
    known = [(package, found) for package in looked_at for found in package["vulns"]]
    print(f"advisories: {len(known)} against {len(looked_at)} of {len(locked(lock))} packages")
    for package, found in known:
        fixed = ", ".join(found.get("fix_versions", [])) or "no fixed version"
        print(f"  {package['name']} {package['version']}: {found['id']} ({fixed})")
    return len(known)


def licences(names: Iterable[str]) -> int:
    """Print the licences that may not be joined with ours, or are not known; return how many packages have one."""
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--with-system"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    wanted = {canonicalize_name(name) for name in names}
    stated = {canonicalize_name(own["Name"]): own["License"] for own in listed}
    stated = {name: KNOWN.get(name, text) for name, text in stated.items() if name in wanted}
    odd = {name: text for name, text in stated.items() if not joinable(text)}
    print(f"licences: {len(stated) - len(odd)} of {len(stated)} packages may be joined with GPL-3.0-or-later")
    for name, text in sorted(odd.items()):
        print(f"  {name}: {text}: look at it, then add it to JOINABLE or KNOWN of {Path(__file__).name}, or do without")
    return len(odd)


def joinable(text: str) -> bool:
    """Say whether all parts of a licence, or one of its alternatives, may be joined with ours.

    Examples
    --------
    >>> joinable("MPL-2.0 AND MIT"), joinable("MIT OR Proprietary"), joinable("Proprietary"), joinable("3-Clause BSD")
    (True, True, False, True)
    """
    return any(
        all(
            re.sub(r"^\d-clause ", "", part.strip(" ()").lower()).startswith(JOINABLE)
            for part in re.split(r" AND |; ", alternative)
        )
        for alternative in text.split(" OR ")
    )


def main() -> None:
    """Print the three parts; the exit code says whether something is to be done."""
    users, developers = locked(USERS), locked(DEVELOPERS)
    wrong = advisories(USERS) + licences(users)
    mine, more = packages(users), packages(set(developers) - set(users))
    total = sum(package.size for package in mine)
    print(f"weight: {len(mine)} packages of {USERS.name} take {total / 2**20:.0f} MiB;", end=" ")
    print(f"{len(more)} more of {DEVELOPERS.name} {sum(package.size for package in more) / 2**20:.0f} MiB")
    for package in mine[:HEAVIEST]:
        by = ", ".join(package.needed_by) or "named in pyproject.toml"
        print(f"  {package.size / 2**20:6.1f} MiB  {package.name} {package.version}: {by}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
