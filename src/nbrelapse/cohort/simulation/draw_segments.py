"""Copy-number profiles of simulated tumours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.simulation.calibration import by_stratum


def draw_segments(rng: np.random.Generator, drawn: pd.DataFrame) -> pd.DataFrame:
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
    file = resources.files("nbrelapse.cohort.simulation").joinpath("copy_number_profile.toml")
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
        chance = by_stratum(shape["random_segmental"], drawn["stratum"].to_numpy())
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
