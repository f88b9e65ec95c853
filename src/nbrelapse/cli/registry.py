"""``nbrelapse register``, ``promote`` and ``models``: the registry of models."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbrelapse.cli.data import Json, Where, read_patients
from nbrelapse.cli.help import say_next
from nbrelapse.cli.models import Trust
from nbrelapse.errors import InputError

if TYPE_CHECKING:
    from nbrelapse.cohort.cohort import Cohort
    from nbrelapse.scoring.reading import CheckedModel
    from nbrelapse.tracking.promotion import Promotion
    from nbrelapse.tracking.registry import RegisteredVersion

_WIDTH = 80


def register(
    model: Annotated[str, typer.Argument(help="A model folder, or an MLflow URI (models:/…, runs:/…).")],
    name: Annotated[
        str | None, typer.Option(help="To register it under; EXPERIMENT-FAMILY of the model by default.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help="An alias that no version of the name has yet, such as champion.")
    ] = None,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Check a model and register it in the store, where it goes by a name and a version."""
    from nbrelapse.scoring.registration import register_model

    found = register_model(model, name=name, alias=alias, trust=trust)
    if as_json:
        typer.echo(json.dumps(_document(found) | {"new": found.new}, indent=2))
        return
    what = "registered" if found.new else "the same model is registered already"
    typer.echo(f"{what}: {found.uri}{_at(found.aliases)}")
    say_next("score", found.uri, "COHORT", "--out", "scores.csv")


def promote(
    name: Annotated[str, typer.Argument(help="Of the registered model.")],
    version: Annotated[int, typer.Argument(min=1, help="That is to have the alias.")],
    alias: Annotated[str, typer.Option(help="That the version is to have.")] = "champion",
    force: Annotated[
        str | None, typer.Option(metavar="REASON", help="Set the rule aside; the reason is kept with the version.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give an alias to a version that is shown to be better than the one that has it, in the same patients.

    The 95% interval of the difference of the leading metric has to lie above 0, in the same resamples of a cohort that
    both were evaluated on, or else of the folds that both were trained with.
    """
    from nbrelapse.tracking.promotion import promote as promote_version

    done = promote_version(name, version, alias=alias, force=force)
    if as_json:
        typer.echo(json.dumps(_promotion_document(done), indent=2))
        return
    for comparison in done.comparisons:
        typer.echo(str(comparison))
    typer.echo(_said(done))


def _said(done: Promotion) -> str:
    uri = f"models:/{done.version.name}@{done.alias}"
    if done.champion is None:
        return f"{uri} is version {done.version.version}; no version had the alias, so there was nothing to beat"
    if done.champion.version == done.version.version:
        return f"{uri} is version {done.version.version} already"
    why = f"by force: {done.forced}" if done.forced else "which is shown to be better"
    return f"{uri} is version {done.version.version} now, before it was {done.champion.version}; {why}"


def _promotion_document(done: Promotion) -> dict[str, Any]:
    champion = None if done.champion is None else done.champion.version
    return {
        "name": done.version.name,
        "version": done.version.version,
        "alias": done.alias,
        "before": champion,
        "comparisons": [asdict(comparison) | {"shown": comparison.shown} for comparison in done.comparisons],
        "forced": done.forced or None,
    }


def models(
    cohort: Annotated[
        Path | None, typer.Argument(help="A cohort folder: how many of its patients could each model score?")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Whose model folders are listed, too.")] = Path("models"),
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List the registered models and those of a folder: endpoint, C, what is needed, where they come from.

    With a cohort also how many of its patients each could score, and why not the others: the rules are those of
    nbrelapse score auto.
    """
    from nbrelapse.scoring.auto import model_folders
    from nbrelapse.tracking.registry import registered_models
    from nbrelapse.tracking.store import has_store

    if where is not None and cohort is None:
        raise InputError("a condition on patients, but no cohort", column="--where", fix="name the cohort folder")
    patients = None if cohort is None else read_patients(cohort, where)
    registered = registered_models() if has_store() else []
    documents = [_document(found) for found in registered] + [_checked(path) for path in model_folders(folder)]
    if patients is not None:
        documents = [document | _could_score(document, patients) for document in documents]
    if as_json:
        typer.echo(json.dumps(documents, indent=2))
        return
    for document in documents:
        for line in _lines(document):
            typer.echo(line)
    if not registered:
        typer.echo("nothing is registered: nbrelapse register MODEL", err=True)


def _could_score(document: dict[str, Any], patients: Cohort) -> dict[str, Any]:
    """Return how many patients of a cohort a listed model could score; nothing of one that cannot be used."""
    from nbrelapse.errors import NbRelapseError
    from nbrelapse.scoring.auto import told_in_a_line, who_can_be_scored
    from nbrelapse.scoring.reading import load_model

    if document["problem"] is not None:
        return {"could_score": None}
    try:
        found = who_can_be_scored(load_model(document["model"]), patients)
    except NbRelapseError as error:
        return {"could_score": None, "problem": str(error).splitlines()[0]}
    counts = {"patients": len(found.reasons), "scored": found.patients, "not": found.left_out}
    return {"could_score": counts | {"told": told_in_a_line(found)}}


def _document(found: RegisteredVersion) -> dict[str, Any]:
    """Return what is told of a registered version; what nobody said of it is null."""
    tags = found.tags
    figures = {name: None if name not in tags else float(tags[name]) for name in ("c", "c.low", "c.high")}
    return {
        "model": found.uri,
        "name": found.name,
        "version": found.version,
        "aliases": list(found.aliases),
        "endpoint": found.endpoint,
        **figures,
        "c.where": tags.get("c.where"),
        "needs": [part for part in tags.get("needs", "").split(", ") if part],
        "origin": tags.get("origin", "not registered by nbrelapse"),
        "problem": None,
    }


def _checked(path: Path) -> dict[str, Any]:
    """Return the same of a model folder; of one that cannot be used, why."""
    from nbrelapse.errors import NbRelapseError
    from nbrelapse.scoring.reading import check_model
    from nbrelapse.scoring.registration import origin

    empty: dict[str, Any] = {"model": str(path), "name": path.name, "version": None, "aliases": []}
    try:
        found = check_model(path)
    except NbRelapseError as error:
        unknown = dict.fromkeys(("endpoint", "c", "c.low", "c.high", "c.where"))
        return empty | unknown | {"needs": [], "origin": None, "problem": str(error).splitlines()[0]}
    return empty | _told(found) | {"needs": list(found.needs), "origin": origin(found), "problem": None}


def _told(found: CheckedModel) -> dict[str, Any]:
    figure = found.performance
    figures = (None,) * 4 if figure is None else (figure.value, figure.low, figure.high, figure.where)
    return {"endpoint": found.endpoint, **dict(zip(("c", "c.low", "c.high", "c.where"), figures, strict=True))}


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield document["model"] + _at(document["aliases"])
    if document["problem"] is not None:
        said = [f"cannot be used: {document['problem']}"]
    elif document["endpoint"] is None:
        said = [document["origin"]]
    else:
        c = "not validated"
        if document["c"] is not None:
            c = f"C {document['c']:.3f} ({document['c.low']:.3f} to {document['c.high']:.3f}) in {document['c.where']}"
        said = [f"{document['endpoint']}: {c}", f"needs {', '.join(document['needs'])}; {document['origin']}"]
    if document.get("could_score"):
        said.append(document["could_score"]["told"])
    for sentence in said:
        yield from textwrap.wrap(sentence, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _at(aliases: list[str] | tuple[str, ...]) -> str:
    return "".join(f" @{alias}" for alias in aliases)
