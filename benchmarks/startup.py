"""What `nbrelapse --version` and a first `nbrelapse score` of one patient take, as ratios to bare interpreters.

Scored is with the packaged linear model and with boosted trees, a hundred refits and bands each, by turns with an
interpreter that imports pandas and XGBoost.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

from _document import main
from nbrelapse.cohort import write_cohort
from nbrelapse.cohort.select import take_listed
from nbrelapse.mechanisms import build_features
from nbrelapse.models import bootstrap_refits, create_model
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import TrainingSummary, make_bundle, write_bundle
from nbrelapse.simulation import simulate_cohort
from nbrelapse.validation import cross_predictions, learn_bands

ROUNDS = 15
MODEL = Path(__file__).parents[1] / "models" / "quickstart"
SCORED = "from nbrelapse.cli import main; main()"
BARE = "import pandas, xgboost"


def spent(code: str, *arguments: str) -> tuple[float, float]:
    """Seconds of a fresh interpreter: of the processor, which hardly depend on what else runs, and on the wall."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def seconds(code: str, *arguments: str) -> float:
    return spent(code, *arguments)[0]


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
    """Score one patient with a model folder of a hundred refits, beside an import of pandas and XGBoost."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cohort = simulate_cohort(20, seed=4)
        (place / "one.txt").write_text(f"{cohort.patient_ids[0]}\n")
        write_cohort(take_listed(cohort, place / "one.txt", None), place / "one")
        models = {"linear": MODEL, "boosted": write_boosted(place / "boosted")}
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ("bare", *models)}
        for _ in range(ROUNDS):
            rounds["bare"].append(spent(BARE))
            for name, model in models.items():
                rounds[name].append(
                    spent(SCORED, "score", str(model), str(place / "one"), "--out", str(place / "s.csv"))
                )
    medians = {name: [statistics.median(kind) for kind in zip(*found, strict=True)] for name, found in rounds.items()}
    results = []
    for name in models:
        results.append({"name": f"score_{name}_seconds", "value": medians[name][0], "goal": None, "met": None})
        for clock, own, bare in zip(("processor", "wall"), medians[name], medians["bare"], strict=True):
            ratio = own / bare
            title = f"score_{name}_ratio_to_import_pandas_xgboost_{clock}"
            results.append({"name": title, "value": ratio, "goal": 2.5, "met": ratio <= 2.5})
    return results


def write_boosted(folder: Path) -> Path:
    """Train boosted trees with all that the packaged model has, and write them."""
    cohort = simulate_cohort(300, seed=1)
    table, outcome = build_features(cohort), make_outcome(cohort, "relapse")
    X, y = table.values.loc[outcome.patient_ids], outcome.y
    model = create_model("boosted", columns=table.model_columns()).fit(X, y)
    crossed = cross_predictions(model, X, y, times=[365.25, 1095.75, 1826.25], n_folds=3)
    bundle = make_bundle(
        "relapse",
        model,
        X,
        refits=tuple(bootstrap_refits(model, X, y, n_refits=100, seed=0)),
        references={"clinical_cox": create_model("clinical_cox").fit(X, y)},
        catalogue=table.catalogue,
        gene_sets={},
        training=TrainingSummary(patients=len(y)),
    )
    write_bundle(replace(bundle, bands=learn_bands(crossed, model, X, y)), folder)
    return folder


if __name__ == "__main__":
    main("startup", startup)
