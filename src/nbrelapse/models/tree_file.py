"""Read XGBoost's tree files ourselves and check them, before XGBoost does: it trusts what it reads."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from nbrelapse.errors import InputError

_DEPTH = 8
"""Objects and lists within each other; XGBoost's files have seven."""

_DEEPEST = 1000
"""Splits from the root to a leaf: XGBoost's contributions follow them by recursion."""

_NO_PARENT = 2**31 - 1
"""What XGBoost writes as the parent of a root."""

_LEAF = -1

_INTEGERS = {b"i": "b", b"U": "B", b"I": ">h", b"l": ">i", b"L": ">q"}
_REALS = {b"d": ">f", b"D": ">d"}
_NUMBERS = {marker: struct.Struct(code) for marker, code in (_INTEGERS | _REALS).items()}
_TYPES = {marker: np.dtype(code) for marker, code in (_INTEGERS | _REALS).items()}
_LENGTH = struct.Struct(">cq")
"""A marker and a whole number: what XGBoost writes before whatever has a length."""


def _check_tree_file(blob: bytes, n_features: int, objective: str) -> None:
    """Check that a file is what XGBoost writes of trees on so many features, and nothing else.

    XGBoost believes a file: a child that is not there makes it read beyond its memory, children in a circle never end.
    So every length must agree, each node but the root must have the parent that it names, and every number that
    predictions or contributions rest on must be finite. What is not known to be harmless is refused: other keys,
    boosters, objectives, categories.

    Parameters
    ----------
    blob : bytes
        UBJSON, as ``Booster.save_raw("ubj")`` returns it.
    n_features : int
    objective : str
        The only one that is accepted, such as ``survival:cox``.

    Raises
    ------
    InputError
        The file is something else.

    Examples
    --------
    >>> import xgboost
    >>> X, y = np.arange(20.0).reshape(10, 2), np.arange(10.0) > 4
    >>> booster = xgboost.train({"max_depth": 2, "objective": "binary:logistic"}, xgboost.DMatrix(X, y), 3)
    >>> _check_tree_file(bytes(booster.save_raw("ubj")), 2, "binary:logistic")
    >>> _check_tree_file(bytes(booster.save_raw("ubj")), 1, "binary:logistic")
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: damaged trees: num_feature
    """
    document = _Reader(blob).document()
    _keys("the file", document, {"learner", "version"})
    version = document["version"]
    _require(_whole(version) and len(version) == 3, "version")
    learner = document["learner"]
    _keys(
        "learner",
        learner,
        {"attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective"},
    )
    _require(learner["attributes"] == {}, "attributes")
    _check_names(learner, n_features)
    _check_objective(learner["objective"], objective)
    _check_parameters(learner["learner_model_param"], n_features, objective)
    _check_booster(learner["gradient_booster"], n_features, objective)


def _damaged(where: str) -> NoReturn:
    raise InputError(f"damaged trees: {where}")


def _require(holds: Any, where: str) -> None:
    if not holds:
        _damaged(where)


def _keys(where: str, found: Any, needed: Collection[str], optional: Collection[str] = ()) -> None:
    _require(isinstance(found, dict) and set(needed) <= set(found) <= {*needed, *optional}, where)


def _whole(values: Any) -> bool:
    """Whether a list, as it is read, holds whole numbers only."""
    return isinstance(values, np.ndarray) and values.dtype.kind in "iu"


@dataclass(frozen=True, eq=False)
class _Form:
    """What objects have in common that are the same bytes but for the content of their numbers.

    Parameters
    ----------
    example : dict
        The first of them, as it is read.
    fixed : sequence of bytes
        What stands in front of the first numbers, between them, and after the last.
    names : sequence of str
        The keys of these numbers: lists that say their type once, and single numbers, of the object itself.
    sizes : sequence of int
        Their bytes.
    types : sequence of dtype
    """

    example: Mapping[str, Any]
    fixed: Sequence[bytes]
    names: Sequence[str]
    sizes: Sequence[int]
    types: Sequence[np.dtype]

    @classmethod
    def of(cls, example: Mapping[str, Any], blob: bytes, start: int, end: int, spans: Sequence[_Span]) -> _Form:
        names, begins, ends, types = zip(*spans, strict=True) if spans else ((), (), (), ())
        fixed = [blob[a:b] for a, b in zip((start, *ends), (*begins, end), strict=True)]
        return cls(example, fixed, names, [b - a for a, b in zip(begins, ends, strict=True)], types)

    def read(self, blob: bytes, at: int) -> tuple[list[bytes], int] | None:
        """Return the numbers of the object that begins there, and where it ends; None where it is of another form."""
        found = []
        for fixed, size in zip(self.fixed, self.sizes, strict=False):
            if not blob.startswith(fixed, at):
                return None
            at += len(fixed)
            found.append(blob[at : at + size])
            at += size
        return (found, at + len(self.fixed[-1])) if blob.startswith(self.fixed[-1], at) else None


_Span = tuple[str, int, int, np.dtype]
"""Key of numbers, their first byte and that after their last, and their type."""

_FORMS = 64
"""Forms that an object is held against before it is read anew; shallow trees have some twenty."""


@dataclass(frozen=True, eq=False)
class _Objects:
    """A list of objects, such as trees: their forms, and the numbers of each, with the place of its form."""

    forms: Sequence[_Form]
    form: Sequence[int]
    numbers: Sequence[Sequence[bytes]]

    def joined(self, name: str, dtype: np.dtype) -> np.ndarray:
        """Numbers of all objects under a key that all forms have, one after the other."""
        place = [form.names.index(name) for form in self.forms]
        own = [numbers[place[form]] for form, numbers in zip(self.form, self.numbers, strict=True)]
        return np.frombuffer(b"".join(own), dtype)


class _Reader:
    """The part of UBJSON that XGBoost writes: objects, lists, strings and numbers, their sizes within the file.

    A list of numbers becomes an array, whether each says its type or the list says it for all; a list of objects those
    that differ. What is written as an object before it, but for the content of its numbers, is not read again: reading
    follows keys, types and lengths, and these are the same.

    Parameters
    ----------
    blob : bytes
    """

    def __init__(self, blob: bytes) -> None:
        self._blob, self._at = blob, 0
        self._readers: Mapping[bytes, Callable[[int], Any]] = {b"{": self._object, b"[": self._list, b"S": self._string}

    def document(self) -> dict[str, Any]:
        """Return the object that the file is, and make sure that nothing comes after it."""
        _require(self._take(1) == b"{", "it does not begin as XGBoost's files do")
        found = self._object(1)
        _require(self._at == len(self._blob), "something follows the trees")
        return found

    def _take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._blob):
            _damaged("the file ends too early")
        return self._blob[start : self._at]

    def _size(self) -> int:
        """Return a length: of a text in bytes, of a list in values, each of which takes a byte at least."""
        start = self._at
        self._at = start + _LENGTH.size
        if self._at > len(self._blob):
            _damaged("the file ends too early")
        marker, size = _LENGTH.unpack_from(self._blob, start)
        if marker != b"L" or not 0 <= size <= len(self._blob) - self._at:
            _damaged("a length")
        return int(size)

    def _value(self, depth: int) -> Any:
        marker = self._take(1)
        if number := _NUMBERS.get(marker):
            return number.unpack(self._take(number.size))[0]
        if marker not in self._readers or depth > _DEPTH:
            _damaged("a value that XGBoost does not write")
        return self._readers[marker](depth + 1)

    def _string(self, depth: int = 0) -> str:
        size = self._size()
        start, self._at = self._at, self._at + size
        try:
            return str(self._blob[start : self._at], "utf-8")
        except UnicodeDecodeError:
            _damaged("a text")

    def _object(self, depth: int, spans: list[_Span] | None = None) -> dict[str, Any]:
        blob, found = self._blob, {}
        while blob[self._at : self._at + 1] != b"}":
            key = self._string()
            if key in found:
                _damaged("a key that is there twice")
            start, marker = self._at, blob[self._at : self._at + 1]
            found[key] = value = self._array() if blob[start : start + 2] == b"[$" else self._value(depth)
            if spans is not None:
                if blob[start : start + 2] == b"[$":
                    spans.append((key, self._at - value.nbytes, self._at, value.dtype))
                elif marker in _TYPES:
                    spans.append((key, start + 1, self._at, _TYPES[marker]))
        self._at += 1
        return found

    def _objects(self, count: int, depth: int) -> _Objects:
        """Return a list of objects."""
        forms: list[_Form] = []
        form_of, all_numbers = [], []
        for _ in range(count):
            number = max(0, len(forms) - _FORMS)
            found = None
            while number < len(forms) and (found := forms[number].read(self._blob, self._at)) is None:
                number += 1
            if found is None:
                forms.append(self._form(depth))
                found = forms[number].read(self._blob, self._at)
                assert found is not None
            form_of.append(number)
            all_numbers.append(found[0])
            self._at = found[1]
        return _Objects(forms, form_of, all_numbers)

    def _form(self, depth: int) -> _Form:
        """Read an object in full and return its form; the reader stays in front of it."""
        start, spans = self._at, list[_Span]()
        if self._take(1) != b"{" or depth > _DEPTH:
            _damaged("a list")
        example = self._object(depth + 1, spans)
        end, self._at = self._at, start
        return _Form.of(example, self._blob, start, end, spans)

    def _array(self) -> np.ndarray:
        """Return a list that says its type once: most of a file is such lists."""
        kind, mark = self._take(4)[2:].partition(b"#")[:2]
        dtype = _TYPES.get(kind)
        if dtype is None or not mark:
            _damaged("a list")
        count = self._size()
        start, self._at = self._at, self._at + count * dtype.itemsize
        if self._at > len(self._blob):
            _damaged("the file ends too early")
        return np.frombuffer(self._blob, dtype, count, start)

    def _list(self, depth: int) -> Any:
        if self._take(1) != b"#":
            _damaged("a list")
        size = self._size()
        if self._blob[self._at : self._at + 1] == b"{" and size:
            return self._objects(size, depth)
        values = [self._value(depth) for _ in range(size)]
        numbers = all(type(value) is int for value in values)
        return np.array(values, dtype=np.int64) if numbers else values


def _check_names(learner: Mapping[str, Any], n_features: int) -> None:
    """Models of before 0.4.0 have names and types of their features; later ones have none."""
    for key, legal in (("feature_names", None), ("feature_types", {"float", "int", "i", "q"})):
        given = learner[key]
        _require(len(given) in (0, n_features) if isinstance(given, list | np.ndarray) else False, key)
        _require(all(isinstance(name, str) and (legal is None or name in legal) for name in given), key)


_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([Ee][+-]?\d+)?")
_BASE_SCORE: Mapping[str, Callable[[float], bool]] = {
    "survival:cox": lambda score: score > 0,
    "binary:logistic": lambda score: 0 < score < 1,
    "reg:squarederror": lambda score: score >= 0,
}
"""What XGBoost can turn into a margin, by objective; that of a forest is a number of events."""

_LEAST_LEAF = {"survival:cox": -np.inf, "binary:logistic": -np.inf, "reg:squarederror": 0.0}
_LARGEST_LEAF, _LARGEST_COVER = 1e20, 1e9
"""Sums and products of such numbers stay within 32-bit floats; leaves are below 10, covers below the patients."""

_OPTIONS = {"reg_loss_param": {"scale_pos_weight"}}


def _number(text: Any, where: str) -> float:
    _require(isinstance(text, str) and _NUMBER.fullmatch(text), where)
    value = float(text)
    _require(np.isfinite(np.float32(value)) if abs(value) < 3e38 else False, where)
    return value


def _check_objective(found: Any, objective: str) -> None:
    _keys("objective", found, {"name"}, _OPTIONS)
    _require(found["name"] == objective, "objective")
    for group, names in _OPTIONS.items():
        if group in found:
            _keys(group, found[group], names)
            for name, value in found[group].items():
                _number(value, name)


def _check_parameters(found: Any, n_features: int, objective: str) -> None:
    _keys(
        "learner_model_param",
        found,
        {"base_score", "num_class", "num_feature", "num_target"},
        {"boost_from_average"},
    )
    expected = {"num_class": "0", "num_feature": str(n_features), "num_target": "1"}
    for name, value in expected.items():
        _require(found[name] == value, name)
    _require(found.get("boost_from_average", "0") in ("0", "1"), "boost_from_average")
    score = found["base_score"]
    _require(isinstance(score, str), "base_score")
    if score.startswith("[") and score.endswith("]"):  # since XGBoost 3.1
        score = score[1:-1]
    _require(_BASE_SCORE[objective](_number(score, "base_score")), "base_score")


def _check_booster(found: Any, n_features: int, objective: str) -> None:
    _keys("gradient_booster", found, {"model", "name"})
    _require(found["name"] == "gbtree", "booster")
    model = found["model"]
    _keys("model", model, {"gbtree_model_param", "iteration_indptr", "tree_info", "trees"}, {"cats"})
    trees = model["trees"]
    _require(isinstance(trees, _Objects), "trees")
    count = len(trees.form)
    _require(model["gbtree_model_param"] == {"num_parallel_tree": "1", "num_trees": str(count)}, "num_trees")
    _require(_same(model["iteration_indptr"], np.arange(count + 1)), "iteration_indptr")
    _require(_same(model["tree_info"], np.zeros(count)), "tree_info")
    if "cats" in model:
        _keys("cats", model["cats"], {"enc", "feature_segments", "sorted_idx"})
        _require(all(_empty(values) for values in model["cats"].values()), "cats")
    _check_trees(trees, n_features, _LEAST_LEAF[objective])


def _same(found: Any, expected: np.ndarray) -> bool:
    return _whole(found) and np.array_equal(found, expected)


def _empty(found: Any) -> bool:
    return isinstance(found, np.ndarray | list) and len(found) == 0


_REAL = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
_PER_NODE = {
    **dict.fromkeys(_REAL, _TYPES[b"d"]),
    **dict.fromkeys(("left_children", "right_children", "parents", "split_indices"), _TYPES[b"l"]),
    **dict.fromkeys(("default_left", "split_type"), _TYPES[b"U"]),
}
"""Lists with a number a node, and the type that XGBoost gives and expects."""

_NONE = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


def _check_trees(trees: _Objects, n_features: int, least: float) -> None:
    """Check all trees at once: their nodes stand one after the other, numbered within each tree."""
    of_form = np.array([_nodes(form.example, n_features) for form in trees.forms])
    sizes = of_form[np.array(trees.form)]
    _check_ids(trees)
    node = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    size = np.repeat(sizes, sizes)
    joined = {name: trees.joined(name, dtype) for name, dtype in _PER_NODE.items()}
    for name in _REAL:
        _require(np.isfinite(joined[name]).all(), name)
    left, right, parents = (joined[name].astype(np.int64) for name in ("left_children", "right_children", "parents"))
    inner = left != _LEAF
    # XGBoost looks for the right child just behind the left one, whatever the file says.
    _require((left[inner] > node[inner]).all() and (left[inner] < size[inner] - 1).all(), "left_children")
    _require((right == np.where(inner, left + 1, _LEAF)).all(), "right_children")
    start = np.arange(len(node)) - node
    named = np.full(len(node), _NO_PARENT)
    for children in (left, right):
        named[(start + children)[inner]] = node[inner]
    _require((parents == named).all() and ((named == _NO_PARENT) == (node == 0)).all(), "parents")
    _require(_depth(np.where(node == 0, start, start + parents), start) <= _DEEPEST, "deeper than can be followed")
    _require(((joined["split_indices"] >= 0) & (joined["split_indices"] < n_features)).all(), "split_indices")
    _require(np.isin(joined["default_left"], (0, 1)).all(), "default_left")
    _require((joined["split_type"] == 0).all(), "split_type")
    # Contributions are means weighted by what reached a node, divided by it; XGBoost stops where that is not a number.
    cover = joined["sum_hessian"].astype(float)
    _require(((cover > 0) | ~inner).all() and ((cover >= 0) & (cover <= _LARGEST_COVER)).all(), "sum_hessian")
    reached = cover[(start + left)[inner]] + cover[(start + right)[inner]]
    _require(np.allclose(reached, cover[inner], rtol=1e-2, atol=1e-3), "sum_hessian")
    leaves = joined["split_conditions"][~inner]
    _require((np.abs(leaves) <= _LARGEST_LEAF).all() and (leaves.min() >= least), "a leaf")


def _nodes(tree: Mapping[str, Any], n_features: int) -> int:
    """Return the number of nodes of a tree, and of all of its form, whose lists all have that length."""
    _keys("a tree", tree, {*_PER_NODE, *_NONE, "id", "tree_param"})
    parameters = tree["tree_param"]
    _keys("tree_param", parameters, {"num_deleted", "num_feature", "num_nodes", "size_leaf_vector"})
    for name, dtype in _PER_NODE.items():
        _require(isinstance(tree[name], np.ndarray) and tree[name].dtype == dtype, name)
    size = len(tree["parents"])
    _require(size and all(len(tree[name]) == size for name in _PER_NODE), "a tree's lists differ in length")
    expected = {"num_deleted": "0", "num_feature": str(n_features), "num_nodes": str(size), "size_leaf_vector": "1"}
    _require(parameters == expected, "tree_param")
    _require(isinstance(tree["id"], int), "id")
    _require(all(_empty(tree[name]) for name in _NONE), "categories")
    return size


def _check_ids(trees: _Objects) -> None:
    """Check that trees are numbered in the order in which they stand; the form says how a number is written."""
    place = [form.names.index("id") for form in trees.forms]
    own = (
        int.from_bytes(numbers[place[form]], "big", signed=trees.forms[form].types[place[form]].kind == "i")
        for form, numbers in zip(trees.form, trees.numbers, strict=True)
    )
    _require(all(number == found for number, found in enumerate(own)), "id")


def _depth(parent: np.ndarray, root: np.ndarray) -> int:
    """Return the largest number of steps from a node to its root; parents come before their children."""
    at, steps = parent, 0
    while steps <= _DEEPEST and (at != root).any():
        at, steps = parent[at], steps + 1
    return steps
