"""THE concept: a system is a page, a frozen value with a question and seven stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flyball import data, errors, evidence, feedback, labels, model, monitoring, part, serving, units
from flyball import features as features_room


class System(part.Part):
    """One ML system: what is asked, and the seven stages in the order in which data flows.

    Why: everything that decides the answer stands on one page that can be checked whole before anything runs,
    compared with another, fingerprinted, sent and read back.  Where the data lies, where the store is and
    which keys sign are bound at run time.

    >>> from flyball import System
    >>> from flyball.systems import scanner
    >>> page = scanner.page.system
    >>> read(repr(page)) == page, len(page.fingerprint()), list(page.problems())
    (True, 64, [])
    """

    name: str
    question: str
    data: data.Fleet
    features: features_room.AsOf
    labels: labels.Labeller
    model: model.Contest
    serving: serving.Edge
    feedback: feedback.Feedback
    monitoring: monitoring.Watch

    def problems(self, page: Any = None) -> Iterator[errors.Problem]:
        """Yield every mistake before anything runs: names, units, look-ahead, kinds of answer.

        A stage that is none is told alone: what stands on the others could not be checked against it.
        """
        misplaced = [problem for name, kind in STAGES.items() for problem in self._misplaced(name, kind)]
        if misplaced:
            yield from misplaced
            return
        for path, inner in part.walk(self):
            if path:
                yield from self._of(path, inner)

    def _misplaced(self, name: str, kind: type[part.Part]) -> Iterator[errors.Problem]:
        value = getattr(self, name)
        if not isinstance(value, kind):
            what = f"a {type(value).__name__} stands where a {part.spelled(kind)} belongs"
            yield errors.Problem(name, what, f"declare one of {', '.join(_finals(kind))}")

    def _of(self, path: str, inner: part.Part) -> Iterator[errors.Problem]:
        """Yield one part's problems with their place; a part that cannot even be checked is a problem too."""
        try:
            for problem in inner.problems(self):
                yield problem._replace(place=f"{path}.{problem.place}" if problem.place else path)
        except errors.FlyballError as error:
            yield errors.Problem(path, str(error))
        except Exception as error:
            what = f"cannot be checked: {type(error).__name__}: {error}"
            yield errors.Problem(path, what, f"look at the values of this {type(inner).__name__}")

    def check(self) -> System:
        """Return the page itself, or raise one DeclarationError that lists every problem."""
        problems = list(self.problems())
        if problems:
            raise errors.DeclarationError(f"{self.name}: {len(problems)} problem(s) on the page", problems)
        return self

    def fingerprint(self) -> str:
        """Return the SHA-256 of the page and of every module that its functions come from."""
        return part.fingerprint(self)

    def diff(self, other: System) -> Iterator[tuple[str, Any, Any]]:
        """Yield (path, here, there) for every place where two pages differ."""
        return part.diff(self, other)


#: The seven stages and what stands in each.
STAGES: dict[str, type[part.Part]] = {
    "data": data.Fleet,
    "features": features_room.AsOf,
    "labels": labels.Labeller,
    "model": model.Contest,
    "serving": serving.Edge,
    "feedback": feedback.Feedback,
    "monitoring": monitoring.Watch,
}


def _finals(kind: type[part.Part]) -> list[str]:
    """Return the parts that a page may name for one of a kind."""
    found = {name for name, inner in names().items() if isinstance(inner, type) and issubclass(inner, kind)}
    return sorted(found - {part.spelled(kind)}) or [part.spelled(kind)]


def names(systems: Iterable[str] = ()) -> dict[str, Callable[..., Any]]:
    """Return what a page may call by name: `System`, the parts of every stage and system named, and units."""
    import importlib

    known: dict[str, Callable[..., Any]] = {"System": System, "Function": part.Function}
    known |= {maker: getattr(units, maker) for maker in units.MAKERS}
    rooms = [data, features_room, labels, model, serving, feedback, monitoring, evidence]
    rooms += [importlib.import_module(f"flyball.systems.{name}") for name in systems]
    for room in rooms:
        for found in vars(room).values():
            if isinstance(found, type) and issubclass(found, part.Part):
                known[part.spelled(found)] = found
    return known


def read(text: str) -> Any:
    """Read a page's repr back as an equal value without running it.

    Parts that only one ready-made system has are found in that system's own package, which is Flyball's code.
    """
    import os
    import re

    used = {word for word in re.findall(r"\b([a-z_]+)\.[A-Z]", text) if word not in part.ROOMS}
    folder = os.path.join(os.path.dirname(__file__), "systems")
    ready = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    return part.parse(text, names(sorted(used & ready)))
