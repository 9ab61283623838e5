import json
import math
import tracemalloc

import numpy as np
import pytest

from flyball.site import endpoint_tensors as tensors

CAPS = tensors.Caps()


def tensor(**change):
    one = {"name": "c", "datatype": "FP64", "shape": [2], "data": [1, 2.5], **change}
    return tensors.tensors({"inputs": [one]}, CAPS)[0]


def test_a_tensor_is_read_flat_or_nested():
    assert tensor() == ("c", "FP64", (2,), [1, 2.5])
    assert tensor(shape=[2, 2], data=[[1, 2], [3, 4]]).values == [1, 2, 3, 4]
    assert tensor(shape=[0], data=[]).values == []


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2**40]},
        {"shape": [2**62, 2**62]},
        {"shape": [10**400]},
        {"shape": [-1]},
        {"shape": [2.0]},
        {"shape": [True]},
        {"shape": []},
        {"shape": [1] * 9},
        {"shape": "2"},
        {"shape": [1, 2**17]},
        {"shape": [3]},
        {"datatype": "FP128"},
        {"datatype": 1},
        {"name": 1},
        {"name": "n" * 1000},
        {"data": None},
        {"data": [[1], 2]},
        {"data": [[[1]], [[2]]]},
        {"data": [1, [2]]},
    ],
)
def test_what_is_no_tensor_is_refused_in_few_words(change):
    with pytest.raises(tensors.RefusedError) as refused:
        one = tensor(**change)
        tensors.numbers(one.values, one.datatype, one.name)
    assert refused.value.status == 400 and 0 < len(refused.value.words) < 100


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"inputs": []},
        {"inputs": {}},
        {"inputs": [1]},
        {"inputs": [{}] * 2000},
        {"inputs": [{}], "outputs": [{"name": "other"}]},
        {"inputs": [{}], "outputs": "answer"},
        {"inputs": [{}], "parameters": []},
    ],
)
def test_what_is_no_request_is_refused(request_):
    with pytest.raises(tensors.RefusedError):
        tensors.tensors(request_, CAPS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "no JSON object"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": -Infinity}', "-Infinity is no JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no JSON"),
        (b"[" * 2000 + b"]" * 2000, "no JSON"),
        (b"[" * 500_000, "too many arrays"),
        (b'{"a":' * 100_000, "too many arrays"),
        (b"{" + b"1," * 400_000 + b"}", "too many values"),
        (b'{"' + b'"' * 900_000 + b"}", "too many values"),
        (bytes(2**20 + 1), "more than 1048576 bytes"),
    ],
)
def test_a_hostile_body_is_refused_without_being_unpacked(body, said):
    tracemalloc.start()
    with pytest.raises(tensors.RefusedError, match=said):
        tensors.parsed(body, CAPS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e6


def test_the_largest_request_that_is_allowed_is_read():
    values = [0.123456789] * CAPS.values
    body = json.dumps(
        {"inputs": [{"name": "x", "shape": [1024, 64], "datatype": "FP64", "data": values}]}
    ).encode()
    assert len(tensors.tensors(tensors.parsed(body, CAPS), CAPS)[0].values) == CAPS.values


def test_an_id_is_a_short_text():
    assert tensors.text_of({"id": "a"}, CAPS) == "a" and tensors.text_of({}, CAPS) is None
    for bad in (1, "a" * 257, ["a"]):
        with pytest.raises(tensors.RefusedError):
            tensors.text_of({"id": bad}, CAPS)


@pytest.mark.parametrize(
    ("values", "datatype", "want", "found"),
    [
        ([1, 2.5, None], "FP64", "FP64", [1.0, 2.5, math.nan]),
        ([1, 2], "INT64", "FP64", [1.0, 2.0]),
        ([True, False], "BOOL", "FP64", [1.0, 0.0]),
        ([1, 255], "INT32", "UINT8", [1, 255]),
        ([0.1], "FP64", "FP32", [np.float32(0.1)]),
    ],
)
def test_numbers_come_as_what_is_wanted(values, datatype, want, found):
    out = tensors.numbers(values, datatype, "c", want)
    assert out.dtype == np.dtype(tensors.DATATYPES[want]) and np.array_equal(out, found, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "datatype", "want"),
    [
        (["1"], "FP64", "FP64"),
        ([True], "FP64", "FP64"),
        ([{}], "FP64", "FP64"),
        ([1.5], "INT64", "FP64"),
        ([None], "INT64", "FP64"),
        ([1], "BOOL", "FP64"),
        ([2**70], "INT64", "FP64"),
        ([10**400], "FP64", "FP64"),
        ([1e999], "FP64", "FP64"),
        ([1e300], "FP64", "FP32"),
        ([256], "INT64", "UINT8"),
        ([-1], "INT64", "UINT8"),
        ([1.0], "FP64", "INT64"),
        (["a"], "BYTES", "FP64"),
        (np.array([np.inf]), "FP64", "FP64"),
    ],
)
def test_numbers_of_another_kind_are_refused(values, datatype, want):
    with pytest.raises(tensors.RefusedError):
        tensors.numbers(values, datatype, "c", want)
