"""Canaries in all that identifies a patient reach what the user asked for about patients, and nothing else.

Two studies, a cBioPortal folder and tables of one's own with files named by patients, are imported, merged, trained on
(cache, report, trials, studies left out in turn), and a third is scored, explained, evaluated, registered, exported and
updated from; and commands are refused, one of each sort. Then every byte that was written or said is searched.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import shutil
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from nbrelapse.simulation import simulate_cohort, write_raw_files

CANARY = "ZQCANARY"
BORN, NUMBER = "1887-11-03", "739105882"
"""A date of birth and the beginning of all hospital numbers."""
_TOKENS = [word.lower().encode() for word in (CANARY, BORN, NUMBER)]
_TOKENS += [word.lower().encode(kind) for word in (CANARY, BORN, NUMBER) for kind in ("utf-16-le", "utf-16-be")]
_DIGEST = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-f])")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")


def holds(content: bytes, digests: frozenset[bytes] = frozenset()) -> bool:
    """Whether a canary, or a plain hash of one, is in a content, however it is packed."""
    return any(_tells(part, digests) for part in _unpacked(content))


def _tells(part: bytes, digests: frozenset[bytes]) -> bool:
    small = part.lower()
    return any(token in small for token in _TOKENS) or any(found in digests for found in _DIGEST.findall(small))


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Yield a content as it is, and all that is packed in it."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield from _unpacked(gzip.decompress(content))
    elif content[:4] == b"PAR1":
        file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        yield repr(file.schema_arrow.metadata).encode()
        yield file.read().to_pandas().reset_index().to_csv().encode()
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        yield from _png_texts(content)
    elif content[:15] == b"SQLite format 3":
        yield from _cells(content)
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from _unpacked(archive.read(name))
    elif content[:6] == b"\x93NUMPY":
        yield str(np.load(io.BytesIO(content), allow_pickle=False).tolist()).encode()
    else:
        for text in _BASE64.findall(content):
            with_padding = text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
            if len(with_padding) % 4 == 0 and len(text.rstrip(b"=")) % 4 != 1:
                found = base64.b64decode(with_padding)
                yield from _unpacked(found)


def _png_texts(content: bytes) -> Iterator[bytes]:
    place = 8
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        if kind in (b"zTXt", b"iTXt"):
            packed = data.split(b"\0", 5 if kind == b"iTXt" else 2)[-1]
            for start in (0, 1):
                try:
                    yield zlib.decompress(packed[start:])
                except zlib.error:
                    continue
        place += 12 + size


def _cells(content: bytes) -> Iterator[bytes]:
    """Yield the tables of a database: a long text lies in pieces in its file."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(content)
        for (name,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            yield repr(database.execute(f'select * from "{name}"').fetchall()).encode()


def _named(number: int) -> str:
    return f"{CANARY} Anna-{number:04d}"


def _identified(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return columns that identify the patients of a table, or hold what somebody wrote about them."""
    rows = range(len(table))
    return {
        "PATIENT_NAME": [_named(row) for row in rows],
        "DATE_OF_BIRTH": [BORN] * len(table),
        "ADDRESS": [f"{CANARY} street {row}" for row in rows],
        "HOSPITAL_NUMBER": [f"{NUMBER}{row:03d}" for row in rows],
        "NOTES": [f"mother of {CANARY} called, stage 4" for row in rows],
    }


def write_study(folder: Path, patients: int, seed: int) -> Path:
    """Write a cBioPortal study whose identifiers are canaries, with further columns of them."""
    write_raw_files(folder, patients, seed)
    for file in [*folder.glob("data_*"), *folder.glob("case_lists/*.txt")]:
        file.write_text(file.read_text().replace("SIM-", f"{CANARY}-{seed}"))
    for file in (folder / "data_clinical_patient.txt", folder / "data_clinical_sample.txt", *_variants(folder)):
        lines = file.read_text().splitlines()
        head = [line for line in lines if line.startswith("#")]
        table = pd.read_csv(io.StringIO("\n".join(lines[len(head) :])), sep="\t", dtype=str, keep_default_na=False)
        own = _identified(table)
        head = [f"{line}\t" + "\t".join(["STRING"] * len(own)) for line in head]
        # No code: it is shown at import, so that it can be mapped, and stays in the cohort's folder.
        table.loc[0, table.columns.intersection(["RISK_GROUP"])] = f"{CANARY} group"
        text = table.assign(**own).to_csv(sep="\t", index=False, lineterminator="\n")
        file.write_text("\n".join([*head, text]))
    (folder / "truth.parquet").unlink()
    return folder


def _variants(folder: Path) -> Iterable[Path]:
    return folder / "data_mutations.txt", folder / "data_sv.txt"


MAPPING = """
name = "second"
[patients]
file = "clinical.csv"
[patients.columns]
patient_id = "PATIENT_NAME"
%s
[[assays]]
file = "assays.csv"
[assays.columns]
sample_id = "sample_id"
assay = "assay"
genome_build = "genome_build"
[segments]
file = "segments/*.seg"
sample_pattern = '(.+)[.]seg'
[segments.columns]
chromosome = "chromosome"
start = "start"
end = "end"
log2_ratio = "log2_ratio"
[expression]
file = "expression.tsv"
gene_column = "Hugo_Symbol"
[layers.texture]
file = "texture.tsv"
unit = "score"
"""
_MAPPED = (
    "age_days",
    "sex",
    "inss_stage",
    "mycn_status",
    "risk_group",
    "event",
    "event_days",
    "death",
    "followup_days",
)


def write_tables(folder: Path, patients: int, seed: int) -> Path:
    """Write tables of a study whose patients and samples go by their names, as do the files; the mapping's path."""
    cohort = simulate_cohort(patients, seed)
    assert cohort.segments is not None and cohort.expression is not None
    (folder / "segments").mkdir(parents=True)
    sample = {f"{patient}-01": _named(row) for row, patient in enumerate(cohort.patient_ids)}
    own = pd.DataFrame(_identified(cohort.patients), index=cohort.patients.index)
    pd.concat([own, cohort.patients[list(_MAPPED)]], axis=1).to_csv(folder / "clinical.csv", index=False)
    segments = cohort.segments[cohort.segments["sample_id"].isin(sample)]
    for name, rows in segments.groupby("sample_id"):
        rows.drop(columns="sample_id").to_csv(folder / "segments" / f"{sample[name]}.seg", sep="\t", index=False)
    cohort.expression.rename(columns=sample)[[name for key, name in sample.items() if key in cohort.expression]].to_csv(
        folder / "expression.tsv", sep="\t"
    )
    texture = np.random.default_rng(seed).normal(size=(3, len(sample))).round(4)
    pd.DataFrame(texture, index=["edge", "grain", "tone"], columns=list(sample.values())).to_csv(
        folder / "texture.tsv", sep="\t", index_label="row"
    )
    looked = pd.DataFrame({"sample_id": [sample[name] for name in segments["sample_id"].unique()]})
    looked.assign(assay="copy_number", genome_build="hg19").to_csv(folder / "assays.csv", index=False)
    mapping = folder / "mapping.toml"
    mapping.write_text(MAPPING % "\n".join(f'{name} = "{name}"' for name in _MAPPED))
    return mapping


EXPERIMENT = """
name = "private"
seed = 3
refits = 20
models = ["cox"]
[cohort]
path = "cohorts/merged"
[features]
layers = true
[validation]
folds = 3
repeats = 1
inner_folds = 2
trials = 2
bootstrap = 100
"""


@dataclass
class Work:
    """What a user has left behind, and what was said to him; ``asked`` are the commands and their answers."""

    folder: Path
    raw: Path
    said: dict[str, Any] = field(default_factory=dict)

    def files(self) -> Iterator[Path]:
        return (path for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def work(
    nbrelapse: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, _empty_database: Path
) -> Iterator[Work]:
    home = tmp_path_factory.mktemp("work")
    (home / "mlruns").mkdir()
    shutil.copyfile(_empty_database, home / "mlruns" / "mlflow.db")
    raw = tmp_path_factory.mktemp("raw") / f"{CANARY} ward 7"
    found = Work(home, raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr("nbrelapse.report.render._DPI", 20)  # what takes longest, and is not looked at here
        (home / "temporary").mkdir()
        patch.setattr(tempfile, "tempdir", str(home / "temporary"))
        patch.setenv("JOBLIB_TEMP_FOLDER", str(home / "temporary"))
        first, third = write_study(raw / f"{CANARY} study", 90, 5), write_study(raw / "new", 50, 6)
        second = write_tables(raw / f"tables of {CANARY}", 40, 7)
        (home / "private.toml").write_text(EXPERIMENT)

        def say(name: str, *arguments: object) -> Any:
            answer = found.said[name] = nbrelapse(*arguments)
            assert answer.code in (0, 1), (name, answer.err)
            return answer

        say("import", "cohort", "import", "cbioportal", first, "--out", "cohorts/first")
        say("import new", "cohort", "import", "cbioportal", third, "--out", "cohorts/new", "--json")
        say("import tables", "cohort", "import", "tables", second, "--out", "cohorts/second")
        say("check", "cohort", "check", "cohorts/second")
        say("overlap", "cohort", "overlap", "cohorts/first", "cohorts/second")
        merge = ["cohort", "merge", "cohorts/first", "cohorts/second", "--uncertain", "keep"]
        say("merge", *merge, "--out", "cohorts/merged")
        say("features", "features", "cohorts/merged", "--out", "features.parquet", "--layer", "all")
        train = ["train", "private.toml", "--cache", "cache", "--jobs", 1, "--log-trials"]
        say("train", *train, "--json")
        model = found.said["train"].document["models"]["cox"]
        say("compare", "compare", "private")
        say("export", "export", model, "exported")
        say("score", "score", "exported", "cohorts/new", "--out", "scores.csv", "--allow-missing-assays")
        patient = pd.read_parquet("cohorts/new/patients.parquet")["patient_id"].iloc[0]
        asked = ["--patient", patient, "--allow-missing-assays", "--out", "explained"]
        say("explain", "explain", "exported", "cohorts/new", *asked)
        judged = ["exported", "cohorts/new", "--allow-missing-assays"]
        say("evaluate", "evaluate", *judged, "--bootstrap", 100, "--out", "evaluated", "--experiment", "private")
        say("update", "update", *judged, "--bootstrap", 100, "--out", "updated")
        say("register", "register", model, "--name", "private")
        yield found


ASKED_FOR = ("cohorts/", "features.parquet", "scores.csv", "explained/attributions", "explained/patient.html")
"""Where patients may be named: the user's own cohorts, and what he asked for about each patient."""


def digests(work: Work) -> frozenset[bytes]:
    """Return plain hashes of every identifier: whoever can guess one would find it."""
    names = {_named(row) for row in range(110)}
    for cohort in ("merged", "new"):
        samples = pd.read_parquet(work.folder / "cohorts" / cohort / "samples.parquet")
        names |= {*samples["patient_id"], *samples["sample_id"]}
    kinds = (hashlib.md5, hashlib.sha1, hashlib.sha256)
    return frozenset(kind(name.encode()).hexdigest().encode() for name in names if CANARY in name for kind in kinds)


def test_canaries_are_where_patients_were_asked_for_and_nowhere_else(work: Work) -> None:
    plain = digests(work)
    holding = {path.relative_to(work.folder).as_posix() for path in work.files() if holds(path.read_bytes(), plain)}
    assert {name for name in holding if not name.startswith(ASKED_FOR)} == set()
    # The search does find them, in every format.
    assert {"features.parquet", "scores.csv", "explained/patient.html", "cohorts/second/patients.parquet"} <= holding
    assert "cohorts/second/layers/texture.parquet" in holding
    named = [path for path in work.files() if CANARY.lower() in path.name.lower()]
    assert named == []


def test_nothing_is_left_in_the_temporary_folder(work: Work) -> None:
    assert list((work.folder / "temporary").iterdir()) == []


def test_no_command_says_who_a_patient_is(work: Work) -> None:
    said = work.said.pop("import").out + work.said.pop("import new").out
    assert f"rows 1: '{CANARY} group'" in said
    for name, answer in work.said.items():
        said = answer.out + answer.err
        assert not holds(said.replace(str(work.raw), "").encode()), (name, said)


def _with(table: str, **changes: Any) -> Callable[[Path], None]:
    """Return what puts values into the first rows of a column of a cohort's table."""

    def change(folder: Path) -> None:
        frame = pd.read_parquet(folder / f"{table}.parquet")
        for column, value in changes.items():
            frame.loc[frame.index[:2], column] = frame[column].iloc[0] if value is None else value
        frame.to_parquet(folder / f"{table}.parquet", index=False)

    return change


@pytest.mark.parametrize(
    ("change", "command"),
    [
        (_with("patients", patient_id=None), ["cohort", "check", "damaged", "--json"]),
        (_with("samples", patient_id=f"{CANARY} nobody"), ["features", "damaged", "--out", "no.csv"]),
        (_with("samples", sample_id=f"{CANARY} other"), ["features", "damaged", "--out", "no.csv"]),
        (_with("mutations", sample_id=f"{CANARY} nobody"), ["evaluate", "exported", "damaged", "--no-log"]),
        (_with("segments", sample_id=f"{CANARY} nobody"), ["update", "exported", "damaged", "--out", "no"]),
        (_with("patients", age_days=-5.0), ["train", "damaged.toml"]),
        (None, ["explain", "exported", "damaged", "--patient", "nobody", "--out", "no"]),
        (None, ["cohort", "merge", "damaged", "damaged", "--out", "no"]),
        (None, ["cohort", "subset", "damaged", "--patients", "list.txt", "--out", "no"]),
        (None, ["train", "groups.toml"]),
        (None, ["evaluate", "exported", "cohorts/merged", "--allow-missing-assays", "--no-log"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_a_refusal_names_nobody(
    work: Work,
    nbrelapse: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: Callable[[Path], None] | None,
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    shutil.copytree(work.folder / "cohorts" / "first", "damaged")
    Path("list.txt").write_text(f"{CANARY} nobody\n")
    Path("damaged.toml").write_text(EXPERIMENT.replace("cohorts/merged", "damaged"))
    Path("groups.toml").write_text(Path("damaged.toml").read_text() + '[leave_one_out]\ncolumn = "patient_id"\n')
    if change is not None:
        change(Path("damaged"))
    links = {name: str(work.folder / name) for name in ("exported", "cohorts/merged")}
    answer = nbrelapse(*[links.get(word, word) for word in command])
    assert answer.code in (1, 2), answer.err
    said = answer.out + answer.err
    assert "Traceback" not in said
    assert not holds(said.encode()), said
    assert not [
        path for path in tmp_path.iterdir() if path.name.startswith(("no", ".")) and path.name != ".nbrelapse-cache"
    ]
