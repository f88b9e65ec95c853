"""Pictures of copy numbers along the genome: all patients of a cohort, and one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import chromosome_arms, copy_number_segments, gene_places
from nbrelapse.report.plots.style import (
    _ABSENT,
    _GRID,
    _INK,
    _MUTED,
    _RISK_GROUPS,
    _bare_y,
    _new_figure,
    _set_apart,
    _styled,
)
from nbrelapse.report.wording import _signed

_CALL_COLORS = {
    "amplified": "#8c1d40",
    "segmental gain": "#cc5a12",
    "numerical gain": "#f0a878",
    "neutral": _MUTED,
    "numerical loss": "#8fbfe6",
    "segmental loss": "#2a7fc4",
    "deep deletion": "#0b3f73",
    "not assessable": _GRID,
}
"""Losses blue, gains orange, the numerical ones lighter, the extremes darker: apart for every colour vision."""

_LOWEST, _HIGHEST = -2.3, 2.3
_LEVELS = LinearSegmentedColormap.from_list(
    "copies",
    [
        (0.0, _CALL_COLORS["deep deletion"]),
        (0.28, _CALL_COLORS["segmental loss"]),
        (0.5, "#f4f6f8"),
        (0.72, "#e0803f"),
        (1.0, _CALL_COLORS["amplified"]),
    ],
)
_BINS = 900
_MOST_ROWS = 2000
"""Patients drawn at most, evenly spaced in their order: more rows than the picture has dots. A choice."""
_BUILD = "hg19"
"""The builds' chromosomes differ by thousandths; positions of the other build are drawn in proportion."""


class _Layout:
    """Chromosomes side by side, in megabases."""

    def __init__(self, build: str, *, with_x: bool) -> None:
        arms = chromosome_arms(build)
        self.names = [*map(str, range(1, 23)), *(["X"] if with_x else [])]
        self.length = arms.loc[self.names, "length"] / 1e6
        self.centromere = arms.loc[self.names, "centromere"] / 1e6
        self.offset = self.length.cumsum() - self.length
        self.end = float(self.length.sum())

    def places(self, chromosome: pd.Series, position: pd.Series, build: pd.Series | str) -> np.ndarray:
        """Positions along the picture, of whichever build."""
        lengths = {name: chromosome_arms(name)["length"] for name in set(pd.Series(build))}
        own = np.array(
            [
                lengths[name][which]
                for name, which in zip(np.broadcast_to(build, len(chromosome)), chromosome, strict=True)
            ]
        )
        part = np.minimum(position.to_numpy() / own, 1.0)
        return self.offset[chromosome].to_numpy() + part * self.length[chromosome].to_numpy()


def _level(copies: pd.Series | np.ndarray) -> np.ndarray:
    """Single-copy changes from neutral: 1 at three copies, -1 at one, 0 at two."""
    ratio = np.log2(np.maximum(np.asarray(copies, dtype=np.float64), 1e-9) / 2)
    return np.where(ratio > 0, ratio / np.log2(1.5), ratio)


@_styled
def cohort_genome(cohort: Cohort, calls: pd.DataFrame) -> Figure:
    """Draw the genomes of all profiled patients, a row each, ordered by recorded risk group and MYCN.

    Parameters
    ----------
    cohort : Cohort
    calls : DataFrame
        Of :func:`nbrelapse.mechanisms.copy_number_calls`.

    Returns
    -------
    Figure
        Blue is lost, orange gained, white neutral, grey not known; dots are amplicons. Patients whose scale cannot be
        told are grey.

    Raises
    ------
    InputError
        Nobody has a copy-number profile.
    """
    segments = _drawable(copy_number_segments(cohort), "nobody has a copy-number profile")
    rows = _ordered(cohort, calls, segments)
    drawn = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).round().astype(int))]
    layout = _Layout(_BUILD, with_x=bool((segments["chromosome"] == "X").any()))
    segments = segments[segments["patient_id"].isin(drawn.index)]
    height = float(np.clip(0.05 * len(drawn), 1.2, 6.4))
    figure = _new_figure(10.0, height + 2.0)
    side, axes = figure.subplots(1, 2, width_ratios=[0.032, 1.0])
    _draw_groups(side, drawn)
    matrix = _matrix(segments, drawn.index, layout)
    shown = np.ma.masked_invalid(np.clip(matrix, _LOWEST, _HIGHEST))
    colors = _LEVELS.with_extremes(bad=_GRID)
    scale = Normalize(_LOWEST, _HIGHEST)
    axes.imshow(
        shown, cmap=colors, norm=scale, aspect="auto", interpolation="nearest", extent=(0, layout.end, len(drawn), 0)
    )
    _mark_amplicons(axes, calls, segments, drawn.index, layout)
    _mark_chromosomes(axes, layout)
    borders = np.flatnonzero(np.diff(drawn["group"].factorize()[0])) + 1
    for border in borders:
        axes.axhline(border, color=_INK, linewidth=0.7)
    axes.set(xlim=(0, layout.end), ylim=(len(drawn), 0), yticks=[])
    _explain_levels(figure, axes, scale, len(drawn), len(rows))
    return figure


def _drawable(segments: pd.DataFrame, problem: str) -> pd.DataFrame:
    if segments.empty:
        raise InputError(problem, column="segments", fix="import the segments of the copy-number assay")
    return segments


_RISK_ORDER = ["low", "intermediate", "high"]


def _ordered(cohort: Cohort, calls: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Profiled patients by risk group, MYCN and altered part of the genome: ``risk``, ``mycn`` and ``group``."""
    patients = cohort.patients.set_index(cohort.patient_ids).reindex(columns=["risk_group", "high_risk", "mycn_status"])
    patients = patients.loc[patients.index.isin(segments["patient_id"])]
    by_flag = patients["high_risk"].astype("str").map({"1": "high", "1.0": "high", "True": "high"})
    risk = patients["risk_group"].astype("object").fillna(by_flag).fillna("not known").astype("str")
    amplified = calls[calls["amplified_genes"].str.contains(r"\bMYCN\b")]["patient_id"]
    seen = patients.index.isin(amplified)
    mycn = patients["mycn_status"].astype("object").mask(seen, "amplified").fillna("not known").astype("str")
    altered = calls.groupby("patient_id")["altered_mb"].sum().reindex(patients.index)
    table = pd.DataFrame({"risk": risk, "mycn": mycn, "altered": altered.fillna(-1.0)})
    place = {name: number for number, name in enumerate([*_RISK_ORDER, "not known"])}
    table["place"] = table["risk"].map(place).fillna(len(place))
    table["not_amplified"] = table["mycn"] != "amplified"
    table = table.sort_values(["place", "not_amplified", "altered"], ascending=[True, True, False], kind="stable")
    return table.assign(group=table["risk"] + table["not_amplified"].astype("str"))


def _matrix(segments: pd.DataFrame, patients: pd.Index, layout: _Layout) -> np.ndarray:
    """Levels of the patients in bins along the genome, shape (n_patients, n_bins); NaN where nothing is known."""
    start = layout.places(segments["chromosome"], segments["start"], segments["genome_build"])
    end = layout.places(segments["chromosome"], segments["end"], segments["genome_build"])
    level = np.where(segments["call"] == "not assessable", np.nan, _level(segments["copies"]))
    row = patients.get_indexer(pd.Index(segments["patient_id"]))
    order = np.lexsort((start, row))
    centres = (np.arange(_BINS) + 0.5) * layout.end / _BINS
    key = row[order] * (layout.end + 1) + start[order]
    wanted = np.arange(len(patients))[:, None] * (layout.end + 1) + centres
    found = np.searchsorted(key, wanted.ravel(), side="right") - 1
    here = order[np.maximum(found, 0)]
    inside = (found >= 0) & (row[here] == np.repeat(np.arange(len(patients)), _BINS))
    inside &= end[here] >= np.tile(centres, len(patients))
    return np.where(inside, level[here], np.nan).reshape(len(patients), _BINS)


def _mark_amplicons(
    axes: Axes, calls: pd.DataFrame, segments: pd.DataFrame, patients: pd.Index, layout: _Layout
) -> None:
    """Put a dot on every amplicon, which is too short to be seen, and name the amplified genes of the catalogue."""
    amplicons = segments[segments["call"] == "amplified"]
    middle = (amplicons["start"] + amplicons["end"]) / 2
    place = layout.places(amplicons["chromosome"], middle, amplicons["genome_build"])
    row = patients.get_indexer(pd.Index(amplicons["patient_id"])) + 0.5
    named = calls.loc[calls["patient_id"].isin(patients) & (calls["amplified_genes"] != "")]
    genes = named.assign(gene=named["amplified_genes"].str.split(", ")).explode("gene")
    spans = gene_places(_BUILD).loc[genes["gene"]]
    at_gene = layout.places(spans["chromosome"], spans["start"], _BUILD)
    gene_row = patients.get_indexer(pd.Index(genes["patient_id"])) + 0.5
    size = float(np.clip(900 / len(patients), 2.5, 14))
    axes.scatter(
        np.append(place, at_gene), np.append(row, gene_row), s=size, color=_CALL_COLORS["amplified"], linewidths=0
    )
    _name_genes(axes, layout, sorted(set(genes["gene"])), bold=set())


def _name_genes(axes: Axes, layout: _Layout, genes: list[str], bold: set[str]) -> None:
    """Write genes above a picture, moved apart along it, with lines to where they lie."""
    spans = gene_places(_BUILD)
    spans = spans.loc[[gene for gene in genes if spans.loc[gene, "chromosome"] in layout.offset.index]]
    at = layout.places(spans["chromosome"], spans["start"], _BUILD)
    gap = 0.016 * layout.end
    apart = np.array(_set_apart(list(at), gap))
    apart = np.minimum(apart, layout.end - gap * np.argsort(np.argsort(-apart)))
    marks = axes.get_xaxis_transform()
    for gene, position, written in zip(spans.index, at, apart, strict=True):
        color = _INK if gene in bold or not bold else _MUTED
        axes.plot([position, written], [1.0, 1.035], color=color, linewidth=0.6, transform=marks, clip_on=False)
        axes.text(written, 1.045, gene, rotation=90, ha="center", va="bottom", fontsize=7.5, color=color,
                  fontweight="bold" if gene in bold else "normal", transform=marks)  # fmt: skip


def _mark_chromosomes(axes: Axes, layout: _Layout) -> None:
    for name in layout.names:
        axes.axvline(layout.offset[name], color=_ABSENT, linewidth=0.5)
    _name_chromosomes(axes, layout)
    axes.spines[:].set_visible(False)


def _name_chromosomes(axes: Axes, layout: _Layout) -> None:
    """Write the chromosomes' names below; between the two shortest that meet there is no room for both."""
    names = ["" if name == "21" else name for name in layout.names]
    axes.set_xticks(layout.offset + layout.length / 2, names, fontsize=8)
    axes.tick_params(axis="x", length=0)


_MYCN_COLORS = {"amplified": _CALL_COLORS["amplified"], "not_amplified": _ABSENT}
_OTHER_COLOR = _GRID


def _draw_groups(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw two strips: recorded risk group, and MYCN."""
    risk_colors = dict(zip(_RISK_ORDER, _RISK_GROUPS, strict=True))
    for values, colors, column in ((rows["risk"], risk_colors, 0), (rows["mycn"], _MYCN_COLORS, 1)):
        for value, first, number in _runs(values):
            axes.add_patch(Rectangle((column, first), 0.9, number, color=colors.get(value, _OTHER_COLOR), linewidth=0))
    for risk, first, number in _runs(rows["risk"]):
        axes.annotate(f"{risk}\n{number:,}", (0, first + number / 2), xytext=(-4, 0), textcoords="offset points",
                      ha="right", va="center", fontsize=8, color=_INK)  # fmt: skip
    axes.set(xlim=(0, 1.9), ylim=(len(rows), 0), yticks=[])
    axes.set_xticks([0.45, 1.45], ["Risk", "MYCN"], rotation=90, fontsize=7.5)
    axes.tick_params(axis="x", length=0)
    axes.spines[:].set_visible(False)


def _runs(values: pd.Series) -> list[tuple[str, int, int]]:
    """Return each run of equal values with its first row and its length."""
    found = values.to_numpy()
    first = np.flatnonzero(np.append(True, found[1:] != found[:-1]))
    return [
        (str(found[row]), int(row), int(stop - row)) for row, stop in zip(first, [*first[1:], len(found)], strict=True)
    ]


def _explain_levels(figure: Figure, axes: Axes, scale: Normalize, drawn: int, patients: int) -> None:
    bar = figure.colorbar(
        ScalarMappable(scale, _LEVELS), ax=axes, orientation="horizontal", location="bottom", shrink=0.42, aspect=36,
        anchor=(0.0, 1.0), pad=0.03,
    )  # fmt: skip
    bar.set_ticks([-2, -1, 0, 1, 2.26], labels=["deep\ndeletion", "1 copy", "2", "3", "5 and\nmore"])
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=_MUTED)
    bar.outline.set_visible(False)
    some = (
        f"{drawn:,} of {patients:,} patients, evenly spaced in this order"
        if drawn < patients
        else f"{patients:,} patients"
    )
    figure.legend(
        handles=[
            Line2D(
                [], [], color=_CALL_COLORS["amplified"], marker="o", markersize=4, linestyle="none", label="amplicon"
            ),
            Patch(color=_CALL_COLORS["amplified"], label="MYCN amplified"),
            Patch(color=_ABSENT, label="MYCN not amplified"),
            Patch(color=_GRID, label="not known"),
        ],
        loc="outside lower right",
        ncols=4,
        title=some,
    )


_TOP, _BOTTOM = 4.2, -2.7


@_styled
def patient_profile(cohort: Cohort, calls: pd.DataFrame, patient_id: str) -> Figure:
    """Draw one patient's copy-number profile: segments, the sample's scale, the calls, and the catalogue's genes.

    Parameters
    ----------
    cohort : Cohort
    calls : DataFrame
        Of :func:`nbrelapse.mechanisms.copy_number_calls`, of this cohort.
    patient_id : str

    Returns
    -------
    Figure
        Heights are in single-copy changes on the sample's scale, whose log2 ratios stand at the right; higher
        amplicons stand at the upper edge. The strip below has the call of each arm. Genes of altered places are bold.

    Raises
    ------
    InputError
        The cohort has no such patient, or no profile of this one.
    """
    if patient_id not in cohort.patient_ids:
        raise InputError("the cohort has no such patient", column="--patient", fix="give an id of the cohort")
    segments = copy_number_segments(cohort)
    own = _drawable(segments[segments["patient_id"] == patient_id], "the patient has no copy-number profile")
    called = calls[calls["patient_id"] == patient_id]
    layout = _Layout(_BUILD, with_x=bool((own["chromosome"] == "X").any()))
    figure = _new_figure(10.0, 3.9)
    axes, strip = figure.subplots(2, 1, height_ratios=[1.0, 0.075], sharex=True)
    start = layout.places(own["chromosome"], own["start"], own["genome_build"])
    end = layout.places(own["chromosome"], own["end"], own["genome_build"])
    level = np.clip(_level(own["copies"]), _BOTTOM + 0.2, _TOP - 0.2)
    colors = [_CALL_COLORS[name] if name != "not assessable" else _ABSENT for name in own["call"]]
    axes.hlines(level, start, end, color=colors, linewidth=3.0, zorder=3)
    short = (end - start < 0.004 * layout.end) & (own["call"] != "neutral").to_numpy()
    axes.scatter(((start + end) / 2)[short], level[short], s=16, color=np.array(colors)[short], linewidths=0, zorder=4)
    _draw_scale(axes, called.iloc[0])
    _draw_arms(strip, called, layout)
    for one in (axes, strip):
        for name in layout.names:
            one.axvline(layout.offset[name], color=_GRID, linewidth=0.6, zorder=0)
        one.spines[:].set_visible(False)
    genes = gene_places(_BUILD)
    genes = genes[genes["chromosome"].isin(layout.names)]
    at = pd.Series(layout.places(genes["chromosome"], genes["start"], _BUILD), genes.index).sort_values()
    _name_genes(axes, layout, list(at.index), _altered_genes(at, start, end, own["call"].to_numpy(), called))
    axes.set(xlim=(0, layout.end), ylim=(_BOTTOM, _TOP))
    axes.tick_params(axis="x", length=0, labelbottom=False)
    _explain_calls(figure, [*own["call"], *called["call"]])
    return figure


def _altered_genes(
    at: pd.Series, start: np.ndarray, end: np.ndarray, call: np.ndarray, called: pd.DataFrame
) -> set[str]:
    """Genes that lie in a segment with a focal or segmental call, or were found amplified."""
    changed = np.isin(call, ["amplified", "deep deletion", "segmental gain", "segmental loss"])
    inside = (at.to_numpy()[:, None] >= start[changed]) & (at.to_numpy()[:, None] <= end[changed])
    named = {gene for genes in called["amplified_genes"] for gene in genes.split(", ") if gene}
    return {*at.index.to_numpy()[inside.any(axis=1)], *named} or {""}


def _draw_scale(axes: Axes, sample: pd.Series) -> None:
    """Draw a line at each level of copies, with its log2 ratio on the sample's scale."""
    levels = {-2.0: "deep deletion", -1.0: "1 copy", 0.0: "2 copies", 1.0: "3 copies", 2.26: "5 copies"}
    for level in levels:
        axes.axhline(level, color=_MUTED if level == 0 else _GRID, linewidth=0.9 if level == 0 else 0.7, zorder=1)
    axes.set_yticks(list(levels), list(levels.values()))
    _bare_y(axes)
    right = axes.secondary_yaxis("right")
    ratios = [sample["centre"] + (sample["single_gain"] if one > 0 else -sample["single_loss"]) * one for one in levels]
    right.set_yticks(list(levels), [_signed(ratio) for ratio in ratios])
    right.tick_params(length=0, labelsize=8.5)
    right.spines["right"].set_visible(False)
    right.set_ylabel("log2 ratio", fontsize=8.5, color=_MUTED)
    told = "" if sample["scale_told"] else "; it cannot be told from this profile"
    source = str(sample["scale_source"]).replace("own steps", f"{sample['own_steps']:.0f} own steps")
    axes.annotate(f"Scale: {source}{told}", (0.004, 0.02), xycoords="axes fraction", fontsize=8,
                  color=_MUTED)  # fmt: skip


def _draw_arms(axes: Axes, called: pd.DataFrame, layout: _Layout) -> None:
    """Draw the call of each arm as a cell."""
    calls = called.set_index("arm")["call"]
    for name in layout.names:
        first, centromere, last = layout.offset[name], layout.centromere[name], layout.length[name]
        for side, left, width in (("p", first, centromere), ("q", first + centromere, last - centromere)):
            call = calls[f"{name}{side}"]
            color = "#eef1f4" if call == "neutral" else _CALL_COLORS[call]
            axes.add_patch(Rectangle((left, 0), width, 1, facecolor=color, edgecolor=_ABSENT, linewidth=0.5,
                                     hatch="////" if call == "not assessable" else None))  # fmt: skip
    axes.set(ylim=(0, 1))
    axes.set_yticks([0.5], ["arms"])
    _name_chromosomes(axes, layout)
    axes.tick_params(length=0)


def _explain_calls(figure: Figure, calls: list[str]) -> None:
    handles = [
        Patch(
            facecolor="#eef1f4" if name == "neutral" else color,
            edgecolor=_ABSENT,
            linewidth=0.5,
            hatch="////" if name == "not assessable" else None,
            label=name,
        )
        for name, color in _CALL_COLORS.items()
        if name in calls
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=8.5)
