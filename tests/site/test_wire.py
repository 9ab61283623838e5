import json
import socket
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import data, errors
from flyball.features import arrays
from flyball.features import stage as features
from flyball.site import wire
from flyball.torture import small


def sent(x):
    description, body = wire.write_matrix(x)
    return wire.Frame(wire.Kind.ASK, 1, description, b"".join(body))


def same(a, b):
    assert a.moments.keys == b.moments.keys and list(a.columns) == list(b.columns) and a.stopped == b.stopped
    assert np.array_equal(a.moments.codes, b.moments.codes) and np.array_equal(a.moments.at, b.moments.at)
    for name, column in a.columns.items():
        other = b.columns[name]
        if isinstance(column, np.ndarray):
            assert column.dtype == other.dtype and column.tobytes() == other.tobytes()
            assert column.shape == other.shape
        elif isinstance(column, data.stage.Words):
            assert column.texts() == other.texts()
        else:
            for one, two in zip(column.load(), other.load(), strict=True):
                assert np.array_equal(one, two) and one.dtype == two.dtype


def every(n):
    x = small.matrix(n)
    rng = np.random.default_rng(3)
    more = {
        "narrow": rng.normal(size=n).astype(np.float32),
        "whole": np.arange(n),
        "flag": np.arange(n) % 2 == 0,
        "sequence": rng.normal(size=(n, 3, 2)),
        "image": arrays.Loaded([rng.integers(0, 255, (i + 1, 2), dtype=np.uint8) for i in range(n)]),
        "nan": np.full(n, np.nan),
    }
    return features.Matrix(x.moments, {**more, **x.columns}, {"gone": "table 'x' has not arrived"})


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_every_kind_of_column_arrives_as_it_was(n):
    same(every(n), wire.read_matrix(sent(every(n))))


def test_big_endian_numbers_arrive_as_little():
    x = features.Matrix(features.Moments.of(["a"], [1]), {"c": np.array([3], dtype=">i4")})
    found = wire.read_matrix(sent(x)).columns["c"]
    assert found.tolist() == [3] and found.dtype == np.dtype("<i4")


def test_an_object_does_not_travel():
    x = features.Matrix(features.Moments.of(["a"], [1]), {"c": np.array([{}], dtype=object)})
    with pytest.raises(errors.DataError, match="dtype object"):
        wire.write_matrix(x)


def test_too_many_rows_are_not_sent():
    n = wire.MOST_ROWS + 1
    x = features.Matrix(features.Moments(("a",), np.zeros(n, np.int32), np.zeros(n, np.int64)), {})
    with pytest.raises(errors.DataError, match="ask in pieces"):
        wire.write_matrix(x)


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    one.settimeout(5)
    other.settimeout(5)
    with one, other:
        yield wire.Channel(one), wire.Channel(other)


def test_frames_come_in_order_and_whole(ends):
    here, there = ends
    here.send(wire.Kind.ASK, 7, b"{}", [b"ab", b"c"])
    here.send(wire.Kind.CHECK, 2**32 - 1)
    assert there.receive() == (wire.Kind.ASK, 7, b"{}", b"abc")
    assert there.more()
    assert there.receive() == (wire.Kind.CHECK, 2**32 - 1, b"", b"")
    assert not there.more()
    here.end.close()
    assert there.receive() is None


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: here", "no frame"),
        (wire.HEADER.pack(b"FBY0", 3, 1, 0, 0), "no frame"),
        (wire.HEADER.pack(wire.MAGIC, 99, 1, 0, 0), "no frame"),
        (wire.HEADER.pack(wire.MAGIC, 3, 1, 2**32 - 1, 0), "at most"),
        (wire.HEADER.pack(wire.MAGIC, 3, 1, 0, 2**60), "at most"),
    ],
)
def test_what_is_no_frame_or_too_large_is_refused_before_it_is_read(ends, head, said):
    here, there = ends
    here.end.sendall(head)
    with pytest.raises(errors.DataError, match=said):
        there.receive()


def test_a_frame_that_ends_in_its_middle_is_told(ends):
    here, there = ends
    here.end.sendall(wire.packed(wire.Kind.ASK, 1, b"{}", [b"abc"])[:-1])
    here.end.close()
    with pytest.raises(errors.DataError, match="ends at byte 28 of a frame of 29"):
        there.receive()


def test_a_claimed_length_takes_no_memory(ends):
    here, there = ends
    here.end.sendall(wire.HEADER.pack(wire.MAGIC, 3, 1, 0, wire.MOST_BODY) + b"x")
    here.end.shutdown(socket.SHUT_WR)
    with pytest.raises(errors.DataError, match="ends at byte 25"):
        there.receive()
    assert there._held.__sizeof__() < 2**20


def changed(frame, **change):
    described = json.loads(frame.description)
    return frame._replace(description=json.dumps({**described, **change}).encode())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": -1}, "rows"),
        ({"rows": 2**40}, "rows"),
        ({"rows": True}, "rows"),
        ({"columns": None}, "columns"),
        ({"columns": [["c", "array", "<f8", [2**60, 2**60]]]}, "shape"),
        ({"columns": [["c", "array", "<f8", [3, 2**27]]]}, "longer than its frame"),
        ({"columns": [["c", "array", "|O", [3]]]}, "dtype"),
        ({"columns": [["c", "array", "<f8", [2]]]}, "not described"),
        ({"columns": [["c", "pickle"]]}, "not described"),
        ({"columns": [["c"]]}, "name and a kind"),
        ({"columns": [["c", "items", [["<f8", [1]]]]]}, "not described"),
        ({"columns": [["c", "words"]] * 2}, "."),
        ({"stopped": {"a": 1}}, "reason"),
    ],
)
def test_a_description_that_lies_is_refused(change, said):
    with pytest.raises(errors.DataError, match=said):
        wire.read_matrix(changed(sent(small.matrix(3)), **change))


def test_codes_that_name_nothing_are_refused():
    x = small.matrix(2)
    words = features.Matrix(x.moments, {"w": data.stage.Words(np.array([0, 5], np.int32), ("a",))})
    with pytest.raises(errors.DataError, match="words that are not there"):
        wire.read_matrix(sent(words))
    moments = features.Matrix(features.Moments(("a",), np.array([0, 1], np.int32), x.moments.at), {})
    with pytest.raises(errors.DataError, match="machines that are not there"):
        wire.read_matrix(sent(moments))


@given(st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_a_damaged_frame_is_read_or_refused_and_nothing_else(place, value, cut):
    frame = sent(every(3))
    whole = bytearray(struct.pack("<I", len(frame.description)) + frame.description + frame.body)
    at = 4 + place % (len(whole) - 4)
    whole[at] = value
    described, body = bytes(whole[4 : 4 + len(frame.description)]), bytes(whole[4 + len(frame.description) :])
    try:
        wire.read_matrix(wire.Frame(wire.Kind.ASK, 1, described, body[: at % len(body)] if cut else body))
    except errors.DataError as error:
        assert str(error)


@pytest.mark.parametrize("answer", [np.array([0.5, np.nan]), np.zeros((0, 3)), np.arange(6.0).reshape(2, 3)])
def test_an_answer_arrives_as_it_was(answer):
    description, body = wire.write_answer(answer)
    found = wire.read_answer(wire.Frame(wire.Kind.ANSWER, 1, description, b"".join(body)))
    assert found.shape == answer.shape and np.array_equal(found, answer, equal_nan=True)
    with pytest.raises(errors.DataError):
        wire.read_answer(wire.Frame(wire.Kind.ANSWER, 1, b'{"dtype":"<f8","shape":[9999]}', b"".join(body)))
    with pytest.raises(errors.DataError, match="no JSON object"):
        wire.read_answer(wire.Frame(wire.Kind.ANSWER, 1, b"[" * 5000, b""))


def test_what_is_too_much_for_a_frame_is_not_packed(monkeypatch):
    monkeypatch.setattr(wire, "MOST_BODY", 10)
    with pytest.raises(errors.DataError, match="fewer rows"):
        wire.packed(wire.Kind.ASK, 1, b"", [bytes(11)])
