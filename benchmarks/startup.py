"""How long `nbrelapse --version` takes, as a ratio to an empty interpreter, in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from _document import main

ROUNDS = 15


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - start


def startup() -> list[dict[str, object]]:
    version = "import sys; sys.argv = ['nbrelapse', '--version']; from nbrelapse.cli import main; main()"
    peers = {
        "ratio_to_python": "pass",
        "ratio_to_import_mlflow": "import mlflow",
        "ratio_to_import_sksurv": "import sksurv.linear_model",
    }
    ours = statistics.median(seconds(version) for _ in range(ROUNDS))
    results: list[dict[str, object]] = [{"name": "version_seconds", "value": ours, "goal": 1.0, "met": ours <= 1.0}]
    for name, code in peers.items():
        ratio = ours / statistics.median(seconds(code) for _ in range(5))
        results.append({"name": name, "value": ratio, "goal": None, "met": None})
    return results


if __name__ == "__main__":
    main("startup", startup)
