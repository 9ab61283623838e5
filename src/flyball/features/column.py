"""A plain function as a feature: it is given one moment's window and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flyball import errors, part
from flyball.data import stage as data
from flyball.features import stage, view


class Column(stage.Feature):
    """What a plain function makes of one moment's window, so that it cannot look ahead.

    The function is given a dict: for every column `of` which it is made ("t.x") an array of the window's rows
    in time order (texts as a list, None where missing), their times as "t.at", and the moment as "moment".
    It returns a number, or a dict of numbers by the names it `makes` (what it leaves out is NaN).  The
    window is (m - over, m]; without `over` it is all the machine's rows.

    >>> feature = Column(spread, of=("t.x",), over=stage.units.days(1))
    >>> feature.names(), repr(feature.function)
    (('spread',), "Function('flyball.features.column', 'spread')")
    >>> rows = data.Rows.of(["a", "a"], at=[1, 2], columns={"x": [3.0, 7.0]})
    >>> feature.compute({"t": rows}, stage.Moments.of(["a"], [2]))
    {'spread': array([4.])}
    """

    function: part.Function
    of: tuple[str, ...]
    makes: tuple[str, ...] = ()
    over: stage.Span | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "function", part.Function.of(self.function))

    def reads(self) -> tuple[str, ...]:
        return self.of

    def names(self) -> tuple[str, ...]:
        return self.makes or (self.function.name,)

    def lookback(self) -> int | None:
        return None if self.over is None else int(self.over)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        function = self.function.load()
        windows: list[dict[str, Any]] = [{} for _ in range(len(moments))]
        for table in self.tables():
            for index, rows in _windows(tables[table], moments, self.lookback()):
                found = {
                    column: _plain(rows, column) for column in self.of if stage.split(column)[0] == table
                }
                windows[index] |= found | {f"{table}.at": rows.at}
        out: dict[str, Any] = {name: np.full(len(moments), np.nan) for name in self.names()}
        for place, window in enumerate(windows):
            made = function(window | {"moment": int(moments.at[place])})
            for name, value in self._named(made).items():
                out[name][place] = value
        return out

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if not self.of:
            yield errors.Problem("of", "no column, the function would see nothing", "name what it reads")
        for column in self.of:
            if page.data.columns().get(column) == "image":
                yield errors.Problem("of", f"{column!r} is an image", "use features.Image")
        if self.over is not None:
            yield from stage.span_problems(page, self.over, "over")

    def _named(self, made: Any) -> Mapping[str, float]:
        if not isinstance(made, Mapping):
            made = {self.names()[0]: made}
        for name in made:
            if name not in self.names():
                hint = errors.did_you_mean(name, self.names())
                raise errors.DataError(f"function {self.function.name!r} made a column {name!r}: {hint}")
        return dict(made)


def _windows(rows: data.Rows, moments: stage.Moments, span: int | None) -> Iterator[tuple[int, data.Rows]]:
    """Yield (place of the moment, its window's rows), for every moment."""
    import numpy as np

    for piece in view.View(rows, moments).windows(span):
        for place, lo, hi in zip(piece.index.tolist(), piece.lo.tolist(), piece.hi.tolist(), strict=True):
            yield place, rows.take(np.arange(lo, hi) if piece.take is None else piece.take[lo:hi])


def _plain(rows: data.Rows, column: str) -> Any:
    values = rows.columns[stage.split(column)[1]]
    return values.texts() if isinstance(values, data.Words) else values


def spread(window: Mapping[str, Any]) -> float:
    """Return the greatest minus the smallest value of the first column: an example of a plain function."""
    values = next(iter(window.values()))
    return float(values.max() - values.min()) if len(values) else float("nan")
