"""The picture of who was looked at: lengths, numbers, and labels that neither overlap nor are cut."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.report.facts import _COUNTS
from nbrelapse.report.plots import patients_looked_at
from nbrelapse.report.render import save_figure

ASSAYS = ["any", "clinical", "fish", "mutations", "copy_number", "rearrangements", "expression"]


def counted(patients: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts of every mechanism by every assay: half known, a quarter not known, the others not assayed."""
    rows = [(name, assay) for name in load_catalogue().mechanisms for assay in ASSAYS]
    counts = pd.DataFrame(rows, columns=["mechanism", "assay"])
    counts["assay"] = pd.Categorical(counts["assay"], ASSAYS, ordered=True)
    known, not_known = patients // 2, patients // 4
    counts[_COUNTS] = [known, not_known, patients - known - not_known]
    return counts, counts.astype({"assay": "str"})


def labels(figure: Any) -> list[Any]:
    """Boxes of all that is written, in pixels."""
    axes = figure.axes[0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    legend = figure.legends[0]
    written = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), *legend.get_texts(), legend.get_title()]
    return [text.get_window_extent(renderer) for text in written if text.get_text()]


@pytest.mark.parametrize("assays", [2, 4, 5, 7])
@pytest.mark.parametrize("patients", [4, 200_000])
def test_labels_neither_overlap_nor_are_cut(patients: int, assays: int) -> None:
    counts, features = counted(patients)
    counts = counts[counts["assay"].isin(ASSAYS[:assays])]
    counts = counts.assign(assay=counts["assay"].cat.remove_unused_categories())
    figure = patients_looked_at(counts, features, load_catalogue())
    boxes = labels(figure)
    assert len(boxes) == 9 * assays * 2 + 9 + assays + 5
    assert [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)] == []
    width, height = figure.canvas.get_width_height()
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height for box in boxes)


def test_bars_have_the_length_of_the_counts_in_the_mechanism_s_colour() -> None:
    counts, features = counted(300)
    one = counts[(counts["mechanism"] == "alk") & (counts["assay"] == "mutations")]
    one = one.assign(assay=one["assay"].cat.remove_unused_categories())
    figure = patients_looked_at(one, features, load_catalogue())
    whole, known, not_known = figure.axes[0].patches
    assert known.get_width() == pytest.approx(whole.get_width() / 2)
    assert not_known.get_width() == pytest.approx(whole.get_width() / 4)
    assert not_known.get_hatch()
    assert [text.get_text() for text in figure.axes[0].texts] == ["+75", "150"]
    assert to_hex(known.get_facecolor()) == load_catalogue().mechanisms["alk"].color.lower()


def test_a_mechanism_without_a_feature_of_an_assay_has_no_bar_there() -> None:
    counts, features = counted(300)
    fewer = counts[(counts["mechanism"] != "alk") | (counts["assay"] != "fish")]
    full = patients_looked_at(counts, features, load_catalogue()).axes[0].patches
    assert len(full) - len(patients_looked_at(fewer, features, load_catalogue()).axes[0].patches) == 3


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_it_is_saved_by_extension(tmp_path: Any, suffix: str) -> None:
    figure = patients_looked_at(*counted(300), load_catalogue())
    file = save_figure(figure, tmp_path / "new" / f"coverage{suffix}")
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert file.read_bytes().startswith(starts[suffix])
    with pytest.raises(InputError, match=r"a picture cannot be a \.gif"):
        save_figure(figure, tmp_path / "coverage.gif")
