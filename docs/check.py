"""Check the documentation: links and paths lead somewhere, commands and Python blocks work, pages are current.

Of the site, where `make site` has built it, that its pages load nothing from elsewhere.

Commands that need the real cohorts run where NBRELAPSE_DATA (default ../shared/data) has them, and are skipped, with
the reason, where it has not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import outdated

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data")).resolve()
SITE = ROOT / "build" / "site"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return [link for link in links if "://" not in link and not (page.parent / link).exists()]


def missing_files(page: Path) -> list[str]:
    """Files of the package, such as `models/base.py`, that a page names and that are not there."""
    source = ROOT / "src" / "nbrelapse"
    named = re.findall(r"`([\w/]+\.(?:py|pyi|toml|tsv))`", page.read_text(encoding="utf-8"))
    return [name for name in named if (source / name.split("/")[0]).is_dir() and not (source / name).exists()]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of the fenced code blocks that are run, in the order of the page."""
    return re.findall(r"^```(bash|python)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def loaded_from_elsewhere() -> list[str]:
    """Scripts, styles, pictures and fonts that a page of the site would fetch from another machine."""
    tags = r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//|<link[^>]+rel=\"stylesheet\"[^>]+href=\"(?:https?:)?//"
    files = [(file, tags) for file in SITE.rglob("*.html")]
    files += [(file, r"url\([\"']?(?:https?:)?//|@import [\"'](?:https?:)?//") for file in SITE.rglob("*.css")]
    return [str(file) for file, form in files if re.search(form, file.read_text(encoding="utf-8"))]


def prepare(scratch: Path) -> None:
    """Lay out a checkout-like folder: what the README's commands may read."""
    for name in ("experiments", "models"):
        shutil.copytree(ROOT / name, scratch / name)
    for folder in ("seqc", "high_risk_copy_number"):
        if (DATA / folder).is_dir():
            (scratch / folder).symlink_to(DATA / folder)


def run_blocks(page: Path, scratch: Path) -> int:
    """Run a page's blocks in order; the number that failed."""
    failed = 0
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    programs = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    for language, block in blocks(page):
        if re.search(r"^(make|git|python3 -m venv|\.ci/run|nbrelapse ui)\b", block, flags=re.M):
            continue
        needed = [name for name in ("seqc", "high_risk_copy_number") if re.search(rf"(?<![\w/]){name}\b", block)]
        if any(not (scratch / name).exists() for name in needed):
            print(f"skipped (needs {', '.join(needed)} in {DATA.name}/): {block.splitlines()[0]}")
            continue
        done = subprocess.run(
            [*programs[language], block], cwd=scratch, env=environment, capture_output=True, text=True
        )
        print(f"{'ok' if done.returncode == 0 else 'FAILED'}: {page.name}: {block.strip().splitlines()[-1]}")
        if done.returncode:
            print(done.stdout + done.stderr)
            failed += 1
    return failed


def main() -> int:
    """Check every page."""
    failed = 0
    for page in outdated():
        print(f"FAILED: {page.relative_to(ROOT)}: not what the code says; say python docs/generate.py")
        failed += 1
    for page in PAGES:
        for link in broken_links(page):
            print(f"FAILED: {page.relative_to(ROOT)}: no such file {link}")
            failed += 1
        for name in missing_files(page):
            print(f"FAILED: {page.relative_to(ROOT)}: src/nbrelapse has no {name}")
            failed += 1
    for file in loaded_from_elsewhere():
        print(f"FAILED: {file} loads something from elsewhere")
        failed += 1
    if not SITE.is_dir():
        print("skipped (say make site): whether the site loads anything from elsewhere")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        prepare(scratch)
        for page in PAGES:
            failed += run_blocks(page, scratch)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
