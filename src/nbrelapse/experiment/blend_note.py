"""What is said of a blend of models."""

from __future__ import annotations

from collections.abc import Mapping

from nbrelapse.models.blend import Blend
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.report.wording import model_title


def blend_note(models: Mapping[str, RiskModel]) -> list[str]:
    """Return the weights of each fitted blend among the models, in words.

    Examples
    --------
    >>> blend = Blend()
    >>> blend.weights_ = {"cox": 0.75, "boosted": 0.25}
    >>> blend_note({"blend": blend})
    ['Blend of models, weights: Elastic-net Cox 0.75, Boosted trees 0.25']
    """
    return [
        f"{model_title(name)}, weights: "
        + ", ".join(f"{model_title(member)} {weight:.2f}" for member, weight in model.weights_.items())
        for name, model in models.items()
        if isinstance(model, Blend)
    ]
