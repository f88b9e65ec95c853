"""From the files of a synthetic registry to its feature table: seconds, memory and growth, beside pandas and bioframe.

A cBioPortal study of 200,000 samples is made up on the scratch disk (about 2.4 GB, not counted): 2 million MAF rows of
110 columns, 10 million segments, 2,000 carriers of rearrangements. A process of its own, held to two cores, reads it
(files just written, so mostly from the page cache) and builds every packaged feature; imports are timed apart. The
peers build 18 of these features at a size that they bear, at which they are compared with ours. Another process imports
both studies to cohort folders, and parses their long tables with ours and with Arrow's bare parser. NBRELAPSE_SCALE
divides all sizes, for a quick look.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from _document import main
from _feature_peers import ARMS, COMPARED, GENES, MUTATIONS, by_groupby, by_overlap_of_cohort, by_overlap_of_samples
from _measure_features import use_cores
from _synthetic_study import write_synthetic_study

CORES = 2
LARGE, SMALL, FIXED = 200_000, 20_000, 200
ROUNDS_SMALL = 3
PEERS: dict[str, tuple[int, Callable[..., tuple[pd.DataFrame, float, float]]]] = {
    "pandas groupby/apply": (500, by_groupby),
    "bioframe overlaps sample by sample": (500, by_overlap_of_samples),
    "bioframe overlaps of the cohort at once": (SMALL, by_overlap_of_cohort),
}
SECONDS, GIB, GROWTH, RATIO, PER_FEATURE, AGREEMENT, TEXT = 60.0, 6.0, 1.1, 20.0, 3.0, 0.99, 1.5


def result(name: str, value: float, goal: float | None = None, *, at_least: bool = False) -> dict[str, Any]:
    met = None if goal is None else bool(value >= goal if at_least else value <= goal)
    return {"name": name, "value": float(value), "goal": goal, "met": met}


def measured(study: Path, out: Path) -> dict[str, float]:
    """Seconds by stage and peak GiB of reading the study and building its features in a process of its own."""
    shutil.rmtree(out, ignore_errors=True)
    script = Path(__file__).with_name("_measure_features.py")
    subprocess.run([sys.executable, script, study, out, str(CORES)], check=True, stdout=sys.stderr)
    found: dict[str, float] = json.loads((out / "measured.json").read_text(encoding="utf-8"))
    return found


def imported(study: Path, out: Path, samples: int) -> list[dict[str, Any]]:
    """Results of an import to a cohort folder, in a process of its own."""
    script = Path(__file__).with_name("_measure_import.py")
    subprocess.run([sys.executable, script, study, out, str(CORES)], check=True, stdout=sys.stderr)
    found: dict[str, float] = json.loads((out / "imported.json").read_text(encoding="utf-8"))
    shutil.rmtree(out)
    return [
        result(f"import, CPU seconds, {samples} samples, written", found["cpu"]),
        result(f"import, CPU seconds, {samples} samples, read", found["cpu_read"]),
        result(f"import, peak GiB, {samples} samples, written", found["peak"]),
        result(f"import, CPU seconds, {samples} samples, text alone", found["text_ours"]),
        result(
            f"import, {samples} samples, text: CPU seconds, times Arrow's bare reading of the same columns",
            found["text_ours"] / found["text_arrow"],
            TEXT,
        ),
    ]


def median_run(scratch: Path, samples: int) -> dict[str, float]:
    """Write a study that peers may use as well and measure it a few times."""
    study = write_synthetic_study(scratch / f"study{samples}", samples)
    runs = [measured(study, scratch / f"features{samples}") for _ in range(ROUNDS_SMALL)]
    return sorted(runs, key=lambda run: run["total"])[ROUNDS_SMALL // 2]


def peer_results(scratch: Path, name: str, seconds_a_sample: float, features_a_sample: float) -> list[dict[str, Any]]:
    samples, build = min(PEERS[name][0], SMALL // _divisor()), PEERS[name][1]
    if not (scratch / f"features{samples}").exists():
        median_run(scratch, samples)
    out = scratch / f"features{samples}"
    scale = next(iter(json.loads((out / "platforms.json").read_text(encoding="utf-8")).values()))
    table, reading, building = build(scratch / f"study{samples}", scale)
    ours = pd.read_parquet(out / "features.parquet")
    theirs = table.set_axis(table.index.str.removesuffix("-01")).reindex(ours.index)
    agreement = {column: _agreement(theirs[column], ours[column]) for column in COMPARED}
    results = [
        result(f"ms a sample, {name}, {samples} samples, reading", 1e3 * reading / samples),
        result(f"ms a sample, {name}, {samples} samples, features", 1e3 * building / samples),
        result(
            f"{name}: times slower a sample than ours",
            (reading + building) / samples / seconds_a_sample,
            RATIO,
            at_least=True,
        ),
        result(f"{name}: times slower without reading", building / samples / features_a_sample),
        result(
            f"{name}: times slower without reading, per feature made",
            building / samples / len(COMPARED) / (features_a_sample / ours.shape[1]),
            PER_FEATURE,
            at_least=True,
        ),
    ]
    for kind, columns in (("mutations", MUTATIONS), ("arms", ARMS), ("genes", GENES)):
        lowest = min(agreement[column] for column in columns)
        results.append(result(f"{name}: lowest agreement with ours, {kind}", lowest, AGREEMENT, at_least=True))
    return results


def _agreement(theirs: pd.Series, ours: pd.Series) -> float:
    known = ours.notna()
    return float(np.isclose(theirs[known].astype(float), ours[known], atol=0.01).mean())


def _divisor() -> int:
    return int(os.environ.get("NBRELAPSE_SCALE", "1"))


def feature_scale(scratch: Path) -> list[dict[str, Any]]:
    use_cores(CORES)
    large, small = LARGE // _divisor(), SMALL // _divisor()
    study = write_synthetic_study(scratch / "large", large)
    at_large = measured(study, scratch / "features_large")
    load = os.getloadavg()[0]
    of_import = imported(study, scratch / "import_large", large)
    shutil.rmtree(study)
    at_fixed, at_small = median_run(scratch, FIXED), median_run(scratch, small)
    of_import += imported(scratch / f"study{small}", scratch / "import_small", small)
    growth, cpu_growth = (
        (at_large[key] - at_fixed[key]) / (at_small[key] - at_fixed[key]) / (large / small) for key in ("total", "cpu")
    )
    results = [
        result(f"seconds, {large} samples", at_large["total"], SECONDS),
        result(f"peak GiB, {large} samples", at_large["peak"], GIB),
        result(f"growth from {small} samples, 1 is linear, seconds of {FIXED} samples subtracted", growth, GROWTH),
        result(f"seconds, {small} samples", at_small["total"]),
        result(f"peak GiB, {small} samples", at_small["peak"]),
        result(f"seconds, {FIXED} samples", at_fixed["total"]),
        result("seconds of importing nbrelapse", at_large["import"]),
        result(f"features built, {large} samples", at_large["features"]),
        result(f"peak GiB after reading, {large} samples", at_large["peak_read"]),
        # On cores that others use as well, the wall clock says more of them than of this code.
        result(f"CPU seconds of all threads, {large} samples", at_large["cpu"]),
        result("growth of the CPU seconds", cpu_growth),
        result(f"CPU seconds of all threads, {large} samples, read", at_large["cpu_read"]),
        result(f"load average of the machine after {large} samples, {CORES} cores", load),
    ]
    stages = ["read", *(stage for stage in at_large if stage.startswith("features: "))]
    results += [result(f"seconds, {large} samples, {stage}", at_large[stage]) for stage in stages]
    building = (at_large["total"] - at_large["read"]) / large
    results.append(result("ms a sample, ours, reading", 1e3 * at_large["read"] / large))
    results.append(result("ms a sample, ours, features", 1e3 * building))
    results += of_import
    for name in PEERS:
        results += peer_results(scratch, name, at_large["total"] / large, building)
    return results


if __name__ == "__main__":
    main("feature_scale", feature_scale)
