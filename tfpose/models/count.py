"""What a network costs, read from its built graph: weights and multiply-accumulates, whole and layer by layer.

Multiply-accumulates are those of convolutions' and dense layers' kernels, for one image; biases, batch norm, sums and
activations cost nothing, as in the papers. PPNet and RSN print 2^30 multiply-accumulates as a "GFLOP", MLN 10^9.
"""

import math
from dataclasses import dataclass

from keras import layers

# Their kernel meets every cell of the output ...
GATHERING = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.Dense)
# ... or of the input: counting a transposed convolution by its output over-counts it stride x stride times.
SCATTERING = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


@dataclass(frozen=True)
class Row:
    """One call of a layer: its output shape without the batch, trainable weights, multiply-accumulates for one image.

    A layer that is called again shows its weights in the first row only, so that a column adds up to the whole.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    macs: int


def parameters(model) -> tuple[int, int]:
    """Return (all trainable weights, those in kernels of convolutions and dense layers alone)."""
    kernels = {id(layer.kernel): layer.kernel for layer in model.operations if _has_kernel(layer)}
    return _weights(model.trainable_weights), _weights(kernels.values())


def macs(model, *, scattered_by_output=False) -> int:
    """Return the multiply-accumulates of one image through every layer of `model`.

    `scattered_by_output` counts transposed convolutions by their output, as HRNet's summary tool does: stride x stride
    times what is computed, and what SimpleBaseline's published figures are.
    Raises ValueError where a layer's grid is not known (build the network for a fixed size) and where a layer has
    kernels of a kind that is not counted here.
    """
    return sum(_macs(node, scattered_by_output) for node in _calls(model))


def table(model) -> list[Row]:
    """Return one row per call of a layer, in the order of the graph. Raises ValueError as `macs` does."""
    rows, seen = [], set()
    for node in _calls(model):
        layer = node.operation
        # A plain operation, such as keras.ops.concatenate, has no weights.
        weights = getattr(layer, "trainable_weights", []) if id(layer) not in seen else []
        seen.add(id(layer))
        shape = tuple(node.output_tensors[0].shape[1:])
        rows.append(Row(layer.name, type(layer).__name__, shape, _weights(weights), _macs(node)))
    return rows


def _calls(model):
    # A layer may be called several times, and by other networks too; the calls by this one are the nodes of its graph.
    return [node for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True) for node in nodes]


def _macs(node, scattered_by_output=False):
    layer = node.operation
    if not _has_kernel(layer):
        return 0
    by_input = isinstance(layer, SCATTERING) and not scattered_by_output
    grid = (node.input_tensors if by_input else node.output_tensors)[0].shape[1:-1]
    if None in grid:
        raise ValueError(f"{layer.name}: its grid is {grid}, expected numbers; build the network for a fixed size")
    return math.prod(grid) * math.prod(layer.kernel.shape)


def _has_kernel(layer):
    if isinstance(layer, GATHERING + SCATTERING):
        return True
    if any(len(weight.shape) > 1 for weight in getattr(layer, "weights", [])):
        kinds = ", ".join(kind.__name__ for kind in GATHERING + SCATTERING)
        raise ValueError(
            f"{layer.name}: a {type(layer).__name__} with kernels, expected one of {kinds}; add its cost here"
        )
    return False


def _weights(variables):
    return sum(math.prod(variable.shape) for variable in variables)
