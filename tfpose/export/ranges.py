"""Between which values each tensor of a float file lies, found on views: all values, or all but the rarest.

The converter's own calibration is not used: it reads a tensor after a later operation has overwritten it in place, so
that the ranges of sums and of what goes into them come out wider than they are (TensorFlow 2.21).
"""

import warnings
from collections.abc import Iterable

import numpy as np

from tfpose.export import flatbuffer
from tfpose.progress import progress


def find(content: bytes, views: Iterable[np.ndarray], percentile: float = 100.0) -> dict[int, tuple[float, float]]:
    """{tensor: (least, largest)} of a file's float tensors over views (each (H, W, 3) uint8); its batch is one.

    Below 100, `percentile` per cent of a tensor's values lie at or below the upper end, and as many at or above the
    lower one; a peak beyond is cut. Images and outputs are taken whole, since the peaks of heatmaps are their rarest
    values. ValueError where there is no view.
    """
    from ai_edge_litert.interpreter import Interpreter

    views, model = list(views), flatbuffer.read(content)
    if not views:
        raise ValueError("calibration: no view to find ranges on; raise export.calibration_views")
    graph = model.subgraphs[0]
    ends = {*graph.inputs, *graph.outputs}
    sizes = {i: int(np.prod(graph.tensors[i].shape)) for i in flatbuffer.values(model)}
    beyond = {i: 1 if i in ends else _beyond(size * len(views), percentile) for i, size in sizes.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of the memory that keeping every tensor takes
        interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True)
    run = interpreter.get_signature_runner()
    (name,) = run.get_input_details()
    tails = {i: (np.empty(0, np.float32), np.empty(0, np.float32)) for i in sizes}
    for view in progress(views, len(views), "calibrate"):
        run(**{name: view[None].astype(np.float32)})
        for i, (low, high) in tails.items():
            values = interpreter.get_tensor(i).ravel()
            tails[i] = -_largest(-low, -values, beyond[i]), _largest(high, values, beyond[i])
    return {i: (float(low.max()), float(high.min())) for i, (low, high) in tails.items()}


def _beyond(count: int, percentile: float) -> int:
    """How many values from the end the bound is, the bound itself included."""
    return 1 + int(count * (100 - percentile) / 100)


def _largest(known: np.ndarray, more: np.ndarray, count: int) -> np.ndarray:
    """The `count` largest values of both, in no order."""
    if len(known) == count:
        more = more[more > known.min()]
    values = np.concatenate([known, more])
    return values if len(values) <= count else np.partition(values, len(values) - count)[-count:]
