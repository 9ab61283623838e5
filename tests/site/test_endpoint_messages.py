from flyball.site import endpoint_messages
from flyball.site.endpoint_messages import fields, messages


def test_messages_are_those_of_the_protocol():
    kinds = messages()
    request = kinds["ModelInferRequest"](model_name="m", id="7")
    request.parameters["a"].int64_param = 5
    tensor = request.inputs.add(name="c", datatype="FP64", shape=[2])
    tensor.contents.fp64_contents.extend([1.5, 2.5])
    content = request.SerializeToString()
    # Field numbers 1, 3, 4 and 5 with lengths, as the published file has them.
    assert content.startswith(b"\x0a\x01m\x1a\x017\x22") and b"\x2a" in content
    again = kinds["ModelInferRequest"].FromString(content)
    assert list(again.inputs[0].contents.fp64_contents) == [1.5, 2.5]
    assert again.parameters["a"].WhichOneof("parameter_choice") == "int64_param"
    assert set(endpoint_messages.CONTENTS.values()) == {
        field.name for field in kinds["InferTensorContents"].DESCRIPTOR.fields
    }


def test_fields_are_counted_without_unpacking():
    kinds = messages()
    request = kinds["ModelInferRequest"](model_name="m", raw_input_contents=[b"x" * 1000] * 3)
    assert fields(request.SerializeToString(), 100) == 4
    assert fields(b"", 5) == 0
    for odd in (
        b"\xff" * 20,
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0b\x0c",
        b"\x0d1234\x091234567\x08",
        b"\x08\x01" * 3,
    ):
        assert 1 <= fields(odd, 5) <= 6
