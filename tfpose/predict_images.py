"""ImagePredictor: an image -> one view of all of it -> the network -> everybody in it, in pixels of the image."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from tfpose import anchors, geometry
from tfpose.decode import decoder, maps, people
from tfpose.decode.inboxes import InBoxes
from tfpose.poses import Poses, mapped_boxes
from tfpose.predict import checked, mirrored
from tfpose.spec import PoseSpec

FLIPS = ("none", "aligned")


@dataclass(frozen=True, eq=False)
class Parts:
    """What poses are made of in one image, in its pixels: `candidates` (N, 4) kind, x, y, score; `boxes` (B, 4).

    `scores` (B,) are the boxes'; `mask` (height, width) bool says where persons are.
    """

    candidates: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class ImagePredictor:
    """Finds everybody in an image, whatever runs the network; nobody has to say where they are.

    `run` takes views (N, H, W, 3) uint8 RGB and returns {name: maps (N, h, w, C) float32}; `warp` is called as
    `geometry.warp` is; `batch` is the most views of a run. `flip` "aligned" averages the maps with those of the
    mirrored view. `scales` are those of the view, their maps averaged on the grid of scale 1 and their boxes all taken
    together; other scales than 1 need a `run` that takes views of any size.
    """

    spec: PoseSpec
    run: Callable[[np.ndarray], dict]
    flip: str = "none"
    batch: int = 8
    warp: Callable = geometry.warp
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self):
        if self.spec.view != "image":
            raise ValueError(f"pose.json: view {self.spec.view!r}; expected 'image', a network that needs no boxes")
        if self.flip not in FLIPS:
            raise ValueError(f"flip: found {self.flip!r}; choose from {', '.join(FLIPS)} for a network of whole images")
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(f"scales: found {list(self.scales)}; expected factors of the view, as in [1.0, 0.5]")
        assert self.decode  # an unknown decoder fails here, before any image

    @cached_property
    def decode(self) -> Callable[[dict], list[Poses]]:
        """The decoder that the specification describes."""
        return decoder(self.spec.decoder, self.spec.skeleton)

    def __call__(self, image: np.ndarray) -> Poses:
        """Everybody in an image (H, W, 3) uint8 RGB, best first."""
        return self.many([image])[0]

    def many(self, images: Iterable[np.ndarray]) -> list[Poses]:
        """Everybody in each image, several images in one run."""
        found, images = [], iter(images)
        while some := list(islice(images, self.batch)):
            outputs = self.outputs(some)
            each = people.people(outputs) if people.found(outputs) else self.decode(outputs)
            for image, poses in zip(some, each):
                found.append(poses.mapped(self.affine(image).inverse))
        return found

    @property
    def has_parts(self) -> bool:
        """Whether the network finds boxes and a mask of persons too, which `parts` gives."""
        return isinstance(self.decode, InBoxes)

    def parts(self, images: Iterable[np.ndarray]) -> Iterator[Parts]:
        """The peaks, boxes and mask of persons of each image, several images in one run; see `has_parts`."""
        images = iter(images)
        while some := list(islice(images, self.batch)):
            outputs = people.maps(self.outputs(some))
            yield from (self._parts(image, _one(outputs, i)) for i, image in enumerate(some))

    def _parts(self, image: np.ndarray, outputs: dict[str, np.ndarray]) -> Parts:
        # A network of one part alone has no boxes, or no heatmaps and mask.
        stride, back = self.spec.decoder["stride"], self.affine(image).inverse
        found, scores, candidates = np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4))
        mask = np.zeros((*image.shape[:2], 1), np.float32)
        if "boxes" in outputs:
            grid = tuple(side // stride for side in self.view_size())
            found, scores = self.decode.boxes(grid, outputs["boxes"], outputs["scores"])
        if "heatmaps" in outputs:
            heatmaps = outputs["heatmaps"]
            candidates = self.decode.candidates(heatmaps)
            candidates[:, 1:3] = back.apply(candidates[:, 1:3])
            cells = back @ geometry.stride(stride).inverse
            mask = geometry.warp(np.ascontiguousarray(heatmaps[..., -1:]), cells, image.shape[:2])
        return Parts(candidates, mapped_boxes(found, back), scores, self.decode.mask(mask))

    def affine(self, image: np.ndarray, scale: float = 1.0) -> geometry.Affine:
        """Image -> view: all of it, centred, aspect kept."""
        return geometry.letterbox(image.shape[:2], self.view_size(scale))

    def view_size(self, scale: float = 1.0) -> tuple[int, int]:
        """The (height, width) of views of a scale, whole cells, or whole ones of a detector's features."""
        unit = anchors.WHOLE if self.has_parts else self.spec.decoder["stride"]
        height, width = (max(1, round(side * scale / unit)) * unit for side in self.spec.size)
        return height, width

    def outputs(self, images: list[np.ndarray]) -> dict[str, np.ndarray]:
        """What is decoded, {name: (N, ...)}: maps and codes are means of a view and, with `flip`, the mirrored one.

        Of several scales maps are averaged, and boxes the best of all.
        """
        for image in images:
            checked(image)
        if self.scales == (1.0,):
            return self._outputs(images, 1.0)
        found = [self._outputs(images, scale) for scale in self.scales]
        each = [self._together(image, [_one(maps, i) for maps in found]) for i, image in enumerate(images)]
        return {name: np.stack([maps[name] for maps in each]) for name in each[0]}

    def _outputs(self, images: list[np.ndarray], scale: float) -> dict[str, np.ndarray]:
        size = self.view_size(scale)
        views = np.stack([self.warp(image, self.affine(image, scale), size) for image in images])
        outputs = self.run(views)
        if self.flip == "none" and self.scales == (1.0,):
            return outputs
        outputs = people.maps(outputs)
        if self.flip == "none":
            return outputs
        back = maps.unmirrored(self.run(mirrored(views)), self.spec.skeleton, size)
        return {name: (outputs[name] + back[name]) / 2 for name in outputs}

    def _together(self, image: np.ndarray, found: list[dict]) -> dict[str, np.ndarray]:
        # From a pixel of the view of another scale to that of scale 1, and from there to the cell of the other scale.
        home, size = self.affine(image), self.view_size()
        affines = [home @ self.affine(image, scale).inverse for scale in self.scales]
        cells = geometry.stride(self.spec.decoder["stride"])
        grid = tuple(side // self.spec.decoder["stride"] for side in size)
        result = maps.averaged(found, [cells @ a.inverse @ cells.inverse for a in affines], grid)
        if "boxes" in found[0]:
            result |= maps.pooled(found, [self.view_size(scale) for scale in self.scales], affines, size)
        return result


def _one(outputs: dict, index: int) -> dict:
    return {name: values[index] for name, values in outputs.items()}
