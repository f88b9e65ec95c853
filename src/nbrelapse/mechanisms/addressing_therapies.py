"""The therapies that address what drives a patient's risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition
from nbrelapse.mechanisms.therapies import Therapy, _Requirement


@dataclass(frozen=True)
class AddressingTherapy:
    """A therapy that addresses a finding of one patient.

    Parameters
    ----------
    therapy : Therapy
    findings : tuple of str
        The raising features that are present and whose entries name it; never empty.
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
    """Return the therapies that a patient's findings name: those that raise the risk and are present.

    A statement of evidence, no recommendation: an agent that addresses a finding need not help the patient who has it.

    An agent is named by the entry of a finding, never by the mechanism as a whole: that TP53 is mutated is no reason to
    name what addresses an amplification of CDK4. The finding must be present. What is absent or not known names
    nothing, also where its contribution raises the predicted risk. Present is

    - a binary feature of 0.5 or more;
    - a count, fraction or rank above 0;
    - an expression score above that of a random gene of the same tumour (0.5 of a single gene, 0 of a signature or a
      difference), or below it where the catalogue expects the score to lower the risk and nothing else: low is then the
      finding;
    - no other measurement, for no value of it says by itself that something is there.

    Parameters
    ----------
    catalogue : Catalogue
    mechanism : str
    raising : sequence of str
        Features that raise the patient's risk; those of other mechanisms do not count.
    values : mapping of str to float
        All that is known of the patient, by feature, of every mechanism; NaN or absent is unknown.

    Returns
    -------
    list of AddressingTherapy
        In order of evidence, those that the patient's own features contradict after all others.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> values = {"p53__mdm2_amplification": 1.0, "p53__ccnd1_amplification": 0.0, "p53__tp53_mutation": 1.0}
    >>> raising = ["p53__mdm2_amplification", "p53__ccnd1_amplification"]
    >>> found = addressing_therapies(load_catalogue(), "p53", raising, values)
    >>> [(entry.therapy.name, entry.therapy.level, entry.requirement) for entry in found]
    [('MDM2 inhibitors (TP53 wild type)', 'preclinical', 'contradicted')]
    >>> found[0].note
    'Contradicted: it requires TP53 wild type, and the patient has: TP53 mutation.'
    """
    definitions = [catalogue.features[name] for name in raising]
    present = [one for one in definitions if one.mechanism == mechanism and _is_present(one, values)]
    known = catalogue.therapies
    found = []
    for agent in dict.fromkeys(agent for one in present for agent in one.therapies):
        findings = tuple(one.name for one in present if agent in one.therapies)
        requirement, note = _judged(known[agent].requires, values, catalogue)
        found.append(AddressingTherapy(known[agent], findings, requirement, note))
    return sorted(found, key=lambda entry: (entry.requirement == "contradicted", entry.therapy.rank))


def _is_present(definition: FeatureDefinition, values: Mapping[str, float]) -> bool:
    """Say whether a patient has a finding; what is not known is not there."""
    value = values.get(definition.name, float("nan"))
    if definition.kind == "binary":
        return _present(values, definition.name)
    if definition.kind == "score":
        middle = 0.5 if "gene" in definition.parameters else 0.0
        lowers = {sign for sign in definition.direction.values() if sign} == {-1}
        return value < middle if lowers else value > middle
    return definition.kind in ("count", "fraction", "ordinal") and value > 0


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
