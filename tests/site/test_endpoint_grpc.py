import numpy as np
import pytest

from flyball import errors
from flyball.site import endpoint_access, endpoint_grpc
from flyball.site.endpoint_messages import messages
from flyball.torture import small

grpc = pytest.importorskip("grpc")
KINDS = messages()


@pytest.fixture
def call(endpoint):
    with grpc.insecure_channel(endpoint.grpc) as channel:

        def go(name, request=None, /, **more):
            content = (
                request if isinstance(request, bytes) else KINDS[f"{name}Request"](**more).SerializeToString()
            )
            method = channel.unary_unary(f"/{endpoint_grpc.SERVICE}/{name}")
            return KINDS[f"{name}Response"].FromString(method(content, timeout=10))

        yield go


def request(n, raw=False):
    x = small.matrix(n)
    made = KINDS["ModelInferRequest"](model_name="pump", id="7")
    for name, column in x.columns.items():
        if name == "kind":
            tensor = made.inputs.add(name=name, datatype="BYTES", shape=[n])
            tensor.contents.bytes_contents.extend([(text or "").encode() for text in column.texts()])
        else:
            tensor = made.inputs.add(name=name, datatype="FP64", shape=[n])
            tensor.contents.fp64_contents.extend(column.tolist())
    if raw:
        del made.inputs[3]
        for tensor in made.inputs:
            made.raw_input_contents.append(np.array(tensor.contents.fp64_contents).tobytes())
            tensor.ClearField("contents")
    return made


def test_it_answers_as_the_release_does(call, router, releases):
    told = call("ModelInfer", request(20).SerializeToString())
    (out,) = told.outputs
    assert (told.model_name, told.id, told.model_version) == ("pump", "7", releases["trees"].name[:12])
    assert list(out.shape) == [20] and out.datatype == "FP64"
    assert np.array_equal(out.contents.fp64_contents, router.answer(small.matrix(20), 10))


def test_the_methods_of_the_protocol_are_there(call):
    assert call("ServerLive").live and call("ServerReady").ready and call("ModelReady", name="pump").ready
    assert call("ServerMetadata").name == "flyball"
    assert [one.name for one in call("ModelMetadata", name="pump").inputs] == ["c0", "c1", "c2", "kind"]


def changed(change):
    made = request(2)
    change(made)
    return made.SerializeToString()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\xff", "INVALID_ARGUMENT"),
        (b"\x2a\x00" * 400_000, "INVALID_ARGUMENT"),
        (bytes(2**20 + 1), "RESOURCE_EXHAUSTED"),
        (changed(lambda m: setattr(m, "model_name", "pomp")), "NOT_FOUND"),
        (changed(lambda m: setattr(m, "model_version", "0")), "NOT_FOUND"),
        (changed(lambda m: setattr(m, "id", "a" * 1000)), "INVALID_ARGUMENT"),
        (changed(lambda m: m.ClearField("inputs")), "INVALID_ARGUMENT"),
        (changed(lambda m: m.inputs[0].shape.append(2**40)), "INVALID_ARGUMENT"),
        (changed(lambda m: m.inputs[0].shape.extend([1] * 5000)), "INVALID_ARGUMENT"),
        (changed(lambda m: m.inputs[0].contents.fp64_contents.append(1)), "INVALID_ARGUMENT"),
        (
            changed(lambda m: m.inputs[0].contents.fp64_contents.__setitem__(0, float("inf"))),
            "INVALID_ARGUMENT",
        ),
        (changed(lambda m: setattr(m.inputs[0], "datatype", "FP16")), "INVALID_ARGUMENT"),
        (changed(lambda m: setattr(m.inputs[0], "datatype", "BYTES")), "INVALID_ARGUMENT"),
        (changed(lambda m: m.inputs[3].contents.bytes_contents.__setitem__(0, b"\xff")), "INVALID_ARGUMENT"),
        (changed(lambda m: m.raw_input_contents.append(b"1")), "INVALID_ARGUMENT"),
        (changed(lambda m: m.raw_input_contents.extend([b"1"] * 4)), "INVALID_ARGUMENT"),
        (changed(lambda m: m.outputs.add(name="other")), "INVALID_ARGUMENT"),
        (request(3, raw=True).SerializeToString(), "INVALID_ARGUMENT"),
    ],
)
def test_what_is_hostile_or_wrong_is_refused_in_few_words(call, content, code):
    with pytest.raises(grpc.RpcError) as refused:
        call("ModelInfer", content)
    assert refused.value.code().name == code and "Traceback" not in refused.value.details()
    assert len(refused.value.details()) < 120


def test_raw_contents_are_read():
    from flyball.site.endpoint_tensors import Caps

    made = request(3, raw=True)
    found = endpoint_grpc._tensor(made.inputs[0], made.raw_input_contents[0], Caps())
    assert np.array_equal(found.values, small.matrix(3).columns["c0"])
    with pytest.raises(errors.DataError, match="do not come raw"):
        endpoint_grpc._tensor(request(3).inputs[3], b"", Caps())


def test_an_error_tells_nothing_of_the_inside(call, router, monkeypatch, caplog):
    monkeypatch.setattr(router, "send", lambda *rest, **more: 1 / 0)
    with pytest.raises(grpc.RpcError) as failed:
        call("ModelInfer", request(1).SerializeToString())
    assert (failed.value.code().name, failed.value.details()) == ("INTERNAL", "not answered")
    assert "ZeroDivisionError" in caplog.text


def test_a_port_that_is_taken_is_told(endpoint):
    port = int(endpoint.grpc.split(":")[1])
    with pytest.raises(errors.DataError, match="another port"):
        endpoint_grpc.start(
            endpoint.model, endpoint.metrics, None, endpoint.traces, endpoint_access.Bind(), port
        )
