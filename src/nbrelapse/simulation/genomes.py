"""Simulated tumours: copy-number segments, mutations, structural variants and gene expression."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.simulation.patients import _by_stratum


def _draw_segments(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
    """Draw the segments of the drawn alterations' copy-number profiles.

    Each chromosome is cut at its centromere, one breakpoint an arm and the ends of focal events; parts of equal copy
    number are joined again, save for a few spurious breakpoints. The log2 ratio of a part with c copies in a tumour
    of purity p is ``log2((p c + 2 (1 - p)) / 2)``, plus noise.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From ``draw_patients``, the patients with a profile, and their ``sample_id``.

    Returns
    -------
    DataFrame
        The columns of a SEG file: ``ID``, ``chrom``, ``loc.start``, ``loc.end``, ``num.mark``, ``seg.mean``; hg19.
    """
    shape = _shape()
    parts = [_chromosome(rng, drawn, name, *place, shape) for name, place in _chromosomes().items()]
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values(["patient", "order"], kind="stable", ignore_index=True)
    return _measure(rng, _join_equal(rng, table, shape["measurement"]), drawn, shape["measurement"])


@cache
def _shape() -> Mapping[str, Any]:
    file = resources.files("nbrelapse.simulation").joinpath("copy_number_profile.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


@cache
def _chromosomes() -> dict[str, tuple[int, float, float]]:
    """Order, centromere and length (Mb) of the chromosomes."""
    import bioframe  # slow to import, and every use of the package would pay for it

    assembly = bioframe.assembly_info("hg19")
    lengths = assembly.seqinfo.set_index("name")["length"] / 1e6
    bands = assembly.cytobands
    p_arm = bands[bands["band"].str.startswith("p")].groupby("chrom")["end"].max() / 1e6
    names = [*map(str, range(1, 23)), "X"]
    return {name: (k, float(p_arm[f"chr{name}"]), float(lengths[f"chr{name}"])) for k, name in enumerate(names)}


def _chromosome(
    rng: np.random.Generator,
    drawn: pd.DataFrame,
    name: str,
    order: int,
    centromere: float,
    length: float,
    shape: Mapping[str, Any],
) -> pd.DataFrame:
    """Parts of one chromosome for all patients: start, end (Mb) and copies."""
    n_patients = len(drawn)
    acrocentric = name in shape["measurement"]["acrocentric"]
    listed = {cause: event for cause, event in shape["segmental"].items() if event["chromosome"] == name}
    focal = {cause: event for cause, event in shape["focal"].items() if event["chromosome"] == name}
    breaks = {arm: _range(arm, centromere, length, listed) for arm in ("q" if acrocentric else "pq")}
    breakpoints = {arm: _uniform(rng, span, n_patients) for arm, span in breaks.items()}
    windows = {
        cause: (_uniform(rng, event["start"], n_patients), _uniform(rng, event["end"], n_patients))
        for cause, event in focal.items()
    }
    first = centromere if acrocentric else 0.0
    fixed = [np.full(n_patients, place) for place in (first, centromere, length)]
    ends = [place for window in windows.values() for place in window]
    cuts = np.sort(np.column_stack([*fixed, *breakpoints.values(), *ends]))
    middle = (cuts[:, 1:] + cuts[:, :-1]) / 2
    copies = np.full(middle.shape, 2.0)
    changes = _arm_changes(rng, drawn, listed, tuple(breaks), shape)
    for arm, change in changes.items():
        beyond = middle < breakpoints[arm][:, None] if arm == "p" else middle > breakpoints[arm][:, None]
        copies += beyond * change[:, None]
    segmental = sum((np.abs(change) for change in changes.values()), start=np.zeros(n_patients))
    copies += (_numerical(rng, drawn, name, shape["numerical"]) * (segmental == 0))[:, None]
    for cause, (start, end) in windows.items():
        amount = _uniform(rng, focal[cause]["copies"], n_patients)[:, None]
        inside = (middle > start[:, None]) & (middle < end[:, None]) & (drawn[cause].to_numpy() == 1)[:, None]
        copies = np.where(inside, amount, copies)
    return pd.DataFrame(
        {
            "patient": np.repeat(np.arange(n_patients), middle.shape[1]),
            "order": order,
            "chrom": name,
            "start": cuts[:, :-1].ravel(),
            "end": cuts[:, 1:].ravel(),
            "copies": copies.ravel(),
        }
    ).query("end - start > 0.05")


def _uniform(rng: np.random.Generator, span: Sequence[float], size: int) -> np.ndarray:
    return rng.uniform(span[0], span[1], size=size)


def _range(arm: str, centromere: float, length: float, listed: Mapping[str, Mapping[str, Any]]) -> tuple[float, float]:
    """Where an arm's breakpoint may lie."""
    for event in listed.values():
        if event["arm"] == arm:
            return event["breakpoint"][0], event["breakpoint"][1]
    start, size = (0.0, centromere) if arm == "p" else (centromere, length - centromere)
    return start + 0.25 * size, start + 0.75 * size


def _arm_changes(
    rng: np.random.Generator,
    drawn: pd.DataFrame,
    listed: Mapping[str, Mapping[str, Any]],
    arms: tuple[str, ...],
    shape: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Change of copies beyond each arm's breakpoint: the listed events, or now and then another one."""
    changes = {event["arm"]: drawn[cause].to_numpy() * event["change"] for cause, event in listed.items()}
    if not listed:
        chance = _by_stratum(shape["random_segmental"], drawn["stratum"].to_numpy())
        sign = np.where(rng.random(len(drawn)) < 0.5, -1, 1)
        changes = {arm: (rng.random(len(drawn)) < chance) * sign for arm in arms}
    return changes


def _numerical(rng: np.random.Generator, drawn: pd.DataFrame, name: str, figures: Mapping[str, Any]) -> np.ndarray:
    hyperdiploid = drawn["hyperdiploid"].to_numpy() == 1
    sign = -1 if name in figures["lost"] else 1
    typical = name in figures["lost"] or name in figures["gained"]
    chance = np.where(hyperdiploid & typical, figures["probability"], figures["background"])
    return (rng.random(len(drawn)) < chance) * sign


def _join_equal(rng: np.random.Generator, table: pd.DataFrame, figures: Mapping[str, Any]) -> pd.DataFrame:
    """Join neighbouring parts of equal copy number."""
    same = (table[["patient", "order", "copies"]] == table[["patient", "order", "copies"]].shift()).all(axis=1)
    begins = ~same | (rng.random(len(table)) < figures["spurious_breakpoint"])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(table)) - 1
    return table.iloc[first].assign(end=table["end"].to_numpy()[last]).reset_index(drop=True)


def _measure(
    rng: np.random.Generator, table: pd.DataFrame, drawn: pd.DataFrame, figures: Mapping[str, Any]
) -> pd.DataFrame:
    patient = table["patient"].to_numpy()
    purity = drawn["purity"].to_numpy()[patient]
    ratio = np.log2((purity * table["copies"] + 2 * (1 - purity)) / 2)
    offset = figures["log2_offset_noise"] * rng.standard_normal(len(drawn))
    start = np.round(table["start"] * 1e6).astype(int) + 1
    end = np.round(table["end"] * 1e6).astype(int)
    probes = np.maximum(np.round((end - start) / 1e6 * figures["probes_per_mb"]), 2).astype(int)
    noise = figures["log2_noise"] * rng.standard_normal(len(table))
    return pd.DataFrame(
        {
            "ID": drawn["sample_id"].to_numpy()[patient],
            "chrom": table["chrom"],
            "loc.start": start,
            "loc.end": end,
            "num.mark": probes,
            "seg.mean": np.round(ratio + noise + offset[patient], 4),
        }
    )


@cache
def _load_variants() -> Mapping[str, Any]:
    """Return the content of ``variants.toml``."""
    text = resources.files("nbrelapse.simulation").joinpath("variants.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _draw_mutations(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
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
    variants = _load_variants()
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


def _draw_rearrangements(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
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
    variants = _load_variants()
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


def _draw_expression(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
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
    file = resources.files("nbrelapse.simulation").joinpath("expression_programs.toml")
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
