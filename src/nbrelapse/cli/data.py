"""``nbrelapse cohort``: import, check, compare and cut cohorts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbrelapse.cli.help import say_next

if TYPE_CHECKING:
    from nbrelapse.cohort.blocks import StoredCohort
    from nbrelapse.cohort.cohort import Cohort
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
Jobs = Annotated[
    int, typer.Option(min=1, help="Processes; a cohort of more than 10,000 patients is worked on in blocks of these.")
]
Executor = Annotated[
    str, typer.Option(help="Where it is computed: local, dask, dask:ADDRESS of a scheduler, or FILE.toml of a cluster.")
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
        codes=True,
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
        document = {**report.to_dict(), "endpoints": endpoints, "layer_mechanisms": _layer_mechanisms(cohort)}
        typer.echo(json.dumps({"valid": True, **document}))
    else:
        typer.echo(
            f"{report.to_text()}\n\n{_layers_in_words(_layer_mechanisms(cohort))}{_endpoints_in_words(endpoints)}\n"
        )
        say_next("features", folder, "--out", "features.parquet", "--coverage")


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
        with write_beside(out, private=True) as beside:
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
        say_next("cohort", "check", out)


@contextmanager
def executing_on(executor: str, jobs: int) -> Iterator[int]:
    """Do as :func:`nbrelapse.models.executing_on` does; what that needs is imported only where it is asked for."""
    if executor == "local":
        yield jobs
        return
    from nbrelapse.models.cluster import executing_on

    with executing_on(executor, jobs) as there:
        yield there


def block_by_block(tasks: Sequence[Any], jobs: int) -> Iterator[Any]:
    """Do tasks that are one a block of patients, and return their results in order; few wait for being written.

    Parameters
    ----------
    tasks : sequence of joblib.delayed calls
    jobs : int
        Processes; one block needs none of its own.
    """
    from nbrelapse.models.processes import in_processes

    at_once = _AHEAD * jobs
    for first in range(0, len(tasks), at_once):
        yield from in_processes(tasks[first : first + at_once], min(jobs, len(tasks)))


_AHEAD = 4
"""Blocks of a process that are done before the next are begun: so many are in memory if writing them is slow."""


def open_patients(folder: Path, where: str | None) -> StoredCohort:
    """Open a cohort to read it block by block, and keep the patients of whom a condition is true; says how many."""
    from nbrelapse.cohort.blocks import open_cohort

    stored = open_cohort(folder)
    if where is None:
        return stored
    kept = stored.where(where)
    _say_kept(kept.metadata, where)
    return kept


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
    from nbrelapse.cohort.select import take_where

    kept = take_where(cohort, where, barred=barred)
    _say_kept(kept.metadata, str(kept.where))
    return kept


def _say_kept(metadata: Mapping[str, Any], where: str) -> None:
    from nbrelapse.cohort.cohort import counted

    last = metadata["selections"][-1]
    unknown = last["not_known"]
    left = f"; of {counted(unknown, 'other')} it cannot be told, as a value is missing" if unknown else ""
    typer.echo(f"{last['kept']:,} of {last['patients']:,} patients: {where}{left}", err=True)


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
    say_next("cohort", "import", "cbioportal", out, "--out", "cohorts/simulated")


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

    # Before anything is written: layers may name what no catalogue has.
    report, endpoints, layers = check_cohort(cohort), count_endpoints(cohort), _layer_mechanisms(cohort)
    write_cohort(cohort, out, overwrite=overwrite, validated=True)
    if as_json:
        document = {**report.to_dict(), "endpoints": endpoints, "layer_mechanisms": layers}
        typer.echo(json.dumps({"folder": str(out), **document}))
    else:
        typer.echo(f"{report.to_text()}\n\n{_layers_in_words(layers)}{_endpoints_in_words(endpoints)}", err=True)
        typer.echo(f"\nwritten to {out}", err=True)
        say_next("features", out, "--out", "features.parquet", "--coverage")


def _layer_mechanisms(cohort: Cohort) -> dict[str, dict[str, int]]:
    """Count the rows of each layer by mechanism of the packaged catalogue, without the mechanisms that none finds."""
    from nbrelapse.mechanisms.catalogue import load_catalogue
    from nbrelapse.mechanisms.layers import layer_mechanisms

    if not cohort.layers:
        return {}
    counts = layer_mechanisms(cohort, load_catalogue())
    return {
        str(name): {str(mechanism): int(count) for mechanism, count in rows.items() if count}
        for name, rows in counts.items()
    }


def _layers_in_words(found: dict[str, dict[str, int]]) -> str:
    """Return a line a layer: how many rows find which mechanism; nothing without layers."""
    if not found:
        return ""
    width = max(map(len, found))
    lines = [
        f"  {name:<{width}}  {', '.join(f'{mechanism} {count:,}' for mechanism, count in counts.items())}"
        for name, counts in found.items()
    ]
    return "\n".join(["rows of layers by mechanism, without gene sets", *lines, "", ""])


def _endpoints_in_words(endpoints: dict[str, dict[str, Any]]) -> str:
    """Return a line an endpoint: its patients, their events, and why the others are left out."""
    lines = ["endpoints"]
    for name, counts in endpoints.items():
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts["left_out"].items())
        if counts["patients"] == 0 and reasons:
            parts = [f"not usable: {reasons}"]
        else:
            parts = _usable_in_words(counts)
            parts += [f"left out: {reasons}"] if reasons else []
            parts += [f"not usable: {counts['problem']}"] if counts["problem"] else []
        parts += [f"dead among those left out: {counts['dead_left_out']}"] if counts["dead_left_out"] else []
        lines.append(f"  {name:<10}  {'; '.join(parts)}")
    return "\n".join(lines)


def _usable_in_words(counts: dict[str, Any]) -> list[str]:
    from nbrelapse.cohort.cohort import counted

    if counts["patients"] is None:
        return []
    told = f"{counted(counts['patients'], 'patient')}, {counts['events']} with the event"
    told += f", {counts['competing']} with a competing one" if counts["competing"] else ""
    kind = f"{counts['unspecified']} first events of unknown kind count as relapses, deaths on the same day aside"
    return [told, *([kind] if counts["unspecified"] else [])]
