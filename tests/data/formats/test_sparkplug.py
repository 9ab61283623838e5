import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import errors
from flyball.data.formats import sparkplug
from flyball.data.formats.sparkplug import Metric, Node, Payload


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("spBv1.0/fab/NBIRTH/cell", ("fab", "NBIRTH", "cell", "")),
        ("spBv1.0/fab/DDATA/cell/A-001", ("fab", "DDATA", "cell", "A-001")),
        ("spBv1.0/fab/NCMD/cell", None), ("spBv1.0/STATE/host", None), ("spBv1.0/fab/DDATA/a/b/c", None),
        ("fab/A/A-001/telemetry", None), ("", None),
    ],
)  # fmt: skip
def test_topics(topic, told):
    assert sparkplug.topic(topic) == told


metrics = st.builds(
    Metric, st.text(max_size=5).filter(lambda s: "\x00" not in s), st.one_of(st.none(), st.integers(0, 2**63)),
    st.integers(1, 2**42),
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=9)
    ),
    st.booleans(), kind=st.just(0),
)  # fmt: skip


@given(
    st.builds(
        Payload,
        st.integers(1, 2**42),
        st.one_of(st.none(), st.integers(0, 255)),
        st.lists(metrics, max_size=4).map(tuple),
    )
)
def test_a_payload_comes_back_as_it_was(told):
    found = sparkplug.payload(sparkplug.packed(told))
    assert found._replace(metrics=tuple(one._replace(kind=0) for one in found.metrics)) == told


@given(st.binary(max_size=80))
def test_any_bytes_are_a_payload_or_a_told_error(content):
    try:
        sparkplug.payload(content)
    except errors.DataError as error:
        assert "Sparkplug" in str(error) or "metric" in str(error)


def test_a_payload_that_is_cut_is_told():
    content = sparkplug.packed(Payload(5, 1, (Metric("power", 1, 5, 2.5, False),)))
    for cut in range(1, len(content)):
        try:
            found = sparkplug.payload(content[:cut])
        except errors.DataError:
            continue
        assert (
            found.metrics == () or found.seq is None
        )  # what is left is whole by itself: numbers are missing then


def test_datatypes_give_the_sign_and_a_nan_is_no_value():
    message = sparkplug._messages()["Payload"]()
    message.timestamp = 1
    for name, kind, field, value in (
        ("i8", 1, "int_value", 2**8 - 2), ("i16", 2, "int_value", 2**16 - 2), ("i32", 3, "int_value", 2**32 - 2),
        ("i64", 4, "long_value", 2**64 - 2), ("u8", 5, "int_value", 254), ("u64", 8, "long_value", 2**64 - 2),
        ("f", 9, "float_value", 0.5), ("nan", 10, "double_value", float("nan")), ("date", 13, "long_value", 7),
    ):  # fmt: skip
        metric = message.metrics.add(name=name, datatype=kind)
        setattr(metric, field, value)
    found = {m.name: m.value for m in sparkplug.payload(message.SerializeToString()).metrics}
    assert found == {
        "i8": -2, "i16": -2, "i32": -2, "i64": -2, "u8": 254, "u64": 2**64 - 2, "f": 0.5, "nan": None, "date": 7,
    }  # fmt: skip
    message.metrics.add(name="picture", datatype=17).bytes_value = b"x"
    last = sparkplug.payload(message.SerializeToString()).metrics[-1]
    assert (last.name, last.value, last.kind) == ("picture", None, sparkplug.UNREAD)
    for wrong in (0, 2**63):
        message.metrics.add(name="when", timestamp=wrong, datatype=10).double_value = 1.0
        with pytest.raises(errors.DataError, match="no time that can be"):
            sparkplug.payload(message.SerializeToString())
        del message.metrics[-1]


def test_the_birth_tells_the_sign_of_numbers_without_a_datatype():
    node = Node()
    node.learn("A", Payload(11, 1, (Metric("x", 7, 11, 1, False, 3), Metric("y", 8, 11, 1, False, 7))))
    assert node.value("A", "x", Metric("", 7, 12, 4294967291, False)) == -5
    assert node.value("A", "y", Metric("", 8, 12, 4294967291, False)) == 4294967291


def test_numbers_go_around_and_what_came_again_is_known():
    node, n = Node(epoch="e", last=0, last_ms=0), 0
    for n in range(1, 1000):
        assert node.number(n % 256, n) == n
        node.last, node.last_ms = n, n
    assert node.number(n % 256, n) == n  # the last one again
    assert node.number((n - 5) % 256, n - 5) == n - 5  # one before it
    assert node.number((n + 200) % 256, n + 200) == n + 200  # 199 are missing: newer by its time
    assert node.number((n + 1) % 256, n) == n + 1  # in the same millisecond
    assert node.number(n % 256, n + 9) == n + 256  # once around


def test_births_name_aliases_and_deaths_belong_to_one():
    node = Node()
    node.born(Payload(10, 0, (Metric("bdSeq", None, 10, 4, False),)))
    node.learn("A", Payload(11, 1, (Metric("power", 7, 11, 1.0, False),)))
    assert node.epoch == "4@10" and node.named("A", Metric("", 7, 12, 2.0, False)) == "power"
    assert node.named("A", Metric("plain", None, 12, 2.0, False)) == "plain"
    for device, alias in (("A", 8), ("B", 7), ("A", None)):
        with pytest.raises(errors.DataError, match="before its birth"):
            node.named(device, Metric("", alias, 12, 2.0, False))
    assert not node.dies("", Payload(13, None, (Metric("bdSeq", None, 13, 3, False),))) and node.stale == []
    assert node.dies("A", Payload(13, 2, ())) and node.stale == ["A"]
    assert node.dies("", Payload(14, None, (Metric("bdSeq", None, 13, 4, False),))) and node.stale == [
        "",
        "A",
    ]
    node.born(Payload(20, 0, ()))
    assert node.stale == [] and node.epoch == "-1@20"
