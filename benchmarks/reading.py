"""Reading a stored cohort, with all its checks, beside pyarrow's bare reading of the same columns.

Cohort folders of 10,000 and 100,000 simulated patients are written; each block is read in turns by
``CohortBlock.read``, by pandas with pyarrow (``read_parquet``), by pyarrow alone (``pq.read_table``, no pandas) and,
where it is installed, by polars, in one process. Ratios are of processor seconds (goal: 1.5 of pyarrow to pandas);
seconds on the wall are beside them. "All tables" has expression of 662 genes, "long tables" is the same cohort without
it. NBRELAPSE_SCALE divides the patients.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from _document import main
from _registry_blocks import blocks
from nbrelapse.cohort import CohortBlock, open_cohort, write_cohort_blocks

SIZES, GOAL = (10_000, 100_000), 1.5


def seconds(read: Callable[[], Any]) -> list[float]:
    """Processor seconds and seconds on the wall."""
    processor, wall = time.process_time(), time.perf_counter()
    found = read()
    took = [time.process_time() - processor, time.perf_counter() - wall]
    del found
    return took


def readers(block: CohortBlock) -> dict[str, Callable[[], Any]]:
    files = sorted(block.folder.glob(f"*/part-{block.number:05d}.parquet"))
    ways: dict[str, Callable[[Path], Any]] = {
        "pyarrow to pandas": lambda file: pd.read_parquet(file, engine="pyarrow"),
        "pyarrow alone": pq.read_table,
    }
    if importlib.util.find_spec("polars"):
        import polars

        ways["polars"] = polars.read_parquet
    bare = {name: lambda way=way: [way(file) for file in files] for name, way in ways.items()}
    return {"ours": block.read, **bare}


def reading(scratch: Path) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for patients in (size // int(os.environ.get("NBRELAPSE_SCALE", "1")) for size in SIZES):
        for what in ("all tables", "long tables"):
            folder = scratch / f"{what}{patients}"
            light = what == "long tables"
            write_cohort_blocks((replace(b, expression=None) if light else b for b in blocks(patients)), folder)
            total: dict[str, list[float]] = {}
            for place, block in enumerate(open_cohort(folder).blocks):
                for name, read in readers(block).items():
                    if not place:  # what is loaded once a process is nobody's reading
                        read()
                    took = seconds(read)
                    total[name] = [sum(pair) for pair in zip(total.get(name, [0.0, 0.0]), took, strict=True)]
            for name, (processor, wall) in total.items():
                of = f"{patients} patients, {what}, {name}"
                results += [{"name": f"{of}: processor seconds", "value": processor}]
                results += [{"name": f"{of}: seconds", "value": wall}]
            for name in [name for name in total if name != "ours"]:
                value, aim = total["ours"][0] / total[name][0], GOAL if name == "pyarrow to pandas" else None
                met = None if aim is None else value <= aim
                results.append({"name": f"{patients}, {what}: ours / {name}", "value": value, "goal": aim, "met": met})
    return results


if __name__ == "__main__":
    main("reading", reading)
