"""``nbrelapse mechanisms``: what the catalogue knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nbrelapse.mechanisms.catalogue import Catalogue


def mechanisms(
    catalogue: Annotated[Path | None, typer.Option(help="A catalogue (TOML) that extends the packaged one.")] = None,
    mechanism: Annotated[list[str] | None, typer.Option(help="Only this mechanism; may be said again.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page in Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List every mechanism and feature: definition, assay, direction, evidence, source; and the therapies."""
    import json

    from nbrelapse.errors import InputError
    from nbrelapse.mechanisms import load_catalogue
    from nbrelapse.report.mechanism_page import mechanism_page

    if markdown and as_json:
        raise InputError("--markdown and --json are two forms of one answer", mend="say one of them")
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

    from nbrelapse.report.feature_facts import hazard_ratios

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

    from nbrelapse.report.feature_facts import feature_facts
    from nbrelapse.report.therapy_facts import NO_RECOMMENDATION, agents_in_words, therapy_facts

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
