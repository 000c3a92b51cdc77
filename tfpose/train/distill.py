"""Distillation: the maps of a trained network, the teacher, are taught beside the truth.

Zhang, Zhu, Ye 2019: "Fast Human Pose Estimation", section 3.2. A student of few parameters learns from a teacher's maps
where a keypoint is hard to see or its label is wrong; the truth says neither.
"""

from collections.abc import Iterable

import keras
from keras import ops

from tfpose import paths, remote, runners
from tfpose.config import Distill
from tfpose.systems.base import PoseSystem

TERM = "distill"
MAPS = ("heatmaps", "pafs")


class Teacher:
    """A network that stays as it is, and what it costs a student of `system` not to say the same at its last stage.

    The costs are those of the system, with the teacher's maps in place of the truth: what is not known of a view costs
    nothing, as ever. No Keras object, so that a trainee that has one neither trains nor saves it.
    """

    def __init__(self, network: keras.Model, system: PoseSystem, weight: float):
        self.network, self.system, self.weight = network, system, weight
        last = runners.last_stage({term: term for term in system.terms})
        self.terms = {term: name for name, term in last.items() if name in MAPS}

    def cost(self, image, targets: dict, outputs: dict):
        """The weighted distance to the teacher's maps of the images, (B, H, W, 3) uint8, as a float32 scalar."""
        maps = runners.last_stage(self.network(image, training=False))
        taught = {term: ops.stop_gradient(maps[name]) for term, name in self.terms.items()}
        costs = self.system.loss(targets | taught, outputs)
        return self.weight * sum(costs[term] for term in self.terms)


def teacher(options: Distill, system: PoseSystem, sizes: Iterable[tuple[int, int]]) -> Teacher:
    """The teacher of `train.distill`, for views of these sizes (height, width).

    ValueError where it is no Keras network, or one of other keypoints, maps, strides or views than the student's: maps
    of another grid could be resized, but would then be of a blur that nobody was taught.
    """
    path = remote.fetched(paths.path(options.teacher))
    file, spec = runners.network_file(path), runners.specification(path)
    if file.suffix != ".keras":
        raise ValueError(f"train.distill.teacher: {file}, expected a run folder or a .keras file")
    network = keras.saving.load_model(file, compile=False)
    result = Teacher(network, system, options.weight)
    found = {"keypoints": list(spec.skeleton.keypoints), "view": spec.view, "stride": spec.decoder.get("stride")}
    expected = {"keypoints": list(system.body.keypoints), "view": system.view, "stride": system.stride}
    found["maps"] = sorted(set(runners.last_stage(network.output)) & set(MAPS))
    expected["maps"] = sorted(result.terms.values())
    for name, value in expected.items():
        if found[name] != value or not value:
            raise ValueError(f"train.distill.teacher: {file}: {name} {found[name]}, the student's are {value}")
    own = tuple(network.inputs[0].shape[1:3])
    for size in sizes:
        if None not in own and own != tuple(size):
            raise ValueError(f"train.distill.teacher: {file} sees views of {own}, the student of {tuple(size)}")
    return result
