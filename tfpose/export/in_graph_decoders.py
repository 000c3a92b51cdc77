"""Any decoder as TensorFlow operations: what `pose.json` says of a network -> a function from its maps to people."""

from collections.abc import Callable

from tfpose import decode, runners
from tfpose.decode.inboxes import InBoxes
from tfpose.decode.pafs import Pafs
from tfpose.decode.topdown import TopDown
from tfpose.export.in_graph import InGraph
from tfpose.export.in_graph_inboxes import People
from tfpose.export.in_graph_topdown import InView
from tfpose.spec import PoseSpec

PEOPLE, PEAKS = 20, 32


def decoder(spec: PoseSpec, people: int = PEOPLE) -> Callable[[dict], dict]:
    """One view's raw outputs, {name: (1, h, w, C) float32} -> {"keypoints", "scores", "count"}, all float32 but count.

    `keypoints` (1, P, K, 3) are x, y in view pixels and a score, `scores` (1, P) those of people, best first, `count`
    (1,) int32 says how many there are; from there on all are zeros. P is `people`, of a person's view 1. A decoder of
    boxes gives these too, "boxes" (1, P, 4) x, y, w, h, and a "mask" (1, h, w) of persons. ValueError where the decoder
    has an option that cannot be had in a graph.
    """
    found = decode.decoder(spec.decoder, spec.skeleton)
    if isinstance(found, TopDown):
        call = InView(found)
    elif isinstance(found, Pafs):
        call = InGraph(found, people=people, peaks=min(PEAKS, found.most))
    elif isinstance(found, InBoxes):
        call = People(found, people=people, peaks=PEAKS)
    else:
        raise ValueError(f"decoder {spec.decoder['name']}: sees labels; it has no maps to decode")
    return lambda outputs: call(runners.last_stage(outputs))
