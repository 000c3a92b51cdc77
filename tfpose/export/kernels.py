"""Which operations of a network become one int8 kernel together, and which tensors these kernels write.

A batch norm after a convolution, and a relu after either, are parts of it: what is between them is rounded nowhere.
"""

import keras

from tfpose.export.twin import calls

NORM, RELU = "BatchNormalization", "relu"
# The axis of a kernel's output channels.
CHANNELS = {"Conv2D": 3, "DepthwiseConv2D": 2, "Conv2DTranspose": 2}
RANGED = {*CHANNELS, NORM, RELU, "Add", "Multiply", "Concatenate", "GlobalAveragePooling2D", "Rescaling"}
# A relu after them is a part of them.
FUSED = {*CHANNELS, NORM, "Add"}
# LiteRT's kernels write these in the range that they read, and its sigmoid in one of its own.
SAME = {"ZeroPadding2D", "MaxPooling2D", "UpSampling2D", "Resizing", "Reshape", "Split"}
FIXED = {"sigmoid"}


class Graph:
    """The calls of a network's operations, and who reads what they make."""

    def __init__(self, network: keras.Model):
        self.nodes = calls(network)
        self.results = {id(tensor) for tensor in network.outputs}
        self.readers, self.made = {}, {}
        for node in self.nodes:
            self.made |= dict.fromkeys(map(id, node.outputs), node.operation)
            for tensor in node.input_tensors:
                self.readers.setdefault(id(tensor), []).append(node)

    def output(self, operation: keras.Operation) -> str:
        """What an operation's result is rounded within: "moving", "sigmoid", or "" where it is not by itself."""
        if kind(operation) in FIXED:
            return kind(operation)
        nodes = [node for node in self.nodes if node.operation is operation]
        written = kind(operation) in RANGED and not all(self._passed_on(node) for node in nodes)
        return "moving" if written else ""

    def terms(self, operation: keras.Operation) -> int:
        """How many tensors an operation that is called once takes."""
        return len(self._call(operation).input_tensors)

    def folded(self, operation: keras.Operation) -> bool:
        """Whether a batch norm is a part of the convolution before it."""
        node = self._call(operation)
        (tensor,) = node.input_tensors
        made = self.made.get(id(tensor))
        return made is not None and kind(made) in CHANNELS and self._only(tensor) is node

    def _passed_on(self, node) -> bool:
        reader = self._only(node.outputs[0])
        if reader is None:
            return False
        if kind(reader.operation) == NORM:
            return self.folded(reader.operation)
        if kind(reader.operation) == RELU:
            return kind(node.operation) in FUSED
        return self._concatenated(reader)

    def _concatenated(self, node) -> bool:
        # What is put side by side shares one range: that of the whole.
        if kind(node.operation) == "Concatenate":
            return True
        readers = [self._only(tensor) for tensor in node.outputs]
        same = kind(node.operation) in SAME
        return same and all(reader is not None and self._concatenated(reader) for reader in readers)

    def _call(self, operation):
        (node,) = (node for node in self.nodes if node.operation is operation)
        return node

    def _only(self, tensor):
        """The one call that reads a tensor; None where there are several, or the tensor is a result."""
        found = self.readers.get(id(tensor), [])
        return found[0] if len(found) == 1 and id(tensor) not in self.results else None


def kind(operation: keras.Operation) -> str:
    """What an operation is: the name of its class, or of its function where it is an activation."""
    if isinstance(operation, keras.layers.Activation):
        return operation.get_config()["activation"]
    return type(operation).__name__
