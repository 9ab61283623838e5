"""The messages of the Open Inference Protocol over gRPC, made from their field numbers: nothing is generated.

Source: kserve/open-inference-protocol, `specification/protocol/open_inference_grpc.proto`.
"""

from __future__ import annotations

import functools
from typing import Any

from flyball import extras

PACKAGE = "inference"
#: Types of fields as descriptors number them.
_BOOL, _STRING, _BYTES, _INT64, _INT32, _UINT32, _UINT64, _FLOAT, _DOUBLE, _MESSAGE = (
    8,
    9,
    12,
    3,
    5,
    13,
    4,
    2,
    1,
    11,
)
_TENSOR = [("name", 1, _STRING), ("datatype", 2, _STRING), ("shape", 3, [_INT64])]
_PARAMETERS: tuple[str, int, Any] = ("parameters", 4, {"InferParameter"})
#: Message -> its fields (name, number, type); a type in a list is repeated, one in a set the values of a map.
_FIELDS: dict[str, list[tuple[str, int, Any]]] = {
    "ServerLiveRequest": [],
    "ServerLiveResponse": [("live", 1, _BOOL)],
    "ServerReadyRequest": [],
    "ServerReadyResponse": [("ready", 1, _BOOL)],
    "ModelReadyRequest": [("name", 1, _STRING), ("version", 2, _STRING)],
    "ModelReadyResponse": [("ready", 1, _BOOL)],
    "ServerMetadataRequest": [],
    "ServerMetadataResponse": [("name", 1, _STRING), ("version", 2, _STRING), ("extensions", 3, [_STRING])],
    "ModelMetadataRequest": [("name", 1, _STRING), ("version", 2, _STRING)],
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": [
        ("name", 1, _STRING), ("versions", 2, [_STRING]), ("platform", 3, _STRING), ("inputs", 4, ["TensorMetadata"]),
        ("outputs", 5, ["TensorMetadata"]),
    ],
    "InferParameter": [("bool_param", 1, _BOOL), ("int64_param", 2, _INT64), ("string_param", 3, _STRING)],
    "InferTensorContents": [
        ("bool_contents", 1, [_BOOL]), ("int_contents", 2, [_INT32]), ("int64_contents", 3, [_INT64]),
        ("uint_contents", 4, [_UINT32]), ("uint64_contents", 5, [_UINT64]), ("fp32_contents", 6, [_FLOAT]),
        ("fp64_contents", 7, [_DOUBLE]), ("bytes_contents", 8, [_BYTES]),
    ],
    "InferInputTensor": [*_TENSOR, _PARAMETERS, ("contents", 5, "InferTensorContents")],
    "InferRequestedOutputTensor": [("name", 1, _STRING), ("parameters", 2, {"InferParameter"})],
    "InferOutputTensor": [*_TENSOR, _PARAMETERS, ("contents", 5, "InferTensorContents")],
    "ModelInferRequest": [
        ("model_name", 1, _STRING), ("model_version", 2, _STRING), ("id", 3, _STRING), _PARAMETERS,
        ("inputs", 5, ["InferInputTensor"]), ("outputs", 6, ["InferRequestedOutputTensor"]),
        ("raw_input_contents", 7, [_BYTES]),
    ],
    "ModelInferResponse": [
        ("model_name", 1, _STRING), ("model_version", 2, _STRING), ("id", 3, _STRING), _PARAMETERS,
        ("outputs", 5, ["InferOutputTensor"]), ("raw_output_contents", 6, [_BYTES]),
    ],
}  # fmt: skip
#: Where the values of a datatype stand; FP16 comes raw alone.
CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


@functools.cache
def messages() -> dict[str, Any]:
    """Return the classes of all messages by name; raises MissingExtraError without the extra."""
    descriptors, pools, factories = (
        extras.need(f"google.protobuf.{name}", "serve", "to answer over gRPC")
        for name in ("descriptor_pb2", "descriptor_pool", "message_factory")
    )
    file = descriptors.FileDescriptorProto(name="open_inference_grpc.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            if isinstance(kind, set):
                _add_map(message, field, number, next(iter(kind)), name)
            else:
                repeated = isinstance(kind, list)
                _add(message, field, number, kind[0] if repeated else kind, 3 if repeated else 1)
    # One of its values, so that a value that is 0 or false is seen to be there.
    parameter = next(one for one in file.message_type if one.name == "InferParameter")
    parameter.oneof_decl.add(name="parameter_choice")
    for one in parameter.field:
        one.oneof_index = 0
    pool = pools.DescriptorPool()
    pool.Add(file)
    return {
        name: factories.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _FIELDS
    }


def _add(message: Any, name: str, number: int, kind: Any, label: int) -> None:
    named = isinstance(kind, str)
    added = message.field.add(name=name, number=number, type=_MESSAGE if named else kind, label=label)
    if named:
        added.type_name = f".{PACKAGE}.{kind}"


def _add_map(message: Any, name: str, number: int, values: str, inside: str) -> None:
    """Add a map from texts, which is a repeated message of key and value."""
    entry = message.nested_type.add(name="ParametersEntry")
    entry.options.map_entry = True
    _add(entry, "key", 1, _STRING, 1)
    _add(entry, "value", 2, values, 1)
    _add(message, name, number, f"{inside}.ParametersEntry", 3)


def fields(content: bytes, most: int) -> int:
    """Return how many fields a message has at its top, counted without unpacking them; `most` + 1 where more.

    >>> fields(bytes([0x2A, 0, 0x2A, 0]), 10), fields(bytes([0x2A, 0]) * 1000, 10)
    (2, 11)
    """
    at, found, end = 0, 0, len(content)
    while at < end and found <= most:
        found += 1
        key, at = _varint(content, at)
        kind = key & 7
        if kind == 2:
            size, at = _varint(content, at)
            at += size
        elif kind == 0:
            _, at = _varint(content, at)
        else:
            at += {1: 8, 5: 4}.get(kind, end)
    return found


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(content[at : at + 10]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    return value, len(content)
