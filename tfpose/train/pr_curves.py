"""Curves of precision and recall as TensorBoard's own plugin shows them, one for each OKS and a point of a run."""

from pathlib import Path

import tensorflow as tf
from tensorboard.plugins.pr_curve import summary

from tfpose.precision import LEVELS, Curve


def write(folder: Path, curves: dict[float, Curve], epoch: int) -> None:
    """Adds {OKS: curve} to the events in a folder, as of an epoch."""
    with tf.summary.create_file_writer(str(folder)).as_default(step=epoch):
        for similar, curve in curves.items():
            tf.summary.experimental.write_raw_pb(_summary(similar, curve), step=epoch)


def _summary(similar: float, curve: Curve) -> bytes:
    missed = curve.people - curve.right
    return summary.raw_data_pb(
        name=f"people/OKS {similar:g}",
        true_positive_counts=curve.right,
        false_positive_counts=curve.wrong,
        true_negative_counts=curve.right * 0,  # nobody can be counted who is not there
        false_negative_counts=missed,
        precision=curve.precision,
        recall=curve.recall,
        num_thresholds=len(LEVELS),
        description="People found by the score from which on they count, as COCO's protocol matches them.",
    ).SerializeToString()
