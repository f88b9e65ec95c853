"""Prior effects of standardised features, fitted to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import nnls

from nbrelapse.mechanisms.prior_knowledge import PriorKnowledge


def prior_effects(Z: np.ndarray, scale: np.ndarray, names: Sequence[str], prior: PriorKnowledge) -> np.ndarray:
    """Return the expected log hazard of every feature per standard deviation, all others held constant.

    Figures that are adjusted already are taken as they are. Those of features on their own count what correlated
    features share once for each of them; and features with a direction only count together, as one index of equal
    weights: equal between blocks, and within a block between its features. Marginal effects m and joint effects b of
    standardised features obey m = R b, to the first order, with R the correlations of the features (as for summary
    statistics in genetics, 10.1038/ng.2213). b is the solution of least squares that turns no effect against its
    expected direction. R is that of the training patients; no outcome is read.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Standardised features of the training patients; 0 where missing.
    scale : ndarray of shape (n_features,)
        Standard deviations of the features as given.
    names : sequence of str
        The features.
    prior : PriorKnowledge

    Returns
    -------
    ndarray of shape (n_features,)
        0 where nothing is known.

    Examples
    --------
    Two copies of one feature share the effect that each has on its own.

    >>> Z = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> effects = prior_effects(Z, np.ones(2), ["a", "b"], PriorKnowledge({"a": 0.8, "b": 0.8}))
    >>> float(effects.sum().round(3))
    0.8
    """
    effects = np.array([prior.log_hazards.get(name, 0.0) for name in names]) * scale
    adjusted = np.array([name in prior.adjusted for name in names], dtype=bool)
    alone = np.flatnonzero((effects != 0) & ~adjusted)
    weights = _equal_weights(names, prior)
    spread = float(np.std(Z @ weights))
    loadings = np.eye(len(names))[:, alone]
    marginal = effects[alone]
    if spread > 0 and prior.log_hazard_per_sd:
        loadings = np.column_stack([loadings, weights / spread])
        marginal = np.append(marginal, prior.log_hazard_per_sd)
    if not len(marginal):
        return effects
    sign = np.sign(marginal)
    players = (Z @ loadings) * sign
    products = players.T @ players
    size = np.sqrt(np.diag(products))
    joint = nnls(products / np.outer(size, size), np.abs(marginal))[0] * sign
    effects[alone] = 0.0
    return np.asarray(effects + loadings @ joint)


def _equal_weights(names: Sequence[str], prior: PriorKnowledge) -> np.ndarray:
    """Signed weights of the features with a direction only; the blocks' absolute weights are equal."""
    blocks = [prior.blocks.get(name, name) if name in prior.directions else None for name in names]
    members = {block: blocks.count(block) for block in set(blocks) if block is not None}
    return np.array(
        [
            0.0 if block is None else prior.directions[name] / members[block]
            for name, block in zip(names, blocks, strict=True)
        ]
    )
