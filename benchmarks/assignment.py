"""Whose keypoint is it? AP of the Pose Residual Network, its baselines and the assignment network, on labels alone.

    python -m benchmarks.assignment LABELS max ucr            seconds of training, no network
    python -m benchmarks.assignment LABELS ours               minutes
    python -m benchmarks.assignment LABELS prn --epochs 16    the paper's, hours
    python -m benchmarks.assignment LABELS ucr prn ours --stress --noise

LABELS is a COCO keypoint file (.json or .json.gz); no image is read. Every labelled person's box is given, and all
keypoints of the image without saying whose they are. The rows are the methods, the columns three ways to share out
keypoints by the same scores: "peak" gives each box its best candidate, "mutual" only candidates that score highest in
just this box, "assigned" the best one-to-one assignment of each kind. AP is pycocotools', in per cent. Poses are
ranked by the mean share that a box has in its keypoints (--rank count: by how many keypoints it has).

Networks learn on images whose id leaves neither 3 nor 7 when divided by 20, and are measured on those that leave 7; 3
is for choosing settings (--part tuning). What was trained is kept in --weights and used again.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

from benchmarks import assignment_scenes as labels
from benchmarks import assignment_training as training
from tfpose.decode import assign, prn
from tfpose.encode import instances
from tfpose.evaluate import coco_ap
from tfpose.models.assignment import assignment
from tfpose.models.prn import prn as residual_network
from tfpose.progress import progress
from tfpose.skeleton import COCO17

PARTS = {"validation": 7, "tuning": 3}
PRIOR = (28, 18)  # cells of UCR's map
PRNS = {
    "prn": {},
    "prn-plain": {"residual": False},
    "prn-512-plain": {"nodes": 512, "residual": False},
    "prn-2x512-plain": {"nodes": 512, "hidden": 2, "residual": False},
    "prn-2x512": {"nodes": 512, "hidden": 2},
}
METHODS = ("max", "ucr", "ours", *PRNS)
PASSES = 3


def main() -> None:
    """Prints the AP of every method asked for, training what is not kept."""
    o = options()
    tf.config.threading.set_intra_op_parallelism_threads(o.threads)
    content = labels.read(o.labels)
    known = labels.scenes(labels.part(content, None))
    truth = labels.part(content, PARTS[o.part])
    scenes = labels.scenes(truth)
    if o.stress:
        scenes = [labels.noisy(s, np.random.default_rng([o.seed, s.image_id])) for s in scenes]
        truth = labels.remaining(truth, scenes)
    kind = "stressed" if o.stress else "clean"
    print(f"{len(scenes)} images, {sum(len(s.boxes) for s in scenes)} boxes, {kind}, margin {o.margin}")
    print(f"{'':<16}{'weights':>12}" + "".join(f"{rule:>10}" for rule in assign.RULES))
    for name in o.methods:
        find, weights = method(name, known, o)
        aps = figures(find, scenes, truth, o.rank)
        print(f"{name:<16}{weights:>12,}" + "".join(f"{100 * ap:10.2f}" for ap in aps.values()), flush=True)


def options() -> argparse.Namespace:
    """What the command line says."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("labels", type=Path)
    p.add_argument("methods", nargs="+", choices=METHODS, metavar="METHOD", help=", ".join(METHODS))
    p.add_argument("--margin", type=float, default=0.21, help="how much a box is enlarged on every side (default: .21)")
    p.add_argument("--stress", action="store_true", help="measure with boxes and keypoints as detectors make them")
    p.add_argument("--noise", action="store_true", help="train with such errors too")
    p.add_argument("--epochs", type=float, help="over the training images (default: 16 of a prn, 5 of ours)")
    p.add_argument("--batch", type=int, default=8, help="persons in a prn's batch (default: 8)")
    p.add_argument("--rate", type=float, default=1e-4, help="a prn's learning rate (default: 1e-4)")
    p.add_argument("--schedule", choices=("constant", "cosine"), default="constant", help="of a prn's learning rate")
    p.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of a prn in training")
    p.add_argument("--part", choices=PARTS, default="validation")
    p.add_argument("--rank", choices=("share", "count"), default="share")
    p.add_argument("--weights", type=Path, default=Path("runs/assignment"), help="folder (default: runs/assignment)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    return p.parse_args()


def method(name: str, known: list, o: argparse.Namespace) -> tuple:
    """What makes scores and shares (B, N) of scenes by the method, and how many numbers it has learnt."""
    if name == "max":
        return one_by_one(lambda s: prn.max_scores(s.candidates, s.boxes, o.margin)), 0
    if name == "ucr":
        prior = counted(known, o.margin)
        return one_by_one(lambda s: prn.unary_scores(prior, s.candidates, s.boxes, o.margin)), prior.size
    network = assignment(passes=PASSES) if name == "ours" else residual_network(**PRNS[name])
    epochs = o.epochs or (5 if name == "ours" else 16)
    noise = "_noise" if o.noise else ""
    steps = "" if name == "ours" else f"_batch{o.batch}_rate{o.rate:g}_{o.schedule}_{o.precision}"
    path = o.weights / f"{name}_margin{o.margin:g}_epochs{epochs:g}{steps}{noise}_seed{o.seed}.weights.h5"
    if path.is_file():
        network.load_weights(path)
    else:
        choices = {"margin": o.margin, "epochs": epochs, "noise": o.noise, "seed": o.seed}
        if name == "ours":
            training.fit_assignment(network, known, **choices)
        else:
            learner = network if o.precision == "float32" else lower_precision(name)
            training.fit_prn(learner, known, batch=o.batch, rate=o.rate, schedule=o.schedule, **choices)
            network.set_weights(learner.get_weights())
        path.parent.mkdir(parents=True, exist_ok=True)
        network.save_weights(path)
    find = owners(network, o.margin) if name == "ours" else residual(network, o.margin)
    return find, network.count_params()


def lower_precision(name: str):
    """A Pose Residual Network that multiplies in bfloat16; its weights are float32."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = residual_network(**PRNS[name])
    keras.config.set_dtype_policy("float32")
    return network


def counted(scenes: list, margin: float) -> np.ndarray:
    """UCR's prior (28, 18, 17), counted from the boxes' own keypoints."""
    places = [assign.places(s.candidates, s.boxes, margin)[s.owners, np.arange(len(s.owners))] for s in scenes]
    kinds = np.concatenate([s.candidates[:, 0] for s in scenes]).astype(int)
    return prn.prior(np.concatenate(places), kinds, PRIOR, COCO17.count)


def one_by_one(score):
    """Scores of scenes, one after the other, and a box's share of each candidate's sum."""
    return lambda scenes: ((s, prn.shares(s)) for s in map(score, scenes))


def residual(network, margin: float):
    """Scores by the Pose Residual Network, all boxes of a scene in one batch."""
    call = tf.function(lambda maps: network(maps, training=False), reduce_retracing=True)
    draw = tf.function(lambda c, b: instances.inputs(c, b, training.GRID, margin, COCO17.count), reduce_retracing=True)

    def score(scene) -> np.ndarray:
        maps = call(draw(scene.candidates, scene.boxes)).numpy()
        return prn.network_scores(maps, scene.candidates, scene.boxes, margin)

    return one_by_one(score)


def owners(network, margin: float):
    """Scores and shares by the assignment network."""
    call = tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=True)

    def score(scene) -> tuple:
        inputs = assign.network_inputs(scene.candidates, scene.boxes, margin, COCO17.count)
        outputs = call(inputs)
        boxes, candidates = (outputs[f"{side}/{PASSES - 1}"].numpy()[0] for side in ("boxes", "candidates"))
        return assign.network_scores(boxes, candidates, scene.candidates[:, 0].astype(int), inputs["inside"][0])

    return lambda scenes: map(score, scenes)


def figures(find, scenes: list, truth: dict, rank: str) -> dict[str, float]:
    """{rule: AP} of what each rule makes of the scores; images without any candidate give nobody."""
    scenes = [s for s in scenes if len(s.candidates)]
    results = {rule: [] for rule in assign.RULES}
    for scene, (scores, shares) in zip(scenes, find(progress(scenes, len(scenes), "measured"))):
        for rule, found in results.items():
            chosen = assign.RULES[rule](scores, scene.candidates[:, 0].astype(int), COCO17.count)
            people = assign.poses(chosen, scene.candidates, shares, scene.boxes)
            if rank == "count":
                people = replace(people, scores=(people.keypoints[..., 2] > 0).mean(axis=1))
            found += people.to_coco(scene.image_id)
    ids = [image["id"] for image in truth["images"]]
    return {rule: coco_ap(truth, found, ids)["AP"] for rule, found in results.items()}


if __name__ == "__main__":
    main()
