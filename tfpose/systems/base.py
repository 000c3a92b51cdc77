"""The seam: what one pose method must say about itself, and nothing about files, devices or training loops."""

import abc
import importlib
from dataclasses import dataclass

from tfpose.skeleton import Skeleton
from tfpose.spec import PoseSpec


@dataclass(frozen=True)
class Counting:
    """How a paper counts its GFLOPs: of how many multiply-accumulates one is, and what it counts too often."""

    unit: int = 2**30
    scattered_by_output: bool = False
    text: str = "2^30 multiply-accumulates"


class PoseSystem(abc.ABC):
    """One method, whole: its network, what it is taught, what that costs and how its maps become poses.

    `view` is "person" (a crop per box), "image", or "labels" where no pixel is seen; `terms` are the names that `loss`
    returns, in order; `stride` is the number of view pixels to a cell of the targets; `labels` is what of an image it
    is taught beside keypoints, or of labels alone whether a sample is a "person" or an "image" with everybody.
    """

    name: str
    view: str
    terms: tuple[str, ...]
    size: tuple[int, int]
    stride: int
    labels: tuple[str, ...] = ()
    skeleton: Skeleton
    counting = Counting()

    @property
    def body(self) -> Skeleton:
        """What the network and its decoder speak; `skeleton` is that of the annotations."""
        return self.skeleton

    @property
    def training_size(self) -> tuple[int, int]:
        """The (height, width) of views in training; `size` is that of views when the network serves."""
        return self.size

    @abc.abstractmethod
    def build(self, size: tuple[int | None, int | None] | None = None):
        """A functional keras.Model: uint8 "image" (B, H, W, 3) -> named maps; of `size` or the system's own.

        Of labels alone its inputs are named too, and `size` is how many boxes and keypoints it sees.
        """

    @abc.abstractmethod
    def encode(self, batch: dict) -> tuple:
        """(inputs, targets) of a batch of views, in TensorFlow ops; targets have the names of the outputs."""

    @abc.abstractmethod
    def loss(self, targets: dict, outputs: dict) -> dict:
        """{term: float32 scalar} in keras.ops, weighted, masked by what is known."""

    @abc.abstractmethod
    def decoder(self) -> dict:
        """The decoder as data: {"name": ..., option: value}."""

    @abc.abstractmethod
    def deployed(self, network):
        """The sub-model that ships: the same weights, the last stage's outputs only."""

    def start(self, network) -> None:  # noqa: B027 (most systems start from what `build` draws)
        """Gives a new training network the weights that it starts from, where they are not drawn."""

    def spec(self, padding: float) -> PoseSpec:
        """What ships beside the network."""
        return PoseSpec(self.name, self.view, self.size, self.body, self.decoder(), padding)


def system(options, skeleton: Skeleton) -> PoseSystem:
    """The system of a configuration's `system` section: the module of that name is the registry."""
    return importlib.import_module(f"tfpose.systems.{options.name}").make(options, skeleton)
