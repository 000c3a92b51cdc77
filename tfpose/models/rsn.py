"""RSN: residual steps networks, one to four encoders and decoders in a row, every level of each supervised.

Cai et al.: "Learning Delicate Local Representations for Multi-Person Pose Estimation" (ECCV 2020).

    image -> stem -> [encoder at stride 4, 8, 16, 32 -> decoder back to 4 -> heads -> hand-over] x stages

The eighteen-layer network has the weights and the cost of its authors' own log. The frame of the deeper ones is
published nowhere, and was chosen because their costs come out. Shapes in the comments are for 256 x 192 and the paper's
eighteen layers; B is left out.
"""

import keras
from keras import layers

from tfpose.models import blocks
from tfpose.models.rsn_units import PATHS, Unit, conv_bn, conv_bn_relu, pose_refine_machine, residual

LEVELS = 4
STRIDE = 32
PROFILES = ("paper", "release")


def rsn(
    *,
    size,
    keypoints,
    stages=1,
    unit="rsb",
    depths=(2, 2, 2, 2),
    planes=64,
    width=26,
    branches=4,
    expansion=1,
    stem="deep",
    decoder=128,
    profile="paper",
    se=False,
    prm=False,
):
    """Return RSN: "image" (B, H, W, 3) uint8 to "heatmaps/i" (B, H/4, W/4, keypoints) float32, i of 4 * stages.

    Outputs are in the order of the stages, from coarse to fine in each; the last one ships. Their peak is 1 where the
    published code has 255. `size` is (height, width), multiples of 32, or (None, None) for any such. Level n = 0..3 has
    depths[n] of that `unit`, with `planes` and branches of `width`, both times 2^n, and `expansion` times the planes
    for the next. `profile` "release" is what the published code builds: branches get their width from their unit's
    input, and a sum's first term is projected only where shapes differ. Raises ValueError for a size or a choice that
    does not exist.
    """
    _check(size, unit, stem, profile)

    def plan(level, channels, first):
        own = width << level if profile == "paper" else channels * width // planes
        project = first and profile == "paper"
        return Unit(unit, planes << level, own, branches, expansion * planes << level, se, project)

    image = keras.Input((*size, 3), dtype="uint8", name="image")  # 256x192x3
    x = STEMS[stem](blocks.normalise(image), planes)  # 64x48x64
    outputs, skips = {}, [[]] * LEVELS
    for stage in range(stages):
        name, last = f"stage{stage + 1}", stage == stages - 1
        levels = encode(x, plan, depths, skips, name)
        features = decode(levels, decoder, name)
        for i, y in enumerate(features):
            refine = prm and last and i == LEVELS - 1
            maps = head(y, keypoints, 2 ** (LEVELS - 1 - i), refine, f"{name}_up{i + 1}")
            outputs[f"heatmaps/{LEVELS * stage + i}"] = maps
        if not last:
            skips = hand_over(levels, features, name)
            x = conv_bn_relu(features[-1], planes, 1, name=f"{name}_cross")  # 64x48x64
    return keras.Model(image, outputs, name="rsn")


def deep_stem(x, width):
    """Return the photo's features at stride 4, by three convolutions (the authors' log)."""
    x = conv_bn_relu(x, width, 3, stride=2, name="stem_conv1")  # 128x96x64
    x = conv_bn_relu(x, width, 3, name="stem_conv2")
    return conv_bn_relu(x, width, 3, stride=2, name="stem_conv3")  # 64x48x64


def pool_stem(x, width):
    """Return the photo's features at stride 4, by one large convolution and pooling, as in ResNet."""
    x = conv_bn_relu(x, width, 7, stride=2, name="stem_conv")  # 128x96x64
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)  # 64x48x64


STEMS = {"deep": deep_stem, "pool": pool_stem}


def encode(x, plan, depths, skips, name):
    """Return the four levels, fine to coarse; each is the last units' result plus the stage before's `skips`."""
    levels = []
    for n, depth in enumerate(depths):
        for b in range(depth):
            stride = 2 if n > 0 and b == 0 else 1
            x = residual(x, plan(n, x.shape[-1], b == 0), stride=stride, name=f"{name}_level{n + 1}_unit{b + 1}")
        if skips[n]:
            x = layers.Add(name=f"{name}_level{n + 1}_add")([x, *skips[n]])
        levels.append(x)  # 64x48x64, 32x24x128, 16x12x256, 8x6x512
    return levels


def decode(levels, width, name):
    """Return features of `width` channels for every level, coarse to fine, each with the coarser ones in it."""
    result = []
    for i, level in enumerate(reversed(levels), 1):
        x = conv_bn(level, width, 1, name=f"{name}_up{i}_skip")
        if result:
            # Cells first, then channels: so it is in the authors' log, at four times the cost.
            y = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up{i}_resize")(result[-1])
            y = conv_bn(y, width, 1, name=f"{name}_up{i}_conv")
            x = layers.Add(name=f"{name}_up{i}_add")([x, y])
        result.append(blocks.relu(x, name=f"{name}_up{i}_relu"))  # 8x6x128, 16x12x128, 32x24x128, 64x48x128
    return result


def head(x, keypoints, factor, refine, name):
    """Return heatmaps, float32, of a level's features, `factor` times as fine as these; `refine` by the PRM first."""
    x = pose_refine_machine(x, name=f"{name}_prm") if refine else conv_bn_relu(x, x.shape[-1], 1, name=f"{name}_head")
    # float32 in every precision: outputs are what losses and decoders read.
    x = blocks.conv(x, keypoints, 3, bias=True, dtype="float32", name=f"{name}_heatmaps")
    # The scale of the maps is this batch norm's alone. From 1, twenty times what heatmaps of peak 1 have, Adam would
    # need thousands of steps to bring it down, and its second moments as long to forget them.
    first = keras.initializers.Constant(blocks.OUTPUT_STD)
    x = layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=first, dtype="float32", name=f"{name}_heatmaps_bn"
    )(x)
    if factor == 1:
        return x
    return layers.UpSampling2D(factor, interpolation="bilinear", dtype="float32", name=f"{name}_heatmaps_resize")(x)


def hand_over(levels, features, name):
    """Return, fine to coarse, what the next stage's levels get added: this stage's level and its features, mapped."""
    result = []
    for n, (level, y) in enumerate(zip(levels, reversed(features)), 1):
        channels = level.shape[-1]
        a = conv_bn_relu(level, channels, 1, name=f"{name}_level{n}_skip1")
        b = conv_bn_relu(y, channels, 1, name=f"{name}_level{n}_skip2")
        result.append([a, b])
    return result


def _check(size, unit, stem, profile):
    for option, value, choices in (("unit", unit, PATHS), ("stem", stem, STEMS), ("profile", profile, PROFILES)):
        if value not in choices:
            raise ValueError(
                f"rsn: {option} is {value!r}, expected one of {', '.join(choices)}; set it to one of these"
            )
    if any(side is not None and side % STRIDE for side in size):
        raise ValueError(f"rsn: size is {tuple(size)}, expected multiples of {STRIDE}; choose the nearest ones")
