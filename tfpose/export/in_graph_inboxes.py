"""The decoder of heatmaps and persons' boxes as TensorFlow operations: `decode/inboxes.py` with fixed numbers.

Every operation is one that LiteRT has built in. In shapes B is the number of boxes, M the peaks of a keypoint.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfpose import anchors, geometry
from tfpose.decode import owners
from tfpose.decode.inboxes import InBoxes
from tfpose.export import in_graph_assign, in_graph_owners
from tfpose.export.in_graph_boxes import detections
from tfpose.export.in_graph_peaks import peaks


@dataclass(frozen=True)
class People:
    """{"heatmaps": (1, h, w, K + 1), "boxes": (1, A, 4), "scores": (1, A, 1)} -> everybody, by a decoder's rules.

    `keypoints` (1, people, K, 3) are x, y in view pixels and a score, `scores` (1, people), best first, `boxes`
    (1, people, 4) x, y, w, h: zeros from `count` (1,) int32 on. `mask` (1, h, w) says how sure a cell is somebody's.
    """

    decoder: InBoxes
    people: int = 20
    peaks: int = 32

    def __call__(self, outputs: dict) -> dict:
        decoder, heatmaps = self.decoder, outputs["heatmaps"]
        size = tuple(side * decoder.stride for side in heatmaps.shape[1:3])
        among = anchors.anchors(size)
        codes, logits = (tf.reshape(outputs[name], [len(among), -1]) for name in ("boxes", "scores"))
        limits = {"most": self.people, "score": decoder.score, "overlap": decoder.overlap}
        boxes, sure, count = detections(codes, logits, among, size, **limits)  # (B, 4), (B,)
        cells, values = peaks(heatmaps, decoder.threshold, min(self.peaks, decoder.most), by_place=True)
        pixels = geometry.stride(decoder.stride).inverse.matrix.astype(np.float32)
        points = cells * pixels.diagonal() + pixels[:, 2]  # (K, M, 2)
        worth = self._worth(points, values, boxes)  # (K, B, M)
        chosen = tf.transpose(in_graph_assign.RULES[decoder.rule](worth, count))  # (B, K)
        people = _people(chosen, tf.concat([points, values[..., None]], axis=-1), boxes, sure)
        return people | {"mask": heatmaps[..., -1]}

    def _worth(self, points, values, boxes):
        if not self.decoder.assign:
            places = in_graph_assign.places(points, boxes, self.decoder.margin)
            return tf.where(in_graph_assign.inside(places, boxes), values[:, None], 0.0)
        asked, network = owners.load(self.decoder.assign, self.decoder.skeleton)
        places = in_graph_assign.places(points, boxes, asked.margin)
        inside = in_graph_assign.inside(places, boxes) & (values > 0)[:, None]
        return in_graph_owners.worth(asked, network, places, inside, values, boxes)


def _people(chosen, told, boxes, sure):
    """The people of boxes (B, 4) that are `sure` (B,), with the candidates (K, M, 3) chosen (B, K); best first."""
    kinds, peaks = told.shape[:2]
    known = tf.cast(chosen >= 0, tf.float32)
    flat = tf.range(kinds) * peaks + tf.maximum(chosen, 0)
    keypoints = tf.gather(tf.reshape(told, [kinds * peaks, 3]), flat) * known[..., None]  # (B, K, 3)
    found = tf.reduce_sum(known, axis=1)
    total = sure * tf.reduce_sum(keypoints[..., 2], axis=1) / tf.maximum(found, 1.0)
    ranks, order = tf.math.top_k(tf.where(found > 0, total, -1.0), total.shape[0])
    there = tf.cast(ranks >= 0, tf.float32)
    return {
        "keypoints": (tf.gather(keypoints, order) * there[:, None, None])[None],
        "scores": (ranks * there)[None],
        "boxes": (tf.gather(boxes, order) * there[:, None])[None],
        "count": tf.reduce_sum(tf.cast(there, tf.int32))[None],
    }
