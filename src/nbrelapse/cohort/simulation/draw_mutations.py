"""Somatic mutations of simulated tumours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd


@cache
def load_variants() -> Mapping[str, Any]:
    """Return the content of ``variants.toml``."""
    text = resources.files("nbrelapse.cohort.simulation").joinpath("variants.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def draw_mutations(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
    """Draw the MAF rows of the drawn alterations, and passengers.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From ``draw_patients``, the sequenced samples only, with ``sample_id`` and ``panel`` (True: only the genes of
        the panel are seen).

    Returns
    -------
    DataFrame
        MAF columns, hg19.
    """
    variants = load_variants()
    parts = [_drivers(rng, drawn, drawn[cause] == 1, choices) for cause, choices in variants["drivers"].items()]
    table = pd.concat([*parts, _passengers(rng, drawn, variants["passengers"])], ignore_index=True)
    genes = pd.DataFrame.from_dict(variants["genes"], orient="index")
    known = genes.reindex(table["Hugo_Symbol"])
    offset = rng.random(len(table))
    start = known["start"].to_numpy() + offset * (known["end"] - known["start"]).to_numpy()
    elsewhere = np.isnan(start)
    chromosome = np.where(elsewhere, rng.integers(1, 23, size=len(table)).astype(str), known["chromosome"].to_numpy())
    position = np.floor(np.where(elsewhere, 5e6 + offset * 4e7, start)).astype(int)
    patient = table.pop("patient").to_numpy()
    depth = rng.poisson(variants["passengers"]["depth"], size=len(table)) + 20
    alternative = np.maximum(rng.binomial(depth, drawn["purity"].to_numpy()[patient] / 2), 3)
    return pd.DataFrame(
        {
            "Hugo_Symbol": table["Hugo_Symbol"],
            "Entrez_Gene_Id": 0,
            "NCBI_Build": "GRCh37",
            "Chromosome": chromosome,
            "Start_Position": position,
            "End_Position": position,
            "Variant_Classification": table["class"],
            "Variant_Type": np.where(table["class"] == "Frame_Shift_Del", "DEL", "SNP"),
            "Reference_Allele": "C",
            "Tumor_Seq_Allele1": "C",
            "Tumor_Seq_Allele2": np.where(table["class"] == "Frame_Shift_Del", "-", "T"),
            "Tumor_Sample_Barcode": drawn["sample_id"].to_numpy()[patient],
            "HGVSp_Short": table["change"],
            "t_alt_count": alternative,
            "t_ref_count": depth - alternative,
        }
    )


def _drivers(
    rng: np.random.Generator, drawn: pd.DataFrame, carried: pd.Series, choices: list[Mapping[str, Any]]
) -> pd.DataFrame:
    carriers = np.flatnonzero(carried)
    options = pd.DataFrame(choices)
    picked = options.iloc[rng.choice(len(options), size=len(carriers), p=options["weight"] / options["weight"].sum())]
    return pd.DataFrame(
        {
            "patient": carriers,
            "Hugo_Symbol": picked["gene"].to_numpy(),
            "change": picked["change"].to_numpy(),
            "class": picked["class"].to_numpy(),
        }
    )


def _passengers(rng: np.random.Generator, drawn: pd.DataFrame, figures: Mapping[str, Any]) -> pd.DataFrame:
    years = drawn["age_days"].to_numpy() / 365.25
    mean = figures["mean"] + figures["per_log2_age_year"] * np.log2(np.maximum(years, 0.25))
    count = rng.poisson(rng.gamma(figures["dispersion"], mean / figures["dispersion"]))
    count = np.where(drawn["panel"].to_numpy(), 0, count)
    patient = np.repeat(np.arange(len(drawn)), count)
    classes = list(figures["classes"])
    drawn_class = np.array(classes)[rng.choice(len(classes), size=len(patient), p=list(figures["classes"].values()))]
    residue = rng.integers(2, 2000, size=len(patient)).astype(str)
    ending = pd.Series(drawn_class).map(
        {"Missense_Mutation": "S", "Nonsense_Mutation": "*", "Frame_Shift_Del": "fs", "Silent": "="}
    )
    change = pd.Series("p.P") + pd.Series(residue) + ending
    return pd.DataFrame(
        {
            "patient": patient,
            "Hugo_Symbol": rng.choice(figures["genes"], size=len(patient)),
            "change": change.fillna("p.X" + pd.Series(residue) + "_splice").to_numpy(),
            "class": drawn_class,
        }
    )
