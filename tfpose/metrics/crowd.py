"""CrowdPose's protocol: COCO's AP with areas made from boxes, and again for images that are more or less crowded."""

from collections.abc import Callable

# Object sizes play no part in CrowdPose's figures: the ranges medium and large are left out.
KEPT = ("AP", "AP50", "AP75", "AR", "AR50", "AR75")
AREA_OF_BOX = 0.53
# Crowd indices [from, below). The paper's text has 0.1 between easy and medium; its code, and all figures made with it,
# have 0.2 (crowdposetools/cocoeval.py, summarize).
LEVELS = {"AP-easy": (0.0, 0.2), "AP-medium": (0.2, 0.8), "AP-hard": (0.8, float("inf"))}


def indexed(truth: dict, image_ids: list[int]) -> bool:
    """Whether every one of these images of a COCO file has a `crowdIndex`, as CrowdPose's have."""
    wanted = set(image_ids)
    return bool(wanted) and all("crowdIndex" in image for image in truth["images"] if image["id"] in wanted)


def figures(truth: dict, image_ids: list[int], ap: Callable[[dict, list[int]], dict]) -> dict:
    """{"AP" ... "AR75", "AP-easy", "AP-medium", "AP-hard"}, 0 to 1, -1 where a level has no people.

    `ap` gives COCO's figures of a truth and some of its images. A person's area is 0.53 of the box, whatever the file
    says, and there are no size ranges (crowdposetools).
    """
    people = [a | {"area": AREA_OF_BOX * a["bbox"][2] * a["bbox"][3]} for a in truth["annotations"]]
    truth = truth | {"annotations": people}
    index = {image["id"]: image["crowdIndex"] for image in truth["images"] if "crowdIndex" in image}
    whole = ap(truth, image_ids)
    made = {name: whole[name] for name in KEPT}
    for name, (low, high) in LEVELS.items():
        part = [i for i in image_ids if low <= index[i] < high]
        made[name] = ap(truth, part)["AP"] if part else -1.0
    return made
