"""A run, put together once: its system, data and timeline, and the trainee, compiled on the devices it will have."""

from dataclasses import dataclass
from pathlib import Path

import keras

from tfpose.config import Config, Train
from tfpose.data import pipeline
from tfpose.data.source import Parts, load_parts
from tfpose.skeleton import skeleton
from tfpose.systems.base import PoseSystem, system
from tfpose.train import accumulate, checkpoint, devices, distill, multiworker, optimizers, schedules, transfer
from tfpose.train.fused import training_network
from tfpose.train.loss_scale import LossScale
from tfpose.train.timeline import Timeline, timeline
from tfpose.train.trainee import Trainee


@dataclass(frozen=True, eq=False)
class Run:
    """Everything a run is made of."""

    config: Config
    folder: Path
    system: PoseSystem
    parts: Parts
    trainee: Trainee
    timeline: Timeline
    callbacks: tuple[keras.callbacks.Callback, ...] = ()


def assemble(config: Config, folder: Path, strategy, parts: Parts | None = None) -> Run:
    """The run of a configuration in a folder, on its own data or on `parts`; the variables are under `strategy`.

    Raises ValueError where the configuration asks for what its system cannot do.
    """
    method = system(config.system, skeleton(config.data.skeleton))
    replicas = strategy.num_replicas_in_sync
    bodies, photos = "mask" in method.labels, method.view != "labels"
    parts = parts or load_parts(config.data, method.skeleton, bodies=bodies, photos=photos)
    count = pipeline.count(parts.train.records, method.view, method.labels, config.train.batch)
    plan = timeline(config.train, method.training_size, count, replicas)
    refuse(config.train, method, replicas)
    with strategy.scope():
        network = begun(config.train, method, replicas, fresh=not checkpoint.exists(folder))
        trainee = compiled(config.train, method, network, plan, replicas)
    if config.train.accumulate > 1:
        accumulate.accumulate(trainee, config.train.accumulate)
    if multiworker.several(strategy):
        multiworker.correct(trainee)
    return Run(config, folder, method, parts, trainee, plan)


def refuse(train: Train, method: PoseSystem, replicas: int) -> None:
    """Raises ValueError where a system cannot be trained so; a size that no phase can have is refused at once."""
    alone = method.view == "labels"
    if alone and train.phases:
        raise ValueError("train.phases: found some, but labels have no size; leave them out")
    if method.labels == ("image",) and alone and replicas * train.accumulate > 1:
        raise ValueError("train: batches of images' labels are of any size and cannot be split; use one device, whole")
    if train.buckets and method.view != "image":
        raise ValueError(f"train.buckets: {method.name} does not look at whole images; leave them out")
    for size in (*train.buckets, *(phase.size for phase in train.phases)):
        method.build(size)


def begun(train: Train, method: PoseSystem, replicas: int, *, fresh: bool) -> keras.Model:
    """The training network with the weights it begins with; a `fresh` run takes those that its system starts from."""
    size = (None, None) if train.phases or method.view != "person" else None
    together = replicas if train.sync_batch_norm else 1
    network = training_network(lambda: method.build(size), train.precision, together)
    if fresh:
        method.start(network)
    if train.initial_weights:
        transfer.initial(network, train.initial_weights)
    return network


def compiled(train: Train, method: PoseSystem, network: keras.Model, plan: Timeline, replicas: int) -> Trainee:
    """A network as the trainee that `fit` takes, with its optimizer's variables."""
    at = tuple(plan.step_at(epoch) for epoch in train.schedule.at)
    rate = schedules.rate(train.optimizer.learning_rate, train.schedule, at, plan.total)
    optimizer = optimizers.optimizer(train.optimizer, rate, clip_norm=train.clip_norm, average=train.average)
    if train.precision == "float16":  # its smallest gradients would be zero
        optimizer = LossScale(optimizer)
    trainee = Trainee(network, method, replicas, _teacher(train, method, plan))
    # Labels come in batches of ever other shapes: each would be compiled anew.
    trainee.compile(optimizer=optimizer, jit_compile=method.view != "labels" and devices.compiler(train.jit))
    trainee.optimizer.build(network.trainable_variables)
    return trainee


def _teacher(train: Train, method: PoseSystem, plan: Timeline) -> distill.Teacher | None:
    sizes = [stretch.size for stretch in plan.stretches]
    return distill.teacher(train.distill, method, sizes) if train.distill.teacher else None
