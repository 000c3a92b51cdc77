"""The smallest PPNet that has every kind of layer, views for it, and one bundle of it for all tests that need one."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np

SIZE = (64, 48)


@functools.cache
def network():
    """A deployed PPNet of 64 x 48 with random weights: 17 maps of 16 x 12."""
    import keras

    from tfpose.models import ppnet

    keras.utils.set_random_seed(3)
    options = {"modules": 2, "depth": 1, "width": 8, "stem_width": 8, "stem_blocks": 1, "stem_out": 16}
    return ppnet.deployed(ppnet.ppnet(size=SIZE, keypoints=17, init_std=None, **options))


def spec():
    """What ships beside it."""
    from tfpose.skeleton import COCO17
    from tfpose.spec import PoseSpec

    return PoseSpec("ppnet", "person", SIZE, COCO17, {"name": "topdown", "stride": 4})


def views(count: int = 8) -> np.ndarray:
    """Random views (N, 64, 48, 3) uint8: patches of colour, black and white among them."""
    patches = np.random.default_rng(1).integers(0, 256, (count, 8, 6, 3), dtype=np.uint8)
    patches[:, 0, 0], patches[:, 0, 1] = 0, 255
    return patches.repeat(8, axis=1).repeat(8, axis=2)


@functools.cache
def bundle() -> Path:
    """A folder with the network in every kind; it is there until the tests end."""
    from tfpose.export import bundle as bundles

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    kinds = ("saved_model", "float32", "float16", "int8")
    return bundles.write(network(), spec(), folder, kinds, views(), {"source": "patches"})
