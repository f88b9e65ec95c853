"""Processor time of `nbrelapse --version` and of a first `nbrelapse score`, as ratios to bare interpreters."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _document import main
from nbrelapse.cohort import write_cohort
from nbrelapse.cohort.select import take_listed
from nbrelapse.simulation import simulate_cohort

ROUNDS = 15
MODEL = Path(__file__).parents[1] / "models" / "quickstart"


def seconds(code: str, *arguments: str) -> float:
    """Processor time of a fresh interpreter: unlike the clock, it hardly depends on what else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
    return [*results, *first_score()]


def first_score() -> list[dict[str, object]]:
    """Score one patient with a linear model folder of a hundred refits, beside an import of pandas and XGBoost."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cohort = simulate_cohort(20, seed=4)
        (place / "one.txt").write_text(f"{cohort.patient_ids[0]}\n")
        write_cohort(take_listed(cohort, place / "one.txt", None), place / "one")
        code = "from nbrelapse.cli import main; main()"
        command = ["score", str(MODEL), str(place / "one"), "--out", str(place / "scores.csv")]
        pairs = [(seconds(code, *command), seconds("import pandas, xgboost")) for _ in range(7)]
    scored, bare = (statistics.median(values) for values in zip(*pairs, strict=True))
    return [
        {"name": "score_seconds", "value": scored, "goal": None, "met": None},
        {
            "name": "score_ratio_to_import_pandas_xgboost",
            "value": scored / bare,
            "goal": 2.5,
            "met": scored / bare <= 2.5,
        },
    ]


if __name__ == "__main__":
    main("startup", startup)
