"""What may be configured: frozen dataclasses, one per section; how YAML becomes them is in `yaml_config.py`.

A YAML file holds only what differs from these defaults. `system` is a union told apart by `system.name`.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from tfpose.options import MLN, PRN, RSN, Hourglass, HRNet, MultiPoseNet, OpenPose, PPNet, SimpleBaseline

System = PPNet | RSN | SimpleBaseline | Hourglass | HRNet | OpenPose | MLN | MultiPoseNet | PRN


@dataclass(frozen=True)
class Split:
    """One annotation file and the folder of its images; a relative path starts at the working directory.

    `heads` is for MPII's json form: a .mat with `headboxes_src`, the head boxes in the order of the annotations.
    """

    annotations: str = ""
    images: str = ""
    heads: str = ""


@dataclass(frozen=True)
class Holdout:
    """Where one file serves both parts: image ids with id % every == remainder are the validation part."""

    every: int = 0
    remainder: int = 0


@dataclass(frozen=True)
class Mpii:
    """How MPII's files are read: `origin` is the number of the first pixel in a json file (1 in the published ones).

    `lowered` moves a person's box down by so many pixels times the person's scale; the published protocol has 15. An
    image's id is its place in the `order` of names, from 1 on, or the number that its `name` ends in: 11, im00011.jpg.
    """

    origin: Literal[0, 1] = 0
    lowered: float = 0.0
    ids: Literal["order", "name"] = "order"


@dataclass(frozen=True)
class Data:
    """Where samples come from. `synthetic` writes its COCO folder first, when it is not there.

    `shards` are what `tfpose data shard` wrote into `folder`. With a `service`, grpc://HOST:PORT, training batches are
    made by the workers of `tfpose data worker` (docs/data.md).
    """

    format: Literal["coco", "mpii", "synthetic", "shards"] = "coco"
    skeleton: str = "coco17"
    folder: str = "data/synthetic"
    count: tuple[int, int] = (900, 100)
    train: Split = Split()
    validation: Split = Split()
    holdout: Holdout = Holdout()
    mpii: Mpii = Mpii()
    bad_records: Literal["skip", "refuse"] = "refuse"
    padding: float = 1.25
    warp: Literal["auto", "graph", "opencv"] = "auto"
    service: str = ""

    def __post_init__(self):
        if self.service and not re.fullmatch(r"grpc://[^/:]+:\d+", self.service):
            raise ValueError(f"data.service: found {self.service!r}; expected grpc://HOST:PORT, as in grpc://data:5050")
        if self.service and self.warp == "opencv":
            raise ValueError(
                "data.service: OpenCV's warp is Python, which cannot be sent to workers; set data.warp to graph or auto"
            )


@dataclass(frozen=True)
class Augment:
    """Chance in training: degrees, factors and fractions of the box, chances in [0, 1]. Defaults: PPNet's for COCO.

    `scale` is the range of the box's factor; "normal" has its middle, and half its width as the deviation. `extension`
    is how much the box may grow in width and in height, each by its own chance. `noise` is the chance that an image's
    labels, where nothing else is learnt from, get errors as detectors make them. `erase` is the chance that a rectangle
    of the view, 2 to 33 % of it, is grey (Zhong et al. 2020): what was there is still to be found.
    """

    rotation: float = 45.0
    rotation_kind: Literal["normal", "uniform"] = "normal"
    rotation_limit: float = 90.0
    rotation_chance: float = 0.6
    turn_around_chance: float = 0.0
    scale: tuple[float, float] = (0.65, 1.35)
    scale_kind: Literal["normal", "uniform"] = "normal"
    extension: tuple[float, float] = (0.0, 0.0)
    shift: float = 0.0
    mirror: float = 0.5
    half_body: float = 0.3
    half_body_keypoints: int = 8
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    erase: float = 0.0
    noise: float = 0.0

    def __post_init__(self):
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"augment.scale: found {list(self.scale)}; expected factors, as in [0.65, 1.35]")


@dataclass(frozen=True)
class Multiplier:
    """Variables in whose path (stage2_limbs_conv1/kernel) the pattern `match` is found learn `rate` times as fast."""

    match: str
    rate: float

    def __post_init__(self):
        try:
            re.compile(self.match)
        except re.error as error:
            raise ValueError(
                f"train.optimizer.multipliers: match {self.match!r} is no regular expression: {error}"
            ) from error
        if self.rate < 0:
            raise ValueError(f"train.optimizer.multipliers: rate {self.rate} of {self.match!r}; expected 0 or more")


@dataclass(frozen=True)
class Optimizer:
    """RMSprop and Adam as PyTorch defines them (decay in the gradient), AdamW, Muon (decay of the weights) or SGD.

    SGD is Caffe's: kernels alone decay, in the gradient, and each variable's learning rate is multiplied by the rates
    of all `multipliers` that match it.
    """

    name: Literal["rmsprop", "adam", "adamw", "muon", "sgd"] = "rmsprop"
    learning_rate: float = 2.5e-4
    weight_decay: float = 0.0
    momentum: float = 0.0
    multipliers: tuple[Multiplier, ...] = ()

    def __post_init__(self):
        if self.multipliers and self.name != "sgd":
            raise ValueError(f"train.optimizer.multipliers: found with name {self.name}; they need name: sgd")


@dataclass(frozen=True)
class Schedule:
    """Learning rate over epochs: `steps` multiplies by `factor` at each of `at`; `cosine` and `linear` end at zero.

    `every_steps` multiplies by it after each so many steps of the optimizer too, where 0 never does. `plateau` does so
    when `patience` validations in a row were not better than the best before them, down to `minimum`.
    """

    name: Literal["constant", "steps", "cosine", "linear", "plateau"] = "steps"
    at: tuple[int, ...] = (170, 200)
    every_steps: int = 0
    factor: float = 0.1
    patience: int = 3
    minimum: float = 0.0
    warmup_steps: int = 0

    def __post_init__(self):
        if self.every_steps < 0:
            raise ValueError(f"train.schedule.every_steps: found {self.every_steps}; expected 0 or more")
        if self.patience < 1 or self.minimum < 0:
            raise ValueError(
                f"train.schedule: found patience {self.patience}, minimum {self.minimum}; expected at least 1 and 0"
            )
        if self.name == "plateau" and self.warmup_steps:
            raise ValueError(
                f"train.schedule.warmup_steps: found {self.warmup_steps} with plateau, which has none; set 0"
            )


@dataclass(frozen=True)
class Phase:
    """From epoch `start` on, views of this size (height, width): cheap small views first, the network's own last.

    Boxes vary by `jitter` of what `augment` says: its `shift`, and how far its `scale` reaches. 0 in the last epochs
    suits boxes that are exact; those of a detector are not.
    """

    start: int
    size: tuple[int, int]
    batch: int
    jitter: float = 1.0

    def __post_init__(self):
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"train.phases: found jitter {self.jitter}; expected 0 to 1")


@dataclass(frozen=True)
class Distill:
    """A trained network whose maps are taught beside the truth, at `weight`: a run folder, or a .keras in one."""

    teacher: str = ""
    weight: float = 0.5

    def __post_init__(self):
        if self.weight < 0:
            raise ValueError(f"train.distill.weight: found {self.weight}; expected 0 or more")


@dataclass(frozen=True)
class Train:
    """How training runs. `batch` is global: it is split among the replicas, and computed in `accumulate` parts.

    `sync_batch_norm` takes statistics of the whole batch, not of each replica's part. `jit` is XLA: auto on GPUs alone.
    `steps_per_execution` steps run without Python in between, as many as divide an epoch. Gradients longer than
    `clip_norm`, all together, are shortened to it; weights are averaged with this factor for the past in `average`,
    0.999 for instance, and the averages are validated, saved and shipped; 0 does neither. docs/scaling.md has more.

    `buckets` are sizes (height, width) in which a network of whole images sees whole photos, each in that which shows
    it largest and each batch of one size, in place of crops around people.

    `pictures` are drawn of so many views, 0 of none and of no photos for the report. Of the steps of `profile`, first
    and last, a trace is kept (docs/watching.md).
    """

    epochs: int = 210
    batch: int = 32
    accumulate: int = 1
    devices: Literal["auto", "cpu", "gpu", "mirrored", "multiworker", "tpu"] = "auto"
    sync_batch_norm: bool = True
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    jit: Literal["auto", "always", "never"] = "auto"
    steps_per_execution: int = 1
    optimizer: Optimizer = Optimizer()
    clip_norm: float = 0.0
    average: float = 0.0
    schedule: Schedule = Schedule()
    phases: tuple[Phase, ...] = ()
    buckets: tuple[tuple[int, int], ...] = ()
    initial_weights: str = ""
    distill: Distill = Distill()
    validate_every: int = 1
    pictures: int = 8
    profile: tuple[int, ...] = ()

    def __post_init__(self):
        if self.profile and not (len(self.profile) == 2 and 1 <= self.profile[0] <= self.profile[1]):
            raise ValueError(f"train.profile: found {list(self.profile)}; expected first and last step, as in [20, 30]")
        for option in ("epochs", "batch", "accumulate", "steps_per_execution", "validate_every"):
            if getattr(self, option) < 1:
                raise ValueError(f"train.{option}: found {getattr(self, option)}; expected at least 1")
        if self.buckets and self.phases:
            raise ValueError("train.buckets: found with train.phases, which have one size each; leave one of them out")


@dataclass(frozen=True)
class Evaluate:
    """The protocol: `oks` is COCO's AP (CrowdPose's for its files), `pck` keypoints within 0.2 torso lengths.

    `pckh` is MPII's: keypoints within half a head's size. docs/protocol.md explains the rest: `flip` averages with
    mirrored views ("shifted" only for networks of other coordinates than ours); `refine`, `blur` and `smooth` replace
    those of pose.json ("own", -1); keypoints count in a pose's `score` above `keypoint_threshold`, detected boxes from
    `box_threshold` on; `nms` drops or lowers poses like better ones, "auto" drops those in detected boxes; `ensemble`
    names networks whose maps are averaged with the first one's. `scales` are those at which a network looks at each
    person, or at each whole image (which needs the .keras): maps are averaged, boxes all taken together. `keypoints`
    and `boxes` of a network that finds both may be those of the "annotations", which shows what the others lose; `rule`
    is another one than its own for who gets which keypoint, and `assign` "max" has them wanted as they score, whatever
    network says whose they are.
    """

    metric: Literal["oks", "pck", "pckh"] = "oks"
    flip: Literal["none", "aligned", "shifted"] = "aligned"
    refine: Literal["own", "none", "quarter", "second", "parabola", "dark"] = "own"
    blur: int = -1
    smooth: int = -1
    score: Literal["product", "box", "keypoints"] = "product"
    keypoint_threshold: float = 0.2
    detections: str = ""
    box_threshold: float = 0.0
    nms: Literal["auto", "none", "hard", "soft"] = "auto"
    nms_threshold: float = 0.9
    ensemble: tuple[str, ...] = ()
    scales: tuple[float, ...] = (1.0,)
    keypoints: Literal["own", "annotations"] = "own"
    boxes: Literal["own", "annotations"] = "own"
    rule: Literal["own", "peak", "mutual", "assigned"] = "own"
    assign: Literal["own", "max"] = "own"

    def __post_init__(self):
        if self.metric != "oks" and self.nms in ("hard", "soft"):
            raise ValueError(
                f"evaluate.nms: found {self.nms}, but {self.metric} needs everybody who is asked for; set it to none"
            )
        if not 0 < self.nms_threshold <= 1:
            raise ValueError(f"evaluate.nms_threshold: found {self.nms_threshold}; expected more than 0, at most 1")
        if not 0 <= self.keypoint_threshold < 1:
            raise ValueError(f"evaluate.keypoint_threshold: found {self.keypoint_threshold}; expected 0 to less than 1")


Kind = Literal["saved_model", "float32", "float16", "dynamic", "int8", "int16", "decoded_float32", "decoded_int8"]


@dataclass(frozen=True)
class Export:
    """The files of a bundle; `max_ap_drop` is what a file may lose against the .keras (in AP or PCK, 0 to 1).

    A "decoded" file is that of the same kind, which must be there too, with its decoder behind the network; with a size
    `photo` (height, width) there is one that takes photos of it, too. The ranges of int8 are those of all values
    (minmax) or of `percentile` per cent of them; layers of `keep_float` have none.
    """

    files: tuple[Kind, ...] = ("saved_model", "float32", "float16", "int8")
    calibration: Literal["minmax", "percentile"] = "minmax"
    percentile: float = 99.999
    calibration_views: int = 200
    keep_float: tuple[str, ...] = ()
    photo: tuple[int, ...] = ()
    max_ap_drop: float = 0.01

    def __post_init__(self):
        if self.photo and (len(self.photo) != 2 or min(self.photo) < 1):
            raise ValueError(f"export.photo: found {list(self.photo)}; expected height and width, as in [480, 640]")
        if self.photo and not any(kind.startswith("decoded") for kind in self.files):
            raise ValueError("export.photo: there is no decoded file to be made for photos; add one to export.files")
        if not 90 <= self.percentile < 100:
            raise ValueError(f"export.percentile: found {self.percentile}; expected at least 90, less than 100")
        if self.keep_float and "int8" not in self.files:
            raise ValueError(
                f"export.keep_float: found {', '.join(self.keep_float)}, but there is no int8 in export.files; add it"
            )

    @property
    def share(self) -> float:
        """The per cent of values that are within their range."""
        return self.percentile if self.calibration == "percentile" else 100.0


@dataclass(frozen=True)
class Quantize:
    """How `tfpose quantize` trains on: Adam, its `learning_rate` falling to zero as a cosine, for `epochs`.

    It ends earlier after `steps` of them, where 0 is no limit.
    """

    epochs: int = 4
    steps: int = 0
    batch: int = 16
    learning_rate: float = 1e-4

    def __post_init__(self):
        for option in ("epochs", "batch", "learning_rate"):
            if getattr(self, option) <= 0:
                raise ValueError(f"quantize.{option}: found {getattr(self, option)}; expected more than 0")


@dataclass(frozen=True)
class Published:
    """What the paper prints for the network, millions of parameters and its GFLOPs; 0 where it prints nothing."""

    source: str = ""
    parameters: float = 0.0
    gflops: float = 0.0


@dataclass(frozen=True)
class Stage:
    """One of several trainings that give parts of one network: what it is called and what `options` it changes.

    Each option reads section.option=value, as on the command line.
    """

    name: str
    options: tuple[str, ...] = ()

    def __post_init__(self):
        if not re.fullmatch(r"[\w-]+", self.name):
            raise ValueError(f"stages: name {self.name!r}; it names a folder, so letters, digits, - and _ alone")


@dataclass(frozen=True)
class Config:
    """A whole run; one of `stages` trains each in turn, each from the one before, and puts their parts together."""

    system: System = field(default_factory=PPNet)
    data: Data = Data()
    augment: Augment = Augment()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    export: Export = Export()
    quantize: Quantize = Quantize()
    published: Published = Published()
    stages: tuple[Stage, ...] = ()
    seed: int = 0

    def __post_init__(self):
        if len({stage.name for stage in self.stages}) < len(self.stages):
            raise ValueError(f"stages: {', '.join(s.name for s in self.stages)}; each needs a name of its own")
        if self.data.format == "mpii" and self.evaluate.metric == "oks":
            raise ValueError("evaluate.metric: oks needs COCO files and data.format is mpii; set it to pckh or pck")
        if self.train.buckets and self.augment.half_body:
            raise ValueError(
                f"augment.half_body: found {self.augment.half_body} with train.buckets, which show whole photos; set 0"
            )
        if self.data.padding <= 0:
            raise ValueError(f"data.padding: found {self.data.padding}; expected more than 0")
