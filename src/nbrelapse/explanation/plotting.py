"""Pictures of an explanation: what ``explanation.plot`` offers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue, load_catalogue

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nbrelapse.explanation.explanation import Explanation
    from nbrelapse.explanation.stability import Stability


@dataclass(frozen=True, repr=False)
class _ExplanationPlots:
    """Draw an explanation. Titles and colours are those of its catalogue, or of the packaged one.

    Called, it draws what says most: the waterfall of one patient, the bars of the mechanisms of several. See
    ``nbrelapse.report.plots`` for what each picture shows.

    Parameters
    ----------
    explanation : Explanation
    """

    explanation: Explanation

    def __call__(self) -> Figure:
        """Draw the waterfall of one patient, or the mechanisms of several."""
        return self.waterfall() if len(self.explanation.features) == 1 else self.mechanisms()

    def __repr__(self) -> str:
        return "plot() or plot.mechanisms(), .beeswarm(), .dependence(feature), .features(), .waterfall()"

    def mechanisms(self, stability: Stability | None = None) -> Figure:
        """Draw the mean absolute contribution of each mechanism; with ``stability`` whiskers over refits."""
        figure: Figure = _plots().mechanism_bar(self.explanation, self._catalogue, stability)
        return figure

    def beeswarm(self, top: int = 15) -> Figure:
        """Draw a dot a patient for the ``top`` most important features."""
        figure: Figure = _plots().beeswarm(self.explanation, self._catalogue, top)
        return figure

    def features(self, top: int = 6) -> Figure:
        """Draw contribution against value of the ``top`` most important features, a panel each."""
        figure: Figure = _plots().dependence(self.explanation, self._catalogue, top)
        return figure

    def dependence(self, feature: str) -> Figure:
        """Draw contribution against value of one feature.

        Raises
        ------
        InputError
            The model does not read it.
        """
        own = self.explanation
        if feature not in own.features.columns:
            raise InputError(
                f"the model does not read the feature {feature!r}",
                column="feature",
                expected=f"one of its {len(own.features.columns)} features",
                fix="list them with explanation.feature_importance()",
            )
        one = replace(own, features=own.features[[feature]], values=own.values[[feature]])
        figure: Figure = _plots().dependence(one, self._catalogue, 1)
        return figure

    def waterfall(self) -> Figure:
        """Draw how the mechanisms lead from the baseline to one patient's prediction.

        Raises
        ------
        InputError
            The explanation is not of one patient.
        """
        patients = self.explanation.features.index
        if len(patients) != 1:
            raise InputError(
                f"a waterfall is of one patient, the explanation of {len(patients)}",
                fix='choose one: explanation.patient("…").plot()',
            )
        figure: Figure = _plots().patient_waterfall(self.explanation, patients[0], self._catalogue)
        return figure

    @property
    def _catalogue(self) -> Catalogue:
        return load_catalogue() if self.explanation.catalogue is None else self.explanation.catalogue


def _plots() -> ModuleType:
    # The one import against the order of the packages: pictures stand to the right of what they show.
    from nbrelapse.report import plots

    return plots
