"""CrowdPose: its skeleton, and its protocol wherever the images of a file have a crowd index."""

import copy
import json

import folders
import numpy as np
import pytest

from tfpose import evaluate, yaml_config
from tfpose.data import check
from tfpose.data.source import load_part
from tfpose.metrics.oks import oks
from tfpose.skeleton import COCO17, CROWDPOSE14

INDEX = (0.0, 0.15, 0.2, 0.5, 0.8, 1.0)  # two images a level: the lower limit belongs to a level, the upper does not


def truth(index=INDEX):
    """A CrowdPose file: images with a crowd index, people without an area."""
    draw = np.random.default_rng(4)
    people = []
    for identity in range(1, 2 * len(index) + 1):
        x, y, w, h = box = [200.0 * (identity % 2), 30.0, 100.0, 180.0]
        points = draw.uniform(0, 1, (14, 2)) * (w, h) + (x, y)
        keypoints = np.column_stack([points, np.full(14, 2)]).ravel().tolist()
        entry = {"id": identity, "image_id": (identity + 1) // 2, "category_id": 1, "iscrowd": 0, "bbox": box}
        people.append(entry | {"num_keypoints": 14, "keypoints": keypoints})
    images = [image(i, value) for i, value in enumerate(index, 1)]
    category = {"id": 1, "name": "person", "keypoints": list(CROWDPOSE14.keypoints)}
    return {"images": images, "annotations": people, "categories": [category]}


def image(identity, value):
    return {"id": identity, "file_name": f"{identity:06d}.jpg", "width": 400, "height": 240, "crowdIndex": value}


def results(content, noise=0.0, lost=()):
    """Detections of everybody but those on the images in `lost`, off by `noise` pixels (deviation)."""
    draw = np.random.default_rng(6)
    found = []
    for person in content["annotations"]:
        keypoints = np.array(person["keypoints"]).reshape(-1, 3)
        keypoints[:, :2] += draw.normal(0, noise, keypoints[:, :2].shape) if noise else 0
        if person["image_id"] not in lost:
            result = {"image_id": person["image_id"], "category_id": 1, "score": float(draw.uniform())}
            found.append(result | {"keypoints": keypoints.ravel().tolist()})
    return found


def figures(content, found, ids=None):
    return evaluate.coco_ap(content, found, ids, CROWDPOSE14.sigmas)


def test_the_skeleton_has_the_sigmas_of_the_published_evaluation():
    sigmas = [0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79]
    assert CROWDPOSE14.sigmas == pytest.approx(np.array(sigmas) / 10)
    assert CROWDPOSE14.keypoints[:4] == ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow")
    assert CROWDPOSE14.keypoints[-4:] == ("left_ankle", "right_ankle", "head", "neck")


def test_a_file_with_crowd_indices_is_judged_by_the_levels_and_not_by_sizes():
    content = truth()
    made = figures(content, results(content))
    assert list(made) == ["AP", "AP50", "AP75", "AR", "AR50", "AR75", "AP-easy", "AP-medium", "AP-hard"]
    assert all(value == pytest.approx(1) for value in made.values())


@pytest.mark.parametrize(("level", "images"), [("AP-easy", (1, 2)), ("AP-medium", (3, 4)), ("AP-hard", (5, 6))])
def test_people_who_are_missed_lower_the_figure_of_their_level_alone(level, images):
    content = truth()
    made = figures(content, results(content, lost=images))
    assert {name for name in made if name.startswith("AP-") and made[name] < 0.99} == {level}
    assert made["AR"] == pytest.approx(4 / 6)


def test_a_level_is_the_official_ap_of_its_images_with_areas_of_0_53_boxes():
    content = truth()
    found = results(content, noise=8.0)
    plain = copy.deepcopy(content)
    for entry in plain["images"]:
        del entry["crowdIndex"]
    for person in plain["annotations"]:
        person["area"] = 0.53 * person["bbox"][2] * person["bbox"][3]
    made = figures(content, found)
    for name, ids in (("AP", range(1, 7)), ("AP-easy", (1, 2)), ("AP-medium", (3, 4)), ("AP-hard", (5, 6))):
        part = [r for r in found if r["image_id"] in ids]
        assert 0 < made[name] < 1 and made[name] == pytest.approx(figures(plain, part, ids)["AP"])


def test_the_area_in_the_file_changes_nothing():
    content = truth()
    other = copy.deepcopy(content)
    for person in other["annotations"]:
        person["area"] = 7.0
    found = results(content, noise=8.0)
    assert figures(other, found) == figures(content, found)


def test_the_similarity_behind_it_is_the_published_formula():
    person = np.array(truth()["annotations"][0]["keypoints"]).reshape(1, 14, 3)
    off = person + [3.0, 4.0, 0.0]
    sigmas = np.array([0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79]) / 10
    area = 0.53 * 100 * 180
    expected = np.exp(-25 / (2 * sigmas) ** 2 / area / 2).mean()
    assert oks(off, person, [area], CROWDPOSE14.sigmas)[0, 0] == pytest.approx(expected)


def test_a_level_without_images_has_no_figure():
    content = truth(index=(0.1, 0.1))
    made = figures(content, results(content))
    assert made["AP-easy"] == pytest.approx(1) and made["AP-medium"] == made["AP-hard"] == -1


def test_the_report_keeps_the_columns_apart():
    content = truth(index=(0.1, 0.1))
    table = evaluate.report({evaluate.ANNOTATED: evaluate.Evaluation(figures(content, results(content)), [])})
    header, row = table.splitlines()
    assert header.split()[-3:] == ["AP-easy", "AP-medium", "AP-hard"] and row.split()[-3:] == ["100.0", "-", "-"]
    assert len(header) == len(row)


def test_a_crowdpose_file_loads_and_is_checked(tmp_path):
    content = truth()
    for entry in content["images"]:
        folders.photo(tmp_path, entry["id"], (240, 400))
    (tmp_path / "people.json").write_text(json.dumps(content))
    where = [f"data.train={{annotations: {tmp_path / 'people.json'}, images: {tmp_path}}}"]
    split = load_part(yaml_config.defaults((*where, "data.skeleton=crowdpose14")).data, CROWDPOSE14, "train")
    report = check.check(split, CROWDPOSE14)
    assert (report.images, report.people, report.problems) == (6, 12, ())
    with pytest.raises(ValueError, match=r"set data\.skeleton to the one of this file"):
        load_part(yaml_config.defaults(tuple(where)).data, COCO17, "train")
