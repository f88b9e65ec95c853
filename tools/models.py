"""Write models/quickstart anew (`make models`): train experiments/quickstart.toml, export the chosen model.

Everything is done by the command line, in a store and a folder of its own that are thrown away. The same code on the
same machine gives the same bytes, whatever the number of jobs. Elsewhere may differ: the versions of Python, MLflow and
the libraries in MLmodel, requirements.txt and python_env.yaml, last digits where another processor or library rounds
differently, and so the checksums in data/manifest.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAME = "quickstart"


def main() -> None:
    """Train, and replace the model; an error leaves the old one."""
    with tempfile.TemporaryDirectory() as folder:
        trained = _nbrelapse(folder, "train", ROOT / "experiments" / f"{NAME}.toml", "--no-cache", "--reports", folder)
        uri = trained["models"][trained["chosen"]]
        written = _nbrelapse(folder, "export", uri, ROOT / "models" / NAME, "--overwrite")
    print(f"{written['folder']}: the {written['family']} model of {written['endpoint']}")


def _nbrelapse(folder: str, *arguments: str | Path) -> Any:
    """Run a command with an empty MLflow store of its own, and return its document."""
    command = [sys.executable, "-c", "from nbrelapse.cli import main; main()", *map(str, arguments), "--json"]
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    done = subprocess.run(command, env=os.environ | store, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
