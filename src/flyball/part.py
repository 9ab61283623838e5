"""A part: a frozen value that prints as the call that makes it, and is told apart by a stable fingerprint.

Why: a page is data.  What is data can be compared, sent, signed and read back without running it.  A class is
either abstract (one verb of its stage) or final (fields and that verb); to tweak, wrap.

Declare a part by subclassing and naming its fields; it becomes a frozen dataclass by itself:

>>> class Sensor(Part):
...     name: str
...     rates: tuple[int, ...] = ()
>>> Sensor("vibration", rates=[1, 50]) == Sensor("vibration", rates=(1, 50))
True
>>> Sensor("vibration").name = "other"
Traceback (most recent call last):
dataclasses.FrozenInstanceError: cannot assign to field 'name'
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any, TypeVar, dataclass_transform

from flyball import errors

__all__ = [
    "Frozen",
    "Function",
    "Part",
    "canonical",
    "diff",
    "field",
    "fingerprint",
    "parse",
    "replace",
    "walk",
]

#: The rooms whose parts a page may name, in the order in which data flows.
ROOMS = ("data", "features", "labels", "model", "serving", "feedback", "monitoring", "fab")

Value = TypeVar("Value")


class Frozen(dict[str, Any]):
    """A mapping that cannot be changed, equal to a dict of the same items.

    >>> Frozen(a=1) == {"a": 1}
    True
    """

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a part's mapping cannot be changed: make a new part with dataclasses.replace")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> Any:
        return (Frozen, (dict(self),))


def _fields_of(value: object) -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields of a part, which is a dataclass by its `__init_subclass__`: no type says so."""
    return dataclasses.fields(value)  # type: ignore[arg-type]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Part:
    """A frozen value with a name in the house; lists become tuples and dicts are frozen on the way in."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Only the fields are collected: a generated __init__ per class would cost half a millisecond each,
        # and importing flyball must stay cheap.
        cls.__doc__ = cls.__doc__ or cls.__name__
        dataclasses.dataclass(init=False, eq=False, repr=False, match_args=False)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fields = _fields_of(self)
        if len(args) > len(fields):
            raise TypeError(
                f"{type(self).__name__} takes at most {len(fields)} values, {len(args)} were given"
            )
        for item, value in zip(fields, args, strict=False):
            if item.name in kwargs:
                raise TypeError(f"{type(self).__name__} was given {item.name!r} twice")
            kwargs[item.name] = value
        known = [item.name for item in fields]
        for name in kwargs:
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no {name!r}: {errors.did_you_mean(name, known)}")
        for item in fields:
            if item.name in kwargs:
                value = _freeze(kwargs.pop(item.name))
            elif item.default is not dataclasses.MISSING:
                value = item.default
            elif item.default_factory is not dataclasses.MISSING:
                value = _freeze(item.default_factory())
            else:
                raise TypeError(f"{type(self).__name__} needs {item.name!r}")
            object.__setattr__(self, item.name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def problems(self, page: Any) -> Iterable[errors.Problem]:
        """Yield every mistake of this part on that page; `place` is filled in by the page."""
        return ()

    def __repr__(self) -> str:
        return _call(self, lambda value: repr(value), defaults=False)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash((type(self), tuple(_values(self))))


class Function(Part):
    """A plain function that stands where a part has one verb, told by its module and name.

    It enters the fingerprint with the text of its whole module; a parsed page does not import it until the
    release that holds the module is verified.
    """

    module: str
    name: str

    @staticmethod
    def of(function: Callable[..., Any] | Function) -> Function:
        """Return the value that names a module-level function.

        >>> Function.of(walk)
        Function('flyball.part', 'walk')
        """
        if isinstance(function, Function):
            return function
        if "<" in function.__qualname__ or "." in function.__qualname__:
            raise errors.DeclarationError(
                f"{function.__qualname__} cannot stand on a page: write it as a plain function of a module"
            )
        return Function(function.__module__, function.__qualname__)

    def load(self) -> Callable[..., Any]:
        """Import the module and return the function; only for a page that is trusted."""
        import importlib

        return getattr(importlib.import_module(self.module), self.name)  # type: ignore[no-any-return]

    def source(self) -> str:
        """Return the text of the function's module."""
        return source(self.module)


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Part]]:
    """Yield (path, part) for a part and everything inside it, outermost first.

    >>> from flyball import data
    >>> [path for path, _ in walk(data.Table("events", columns={"code": "category"}))]
    ['']
    """
    if isinstance(value, Part):
        yield path, value
        for item in _fields_of(value):
            yield from walk(getattr(value, item.name), f"{path}.{item.name}".lstrip("."))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from walk(inner, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from walk(inner, f"{path}[{key!r}]")


def diff(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, old, new) for every place where two values differ.

    >>> from flyball import data
    >>> a = data.Table("events", columns={"code": "category"})
    >>> list(diff(a, replace(a, name="codes")))
    [('name', 'events', 'codes')]
    """
    if isinstance(old, Part) and type(old) is type(new):
        for item in _fields_of(old):
            here = f"{path}.{item.name}".lstrip(".")
            yield from diff(getattr(old, item.name), getattr(new, item.name), here)
    elif isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from diff(a, b, f"{path}[{index}]")
    elif isinstance(old, Mapping) and isinstance(new, Mapping) and set(old) == set(new):
        for key in old:
            yield from diff(old[key], new[key], f"{path}[{key!r}]")
    elif old != new:
        yield path, old, new


def canonical(value: Any) -> str:
    """Return the text that stands for a value: every field named, defaults included, mappings sorted.

    Two equal values have one text in every process; a changed default changes it, as it changes the result.
    """
    if isinstance(value, Part):
        return _call(value, canonical, defaults=True)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {canonical(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, tuple):
        inner = ", ".join(canonical(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def fingerprint(value: Any) -> str:
    """Return a SHA-256 over a value and the modules of the functions inside it, equal in every process.

    >>> from flyball import data
    >>> fingerprint(data.WallClock()) == fingerprint(data.WallClock())
    True
    """
    import hashlib

    digest = hashlib.sha256(canonical(value).encode())
    for module in sorted(_modules(value)):
        digest.update(source(module).encode())
    return digest.hexdigest()


def source(module: str) -> str:
    """Return the text of a module; raises DeclarationError when it cannot be found."""
    import importlib.util

    spec = sys.modules[module].__spec__ if module in sys.modules else None
    spec = spec or importlib.util.find_spec(module)
    origin = getattr(spec, "origin", None) or getattr(sys.modules.get(module), "__file__", None)
    if origin is None:
        raise errors.DeclarationError(
            f"module {module!r} cannot be found: a page's functions need their module"
        )
    with open(origin, encoding="utf-8") as file:
        return file.read()


def _modules(value: Any) -> set[str]:
    """Return the modules that hold a page's functions and the parts that no stage has: they decide its result."""
    found = set()
    for _, inner in walk(value):
        home = inner.module if isinstance(inner, Function) else type(inner).__module__
        if home.startswith("flyball.systems."):
            found |= _beside(home)
        elif isinstance(inner, Function) or not home.startswith("flyball."):
            found.add(home)
    return found


def _beside(home: str) -> set[str]:
    """Return the modules of a ready-made system's folder: its parts lean on one another.

    The page itself is told by its value, and what prepares its input by the files that come in.
    """
    package = ".".join(home.split(".")[:3])
    folder = os.path.dirname(sys.modules[package].__file__ or "")
    names = (name[:-3] for name in os.listdir(folder) if name.endswith(".py"))
    return {f"{package}.{name}" for name in names if name not in ("__init__", "page", "inputs")}


def parse(text: str, names: Mapping[str, Callable[..., Any]]) -> Any:
    """Read a repr back as a value; nothing but constructor calls by known names and literals is understood.

    Why: a page inside a release comes from elsewhere and must never run.  `names` maps what may be called
    ("data.Table") to its constructor; `flyball.system.read` gives all parts and units.

    Raises DeclarationError for anything else, and for a text that is too long or too deep.

    >>> parse("f(1, by=('a', -2.5))", {"f": lambda x, by: (x, by)})
    (1, ('a', -2.5))
    >>> parse("__import__('os').getcwd()", {})
    Traceback (most recent call last):
    flyball.errors.DeclarationError: cannot read a page: line 1: '__import__('os').getcwd' is not a known part
    """
    import ast

    if len(text) > 1_000_000:
        raise errors.DeclarationError(f"cannot read a page: {len(text)} characters, at most 1000000 are read")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise errors.DeclarationError(f"cannot read a page: {error}") from None
    return _Reader(names).value(tree.body, depth=0)


class _Reader:
    """Turns the syntax tree of a repr into values; what it does not know it refuses."""

    def __init__(self, names: Mapping[str, Callable[..., Any]]) -> None:
        self.names = names

    def value(self, node: Any, depth: int) -> Any:
        import ast

        if depth > 64:
            raise errors.DeclarationError("cannot read a page: nested deeper than 64 levels")
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, bool, type(None))):
            return node.value
        if isinstance(node, (ast.Tuple, ast.List)):
            return tuple(self.value(item, depth + 1) for item in node.elts)
        if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
            pairs = zip(node.keys, node.values, strict=True)
            try:
                return {self.value(key, depth + 1): self.value(item, depth + 1) for key, item in pairs}
            except TypeError:
                raise self._refused(node, "has a key that cannot be one") from None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.value(node.operand, depth + 1)
            if isinstance(inner, (int, float)):
                return -inner
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        raise self._refused(node, "is neither a constructor call nor a literal")

    def _call(self, node: Any, depth: int) -> Any:
        import ast

        name = ast.unparse(node.func)
        if name not in self.names:
            raise self._refused(node.func, "is not a known part")
        if any(word.arg is None for word in node.keywords):
            raise self._refused(node, "unpacks its arguments")
        positional = [self.value(item, depth + 1) for item in node.args]
        named = {word.arg: self.value(word.value, depth + 1) for word in node.keywords}
        try:
            return self.names[name](*positional, **named)
        except (TypeError, ValueError) as error:
            raise errors.DeclarationError(
                f"cannot read a page: line {node.lineno}: {name}: {error}"
            ) from None

    @staticmethod
    def _refused(node: Any, why: str) -> errors.DeclarationError:
        import ast

        return errors.DeclarationError(
            f"cannot read a page: line {node.lineno}: '{ast.unparse(node)[:80]}' {why}"
        )


def _freeze(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        frozen = tuple(_freeze(item) for item in value)
        same = isinstance(value, tuple) and all(a is b for a, b in zip(frozen, value, strict=True))
        return value if same else frozen
    if isinstance(value, dict) and not isinstance(value, Frozen):
        return Frozen({key: _freeze(item) for key, item in value.items()})
    return value


def _values(value: Part) -> list[Any]:
    return [getattr(value, item.name) for item in _fields_of(value)]


def spelled(kind: type[Part]) -> str:
    """Return the name by which a page calls a part: its room and its class.

    >>> from flyball import data
    >>> spelled(data.Table)
    'data.Table'
    """
    pieces = kind.__module__.split(".")
    if len(pieces) > 2 and pieces[:2] == ["flyball", "systems"]:
        return f"{pieces[2]}.{kind.__name__}"
    if len(pieces) > 1 and pieces[0] == "flyball" and pieces[1] in ROOMS:
        return f"{pieces[1]}.{kind.__name__}"
    return kind.__name__


def _call(value: Part, show: Callable[[Any], str], defaults: bool) -> str:
    """Print a part as its call: leading required fields by position, the rest by name."""
    arguments, positional = [], not defaults
    for item in _fields_of(value):
        current = getattr(value, item.name)
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if not required and not defaults:
            usual = (
                item.default
                if item.default_factory is dataclasses.MISSING
                else _freeze(item.default_factory())
            )
            if type(usual) is type(current) and usual == current:
                positional = False
                continue
        simple = positional and required and not isinstance(current, (Part, Mapping))
        positional = simple
        arguments.append(show(current) if simple else f"{item.name}={show(current)}")
    return f"{spelled(type(value))}({', '.join(arguments)})"
