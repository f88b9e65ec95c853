"""What a fitted model knows, as prior knowledge of the next."""

from __future__ import annotations

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.prior_knowledge import PriorKnowledge
from nbrelapse.models.linear_model import LinearModel
from nbrelapse.models.risk_model import RiskModel


def prior_of_model(model: RiskModel) -> PriorKnowledge:
    """Return a model's coefficients as expected effects, to update it on a new cohort with ``cox_prior``.

    Parameters
    ----------
    model : RiskModel
        Fitted on other patients, as a saved model of a larger cohort.

    Returns
    -------
    PriorKnowledge
        Of the model's features, each adjusted for the others; all of them are one block.

    Raises
    ------
    InputError
        The model is not linear in its features.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from nbrelapse.models.cox_prior import CoxPrior
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"alk__gain": rng.integers(0, 2, 200).astype(float)})
    >>> y = np.zeros(200, dtype=[("event", np.int8), ("time", float)])
    >>> y["event"], y["time"] = 1, rng.exponential(1000 / np.exp(X["alk__gain"].to_numpy()))
    >>> large = CoxPrior(penalty=1.0).fit(X, y)
    >>> small = CoxPrior(prior=prior_of_model(large)).fit(X[:10], y[:10])
    >>> bool(abs(small.coefficients_[0] - large.coefficients_[0]) < 0.5)
    True
    """
    if not isinstance(model, LinearModel):
        raise InputError(
            f"a model of the family {model.family!r} cannot be the prior of another",
            column="prior_model",
            expected="a model that is linear in its features, such as cox or cox_prior",
        )
    names = [str(name) for name in model.feature_names_in_]
    effects = dict(zip(names, model.coefficients_.tolist(), strict=True))
    return PriorKnowledge(effects, frozenset(names), blocks=dict.fromkeys(names, "saved model"))
