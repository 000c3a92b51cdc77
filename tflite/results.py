"""What was found, as files: poses.json, a COCO annotation file, and pictures and videos with the skeletons on them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tflite.sources import Source
from tflite.video import Frame, VideoFile
from tfpose.annotations import annotation, category
from tfpose.draw import draw_poses
from tfpose.poses import Poses
from tfpose.skeleton import Skeleton

JSON, PICTURES = "poses.json", "pictures"
QUALITY = 92  # of JPEG pictures


class Results:
    """A folder that fills with what is found: pictures and videos at once, poses.json when `close` is called.

    A keypoint is drawn from the score `threshold` on, the people's boxes with `boxes`; without `pictures` nothing is.
    """

    def __init__(self, folder: Path, body: Skeleton, *, pictures: bool, threshold: float, boxes: bool):
        self.json, self._pictures = folder / JSON, folder / PICTURES if pictures else None
        self._body, self._threshold, self._boxes = body, threshold, boxes
        self._video, self._shown = None, None
        self.images, self.annotations = [], []
        (self._pictures or folder).mkdir(parents=True, exist_ok=True)

    def add(self, source: Source, frame: Frame, people: Poses) -> None:
        """Takes the people of one frame of a source; sources come one after the other."""
        number = len(self.images) + 1
        height, width = frame.image.shape[:2]
        image = {"id": number, "file_name": source.name, "height": height, "width": width}
        if source.kind != "photo":
            image |= {"frame": frame.number, "seconds": round(frame.seconds, 3)}
        self.images.append(image)
        first = len(self.annotations) + 1
        self.annotations += [annotation(result, i) for i, result in enumerate(people.to_coco(number), first)]
        if self._pictures:
            self._draw(source, frame, people)

    def close(self) -> None:
        """Writes poses.json, at once or not at all, and the end of a video."""
        self._end_video()
        content = {"images": self.images, "annotations": self.annotations, "categories": [category(self._body)]}
        half = self.json.with_suffix(".part")
        half.write_text(json.dumps(content))
        half.replace(self.json)

    def summary(self) -> str:
        """How much was looked at and found, and where it is, in one line."""
        places = ", ".join(str(place) for place in (self.json, self._pictures) if place)
        many = "" if len(self.images) == 1 else "s"
        return f"{len(self.images)} picture{many}, {len(self.annotations)} people: {places}"

    def _draw(self, source: Source, frame: Frame, people: Poses) -> None:
        drawn = draw_poses(frame.image, people, self._body, self._threshold, boxes=self._boxes)
        path = self._pictures / source.picture
        if source.kind == "photo":
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawn).save(path, quality=QUALITY)
            return
        if self._shown != source:
            self._end_video()
            self._video, self._shown = VideoFile(path, drawn.shape[:2], frame.rate), source
        self._video.add(drawn, frame.seconds)

    def _end_video(self) -> None:
        if self._video:
            self._video.close()
        self._video = self._shown = None


def kept(people: Poses, score: float, most: int | None) -> Poses:
    """Those that score `score` at least, the `most` best of them, in the order in which they came."""
    order = np.argsort(-people.scores, kind="stable")
    chosen = np.sort(order[people.scores[order] >= score][:most])
    return Poses(people.keypoints[chosen], people.scores[chosen], people.boxes[chosen])
