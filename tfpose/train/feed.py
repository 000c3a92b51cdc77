"""What `fit` is fed with: the batches that a configuration asks for, of a run's training and validation part."""

import dataclasses
import itertools

import numpy as np

from tfpose.config import Augment, Config
from tfpose.data import pipeline
from tfpose.data.share import WHOLE, Share
from tfpose.systems.base import PoseSystem
from tfpose.train.run import Run
from tfpose.train.timeline import Stretch


def augmented(
    config: Config, method: PoseSystem, records, *, size, batch, jitter=1.0, buckets=(), epoch=0, step=0, share=WHOLE
):
    """Endless training batches of records, augmented as a configuration says, from a step of an epoch on.

    `jitter` is a phase's: the share of the configuration's scale and shift.
    """
    return pipeline.training(
        records,
        method.encode,
        **_views(config, method, size),
        batch=batch,
        buckets=buckets,
        augment=calmed(config.augment, jitter),
        seed=config.seed,
        start_epoch=epoch,
        start_step=step,
        share=share,
        service=config.data.service,
    )


def calmed(augment: Augment, jitter: float) -> Augment:
    """The same chance with boxes that vary by the share `jitter` only."""
    low, high = augment.scale
    middle, reach = (low + high) / 2, (high - low) / 2 * jitter
    return dataclasses.replace(augment, scale=(middle - reach, middle + reach), shift=augment.shift * jitter)


def samples(run: Run, stretch: Stretch, epoch: int, step: int = 0, share: Share = WHOLE):
    """The endless training data of a stretch, or a worker's share of it, from a step of an epoch on."""
    where = {"size": stretch.size, "batch": stretch.batch, "jitter": stretch.jitter}
    where["buckets"] = run.config.train.buckets
    records = run.parts.train.records
    return augmented(run.config, run.system, records, **where, epoch=epoch, step=step, share=share)


def validation(run: Run, stretch: Stretch, share: Share = WHOLE):
    """The validation part, or a worker's share of it, at a stretch's size, once through."""
    return pipeline.validation(
        run.parts.validation.records,
        run.system.encode,
        **_views(run.config, run.system, stretch.size),
        batch=stretch.batch,
        buckets=run.config.train.buckets,
        share=share,
    )


def batch_names(run: Run, stretch: Stretch, epoch: int, step: int) -> str:
    """The annotation ids of one batch: the data depends on seed and epoch alone, so it can be asked for again."""
    data = samples(run, stretch, epoch)
    inputs, _ = next(itertools.islice(iter(data), step, None))
    return ", ".join(str(i) for i in np.asarray(inputs["annotation_id"]))


def _views(config: Config, method: PoseSystem, size: tuple[int, int]) -> dict:
    """What the pipeline must know of a system and its data to cut views of a size, with chance or without."""
    seen = {"view": method.view, "stride": method.stride, "labels": method.labels, "skeleton": method.skeleton}
    return seen | {"size": size, "padding": config.data.padding, "warp": config.data.warp}
