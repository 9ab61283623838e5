import ast
import contextlib
import dataclasses
import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import data, errors, features, monitoring, part, serving, system, units


class Leaf(part.Part):
    name: str
    rate: float = 1.0
    tags: tuple = ()


class Branch(part.Part):
    left: object
    right: object = None
    more: dict = part.field(default_factory=dict)


NAMES = {"Leaf": Leaf, "Branch": Branch, **{maker: getattr(units, maker) for maker in units.MAKERS}}

texts = st.text(max_size=12)
numbers = st.one_of(
    st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)
quantities = st.one_of(
    st.integers(-(10**9), 10**12).map(units.us),
    st.integers(0, 10**6).map(units.steps),
    st.integers(0, 2**40).map(units.octets),
)
plain = st.one_of(st.none(), texts, numbers, quantities)
leaves = st.builds(Leaf, texts, st.floats(allow_nan=False, allow_infinity=False), st.lists(plain, max_size=3))
parts = st.recursive(
    leaves,
    lambda inner: st.builds(
        Branch,
        st.one_of(inner, plain, st.lists(inner, max_size=3)),
        st.one_of(st.none(), inner),
        st.dictionaries(texts, st.one_of(plain, inner), max_size=3),
    ),
    max_leaves=8,
)


@given(parts)
def test_repr_evaluates_back_and_parses_back(value):
    assert eval(repr(value), dict(NAMES)) == value
    assert part.parse(repr(value), NAMES) == value
    assert repr(part.parse(repr(value), NAMES)) == repr(value)


@given(parts)
def test_the_canonical_text_parses_back_too(value):
    assert part.parse(part.canonical(value), NAMES) == value


@given(parts, parts)
def test_one_fingerprint_means_one_value(one, other):
    # The other way round 1 and 1.0 are equal, and yet may lead to different results.
    assert (part.fingerprint(one) == part.fingerprint(other)) == (
        part.canonical(one) == part.canonical(other)
    )
    if part.fingerprint(one) == part.fingerprint(other):
        assert one == other
    assert (one == other) == (list(part.diff(one, other)) == [])
    if one == other:
        assert hash(one) == hash(other)


@given(parts)
def test_an_equal_value_made_anew_has_the_same_fingerprint(value):
    assert part.fingerprint(eval(repr(value), dict(NAMES))) == part.fingerprint(value)


@given(parts)
def test_pickles_to_an_equal_value(value):
    back = pickle.loads(pickle.dumps(value))
    assert back == value
    assert part.fingerprint(back) == part.fingerprint(value)


@given(parts)
def test_walk_meets_every_part_once_by_a_path_that_leads_there(value):
    found = list(part.walk(value))
    assert found[0] == ("", value)
    for path, inner in found[1:]:
        assert eval(f"value{path if path.startswith('[') else '.' + path}", {"value": value}) is inner
    assert sum(repr(inner).startswith(("Leaf(", "Branch(")) for _, inner in found) == len(found)


@given(parts, st.integers(0, 10**6))
def test_diff_names_exactly_the_place_that_changed(value, number):
    places = [(path, inner) for path, inner in part.walk(value) if isinstance(inner, Leaf)]
    if not places:
        return
    path, chosen = places[number % len(places)]
    changed = _replaced(value, path, dataclasses.replace(chosen, name=chosen.name + "!"))
    assert [found for found, _, _ in part.diff(value, changed)] == [f"{path}.name".lstrip(".")]


def _replaced(value, path, new):
    """The same value with another part at a path, built anew through the syntax tree of its repr."""
    if path == "":
        return new
    for item in dataclasses.fields(value):
        here = getattr(value, item.name)
        if path.startswith(item.name):
            return dataclasses.replace(value, **{item.name: _inside(here, path[len(item.name) :], new)})
    raise AssertionError(path)


def _inside(value, rest, new):
    if rest == "":
        return new
    if rest.startswith("."):
        return _replaced(value, rest[1:], new)
    index, after = _index(rest)
    if isinstance(value, tuple):
        return (*value[:index], _inside(value[index], after, new), *value[index + 1 :])
    return {**value, index: _inside(value[index], after, new)}


def _index(rest):
    for end in range(2, len(rest) + 1):
        if rest[end - 1] == "]":
            try:
                return ast.literal_eval(rest[1 : end - 1]), rest[end:]
            except (SyntaxError, ValueError):
                continue
    raise AssertionError(rest)


REFUSED = {
    "a call of a builtin": "print('boom')",
    "a call of what is not known": "Trunk('a')",
    "a call of a call": "Leaf('a')('b')",
    "a method": "'a'.upper()",
    "an attribute": "Leaf('a').name",
    "an attribute of a known name": "Leaf.__init__",
    "a bare name": "Leaf",
    "a lambda": "lambda: 1",
    "a list comprehension": "[x for x in (1, 2)]",
    "a generator": "Leaf(x for x in (1, 2))",
    "a dict comprehension": "{x: x for x in (1, 2)}",
    "an f-string": "f'{1}'",
    "star arguments": "Leaf(*('a', 1.0))",
    "star keywords": "Leaf(**{'name': 'a'})",
    "a dict that unpacks another": "{**{'a': 1}}",
    "a tuple that unpacks another": "(*(1, 2),)",
    "arithmetic": "2 ** 99999999",
    "a multiplied text": "'a' * 10**9",
    "a condition": "1 if True else 2",
    "a comparison": "1 < 2",
    "an assignment": "(x := 1)",
    "a subscript": "('a', 'b')[0]",
    "a set": "{1, 2}",
    "bytes": "b'a'",
    "a complex number": "1j",
    "an ellipsis": "...",
    "an await": "await x",
    "a statement": "import os",
    "two expressions": "1; 2",
    "a minus before a text": "-'a'",
    "a not": "not True",
    "nothing": "",
    "broken syntax": "Leaf('a'",
    "a null byte": "Leaf('a\0')",
    "a wrong argument": "Leaf('a', colour=1)",
    "too many arguments": "Leaf('a', 1.0, (), 4)",
    "no argument": "Leaf()",
    "a key that cannot be one": "Branch(None, more={Branch({'a': {}}): 1, ('a', {}): 2})",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_the_parser_refuses(text):
    with pytest.raises(errors.DeclarationError, match=r"cannot read a page"):
        part.parse(text, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + ")" * 5000,
        "Branch(" * 500 + "1" + ")" * 500,
        "[" * 80 + "]" * 80,
        "-" * 5000 + "1",
        "a" * 2_000_000,
    ],
    ids=["parentheses", "calls", "lists", "minuses", "length"],
)
def test_the_parser_refuses_what_is_huge_or_deep(text):
    with pytest.raises(errors.DeclarationError, match=r"cannot read a page"):
        part.parse(text, NAMES)


@given(st.text(max_size=60))
def test_the_parser_reads_or_refuses_any_text(text):
    with contextlib.suppress(errors.DeclarationError):
        part.parse(text, NAMES)


def test_nothing_that_is_refused_ever_ran(tmp_path):
    file = tmp_path / "ran"
    with pytest.raises(errors.DeclarationError):
        part.parse(f"Leaf(open({str(file)!r}, 'w'))", NAMES)
    assert not file.exists()


def test_frozen():
    leaf = Leaf("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        leaf.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del leaf.name
    branch = Branch(None, more={"a": {"b": [1]}})
    for change in (
        lambda: branch.more.update(a=1),
        lambda: branch.more.__setitem__("a", 1),
        lambda: branch.more.pop("a"),
        lambda: branch.more["a"].clear(),
    ):
        with pytest.raises(TypeError, match=r"dataclasses\.replace"):
            change()
    assert branch.more == {"a": {"b": (1,)}}


def test_what_goes_in_is_not_what_is_kept():
    tags, more = ["x"], {"a": ["b"]}
    leaf, branch = Leaf("a", tags=tags), Branch(None, more=more)
    tags.append("y")
    more["a"].append("c")
    assert leaf.tags == ("x",)
    assert branch.more == {"a": ("b",)}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Leaf(), "Leaf needs 'name'"),
        (lambda: Leaf("a", nmae="b"), "Leaf has no 'nmae': did you mean 'name'?"),
        (lambda: Leaf("a", name="b"), "Leaf was given 'name' twice"),
        (lambda: Leaf("a", 1.0, (), 3), "Leaf takes at most 3 values, 4 were given"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(make, said):
    with pytest.raises(TypeError) as error:
        make()
    assert str(error.value) == said


def test_parts_of_another_class_are_never_equal():
    class Twig(part.Part):
        name: str
        rate: float = 1.0
        tags: tuple = ()

    assert Twig("a") != Leaf("a")
    assert part.fingerprint(Twig("a")) != part.fingerprint(Leaf("a"))


def test_a_default_is_left_out_of_the_repr_and_kept_in_the_fingerprint():
    assert repr(Leaf("a", 1.0)) == "Leaf('a')"
    assert part.canonical(Leaf("a")) == "Leaf(name='a', rate=1.0, tags=())"
    assert repr(Branch(1)) == "Branch(1)"


SCRIPT = """
from flyball import data, part, units
print(part.fingerprint(data.Table("t", columns={"b": "kW", "a": "mm/s", "c": "category"}, arrives=units.hours(1))))
"""


def test_the_fingerprint_is_the_same_in_every_process():
    def told(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )

    assert len({told(seed).stdout for seed in ("0", "1", "4242")}) == 1


MODULE = "def half(window):\n    return window / 2\n"


def module(folder, text, name="pumps"):
    (folder / f"{name}.py").write_text(text)
    script = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\nfrom flyball import part\nimport {name}\n"
        f"value = part.Function.of({name}.half)\nprint(part.fingerprint(value), value, value.load()(4))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split(" ", 1)


def test_a_functions_whole_module_is_part_of_the_fingerprint(tmp_path):
    first, shown = module(tmp_path, MODULE)
    assert shown == "Function('pumps', 'half') 2.0\n"
    assert module(tmp_path, MODULE)[0] == first
    assert module(tmp_path, MODULE + "# a word\n")[0] != first


def test_a_function_must_stand_in_a_module():
    def inner():
        pass

    for odd in (lambda: None, inner, Leaf.__repr__):
        with pytest.raises(errors.DeclarationError, match="plain function of a module"):
            part.Function.of(odd)
    with pytest.raises(errors.DeclarationError, match="cannot be found"):
        part.fingerprint(part.Function("no_such_module_of_anybody", "f"))


def test_a_parsed_function_is_not_imported(tmp_path):
    value = part.parse("Function('antigravity_of_nobody', 'fly')", {"Function": part.Function})
    assert value == part.Function("antigravity_of_nobody", "fly")


ROOMS = (data, features, monitoring, serving)


def test_every_part_is_spelled_as_a_page_spells_it():
    names = system.names()
    for room in ROOMS:
        for kind in vars(room).values():
            if isinstance(kind, type) and issubclass(kind, part.Part):
                assert names[part.spelled(kind)] is kind


def test_a_module_beside_a_systems_part_decides_its_fingerprint(monkeypatch):
    """What a part of a ready-made system leans on must not change without its steps being computed again."""
    from flyball.systems import turbofan

    found = next(
        inner
        for _, inner in part.walk(turbofan.page.system)
        if type(inner).__module__.startswith("flyball.systems.turbofan.")
    )
    before, source = part.fingerprint(found), part.source
    changed = "flyball.systems.turbofan.conditions"
    monkeypatch.setattr(part, "source", lambda module: source(module) + "#" * (module == changed))
    assert part.fingerprint(found) != before
