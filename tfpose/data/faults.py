"""What is wrong with one entry of a COCO file: a few words, or None where it can be used."""

import math

ANNOTATION_IDS = ("id", "image_id", "category_id")


def finite(values) -> bool:
    """Whether it is a list of numbers, all of them finite."""
    try:
        return isinstance(values, list) and all(map(math.isfinite, values))
    except TypeError:
        return False


def in_image(entry) -> str | None:
    """What is wrong with an entry of "images"."""
    if not isinstance(entry, dict) or not {"id", "file_name", "width", "height"} <= set(entry):
        return "expected id, file_name, width and height"
    if not all(type(entry[name]) is int for name in ("id", "width", "height")) or not isinstance(
        entry["file_name"], str
    ):
        return "expected whole numbers as id, width and height, and text as file_name"
    return None if entry["width"] > 0 and entry["height"] > 0 else "expected a width and a height above zero"


def in_ids(entry) -> str | None:
    """What keeps an entry of "annotations" from being told apart from the others."""
    if not isinstance(entry, dict):
        return "expected an object"
    if missing := [name for name in (*ANNOTATION_IDS, "bbox") if name not in entry]:
        return f"lacks {', '.join(missing)}"
    if not all(type(entry[name]) is int for name in ANNOTATION_IDS):
        return f"expected whole numbers as {', '.join(ANNOTATION_IDS)}"
    return None


def in_numbers(entry: dict, count: int) -> str | None:
    """What is wrong with the box, the area or the `count` keypoints of a person."""
    keypoints, box = entry.get("keypoints") or [], entry["bbox"]
    if not finite(box) or len(box) != 4:
        return f"its box is {box!r:.80}, expected four finite numbers"
    if not finite(keypoints):
        return "its keypoints are not a list of finite numbers"
    if keypoints and len(keypoints) != 3 * count:
        return f"{len(keypoints)} keypoint numbers, expected {3 * count}"
    if not finite([entry.get("area", 0)]):
        return f"its area is {entry['area']!r:.80}, expected a finite number"
    if labelled(entry) and min(box[2:]) <= 0:
        return f"its box {box} has no area"
    return None


def labelled(entry: dict) -> bool:
    """Whether it is one person, no crowd, with a keypoint at least."""
    return not entry.get("iscrowd") and any((entry.get("keypoints") or [])[2::3])
