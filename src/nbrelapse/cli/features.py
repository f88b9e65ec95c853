"""``nbrelapse features``: the feature table of a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.mechanisms.catalogue import Catalogue


def features(
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[
        Path, typer.Option(help="Where to write the table: .parquet or .csv; the manifest stands beside it.")
    ],
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue (TOML) that extends the packaged one.")] = None,
    gene_sets: Annotated[Path | None, typer.Option(help="Complete gene sets (GMT or TSV).")] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Show who was looked at, by mechanism and assay: a table and a picture.")
    ] = False,
    coverage_plot: Annotated[
        Path | None,
        typer.Option(help="Where to draw the picture (.png, .svg, .pdf); beside the feature table by default."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compute the mechanisms' features of every patient."""
    import json

    from nbrelapse.cohort import read_cohort
    from nbrelapse.errors import InputError
    from nbrelapse.mechanisms import build_features, load_catalogue
    from nbrelapse.mechanisms.gene_sets import read_gene_sets
    from nbrelapse.mechanisms.genes_found import genes_found
    from nbrelapse.mechanisms.storage import check_target, write_features
    from nbrelapse.report.coverage import feature_patients, mechanism_patients
    from nbrelapse.report.save_figure import check_picture

    check_target(out)
    picture = coverage_plot or (out.with_name(f"{out.name}.coverage.png") if coverage else None)
    if picture is not None:
        check_picture(picture)
    entries = load_catalogue(catalogue)
    sets = {} if gene_sets is None else read_gene_sets(gene_sets)
    studied = read_cohort(cohort)
    table = build_features(studied, entries, sets)
    if table.values.empty:
        raise InputError(
            "no feature can be computed",
            file=catalogue,
            expected="at least one feature whose gene set is at hand",
            mend="give the gene sets with --gene-sets, or let the catalogue extend the packaged one",
        )
    manifest = write_features(table, out)
    by_mechanism, by_feature = mechanism_patients(studied, table), feature_patients(studied, table)
    genes = None if studied.expression is None else genes_found(studied, table.catalogue, sets)
    if picture is not None:
        _draw(by_mechanism, by_feature, table.catalogue, picture)
    if as_json:
        document = {
            "features": str(out),
            "manifest": str(manifest),
            "patients": len(table.values),
            "columns": len(table.values.columns),
            "coverage": {"mechanisms": by_mechanism.to_dict("records"), "features": _records(by_feature)},
            "coverage_plot": None if picture is None else str(picture),
            "genes_found": None if genes is None else _records(genes),
        }
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    typer.echo(f"{len(table.values)} patients, {len(table.values.columns)} features: {out}")
    _print_coverage(by_mechanism, table.catalogue, whole=picture is not None)
    if genes is not None:
        _print_genes(genes, whole=picture is not None)
    if picture is not None:
        typer.echo(f"picture: {picture}")


def _draw(by_mechanism: pd.DataFrame, by_feature: pd.DataFrame, catalogue: Catalogue, file: Path) -> None:
    from nbrelapse.report.plots import patients_looked_at
    from nbrelapse.report.save_figure import save_figure

    save_figure(patients_looked_at(by_mechanism, by_feature, catalogue), file)


def _records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.reset_index().to_dict("records")


def _print_coverage(counts: pd.DataFrame, catalogue: Catalogue, *, whole: bool) -> None:
    """Print the patients looked at, by mechanism and, where asked for, by assay."""
    from rich.console import Console
    from rich.table import Table

    from nbrelapse.report.feature_facts import assay_title

    shown = counts["assay"].cat.categories if whole else ["any"]
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("patients looked at")
    for assay in shown:
        table.add_column(assay_title(assay), justify="right")
    cells = {(row["mechanism"], row["assay"]): row for row in counts.to_dict("records")}
    for mechanism in counts["mechanism"].unique():
        row = [_cell(cells.get((mechanism, assay))) for assay in shown]
        table.add_row(catalogue.mechanisms[mechanism].title, *row)
    # Numbers are not cut to the width of a narrow terminal.
    Console(width=max(Console().width, 110), highlight=False).print(table)
    if counts.loc[counts["assay"].isin(shown), "not_known"].any():
        typer.echo("(+ patients whose sample was assayed without giving a value)")


def _cell(counts: dict[Any, Any] | None) -> str:
    if counts is None:
        return "–"
    return f"{counts['known']}" + (f" +{counts['not_known']}" if counts["not_known"] else "")


def _print_genes(genes: pd.DataFrame, *, whole: bool) -> None:
    if genes.empty:
        return
    scorable, share = genes["scorable"].astype(bool), genes["share"].median()
    typer.echo(
        f"expression: {scorable.sum()} of {len(genes)} features scorable, median {share:.0%} of their genes found"
    )
    if whole and not scorable.all():
        typer.echo(f"too few genes for {', '.join(genes.index[~scorable])}")
