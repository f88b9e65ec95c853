"""The therapies that address what drives a patient's risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.mechanisms.therapies import Therapy, _Requirement


@dataclass(frozen=True)
class AddressingTherapy:
    """A therapy that addresses a mechanism, seen from one patient.

    Parameters
    ----------
    therapy : Therapy
    findings : tuple of str
        The raising features whose entries name it; empty where only the mechanism as a whole does.
    requirement : {"none", "supported", "contradicted", "unknown"}
        What the patient's features say of what it requires.
    note : str
        The same in words; empty where it requires nothing. To be shown wherever the therapy is.
    """

    therapy: Therapy
    findings: tuple[str, ...]
    requirement: str
    note: str


def addressing_therapies(
    catalogue: Catalogue, mechanism: str, raising: Sequence[str], values: Mapping[str, float]
) -> list[AddressingTherapy]:
    """Return the therapies that a mechanism and the findings that raise the risk through it name.

    A statement of evidence, no recommendation: an agent that addresses a finding need not help the patient who has it.

    Parameters
    ----------
    catalogue : Catalogue
    mechanism : str
    raising : sequence of str
        Features of the mechanism that raise the patient's risk.
    values : mapping of str to float
        All that is known of the patient, by feature, of every mechanism; NaN or absent is unknown.

    Returns
    -------
    list of AddressingTherapy
        In order of evidence, those that the patient's own features contradict after all others.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> values = {"p53__mdm2_amplification": 1.0, "p53__tp53_mutation": 1.0}
    >>> found = addressing_therapies(load_catalogue(), "p53", ["p53__mdm2_amplification"], values)
    >>> [(entry.therapy.name, entry.therapy.level, entry.requirement) for entry in found]
    [('CDK4/6 inhibitors', 'early', 'unknown'), ('MDM2 inhibitors (TP53 wild type)', 'preclinical', 'contradicted')]
    >>> found[1].note
    'Contradicted: it requires TP53 wild type, and the patient has: TP53 mutation.'
    """
    naming = {name: catalogue.features[name].therapies for name in raising}
    agents = dict.fromkeys(
        [*catalogue.mechanisms[mechanism].therapies, *(a for named in naming.values() for a in named)]
    )
    known = catalogue.therapies
    found = []
    for agent in agents:
        findings = tuple(name for name, named in naming.items() if agent in named)
        requirement, note = _judged(known[agent].requires, values, catalogue)
        found.append(AddressingTherapy(known[agent], findings, requirement, note))
    return sorted(found, key=lambda entry: (entry.requirement == "contradicted", entry.therapy.rank))


def _judged(requires: _Requirement | None, values: Mapping[str, float], catalogue: Catalogue) -> tuple[str, str]:
    """Say whether the patient's features support or contradict a requirement, and why."""
    if requires is None:
        return "none", ""
    excluding = [name for name in requires.none_of if _present(values, name)]
    enabling = [name for name in requires.any_of if _present(values, name)]
    if excluding:
        has = _titles(excluding, catalogue)
        return "contradicted", f"Contradicted: it requires {requires.text}, and the patient has: {has}."
    if requires.any_of and all(_absent(values, name) for name in requires.any_of):
        lacks = _titles(requires.any_of, catalogue)
        return "contradicted", f"Contradicted: it requires {requires.text}, and the patient has none of: {lacks}."
    settled = [bool(enabling)] if requires.any_of else []
    settled += [_absent(values, name) for name in requires.none_of]
    if settled and all(settled):
        seen = f"found: {_titles(enabling, catalogue)}"
        if not enabling:
            seen = f"not found: {_titles(requires.none_of, catalogue)}"
        return "supported", f"It requires {requires.text} ({seen})."
    return "unknown", f"It requires {requires.text}, which is not known of this patient."


def _present(values: Mapping[str, float], name: str) -> bool:
    return values.get(name, float("nan")) >= 0.5


def _absent(values: Mapping[str, float], name: str) -> bool:
    return values.get(name, float("nan")) < 0.5


def _titles(names: Sequence[str], catalogue: Catalogue) -> str:
    return ", ".join(catalogue.features[name].title if name in catalogue.features else name for name in names)
