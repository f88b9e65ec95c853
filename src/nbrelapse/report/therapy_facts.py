"""A therapy in words, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbrelapse.mechanisms.therapy import EVIDENCE_LEVELS, Therapy

NO_RECOMMENDATION = (
    "What was shown of each agent in patients with neuroblastoma, by the kind of evidence; that says not how well it "
    "worked. No recommendation."
)


def therapy_facts(therapy: Therapy) -> dict[str, str]:
    """Say of a therapy what it acts on, what was shown of it in whom, what it requires, and where that comes from.

    Parameters
    ----------
    therapy : Therapy

    Returns
    -------
    dict of str to str
        By label, in the order to be shown; what is not known is left out.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_therapies
    >>> facts = therapy_facts(load_therapies()["WEE1 inhibitors"])
    >>> facts["finding"]
    'Adavosertib with irinotecan: objective response in 3 of 20 patients with neuroblastoma.'
    >>> therapy_facts(Therapy("an agent that nobody has looked up"))
    {'evidence': 'not reviewed'}
    """
    reviewed = therapy.level != "not_reviewed"
    facts = {
        "acts on": therapy.target,
        "evidence": f"{therapy.level_title}: {EVIDENCE_LEVELS[therapy.level]}" if reviewed else therapy.level_title,
        "population": therapy.population,
        "finding": therapy.finding,
        "requires": "" if therapy.requires is None else therapy.requires.text,
        "source": therapy.source,
    }
    return {label: text for label, text in facts.items() if text}


def agents_in_words(agents: Sequence[str], therapies: Mapping[str, Therapy]) -> str:
    """Name agents with their level of evidence, in its order.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_therapies
    >>> agents_in_words(["lorlatinib", "crizotinib", "another"], load_therapies())
    'crizotinib (single arm), lorlatinib (early), another (not reviewed)'
    """
    found = sorted((therapies.get(agent, Therapy(agent)) for agent in agents), key=lambda therapy: therapy.rank)
    return ", ".join(f"{therapy.name} ({therapy.level_title})" for therapy in found)
