"""A skeleton is data: names of keypoints, limbs between them, mirror pairs and OKS sigmas."""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from tfpose import paths


@dataclass(frozen=True)
class Skeleton:
    """A body definition of K keypoints and L limbs, everything by name.

    `sigmas` are the per-keypoint constants of COCO's object keypoint similarity (unitless, one per keypoint).
    Raises ValueError where a limb or a mirrored name is not among the keypoints.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    sigmas: tuple[float, ...]

    def __post_init__(self):
        if len(set(self.keypoints)) != len(self.keypoints):
            raise ValueError(f"skeleton {self.name}: a keypoint is named twice in {list(self.keypoints)}")
        if len(self.sigmas) != self.count:
            raise ValueError(f"skeleton {self.name}: {len(self.sigmas)} sigmas for {self.count} keypoints")
        for limb in self.limbs:
            for end in limb:
                self.index(end)
        for name in self.keypoints:
            self.index(mirrored(name))

    @property
    def count(self) -> int:
        """The number of keypoints, K."""
        return len(self.keypoints)

    def index(self, name: str) -> int:
        """The position of a keypoint; ValueError names the choices."""
        if name not in self.keypoints:
            raise ValueError(f"skeleton {self.name}: no keypoint {name!r}; it has {', '.join(self.keypoints)}")
        return self.keypoints.index(name)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each keypoint the index of its mirror image: (K,), itself where it lies on the axis."""
        return tuple(self.index(mirrored(name)) for name in self.keypoints)

    @cached_property
    def pairs(self) -> np.ndarray:
        """The limbs as keypoint indices, (L, 2) int64."""
        return np.array([[self.index(a), self.index(b)] for a, b in self.limbs], np.int64).reshape(-1, 2)

    @cached_property
    def limb_mirror(self) -> tuple[int, ...]:
        """For each limb the index of its mirror image: (L,); ValueError where a limb has none."""
        return tuple(index for index, _ in self._mirrored_limbs)

    @cached_property
    def limb_turned(self) -> tuple[bool, ...]:
        """For each limb whether its mirror image runs from its end to its start: (L,)."""
        return tuple(turned for _, turned in self._mirrored_limbs)

    @cached_property
    def _mirrored_limbs(self) -> list[tuple[int, bool]]:
        found = []
        for a, b in self.limbs:
            image = (mirrored(a), mirrored(b))
            choices = [image, image[::-1]]
            if not any(limb in self.limbs for limb in choices):
                raise ValueError(f"skeleton {self.name}: limb {a}, {b} has no mirror image; add {', '.join(image)}")
            turned = image not in self.limbs
            found.append((self.limbs.index(choices[turned]), turned))
        return found

    def as_dict(self) -> dict:
        """The skeleton as plain lists, for JSON and YAML."""
        fields = asdict(self)
        return {key: _plain(value) for key, value in fields.items()}


# Keypoints that a skeleton may have without anybody having labelled them: the middles of two others.
MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "pelvis": ("left_hip", "right_hip")}


def conversion(source: Skeleton, target: Skeleton) -> np.ndarray:
    """Which two keypoints of `source` each keypoint of `target` is the mean of, (K, 2) int64; twice the same mostly.

    ValueError names a keypoint that `source` neither has nor gives.
    """
    rows = []
    for name in target.keypoints:
        ends = (name, name) if name in source.keypoints else MIDDLES.get(name, (name, name))
        if not set(ends) <= set(source.keypoints):
            raise ValueError(
                f"skeleton {source.name}: has no {name}, which {target.name} needs; "
                f"it has {', '.join(source.keypoints)}"
            )
        rows.append([source.index(end) for end in ends])
    return np.array(rows, np.int64)


def converted(keypoints: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Keypoints (..., K, 3) by a `conversion` (K', 2): (..., K', 3), with the smaller of the two last values.

    A keypoint is known, its last value above 0, where both are; else it is all zeros.
    """
    ends = keypoints[..., pairs, :]
    value = ends[..., 2].min(axis=-1)[..., None]
    return np.concatenate([ends[..., :2].mean(axis=-2), value], axis=-1) * (value > 0)


def mirrored(name: str) -> str:
    """`left_knee` for `right_knee` and the reverse; any other name unchanged."""
    for side, other in (("left_", "right_"), ("right_", "left_")):
        if name.startswith(side):
            return other + name[len(side) :]
    return name


def from_dict(fields: dict) -> Skeleton:
    """A skeleton from plain lists; sigmas default to 0.05 each. ValueError names a missing or unknown field."""
    if not isinstance(fields, dict):
        raise ValueError(f"skeleton: found {fields!r:.80}; expected name, keypoints and limbs")
    unknown = set(fields) - {"name", "keypoints", "limbs", "sigmas"}
    missing = {"name", "keypoints", "limbs"} - set(fields)
    if unknown or missing:
        raise ValueError(f"skeleton: unknown fields {sorted(unknown)}, missing fields {sorted(missing)}")
    try:
        keypoints = tuple(fields["keypoints"])
        sigmas = tuple(float(s) for s in fields.get("sigmas") or [0.05] * len(keypoints))
        limbs = tuple((str(a), str(b)) for a, b in fields["limbs"])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"skeleton {fields['name']}: expected lists of names, of pairs, of numbers: {error}"
        ) from error
    return Skeleton(str(fields["name"]), keypoints, limbs, sigmas)


def skeleton(name: str) -> Skeleton:
    """A skeleton by its name (coco17, openpose18, mpii16, lsp14, crowdpose14) or from a YAML file's path."""
    if name in SKELETONS:
        return SKELETONS[name]
    file = paths.path(name)
    if file.suffix in (".yaml", ".yml") and file.is_file():
        import yaml  # a device has no configurations, and no PyYAML

        return from_dict(yaml.safe_load(file.read_text()))
    raise ValueError(f"skeleton: {name!r} is neither a YAML file nor one of {', '.join(SKELETONS)}")


def _plain(value):
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def _both(*limbs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in limbs)


_ARM_AND_LEG = _both(("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
_SIDES = ("left", "right")
# OKS constants of the COCO keypoint evaluation (cocodataset.org, keypoints-eval).
_OKS = {
    **{"nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062},
    **{"hip": 0.107, "knee": 0.087, "ankle": 0.089},
}


def _sigma(name: str) -> float:
    return _OKS.get(name.removeprefix("left_").removeprefix("right_"), 0.079)


def _named(name: str, keypoints: tuple[str, ...], limbs: tuple[tuple[str, str], ...]) -> Skeleton:
    return Skeleton(name, keypoints, limbs, tuple(_sigma(k) for k in keypoints))


_PARTS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
COCO17 = _named(
    "coco17",
    ("nose", *(f"{side}_{part}" for part in _PARTS for side in _SIDES)),
    (
        *_ARM_AND_LEG,
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        *_both(("shoulder", "hip"), ("eye", "ear"), ("ear", "shoulder")),
        ("nose", "left_eye"),
        ("nose", "right_eye"),
        ("left_eye", "right_eye"),
    ),
)
_ARM = ("shoulder", "elbow", "wrist")
_LEG = ("hip", "knee", "ankle")
OPENPOSE18 = _named(
    "openpose18",
    (
        "nose",
        "neck",
        *(f"{side}_{part}" for side in ("right", "left") for part in _ARM),
        *(f"{side}_{part}" for side in ("right", "left") for part in _LEG),
        *(f"{side}_{part}" for part in ("eye", "ear") for side in ("right", "left")),
    ),
    # The order of OpenPose's limbs: the channels of published part affinity fields follow it.
    (
        *(("neck", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle")),
        *(("neck", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle")),
        *(("neck", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist")),
        ("right_shoulder", "right_ear"),
        *(("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist")),
        ("left_shoulder", "left_ear"),
        *(("neck", "nose"), ("nose", "right_eye"), ("nose", "left_eye")),
        *(("right_eye", "right_ear"), ("left_eye", "left_ear")),
    ),
)
MPII16 = _named(
    "mpii16",
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "upper_neck", "head_top"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    ),
    (
        *_ARM_AND_LEG,
        *(("pelvis", "left_hip"), ("pelvis", "right_hip"), ("pelvis", "thorax")),
        *(("thorax", "left_shoulder"), ("thorax", "right_shoulder")),
        *(("thorax", "upper_neck"), ("upper_neck", "head_top")),
    ),
)
LSP14 = _named(
    "lsp14",
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
        *("neck", "head_top"),
    ),
    (
        *_ARM_AND_LEG,
        ("left_hip", "right_hip"),
        *_both(("shoulder", "hip")),
        *(("neck", "left_shoulder"), ("neck", "right_shoulder"), ("neck", "head_top")),
    ),
)
# CrowdPose's evaluation has COCO's sigmas, and the shoulder's for head and neck.
CROWDPOSE14 = _named(
    "crowdpose14",
    (*(f"{side}_{part}" for part in _ARM + _LEG for side in _SIDES), "head", "neck"),
    (
        *_ARM_AND_LEG,
        ("left_hip", "right_hip"),
        *_both(("shoulder", "hip")),
        *(("neck", "left_shoulder"), ("neck", "right_shoulder"), ("neck", "head")),
    ),
)
SKELETONS = {s.name: s for s in (COCO17, OPENPOSE18, MPII16, LSP14, CROWDPOSE14)}
