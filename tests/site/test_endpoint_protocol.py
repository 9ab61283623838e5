import numpy as np
import pytest

from flyball.features import arrays
from flyball.features import stage as features
from flyball.site import endpoint_protocol as protocol
from flyball.site import endpoint_tensors as tensors
from flyball.torture import small

CAPS = tensors.Caps()


def asked(request, schema):
    return protocol.question(tensors.tensors(request, CAPS), schema, CAPS)


@pytest.fixture
def schema(releases):
    return protocol.Schema.of(releases["trees"], releases["trees"].name)


def test_the_schema_is_that_of_the_golden_vectors(schema):
    assert {name: one.kind for name, one in schema.inputs.items()} == {
        "c0": "number",
        "c1": "number",
        "c2": "number",
        "kind": "words",
    }
    assert schema.described()[3] == {"name": "kind", "datatype": "BYTES", "shape": [-1]}
    assert schema.version == schema.digest[:12]


def test_a_request_is_the_matrix_it_was_made_of(schema):
    x = small.matrix(5)
    found = asked(small.request(x), schema)
    assert found.order is None and list(found.matrix.columns) == list(x.columns)
    for name in ("c0", "c1", "c2"):
        assert np.array_equal(found.matrix.columns[name], x.columns[name])
    assert found.matrix.columns["kind"].texts() == x.columns["kind"].texts()
    assert found.matrix.moments.keys == ("",)


def test_rows_are_asked_in_the_order_of_machines_and_told_in_theirs(schema):
    request = small.request(small.matrix(3))
    request["inputs"] += [
        {"name": "key", "datatype": "BYTES", "shape": [3], "data": ["z", "a", "z"]},
        {"name": "at", "datatype": "INT64", "shape": [3], "data": [5, 9, 1]},
    ]
    found = asked(request, schema)
    assert found.matrix.moments.names() == ["a", "z", "z"]
    assert found.matrix.moments.at.tolist() == [9, 1, 5]
    assert np.array_equal(
        protocol.restored(found.matrix.columns["c0"], found.order), small.matrix(3).columns["c0"]
    )


def test_columns_that_are_all_numbers_may_come_side_by_side():
    number = protocol.Input("number", "FP64", ())
    schema = protocol.Schema("d" * 64, {"a": number, "b": number})
    x = {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, None]}
    found = asked({"inputs": [x]}, schema).matrix
    assert found.columns["a"].tolist() == [1, 3] and np.isnan(found.columns["b"][1])
    for bad in ({"shape": [4]}, {"shape": [4, 1]}, {"shape": [1, 4]}):
        with pytest.raises(tensors.RefusedError, match="not of shape"):
            asked({"inputs": [{**x, **bad}]}, schema)


def test_sequences_and_images_come_as_they_are(tmp_path):
    x = features.Matrix(
        features.Moments.of(["a", "b"], [0, 0]),
        {
            "sequence": np.zeros((2, 3), dtype=np.float32),
            "image": arrays.Loaded([np.zeros((4, 2), np.uint8), np.zeros((3, 5), np.uint8)]),
        },
    )
    arrays.write_matrix(tmp_path / "golden.npz", x, decode=True)
    schema = protocol.Schema.of(tmp_path, "d" * 64)
    assert schema.inputs["image"] == ("items", "UINT8", (4, 5))
    inputs = [
        {"name": "sequence", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]},
        {"name": "image", "datatype": "UINT8", "shape": [1, 2, 2], "data": [1, 2, 3, 4]},
    ]
    found = asked({"inputs": inputs}, schema).matrix
    assert found.columns["sequence"].dtype == np.float32
    assert found.columns["image"].load()[0].tolist() == [[1, 2], [3, 4]]
    for name, shape in (("sequence", [1, 3, 1]), ("image", [1, 1, 4, 1]), ("image", [1, 1, 6])):
        bad = [
            {**one, "shape": shape, "data": [1] * int(np.prod(shape))} if one["name"] == name else one
            for one in inputs
        ]
        with pytest.raises(tensors.RefusedError, match="shape"):
            asked({"inputs": bad}, schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda inputs: inputs.pop(), "'kind' is missing"),
        (lambda inputs: inputs.append({**inputs[0], "name": "other"}), "does not have"),
        (lambda inputs: inputs.append(inputs[0]), "twice"),
        (lambda inputs: inputs[0].update(shape=[1], data=[1.0]), "differ in their number"),
        (lambda inputs: inputs[3].update(datatype="FP64"), "not BYTES"),
        (lambda inputs: inputs[3].update(data=[1, 2]), "no text"),
        (lambda inputs: inputs[3].update(data=["a" * 300, "b"]), "more than 256"),
        (lambda inputs: inputs[0].update(datatype="BYTES", data=["a", "b"]), "not of numbers"),
        (
            lambda inputs: inputs.append({"name": "at", "datatype": "FP64", "shape": [2], "data": [1, 2]}),
            "not INT64",
        ),
        (
            lambda inputs: inputs.append({"name": "key", "datatype": "BYTES", "shape": [1], "data": ["a"]}),
            "not BYTES",
        ),
        (lambda inputs: inputs.__setitem__(slice(None), [{**inputs[0], "name": "x"}]), "numbers alone"),
    ],
)
def test_what_the_release_cannot_be_asked_is_refused(schema, change, said):
    request = small.request(small.matrix(2))
    change(request["inputs"])
    with pytest.raises(tensors.RefusedError, match=said):
        asked(request, schema)


def test_all_tensors_together_are_bounded(schema):
    request = small.request(small.matrix(1000))
    caps = tensors.Caps(values=3999)
    with pytest.raises(tensors.RefusedError, match="more than 3999 values"):
        protocol.question(tensors.tensors(request, caps), schema, caps)
