"""Write the reference models in models/ anew (`make models`): train experiment files, export the models they choose.

They are experiments/quickstart.toml, on simulated patients, and experiments/reference/*.toml, on the cohorts that
experiments/reference/cohorts.toml makes from the data in NBRELAPSE_DATA (default ../shared/data). A model whose data
are not there is not made, which is said, and the one that is there stays. `python tools/models.py NAME …` makes some.

Everything is done by the command line, in a store and a folder of its own that are thrown away. The same code on the
same machine gives the same bytes, whatever the number of jobs. Elsewhere may differ: the versions of Python, MLflow and
the libraries in MLmodel, requirements.txt and python_env.yaml, last digits where another processor or library rounds
differently, and so the checksums in data/manifest.json.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data")).resolve()
REFERENCE = ROOT / "experiments" / "reference"
COHORTS = "cohorts.toml"


class DataAbsentError(Exception):
    """A file that a cohort is made from is not on this machine."""


def experiments() -> dict[str, Path]:
    """Return the experiment file of each reference model, by the model's name."""
    files = [ROOT / "experiments" / "quickstart.toml", *sorted(REFERENCE.glob("*.toml"))]
    return {file.stem: file for file in files if file.name != COHORTS}


def main(names: list[str]) -> None:
    """Make the models named, or all; an error leaves what was there."""
    known = experiments()
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"there is no reference model {unknown[0]!r}: {', '.join(known)}")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name in names or known:
            try:
                _make(name, known[name], scratch)
            except DataAbsentError as absent:
                print(
                    f"{name}: not made, there is no {absent}; NBRELAPSE_DATA names the folder of the data", flush=True
                )


def _make(name: str, experiment: Path, scratch: Path) -> None:
    """Train an experiment, and replace the model by the one it chose."""
    source = tomllib.loads(experiment.read_text(encoding="utf-8"))["cohort"]
    trained_on = ("--cohort", _cohort(Path(source["path"]).name, scratch)) if "path" in source else ()
    own = scratch / name
    own.mkdir()
    trained = _nbrelapse(own, "train", experiment, *trained_on, "--no-cache", "--reports", own, "--json")
    uri = trained["models"][trained["chosen"]]
    written = _nbrelapse(own, "export", uri, ROOT / "models" / name, "--overwrite", "--json")
    print(f"{written['folder']}: the {written['family']} model of {written['endpoint']}", flush=True)


def _cohort(name: str, scratch: Path) -> Path:
    """Make a cohort of the list once, and return its folder."""
    folder = scratch / "cohorts" / name
    if folder.exists():
        return folder
    recipe = tomllib.loads((REFERENCE / COHORTS).read_text(encoding="utf-8"))[name]
    if "merge" in recipe:
        parts = [_cohort(part, scratch) for part in recipe["merge"]]
        uncertain = ("--uncertain", recipe["uncertain"]) if "uncertain" in recipe else ()
        _nbrelapse(scratch, "cohort", "merge", *parts, *uncertain, "--out", folder)
    else:
        arguments = [_argument(text) for text in recipe["import"]]
        _nbrelapse(scratch, "cohort", "import", *arguments, "--out", folder)
    return folder


def _argument(text: str) -> str:
    """Put the path of the data where braces stand; a path that begins with dots starts at the list of cohorts."""
    if text.startswith("../"):
        return str((REFERENCE / text).resolve())
    for name in re.findall(r"\{(.+?)\}", text):
        if not (DATA / name).exists():
            raise DataAbsentError(name)
    return re.sub(r"\{(.+?)\}", lambda found: str(DATA / found[1]), text)


def _nbrelapse(folder: Path, *arguments: str | Path) -> Any:
    """Run a command with the MLflow store of a folder, and return its document; of a command without one, None.

    Each model has a store of its own: its card says what else the store has on record.
    """
    command = [sys.executable, "-c", "from nbrelapse.cli import main; main()", *map(str, arguments)]
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    done = subprocess.run(command, env=os.environ | store, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout) if "--json" in arguments else None


if __name__ == "__main__":
    main(sys.argv[1:])
