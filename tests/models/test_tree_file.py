"""Files of trees: what XGBoost writes passes, what it would not write is refused before XGBoost reads it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost

from nbrelapse.errors import InputError
from nbrelapse.models.tree_file import _PER_NODE, _check_tree_file, _Reader


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.exponential(size=60)
    settings = {"objective": "survival:cox", "max_depth": 2, "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(X, label=y), 4)


def changed(booster: xgboost.Booster, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the file of a booster whose document was changed."""
    document = json.loads(bytes(booster.save_raw("json")))
    change(document)
    return ubjson(document)


KINDS = {
    **dict.fromkeys(("base_weights", "loss_changes", "split_conditions", "sum_hessian"), ("d", ">f4")),
    **dict.fromkeys(("left_children", "right_children", "parents", "split_indices"), ("l", ">i4")),
    **dict.fromkeys(("categories", "categories_nodes", "feature_segments", "sorted_idx"), ("l", ">i4")),
    **dict.fromkeys(("categories_segments", "categories_sizes"), ("L", ">i8")),
    **dict.fromkeys(("default_left", "split_type"), ("U", "u1")),
}


def ubjson(value: Any, key: str = "") -> bytes:
    """Write plain data as XGBoost does."""
    if isinstance(value, dict):
        return b"{" + b"".join(text(name) + ubjson(item, name) for name, item in value.items()) + b"}"
    if isinstance(value, str):
        return b"S" + text(value)
    if isinstance(value, int):
        return b"i" + struct.pack(">b", value)
    kind, dtype = KINDS.get(key, ("", ""))
    length = b"#L" + struct.pack(">q", len(value))
    if kind:
        return b"[$" + kind.encode() + length + np.array(value).astype(dtype).tobytes()
    return b"[" + length + b"".join(ubjson(item) for item in value)


def text(word: str) -> bytes:
    return b"L" + struct.pack(">q", len(word.encode())) + word.encode()


def test_what_xgboost_writes_passes(booster: xgboost.Booster) -> None:
    blob = bytes(booster.save_raw("ubj"))
    _check_tree_file(blob, 3, "survival:cox")
    assert changed(booster, lambda document: None) == blob  # so that what is changed below is changed in nothing else


def test_names_of_features_may_be_there(booster: xgboost.Booster) -> None:
    def name(document: dict[str, Any]) -> None:
        document["learner"] |= {"feature_names": ["a", "b", "c"], "feature_types": ["float"] * 3}

    _check_tree_file(changed(booster, name), 3, "survival:cox")


def tree(document: dict[str, Any]) -> dict[str, Any]:
    """The second tree: seven nodes, or fewer."""
    found: dict[str, Any] = document["learner"]["gradient_booster"]["model"]["trees"][1]
    return found


def put(name: str, place: int, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: tree(document)[name].__setitem__(place, value)


def learner(*path: str, value: object) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> None:
        at = document["learner"]
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (put("left_children", 0, 0), "left_children"),
        (put("left_children", 0, 500), "left_children"),
        (put("left_children", 0, -2), "left_children"),
        (put("right_children", 0, 1), "right_children"),
        (put("right_children", 0, -1), "right_children"),
        (put("parents", 1, 3), "parents"),
        (put("parents", 0, 0), "parents"),
        (put("split_indices", 0, 3), "split_indices"),
        (put("split_indices", 0, -1), "split_indices"),
        (put("split_conditions", 0, float("nan")), "split_conditions"),
        (put("split_conditions", 0, float("inf")), "split_conditions"),
        (put("base_weights", 0, float("nan")), "base_weights"),
        (put("sum_hessian", 0, -1.0), "sum_hessian"),
        (put("sum_hessian", 0, 0.0), "sum_hessian"),
        (put("sum_hessian", 0, 1e30), "sum_hessian"),
        (put("sum_hessian", -1, 1e6), "sum_hessian"),
        (put("split_conditions", -1, 1e30), "a leaf"),
        (put("default_left", 0, 2), "default_left"),
        (put("split_type", 0, 1), "split_type"),
        (lambda document: tree(document)["parents"].pop(), "length"),
        (lambda document: tree(document)["categories"].append(1), "categories"),
        (lambda document: tree(document).pop("parents"), "a tree"),
        (lambda document: tree(document).update(leaf=[1]), "a tree"),
        (lambda document: tree(document).update(id=7), "id"),
        (lambda document: tree(document).update(id=-1), "id"),
        (lambda document: tree(document)["tree_param"].update(num_nodes="9000"), "tree_param"),
        (lambda document: tree(document)["tree_param"].update(size_leaf_vector="9"), "tree_param"),
        (learner("learner_model_param", "num_feature", value="4"), "num_feature"),
        (learner("learner_model_param", "num_class", value="3"), "num_class"),
        (learner("learner_model_param", "base_score", value="nan"), "base_score"),
        (learner("learner_model_param", "base_score", value="[-1E0]"), "base_score"),
        (learner("learner_model_param", "base_score", value="[1E0,1E0]"), "base_score"),
        (learner("learner_model_param", "base_score", value="1E99"), "base_score"),
        (learner("objective", "name", value="reg:squarederror"), "objective"),
        (learner("gradient_booster", "name", value="dart"), "booster"),
        (learner("gradient_booster", "model", "iteration_indptr", value=[0, 1, 2, 3, 5]), "iteration_indptr"),
        (learner("gradient_booster", "model", "tree_info", value=[0, 0, 0, 1]), "tree_info"),
        (learner("gradient_booster", "model", "trees", value=[]), "trees"),
        (learner("gradient_booster", "model", "trees", value=[[], [], [], []]), "trees"),
        (learner("attributes", value={"best_iteration": "0"}), "attributes"),
        (learner("feature_names", value=["a"]), "feature_names"),
        (learner("feature_types", value=["c", "c", "c"]), "feature_types"),
    ],
)  # fmt: skip
def test_what_it_would_not_write_is_refused(
    booster: xgboost.Booster, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    with pytest.raises(InputError, match=f"damaged trees: .*{told}"):
        _check_tree_file(changed(booster, change), 3, "survival:cox")


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"{",
        b"[",
        b"{}",
        b"{}{}",
        b"{" + b"L\xff\xff\xff\xff\xff\xff\xff\xff",
        b"{" + b"L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L" + bytes(7) + b"\x01a[$l#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L" + bytes(7) + b"\x01aZ}",
        b"{L" + bytes(7) + b"\x01a" + (b"[#L" + bytes(7) + b"\x01") * 100_000,
        b"{" + (b"L" + bytes(7) + b"\x01a{") * 100_000,
        b"{" + b"L" + bytes(7) + b"\x01\xffi\x01}",
    ],
)
def test_what_is_no_such_file_is_refused(blob: bytes) -> None:
    with pytest.raises(InputError, match="damaged trees"):
        _check_tree_file(blob, 3, "survival:cox")


def test_a_tree_may_not_be_a_chain_that_recursion_cannot_follow(booster: xgboost.Booster) -> None:
    def chain(document: dict[str, Any]) -> None:
        splits = 1500
        size = 2 * splits + 1
        found = tree(document)
        inner = np.arange(size) % 2 == 0
        inner[-1] = False
        left = np.where(inner, np.arange(size) + 1, -1)
        parents = np.repeat(np.arange(0, size, 2), 2)[: size - 1]
        found |= {
            "left_children": left.tolist(),
            "right_children": np.where(inner, left + 1, -1).tolist(),
            "parents": [2**31 - 1, *parents.tolist()],
            **{name: [0] * size for name in ("split_indices", "default_left", "split_type")},
            **{name: [0.0] * size for name in ("base_weights", "loss_changes", "split_conditions", "sum_hessian")},
        }
        found["tree_param"]["num_nodes"] = str(size)

    with pytest.raises(InputError, match="deeper than can be followed"):
        _check_tree_file(changed(booster, chain), 3, "survival:cox")


def test_trees_that_are_alike_are_read_as_xgboost_reads_them() -> None:
    """Trees of one to fifteen nodes and with numbers of one and two bytes, so that forms take turns."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(80, 4)), rng.exponential(size=80)
    settings = {"objective": "survival:cox", "max_depth": 3, "min_child_weight": 4, "gamma": 0.1, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(X, label=y), 300)
    blob = bytes(booster.save_raw("ubj"))
    _check_tree_file(blob, 4, "survival:cox")
    found = _Reader(blob).document()["learner"]["gradient_booster"]["model"]["trees"]
    trees = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]
    assert 5 < len(found.forms) < 20
    assert [len(tree["parents"]) for tree in trees] == [
        len(found.forms[form].example["parents"]) for form in found.form
    ]
    for name, dtype in _PER_NODE.items():
        written = np.concatenate([tree[name] for tree in trees])
        np.testing.assert_allclose(found.joined(name, dtype), written, rtol=1e-6)


@pytest.mark.parametrize("cut", [1, 2, 40, 400])
def test_a_file_that_ends_within_a_tree_like_those_before_it_is_refused(booster: xgboost.Booster, cut: int) -> None:
    blob = bytes(booster.save_raw("ubj"))
    end = blob.rindex(b"size_leaf_vector") + len("size_leaf_vectorS") + 10
    with pytest.raises(InputError, match="damaged trees"):
        _check_tree_file(blob[: end - cut], 3, "survival:cox")
