"""A registry as a cohort folder, written block by block, and the reading of it: ``_registry_blocks.py write|read ...``.

``write FOLDER PATIENTS`` simulates one block of 10,000 patients and writes it again and again under other names.
``read FOLDER`` prints seconds of the processor, as JSON: of the blocks as cohorts, and of pyarrow's bare reading of the
same files to pandas, file by file in turns.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nbrelapse.cohort import Cohort, open_cohort, write_cohort_blocks
from nbrelapse.cohort.storage import PATIENTS_A_BLOCK
from nbrelapse.simulation import simulate_cohort

MOST_READ = 10
"""Blocks that are read for the comparison."""


def blocks(patients: int) -> Iterator[Cohort]:
    whole = simulate_cohort(min(PATIENTS_A_BLOCK, patients), seed=1)
    for first in range(0, patients, PATIENTS_A_BLOCK):
        block = whole if first + PATIENTS_A_BLOCK <= patients else whole.take(whole.patient_ids[: patients - first])
        yield renamed(replace(block, metadata=whole.metadata), f"R{first // PATIENTS_A_BLOCK:05d}-")


def renamed(cohort: Cohort, prefix: str) -> Cohort:
    tables = {}
    for name in ("patients", "samples", "assays", "mutations", "segments", "rearrangements"):
        table = getattr(cohort, name)
        ids = [column for column in ("patient_id", "sample_id") if column in table]
        tables[name] = table.assign(**{column: prefix + table[column] for column in ids})
    assert cohort.expression is not None
    return replace(cohort, expression=cohort.expression.add_prefix(prefix), **tables)


def read(folder: Path) -> dict[str, float]:
    seconds = {"ours": 0.0, "pyarrow": 0.0}
    stored = open_cohort(folder)
    for block in stored.blocks[:MOST_READ]:
        start = time.process_time()
        cohort = block.read()
        seconds["ours"] += time.process_time() - start
        del cohort
        start = time.process_time()
        part = "*.parquet" if block.number is None else f"*/part-{block.number:05d}.parquet"
        frames = [pd.read_parquet(file, engine="pyarrow") for file in folder.glob(part)]
        seconds["pyarrow"] += time.process_time() - start
        del frames
    return seconds


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write_cohort_blocks(blocks(int(sys.argv[3])), sys.argv[2])
    else:
        print(json.dumps(read(Path(sys.argv[2]))))
