"""``nbrelapse features``: the feature table of a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def features(
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[
        Path, typer.Option(help="Where to write the table: .parquet or .csv; the manifest stands beside it.")
    ],
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue (TOML) instead of the packaged one.")] = None,
    gene_sets: Annotated[Path | None, typer.Option(help="Complete gene sets (GMT or TSV).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compute the mechanisms' features of every patient."""
    import json

    from nbrelapse.cohort import read_cohort
    from nbrelapse.mechanisms import build_features, load_catalogue
    from nbrelapse.mechanisms.gene_sets import read_gene_sets
    from nbrelapse.mechanisms.storage import write_features

    sets = {} if gene_sets is None else read_gene_sets(gene_sets)
    table = build_features(read_cohort(cohort), load_catalogue(catalogue), sets)
    manifest = write_features(table, out)
    known = table.values.notna()
    coverage = {
        mechanism: int(known.loc[:, table.mechanisms == mechanism].any(axis=1).sum())
        for mechanism in table.mechanisms.unique()
    }
    if as_json:
        document = {
            "features": str(out),
            "manifest": str(manifest),
            "patients": len(table.values),
            "columns": len(table.values.columns),
            "patients_looked_at": coverage,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"{len(table.values)} patients, {len(table.values.columns)} features: {out}")
    for mechanism, patients in coverage.items():
        typer.echo(f"  {table.catalogue.mechanisms[mechanism].title:<28}{patients:>6} patients looked at")
