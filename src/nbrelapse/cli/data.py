"""``nbrelapse cohort``, ``features`` and ``mechanisms``: import, check and cut cohorts, build and list features."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.cohort.cohort import Cohort
    from nbrelapse.mechanisms.catalogue import Catalogue
    from nbrelapse.readers import LayerSource

cohort_app = typer.Typer(help="Import, check, cut and simulate cohorts.", no_args_is_help=True)
import_app = typer.Typer(help="Turn the files of a study into a cohort folder.", no_args_is_help=True)
cohort_app.add_typer(import_app, name="import")

Out = Annotated[Path, typer.Option("--out", help="The cohort folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a cohort that is already there.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the cohort; what the files say by default.")]
Where = Annotated[
    str | None,
    typer.Option("--where", help="Only the patients of whom this is true, such as \"risk_group == 'high'\"."),
]
Timepoint = Annotated[
    str | None,
    typer.Option(
        help="When the tumours were taken, where the files do not say: diagnosis, refractory, relapse, other."
    ),
]


@import_app.command("geo")
def geo(
    sources: Annotated[list[Path], typer.Argument(help="Series matrix files of the same samples.")],
    out: Out,
    expression: Annotated[Path | None, typer.Option(help="Gene by sample table.")] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A further feature by sample table; may be said again."),
    ] = None,
    layer_rows: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=HOW",
            help="How the rows of a layer find a mechanism: gene (MYCN.aAug10), coordinates:hg19 (chr2:1-9), "
            "gene_set, none (the default), or a file of two columns, row and mechanism.",
        ),
    ] = None,
    layer_unit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=UNIT", help="log2, counts, tpm, fpkm, linear, or another word, such as score."),
    ] = None,
    name: Name = None,
    timepoint: Timepoint = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Join GEO series matrices on sample titles."""
    from nbrelapse.cohort.storage import check_target
    from nbrelapse.readers.geo import import_geo

    check_target(out, overwrite=overwrite)
    cohort = import_geo(
        sources,
        expression=expression,
        layers=_layer_sources(layer or [], layer_rows or [], layer_unit or []),
        name=_name(name),
        timepoint=_timepoint(timepoint),
    )
    _write(cohort, out, overwrite=overwrite, as_json=as_json)


@import_app.command("tables")
def tables(
    mapping: Annotated[Path, typer.Argument(help="The mapping file (TOML).")],
    out: Out,
    source: Annotated[Path | None, typer.Option(help="Folder of the files; the mapping's own by default.")] = None,
    name: Name = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Read any CSV, TSV, xlsx or Parquet tables through a mapping file."""
    from nbrelapse.cohort.storage import check_target
    from nbrelapse.readers.tables import import_tables

    check_target(out, overwrite=overwrite)
    _write(import_tables(mapping, source, name=_name(name)), out, overwrite=overwrite, as_json=as_json)


@import_app.command("gdc")
def gdc(
    sources: Annotated[
        list[Path],
        typer.Argument(help="TARGET clinical workbooks, the GDC sample sheet and GDC files; or folders of them."),
    ],
    out: Out,
    name: Name = None,
    timepoint: Timepoint = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Join TARGET clinical workbooks with the molecular files of the GDC."""
    from nbrelapse.cohort.storage import check_target
    from nbrelapse.readers.gdc import import_gdc

    check_target(out, overwrite=overwrite)
    cohort = import_gdc(sources, name=_name(name), timepoint=_timepoint(timepoint))
    _write(cohort, out, overwrite=overwrite, as_json=as_json)


@import_app.command("cbioportal")
def cbioportal(
    source: Annotated[Path, typer.Argument(help="Study folder or .tar.gz.")],
    out: Out,
    expression: Annotated[
        str | None, typer.Option(help="Name of the expression file, where there are several.")
    ] = None,
    name: Name = None,
    timepoint: Timepoint = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLUMN",
            help="What column of the cohort an attribute is, such as STAGE=inss_stage or AGE=age_days:months; "
            "may be said again.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An attribute that is not to be read; may be said again.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Read a cBioPortal study as downloaded."""
    from nbrelapse.cohort.storage import check_target
    from nbrelapse.readers.cbioportal import import_cbioportal

    check_target(out, overwrite=overwrite)
    cohort = import_cbioportal(
        source,
        name=_name(name),
        timepoint=_timepoint(timepoint),
        expression=expression,
        attributes=_pairs(attribute or [], "--attribute", "column"),
        ignore=ignore or [],
    )
    _write(cohort, out, overwrite=overwrite, as_json=as_json)


@cohort_app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A cohort folder.")],
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Say what is in a cohort, what is missing, what was repaired, and whom each endpoint would have.

    The exit code is 1 where the cohort is not valid.
    """
    import json

    from nbrelapse.cohort.check import check_cohort
    from nbrelapse.cohort.storage import SETTINGS, read_cohort
    from nbrelapse.errors import InputError
    from nbrelapse.outcome import count_endpoints

    try:
        cohort = read_cohort(folder)
    except InputError as error:
        if not (folder / SETTINGS).is_file():
            raise
        if as_json:
            typer.echo(json.dumps({"valid": False, "problem": str(error)}))
        else:
            typer.echo(f"not valid: {error}", err=True)
        raise typer.Exit(1) from None
    cohort = _chosen_patients(cohort, where)
    report, endpoints = check_cohort(cohort), count_endpoints(cohort)
    if as_json:
        typer.echo(json.dumps({"valid": True, **report.to_dict(), "endpoints": endpoints}))
    else:
        typer.echo(f"{report.to_text()}\n\n{_endpoints_in_words(endpoints)}")


@cohort_app.command()
def overlap(
    first: Annotated[Path, typer.Argument(help="A cohort folder.")],
    second: Annotated[
        Path | None, typer.Argument(help="Another; without it, the first is compared with itself.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the pairs, with their identifiers: .csv.")] = None,
    as_json: Json = False,
) -> None:
    """Find patients of one cohort who look the same as one of the other, under whatever names."""
    import json

    from nbrelapse.cohort.files import check_file_name, write_beside
    from nbrelapse.cohort.overlap import find_overlap
    from nbrelapse.cohort.storage import read_cohort

    if out is not None:
        check_file_name(out, "a table of pairs", [".csv"])
    found = find_overlap(read_cohort(first), None if second is None else read_cohort(second))
    if out is not None:
        with write_beside(out) as beside:
            found.pairs.to_csv(beside, index=False)
    if as_json:
        rows = found.pairs.drop(columns=["first_id", "second_id"]).to_dict("records")
        typer.echo(
            json.dumps(
                {
                    "compared": found.compared,
                    "counts": found.counts.to_dict("index"),
                    "beyond_chance": found.beyond_chance,
                    "pairs": rows,
                    "file": None if out is None else str(out),
                }
            )
        )
        return
    typer.echo(found.to_text())
    typer.echo(f"\n{found.counts.round({'expected': 1, 'probability': 4}).to_string()}\n")
    if not found.pairs.empty:
        shown = found.pairs[["first_row", "second_row", "age_days", "same_time"]]
        typer.echo(f"rows of the patients tables that agree\n{shown.to_string(index=False)}")
    if out is not None:
        typer.echo(f"pairs: {out}")


@cohort_app.command()
def subset(
    folder: Annotated[Path, typer.Argument(help="A cohort folder.")],
    out: Out,
    where: Where = None,
    patients: Annotated[
        Path | None, typer.Option(help="Only these: a file with an id a line, or a table with the column patient_id.")
    ] = None,
    without: Annotated[Path | None, typer.Option(help="All but these: a file as for --patients.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the new cohort; that of the old one by default.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Keep some of a cohort's patients, with their samples and data, as a cohort of its own."""
    import json
    from dataclasses import replace

    from nbrelapse.cohort.select import take_listed
    from nbrelapse.cohort.storage import check_target, read_cohort, write_cohort
    from nbrelapse.errors import InputError

    if where is None and patients is None and without is None:
        raise InputError("which patients?", expected="--where, --patients or --without", fix="say one of them, or more")
    if out.resolve() == folder.resolve():
        raise InputError("the cohort would take the place of the one it comes from", file=out, fix="name another --out")
    check_target(out, overwrite=overwrite)
    whole = read_cohort(folder)
    kept = _chosen_patients(take_listed(whole, patients, without), where)
    write_cohort(replace(kept, name=_name(name) or kept.name), out, overwrite=overwrite)
    document = {"folder": str(out), "kept": len(kept.patients), "of": len(whole.patients), "where": kept.where}
    if as_json:
        typer.echo(json.dumps(document))
    else:
        typer.echo(f"{document['kept']:,} of {document['of']:,} patients kept: {out}")


def read_patients(folder: Path, where: str | None, *, barred: Collection[str] = ()) -> Cohort:
    """Read a cohort and keep the patients of whom a condition is true; says on standard error how many.

    Parameters
    ----------
    folder : path
    where : str or None
    barred : collection of str
        Columns that the condition must not read.
    """
    from nbrelapse.cohort.storage import read_cohort

    return _chosen_patients(read_cohort(folder), where, barred=barred)


def _chosen_patients(cohort: Cohort, where: str | None, *, barred: Collection[str] = ()) -> Cohort:
    if where is None:
        return cohort
    from nbrelapse.cohort.cohort import counted
    from nbrelapse.cohort.select import take_where

    kept = take_where(cohort, where, barred=barred)
    unknown = kept.metadata["selections"][-1]["not_known"]
    left = f"; of {counted(unknown, 'other')} it cannot be told, as a value is missing" if unknown else ""
    typer.echo(f"{len(kept.patients):,} of {len(cohort.patients):,} patients: {kept.where}{left}", err=True)
    return kept


@cohort_app.command()
def simulate(
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the raw files.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
) -> None:
    """Write the raw files of a simulated cohort; import them with `cohort import`."""
    from nbrelapse.simulation.files import write_raw_files

    write_raw_files(out, patients, seed)
    typer.echo(f"{patients} simulated patients in {out}", err=True)


def _name(given: str | None) -> str | None:
    from nbrelapse.errors import InputError

    if given is not None and not given.strip():
        raise InputError("a cohort needs a name", column="--name", fix="leave --name out, or give one")
    return None if given is None else given.strip()


def _timepoint(given: str | None) -> str | None:
    from nbrelapse.cohort.schema import levels
    from nbrelapse.errors import InputError

    if given is not None and given not in levels("timepoint"):
        expected = ", ".join(levels("timepoint"))
        raise InputError(f"unknown time point {given!r}", column="--timepoint", expected=expected)
    return given


def _pairs(given: list[str], option: str, what: str) -> dict[str, str]:
    """Return what is said of each name: ``NAME=...``, a name once."""
    from nbrelapse.errors import InputError

    pairs = [text.partition("=") for text in given]
    for name, equals, said in pairs:
        if not (name and equals and said):
            raise InputError(f"{name!r} names no {what}", column=option, expected=f"NAME={what.upper()}")
    names = [name for name, _, _ in pairs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{twice[0]!r} is said twice", column=option, fix=f"say one {what}")
    return {name.strip(): said.strip() for name, _, said in pairs}


_COORDINATES = "coordinates:"


def _layer_sources(files: list[str], rows: list[str], units: list[str]) -> dict[str, LayerSource]:
    """Return the layers to read, by name."""
    from nbrelapse.errors import InputError
    from nbrelapse.readers import LayerSource

    named = _pairs(files, "--layer", "file")
    ways, of_unit = _pairs(rows, "--layer-rows", "how"), _pairs(units, "--layer-unit", "unit")
    for option, said in (("--layer-rows", ways), ("--layer-unit", of_unit)):
        foreign = [name for name in said if name not in named]
        if foreign:
            raise InputError(
                f"{foreign[0]!r} is no layer",
                column=option,
                expected=", ".join(named) or "a layer named by --layer",
                fix="say --layer NAME=FILE too",
            )
    found = {}
    for name, file in named.items():
        way = ways.get(name, "none")
        build = way.removeprefix(_COORDINATES) if way.startswith(_COORDINATES) else None
        way = way if build is None else _COORDINATES[:-1]
        found[name] = LayerSource(file=file, mechanism=way, genome_build=build, unit=of_unit.get(name))
    return found


def _write(cohort: Cohort, out: Path, *, overwrite: bool, as_json: bool) -> None:
    import json

    from nbrelapse.cohort.check import check_cohort
    from nbrelapse.cohort.storage import write_cohort
    from nbrelapse.outcome import count_endpoints

    write_cohort(cohort, out, overwrite=overwrite, validated=True)
    report, endpoints = check_cohort(cohort), count_endpoints(cohort)
    if as_json:
        typer.echo(json.dumps({"folder": str(out), **report.to_dict(), "endpoints": endpoints}))
    else:
        typer.echo(f"{report.to_text()}\n\n{_endpoints_in_words(endpoints)}", err=True)
        typer.echo(f"\nwritten to {out}", err=True)


def _endpoints_in_words(endpoints: dict[str, dict[str, Any]]) -> str:
    """Return a line an endpoint: its patients, their events, and why the others are left out."""
    from nbrelapse.cohort.cohort import counted

    lines = ["endpoints"]
    for name, counts in endpoints.items():
        parts = []
        if counts["patients"] is not None:
            parts.append(f"{counted(counts['patients'], 'patient')}, {counts['events']} with the event")
            parts += [f"{counts['competing']} with a competing one"] if counts["competing"] else []
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts["left_out"].items())
        left_out = [f"left out: {reasons}"] if reasons else []
        unusable = [f"not usable: {counts['problem']}"] if counts["problem"] else []
        dead = [f"dead among those left out: {counts['dead_left_out']}"] if counts["dead_left_out"] else []
        lines.append(f"  {name:<10}  {'; '.join([', '.join(parts), *left_out, *unusable, *dead]).removeprefix('; ')}")
    return "\n".join(lines)


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compute the mechanisms' features of every patient."""
    import json

    from nbrelapse.cohort.storage import read_cohort
    from nbrelapse.errors import InputError
    from nbrelapse.mechanisms.build import build_features
    from nbrelapse.mechanisms.catalogue import load_catalogue
    from nbrelapse.mechanisms.feature_table import check_target, write_features
    from nbrelapse.mechanisms.gene_sets import genes_found, read_gene_sets
    from nbrelapse.report.facts import feature_patients, mechanism_patients

    check_target(out)
    picture = coverage_plot or (out.with_name(f"{out.name}.coverage.png") if coverage else None)
    _check_asked(pictures=(picture, genome), calls=calls)
    entries = load_catalogue(catalogue)
    sets = {} if gene_sets is None else read_gene_sets(gene_sets)
    studied = read_cohort(cohort)
    _check_patient(studied, genome, patient)
    table = build_features(studied, entries, sets)
    if table.values.empty:
        raise InputError(
            "no feature can be computed",
            file=catalogue,
            expected="at least one feature whose gene set is at hand",
            fix="give the gene sets with --gene-sets, or let the catalogue extend the packaged one",
        )
    manifest = write_features(table, out)
    written = _write_copy_number(studied, calls, genome, patient)
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
            **{name: str(file) for name, file in written.items()},
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
    for name, file in written.items():
        typer.echo(f"{name}: {file}")


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
        written["genome"] = save_figure(figure, genome)
    return written


def _draw(by_mechanism: pd.DataFrame, by_feature: pd.DataFrame, catalogue: Catalogue, file: Path) -> None:
    from nbrelapse.report.plots.coverage import patients_looked_at
    from nbrelapse.report.render import save_figure

    save_figure(patients_looked_at(by_mechanism, by_feature, catalogue), file)


def _records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.reset_index().to_dict("records")


def _print_coverage(counts: pd.DataFrame, catalogue: Catalogue, *, whole: bool) -> None:
    """Print the patients looked at, by mechanism and, where asked for, by assay."""
    from rich.console import Console
    from rich.table import Table

    from nbrelapse.report.facts import assay_title

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
