"""MLN: heatmaps and part affinity fields in two branches, which hand each other their features before both are refined.

Huang, Zhuang, Qin: "Multi-Level Network for High-Speed Multi-Person Pose Estimation" (ICIP 2019).

    image -> trunk -> context -> detection -> transfer to the other branch -> maps -> refinement with context -> maps

The paper's figure of the layers is not printed in full. Both layouts here have exactly its number of weights, its cost
and its size with the trunk VGG-19; so have others, and nothing says which one its authors built. Shapes in the comments
are for 368 x 432, width 128, blocks "concat", 18 keypoints and 19 limbs; B is left out.
"""

import keras
from keras import layers

from tfpose.models import fields

BRANCHES = ("limbs", "keypoints")
TRANSFERS = 4
REFINEMENTS = {"concat": 5, "squeeze": 7}  # blocks of a refinement


def mln(*, size, keypoints, limbs, block="concat", trunk="vgg19", width=128, norm=False):
    """Return MLN: "image" (B, H, W, 3) uint8 to "heatmaps/i" and "pafs/i", i = 0 (detected), 1 (refined), float32.

    Maps are at stride 8: heatmaps have `keypoints` channels and the background, fields two for each of `limbs`, x and
    y. `size` is (height, width), multiples of 8, or (None, None) for any such. `block` "concat" gives its three
    convolutions side by side, and a refinement has five such; "squeeze" brings them back to `width` channels, and a
    refinement has the seven of the text. `trunk` is "vgg19" or "mobilenet"; `width` is that of the heads' convolutions
    but the last ones, pointwise; `norm` batch-normalises the heads.
    Raises ValueError for a choice that does not exist and for another size.
    """
    if block not in REFINEMENTS:
        raise ValueError(f"mln: block is {block!r}, expected one of {', '.join(REFINEMENTS)}; set it to one of these")
    image, context = fields.features(size, trunk, norm)  # 46x54x128
    own = {b: detection(context, width, norm, block, f"detect_{b}") for b in BRANCHES}
    sent = {b: transfer(own[b], width, norm, block, f"transfer_{b}") for b in BRANCHES}
    merged = {}
    for branch, other in zip(BRANCHES, reversed(BRANCHES)):
        x = layers.Concatenate(name=f"merge_{branch}_concat")([own[branch][-1], sent[other]])  # 46x54x512
        merged[branch] = fields.conv(x, fields.READ, 1, norm=norm, name=f"merge_{branch}_conv")  # 46x54x128
    detected = maps(merged, keypoints, limbs, norm, "detect")  # 46x54x38, 46x54x19
    x = layers.Concatenate(name="refine_concat")([*detected, context])  # 46x54x185
    better = {b: refinement(x, width, norm, block, f"refine_{b}") for b in BRANCHES}
    refined = maps(better, keypoints, limbs, norm, "refine")
    outputs = {}
    for i, (pafs, heatmaps) in enumerate((detected, refined)):
        outputs |= {f"heatmaps/{i}": heatmaps, f"pafs/{i}": pafs}
    return keras.Model(image, outputs, name="mln")


def detection(x, width, norm, block, name):
    """Return a branch's features, from whole regions to single places: what the other branch is sent."""
    result = []
    for i in (1, 2, 3):
        x = fields.conv(x, width, 3, norm=norm, name=f"{name}_conv{i}")  # 46x54x128
        result.append(x)
    if block == "squeeze":
        result.append(fields.conv(x, 4 * width, 1, norm=norm, name=f"{name}_conv4"))  # 46x54x512
    return result


def transfer(features, width, norm, block, name):
    """Return all features of a branch as the other one takes them, by four blocks that see 200 pixels across."""
    x = layers.Concatenate(name=f"{name}_concat")(features)  # 46x54x384
    for i in range(1, TRANSFERS + 1):
        x = dense(x, width, norm, block, f"{name}_block{i}")  # 46x54x384
    return x


def refinement(x, width, norm, block, name):
    """Return the features behind the refined maps of one branch."""
    for i in range(1, REFINEMENTS[block] + 1):
        x = dense(x, width, norm, block, f"{name}_block{i}")  # 46x54x384
    return fields.conv(x, fields.READ, 1, norm=norm, name=f"{name}_conv")  # 46x54x128


def dense(x, width, norm, block, name):
    """Return three convolutions in a row, side by side, or with "squeeze" the pointwise convolution of them all."""
    result = []
    for i in (1, 2, 3):
        x = fields.conv(x, width, 3, norm=norm, name=f"{name}_conv{i}")  # 46x54x128
        result.append(x)
    x = layers.Concatenate(name=f"{name}_concat")(result)  # 46x54x384
    return fields.conv(x, width, 1, norm=norm, name=f"{name}_squeeze") if block == "squeeze" else x


def maps(features, keypoints, limbs, norm, name):
    """Return the fields and the heatmaps of the branches' features."""
    pafs = fields.maps(features["limbs"], 2 * limbs, norm=norm, name=f"{name}_pafs")  # 46x54x38
    heatmaps = fields.maps(features["keypoints"], keypoints + 1, norm=norm, name=f"{name}_heatmaps")  # 46x54x19
    return pafs, heatmaps
