"""OpenPose: heatmaps and part affinity fields in two branches, refined from stage to stage.

Cao, Simon, Wei, Sheikh: "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (CVPR 2017).

    image -> trunk -> context -> stage 1 -> [maps of both branches and context -> stage] x 5

With the trunk VGG-19 the network has the weights and the cost that MLN's table 2 prints for it. Shapes in the comments
are for 368 x 432 and width 128, 18 keypoints and 19 limbs; B is left out.
"""

import keras
from keras import layers

from tfpose.models import fields


def openpose(*, size, keypoints, limbs, stages=6, trunk="vgg19", width=128, norm=False):
    """Return OpenPose: "image" (B, H, W, 3) uint8 to "heatmaps/i" and "pafs/i", i of `stages`, float32 at stride 8.

    Heatmaps have `keypoints` channels and the background, fields two for each of `limbs`, x and y. `size` is (height,
    width), multiples of 8, or (None, None) for any such. `trunk` is "vgg19" or "mobilenet"; `width` is that of the
    heads' convolutions but the last ones, pointwise; `norm` batch-normalises the heads. Raises ValueError for a trunk
    that does not exist and for another size.
    """
    image, context = fields.features(size, trunk, norm)  # 46x54x128
    x, outputs = context, {}
    for stage in range(stages):
        name, branch = f"stage{stage + 1}", later if stage else first
        pafs, heatmaps = (branch(x, width, norm, f"{name}_{b}") for b in ("limbs", "keypoints"))
        pafs = fields.maps(pafs, 2 * limbs, norm=norm, name=f"{name}_pafs")  # 46x54x38
        heatmaps = fields.maps(heatmaps, keypoints + 1, norm=norm, name=f"{name}_heatmaps")  # 46x54x19
        outputs |= {f"heatmaps/{stage}": heatmaps, f"pafs/{stage}": pafs}
        if stage < stages - 1:
            x = layers.Concatenate(name=f"{name}_concat")([pafs, heatmaps, context])  # 46x54x185
    return keras.Model(image, outputs, name="openpose")


def first(x, width, norm, name):
    """Return the features behind the first stage's maps of one branch."""
    for i in (1, 2, 3):
        x = fields.conv(x, width, 3, norm=norm, name=f"{name}_conv{i}")  # 46x54x128
    return fields.conv(x, 4 * fields.READ, 1, norm=norm, name=f"{name}_conv4")  # 46x54x512


def later(x, width, norm, name):
    """Return the features behind a later stage's maps of one branch."""
    for i in (1, 2, 3, 4, 5):
        x = fields.conv(x, width, 7, norm=norm, name=f"{name}_conv{i}")  # 46x54x128
    return fields.conv(x, fields.READ, 1, norm=norm, name=f"{name}_conv6")
