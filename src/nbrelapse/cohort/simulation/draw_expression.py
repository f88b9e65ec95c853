"""Gene expression of simulated tumours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd


def draw_expression(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
    """Draw the expression of the programs' genes, the key genes and a background.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From ``draw_patients``, the samples with expression, with ``sample_id``.

    Returns
    -------
    DataFrame of float64
        Index ``Hugo_Symbol``, a column a sample: RPKM, so that ``log2(x + 1)`` is level + loading * program + noise.
    """
    settings = _settings()
    loadings, levels, noise = _genes(settings)
    programs = drawn[loadings.columns].to_numpy()
    log2 = levels + programs @ loadings.to_numpy().T
    log2 += noise * rng.standard_normal(log2.shape)
    rpkm = np.round(np.exp2(np.maximum(log2, 0.0)) - 1.0, 3)
    return pd.DataFrame(rpkm.T, index=loadings.index, columns=drawn["sample_id"].to_numpy())


@cache
def _settings() -> Mapping[str, Any]:
    file = resources.files("nbrelapse.cohort.simulation").joinpath("expression_programs.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _genes(settings: Mapping[str, Any]) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return loadings (genes by programs), mean level and noise of each gene."""
    figures = settings["levels"]
    programs, key_genes = settings["programs"], settings["key_genes"]
    followers = settings["followers"]
    moved = {gene for genes in [*programs.values(), *followers.values()] for gene in genes}
    members = sorted((moved | set(settings["bystanders"]["genes"])) - set(key_genes.values()))
    background = [f"SIM{number}" for number in range(1, figures["background_genes"] + 1)]
    genes = pd.Index([*members, *key_genes.values(), *background], name="Hugo_Symbol")
    loadings = pd.DataFrame(0.0, index=genes, columns=[*programs, *key_genes])
    for program, own in [*programs.items(), *followers.items()]:
        loadings.loc[own, program] = figures["loading"]
    for program, gene in key_genes.items():
        loadings.loc[gene, program] = figures["key_gene_loading"]
    fixed = np.random.default_rng(figures["seed"])
    is_background = genes.str.startswith("SIM")
    spread = np.where(is_background, figures["background_sd"], figures["program_sd"])
    is_key = genes.isin(list(key_genes.values()))
    levels = figures["mean"] + np.where(is_key, 0.0, spread) * fixed.standard_normal(len(genes))
    noise = np.where(is_key, figures["key_gene_noise"], figures["noise"])
    return loadings, levels, noise
