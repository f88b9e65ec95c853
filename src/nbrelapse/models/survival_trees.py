"""Survival trees of scikit-survival as an XGBoost model: saved without pickle, explained by TreeSHAP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xgboost
    from sksurv.ensemble import RandomSurvivalForest

_NO_PARENT = 2**31 - 1
"""What XGBoost writes as the parent of a root."""

_LEAF = -1
"""Child of a leaf, in both libraries."""


def forest_as_booster(forest: RandomSurvivalForest, names: Sequence[str]) -> xgboost.Booster:
    """Return an XGBoost model whose margin is the forest's risk score, the ensemble mortality.

    Both libraries split 32-bit floats: scikit-survival sends ``x <= t`` to the left, XGBoost ``x < t``, so that each
    threshold becomes the next float above. A leaf's value is its mortality over the number of trees; the cover that
    path-dependent TreeSHAP weighs branches by is the number of bootstrapped training patients in a node.

    Parameters
    ----------
    forest : sksurv.ensemble.RandomSurvivalForest
        Fitted with ``low_memory=True``: a leaf then holds its mortality and nothing else.
    names : sequence of str
        Features, in the order of training.

    Returns
    -------
    xgboost.Booster
        Its margin equals ``forest.predict`` to the precision of 32-bit sums.

    Examples
    --------
    >>> from sksurv.ensemble import RandomSurvivalForest
    >>> import xgboost
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(80, 2)), np.array([(True, t) for t in rng.exponential(size=80)], dtype="?, f8")
    >>> forest = RandomSurvivalForest(50, low_memory=True, random_state=0).fit(X, y)
    >>> booster = forest_as_booster(forest, ["a", "b"])
    >>> margin = booster.predict(xgboost.DMatrix(X, feature_names=["a", "b"]), output_margin=True)
    >>> bool(np.allclose(margin, forest.predict(X), rtol=1e-6))
    True
    """
    import xgboost

    count = len(forest.estimators_)
    trees = [_tree(number, tree.tree_, count, len(names)) for number, tree in enumerate(forest.estimators_)]
    document = {
        "version": [2, 0, 0],
        "learner": {
            "attributes": {},
            "feature_names": list(names),
            "feature_types": ["float"] * len(names),
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
                    "iteration_indptr": list(range(count + 1)),
                    "tree_info": [0] * count,
                    "trees": trees,
                },
            },
            "learner_model_param": {
                "base_score": "0E0",
                "boost_from_average": "0",
                "num_class": "0",
                "num_feature": str(len(names)),
                "num_target": "1",
            },
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
    }
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document, separators=(",", ":")).encode()))
    return booster


def _tree(number: int, tree: Any, count: int, n_features: int) -> dict[str, Any]:
    order = _siblings_together(tree.children_left, tree.children_right)
    place = np.argsort(order)
    inner = tree.children_left[order] != _LEAF
    left, right = (np.where(inner, place[side[order]], _LEAF) for side in (tree.children_left, tree.children_right))
    parents = np.full(len(order), _NO_PARENT)
    parents[left[inner]] = parents[right[inner]] = np.flatnonzero(inner)
    value = tree.value[order, 0, 0] / count
    zeros = [0] * len(order)
    return {
        "id": number,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(n_features),
            "num_nodes": str(len(order)),
            "size_leaf_vector": "1",
        },
        "left_children": left.tolist(),
        "right_children": right.tolist(),
        "parents": parents.tolist(),
        "split_indices": np.where(inner, tree.feature[order], 0).tolist(),
        "split_conditions": _shortest(np.where(inner, _next_above(tree.threshold[order]), value)),
        "split_type": zeros,
        "default_left": np.where(inner, tree.missing_go_to_left[order], 0).tolist(),
        "base_weights": _shortest(value),
        "sum_hessian": _shortest(tree.weighted_n_node_samples[order]),
        "loss_changes": [0.0] * len(order),
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
    }


def _siblings_together(left: np.ndarray, right: np.ndarray) -> list[int]:
    """Return the nodes level by level: XGBoost looks for the right child just behind the left one."""
    order = [0]
    for node in order:
        if left[node] != _LEAF:
            order += [left[node], right[node]]
    return order


def _next_above(thresholds: np.ndarray) -> np.ndarray:
    """Return the smallest 32-bit float above each 64-bit threshold.

    An infinite one parts the missing from all others; JSON has no infinity, and the largest float does the same.
    """
    nearest = np.minimum(thresholds, np.finfo(np.float32).max).astype(np.float32)
    return np.where(nearest > thresholds, nearest, np.nextafter(nearest, np.finfo(np.float32).max))


def _shortest(values: np.ndarray) -> list[float]:
    """Return numbers whose JSON text is the shortest that names each 32-bit float."""
    return [float(str(value)) for value in values.astype(np.float32)]
