"""``nbrelapse features`` and ``mechanisms``: build features, and list what they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbrelapse.cli.data import Executor, Jobs, block_by_block, executing_on
from nbrelapse.cli.help import say_next

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from nbrelapse.cohort.blocks import CohortBlock
    from nbrelapse.cohort.cohort import Cohort
    from nbrelapse.mechanisms.catalogue import Catalogue
    from nbrelapse.mechanisms.feature_table import FeatureRows
    from nbrelapse.report.coverage import Coverage


def features(
    cohort: Annotated[Path, typer.Argument(help="The cohort folder.")],
    out: Annotated[
        Path, typer.Option(help="Where to write the table: .parquet or .csv; the manifest stands beside it.")
    ],
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue (TOML) that extends the packaged one.")] = None,
    gene_sets: Annotated[Path | None, typer.Option(help="Complete gene sets (GMT or TSV).")] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A feature a row of this layer too; may be said again; all: every layer."),
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Show who was looked at, by mechanism and assay: a table and a picture.")
    ] = False,
    coverage_plot: Annotated[
        Path | None,
        typer.Option(help="Where to draw the picture (.png, .svg, .pdf); beside the feature table by default."),
    ] = None,
    calls: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the copy-number calls, a row a patient and chromosome arm: .csv, .tsv or .parquet."
        ),
    ] = None,
    genome: Annotated[
        Path | None,
        typer.Option(help="Where to draw the patients' genomes (.png, .svg, .pdf), by risk group and MYCN."),
    ] = None,
    patient: Annotated[
        str | None, typer.Option(help="With --genome: draw the copy-number profile of this patient alone.")
    ] = None,
    jobs: Jobs = 1,
    executor: Executor = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compute the mechanisms' features of every patient."""
    import json

    from nbrelapse.cohort.blocks import open_cohort
    from nbrelapse.mechanisms.blocks import independent_blocks
    from nbrelapse.mechanisms.build import buildable
    from nbrelapse.mechanisms.catalogue import load_catalogue
    from nbrelapse.mechanisms.feature_table import check_target
    from nbrelapse.mechanisms.gene_sets import genes_found, read_gene_sets
    from nbrelapse.mechanisms.layers import with_layer_features

    check_target(out)
    picture = coverage_plot or (out.with_name(f"{out.name}.coverage.png") if coverage else None)
    _check_asked(pictures=(picture, genome), calls=calls)
    entries = load_catalogue(catalogue)
    sets = {} if gene_sets is None else read_gene_sets(gene_sets)
    # Workers elsewhere have another working folder.
    stored = open_cohort(cohort if executor == "local" else cohort.resolve())
    # Calls of X, and which rows of a layer vary, are learned from all patients.
    studied = stored.whole().blocks[0].read() if calls or genome or patient or layer else None
    if studied is not None:
        _check_patient(studied, genome, patient)
        if layer:
            entries = with_layer_features(entries, studied, None if "all" in layer else layer, sets)
    entries = buildable(entries, sets)
    _require_features(entries, catalogue)
    blocks = independent_blocks(stored, entries).blocks
    with executing_on(executor, jobs) as jobs:
        manifest, found = _build(blocks if studied is None else [studied], entries, sets, out, jobs)
    written = {} if studied is None else _write_copy_number(studied, calls, genome, patient)
    genes = None if found.measured is None else genes_found(found.measured, entries, sets)
    if picture is not None:
        _draw(found.by_mechanism, found.by_feature, entries, picture)
    if as_json:
        document = {
            "features": str(out),
            "manifest": str(manifest),
            "patients": found.patients,
            "columns": len(entries.features),
            "coverage": {"mechanisms": found.by_mechanism.to_dict("records"), "features": _records(found.by_feature)},
            "coverage_plot": None if picture is None else str(picture),
            **{name: str(file) for name, file in written.items()},
            "genes_found": None if genes is None else _records(genes),
        }
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    typer.echo(f"{found.patients} patients, {len(entries.features)} features: {out}")
    _print_coverage(found.by_mechanism, entries, whole=picture is not None)
    if genes is not None:
        _print_genes(genes, whole=picture is not None)
    if picture is not None:
        typer.echo(f"picture: {picture}")
    for name, file in written.items():
        typer.echo(f"{name}: {file}")
    say_next("train", "EXPERIMENT.toml", "--cohort", cohort)


def _require_features(entries: Catalogue, file: Path | None) -> None:
    from nbrelapse.errors import InputError

    if not entries.features:
        raise InputError(
            "no feature can be computed",
            file=file,
            expected="at least one feature whose gene set is at hand",
            fix="give the gene sets with --gene-sets, or let the catalogue extend the packaged one",
        )


def _build(
    blocks: Sequence[CohortBlock | Cohort], entries: Catalogue, sets: dict[str, list[str]], out: Path, jobs: int
) -> tuple[Path, Coverage]:
    """Build the features of one block after another, and write them as they are built."""
    from joblib import delayed

    from nbrelapse.mechanisms.feature_table import feature_file
    from nbrelapse.report.coverage import Coverage

    tasks = [delayed(_build_block)(block, entries, sets, out.suffix, place) for place, block in enumerate(blocks)]
    counts = []
    with feature_file(out, entries) as file:
        for rows, counted in block_by_block(tasks, jobs):
            file.append(rows)
            counts.append(counted)
    return file.manifest, Coverage.total(counts)


def _build_block(
    block: CohortBlock | Cohort, entries: Catalogue, sets: dict[str, list[str]], suffix: str, place: int
) -> tuple[FeatureRows, Coverage]:
    """Build the features of a block of patients, here or in another process."""
    from nbrelapse.cohort.cohort import Cohort
    from nbrelapse.mechanisms.build import build_features
    from nbrelapse.mechanisms.feature_table import encode_features
    from nbrelapse.report.coverage import Coverage

    studied = block if isinstance(block, Cohort) else block.read()
    table = build_features(studied, entries, sets)
    return encode_features(table, suffix, first=place == 0), Coverage.of(studied, table)


def _check_asked(pictures: tuple[Path | None, ...], calls: Path | None) -> None:
    """Refuse names that the files asked for cannot have, before the work."""
    from nbrelapse.mechanisms.feature_table import check_calls_file
    from nbrelapse.report.render import check_picture

    for file in pictures:
        if file is not None:
            check_picture(file)
    if calls is not None:
        check_calls_file(calls)


def _check_patient(studied: Cohort, genome: Path | None, patient: str | None) -> None:
    from nbrelapse.errors import InputError
    from nbrelapse.scoring.patient import check_patient

    if patient is None:
        return
    if genome is None:
        raise InputError("--patient needs --genome, the picture to draw", column="--patient")
    check_patient(studied, patient)


def _write_copy_number(
    studied: Cohort, calls: Path | None, genome: Path | None, patient: str | None
) -> dict[str, Path]:
    """Write what was asked for of the copy-number calls."""
    if calls is None and genome is None:
        return {}
    from nbrelapse.mechanisms.builders.copy_number import copy_number_calls
    from nbrelapse.mechanisms.feature_table import write_calls

    table, written = copy_number_calls(studied), {}
    if calls is not None:
        written["calls"] = write_calls(table, calls)
    if genome is not None:
        from nbrelapse.report.plots.genome import cohort_genome, patient_profile
        from nbrelapse.report.render import save_figure

        figure = cohort_genome(studied, table) if patient is None else patient_profile(studied, table, patient)
        written["genome"] = save_figure(figure, genome, private=True)
    return written


def _draw(by_mechanism: pd.DataFrame, by_feature: pd.DataFrame, catalogue: Catalogue, file: Path) -> None:
    from nbrelapse.report.plots.coverage import patients_looked_at
    from nbrelapse.report.render import save_figure

    save_figure(patients_looked_at(by_mechanism, by_feature, catalogue), file)


def _records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.reset_index().to_dict("records")


def _print_coverage(counts: pd.DataFrame, catalogue: Catalogue, *, whole: bool) -> None:
    """Print the patients looked at, by mechanism and, where asked for, by assay."""
    from nbrelapse.cli.results import print_table
    from nbrelapse.report.facts import assay_title

    shown = counts["assay"].cat.categories if whole else ["any"]
    cells = {(row["mechanism"], row["assay"]): row for row in counts.to_dict("records")}
    rows = [
        (catalogue.mechanisms[mechanism].title, *(_cell(cells.get((mechanism, assay))) for assay in shown))
        for mechanism in counts["mechanism"].unique()
    ]
    print_table(("patients looked at", *map(assay_title, shown)), rows)
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


def mechanisms(
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue (TOML) that extends the packaged one.")] = None,
    mechanism: Annotated[list[str] | None, typer.Option(help="Only this mechanism; may be said again.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page in Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List every mechanism and feature: definition, assay, direction, evidence, source; and the therapies."""
    import json

    from nbrelapse.errors import InputError
    from nbrelapse.mechanisms.catalogue import load_catalogue
    from nbrelapse.report.mechanism_page import mechanism_page

    if markdown and as_json:
        raise InputError("--markdown and --json are two forms of one answer", fix="say one of them")
    chosen = _chosen(load_catalogue(catalogue), mechanism)
    if markdown:
        typer.echo(mechanism_page(chosen), nl=False)
    elif as_json:
        typer.echo(json.dumps(_document(chosen), indent=2, allow_nan=False))
    else:
        _print(chosen)


def _chosen(catalogue: Catalogue, names: list[str] | None) -> Catalogue:
    from dataclasses import replace

    from nbrelapse.errors import InputError

    if not names:
        return catalogue
    unknown = [name for name in names if name not in catalogue.mechanisms]
    if unknown:
        raise InputError(
            f"there is no mechanism {', '.join(unknown)}",
            column="--mechanism",
            expected=", ".join(catalogue.mechanisms),
        )
    mechanisms = {name: entry for name, entry in catalogue.mechanisms.items() if name in names}
    features = {name: entry for name, entry in catalogue.features.items() if entry.mechanism in names}
    return replace(catalogue, mechanisms=mechanisms, features=features)


def _document(catalogue: Catalogue) -> dict[str, Any]:
    from dataclasses import asdict

    from nbrelapse.report.facts import hazard_ratios

    features = [
        {**asdict(definition), "hazard_ratio": hazard_ratios(definition.log_hazard_prior)}
        for definition in catalogue.features.values()
    ]
    return {
        "version": catalogue.version,
        "mechanisms": [
            {**asdict(entry), "features": [feature for feature in features if feature["mechanism"] == name]}
            for name, entry in catalogue.mechanisms.items()
        ],
        "therapies": [asdict(therapy) for therapy in catalogue.therapies.values()],
    }


def _print(catalogue: Catalogue) -> None:
    """Print the catalogue, as wide as the terminal; without colours where the output is no terminal."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from nbrelapse.report.facts import NO_RECOMMENDATION, agents_in_words, feature_facts, therapy_facts

    console = Console(highlight=False)
    therapies = catalogue.therapies
    for name, mechanism in catalogue.mechanisms.items():
        title = Text.assemble(("■ ", mechanism.color), (mechanism.title, "bold"), (f"  {name}", "dim"))
        console.print(title)
        console.print(Padding(Text(mechanism.description), (0, 0, 0, 2)))
        facts = {"therapies": agents_in_words(mechanism.therapies, therapies), "source": mechanism.reference}
        console.print(Padding(_grid(facts), (0, 0, 1, 2)))
        for feature in catalogue.features.values():
            if feature.mechanism == name:
                console.print(Text.assemble(("  " + feature.name, "bold"), f"  {feature.title}"))
                console.print(Padding(Text(feature.definition), (0, 0, 0, 4)))
                console.print(Padding(_grid(feature_facts(feature, therapies)), (0, 0, 1, 4)))
    if therapies:
        console.print(Text("Therapies", "bold"))
        console.print(Padding(Text(NO_RECOMMENDATION), (0, 0, 1, 2)))
    for therapy in therapies.values():
        console.print(Text("  " + therapy.name, "bold"))
        console.print(Padding(_grid(therapy_facts(therapy)), (0, 0, 1, 4)))


def _grid(facts: dict[str, str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=10, style="dim")
    grid.add_column()
    for label, text in facts.items():
        if text:
            grid.add_row(label, Text(text, overflow="fold"))
    return grid
