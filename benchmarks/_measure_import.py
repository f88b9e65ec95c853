"""The import of a study as a command does it, beside Arrow's bare reading: ``_measure_import.py STUDY OUT CORES``.

OUT becomes a folder with the cohort and ``imported.json``: processor seconds and peak GiB of the import, written; and
seconds of the processor of the text parsers, ours and Arrow's, of the same columns of the long tables, in turns.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from _measure_features import peak_gib, use_cores

ROUNDS = 3


def measure(study: Path, out: Path, cores: int) -> dict[str, float]:
    import pyarrow as pa

    from nbrelapse.cohort import write_cohort
    from nbrelapse.readers import import_cbioportal

    pa.set_cpu_count(cores)
    cpu = time.process_time()
    cohort = import_cbioportal(study, codes=True)
    measured = {"cpu_read": time.process_time() - cpu, "peak_read": peak_gib()}
    write_cohort(cohort, out / "cohort", validated=True)
    measured |= {"cpu": time.process_time() - cpu, "peak": peak_gib()}
    del cohort
    return measured | text_seconds(study)


def text_seconds(study: Path) -> dict[str, float]:
    """Seconds of parsing mutations and segments to pandas; of each parser the least of a few rounds."""
    import pyarrow as pa
    from pyarrow import csv

    from nbrelapse.cohort.schema import MUTATIONS
    from nbrelapse.readers import _cbioportal_molecular as molecular
    from nbrelapse.readers._files import open_study

    files = open_study(study)
    wanted = {
        "data_mutations.txt": {*molecular.MAF_COLUMNS, *molecular.MAF_NOTES},
        "data_cna_hg19.seg": {*files.keys["segment_columns"]},
    }
    counts = {str(name) for name, rule in MUTATIONS.columns.items() if str(rule.dtype) == "float64"}
    seconds = {"text_ours": 0.0, "text_arrow": 0.0}
    for name, known in wanted.items():
        header = files.header(name)
        columns = [column for column in header.names if column in known]
        numbers = (counts | {"loc.start", "loc.end", "num.mark", "seg.mean"}) & set(columns)
        kinds = {column: pa.float64() if column in numbers else pa.string() for column in columns}
        parse = csv.ParseOptions(delimiter="\t", quote_char=False)
        convert = csv.ConvertOptions(include_columns=columns, column_types=kinds)
        ours, bare = [], []
        for _ in range(ROUNDS):
            start = time.process_time()
            files.table(name, columns=columns, numbers=numbers, header=header)
            ours.append(time.process_time() - start)
            start = time.process_time()
            csv.read_csv(study / name, parse_options=parse, convert_options=convert).to_pandas()
            bare.append(time.process_time() - start)
        seconds["text_ours"] += min(ours)
        seconds["text_arrow"] += min(bare)
    return seconds


if __name__ == "__main__":
    use_cores(int(sys.argv[3]))
    folder = Path(sys.argv[2])
    folder.mkdir()
    found = measure(Path(sys.argv[1]), folder, int(sys.argv[3]))
    (folder / "imported.json").write_text(json.dumps(found), encoding="utf-8")
