"""The catalogue as a page of the documentation."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition, Mechanism
from nbrelapse.mechanisms.therapies import EVIDENCE_LEVELS, Therapy
from nbrelapse.report.facts import NO_RECOMMENDATION, agents_in_words, assay_title, feature_facts, therapy_facts

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s,;]+[^\s,;.)]")


def mechanism_page(catalogue: Catalogue) -> str:
    """Write every mechanism, feature and therapy as Markdown.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    str
        The same text for the same catalogue; DOIs are links.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> page = mechanism_page(load_catalogue().subset(["alk__hotspot_mutation"]))
    >>> [line for line in page.splitlines() if line.startswith("#")]
    ['# Mechanisms', '## ALK', '### ALK kinase hotspot mutation', '## Therapies', '### crizotinib', '### lorlatinib']
    """
    members: dict[str, list[FeatureDefinition]] = {name: [] for name in catalogue.mechanisms}
    for definition in catalogue.features.values():
        members[definition.mechanism].append(definition)
    lines = [
        "# Mechanisms",
        "",
        "Made by `nbrelapse mechanisms --markdown > docs/mechanisms.md`: change the catalogue in",
        "`src/nbrelapse/mechanisms`, not this page. The same on the terminal: `nbrelapse mechanisms --mechanism alk`.",
        "How to add features of one's own: [extending.md](extending.md).",
        "",
        f"Catalogue version {catalogue.version}, {len(catalogue.features)} features. "
        "What was not assayed is missing, never 0.",
        "",
        "| mechanism | features | read from |",
        "|---|---|---|",
        *(_overview(mechanism, members[name]) for name, mechanism in catalogue.mechanisms.items()),
        "",
    ]
    therapies = catalogue.therapies
    if therapies:
        lines += ["What was shown of the agents that are named: [therapies](#therapies).", ""]
    for name, mechanism in catalogue.mechanisms.items():
        lines += _mechanism(mechanism, therapies)
        for definition in members[name]:
            lines += _feature(definition, therapies)
    if therapies:
        lines += _therapies(therapies)
    return "\n".join(lines).rstrip() + "\n"


def _overview(mechanism: Mechanism, definitions: list[FeatureDefinition]) -> str:
    assays = dict.fromkeys(assay_title(definition.assay) for definition in definitions)
    anchor = re.sub(r"[^a-z0-9 _-]", "", mechanism.title.lower()).replace(" ", "-")
    return f"| [{mechanism.title}](#{anchor}) | {len(definitions)} | {', '.join(assays)} |"


def _mechanism(mechanism: Mechanism, therapies: Mapping[str, Therapy]) -> list[str]:
    facts = {"therapies": agents_in_words(mechanism.therapies, therapies), "source": mechanism.reference}
    return [f"## {mechanism.title}", "", mechanism.description, "", *_facts(facts)]


def _feature(definition: FeatureDefinition, therapies: Mapping[str, Therapy]) -> list[str]:
    facts = {"name": f"`{definition.name}`", **feature_facts(definition, therapies)}
    facts["builder"] = facts["builder"].replace("\n", "; ")
    return [f"### {definition.title}", "", _linked(_escaped(definition.definition)), "", *_facts(facts)]


def _therapies(therapies: Mapping[str, Therapy]) -> list[str]:
    lines = ["## Therapies", "", NO_RECOMMENDATION, "", "| evidence | meaning |", "|---|---|"]
    lines += [f"| {level.replace('_', ' ')} | {meaning} |" for level, meaning in EVIDENCE_LEVELS.items()]
    lines.append("")
    for therapy in therapies.values():
        facts = therapy_facts(therapy) | {"evidence": therapy.level_title}
        lines += [f"### {_escaped(therapy.name)}", "", *_facts(facts)]
    return lines


def _facts(facts: dict[str, str]) -> list[str]:
    lines = [
        f"- {label}: {text if label == 'name' else _linked(_escaped(text))}" for label, text in facts.items() if text
    ]
    return [*lines, ""] if lines else []


def _escaped(text: str) -> str:
    return re.sub(r"([*<\[\]|])", r"\\\1", text)


def _linked(text: str) -> str:
    return _DOI.sub(
        lambda found: f"[{found[0]}](https://doi.org/{found[0].replace('(', '%28').replace(')', '%29')})", text
    )
