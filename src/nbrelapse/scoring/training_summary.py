"""What a saved model says of the patients it was trained on: numbers of them all, never of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.mechanisms.layers import layers_read
from nbrelapse.outcome import Outcome, outcome_fingerprint, summarize_outcome
from nbrelapse.scoring._training import _marks_of, _risk_groups

_SIMULATED = "simulated"


def is_simulated(cohort: Cohort) -> bool:
    """Say whether a cohort holds simulated patients, also where it was written, imported and renamed since.

    Examples
    --------
    >>> from nbrelapse.simulation import simulate_cohort
    >>> is_simulated(simulate_cohort(20, seed=1))
    True
    """
    source = cohort.metadata.get("source", {})
    sources = [source, *(part.get("source", {}) for part in source.get("cohorts", []))]  # those that were merged
    names = [cohort.name, *(known.get("study") for known in sources)]
    named = _SIMULATED in names or any(known.get("reader") == "simulation" for known in sources)
    return named or (len(cohort.patient_ids) > 0 and bool(cohort.patient_ids.str.fullmatch(r"SIM-\d{6}").all()))


@dataclass(frozen=True)
class ClinicalGroup:
    """Observed course of a clinical group of training patients.

    Parameters
    ----------
    grouping : str
        ``high_risk`` or a clinical baseline.
    level : int
        Of the group in its grouping; higher is worse.
    patients, events : int
    course : mapping of str to sequence of float
        ``days``, ``incidence``, ``low`` and ``high``.
    """

    grouping: str
    level: int
    patients: int
    events: int
    course: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class NearPatients:
    """Outcome of the training patients whose cross-validated predictions are the nearest to a probability.

    Parameters
    ----------
    probability : float
        Of the event.
    low, high : float
        Range of their predictions.
    patients, events : int
    observed : sequence of mapping
        ``years`` (None for a binary endpoint), ``incidence``, ``low`` and ``high``, one a horizon.
    """

    probability: float
    low: float
    high: float
    patients: int
    events: int
    observed: Sequence[Mapping[str, float | None]]


@dataclass(frozen=True)
class SimilarOutcomes:
    """Outcomes of training patients by predicted probability.

    Parameters
    ----------
    horizon_days : float or None
        Of the predictions; None for a binary endpoint.
    points : tuple of NearPatients
        By rising probability; empty where there were too few patients.
    """

    horizon_days: float | None
    points: tuple[NearPatients, ...]


@dataclass(frozen=True)
class ObservedOutcomes:
    """What became of the training patients: counts and curves of groups.

    Parameters
    ----------
    clinical_groups : tuple of ClinicalGroup
        Empty for a binary endpoint.
    similar : SimilarOutcomes
    """

    clinical_groups: tuple[ClinicalGroup, ...]
    similar: SimilarOutcomes

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ObservedOutcomes:
        """Read what ``dataclasses.asdict`` writes."""
        similar = document["similar"]
        return cls(
            tuple(ClinicalGroup(**group) for group in document["clinical_groups"]),
            SimilarOutcomes(similar["horizon_days"], tuple(NearPatients(**point) for point in similar["points"])),
        )


@dataclass(frozen=True)
class LayerSummary:
    """A layer of the training patients, in numbers of them all.

    Parameters
    ----------
    unit : str
    rows : int
    low, high : float
        Between which 98 % of all its values lie.
    """

    unit: str
    rows: int
    low: float
    high: float

    @classmethod
    def of(cls, cohort: Cohort, name: str) -> LayerSummary:
        """Summarise a layer of a cohort."""
        layer = cohort.layers[name]
        low, high = np.nanquantile(layer.to_numpy(), [0.01, 0.99])
        return cls(str(cohort.metadata["layers"][name]["unit"]), len(layer), float(low), float(high))


@dataclass(frozen=True)
class TrainingSummary:
    """Summary of a model's training patients. None: not recorded, which older versions did of less.

    Parameters
    ----------
    experiment, cohort : str, optional
        Their names.
    patients, high_risk : int, optional
        Numbers of patients.
    outcome : mapping, optional
        See :func:`nbrelapse.outcome`.
    unspecified, progressive : str, optional
        Rules of the endpoint, see :func:`nbrelapse.outcome`; its defaults where nothing was recorded.
    landmark_days : float, optional
        Days from diagnosis that horizons count from.
    outcome_fingerprint : str, optional
        See :func:`nbrelapse.outcome.outcome_fingerprint`.
    expression_genes : int, optional
        Genes whose expression was measured.
    layers : mapping of str to LayerSummary, optional
        The layers that the features were read from.
    observed : ObservedOutcomes, optional
    validated : bool, optional
        False: the model was saved without any validation. None: the model card says how it did.
    where : str, optional
        How they were chosen from the patients of the study, see :attr:`nbrelapse.cohort.Cohort.where`.
    study : str, optional
        The study that the cohort was read from, which stays where the cohort is renamed.
    simulated : bool, optional
        Whether the patients were simulated.
    groups : mapping of str to int, optional
        Patients by risk group (``low``, ``intermediate``, ``high``, ``not high``), where it is known: as recorded, else
        by COG v2, else by INRG.
    marks : mapping, optional
        What training patients are recognised by in an evaluated cohort, as long as they are many.

    Examples
    --------
    >>> summary = TrainingSummary.from_dict({"patients": 2, "outcome": {"events": {"event": 1, "censored": 1}}})
    >>> summary.patients, summary.events
    (2, 1)
    >>> TrainingSummary(cohort="simulated", patients=2, expression_genes=600).to_dict()
    {'cohort': 'simulated', 'patients': 2, 'expression_genes': 600}
    """

    experiment: str | None = None
    cohort: str | None = None
    patients: int | None = None
    high_risk: int | None = None
    outcome: Mapping[str, Any] | None = None
    unspecified: str | None = None
    landmark_days: float | None = None
    progressive: str | None = None
    outcome_fingerprint: str | None = None
    expression_genes: int | None = None
    layers: Mapping[str, LayerSummary] | None = None
    observed: ObservedOutcomes | None = None
    validated: bool | None = None
    where: str | None = None
    study: str | None = None
    simulated: bool | None = None
    groups: Mapping[str, int] | None = None
    marks: Mapping[str, Any] | None = None

    @property
    def events(self) -> int | None:
        """Training patients with the event; None where the outcome was not recorded."""
        counts: Mapping[str, int] = {} if self.outcome is None else self.outcome["events"]
        return counts.get("event", counts.get("refractory"))

    @property
    def of_simulated(self) -> bool:
        """Whether the patients were simulated; models of earlier versions are known by their cohort's name."""
        return self.cohort == _SIMULATED if self.simulated is None else self.simulated

    @classmethod
    def of(
        cls, cohort: Cohort | None, outcome: Outcome, catalogue: Catalogue | None = None, **more: Any
    ) -> TrainingSummary:
        """Summarise training patients.

        Parameters
        ----------
        cohort : Cohort or None
            None where only features and an outcome are known: then nothing is recorded that a cohort tells.
        outcome : Outcome
            Of the training patients.
        catalogue : Catalogue, optional
            Of their features: of the layers that these are read from, a summary is kept.
        **more
            Further fields.

        Examples
        --------
        >>> from nbrelapse.outcome import make_outcome
        >>> from nbrelapse.simulation import simulate_cohort
        >>> cohort = simulate_cohort(60, seed=1)
        >>> summary = TrainingSummary.of(cohort, make_outcome(cohort, "efs"), experiment="mine")
        >>> summary.patients, summary.simulated, sum(summary.groups.values())
        (60, True, 60)
        """
        told: dict[str, Any] = {
            "patients": len(outcome.y),
            "outcome": summarize_outcome(outcome),
            "outcome_fingerprint": outcome_fingerprint(outcome),
        }
        if cohort is not None:
            groups = _risk_groups(cohort).loc[outcome.patient_ids].value_counts()
            told |= {
                "cohort": cohort.name,
                "where": cohort.where,
                "study": cohort.metadata.get("source", {}).get("study"),
                "simulated": is_simulated(cohort),
                "groups": {str(name): int(number) for name, number in groups.sort_index().items()},
                "marks": _marks_of(cohort, outcome.patient_ids),
                "expression_genes": None if cohort.expression is None else len(cohort.expression),
            }
            read = [] if catalogue is None else [name for name in layers_read(catalogue) if name in cohort.layers]
            own = cohort.take(outcome.patient_ids) if read else cohort
            told |= {"layers": {name: LayerSummary.of(own, name) for name in read if name in own.layers} or None}
        return cls(**told, **more)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TrainingSummary:
        """Read the summary of a bundle of this or an earlier version; what is not known is left out.

        Raises
        ------
        KeyError, TypeError
            A part of it is not what was written.
        """
        known = {field.name: document[field.name] for field in fields(cls) if field.name in document}
        if known.get("observed") is not None:
            known["observed"] = ObservedOutcomes.from_dict(known["observed"])
        if known.get("layers") is not None:
            known["layers"] = {name: LayerSummary(**layer) for name, layer in known["layers"].items()}
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data. What was not recorded is left out."""
        # An experiment without expression has recorded that none was measured.
        told = () if self.experiment is None else ("expression_genes",)
        return {name: value for name, value in asdict(self).items() if value is not None or name in told}
