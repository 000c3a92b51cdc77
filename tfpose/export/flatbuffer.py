"""The graph inside a .tflite file: its operations, the layer each comes from, and the ranges of its tensors."""

from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

FLOAT = schema.TensorType.FLOAT32


@dataclass(frozen=True)
class Operation:
    """One operation: its name ("CONV_2D"), the tensors it reads and writes, and the names of the first it writes."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(content: bytes) -> schema.ModelT:
    """The file as an object whose fields can be changed; `pack` makes a file of it again."""
    return flatbuffer_utils.read_model_from_bytearray(content)


def pack(model: schema.ModelT) -> bytes:
    """The bytes of a .tflite file."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def operations(model: schema.ModelT) -> list[Operation]:
    """Every operation of the first graph, in the order in which they run."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    codes = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    graph = model.subgraphs[0]
    return [Operation(codes[o.opcodeIndex], tuple(o.inputs), tuple(o.outputs)) for o in graph.operators]


def constant(model: schema.ModelT, tensor: int) -> bool:
    """Whether a tensor is written in the file, as weights are."""
    data = model.buffers[model.subgraphs[0].tensors[tensor].buffer].data
    return data is not None and len(data) > 0


def values(model: schema.ModelT) -> list[int]:
    """The float tensors that depend on the image: what calibration looks at."""
    graph = model.subgraphs[0]
    there = [*graph.inputs, *(i for o in graph.operators for i in o.outputs)]
    return [i for i in there if graph.tensors[i].type == FLOAT]


def with_ranges(content: bytes, ranges: dict[int, tuple[float, float]]) -> bytes:
    """The same file with (least, largest) written at its tensors, as a quantizer expects them."""
    model = read(content)
    for i, (low, high) in ranges.items():
        found = schema.QuantizationParametersT()
        found.min, found.max = np.array([low], np.float32), np.array([high], np.float32)
        model.subgraphs[0].tensors[i].quantization = found
    return pack(model)
