"""The MAF of the synthetic study: 110 columns as wide as vcf2maf writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from _synthetic_tables import COLUMNS

TEMPLATES: dict[str, str] = COLUMNS["mutation"]
PASSENGER_GENES = 20_000
DRIVER_SHARE = 0.03
DRIVERS = (
    ("ALK", "2", 29443695, "p.F1174L", "Missense_Mutation"),
    ("ALK", "2", 29432664, "p.R1275Q", "Missense_Mutation"),
    ("ALK", "2", 29436860, "p.F1245C", "Missense_Mutation"),
    ("TP53", "17", 7577538, "p.R248Q", "Missense_Mutation"),
    ("TP53", "17", 7578406, "p.R175H", "Missense_Mutation"),
    ("NRAS", "1", 115256529, "p.Q61R", "Missense_Mutation"),
    ("KRAS", "12", 25398284, "p.G12D", "Missense_Mutation"),
    ("BRAF", "7", 140453136, "p.V600E", "Missense_Mutation"),
    ("PTPN11", "12", 112888210, "p.E76K", "Missense_Mutation"),
    ("FGFR1", "8", 38274849, "p.N546K", "Missense_Mutation"),
    ("NF1", "17", 29553478, "p.R681*", "Nonsense_Mutation"),
    ("ATRX", "X", 76938208, "p.R808*", "Nonsense_Mutation"),
    ("TERT", "5", 1295228, "", "5'Flank"),
)
CLASSES = ("Missense_Mutation", "Missense_Mutation", "Missense_Mutation", "Silent", "Nonsense_Mutation", "Intron")
CHROMOSOMES = [*map(str, range(1, 23)), "X"]


def write_mutations(file: Path, rng: np.random.Generator, ids: pa.Array, per_sample: int, chunk: int) -> None:
    """Write a MAF with so many rows a sample on average, sorted by sample; 3 % of the rows are known drivers."""
    pieces, places = _variants(rng)
    count = len(ids) * per_sample
    sample = np.sort(rng.integers(len(ids), size=count))
    with file.open("wb") as stream:
        stream.write(("\t".join(TEMPLATES) + "\n").encode())
        for first in range(0, count, chunk * per_sample):
            rows = sample[first : first + chunk * per_sample]
            driver = rng.random(len(rows)) < DRIVER_SHARE
            passenger = len(DRIVERS) + rng.integers(PASSENGER_GENES, size=len(rows))
            variant = np.where(driver, rng.integers(len(DRIVERS), size=len(rows)), passenger)
            place = _text(places[variant] + np.where(driver, 0, rng.integers(0, 50_000, len(rows))))
            drawn = [place, place, ids.take(pa.array(rows)), *_read_counts(rng, len(rows))]
            fixed = [piece if isinstance(piece, str) else piece.take(pa.array(variant)) for piece in pieces]
            fields = [field for pair in zip(fixed, drawn, strict=False) for field in pair]
            lines = pc.binary_join_element_wise(*fields, fixed[-1], "")
            # Lines end with a newline, so the array's bytes are the text.
            stream.write(lines.buffers()[2])


def _text(numbers: np.ndarray) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())


def _read_counts(rng: np.random.Generator, rows: int) -> list[pa.Array]:
    """Columns t_depth to n_alt_count."""
    depth, normal = rng.integers(20, 300, (2, rows))
    found = rng.binomial(depth, 0.3)
    return [_text(column) for column in (depth, depth - found, found, normal, normal, np.zeros_like(depth))]


def _variants(rng: np.random.Generator) -> tuple[list[pa.Array | str], np.ndarray]:
    """Text between the drawn values, each piece by variant or the same for all, and the variants' first positions."""
    chromosome = rng.integers(len(CHROMOSOMES), size=PASSENGER_GENES)
    start = rng.integers(1_000_000, 45_000_000, PASSENGER_GENES)
    residue, kind = rng.integers(1, 900, PASSENGER_GENES), rng.integers(len(CLASSES), size=PASSENGER_GENES)
    passengers = [
        (f"GENE{gene:05d}", CHROMOSOMES[chromosome[gene]], start[gene], f"p.A{residue[gene]}V", CLASSES[kind[gene]])
        for gene in range(PASSENGER_GENES)
    ]
    variants = [*DRIVERS, *passengers]
    line = "\t".join(TEMPLATES.values()) + "\n"
    texts = [line.format(**_fields(number, *variant)).split("@") for number, variant in enumerate(variants)]
    pieces = [piece[0] if len({*piece}) == 1 else pa.array(piece) for piece in zip(*texts, strict=True)]
    return pieces, np.array([variant[2] for variant in variants])


def _fields(number: int, gene: str, chromosome: str, position: int, protein: str, kind: str) -> dict[str, str | int]:
    promoter = kind == "5'Flank"
    effect = f"{gene},{kind.lower()},{protein},ENST{number:011d},NM_{number:06d}.3,MODERATE,YES,tolerated(0.19)"
    return {
        "number": number,
        "gene": gene,
        "chromosome": chromosome,
        "position": position,
        "kind": kind,
        "reference": "G" if promoter else "C",
        "alternative": "A" if promoter else "T",
        "protein": protein,
        "residue": protein.strip("p.*ABCDEFGHIJKLMNOPQRSTUVWXYZ") or "1",
        "dbsnp": "novel" if number % 3 else f"rs{number * 977}",
        "effects": ";".join([effect] * (1 + number % 4)),
    }
