"""Copy-number segments of the synthetic study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from _synthetic_tables import append_rows
from nbrelapse.mechanisms.genome import _AUTOSOMES, chromosome_arms

CHROMOSOMES = (*_AUTOSOMES, "X")
MOST_CUTS = 3
FREE_CUTS = 23
"""Cuts a sample over the chromosomes that carry no amplicon: with those that do, 50 segments in all."""
AMPLICONS = {"2": (0.25, (15.3, 15.9), (16.3, 17.2)), "12": (0.02, (57.6, 58.0), (58.3, 60.0))}
"""Share of samples, and where in Mb of hg19 the amplicon (MYCN, CDK4) begins and ends."""
COPIES, CHANCES = (0, 1, 2, 3, 4), (0.003, 0.12, 0.737, 0.12, 0.02)
PROBE_SPACING = 50_000


def write_segments(file: Path, rng: np.random.Generator, ids: pa.Array, chunk: int) -> None:
    """Write 50 segments a sample: 1 to 4 a chromosome, single-copy levels at the sample's purity, some amplicons."""
    with file.open("wb") as stream:
        stream.write(b"ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\n")
        for first in range(0, len(ids), chunk):
            append_rows(stream, _segments(rng, ids[first : first + chunk]))


def _segments(rng: np.random.Generator, ids: pa.Array) -> pa.Table:
    lengths = chromosome_arms("hg19").loc[list(CHROMOSOMES), "length"].to_numpy()
    shape = (len(ids), len(CHROMOSOMES), MOST_CUTS)
    cuts = np.where(_chosen(rng, shape), rng.uniform(0.03, 0.97, shape) * lengths[:, None], np.inf)
    copies = rng.choice(COPIES, size=(*shape[:2], MOST_CUTS + 1), p=CHANCES).astype(np.float64)
    _amplify(rng, cuts, copies)
    cuts = np.minimum(np.sort(cuts, axis=2), lengths[:, None]).astype(np.int64)
    edges = np.dstack([np.zeros_like(cuts[:, :, :1]), cuts, np.broadcast_to(lengths[:, None], (*shape[:2], 1))])
    start, end = edges[:, :, :-1] + 1, edges[:, :, 1:]
    sample, chromosome, _ = kept = np.nonzero(end > start)
    purity, offset = rng.uniform(0.4, 0.95, len(ids)), rng.normal(0, 0.01, len(ids))
    level = np.log2(1 + purity[sample] * (copies[kept] / 2 - 1)) + offset[sample] + rng.normal(0, 0.03, len(sample))
    return pa.table(
        {
            "ID": ids.take(pa.array(sample)),
            "chrom": pa.array(CHROMOSOMES).take(pa.array(chromosome)),
            "loc.start": start[kept],
            "loc.end": end[kept],
            "num.mark": (end - start)[kept] // PROBE_SPACING + 2,
            "seg.mean": np.round(level, 4),
        }
    )


def _chosen(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Which of the possible cuts a sample has: two on a chromosome with an amplicon, the others anywhere."""
    chosen = np.zeros(shape, dtype=bool)
    free = [place for place, name in enumerate(CHROMOSOMES) if name not in AMPLICONS]
    ranks = rng.random((shape[0], len(free) * MOST_CUTS)).argsort(axis=1).argsort(axis=1)
    chosen[:, free] = (ranks < FREE_CUTS).reshape(shape[0], len(free), MOST_CUTS)
    chosen[:, [CHROMOSOMES.index(name) for name in AMPLICONS], :2] = True
    return chosen


def _amplify(rng: np.random.Generator, cuts: np.ndarray, copies: np.ndarray) -> None:
    for name, (share, begins, ends) in AMPLICONS.items():
        place, carriers = CHROMOSOMES.index(name), np.flatnonzero(rng.random(len(cuts)) < share)
        cuts[carriers, place, 0] = rng.uniform(*begins, len(carriers)) * 1e6
        cuts[carriers, place, 1] = rng.uniform(*ends, len(carriers)) * 1e6
        copies[carriers, place, 1] = rng.integers(20, 100, len(carriers))
