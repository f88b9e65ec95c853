"""What a model's features could say of each mechanism, had the outcomes no noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from nbrelapse.explanation.explanation import roll_up


def noise_free_linear(X: pd.DataFrame, log_hazard: pd.Series, mechanism_of: pd.Series) -> pd.DataFrame:
    """Return the mechanisms of a linear model that is fitted to the true log hazards by least squares.

    As in Cox regression a missing value stands at the mean of the others.
    """
    values = X[mechanism_of.index]
    centred = (values - values.mean()).fillna(0.0)
    return roll_up(centred * LinearRegression().fit(centred, log_hazard).coef_, mechanism_of)


def noise_free_trees(
    X: pd.DataFrame, log_hazard: pd.Series, mechanism_of: pd.Series, parameters: dict[str, object]
) -> pd.DataFrame:
    """Return the mechanisms of boosted trees of the same parameters that are fitted to the true log hazards."""
    import xgboost

    own = {name: value for name, value in parameters.items() if name not in ("columns", "directions", "n_estimators")}
    directions = parameters["directions"] or {}
    assert isinstance(directions, dict)
    columns = list(mechanism_of.index)
    own["monotone_constraints"] = tuple(directions.get(name, 0) for name in columns)
    data = xgboost.DMatrix(X[columns].to_numpy(), label=log_hazard.to_numpy(), nthread=1)
    rounds = parameters["n_estimators"]
    assert isinstance(rounds, int)
    booster = xgboost.train({**own, "nthread": 1, "verbosity": 0}, data, num_boost_round=rounds)
    values = booster.predict(data, pred_contribs=True)[:, :-1].astype(np.float64)
    return roll_up(pd.DataFrame(values, index=X.index, columns=columns), mechanism_of)
