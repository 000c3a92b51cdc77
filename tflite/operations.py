"""Multiply-accumulates of a .tflite file, read from the file itself: what a network costs, whoever made it."""

from pathlib import Path

import numpy as np

# Their weights meet every cell of the output ...
GATHERING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# ... or of the input.
SCATTERING = "TRANSPOSE_CONV"


def macs(path: Path | str) -> dict[str, int]:
    """{"int8": n, "float32": n}: multiply-accumulates of convolutions and dense layers for one run, by their weights.

    Of a .tflite file of fixed shapes; what runs inside a loop or a branch is not counted, and weights that are made
    float32 before they are used are float32. ValueError for a file that is no .tflite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = Path(path).read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError(f"{path}: not a .tflite file; found {content[4:8]!r} where TFL3 is expected")
    model = schema.Model.GetRootAs(content, 0)
    kinds = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    graph, names = model.Subgraphs(0), []
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        # Older files know only numbers that fit into a byte.
        names.append(kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())])
    operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    found = {"int8": 0, "float32": 0}
    for operator in operators:
        if count := _macs(names[operator.OpcodeIndex()], operator, graph):
            real = graph.Tensors(operator.Inputs(1)).Type() in (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16)
            found["float32" if real else "int8"] += count
    return found


def _macs(name: str, operator, graph) -> int:
    def shape(index: int) -> np.ndarray:
        return graph.Tensors(index).ShapeAsNumpy().astype(np.int64)

    if name == SCATTERING:  # inputs are the output's shape, weights (out, h, w, in), and what is enlarged
        return int(shape(operator.Inputs(2))[:3].prod() * shape(operator.Inputs(1)).prod())
    if name not in GATHERING:
        return 0
    weights, output = shape(operator.Inputs(1)), shape(operator.Outputs(0))
    # Depthwise weights are (1, h, w, out), all others (out, ..., in).
    each = weights[1:3] if name == "DEPTHWISE_CONV_2D" else weights[1:]
    return int(output.prod() * each.prod())
