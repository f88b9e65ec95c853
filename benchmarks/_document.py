"""The document every benchmark prints, and where the shared cohorts are."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class DataAbsentError(Exception):
    """The data of a benchmark is not on this machine."""


def data_folder(name: str) -> Path:
    """Return a folder of the shared data; NBRELAPSE_DATA names their parent, default ../shared/data."""
    folder = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.is_dir():
        raise DataAbsentError(f"{folder} does not exist; set NBRELAPSE_DATA to the folder that holds {name}")
    return folder


SEQC_LAYERS = {
    "transcripts": {"file": "transcripts_log2_2204_isoforms.tsv.gz", "mechanism": "gene"},
    "junctions": {"file": "junctions_log2_2286.tsv.gz", "mechanism": "coordinates", "genome_build": "hg19"},
    "gene_sets": {"file": "gene_set_scores_ssgsea.tsv.gz", "mechanism": "gene_set", "unit": "score"},
}
"""Files of SEQC's layers, and how their rows find a mechanism."""


def read_seqc(scratch: Path, *, layers: bool = False) -> tuple[Path, Path | None]:
    """Write SEQC as a cohort, with its layers if asked; return its folder, and the gene sets' file where there is one.

    NBRELAPSE_GENE_SETS names that file, default ../shared/reference/gene_sets.tsv.
    """
    from nbrelapse.cohort import write_cohort
    from nbrelapse.readers import LayerSource, import_geo

    source = data_folder("seqc")
    found = {name: LayerSource(**said | {"file": str(source / said["file"])}) for name, said in SEQC_LAYERS.items()}
    cohort = import_geo(
        [source / "GSE49711_series_matrix.txt.gz", source / "GSE62564_series_matrix.txt.gz"],
        expression=source / "expression_log2_2000_genes.tsv.gz",
        layers=found if layers else None,
    )
    write_cohort(cohort, scratch / "seqc")
    gene_sets = Path(os.environ.get("NBRELAPSE_GENE_SETS", source.parent.parent / "reference" / "gene_sets.tsv"))
    return scratch / "seqc", gene_sets if gene_sets.exists() else None


def experiment_config(name: str, cohort: Path, gene_sets: Path | None = None) -> Any:
    """Return the settings of experiments/NAME.toml for a cohort folder of the benchmark's own."""
    from nbrelapse.experiment import read_config

    config = read_config(ROOT / "experiments" / f"{name}.toml")
    source = config.cohort.model_copy(update={"path": cohort, "simulate": None, "gene_sets": gene_sets})
    return config.model_copy(update={"cohort": source})


def main(name: str, function: Callable[..., list[dict[str, object]]], options: Mapping[str, str] | None = None) -> None:
    """Run a benchmark and print its results: a table, or with --json one document.

    A function that takes an argument is given an empty scratch folder; one with ``options`` (name and help) is given
    which of them stand on the command line, as keyword arguments, instead.
    """
    parser = argparse.ArgumentParser(description=(inspect.getmodule(function) or function).__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    for option, told in (options or {}).items():
        parser.add_argument(f"--{option}", action="store_true", help=told)
    arguments = vars(parser.parse_args())
    as_json = arguments.pop("json")
    start = time.perf_counter()
    absent = None
    try:
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
            takes_folder = options is None and inspect.signature(function).parameters
            results = function(Path(folder)) if takes_folder else function(**arguments)
    except DataAbsentError as error:
        results, absent = [], str(error)
    complete = [{"low": None, "high": None, "goal": None, "met": None, **result} for result in results]
    document: dict[str, Any] = {"benchmark": name, "results": complete, "seconds": time.perf_counter() - start}
    if absent is not None:
        document["skipped"] = absent
        print(f"{name}: skipped, {absent}", file=sys.stderr)
    if as_json:
        print(json.dumps(document, indent=2))
        return
    print(f"{name} ({document['seconds']:.1f} s)")
    for result in complete:
        print("  " + _line(result))


def _line(result: dict[str, Any]) -> str:
    interval = "" if result["low"] is None else f" [{result['low']:.3f}, {result['high']:.3f}]"
    goal = "" if result["goal"] is None else f"  goal {result['goal']:g}: {'met' if result['met'] else 'NOT met'}"
    value = result["value"]
    number = f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"
    return f"{result['name']}: {number}{interval}{goal}"
