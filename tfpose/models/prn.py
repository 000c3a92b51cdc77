"""The Pose Residual Network: which of the keypoints in a box are its person's.

Kocabas, Karagoz, Akbas: "MultiPoseNet: Fast Multi-Person Pose Estimation using Pose Residual Network" (ECCV 2018).

    maps of a box -> flatten -> dense -> dropout -> dense to all cells -> + maps -> softmax over each keypoint's cells
"""

import math

import keras
from keras import layers


def prn(*, grid=(56, 36), keypoints=17, nodes=1024, hidden=1, dropout=0.5, residual=True):
    """Return the network: "maps" (B, *grid, keypoints) float32 to {"poses": as many, sums of 1 over the grid}.

    `hidden` dense layers of `nodes` stand before the last, dropout after the first; `residual` adds the maps (equation
    1, without it equation 3). Raises ValueError where there is no hidden layer.
    """
    if hidden < 1:
        raise ValueError(f"prn: {hidden} hidden layers; expected at least 1")
    shape = (*grid, keypoints)
    maps = keras.Input(shape, name="maps")  # 56x36x17
    x = layers.Flatten(name="flat")(maps)  # 34272
    for i in range(1, hidden + 1):
        x = layers.Dense(nodes, activation="relu", name=f"hidden{i}")(x)  # 1024
        if i == 1:
            x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(math.prod(shape), activation="relu", name="correction")(x)  # 34272
    x = layers.Reshape((math.prod(grid), keypoints), name="cells")(x)  # 2016x17
    if residual:
        x = layers.Add(name="residual")([x, layers.Reshape((math.prod(grid), keypoints), name="maps_cells")(maps)])
    x = layers.Softmax(axis=1, dtype="float32", name="positions")(x)
    return keras.Model(maps, {"poses": layers.Reshape(shape, name="poses")(x)}, name="prn")
