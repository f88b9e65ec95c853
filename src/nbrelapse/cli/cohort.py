"""``nbrelapse cohort``: import, check and simulate cohorts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nbrelapse.cohort import Cohort

app = typer.Typer(help="Import, check and simulate cohorts.", no_args_is_help=True)
import_app = typer.Typer(help="Turn the files of a study into a cohort folder.", no_args_is_help=True)
app.add_typer(import_app, name="import")

Out = Annotated[Path, typer.Option("--out", help="The cohort folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a cohort that is already there.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Timepoint = Annotated[
    str | None,
    typer.Option(
        help="When the tumours were taken, where the files do not say: diagnosis, refractory, relapse, other."
    ),
]


@import_app.command("geo")
def import_geo(
    sources: Annotated[list[Path], typer.Argument(help="Series matrix files of the same samples.")],
    out: Out,
    expression: Annotated[Path | None, typer.Option(help="Gene by sample table.")] = None,
    timepoint: Timepoint = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Join GEO series matrices on sample titles."""
    from nbrelapse.cohort.readers import read_geo
    from nbrelapse.cohort.storage import check_target

    check_target(out, overwrite=overwrite)
    cohort = read_geo(sources, expression=expression, timepoint=_timepoint(timepoint))
    _write(cohort, out, overwrite=overwrite, as_json=as_json)


@import_app.command("tables")
def import_tables(
    mapping: Annotated[Path, typer.Argument(help="The mapping file (TOML).")],
    out: Out,
    source: Annotated[Path | None, typer.Option(help="Folder of the files; the mapping's own by default.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Read any CSV, TSV, xlsx or Parquet tables through a mapping file."""
    from nbrelapse.cohort.readers import read_tables
    from nbrelapse.cohort.storage import check_target

    check_target(out, overwrite=overwrite)
    _write(read_tables(mapping, source), out, overwrite=overwrite, as_json=as_json)


@import_app.command("gdc")
def import_gdc(
    sources: Annotated[
        list[Path],
        typer.Argument(help="TARGET clinical workbooks, the GDC sample sheet and GDC files; or folders of them."),
    ],
    out: Out,
    timepoint: Timepoint = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Join TARGET clinical workbooks with the molecular files of the GDC."""
    from nbrelapse.cohort.readers import read_gdc
    from nbrelapse.cohort.storage import check_target

    check_target(out, overwrite=overwrite)
    cohort = read_gdc(sources, timepoint=_timepoint(timepoint))
    _write(cohort, out, overwrite=overwrite, as_json=as_json)


@import_app.command("cbioportal")
def import_cbioportal(
    source: Annotated[Path, typer.Argument(help="Study folder or .tar.gz.")],
    out: Out,
    expression: Annotated[
        str | None, typer.Option(help="Name of the expression file, where there are several.")
    ] = None,
    timepoint: Timepoint = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Read a cBioPortal study as downloaded."""
    from nbrelapse.cohort.readers import read_cbioportal
    from nbrelapse.cohort.storage import check_target

    check_target(out, overwrite=overwrite)
    cohort = read_cbioportal(source, timepoint=_timepoint(timepoint), expression=expression)
    _write(cohort, out, overwrite=overwrite, as_json=as_json)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A cohort folder.")],
    as_json: Json = False,
) -> None:
    """Say what is in a cohort, what is missing and what was repaired; exit 1 where it is not valid."""
    import json

    from nbrelapse.cohort import check_cohort, read_cohort
    from nbrelapse.cohort.storage import SETTINGS
    from nbrelapse.errors import InputError

    try:
        report = check_cohort(read_cohort(folder))
    except InputError as error:
        if not (folder / SETTINGS).is_file():
            raise
        if as_json:
            typer.echo(json.dumps({"valid": False, "problem": str(error)}))
        else:
            typer.echo(f"not valid: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps({"valid": True, **report.to_dict()}) if as_json else report.to_text())


@app.command()
def simulate(
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the raw files.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
) -> None:
    """Write the raw files of a simulated cohort; import them with `cohort import`."""
    from nbrelapse.cohort.simulation import write_raw_files

    write_raw_files(out, patients, seed)
    typer.echo(f"{patients} simulated patients in {out}", err=True)


def _timepoint(given: str | None) -> str | None:
    from nbrelapse.cohort.vocabulary import levels
    from nbrelapse.errors import InputError

    if given is not None and given not in levels("timepoint"):
        expected = ", ".join(levels("timepoint"))
        raise InputError(f"unknown time point {given!r}", column="--timepoint", expected=expected)
    return given


def _write(cohort: Cohort, out: Path, *, overwrite: bool, as_json: bool) -> None:
    import json

    from nbrelapse.cohort import check_cohort, write_cohort

    write_cohort(cohort, out, overwrite=overwrite, validated=True)
    report = check_cohort(cohort)
    if as_json:
        typer.echo(json.dumps({"folder": str(out), **report.to_dict()}))
    else:
        typer.echo(report.to_text(), err=True)
        typer.echo(f"\nwritten to {out}", err=True)
