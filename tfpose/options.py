"""What may be configured of each system: frozen dataclasses, told apart by `name`; `config.py` has all the rest."""

from dataclasses import dataclass
from typing import Literal


def _positive(section, *options: str) -> None:
    for option in options:
        value = getattr(section, option)
        if min(value if isinstance(value, tuple) else (value,)) <= 0:
            raise ValueError(f"system.{option}: found {value}; expected more than 0")


@dataclass(frozen=True)
class TopDown:
    """What every top-down system has: the view's size, the heatmaps it is taught and how they are decoded.

    `sigma` is in cells; `refine` is the fraction of a cell; `blur` is DARK's own smoothing and `smooth` that of the
    whole maps before anything else, both kernel widths in cells (odd, 0 for none).
    """

    size: tuple[int, int] = (256, 192)
    sigma: float = 2.0
    centre: Literal["cell", "exact"] = "cell"
    refine: Literal["none", "quarter", "second", "parabola", "dark"] = "quarter"
    blur: int = 0
    smooth: int = 0

    def __post_init__(self):
        _positive(self, "sigma")


@dataclass(frozen=True)
class PPNet(TopDown):
    """PPNet M`modules`-D`depth`-W`width` (paper: arXiv text in §3; architecture options of its Tables I to IX)."""

    name: Literal["ppnet"] = "ppnet"
    modules: int = 2
    depth: int = 2
    width: int = 32
    unit: Literal["block", "bottleneck"] = "block"
    branches: int = 3
    depth_ratio: int = 2
    width_ratio: int = 2
    strides: tuple[int, ...] = (2, 2)
    skip: Literal["input", "branch"] = "input"
    stem_width: int = 64
    stem_blocks: int = 4
    stem_out: int = 256
    # The paper says "normal distribution", its code 0.001; "he" is He's fan-out rule.
    init: Literal["paper", "he"] = "paper"

    def __post_init__(self):
        super().__post_init__()
        _positive(self, "modules", "depth", "width")


@dataclass(frozen=True)
class RSN(TopDown):
    """RSN of `depths` units a level and 1 to 4 `stages` (paper: arXiv:2003.04030; options of its Tables 3 to 6).

    `targets` "kernels" are the published code's, finer from level to level; "gaussian" is one of `sigma` for all.
    """

    name: Literal["rsn"] = "rsn"
    refine: Literal["none", "quarter", "second", "parabola", "dark"] = "second"
    smooth: int = 5
    stages: int = 1
    unit: Literal["rsb", "basic", "bottleneck", "res2"] = "rsb"
    depths: tuple[int, int, int, int] = (2, 2, 2, 2)
    planes: int = 64
    width: int = 26
    branches: int = 4
    expansion: int = 1
    stem: Literal["deep", "pool"] = "deep"
    decoder: int = 128
    # The paper's networks, or the smaller ones that its authors' released code builds.
    profile: Literal["paper", "release"] = "paper"
    se: bool = False
    prm: bool = False
    targets: Literal["kernels", "gaussian"] = "kernels"

    def __post_init__(self):
        super().__post_init__()
        _positive(self, "stages", "depths", "planes", "width", "branches", "expansion", "decoder")


@dataclass(frozen=True)
class SimpleBaseline(TopDown):
    """A ResNet of `depths` bottlenecks a level and three transposed convolutions (paper: arXiv:1804.06208)."""

    name: Literal["simplebaseline"] = "simplebaseline"
    depths: tuple[int, int, int, int] = (3, 4, 6, 3)
    width: int = 64
    filters: int = 256

    def __post_init__(self):
        super().__post_init__()
        _positive(self, "depths", "width", "filters")


@dataclass(frozen=True)
class Hourglass(TopDown):
    """`stages` hourglasses that halve their grid `depth` times (paper: arXiv:1603.06937)."""

    name: Literal["hourglass"] = "hourglass"
    stages: int = 2
    depth: int = 4
    width: int = 128

    def __post_init__(self):
        super().__post_init__()
        _positive(self, "stages", "depth", "width")


@dataclass(frozen=True)
class HRNet(TopDown):
    """HRNet-W`width`, with so many `modules` of 2, 3 and 4 branches (paper: arXiv:1902.09212)."""

    name: Literal["hrnet"] = "hrnet"
    width: int = 32
    modules: tuple[int, ...] = (1, 4, 3)
    depth: int = 4

    def __post_init__(self):
        super().__post_init__()
        _positive(self, "width", "modules", "depth")


@dataclass(frozen=True)
class BottomUp:
    """What every bottom-up system has: the views it serves and is trained on, its body, its maps and their network.

    `crop` is the (height, width) of a view in training. `body` is the skeleton of the maps, in place of that of the
    annotations. `sigma` is a heatmap's deviation and `limb` the half width of a limb, both in pixels of the view.
    `trunk_weights` are "none", "imagenet", or the path of a VGG19 file of keras.applications. `width` is that of the
    heads, which `norm` batch-normalises. Of the decoder: a peak is at least `threshold`, and somebody scores `score`.
    """

    size: tuple[int, int] = (368, 432)
    crop: tuple[int, int] = (368, 368)
    body: str = "openpose18"
    sigma: float = 7.0
    limb: float = 8.0
    trunk: Literal["vgg19", "mobilenet"] = "vgg19"
    trunk_weights: str = "none"
    width: int = 128
    norm: bool = False
    threshold: float = 0.015
    score: float = 0.3

    def __post_init__(self):
        _positive(self, "size", "crop", "sigma", "limb", "width")
        for option in ("size", "crop"):
            if any(side % 8 for side in getattr(self, option)):
                raise ValueError(f"system.{option}: found {list(getattr(self, option))}; expected multiples of 8")
        if self.trunk != "vgg19" and self.trunk_weights != "none":
            raise ValueError(
                f"system.trunk_weights: found {self.trunk_weights}, but {self.trunk} has none; set it to none"
            )


@dataclass(frozen=True)
class OpenPose(BottomUp):
    """`stages` of heatmaps and part affinity fields (paper: arXiv:1611.08050)."""

    name: Literal["openpose"] = "openpose"
    stages: int = 6

    def __post_init__(self):
        super().__post_init__()
        _positive(self, "stages")


@dataclass(frozen=True)
class MLN(BottomUp):
    """Detection, transfer between the branches, refinement (paper: Huang et al., ICIP 2019).

    Its layers are published in part: `block` says which of two layouts with all its printed figures is built.
    """

    name: Literal["mln"] = "mln"
    block: Literal["concat", "squeeze"] = "concat"


@dataclass(frozen=True)
class MultiPoseNet:
    """A keypoint subnet with person mask and a person detector on one trunk (paper: arXiv:1807.04067).

    They are trained one after the other: `part` "keypoints" with the trunk, "detector" on the trunk as it then is, and
    "whole" is both. `size` is (height, width) of views, `crop` that in training. `sigma` is a heatmap's deviation in
    pixels of the view. `backbone_weights` are "none", "imagenet", or the path of a file of keras.applications. `width`
    is that of both pyramids, `head` that of D2 to D5, `depth` the detector's convolutions; `norm` batch-normalises all
    of them. Of the decoder: a peak is at least `threshold`, a box scores `score`, two have at most `overlap` in common,
    and a box looks for keypoints in itself, enlarged by `margin` of its size on each side. A box wants them as they
    score ("max"), or as the "network" says that a stage of `system.name: prn` trained.
    """

    name: Literal["multiposenet"] = "multiposenet"
    part: Literal["keypoints", "detector", "whole"] = "keypoints"
    size: tuple[int, int] = (480, 480)
    crop: tuple[int, int] = (480, 480)
    backbone: Literal["resnet50", "resnet101", "resnet50_dilated", "resnet101_dilated", "light"] = "resnet50"
    backbone_weights: str = "none"
    width: int = 256
    head: int = 128
    depth: int = 4
    norm: bool = False
    concat: bool = True
    intermediate: bool = True
    sigma: float = 7.0
    threshold: float = 0.1
    score: float = 0.3
    overlap: float = 0.3
    margin: float = 0.21
    assign: Literal["max", "network"] = "max"

    def __post_init__(self):
        _positive(self, "size", "crop", "width", "head", "depth", "sigma")
        for option in ("size", "crop"):
            if any(side % 32 for side in getattr(self, option)):
                raise ValueError(f"system.{option}: found {list(getattr(self, option))}; expected multiples of 32")
        if self.backbone == "light" and self.backbone_weights != "none":
            raise ValueError(
                f"system.backbone_weights: found {self.backbone_weights}, but light has none; set it to none"
            )


@dataclass(frozen=True)
class PRN:
    """Which keypoint is whose, learnt from labels alone, by the Pose Residual Network or our "assignment" network.

    Boxes are enlarged by `margin` of their sides on each side and seen as `grid` (height, width) cells; `nodes` are
    those of a hidden layer. Of the residual network (paper: arXiv:1807.04067, section 3.4 and Table 3) are the number
    of `hidden` layers, `dropout` after the first and whether there is a `residual` connection; of the other `bells` a
    keypoint and `passes`. `rule` says who gets what by the network's scores.
    """

    name: Literal["prn"] = "prn"
    network: Literal["residual", "assignment"] = "residual"
    grid: tuple[int, int] = (56, 36)
    nodes: int = 1024
    hidden: int = 1
    dropout: float = 0.5
    residual: bool = True
    bells: int = 4
    passes: int = 3
    margin: float = 0.21
    rule: Literal["peak", "mutual", "assigned"] = "assigned"

    def __post_init__(self):
        _positive(self, "grid", "nodes", "hidden", "bells", "passes")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"system.dropout: found {self.dropout}; expected 0 to less than 1")
        if self.margin < 0:
            raise ValueError(f"system.margin: found {self.margin}; expected 0 or more")
