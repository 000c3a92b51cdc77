"""The most multiply-accumulates a second that LiteRT reaches here: one dense convolution, as a file made in memory.

A network's share of it says how well the device is used, and is the same question on every device.
"""

from collections.abc import Callable

import numpy as np

# 3x3, as many channels out as in: weights that fit into a cache, and work enough to make a call's cost small.
GRID, CHANNELS, KERNEL = 32, 128, 3
MACS = GRID**2 * CHANNELS**2 * KERNEL**2


def convolution(kind: str, threads: int = 1) -> Callable[[], None]:
    """A call that runs `MACS` multiply-accumulates in "int8" or "float32" on LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=file(kind), num_threads=threads)
    interpreter.allocate_tensors()
    (details,) = interpreter.get_input_details()
    values = np.random.default_rng(0).integers(-100, 100, details["shape"]).astype(details["dtype"])
    interpreter.set_tensor(details["index"], values)
    return interpreter.invoke


def file(kind: str) -> bytes:
    """A .tflite file of one convolution, "int8" with a scale per channel or "float32"; random weights."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(_model(schema, kind).Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _model(schema, kind: str):
    whole = kind == "int8"
    weights = np.random.default_rng(0).integers(-100, 100, (CHANNELS, KERNEL, KERNEL, CHANNELS))
    weights = weights.astype(np.int8 if whole else np.float32)
    bias = np.zeros(CHANNELS, np.int32 if whole else np.float32)
    types = schema.TensorType
    number, sums = (types.INT8, types.INT32) if whole else (types.FLOAT32, types.FLOAT32)

    def tensor(shape, dtype, scales, buffer=0):
        quantization = schema.QuantizationParametersT(scale=scales, zeroPoint=[0] * len(scales)) if whole else None
        return schema.TensorT(shape=list(shape), type=dtype, buffer=buffer, name=str(buffer), quantization=quantization)

    image = (1, GRID, GRID, CHANNELS)
    step = 0.01
    tensors = [
        tensor(image, number, [1.0]),
        tensor(weights.shape, number, [step] * CHANNELS, 1),
        tensor(bias.shape, sums, [step] * CHANNELS, 2),
        tensor(image, number, [100.0]),
    ]
    options = schema.Conv2DOptionsT(padding=schema.Padding.SAME, strideW=1, strideH=1)
    operator = schema.OperatorT(inputs=[0, 1, 2], outputs=[3], builtinOptions=options)
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    buffers = [np.zeros(0, np.uint8), weights.view(np.uint8).ravel(), bias.view(np.uint8)]
    code = schema.BuiltinOperator.CONV_2D
    return schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=3)],
        subgraphs=[schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[3], operators=[operator])],
        buffers=[schema.BufferT(data=data if len(data) else None) for data in buffers],
    )
