"""Structural variants of simulated tumours."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.cohort.simulation.draw_mutations import load_variants


def draw_rearrangements(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
    """Draw TERT rearrangements, ATRX deletions and others.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From ``draw_patients``, the samples with a sequenced genome, with ``sample_id``.

    Returns
    -------
    DataFrame
        Columns of cBioPortal's ``data_sv.txt``, GRCh37.
    """
    variants = load_variants()
    figures = variants["rearrangements"]
    beside = figures["beside_tert"]
    tert, atrx = variants["genes"]["TERT"], variants["genes"]["ATRX"]
    carriers = np.flatnonzero(drawn["tert_rearranged"])
    near = rng.integers(tert["start"] - beside, tert["end"] + beside, size=len(carriers))
    first = _frame(carriers, ("TERT", "5", near), ("", *_anywhere(rng, len(carriers))), "TRANSLOCATION")
    deleted = np.flatnonzero(drawn["atrx_deleted"])
    size = atrx["end"] - atrx["start"]
    start = atrx["start"] + rng.integers(1000, size // 3, size=len(deleted))
    end = start + rng.integers(2000, size // 2, size=len(deleted))
    second = _frame(deleted, ("ATRX", "X", start), ("ATRX", "X", end), "DELETION")
    rate = figures["mean"] * rng.gamma(figures["dispersion"], 1 / figures["dispersion"], size=len(drawn))
    others = np.repeat(np.arange(len(drawn)), rng.poisson(rate))
    sites = [("", *_anywhere(rng, len(others))) for _ in range(2)]
    third = _frame(others, sites[0], sites[1], "TRANSLOCATION")
    table = pd.concat([first, second, third], ignore_index=True)
    table.insert(0, "Sample_Id", drawn["sample_id"].to_numpy()[table.pop("patient").to_numpy(dtype=int)])
    return table.assign(SV_Status="SOMATIC", NCBI_Build="GRCh37")


def _anywhere(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Chromosome and position outside 5p and X, where the named events are."""
    chromosome = rng.choice(["1", "2", "3", "4", "6", "7", "8", "10", "11", "12", "17"], size=size)
    return chromosome, rng.integers(1_000_000, 80_000_000, size=size)


_Site = tuple[str, "str | np.ndarray", np.ndarray]


def _frame(patient: np.ndarray, site1: _Site, site2: _Site, kind: str) -> pd.DataFrame:
    columns = {"patient": patient}
    for number, (gene, chromosome, position) in ((1, site1), (2, site2)):
        columns |= {
            f"Site{number}_Hugo_Symbol": np.full(len(patient), gene),
            f"Site{number}_Chromosome": np.broadcast_to(chromosome, len(patient)),
            f"Site{number}_Position": position,
        }
    return pd.DataFrame({**columns, "Class": kind})
