"""Features and scores of a registry that does not fit into memory: seconds, processor seconds and peak memory.

A cohort folder of 100,000 patients (1,000,000 with --million, some 6 GB) and one of a fifth of them are written block
by block: simulated patients with mutations, segments, rearrangements and expression, the same 10,000 again and again
under other names. ``nbrelapse features`` and ``nbrelapse score`` run as processes, whose memory is looked at twenty
times a second, all processes of a command together. Peaks that do not grow with the cohort are the point (goal: 2 GiB).
Reading is held against pyarrow's bare reading of the same files, in processor time, in turns in one process.
NBRELAPSE_SCALE divides the patients, for a quick look.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _document import ROOT, main

PATIENTS, MILLION, FIFTH = 100_000, 1_000_000, 5
GIB, READING = 2.0, 1.5
COMMAND = "import sys; sys.argv[0] = 'nbrelapse'; from nbrelapse.cli import main; main()"
PAGE = os.sysconf("SC_PAGE_SIZE")
LOOKS = 0.05


def result(name: str, value: float, goal: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": float(value), "goal": goal, "met": None if goal is None else bool(value <= goal)}


def measured(arguments: list[str]) -> dict[str, float]:
    """Seconds, processor seconds and peak GiB of a command, with all processes that it starts."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    peak = 0
    with subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(LOOKS)
    if process.returncode:
        raise RuntimeError(f"nbrelapse {arguments[0]} ended with {process.returncode}")
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "gib": peak / 2**30}


def resident(pid: int) -> int:
    """Bytes of a process and its descendants that are in memory; what two of them share counts twice."""
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return own + sum(resident(int(child)) for child in children)


def commands(cohort: Path, scratch: Path) -> dict[str, list[str]]:
    model = str(ROOT / "models" / "quickstart")
    return {
        "features": ["features", str(cohort), "--out", str(scratch / "features.parquet")],
        "score": ["score", model, str(cohort), "--out", str(scratch / "scores.parquet")],
        "score --jobs 2": ["score", model, str(cohort), "--out", str(scratch / "scores.csv"), "--jobs", "2"],
    }


def helper(*arguments: object) -> str:
    script = Path(__file__).with_name("_registry_blocks.py")
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def million_patients(*, million: bool = False) -> list[dict[str, Any]]:
    patients = (MILLION if million else PATIENTS) // int(os.environ.get("NBRELAPSE_SCALE", "1"))
    results = []
    with tempfile.TemporaryDirectory(prefix="million-") as folder:
        scratch = Path(folder)
        for size in (patients // FIFTH, patients):
            cohort = scratch / f"registry{size}"
            start = time.perf_counter()
            helper("write", cohort, size)
            results.append(
                result(f"{size} patients, written: seconds, not a figure of nbrelapse", time.perf_counter() - start)
            )
            for name, arguments in commands(cohort, scratch).items():
                found = measured(arguments)
                results += [
                    result(f"{size} patients, {name}: peak GiB", found["gib"], None if "jobs" in name else GIB),
                    result(f"{size} patients, {name}: seconds", found["seconds"]),
                    result(f"{size} patients, {name}: processor seconds", found["cpu"]),
                ]
            reading = json.loads(helper("read", cohort))
            results.append(
                result(
                    f"{size} patients, reading: times the processor time of pyarrow's bare read of the same files",
                    reading["ours"] / reading["pyarrow"],
                    READING,
                )
            )
            shutil.rmtree(cohort)
    return results


if __name__ == "__main__":
    main("million", million_patients, {"million": "a million patients"})
