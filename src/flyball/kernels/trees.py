"""Boosted trees, scored without the library that grew them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.kernels import backend, checks, lightgbm_text, onnx_graph, reference, xgboost_json
from flyball.kernels.ensemble import Ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Trees"]


class Trees:
    """Boosted trees of LightGBM or XGBoost that answer what their library answers, with NumPy alone.

    Why: a machine at the edge has no compiler and no training library, and asks one row at a time. Many rows are
    scored without walking (see native/tree_bits.hpp), one row by walking eight trees at once.

    Answers are equal to the library's own: missing values, zeros taken for missing, categories, classes, dropped
    trees and objectives included. Sums are equal to the last bit (float64 in the order of the trees for LightGBM,
    float32 for XGBoost), and so are the answers made of them wherever the C library is the one that the training
    library uses. Which trees to use (an early stopped model's best iteration) is decided when the model is saved.

    Made by `from_lightgbm`, `from_xgboost`, `from_onnx` or `from_bytes`. Trees pickle, and are safe to share between
    threads.
    Sources: QuickScorer (Lucchese et al. 2015), RapidScorer (Ye et al. 2018).

    >>> import numpy as np
    >>> model = '''tree
    ... version=v4
    ... num_tree_per_iteration=1
    ... max_feature_idx=1
    ... objective=regression
    ...
    ... Tree=0
    ... num_leaves=2
    ... split_feature=1
    ... threshold=0.5
    ... decision_type=10
    ... left_child=-1
    ... right_child=-2
    ... leaf_value=1.5 4
    ...
    ... end of trees'''
    >>> trees = Trees.from_lightgbm(model)
    >>> trees.predict(np.array([[0.0, 0.5], [0.0, 0.75], [0.0, np.nan]]))
    array([1.5, 4. , 1.5])
    >>> trees.predict_one(np.array([0.0, 0.75]))
    4.0
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self._native: dict[Any, Any] = {}

    @classmethod
    def from_lightgbm(cls, model: str | os.PathLike[str]) -> Trees:
        """Return the trees of a LightGBM model: its text (`Booster.model_to_string()`) or the path of its file.

        DataError names the tree and field that is wrong; linear trees and unknown objectives are refused.
        """
        if isinstance(model, os.PathLike) or (isinstance(model, str) and "\n" not in model):
            model = _read(model).decode("utf-8", "replace")
        if not isinstance(model, str):
            raise ValueError(f"model: needs the text of a model or its path, not {type(model).__name__}")
        return cls(lightgbm_text.read(model))

    @classmethod
    def from_xgboost(cls, model: bytes | bytearray | str | os.PathLike[str] | dict[str, Any]) -> Trees:
        """Return the trees of an XGBoost model: JSON or UBJSON as bytes, JSON as text or dict, or the file's path.

        `Booster.save_raw("ubj")` and `save_raw("json")` give such bytes. DataError names the tree and field that is
        wrong; leaves of several targets and unknown objectives are refused.
        """
        if isinstance(model, os.PathLike) or (isinstance(model, str) and not model.lstrip().startswith("{")):
            model = _read(model)
        if not isinstance(model, bytes | bytearray | str | dict):
            raise ValueError(f"model: needs a model's bytes, text, dict or path, not {type(model).__name__}")
        return cls(xgboost_json.read(bytes(model) if isinstance(model, bytearray) else model))

    @classmethod
    def from_onnx(cls, model: bytes) -> Trees:
        """Return the trees of an ONNX graph that is one ensemble of trees, summed in float32 as onnxruntime does.

        Needs the package onnx here, and nothing of it where the trees answer.  DataError says what has no such form.
        """
        return cls(onnx_graph.read(model))

    @property
    def features(self) -> int:
        """How many columns a row has."""
        return self.ensemble.features

    @property
    def answers(self) -> int:
        """How many numbers answer a row: the classes of a multiclass model, else 1."""
        return 1 if self.ensemble.link == "argmax" else self.ensemble.groups

    def predict(self, rows: Any) -> NDArray[Any]:
        """Return the answers of many rows, as the library's `predict` does.

        `rows` is float32 or float64 of shape (n, features), strided and read-only ones included, or a Polars frame;
        NaN is missing. The result is float64 (LightGBM) or float32 (XGBoost), of shape (n,), or (n, classes) for a
        multiclass model. A row's answer does not depend on the other rows.

        ValueError names what is wrong with the rows.
        """
        return self._scored(rows, raw=False)

    def raw(self, rows: Any) -> NDArray[Any]:
        """Return the sums that `predict` makes its answers of: LightGBM's raw_score, XGBoost's output_margin."""
        return self._scored(rows, raw=True)

    def predict_one(self, row: NDArray[Any]) -> Any:
        """Return the answer of one row: a float, or a tuple of floats for a multiclass model.

        `row` is float32 or float64 of shape (features,). This is the fast way for a single question.

        ValueError names what is wrong with the row.
        """
        module = backend.compiled
        try:
            return self._native[module].one(row, False)
        except (KeyError, TypeError):
            checked = checks.row("row", row, self.ensemble.features)
        if module is None:
            told = reference.score_trees(self.ensemble, checked[None, :], raw=False)[0].tolist()
            return told[0] if len(told) == 1 else tuple(told)
        return self._of(module).one(checked, False)

    def to_bytes(self) -> bytes:
        """Return the trees as bytes for a release: versioned, with a digest, and equal for equal trees."""
        return self.ensemble.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Trees:
        """Return the trees that `to_bytes` wrote; DataError where they are damaged or of another version."""
        return cls(Ensemble.from_bytes(data))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)

    def _scored(self, rows: Any, raw: bool) -> NDArray[Any]:
        import numpy as np

        taken = checks.matrix("rows", rows, self.ensemble.features)
        groups = self.ensemble.groups
        if backend.compiled is None:
            made = reference.score_trees(self.ensemble, taken, raw)
        else:
            kind = np.float32 if self.ensemble.single else np.float64
            made = np.empty((len(taken), groups if raw else self.answers), kind)
            self._of(backend.compiled).many(taken, raw, made)
        return made[:, 0] if made.shape[1] == 1 and (groups == 1 or not raw) else made

    def _of(self, module: Any) -> Any:
        if module not in self._native:
            self._native[module] = self.ensemble.native(module)
        return self._native[module]


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise errors.DataError(f"model: neither a model nor a file that can be read ({error})") from error
