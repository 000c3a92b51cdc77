"""Receptive fields as RSN's tables give them: the sizes that all paths from one tensor to another of a graph add up to.

A convolution of k x k adds k - 1 to each size (equation 1, at stride 1); sums and concatenations unite their inputs'.
"""

from keras import layers


def fields(source, target) -> list[int]:
    """The sizes in cells, ascending, in which tensor `target` sees tensor `source`."""
    return sorted(_sizes(target, {id(source): frozenset({1})}))


def _sizes(tensor, known) -> frozenset:
    if id(tensor) not in known:
        operation, inputs = _origin(tensor)
        grown = _growth(operation)
        known[id(tensor)] = frozenset(size + grown for x in inputs for size in _sizes(x, known))
    return known[id(tensor)]


def _origin(tensor):
    operation, node, _ = tensor._keras_history
    return operation, operation._inbound_nodes[node].input_tensors


def _growth(operation) -> int:
    return operation.kernel_size[0] - 1 if isinstance(operation, layers.Conv2D) else 0
