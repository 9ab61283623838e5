"""An ensemble of decision trees as plain arrays: what every library's model is read into, checked and carried as."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CATEGORY", "FROM_ZERO", "LINKS", "MISSING_LEFT", "MOST", "ZERO", "ZERO_MISSING", "Ensemble"]

MISSING_LEFT, ZERO_MISSING, CATEGORY, FROM_ZERO = 1, 2, 4, 8
"""Marks of a node: missing goes left; zero is missing; left if in the set; -0.5 is no category."""

LINKS = (
    "identity",
    "sigmoid",
    "exp",
    "wide_exp",
    "softmax",
    "signed_square",
    "softplus",
    "hinge",
    "argmax",
    "isolation",
)
"""What the sums become, in the order of `flyball::Link`."""

ZERO = 1.0000000180025095e-35
"""What LightGBM takes for zero: up to 1e-35, as a float32."""

MOST = 1 << 26
"""The most nodes, leaves or words of category sets that are taken: a hostile file must not take all memory."""

_MAGIC = b"flyball trees 1\n"
_DTYPES = {
    "group": "<i4",
    "node_from": "<i8",
    "leaf_from": "<i8",
    "feature": "<i4",
    "left": "<i4",
    "right": "<i4",
    "threshold": "<f8",
    "marks": "|u1",
    "leaf": "<f8",
    "set_from": "<i8",
    "set_words": "<u4",
    "start": "<f8",
}


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Trees in which a row goes left if its value is at or below the threshold, or as the node's marks say.

    Why one form: libraries differ in what they compare and in what goes where when it is missing. Once that is
    turned into thresholds and marks, one plain walk scores them all.

    Trees lie one after another. `node_from` and `leaf_from` (trees + 1) say where each begins; `feature`, `left`,
    `right`, `threshold` and `marks` tell each node, where a child >= 0 is a node and one < 0 is leaf `~child`,
    both counted within the tree, and a child comes after its parent. The threshold of a categorical node is the
    number of its set; set i is the bits of `set_words[set_from[i] : set_from[i + 1]]`. `group` is the answer that
    each tree adds to and `start` what each sum begins with. `narrow` rounds values to float32 first; `single` sums
    in float32. Divided by `divisor`, `link` makes them answers; `slope` is the
    sigmoid's, or the offset of an isolation forest.

    DataError names the tree and the field that is wrong.
    """

    features: int
    narrow: bool
    single: bool
    link: str
    slope: float
    divisor: float
    group: NDArray[Any]
    node_from: NDArray[Any]
    leaf_from: NDArray[Any]
    feature: NDArray[Any]
    left: NDArray[Any]
    right: NDArray[Any]
    threshold: NDArray[Any]
    marks: NDArray[Any]
    leaf: NDArray[Any]
    set_from: NDArray[Any]
    set_words: NDArray[Any]
    start: NDArray[Any]

    def __post_init__(self) -> None:
        import numpy as np

        for name, dtype in _DTYPES.items():
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype))
            if getattr(self, name).ndim != 1:
                raise errors.DataError(f"{name}: needs one dimension")
            getattr(self, name).flags.writeable = False
        _check(self)

    @property
    def groups(self) -> int:
        """How many sums there are: the classes of a multiclass model, else 1."""
        return len(self.start)

    def native(self, module: Any) -> Any:
        """Return the trees laid out by the C++ of one path."""
        return module.Trees(
            self.features, self.groups, self.narrow, self.single, self.group, self.node_from, self.leaf_from,
            self.feature, self.left, self.right, self.threshold, self.marks, self.leaf, self.set_from, self.set_words,
            self.start, self.divisor, LINKS.index(self.link), self.slope,
        )  # fmt: skip

    def to_bytes(self) -> bytes:
        """Return the ensemble as bytes, equal for equal ensembles: a line of JSON, the arrays, a SHA-256 of all."""
        head = {
            "features": self.features, "narrow": self.narrow, "single": self.single, "link": self.link,
            "slope": self.slope, "divisor": self.divisor, "lengths": [len(getattr(self, name)) for name in _DTYPES],
        }  # fmt: skip
        told = json.dumps(head, sort_keys=True).encode()
        body = b"".join(
            [_MAGIC, struct.pack("<I", len(told)), told, *(getattr(self, n).tobytes() for n in _DTYPES)]
        )
        return body + hashlib.sha256(body).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Ensemble:
        """Return the ensemble that `to_bytes` made; DataError for anything else."""
        body, digest = bytes(data[:-32]), bytes(data[-32:])
        if not body.startswith(_MAGIC[:14]):
            raise errors.DataError("data: these bytes are no flyball trees, give what to_bytes made")
        if not body.startswith(_MAGIC):
            raise errors.DataError(
                "data: trees of another version, load them with the flyball that wrote them"
            )
        if hashlib.sha256(body).digest() != digest:
            raise errors.DataError("data: damaged or cut short, the digest differs: copy it again")
        try:
            return cls(**_unpacked(body))
        except (KeyError, TypeError, UnicodeDecodeError, struct.error, ValueError) as error:
            if isinstance(error, errors.DataError):
                raise
            raise errors.DataError(f"data: not as to_bytes writes it ({error})") from error


def _unpacked(body: bytes) -> dict[str, Any]:
    import numpy as np

    (size,) = struct.unpack_from("<I", body, len(_MAGIC))
    at = len(_MAGIC) + 4 + size
    made: dict[str, Any] = json.loads(body[len(_MAGIC) + 4 : at])
    lengths = made.pop("lengths")
    if any(not isinstance(length, int) or not 0 <= length <= MOST for length in lengths):
        raise errors.DataError("data: a length is out of bounds")
    for (name, dtype), length in zip(_DTYPES.items(), lengths, strict=True):
        made[name] = np.frombuffer(body, dtype, length, at)
        at += made[name].nbytes
    if at != len(body) or set(made) != {field.name for field in fields(Ensemble)}:
        raise errors.DataError("data: not as to_bytes writes it")
    return made


def _check(e: Ensemble) -> None:
    """Hold everything that the C++ relies on."""
    import numpy as np

    if type(e.features) is not int or not 0 < e.features < 2**31:
        raise errors.DataError(f"features: {e.features} of them, a model needs at least 1")
    if type(e.narrow) is not bool or type(e.single) is not bool:
        raise errors.DataError("narrow and single: need to be true or false")
    if e.link not in LINKS or not (np.isfinite(e.slope) and np.isfinite(e.divisor) and e.divisor != 0):
        raise errors.DataError(
            f"link {e.link!r}, slope {e.slope} and divisor {e.divisor} are not as they should be"
        )
    if not len(e.start) or len(e.start) > 1 << 20 or not np.isfinite(e.start).all():
        raise errors.DataError("start: needs a finite number for each group")
    _offsets("node_from", e.node_from, len(e.group), len(e.feature), 0)
    _offsets("leaf_from", e.leaf_from, len(e.group), len(e.leaf), 1)
    _offsets("set_from", e.set_from, len(e.set_from) - 1, len(e.set_words), 0)
    if not all(len(getattr(e, name)) == len(e.feature) for name in ("left", "right", "threshold", "marks")):
        raise errors.DataError("left, right, threshold and marks: need one for each feature")
    nodes, leaves = np.diff(e.node_from), np.diff(e.leaf_from)
    _first_wrong(leaves != nodes + 1, "leaf_from", "has not one leaf more than nodes")
    _first_wrong((e.group < 0) | (e.group >= e.groups), "group", f"is of no group of {e.groups}")
    tree_of = np.repeat(np.arange(len(e.group)), nodes)
    _first_wrong((e.feature < 0) | (e.feature >= e.features), "feature", f"is none of {e.features}", tree_of)
    categorical = (e.marks & CATEGORY) != 0
    _first_wrong(np.isnan(e.threshold), "threshold", "is NaN", tree_of)
    sets = len(e.set_from) - 1
    no_set = categorical & ~(
        (e.threshold >= 0) & (e.threshold < sets) & (e.threshold == np.floor(e.threshold))
    )
    _first_wrong(no_set, "threshold", f"names none of {sets} sets of categories", tree_of)
    _first_wrong(e.marks > 15, "marks", "are unknown", tree_of)
    leaf_tree = np.repeat(np.arange(len(e.group)), leaves)
    _first_wrong(np.isnan(e.leaf), "leaf", "is NaN", leaf_tree)
    _children(e, nodes, tree_of)


def _children(e: Ensemble, nodes: NDArray[Any], tree_of: NDArray[Any]) -> None:
    """Hold that children make trees: each within the tree, after its parent, with one parent."""
    import numpy as np

    within = np.arange(len(e.feature)) - np.repeat(e.node_from[:-1], nodes)
    count = np.repeat(nodes, nodes)
    for name in ("left", "right"):
        child = getattr(e, name).astype(np.int64)
        _first_wrong((child >= count) | (child < ~count), name, "is outside the tree", tree_of)
        _first_wrong((child >= 0) & (child <= within), name, "points back, which makes no tree", tree_of)
    children = np.concatenate([e.left, e.right]).astype(np.int64)
    trees = np.concatenate([tree_of, tree_of])
    inner = children >= 0
    seen = np.zeros(len(e.feature), np.int64)
    np.add.at(seen, e.node_from[trees[inner]] + children[inner], 1)
    _first_wrong((seen != 1) & (within != 0), "left or right", "has two parents or none", tree_of)
    reached = np.zeros(len(e.leaf), np.int64)
    np.add.at(reached, e.leaf_from[trees[~inner]] + ~children[~inner], 1)
    leaf_tree = np.repeat(np.arange(len(e.group)), nodes + 1)
    lone = np.repeat(nodes == 0, nodes + 1)
    _first_wrong((reached != 1) & ~lone, "left or right", "leads to a leaf twice or never", leaf_tree)


def _offsets(name: str, offsets: NDArray[Any], parts: int, total: int, least: int) -> None:
    import numpy as np

    fine = len(offsets) == parts + 1 and parts >= 0 and offsets[0] == 0 and offsets[-1] == total <= MOST
    if not fine or (np.diff(offsets) < least).any():
        raise errors.DataError(
            f"{name}: must rise from 0 to {total}, at most {MOST}, one for each and the end"
        )


def _first_wrong(wrong: NDArray[Any], name: str, what: str, tree_of: NDArray[Any] | None = None) -> None:
    if wrong.any():
        at = int(wrong.argmax())
        tree = at if tree_of is None else int(tree_of[at])
        raise errors.DataError(
            f"tree {tree}: {name} {what}, the model is damaged or not what it claims to be"
        )
