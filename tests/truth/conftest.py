"""Writes the few rows that a test is about as a complete study, in the files that a study has.

Files are given by name, as text. In tables, blanks separate the cells; ``~`` is an empty cell and, within one, a blank.
Lines that start with ``#`` stay as they are, with tabulators for ``~``. ``$name`` is a place that differs between the
genome builds; every chromosome has ``$cen11`` (end of its p arm) and ``$end11`` (its length).

Around them the study gets: a row for every patient in the clinical files, a diagnosis sample named as its patient where
the sample file has none, the build in every molecular file, and, where there are segments,

- ``complete``: one neutral segment for each autosome of which a sample has no row, so that its whole genome was seen;
- ``background``: twenty patients with a 11q loss and twenty with a 17q gain at the given log2 ratios, so that these are
  the levels of a single copy that the import finds for the platform, whatever the case adds: a segment at the loss
  (gain) is exactly -1 (+1) copy, and half of it is the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template

import bioframe
import openpyxl
import pytest

BUILDS = ("hg19", "hg38")
NCBI = {"hg19": "GRCh37", "hg38": "GRCh38"}
AUTOSOMES = [str(number) for number in range(1, 23)]
BACKGROUND = {"loss": -0.4, "gain": 0.3}
BACKGROUND_PATIENTS = 20
SEGMENTS = "data_cna.seg"
SEGMENT_HEADER = ["ID", "chrom", "loc.start", "loc.end", "num.mark", "seg.mean"]
WITH_BUILD = ("data_mutations.txt", "data_sv.txt")
VERBATIM = (".toml",)

Table = list[list[str]]


@cache
def _chromosome_places(build: str) -> dict[str, int]:
    """Ends of the p arms (``cen11``) and of the chromosomes (``end11``), and the length of all autosomes."""
    bands = bioframe.assembly_info(build).cytobands
    bands["name"] = bands["chrom"].str.removeprefix("chr")
    p_arms = bands[bands["band"].str.startswith("p")].groupby("name")["end"].max()
    ends = bands.groupby("name")["end"].max()
    places = {f"cen{name}": int(end) for name, end in p_arms.items()}
    places |= {f"end{name}": int(end) for name, end in ends.items()}
    return places | {"autosomes": int(ends[AUTOSOMES].sum())}


def parse(text: str) -> tuple[list[str], Table]:
    """Split a table into its ``#`` lines and the cells of the others."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    rows = [line.split() for line in lines if not line.startswith("#")]
    cells = [["" if cell == "~" else cell.replace("~", " ") for cell in row] for row in rows]
    return [line.replace("~", "\t") for line in lines if line.startswith("#")], cells


def tab_separated(comments: Iterable[str], rows: Table) -> str:
    """Write a table."""
    return "".join(f"{line}\n" for line in [*comments, *("\t".join(row) for row in rows)])


class Study:
    """The files of one study in one genome build."""

    def __init__(self, folder: Path, build: str, places: Mapping[str, int | str]) -> None:
        self.folder = folder
        self.build = build
        self.places = {**_chromosome_places(build), **places, "build": build, "ncbi": NCBI[build]}
        folder.mkdir(parents=True, exist_ok=True)

    def fill(self, text: str) -> str:
        """Put the places of the build into a text."""
        return Template(text).substitute({name: str(place) for name, place in self.places.items()})

    def write(self, name: str, text: str) -> None:
        """Write a file of the case."""
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        text = self.fill(text)
        comments, rows = parse(text)
        if name.startswith("case_lists/"):
            stem = file.stem.removeprefix("cases_")
            file.write_text(f"cancer_study_identifier: case\nstable_id: case_{stem}\ncase_list_ids: {text}\n")
        elif name.startswith("data_gene_panel_") and "matrix" not in name:
            panel = file.stem.removeprefix("data_gene_panel_")
            file.write_text(f"stable_id: {panel}\ngene_list: {text}\n")
        elif name.endswith(".xlsx"):
            book = openpyxl.Workbook()
            for row in rows:
                book.active.append([cell or None for cell in row])
            book.save(file)
        elif name.endswith(VERBATIM):
            file.write_text(text)
        else:
            if name in WITH_BUILD:
                rows = [[*row, "NCBI_Build" if not place else NCBI[self.build]] for place, row in enumerate(rows)]
            file.write_text(tab_separated(comments, rows))

    def write_clinical(self, files: Mapping[str, str], patients: Iterable[str]) -> None:
        """Write the clinical files, with rows for all patients and a sample for each."""
        given = {kind: parse(files.get(f"data_clinical_{kind}.txt", ""))[1] for kind in ("patient", "sample")}
        header, *rows = given["patient"] or [["PATIENT_ID"]]
        known = {row[0] for row in rows}
        rows += [[name, *[""] * (len(header) - 1)] for name in patients if name not in known]
        self._clinical("patient", header, rows)
        head, *samples = given["sample"] or [["SAMPLE_ID", "PATIENT_ID", "SAMPLE_TYPE"]]
        with_sample = {row[1] for row in samples}
        filling = [""] * (len(head) - 3)
        samples += [[row[0], row[0], "Primary", *filling] for row in rows if row[0] not in with_sample]
        self._clinical("sample", head, samples)

    def _clinical(self, kind: str, header: list[str], rows: Table) -> None:
        comments = ["#" + "\t".join(header)] * 4
        (self.folder / f"data_clinical_{kind}.txt").write_text(tab_separated(comments, [header, *rows]))

    def write_segments(self, text: str, complete: bool, background: Mapping[str, float]) -> list[str]:
        """Write the segments; return the patients of the background."""
        rows = [[*row[:4], "100", row[4]] for row in parse(self.fill(text))[1]]
        if complete:
            seen = {(row[0], row[1].removeprefix("chr")) for row in rows}
            samples = dict.fromkeys(row[0] for row in rows)
            missing = [(sample, name) for sample in samples for name in AUTOSOMES if (sample, name) not in seen]
            rows += [[sample, name, "1", str(self.places[f"end{name}"]), "100", "0"] for sample, name in missing]
        added = []
        for direction, chromosome in (("loss", "11"), ("gain", "17")):
            for number in range(BACKGROUND_PATIENTS):
                name = f"background-{direction}-{number}"
                rows.append([name, "1", "1", str(self.places["end1"]), "100", "0"])
                middle, end = (str(self.places[f"{place}{chromosome}"]) for place in ("cen", "end"))
                rows.append([name, chromosome, "1", middle, "100", "0"])
                rows.append([name, chromosome, middle, end, "100", str(background[direction])])
                added.append(name)
        self.folder.joinpath(f"data_cna_{self.build}.seg").write_text(tab_separated([], [SEGMENT_HEADER, *rows]))
        return added


def _write_study(
    folder: Path,
    files: Mapping[str, str],
    patients: Iterable[str],
    *,
    build: str = "hg19",
    places: Mapping[str, int | str] | None = None,
    complete: bool = True,
    background: Mapping[str, float] = BACKGROUND,
    clinical: bool = True,
) -> Path:
    study = Study(folder, build, places or {})
    everybody = list(patients)
    if SEGMENTS in files:
        everybody += study.write_segments(files[SEGMENTS], complete, background)
    if clinical:
        study.write_clinical({name: study.fill(text) for name, text in files.items()}, everybody)
        (folder / "meta_study.txt").write_text("cancer_study_identifier: case\n")
    for name, text in files.items():
        if name != SEGMENTS and not (clinical and name.startswith("data_clinical_")):
            study.write(name, text)
    return folder


@pytest.fixture
def write_study() -> Callable[..., Path]:
    """``write_study(folder, files, patients, build=..., places=...)``: a folder with a complete study."""
    return _write_study


@pytest.fixture
def chromosome_places() -> Callable[[str], dict[str, int]]:
    """``chromosome_places(build)``: the places that every chromosome has."""
    return _chromosome_places
