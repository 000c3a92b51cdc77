"""MultiPoseNet: one trunk, a pyramid for keypoints and the person mask, and a pyramid for persons' boxes.

Kocabas, Karagoz, Akbas: "MultiPoseNet: Fast Multi-Person Pose Estimation using Pose Residual Network" (ECCV 2018).

    image -> trunk C2-C5 -> keypoint pyramid K2-K5 -> D2-D5 side by side -> heatmaps and mask
                         -> person pyramid P3-P7 -> RetinaNet -> boxes and scores

The pose residual network, which takes heatmaps and boxes to people, is a network of its own. What the paper leaves
open: D2 to D5 are rectified after both convolutions and enlarged bilinearly, and without their concatenation the
heatmaps are D2's alone. Shapes in the comments are for 480 x 480, width 256 and head 128; B is left out.
"""

import keras
from keras import layers

from tfpose.models import backbones, blocks, retinanet
from tfpose.models import fpn as pyramids

STRIDE = 32
KEYPOINTS, DETECTOR = "keypoint", "detector"  # how the names of the two subnets' layers begin
BOXES = ("boxes", "scores")


def multiposenet(
    *,
    size,
    anchors,
    keypoints=17,
    backbone="resnet50",
    width=256,
    head=128,
    depth=4,
    norm=False,
    concat=True,
    intermediate=True,
):
    """Return MultiPoseNet: "image" (B, H, W, 3) uint8 to "heatmaps/i", "boxes" and "scores", float32.

    Heatmaps (B, H/4, W/4, keypoints + 1) have the person mask last; the last stage is the result, those before it are
    read from K5, K4, K3 and K2, for supervision alone, unless `intermediate` is False. "boxes" (B, A, 4) are codes and
    "scores" (B, A, 1) logits of the `anchors` of each cell at strides 8 to 128. `size` is (height, width), multiples of
    32, or (None, None) for any such. `width` is that of both pyramids, of RetinaNet's towers and of what the heatmaps
    are read from; `head` that of D2 to D5; `depth` the convolutions of a tower; `norm` batch-normalises all of them.
    Raises ValueError for a backbone that does not exist and for another size.
    """
    if any(side is not None and side % STRIDE for side in size):
        raise ValueError(f"multiposenet: size is {tuple(size)}, expected multiples of {STRIDE}; choose the nearest")
    image, levels, strides = backbones.features(size, backbone)
    fine = pyramids.fpn(levels, strides, width, norm=norm, name=f"{KEYPOINTS}_fpn")  # K2 to K5, 120x120x256 ...
    stages = []
    if intermediate:
        stages = [supervised(x, s, keypoints, level) for level, (x, s) in enumerate(zip(fine, strides), 2)][::-1]
    stages.append(result(fine, strides, keypoints, width, head, norm, concat))
    outputs = {f"heatmaps/{i}": maps for i, maps in enumerate(stages)}

    coarse = person_levels(levels, strides, width, norm)  # P3 to P7
    name = f"{DETECTOR}_head"
    outputs["boxes"], outputs["scores"] = retinanet.head(coarse, width, depth, anchors, norm=norm, name=name)
    return keras.Model(image, outputs, name="multiposenet")


def supervised(x, stride, keypoints, level):
    """Return heatmaps of one level of the keypoint pyramid, at stride 4."""
    name = f"{KEYPOINTS}_level{level}_heatmaps"
    return enlarged(blocks.heatmaps(x, keypoints + 1, 1, name=name), stride, name=f"{name}_up", dtype="float32")


def result(fine, strides, keypoints, width, head, norm, concat):
    """Return the heatmaps of the keypoint pyramid's levels together, or of its finest one alone."""
    parts = []
    for level, (x, stride) in enumerate(zip(fine, strides) if concat else [(fine[0], strides[0])], 2):
        name = f"{KEYPOINTS}_d{level}"
        for part in ("a", "b"):
            x = rectified(x, head, norm, f"{name}_{part}")  # 120x120x128 ... 15x15x128
        parts.append(enlarged(x, stride, name=f"{name}_up"))
    x = layers.Concatenate(name=f"{KEYPOINTS}_concat")(parts) if concat else parts[0]  # 120x120x512
    x = rectified(x, width, norm, f"{KEYPOINTS}_smooth")  # 120x120x256
    return blocks.heatmaps(x, keypoints + 1, 1, name=f"{KEYPOINTS}_heatmaps")  # 120x120x18


def rectified(x, filters, norm, name):
    """Return the 3x3 convolution of `x`, rectified."""
    return blocks.relu(pyramids.conv(x, filters, 3, norm=norm, name=name), name=f"{name}_relu")


def enlarged(x, stride, *, name, dtype=None):
    """Return `x` at stride 4, bilinearly."""
    factor = stride // backbones.STRIDES[0]
    if factor == 1:
        return x
    return layers.UpSampling2D(factor, interpolation="bilinear", dtype=dtype, name=name)(x)


def person_levels(levels, strides, width, norm):
    """Return the person pyramid P3 to P7 of a trunk's levels, at strides 8 to 128."""
    levels, name = list(levels[1:]), f"{DETECTOR}_fpn"
    if strides[-1] < STRIDE:
        # A dilated trunk's last level in every second cell, where it is what an undilated one's would be.
        levels[-1] = layers.MaxPooling2D(1, strides=2, name=f"{name}_every_second")(levels[-1])
    merged = pyramids.fpn(levels, backbones.STRIDES[1:], width, norm=norm, name=name)  # 60x60x256 ... 15x15x256
    return merged + pyramids.coarser(levels[-1], width, norm=norm, name=name)  # 8x8x256, 4x4x256


def keypoint_part(network):
    """Return the sub-network of "heatmaps/i" alone, for training without the detector."""
    return _part(network, {k: v for k, v in network.output.items() if k not in BOXES})


def detector_part(network):
    """Return the sub-network of "boxes" and "scores" alone, for training on a trunk that stays as it is."""
    return _part(network, {k: v for k, v in network.output.items() if k in BOXES})


def deployed(network):
    """Return the network that is shipped: the same weights, "heatmaps" of the last stage, "boxes" and "scores".

    Of one of the two parts its own outputs alone.
    """
    rest = {k: v for k, v in network.output.items() if k in BOXES}
    maps = blocks.last_stage(keypoint_part(network)).output if len(rest) < len(network.output) else {}
    return _part(network, maps | rest)


def trunk(network):
    """Return the layers of the trunk, in order: what both subnets stand on and what stays while the detector learns."""
    return [layer for layer in network.layers if not layer.name.startswith((KEYPOINTS, DETECTOR))]


def _part(network, outputs):
    return keras.Model(network.input, outputs, name=network.name)
