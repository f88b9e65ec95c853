"""Every kind of file that nbrelapse reads, a good one each, and the command that reads it."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
from test_damaged_inputs import (
    BASES,
    CLINICAL,
    FEW,
    MAPPING,
    STUDY,
    VCF,
    patient_rows,
    tsv,
)

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "quickstart"


@dataclass(frozen=True)
class Subject:
    """Files, the one of them that is damaged, and what reads it.

    ``command`` are words of the command line, in the folder of the files; what it writes is called ``out``. With
    ``checked`` the content has a checksum, or such a form, that a change is always noticed: none is plausible.
    """

    kind: str
    target: str
    files: dict[str, bytes]
    command: tuple[str, ...]
    checked: bool = False
    trees: dict[str, Path] = field(default_factory=dict)
    """Folders to copy into the folder, by name."""

    @property
    def name(self) -> str:
        return f"{self.kind} {self.target}"


def _imports() -> Iterator[Subject]:
    words = {
        "cbioportal": ("cohort", "import", "cbioportal", "."),
        "tables": ("cohort", "import", "tables", "map.toml"),
        "geo": (
            "cohort",
            "import",
            "geo",
            "GSE1_series_matrix.txt",
            "--expression",
            "e.tsv",
            "--timepoint",
            "diagnosis",
        ),
        "gdc": ("cohort", "import", "gdc", "."),
    }
    for base in BASES:
        files = {name: text.encode() for name, text in base.files.items()}
        target = base.target
        if base.reader == "gdc" and base.layout == "cells":
            continue
        if base.reader == "gdc":
            table = next(name for name in files if name.startswith("TARGET_NBL"))
            files[table.replace(".csv", ".xlsx")] = xlsx(
                pd.read_csv(io.BytesIO(files.pop(table)), sep="\t", dtype="str")
            )
        yield Subject(f"{base.reader} {base.what}", target, files, (*words[base.reader], "--out", "out"))


def xlsx(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_excel(stream, index=False)
    return stream.getvalue()


def parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream, index=False)
    return stream.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(f"demo/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return stream.getvalue()


ISOFORMS = tsv(
    ["isoform", "S1", "S2", "S3"], *([f"{g}.aAug10", 3.25, 4.5, 5.75] for g in ("MYCN", "ALK", "TP53", "TERT"))
)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRIVATE_TEXT = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
CATALOGUE = """version = "own-1"

[alk]
copies = { title = "Copies of ALK", definition = "Amplified.", assay = "copy_number", kind = "binary",
  builder = "copy_number", measure = "gene", gene = "ALK", change = "amplification",
  direction = +1, reference = "10.1038/nature10910" }
""".replace(",\n  ", ", ")
EXPERIMENT = """name = "tiny"
seed = 3
models = ["cox", "boosted"]
landmark_days = 30
[cohort]
path = "cohort"
gene_sets = "sets.gmt"
[features]
include = ["mycn__*", "instability__*"]
[split]
train = ["discovery"]
validation = ["validation"]
[validation]
folds = 3
repeats = 1
"""
SETS = "HALLMARK_P53_PATHWAY\tsource\tCDKN1A\tBAX\tMDM2\nHALLMARK_APOPTOSIS\tsource\tBAX\tCASP3\tFAS\n"


def _others(cohort: Path, table: Path) -> Iterator[Subject]:
    tables = ("cohort", "import", "tables", "map.toml", "--out", "out")
    clinical = {"clinical.csv": patient_rows(",").encode(), "map.toml": (MAPPING + CLINICAL).encode()}
    yield Subject("mapping", "map.toml", clinical, tables)
    frame = pd.read_csv(io.BytesIO(clinical["clinical.csv"]), dtype="str")
    for suffix, content in (("xlsx", xlsx(frame)), ("parquet", parquet(frame))):
        mapping = clinical["map.toml"].replace(b"clinical.csv", f"clinical.{suffix}".encode())
        yield Subject(
            f"tables {suffix}",
            f"clinical.{suffix}",
            {f"clinical.{suffix}": content, "map.toml": mapping},
            tables,
            checked=True,
        )
    listed = '[rearrangements]\nformat = "vcf"\nfile = "*.vcf"\nsample_table = "list.tsv"\n'
    files = {"clinical.csv": FEW, "a.vcf": VCF, "b.vcf": VCF, "map.toml": MAPPING + listed,
             "list.tsv": tsv(["file", "sample_id"], ["a.vcf", "S1"], ["b.vcf", "S2"])}  # fmt: skip
    yield Subject("table of samples", "list.tsv", {n: t.encode() for n, t in files.items()}, tables)
    study = {n: t.encode() for n, t in STUDY.items()}
    yield Subject(
        "archive",
        "demo.tar.gz",
        {"demo.tar.gz": archive(study)},
        ("cohort", "import", "cbioportal", "demo.tar.gz", "--out", "out"),
    )
    layers = '[layers.isoforms]\nfile = "l.tsv"\nunit = "log2"\nmechanism = "rows.tsv"\n'
    files = {"clinical.csv": FEW, "l.tsv": ISOFORMS, "map.toml": MAPPING + layers,
             "rows.tsv": tsv(["row", "mechanism"], ["MYCN.aAug10", "mycn"], ["ALK.aAug10", "alk"])}  # fmt: skip
    for target in ("l.tsv", "rows.tsv"):
        yield Subject("layer", target, {n: t.encode() for n, t in files.items()}, tables)
    features = ("features", "cohort", "--out", "out.csv")
    for name in ("cohort.toml", "patients.parquet", "samples.parquet", "assays.parquet", "segments.parquet",
                 "mutations.parquet", "expression.parquet", "layers/isoforms.parquet"):  # fmt: skip
        yield Subject(
            "cohort", f"cohort/{name}", {}, (*features, "--layer", "all"), name != "cohort.toml", {"cohort": cohort}
        )
    yield Subject(
        "merge",
        "other/patients.parquet",
        {},
        ("cohort", "merge", "cohort", "other", "--uncertain", "keep", "--out", "out"),
        True,
        {"cohort": cohort, "other": cohort.with_name("other")},
    )
    ids = [f"SIM-{number:06}" for number in range(1, 10)]
    yield Subject(
        "list of patients",
        "ids.txt",
        {"ids.txt": ("\n".join(ids) + "\n").encode()},
        ("cohort", "subset", "cohort", "--patients", "ids.txt", "--out", "out"),
        trees={"cohort": cohort},
    )
    long = "gene_set\tHugo_Symbol\n" + "".join(
        f"{line.split(chr(9))[0]}\t{gene}\n" for line in SETS.splitlines() for gene in line.split("\t")[2:]
    )
    for name, text in (("sets.gmt", SETS), ("sets.tsv", long)):
        yield Subject(
            "gene sets", name, {name: text.encode()}, (*features, "--gene-sets", name), trees={"cohort": cohort}
        )
    yield Subject(
        "catalogue",
        "own.toml",
        {"own.toml": CATALOGUE.encode()},
        (*features, "--catalogue", "own.toml"),
        trees={"cohort": cohort},
    )
    # What is read whole is refused for the cohort, which is not there: nothing is trained.
    yield Subject(
        "experiment", "tiny.toml", {"tiny.toml": EXPERIMENT.encode()}, ("train", "tiny.toml", "--reports", "out")
    )
    yield Subject(
        "token",
        "token",
        {"token": b"0123456789abcdef0123456789abcdef\n"},
        ("serve", "nowhere", "--token-file", "token"),
    )
    public = PRIVATE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" Ada\n"
    yield Subject("keyring", "ring", {"ring": public}, ("verify", "model", "--trust", "ring"), trees={"model": MODEL})
    files = {"key": PRIVATE_TEXT.encode(), "tiny.toml": EXPERIMENT.encode()}
    yield Subject("private key", "key", files, ("train", "tiny.toml", "--sign", "key", "--reports", "out"))
    for name in ("MLmodel", "data/manifest.json", "data/model.json", "data/refits.zip", "data/catalogue.json"):
        yield Subject(
            "model",
            f"model/{name}",
            {},
            ("score", "model", "cohort", "--out", "out.csv"),
            True,
            {"model": MODEL, "cohort": cohort},
        )
    yield Subject(
        "models",
        "models/one/MLmodel",
        {},
        ("score", "auto", "cohort", "--endpoint", "relapse", "--out", "out.csv"),
        True,
        {"models/one": MODEL, "cohort": cohort},
    )

    for name in ("table.csv", "table.csv.json"):
        yield Subject("features", name, {}, ("read_features", "table.csv"), trees={"": table})


def all_subjects(cohort: Path, table: Path) -> list[Subject]:
    """Every kind of file; ``cohort`` is a cohort folder, ``table`` a folder with a feature table ``table.csv``."""
    return [*_imports(), *_others(cohort, table)]
