"""The tables of a cohort: their columns, types and legal values."""

from __future__ import annotations

import pandera.pandas as pa

from nbrelapse.cohort.vocabulary import levels

NON_NEGATIVE = pa.Check.ge(0, error="non_negative")
FRACTION = pa.Check.in_range(0, 1, error="fraction")
POSITIVE = pa.Check.gt(0, error="positive")


def _key(unique: bool = False) -> pa.Column:
    return pa.Column("str", nullable=False, unique=unique)


def _text(required: bool = True) -> pa.Column:
    return pa.Column("str", nullable=True, required=required)


def _coded(name: str, nullable: bool = True) -> pa.Column:
    return pa.Column("str", pa.Check.isin(levels(name), error="level"), nullable=nullable)


def _number(check: pa.Check | None = None, nullable: bool = True) -> pa.Column:
    return pa.Column("float64", check, nullable=nullable)


PATIENTS = pa.DataFrameSchema(
    {
        "patient_id": _key(unique=True),
        "age_days": _number(NON_NEGATIVE),
        "sex": _coded("sex"),
        "diagnosis_year": _number(pa.Check.in_range(1900, 2100, error="year")),
        "inss_stage": _coded("inss_stage"),
        "inrgss_stage": _coded("inrgss_stage"),
        "risk_group": _coded("risk_group"),
        "high_risk": pa.Column("boolean", nullable=True),
        "histology": _coded("histology"),
        "grade": _coded("grade"),
        "mki": _coded("mki"),
        "mycn_status": _coded("mycn_status"),
        "dna_index": _number(POSITIVE),
        "ploidy": _coded("ploidy"),
        "ldh": _number(NON_NEGATIVE),
        "ferritin": _number(NON_NEGATIVE),
        "c_circle": _coded("c_circle"),
        "apb": _coded("apb"),
        "primary_site": _text(),
        "induction_response": _coded("induction_response"),
        "event": _coded("event"),
        "event_days": _number(NON_NEGATIVE),
        "death": pa.Column("float64", pa.Check.isin([0.0, 1.0], error="zero_or_one"), nullable=True),
        "followup_days": _number(NON_NEGATIVE),
        "study": _text(),
        "split": _text(),
    },
    strict=True,
    name="patients",
)
"""Times in days from diagnosis, age in days at diagnosis, LDH in U/L, ferritin in ng/mL.

``high_risk`` says what is known where the risk group is not: many studies record only high-risk or not. ``event`` is
the first event: ``none`` is censored at ``event_days``, ``unspecified`` an event of unknown kind. ``study`` is the
cooperative group or sub-cohort, ``split`` a published division such as train and validation. ``c_circle``
and ``apb`` (ALT-associated PML bodies) are laboratory tests for alternative lengthening of telomeres.
"""

SAMPLES = pa.DataFrameSchema(
    {
        "sample_id": _key(unique=True),
        "patient_id": _key(),
        "timepoint": _coded("timepoint"),
        "purity": _number(FRACTION),
    },
    strict=True,
    name="samples",
)

ASSAYS = pa.DataFrameSchema(
    {
        "sample_id": _key(),
        "assay": _coded("assay", nullable=False),
        "genome_build": _coded("genome_build"),
        "panel": _text(),
        "covered_mb": _number(POSITIVE),
        "platform": _text(),
    },
    strict=True,
    unique=["sample_id", "assay"],
    name="assays",
)
"""Which samples were looked at, and how; without ``panel`` the whole exome or genome was.

``covered_mb`` is the size of the coding sequence that mutations were looked for in, in megabases.
"""

PANELS = pa.DataFrameSchema({"panel": _key(), "gene": _key()}, strict=True, unique=["panel", "gene"], name="panels")

MUTATIONS = pa.DataFrameSchema(
    {
        "sample_id": _key(),
        "Hugo_Symbol": _key(),
        "Chromosome": _text(),
        "Start_Position": _number(POSITIVE),
        "End_Position": _number(POSITIVE),
        "Variant_Classification": _text(),
        "Reference_Allele": _text(),
        "Tumor_Seq_Allele2": _text(),
        "HGVSp_Short": _text(),
        "t_alt_count": _number(NON_NEGATIVE),
        "t_ref_count": _number(NON_NEGATIVE),
    },
    strict=True,
    name="mutations",
)

SEGMENTS = pa.DataFrameSchema(
    {
        "sample_id": _key(),
        "chromosome": _coded("chromosome", nullable=False),
        "start": _number(NON_NEGATIVE, nullable=False),
        "end": _number(POSITIVE, nullable=False),
        "n_probes": _number(NON_NEGATIVE),
        "log2_ratio": _number(nullable=False),
    },
    checks=pa.Check(lambda table: table["end"] >= table["start"], error="end_after_start"),
    strict=True,
    name="segments",
)
"""Chromosomes are ``1`` to ``22``, ``X``, ``Y``, ``MT``, without ``chr``."""

REARRANGEMENTS = pa.DataFrameSchema(
    {
        "sample_id": _key(),
        "site1_gene": _text(),
        "site1_chromosome": _text(),
        "site1_position": _number(NON_NEGATIVE),
        "site2_gene": _text(),
        "site2_chromosome": _text(),
        "site2_position": _number(NON_NEGATIVE),
        "class": _text(),
    },
    strict=True,
    name="rearrangements",
)

TABLES: dict[str, pa.DataFrameSchema] = {
    str(schema.name): schema for schema in (PATIENTS, SAMPLES, ASSAYS, PANELS, MUTATIONS, SEGMENTS, REARRANGEMENTS)
}
"""The long tables by name."""

MATRICES = ("gene_copy_number", "expression")
"""The gene by sample tables: index ``Hugo_Symbol``, float64 columns named by ``sample_id``, NaN = not measured."""

ASSAY_OF = {
    "mutations": "mutations",
    "segments": "copy_number",
    "gene_copy_number": "copy_number",
    "rearrangements": "rearrangements",
    "expression": "expression",
}
"""The assay that a molecular table's samples were looked at with."""
