"""`tfpose show NETWORK --fields PHOTO`: one picture of every step from a photo to the people found in it.

heatmaps, fields / peaks, candidate limbs / people, or of a network of boxes heatmaps, mask / peaks, boxes / people:
where somebody is missing, the step that lost them is seen.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tfpose import draw, geometry
from tfpose.poses import Poses
from tfpose.predict import read_image
from tfpose.predict_images import ImagePredictor
from tfpose.predictions import load_predictor
from tfpose.skeleton import Skeleton

WIDTH = 640  # pixels of a picture, so that its points and lines can be told apart


def write(network: Path, photo: Path, picture: Path) -> str:
    """Writes the picture and says in a line what is on it; ValueError for a network without fields."""
    predictor = load_predictor(network)
    if not isinstance(predictor, ImagePredictor):
        raise ValueError(f"{network}: looks at one person and has no fields; see the pictures of `tfpose predict`")
    pictures, counts = steps(predictor, read_image(photo, upright=True))
    Image.fromarray(draw.tile(pictures, 2, pictures[0].shape[:2])).save(picture)
    return f"{', '.join(f'{count} {name}' for name, count in counts.items())}: {picture}"


def steps(predictor: ImagePredictor, image: np.ndarray) -> tuple[list[np.ndarray], dict[str, int]]:
    """The pictures (height, width, 3) uint8 of an image's steps, and {"peaks": how many, ..., "people": how many}."""
    size, body = predictor.spec.size, predictor.spec.skeleton
    view = predictor.warp(image, predictor.affine(image), size)
    maps = {name: values[0] for name, values in predictor.outputs([image]).items()}
    factor = max(1, round(WIDTH / size[1]))
    large = geometry.resizing(factor, factor)
    ground = np.asarray(Image.fromarray(view).resize((size[1] * factor, size[0] * factor), Image.Resampling.BICUBIC))
    pictures, counts, people = (_boxes if predictor.has_parts else _fields)(predictor, maps, ground, large)
    return (
        [draw.draw_heatmaps(ground, maps["heatmaps"][..., : body.count]), *pictures],
        counts | {"people": len(people)},
    )


def _fields(predictor: ImagePredictor, maps: dict, ground: np.ndarray, large: geometry.Affine) -> tuple:
    """Pictures and counts of what makes people of fields, and the people."""
    body, decoder = predictor.spec.skeleton, predictor.decode
    peaks, limbs = decoder.parts(maps["heatmaps"], maps["pafs"])
    people = decoder.one(maps["heatmaps"], maps["pafs"])
    points = (large @ geometry.stride(decoder.stride / decoder.upsample).inverse).apply(peaks.points)
    pictures = [
        draw.draw_fields(ground, maps["pafs"]),
        draw_peaks(ground, points, peaks.kinds, peaks.values, body),
        draw_limbs(ground, points[limbs.starts], points[limbs.ends], limbs.scores),
        draw.draw_poses(ground, people.mapped(large), body, 0.0),
    ]
    return pictures, {"peaks": len(points), "candidate limbs": len(limbs.scores)}, people


def _boxes(predictor: ImagePredictor, maps: dict, ground: np.ndarray, large: geometry.Affine) -> tuple:
    """The same of what makes people of boxes: the mask of persons, peaks, boxes."""
    body, decoder = predictor.spec.skeleton, predictor.decode
    candidates = decoder.candidates(maps["heatmaps"])
    boxes, scores = decoder.boxes(maps["heatmaps"].shape[:2], maps["boxes"], maps["scores"])
    people = decoder.poses(candidates, boxes, scores)
    nobody = Poses(np.zeros((len(boxes), body.count, 3), np.float32), scores, boxes)
    points = large.apply(candidates[:, 1:3])
    pictures = [
        draw.draw_heatmaps(ground, maps["heatmaps"][..., body.count :]),
        draw_peaks(ground, points, candidates[:, 0].astype(int), candidates[:, 3], body),
        draw.draw_poses(ground, nobody.mapped(large), body, boxes=True),
        draw.draw_poses(ground, people.mapped(large), body, 0.0, boxes=True),
    ]
    return pictures, {"peaks": len(points), "boxes": len(boxes)}, people


def draw_peaks(image: np.ndarray, points: np.ndarray, kinds, values, skeleton: Skeleton) -> np.ndarray:
    """A copy of the image with a disc at each point (N, 2) in its keypoint's colour, larger for a higher value."""
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    for (x, y), kind, value in zip(points, kinds, values):
        radius = 2 + 4 * float(np.clip(value, 0, 1))
        place = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(place, fill=draw.colour(skeleton.keypoints[kind]), outline=draw.SHADE)
    return np.asarray(picture)


def draw_limbs(image: np.ndarray, starts: np.ndarray, ends: np.ndarray, scores) -> np.ndarray:
    """A copy of the image with a line from each start to its end, both (N, 2), the brighter the higher its score."""
    picture = Image.fromarray((image * 0.5).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for i in np.argsort(scores):  # the best on top
        shade = tuple(int(c) for c in draw.colour_map(np.clip(scores[i], 0, 1)))
        pen.line([tuple(starts[i]), tuple(ends[i])], fill=shade, width=2)
    return np.asarray(picture)
