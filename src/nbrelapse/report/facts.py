"""Features, therapies, coverage and explanations as rows of text, for the terminal and for pages."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import ASSAYS, Cohort
from nbrelapse.cohort.layers import layer_assay
from nbrelapse.explanation.checks import direction_agreement
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.addressing_therapies import AddressingTherapy, addressing_therapies
from nbrelapse.mechanisms.build import COMBINATION
from nbrelapse.mechanisms.catalogue import Catalogue, FeatureDefinition
from nbrelapse.mechanisms.catalogue_rules import ENDPOINTS
from nbrelapse.mechanisms.feature_table import FeatureTable
from nbrelapse.mechanisms.layers import layers_read
from nbrelapse.mechanisms.therapies import EVIDENCE_LEVELS, Therapy, load_therapies
from nbrelapse.report.sentences import ProbabilityImportance, _established_sentence
from nbrelapse.report.wording import _feature_value, _number, _signed

_VERBS = {1: "raises", -1: "lowers"}


def feature_facts(definition: FeatureDefinition, therapies: Mapping[str, Therapy] | None = None) -> dict[str, str]:
    """Say of a feature how it is read, what is expected of it, and where that comes from.

    Parameters
    ----------
    definition : FeatureDefinition
    therapies : mapping of str to Therapy, optional
        ``Catalogue.therapies``; the packaged ones by default.

    Returns
    -------
    dict of str to str
        By label, in the order to be shown; what the entry does not say is left out. The builder's parameters stand on
        a line each.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> facts = feature_facts(load_catalogue().features["mycn__amplified"])
    >>> facts["direction"]
    'raises relapse, lowers refractory'
    >>> facts["evidence"]
    'hazard ratio 2.6 (relapse), 6.3 (os), not adjusted; 10.1200/JCO.21.00278, 10.1002/pbc.27819'
    """
    comparison = "" if definition.role != "baseline" else "; for comparison, models do not read it"
    assay = "combined from other features" if definition.builder == COMBINATION else assay_in_words(definition.assay)
    facts = {
        "assay": f"{assay}, {definition.kind}{comparison}",
        "builder": "\n".join([definition.builder, *_parameters(definition.parameters)]),
        "direction": _direction(definition.direction),
        "evidence": _evidence(definition.log_hazard_prior),
        "therapies": agents_in_words(definition.therapies, load_therapies() if therapies is None else therapies),
        "source": definition.reference,
    }
    return {label: text for label, text in facts.items() if text}


def assay_title(assay: str) -> str:
    """Return an assay's display name.

    Examples
    --------
    >>> assay_title("copy_number"), assay_title("fish"), assay_title("layer:gene_sets")
    ('Copy number', 'FISH', 'Layer gene sets')
    """
    titles = {"fish": "FISH", "any": "Any assay"}
    return titles.get(assay, assay.replace("_", " ").replace(":", " ").capitalize())


def hazard_ratios(prior: Mapping[str, Any]) -> dict[str, float]:
    """Return the hazard ratios of an entry by endpoint.

    Examples
    --------
    >>> hazard_ratios({"os": 0.0, "source": "a paper", "adjusted": True})
    {'os': 1.0}
    """
    return {endpoint: math.exp(prior[endpoint]) for endpoint in ENDPOINTS if endpoint in prior}


def assay_in_words(assay: str) -> str:
    """Return an assay as it stands within a sentence.

    Examples
    --------
    >>> assay_in_words("copy_number"), assay_in_words("fish")
    ('copy number', 'FISH')
    """
    title = assay_title(assay)
    return title if title.isupper() else title.lower()


def _parameters(parameters: Mapping[str, Any]) -> list[str]:
    """Return a line a parameter, and one an item where a list holds tables."""
    lines = []
    for key, value in parameters.items():
        nested = isinstance(value, list) and any(isinstance(item, dict) for item in value)
        lines += [f"{key.replace('_', ' ')}: {_words(item)}" for item in (value if nested else [value])]
    return lines


def _words(value: Any) -> str:
    """Write a value of TOML without its punctuation."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        nested = any(isinstance(item, (list, dict)) for item in value)
        return (" | " if nested else ", ").join(map(_words, value))
    if isinstance(value, dict):
        nested = any(isinstance(item, (list, dict)) for item in value.values())
        return ("; " if nested else ", ").join(_pair(key.replace("_", " "), item) for key, item in value.items())
    return str(value)


def _pair(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{key} ({_words(value)})"
    return f"{key} {_words(value)}" if isinstance(value, list) else f"{key} = {_words(value)}"


def _direction(direction: Mapping[str, int]) -> str:
    said = [f"{_VERBS[sign]} {endpoint}" for endpoint, sign in direction.items() if sign]
    return ", ".join(said) or "no expectation"


def _evidence(prior: Mapping[str, Any]) -> str:
    if not prior:
        return ""
    # Two digits, for the catalogue keeps two digits of the logarithm.
    ratios = ", ".join(f"{ratio:.2g} ({endpoint})" for endpoint, ratio in hazard_ratios(prior).items())
    return f"hazard ratio {ratios}, {'adjusted' if prior['adjusted'] else 'not adjusted'}; {prior['source']}"


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


_DRIVES = 0.05
"""Smallest contribution to the log risk (a hazard or odds ratio of 1.05) that is called driving. A choice."""


def _driving_mechanisms(
    explanation: Explanation, patient: str, catalogue: Catalogue, known: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Return the mechanisms whose measured features raise a patient's risk, with findings and therapies.

    Parameters
    ----------
    explanation : Explanation
        Of the log risk.
    patient : str
    catalogue : Catalogue
    known : mapping of str to float, optional
        Further features of the patient, for what a therapy requires of them; the model's own reading goes first.

    Returns
    -------
    list of dict
        ``name``, ``title``, ``color``, ``contribution``, ``findings`` (measured features that raise the risk, with
        their values) and ``therapies`` (a dict each; see :func:`nbrelapse.mechanisms.addressing_therapies`), the
        largest contribution first.
    """
    row = explanation.features.index.get_loc(patient)
    assert isinstance(row, int)
    values = explanation.values.iloc[row]
    contributions = explanation.features.iloc[row].where(values.notna().to_numpy(), 0.0)
    observed = contributions.groupby(explanation.mechanism_of, sort=False).sum().sort_values(ascending=False)
    drivers = []
    for name, value in observed[observed >= _DRIVES].items():
        mechanism = catalogue.mechanisms[str(name)]
        own = contributions[(explanation.mechanism_of == name).to_numpy()]
        raising = [str(feature) for feature in own[own >= _DRIVES / 5].sort_values(ascending=False).index]
        found = addressing_therapies(catalogue, str(name), raising, {**(known or {}), **values})
        features = [catalogue.features[feature] for feature in raising]
        drivers.append(
            {
                "name": str(name),
                "title": mechanism.title,
                "color": mechanism.color,
                "contribution": _signed(float(value)),
                "findings": [f"{one.title}: {_feature_value(one.kind, values[one.name])}" for one in features],
                "therapies": [_therapy(entry, catalogue) for entry in found],
            }
        )
    return drivers


def _therapy(entry: AddressingTherapy, catalogue: Catalogue) -> dict[str, Any]:
    therapy = entry.therapy
    return {
        "name": therapy.name,
        "level": therapy.level_title,
        "population": therapy.population,
        "finding": therapy.finding,
        "source": therapy.source,
        "addresses": [catalogue.features[name].title for name in entry.findings],
        "note": entry.note,
        "contradicted": entry.requirement == "contradicted",
    }


_ANY = "any"
_COMBINED = "combined"
_COUNTS = ["known", "not_known", "not_assayed"]


def coverage_table(table: FeatureTable) -> pd.DataFrame:
    """Share of patients with a value, feature by feature.

    Parameters
    ----------
    table : FeatureTable

    Returns
    -------
    DataFrame
        Index ``feature``: ``mechanism``, ``title``, ``assay`` and ``observed`` (0 to 1).
    """
    definitions = [table.catalogue.features[name] for name in table.values.columns]
    return pd.DataFrame(
        {
            "mechanism": [definition.mechanism for definition in definitions],
            "title": [definition.title for definition in definitions],
            "assay": [definition.assay for definition in definitions],
            "observed": table.values.notna().mean().to_numpy(),
        },
        index=pd.Index(table.values.columns, name="feature"),
    )


def feature_patients(cohort: Cohort, table: FeatureTable) -> pd.DataFrame:
    """Count the patients that were looked at, feature by feature.

    Parameters
    ----------
    cohort : Cohort
    table : FeatureTable
        Of this cohort.

    Returns
    -------
    DataFrame
        Index ``feature``; ``mechanism``; ``assay``, or ``combined`` of a feature that combines others; and three
        counts that add up to the patients: ``known`` have a value; ``not_known`` have a diagnosis sample that was
        assayed, but no value (a gene outside the panel, a copy-number profile whose scale cannot be told, too few
        genes of a signature); ``not_assayed`` have no such sample. Samples taken at relapse or at another time do not
        count. What the patients' table does not record counts as not assayed.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> cohort = Cohort(
    ...     "three",
    ...     pd.DataFrame({"patient_id": ["p1", "p2", "p3"]}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "patient_id": ["p1", "p2"], "timepoint": "diagnosis"}),
    ...     pd.DataFrame({"sample_id": ["s1", "s2"], "assay": "mutations"}),
    ... )
    >>> values = pd.DataFrame({"p53__tp53_mutation": [0.0, None, None]}, index=cohort.patient_ids)
    >>> feature_patients(cohort, FeatureTable(values, load_catalogue())).iloc[0].to_dict()
    {'mechanism': 'p53', 'assay': 'mutations', 'known': 1, 'not_known': 1, 'not_assayed': 1}
    """
    assayed, rows, looked_at = _assayed(cohort, table), [], {}
    for name, known in zip(table.values.columns, table.values.notna().to_numpy().T, strict=True):
        definition = table.catalogue.features[name]
        assay = _COMBINED if definition.builder == COMBINATION else definition.assay
        read = tuple(_assays_read(table.catalogue, definition))
        if read not in looked_at:
            looked_at[read] = assayed[list(read)].any(axis=1).to_numpy()
        rows.append((name, definition.mechanism, assay, *_counts(known, looked_at[read])))
    return pd.DataFrame(rows, columns=["feature", "mechanism", "assay", *_COUNTS]).set_index("feature")


def mechanism_patients(cohort: Cohort, table: FeatureTable) -> pd.DataFrame:
    """Count the patients that were looked at, by mechanism and assay.

    Parameters
    ----------
    cohort : Cohort
    table : FeatureTable
        Of this cohort.

    Returns
    -------
    DataFrame
        A row a mechanism and assay that its features are read from, and one a mechanism with the assay ``any``, in the
        catalogue's order: ``mechanism``; ``assay``, categories in the order to be shown; ``known``, ``not_known`` and
        ``not_assayed`` as in :func:`feature_patients`, of the features together: a patient with a value of one of them
        is known. Features that combine others do not count, for those that they combine do.
    """
    definitions = [table.catalogue.features[name] for name in table.values.columns]
    facts = pd.DataFrame(
        [(one.mechanism, one.assay) for one in definitions], index=table.values.columns, columns=["mechanism", "assay"]
    )
    facts = facts[[one.builder != COMBINATION for one in definitions]]
    known, assayed = table.values.notna(), _assayed(cohort, table)
    shown = [assay for assay in assayed.columns if assay in set(facts["assay"])]
    rows = []
    for mechanism, own in facts.groupby("mechanism", sort=False):
        ways = {assay: [assay] for assay in shown if (own["assay"] == assay).any()}
        for name, assays in {_ANY: list(ways), **ways}.items():
            features = own.index[own["assay"].isin(assays)]
            counts = _counts(known[features].any(axis=1).to_numpy(), assayed[assays].any(axis=1).to_numpy())
            rows.append((mechanism, name, *counts))
    patients = pd.DataFrame(rows, columns=["mechanism", "assay", *_COUNTS])
    return patients.astype({"assay": pd.CategoricalDtype([_ANY, *shown], ordered=True)})


def _assays_read(catalogue: Catalogue, definition: FeatureDefinition, seen: Collection[str] = ()) -> list[str]:
    """Return the assays of a feature, or of those that it combines: where some of them were seen, of these."""
    if definition.builder != COMBINATION:
        return [definition.assay]
    read = [one for one in catalogue.subset([definition.name]).features.values() if one.builder != COMBINATION]
    return list({entry.assay: None for entry in [one for one in read if one.name in seen] or read})


_CLINICAL_ASSAYS = {"clinical", "fish"}
"""What is known of every patient in the clinic: age, stage, and MYCN by FISH."""


def reads_molecules(catalogue: Catalogue, definition: FeatureDefinition) -> bool:
    """Say whether a feature, or one that it combines, comes from more than the clinic and FISH.

    Examples
    --------
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> packaged = load_catalogue()
    >>> [reads_molecules(packaged, packaged.features[name]) for name in ("mycn__amplified", "p53__tp53_mutation")]
    [False, True]
    """
    return not _CLINICAL_ASSAYS.issuperset(_assays_read(catalogue, definition))


def _assayed(cohort: Cohort, table: FeatureTable) -> pd.DataFrame:
    """Return which patients (rows) have a diagnosis sample that was assayed, by assay; a table's layers at the end."""
    patients = cohort.patient_ids
    assays = (*ASSAYS, *map(layer_assay, layers_read(table.catalogue)))
    # An index finds 200,000 identifiers ten times faster than isin does.
    return pd.DataFrame(
        {assay: cohort.assayed_samples(assay).index.get_indexer(patients) >= 0 for assay in assays}, index=patients
    )


def _counts(known: np.ndarray, assayed: np.ndarray) -> tuple[int, int, int]:
    return int(known.sum()), int((assayed & ~known).sum()), int((~assayed & ~known).sum())


_TOO_FEW = "too few patients"


def _cooccurrence_rows(cooccurrence: pd.DataFrame, catalogue: Catalogue) -> list[dict[str, str]]:
    """Write every pair of mechanisms with its counts and its ratio, the largest ratios first, those of too few last.

    Parameters
    ----------
    cooccurrence : DataFrame
        From :func:`nbrelapse.explanation.explanation.mechanism_cooccurrence`.
    catalogue : Catalogue

    Returns
    -------
    list of dict
        ``first`` and ``second`` (titles), ``assayed``, ``both``, ``expected``, ``ratio`` and ``interval``.
    """
    size = cooccurrence["log_odds_ratio"].abs().where(cooccurrence["enough"])
    order = size.sort_values(ascending=False, kind="stable", na_position="last").index
    return [
        {
            "first": catalogue.mechanisms[row["first"]].title,
            "second": catalogue.mechanisms[row["second"]].title,
            "assayed": f"{row['assayed']:,}",
            "both": f"{row['both']:,}",
            "expected": "–" if pd.isna(row["expected"]) else f"{row['expected']:,.1f}",
            "ratio": _signed(row["log_odds_ratio"]) if row["enough"] else _TOO_FEW,
            "interval": f"{_signed(row['low'])} to {_signed(row['high'])}" if row["enough"] else "",
        }
        for row in cooccurrence.loc[order].to_dict("records")
    ]


def _game_rows(difference: pd.DataFrame | None, catalogue: Catalogue) -> list[dict[str, str]]:
    """Lay out a comparison of sums with the mechanisms' own game; nothing where there is none.

    Parameters
    ----------
    difference : DataFrame or None
        From :func:`nbrelapse.explanation.checks`.
    catalogue : Catalogue

    Returns
    -------
    list of dict
        ``title``, ``color``, ``sum``, ``game``, ``difference`` and ``spearman``, the largest mechanism first.
    """
    if difference is None:
        return []
    table = difference.sort_values("importance", ascending=False, kind="stable")
    return [
        {
            "title": catalogue.mechanisms[str(name)].title,
            "color": catalogue.mechanisms[str(name)].color,
            "sum": _number(row["importance"]),
            "game": _number(row["importance_grouped"]),
            "difference": _number(row["mean_absolute_difference"]),
            "spearman": "–" if pd.isna(row["spearman"]) else _number(row["spearman"]),
        }
        for name, row in table.iterrows()
    ]


_DIRECTIONS = {1: "raises the risk", -1: "lowers the risk", 0: "no effect"}


def _mechanism_rows(
    explanation: Explanation,
    catalogue: Catalogue,
    stability: Stability | None = None,
    probability: ProbabilityImportance | None = None,
) -> list[dict[str, str]]:
    """Mechanisms in falling order of importance, with what was read of them and what refits make of them.

    ``ratio`` is what a contribution of the mean size multiplies the hazard or the odds by.
    """
    missing = dict(explanation.not_assayed_share())
    refitted = {} if stability is None else stability.mechanisms.to_dict("index")
    rows = []
    for name, value in explanation.mechanism_importance().items():
        mechanism = catalogue.mechanisms[str(name)]
        rows.append(
            {
                "title": mechanism.title,
                "color": mechanism.color,
                "importance": f"{value:.3f}",
                "ratio": f"{math.exp(value):.2f}",
                "missing": f"{missing[name]:.0%}",
            }
            | _read_of(explanation, catalogue, str(name))
            | (_over_refits(refitted[name]) if name in refitted else {})
            | ({} if probability is None else {"points": probability.points(str(name))})
        )
    return rows


_NAMED = 5
"""Features named of a mechanism; the others are counted. A choice."""


def _read_of(explanation: Explanation, catalogue: Catalogue, mechanism: str) -> dict[str, str]:
    """Say what an explanation saw of a mechanism: the catalogue's description would tell of what was not looked at.

    Returns
    -------
    dict of str to str
        ``assays`` and ``counted`` of the features that somebody has a value of, ``unread`` (assays that the model reads
        and that gave nobody a value), and ``description``: the features by title, those that contribute most first.
    """
    own = explanation.mechanism_of.index[explanation.mechanism_of == mechanism]
    seen = own[explanation.values[own].notna().any()]
    assays, unread = (
        dict.fromkeys(
            assay_in_words(assay) for name in names for assay in _assays_read(catalogue, catalogue.features[name], seen)
        )
        for names in (seen, own.difference(seen, sort=False))
    )
    size = explanation.features[seen].abs().mean().sort_values(ascending=False, kind="stable")
    titles = [catalogue.features[str(name)].title for name in size.index]
    titles, more = titles[:_NAMED], len(titles) - _NAMED
    described = "; ".join(titles) + (f"; and {more} more" if more > 0 else "")
    counted = f"{len(seen)} of {len(own)}" if len(seen) < len(own) else f"{len(own)}"
    return {
        "assays": ", ".join(assays) or "nothing",
        "counted": f"{counted} feature{'s' * (len(own) != 1)}",
        "unread": ", ".join(assay for assay in unread if assay not in assays),
        "description": f"{described}." if described else "Nobody has a value of any of its features.",
    }


def _over_refits(row: dict[Hashable, Any]) -> dict[str, str]:
    return {
        "interval": f"{row['low']:.3f} to {row['high']:.3f}",
        "rank": str(row["rank"]),
        "ranks": f"{row['rank_low']} to {row['rank_high']}",
        "first_three": f"{row['first_three']:.0%}",
        "status": row["status"],
    }


def disagreements(
    explanation: Explanation, catalogue: Catalogue, endpoint: str, stability: Stability | None = None
) -> dict[str, Any]:
    """How many features push the risk as expected, which do not, and how many refits say the same."""
    refitted = stability is not None
    table = direction_agreement(explanation, catalogue, endpoint) if stability is None else stability.features
    judged = table.dropna(subset=["agrees"])
    forced = len(explanation.constrained & set(explanation.features.columns))
    constrained = f" {forced} features were constrained to the expected direction in training and say nothing here."
    if judged.empty:
        sentence = "No feature was free to go with or against a direction expected from the literature."
        return {"sentence": sentence + (constrained if forced else ""), "rows": [], "refits": refitted}
    against = judged[~judged["agrees"].astype(bool)]
    sentence = (
        f"{len(judged) - len(against)} of {len(judged)} features with a direction expected from the literature push "
        "the risk that way"
    )
    sentence += "." if against.empty else "; these do not: a correlated feature may carry their effect, or chance."
    sentence += "" if stability is None else _established_sentence(judged)
    sentence = sentence if not forced else constrained.strip() + " Of the others, " + sentence
    rows = [
        {
            "title": catalogue.features[row["feature"]].title,
            "mechanism": catalogue.mechanisms[row["mechanism"]].title,
            "expected": _DIRECTIONS[row["expected"]],
            "found": _DIRECTIONS[row["found"]],
            "importance": f"{row['importance']:.3f}",
        }
        | ({"same_sign": f"{row['same_sign']:.0%}", "status": row["status"]} if refitted else {})
        for row in against.reset_index().to_dict("records")
    ]
    return {"sentence": sentence, "rows": rows, "refits": refitted}


def _coverage_rows(coverage: pd.DataFrame, catalogue: Catalogue) -> list[dict[str, str]]:
    """Every feature with the share of patients in whom it is known."""
    return [
        {
            "title": row["title"],
            "mechanism": catalogue.mechanisms[row["mechanism"]].title,
            "assay": assay_in_words(row["assay"]),
            "observed": f"{row['observed']:.0%}",
        }
        for row in coverage.to_dict("records")
    ]
