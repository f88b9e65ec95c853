"""``nbrelapse cohort merge``: several cohorts as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbrelapse.cli.data import Json, Out, Overwrite, cohort_app
from nbrelapse.cli.help import say_next


@cohort_app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Cohort folders, at least two; the first one's records count.")],
    out: Out,
    name: Annotated[str | None, typer.Option(help="Name of the new cohort; all their names by default.")] = None,
    uncertain: Annotated[
        str,
        typer.Option(
            help="Where it is not sure who is in two of them: stop, join (one patient each) or keep (two each)."
        ),
    ] = "stop",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make one cohort of several: each patient once, with the study that he comes from."""
    import json

    from nbrelapse.cohort.merge import merge_folders
    from nbrelapse.cohort.storage import check_target, write_cohort
    from nbrelapse.errors import InputError

    if out.resolve() in [folder.resolve() for folder in folders]:
        raise InputError(
            "the cohort would take the place of one that it comes from", file=out, fix="name another --out"
        )
    if name is not None and not name.strip():
        raise InputError("a cohort needs a name", column="--name", fix="leave --name out, or give one")
    check_target(out, overwrite=overwrite)
    merged = merge_folders(folders, name=None if name is None else name.strip(), uncertain=uncertain)
    write_cohort(merged, out, overwrite=overwrite, validated=True)
    source = merged.metadata["source"]["cohorts"]
    studies = merged.patients["study"].value_counts().to_dict()
    done = [line.removeprefix("merge: ") for line in merged.metadata.get("repairs", []) if line.startswith("merge: ")]
    cohorts = [{key: part[key] for key in ("name", "patients", "added")} for part in source]
    if as_json:
        counts = {"patients": len(merged.patients), "studies": studies}
        typer.echo(json.dumps({"folder": str(out), "name": merged.name, "cohorts": cohorts, **counts, "done": done}))
        return
    lines = [f"{part['name']}: {part['added']:,} of {part['patients']:,} patients added" for part in cohorts]
    lines += [f"studies: {', '.join(f'{study} {number:,}' for study, number in studies.items())}", *done]
    typer.echo("\n".join([*lines, f"{len(merged.patients):,} patients: {out}"]))
    say_next("cohort", "check", out)
