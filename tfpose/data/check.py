"""What is in a data set, before an hour is spent on training with it: a table, and a picture to look at."""

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tfpose import draw
from tfpose.data import photos
from tfpose.data.coco import Record, Split
from tfpose.poses import Poses
from tfpose.skeleton import Skeleton, mirrored

SAMPLED = 500  # images whose ignore masks are drawn
SHOWN = 10  # problems printed
CROWDED = 6  # people in an image, from where on images are counted together
EXPECTED = 0.3  # most people face the camera: their left shoulder is on the right of the picture
FEWEST = 20  # people, below which nothing is concluded from that
TINT = (230, 30, 160)


@dataclass(frozen=True, eq=False)
class Report:
    """Counts of a split. `crowds` {people: images}; `visibility` (K, 3) counts of absent, hidden, visible.

    `pairs` has (left name, right name, upright people with both, those of them with left on the right of the picture).
    """

    skeleton: Skeleton
    images: int
    people: int
    crowds: dict[int, int]
    visibility: np.ndarray
    odd_visibility: int
    boxes_outside: int
    boxes_empty: int
    keypoints_outside: int
    pairs: tuple[tuple[str, str, int, int], ...]
    ignored: float
    masks: int
    problems: tuple[str, ...]

    @property
    def warnings(self) -> list[str]:
        """What looks wrong with the whole, one line each."""
        shoulders = [p for p in self.pairs if p[0] == "left_shoulder" and p[2] >= FEWEST]
        swapped = [p for p in shoulders if p[3] < EXPECTED * p[2]]
        lines = [
            f"only {right / both:.0%} of {both} upright people have their left shoulder on the right of the picture, "
            "as people facing the camera have: left and right may be swapped"
            for _, _, both, right in swapped
        ]
        if self.odd_visibility:
            lines.append(f"{self.odd_visibility} keypoints have a visibility other than 0, 1 or 2")
        return lines

    def table(self) -> str:
        """The report as lines of text."""
        more = [f"... and {len(self.problems) - SHOWN} more"] if len(self.problems) > SHOWN else []
        ends = [f"warning: {line}" for line in self.warnings] + [f"problems: {len(self.problems) or 'none'}"]
        ends += [f"  {line}" for line in (*self.problems[:SHOWN], *more)]
        return "\n".join([*_overview(self), "", *_keypoint_lines(self), "", *_pair_lines(self), "", *ends])


def check(split: Split, skeleton: Skeleton) -> Report:
    """The report on a split; what is known only with photos (sizes in MPII's form) is not counted without them."""
    records = split.records
    keypoints = np.concatenate([np.zeros((0, skeleton.count, 3)), *(r.keypoints for r in records)])
    owners = [r for r in records for _ in r.boxes]
    limits = np.array([[r.width or np.inf, r.height or np.inf] for r in owners]).reshape(-1, 2)
    boxes = np.concatenate([np.zeros((0, 4)), *(r.boxes for r in records)])
    ignored, masks, broken = _ignored(records)
    values = keypoints[..., 2]
    return Report(
        skeleton,
        images=len(records),
        people=len(boxes),
        crowds=dict(sorted(Counter(len(r.boxes) for r in records).items())),
        visibility=np.stack([(values == v).sum(axis=0) for v in (0, 1, 2)], axis=1),
        odd_visibility=int((~np.isin(values, (0, 1, 2))).sum()),
        boxes_outside=int(_outside_boxes(boxes, limits).sum()),
        boxes_empty=int((boxes[:, 2:] <= 0).any(axis=1).sum()),
        keypoints_outside=int(_outside_points(keypoints, limits).sum()),
        pairs=_pairs(keypoints, skeleton),
        ignored=ignored,
        masks=masks,
        problems=(*split.problems, *broken),
    )


def contact_sheet(split: Split, skeleton: Skeleton, path: Path, count: int = 24, seed: int = 0) -> None:
    """Writes a picture of `count` photos drawn by chance, with skeletons and boxes, and what is ignored tinted.

    Photos with people come first. Raises ValueError where the split has no photos.
    """
    records = [r for r in split.records if r.path]
    if not records:
        raise ValueError("no photos to draw on: the data has none, or was read without its folder of images")
    order = np.random.default_rng(seed).permutation(len(records))
    chosen = sorted((records[i] for i in order), key=lambda r: len(r.boxes) == 0)[:count]
    sheet = draw.tile([drawn(record, skeleton) for record in chosen], columns=6, size=(240, 320))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(path)


def drawn(record: Record, skeleton: Skeleton) -> np.ndarray:
    """The photo of a record (H, W, 3) uint8 with its people, and what is ignored tinted."""
    with photos.opened(record.path) as content, Image.open(content) as photo:
        image = np.asarray(photo.convert("RGB"))
    with contextlib.suppress(ValueError):  # a broken mask has its line in the report
        image = np.where(record.ignore_mask()[..., None], image // 2 + np.array(TINT, np.uint8) // 2, image)
    people = Poses(record.keypoints, np.ones(len(record.boxes), np.float32), record.boxes)
    return draw.draw_poses(image, people, skeleton, threshold=0, boxes=True)


def _outside_boxes(boxes: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Boxes that leave their image by more than half a pixel, the rounding of hand-made files: (P,) bool."""
    return (boxes[:, :2] < -0.5).any(axis=1) | (boxes[:, :2] + boxes[:, 2:] > limits + 0.5).any(axis=1)


def _outside_points(keypoints: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Labelled keypoints whose pixel is not in the image: (P, K) bool."""
    points = keypoints[..., :2]
    outside = (points < -0.5).any(axis=2) | (points > limits[:, None] - 0.5).any(axis=2)
    return outside & (keypoints[..., 2] > 0)


def _pairs(keypoints: np.ndarray, skeleton: Skeleton) -> tuple[tuple[str, str, int, int], ...]:
    known = keypoints[..., 2] > 0
    upright = _upright(keypoints, skeleton)
    found = []
    for name in skeleton.keypoints:
        if name.startswith("left_"):
            left, right = skeleton.index(name), skeleton.index(mirrored(name))
            both = known[:, left] & known[:, right] & upright
            onward = both & (keypoints[:, left, 0] > keypoints[:, right, 0])
            found.append((name, mirrored(name), int(both.sum()), int(onward.sum())))
    return tuple(found)


def _upright(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """People (P,) whose shoulders are known and above their known hips; nobody where a skeleton lacks those."""
    names = [f"{side}_{part}" for part in ("shoulder", "hip") for side in ("left", "right")]
    if not set(names) <= set(skeleton.keypoints):
        return np.zeros(len(keypoints), bool)
    torso = keypoints[:, [skeleton.index(name) for name in names]]
    return (torso[..., 2] > 0).all(axis=1) & (torso[:, :2, 1].max(axis=1) < torso[:, 2:, 1].min(axis=1))


def _ignored(records: tuple[Record, ...]) -> tuple[float, int, list[str]]:
    """The mean share of an image that is ignored, of how many images, and a line for each mask that is broken."""
    sized = [r for r in records if r.width]
    shares, broken = [], []
    for record in sized[:: max(1, -(-len(sized) // SAMPLED))]:
        try:
            shares.append(record.ignore_mask().mean())
        except ValueError as error:
            broken.append(str(error))
    return float(np.mean(shares)) if shares else 0.0, len(shares), broken


def _overview(report: Report) -> list[str]:
    crowds = Counter()
    for people, images in report.crowds.items():
        crowds[min(people, CROWDED)] += images
    histogram = "  ".join(f"{n}{'+' if n == CROWDED else ''}: {crowds[n]:,}" for n in sorted(crowds))
    labelled = report.visibility[:, 1:].sum()
    rows = {
        "images": f"{report.images:,}, {report.crowds.get(0, 0):,} of them without people",
        "people": f"{report.people:,}",
        "people an image": f"{report.people / max(report.images, 1):.2f}, at most {max(report.crowds, default=0)}",
        "images by people": histogram,
        "keypoints a person": f"{labelled / max(report.people, 1):.1f} of {report.skeleton.count}",
        "boxes": f"{report.boxes_outside:,} leave the image, {report.boxes_empty:,} have no area",
        "keypoints outside": f"{report.keypoints_outside:,} labelled ones are not in the image",
        "ignored": f"{report.ignored:.1%} of an image on average ({report.masks:,} looked at)",
    }
    return [f"{name:<20}{text}" for name, text in rows.items()]


def _keypoint_lines(report: Report) -> list[str]:
    lines = [f"{'keypoint':<20}{'absent':>9}{'hidden':>9}{'visible':>9}"]
    for name, counts in zip(report.skeleton.keypoints, report.visibility):
        shares = counts / max(report.people, 1)
        lines.append(f"{name:<20}" + "".join(f"{share:>9.1%}" for share in shares))
    return lines


def _pair_lines(report: Report) -> list[str]:
    lines = [f"{'mirror pair':<34}{'upright people':>15}{'left is on the right':>22}"]
    for left, right, both, onward in report.pairs:
        share = f"{onward / both:.0%}" if both else "-"
        lines.append(f"{left + ', ' + right:<34}{both:>15,}{share:>22}")
    return lines
