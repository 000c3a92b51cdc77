"""Trains the two networks that tell people's keypoints apart, on scenes: labels alone, no image is read."""

from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from benchmarks.assignment_scenes import Scene, noisy
from tfpose.decode import assign
from tfpose.encode import instances
from tfpose.progress import progress
from tfpose.skeleton import COCO17

GRID = (56, 36)
CROWDS = (2, 3, 5, 8, 13, 1000)  # scenes of up to so many people share a batch, so that little of it is padding
PEOPLE = 128  # about so many in a batch
RATE, WARM = 2e-3, 200  # the assignment network's learning rate and the steps until it is reached


def fit_prn(network: keras.Model, scenes: list[Scene], *, margin, epochs, batch, rate, schedule, noise, seed) -> None:
    """Trains the Pose Residual Network as its paper does: binary cross-entropy, Adam, easy people first."""
    draw, step = np.random.default_rng(seed), residual_step(network, margin)
    for epoch in range(int(np.ceil(epochs))):
        people = curriculum([noisy(s, draw) for s in scenes] if noise else scenes)
        people = people[:: max(1, round(1 / (epochs - epoch)))]  # of half an epoch every second person
        starts = range(0, len(people) - batch + 1, batch)
        for i, start in enumerate(progress(starts, len(starts), f"epoch {epoch + 1}")):
            done = (epoch + i / len(starts)) / epochs
            now = rate * (0.5 + 0.5 * np.cos(np.pi * done)) if schedule == "cosine" else rate
            step(*stacked(people[start : start + batch]), tf.constant(now, tf.float32))


def residual_step(network: keras.Model, margin: float):
    """A step of Adam on candidates, boxes and keypoints, at a rate; weights and moments are read and written once.

    The network is 280 MB large: an optimizer that goes through it operation by operation takes three times as long.
    """
    weights, done = network.trainable_variables, tf.Variable(0.0)
    moments = [[tf.Variable(tf.zeros(w.shape)) for w in weights] for _ in "mv"]
    entropy = keras.losses.BinaryCrossentropy()

    @tf.function(reduce_retracing=True)
    def step(candidates, boxes, keypoints, rate):
        maps = instances.inputs(candidates, boxes, GRID, margin, COCO17.count)[:, 0]
        with tf.GradientTape() as tape:
            loss = entropy(instances.targets(keypoints, boxes, GRID, margin)[:, 0], network(maps, training=True))
        done.assign_add(1.0)
        for w, m, v, grad in zip(weights, *moments, tape.gradient(loss, weights)):
            betas = {"beta1_power": 0.9**done, "beta2_power": 0.999**done, "beta1": 0.9, "beta2": 0.999}
            tf.raw_ops.ResourceApplyAdam(
                var=w.value.handle, m=m.handle, v=v.handle, lr=rate, epsilon=1e-7, grad=grad, **betas
            )
        return loss

    return step


def curriculum(scenes: list[Scene]) -> list[tuple[Scene, int]]:
    """(scene, box) of everybody with at least two keypoints, those with most keypoints and the largest boxes first."""
    found = []
    for scene in scenes:
        counts = np.bincount(scene.owners[scene.owners >= 0], minlength=len(scene.boxes))
        areas = scene.boxes[:, 2:].prod(axis=1)
        found += [(-counts[i], -areas[i], len(found) + i, scene, i) for i in np.flatnonzero(counts >= 2)]
    return [person[3:] for person in sorted(found, key=lambda person: person[:3])]


def stacked(people: list[tuple[Scene, int]]) -> tuple:
    """Candidates (B, N, 4), boxes (B, 1, 4) and the boxes' own keypoints (B, 1, K, 3) of a batch, float32."""
    candidates = np.zeros((len(people), max(len(s.candidates) for s, _ in people), 4), np.float32)
    for row, (scene, _) in zip(candidates, people):
        row[: len(scene.candidates)] = scene.candidates
    boxes = np.stack([scene.boxes[i] for scene, i in people])
    return candidates, boxes[:, None], np.stack([scene.keypoints()[i] for scene, i in people])[:, None]


def fit_assignment(network: keras.Model, scenes: list[Scene], *, margin, epochs, noise, seed) -> None:
    """Trains the assignment network on scenes, each mirrored at times; with `noise` half of them are noisy."""
    draw, optimizer = np.random.default_rng(seed), keras.optimizers.Adam(RATE, clipnorm=1.0)
    optimizer.build(network.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(inputs, owned):
        with tf.GradientTape() as tape:
            loss = ownership_loss(network(inputs, training=True), inputs, owned)
        optimizer.apply_gradients(zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables))

    total = int(epochs * len(groups(scenes, np.random.default_rng(0))))
    order = (group for _ in range(int(np.ceil(epochs))) for group in groups(scenes, draw))
    for done, group in enumerate(progress((g for _, g in zip(range(total), order)), total, "steps")):
        optimizer.learning_rate.assign(RATE * min(1, (done + 1) / WARM) * (0.5 + 0.5 * np.cos(np.pi * done / total)))
        step(*padded([varied(s, draw, noise) for s in group], margin))


def groups(scenes: list[Scene], draw: np.random.Generator) -> Iterator[list[Scene]]:
    """Batches of scenes with about as many people each, in any order; of images of one person, a quarter."""
    scenes = [s for s in scenes if len(s.boxes) > 1 or draw.random() < 0.25]
    by_crowd = {}
    for i in draw.permutation(len(scenes)):
        crowd = next(c for c in CROWDS if len(scenes[i].boxes) <= c)
        by_crowd.setdefault(crowd, []).append(scenes[i])
    found = []
    for crowd, members in by_crowd.items():
        size = max(4, PEOPLE // crowd)
        found += [members[i : i + size] for i in range(0, len(members), size)]
    return [found[i] for i in draw.permutation(len(found))]


def varied(scene: Scene, draw: np.random.Generator, noise: bool) -> Scene:
    """The scene as training sees it: mirrored one time in two and, where asked for, noisy one time in two."""
    if noise and draw.random() < 0.5:
        scene = noisy(scene, draw)
    return mirrored(scene) if draw.random() < 0.5 else scene


def mirrored(scene: Scene) -> Scene:
    """The scene in a mirror that stands at the left edge of the image: left keypoints become right ones."""
    candidates, boxes = scene.candidates.copy(), scene.boxes.copy()
    candidates[:, 0] = np.array(COCO17.mirror)[candidates[:, 0].astype(int)]
    candidates[:, 1] = -1 - candidates[:, 1]
    boxes[:, 0] = -boxes[:, 0] - boxes[:, 2]
    return replace(scene, candidates=candidates, boxes=boxes)


def padded(scenes: list[Scene], margin: float) -> tuple[dict, np.ndarray]:
    """The network's inputs of several scenes, and who owns what: (B, P, N), 1 at a box's own candidates inside it."""
    people, count = (max(1, *(len(a) for a in arrays)) for arrays in zip(*((s.boxes, s.candidates) for s in scenes)))
    shapes = {"places": (people, count, 2), "kinds": (count, COCO17.count), "inside": (people, count)}
    shapes |= {"shapes": (people, 1)}
    inputs = {name: np.zeros((len(scenes), *shape), np.float32) for name, shape in shapes.items()}
    owned = np.zeros_like(inputs["inside"])
    for i, scene in enumerate(scenes):
        for name, one in assign.network_inputs(scene.candidates, scene.boxes, margin, COCO17.count).items():
            inputs[name][(i, *map(slice, one.shape[1:]))] = one[0]
        own = np.flatnonzero(scene.owners >= 0)
        owned[i, scene.owners[own], own] = 1
    return inputs, owned * inputs["inside"]


def ownership_loss(outputs: dict, inputs: dict, owned):
    """The mean over passes of two cross-entropies: over the boxes a candidate may have, and over what a box may take.

    `owned` (B, P, N) is 1 where a candidate is a box's own. A candidate of nobody, and a kind of which a box has none,
    belong to the null; candidates in no box, and kinds without a candidate in the box, do not count.
    """
    inside, kinds = inputs["inside"], inputs["kinds"]
    seen, offered = (ops.cast(x > 0, "float32") for x in (ops.sum(inside, axis=1), ops.matmul(inside, kinds)))
    passes, total = len(outputs) // 2, 0.0
    for i in range(passes):
        boxes, candidates = (ops.clip(outputs[f"{side}/{i}"], -30, 30) for side in ("boxes", "candidates"))
        whose = ops.log1p(ops.sum(ops.exp(boxes) * inside, axis=1)) - ops.sum(boxes * owned, axis=1)  # B,N
        which = ops.log1p(ops.matmul(ops.exp(candidates) * inside, kinds)) - ops.matmul(candidates * owned, kinds)
        total += ops.sum(whose * seen) / ops.maximum(ops.sum(seen), 1)
        total += ops.sum(which * offered) / ops.maximum(ops.sum(offered), 1)
    return total / passes
