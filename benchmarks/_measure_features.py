"""Time and memory from a study's files to its feature table, in this process: ``_measure_features.py STUDY OUT CORES``.

OUT becomes a folder with ``measured.json`` (seconds by stage, peak GiB), ``features.parquet`` and ``platforms.json``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def use_cores(count: int) -> None:
    """Keep this process and every thread pool that it opens to so many cores; call it before other imports."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_IO_THREADS"):
        os.environ[name] = str(count)


def peak_gib() -> float:
    """Most memory that this process has held; not ru_maxrss on Linux, which begins at the parent's peak."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30


def measure(study: Path, out: Path, cores: int) -> None:
    start = time.perf_counter()
    import pyarrow as pa

    from nbrelapse.mechanisms import build_features
    from nbrelapse.mechanisms.build import COMBINATION, PACKAGED
    from nbrelapse.readers import import_cbioportal

    pa.set_cpu_count(cores)
    builders = {name: import_module(f"nbrelapse.mechanisms.builders.{name}") for name in (*PACKAGED, COMBINATION)}
    measured = {"import": time.perf_counter() - start}
    for name, module in builders.items():
        module.__dict__["build"] = _timed(module.build, f"features: {name}", measured)
    start, cpu = time.perf_counter(), time.process_time()
    cohort = import_cbioportal(study)
    measured |= {"read": time.perf_counter() - start, "cpu_read": time.process_time() - cpu, "peak_read": peak_gib()}
    table = build_features(cohort)
    measured |= {"total": time.perf_counter() - start, "cpu": time.process_time() - cpu, "peak": peak_gib()}
    measured["features"] = table.values.shape[1]
    out.mkdir()
    table.values.to_parquet(out / "features.parquet")
    (out / "platforms.json").write_text(json.dumps(cohort.metadata["platforms"]), encoding="utf-8")
    (out / "measured.json").write_text(json.dumps(measured), encoding="utf-8")


def _timed(build: Callable[..., object], stage: str, measured: dict[str, float]) -> Callable[..., object]:
    def run(*arguments: object) -> object:
        start = time.perf_counter()
        built = build(*arguments)
        measured[stage] = time.perf_counter() - start
        return built

    return run


if __name__ == "__main__":
    use_cores(int(sys.argv[3]))
    measure(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
