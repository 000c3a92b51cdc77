"""Bundles with a SavedModel for the tests of servers: networks that need no training, and photos for them."""

import atexit
import functools
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
import perfect
from PIL import Image

from benchmarks.ideal import drawn
from tfpose.skeleton import COCO17, OPENPOSE18
from tfpose.spec import PoseSpec

SIZE = (96, 64)
PERSON = PoseSpec("ppnet", "person", SIZE, COCO17, {"name": "topdown", "stride": 4, "refine": "parabola"})
VIEW = (128, 160)
PEOPLE = perfect.people(VIEW, 3)


def folder(network, spec) -> Path:
    """A bundle with the SavedModel of a network; it is there until the tests end."""
    from tfpose.export import bundle

    path = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, path)
    return bundle.write(network, spec, path, ("saved_model",))


@functools.cache
def person() -> Path:
    """A network of one person: each keypoint is where a photo is most like its colour, over 9 x 9 cells."""
    import keras

    image = keras.Input((*SIZE, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, name="normalise")(image)
    x = keras.layers.AveragePooling2D(4, name="cells")(x)
    head = keras.layers.Conv2D(COCO17.count, 9, padding="same", activation="sigmoid", name="heatmaps")
    network = keras.Model(image, {"heatmaps": head(x)})
    near = np.exp(-(np.hypot(*np.mgrid[-4:5, -4:5]) ** 2) / 8)
    colours = np.random.default_rng(0).normal(0, 1, (3, COCO17.count))
    head.set_weights([near[..., None, None] / near.sum() * 4 * colours, np.zeros(COCO17.count)])
    return folder(network, PERSON)


@functools.cache
def fields() -> Path:
    """A network of whole images that sees PEOPLE in every view, by heatmaps and fields."""
    maps = dict(zip(("heatmaps", "pafs"), drawn(PEOPLE, OPENPOSE18.pairs, (VIEW[0] // 8, VIEW[1] // 8))))
    decoder = {"name": "pafs", "stride": 8, "threshold": 0.1}
    return folder(same(maps), PoseSpec("mln", "image", VIEW, OPENPOSE18, decoder))


@functools.cache
def boxes() -> Path:
    """A network of whole images that sees two of PEOPLE in every view, by heatmaps and boxes."""
    maps, _ = drawn(PEOPLE[:2], OPENPOSE18.pairs, (VIEW[0] // 4, VIEW[1] // 4), stride=4)
    low, high = PEOPLE[:2, :, :2].min(axis=1), PEOPLE[:2, :, :2].max(axis=1)
    told = perfect.told(np.concatenate([low, high - low], axis=1), VIEW)
    decoder = {"name": "boxes", "stride": 4}
    return folder(same({"heatmaps": maps} | told), PoseSpec("multiposenet", "image", VIEW, OPENPOSE18, decoder))


def same(maps: dict):
    """A network whose maps are these, whatever it looks at."""
    import keras

    image = keras.Input((*VIEW, 3), dtype="uint8", name="image")
    nothing = keras.layers.GlobalAveragePooling2D(name="nothing")(keras.layers.Rescaling(0.0, name="dark")(image))
    heads = {name: keras.layers.Dense(values.size, name=f"{name}_flat") for name, values in maps.items()}
    outputs = {n: keras.layers.Reshape(v.shape, name=n)(heads[n](nothing)) for n, v in maps.items()}
    network = keras.Model(image, outputs)
    for name, values in maps.items():
        heads[name].set_weights([np.zeros((3, values.size)), values.ravel()])
    return network


def photo(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """A photo of (height, width) with soft colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size[::-1], Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
