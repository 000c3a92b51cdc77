"""The smallest PPNet that has every kind of layer, views for it, and one bundle of it for all tests that need one."""

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIZE = (64, 48)
HOME = "TFPOSE_TEST_FILES"  # where the processes of a session keep what they share


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills for the first process of a session that asks; it is there until the tests end."""
    if HOME not in os.environ:  # not a test, but a program that a test has started by itself
        os.environ[HOME] = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, os.environ[HOME])
    folder, made = (Path(os.environ[HOME]) / f for f in (name, f"{name}.made"))
    with made.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not made.stat().st_size:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            file.write("made\n")
            file.flush()
    return folder


@functools.cache
def network():
    """A deployed PPNet of 64 x 48 with random weights: 17 maps of 16 x 12."""
    import keras

    from tfpose.models import blocks, ppnet

    keras.utils.set_random_seed(3)
    options = {"modules": 2, "depth": 1, "width": 8, "stem_width": 8, "stem_blocks": 1, "stem_out": 16}
    return blocks.last_stage(ppnet.ppnet(size=SIZE, keypoints=17, init_std=None, **options))


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

    kinds = ("saved_model", "float32", "float16", "int8")
    return made_once(
        "bundle", lambda folder: bundles.write(network(), spec(), folder, kinds, views(), {"source": "patches"})
    )


# A configuration whose training takes seconds; a list of overrides, as the command line takes them.
OPTIONS = (
    "system.name=ppnet",
    f"system.size={list(SIZE)}",
    "system.depth=1",
    "system.depth_ratio=1",
    "system.branches=2",
    "system.strides=[2]",
    "system.width=8",
    "system.stem_width=8",
    "system.stem_blocks=1",
    "system.stem_out=16",
    "system.init=he",
    "system.sigma=1.5",
    "system.centre=exact",
    "train.epochs=2",
    "train.batch=8",
    "train.pictures=2",
    "train.optimizer={name: adam, learning_rate: 3e-3}",
    "train.schedule={name: cosine, warmup_steps: 3}",
)


@functools.cache
def people() -> Path:
    """A folder with drawn people, 16 images to train on and 8 to validate with; it is there until the tests end."""
    from tfpose.data import synthetic

    return made_once("people", lambda folder: synthetic.write(folder, train=16, validation=8, size=(120, 160)))


def overrides(*more: str) -> tuple[str, ...]:
    """The options of a run on those people, and `more`, which win."""
    parts = [(p, people() / "annotations" / f"person_keypoints_{p}.json") for p in ("train", "validation")]
    data = [f"data.{p}={{annotations: {file}, images: {people() / p}}}" for p, file in parts]
    return (*OPTIONS, *data, *more)


def config(*more: str):
    """The configuration of such a run."""
    from tfpose import yaml_config

    return yaml_config.defaults(overrides(*more))


@functools.cache
def run() -> Path:
    """The folder of a finished run; it is there until the tests end, and no test writes to it."""
    from tfpose.train import loop

    return made_once("run", lambda folder: loop.train(config(), folder))
