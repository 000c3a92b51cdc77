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

Networks are those of configs/prn and learn by `tfpose train`'s code on images whose id leaves neither 3 nor 7 when
divided by 20; they are measured on those that leave 7, and 3 is for choosing settings (--part tuning). What was trained
is kept in --weights and used again.
"""

import argparse
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

from benchmarks import assignment_scenes as labels
from tfpose import decode, label_runners, yaml_config
from tfpose.config import Config
from tfpose.data import coco, scenes
from tfpose.data.source import Parts
from tfpose.decode import assign, prn
from tfpose.evaluate import coco_ap
from tfpose.progress import progress
from tfpose.runners import last_stage
from tfpose.skeleton import COCO17
from tfpose.systems import base
from tfpose.train import loop

PARTS = {"validation": 7, "tuning": 3}
PRIOR = (28, 18)  # cells of UCR's map
CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "prn"
NETWORKS = {
    "ours": "assignment",
    "prn": "1024",
    "prn-plain": "1024-plain",
    "prn-512-plain": "512-plain",
    "prn-2x512-plain": "2x512-plain",
    "prn-2x512": "2x512",
}
METHODS = ("max", "ucr", *NETWORKS)


def main() -> None:
    """Prints the AP of every method asked for, training what is not kept."""
    o = options()
    tf.config.threading.set_intra_op_parallelism_threads(o.threads)
    records, truth = labels.read(o.labels)
    measured = labels.shuffled(labels.part(records, PARTS[o.part]))
    if o.stress:
        errors = ((s, np.random.default_rng([o.seed, s.image_id])) for s in measured)
        measured = [scenes.noisy(s, COCO17.sigmas, draw) for s, draw in errors]
        truth = labels.remaining(truth, measured)
    kind = "stressed" if o.stress else "clean"
    print(f"{len(measured)} images, {sum(len(s.boxes) for s in measured)} boxes, {kind}, margin {o.margin}")
    print(f"{'':<16}{'weights':>12}" + "".join(f"{rule:>10}" for rule in assign.RULES))
    for name in o.methods:
        find, weights = method(name, records, o)
        aps = figures(find, measured, truth, o.rank)
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


def method(name: str, records: list, o: argparse.Namespace) -> tuple[Callable, int]:
    """What makes scores and shares (B, N) of a scene by the method, and how many numbers it has learnt."""
    if name == "max":
        return shared(lambda s: prn.max_scores(s.candidates, s.boxes, o.margin)), 0
    if name == "ucr":
        prior = counted(labels.shuffled(labels.part(records, None)), o.margin)
        return shared(lambda s: prn.unary_scores(prior, s.candidates, s.boxes, o.margin)), prior.size
    config, path = configuration(name, o), weights(name, o)
    system = base.system(config.system, COCO17)
    network = system.build((None, None))
    if not path.is_file():
        learn(config, records, o, path)
    network.load_weights(path)
    asked, run = decode.decoder(system.decoder(), COCO17), label_runners.network(network, last_stage)
    return lambda s: asked.scores(
        run(asked.inputs(s.candidates, s.boxes)), s.candidates, s.boxes
    ), network.count_params()


def configuration(name: str, o: argparse.Namespace) -> Config:
    """The configuration of a network, with what the command line says."""
    chosen = [f"system.margin={o.margin}", f"train.epochs={math.ceil(epochs(name, o))}", f"seed={o.seed}"]
    if name == "ours":
        chosen += [f"augment.noise={0.5 * o.noise}"]
    else:
        chosen += [f"augment.noise={1.0 * o.noise}", f"train.batch={o.batch}", f"train.precision={o.precision}"]
        chosen += [f"train.optimizer.learning_rate={o.rate}", f"train.schedule.name={o.schedule}"]
    return yaml_config.load(CONFIGS / f"{NETWORKS[name]}_coco.yaml", tuple(chosen))


def weights(name: str, o: argparse.Namespace) -> Path:
    """Where what was trained is kept."""
    noise = "_noise" if o.noise else ""
    steps = "" if name == "ours" else f"_batch{o.batch}_rate{o.rate:g}_{o.schedule}_{o.precision}"
    return o.weights / f"{name}_margin{o.margin:g}_epochs{epochs(name, o):g}{steps}{noise}_seed{o.seed}.weights.h5"


def epochs(name: str, o: argparse.Namespace) -> float:
    """Over the training images, or a part of one; ValueError for one and a half."""
    found = o.epochs or (5 if name == "ours" else 16)
    if found > 1 and found % 1:
        raise ValueError(f"--epochs: found {found}; expected a whole number, or a part of one epoch")
    return found


def learn(config: Config, records: list, o: argparse.Namespace, path: Path) -> None:
    """Trains a network in a run folder, which a call that was stopped continues, and keeps its weights."""
    known = labels.part(records, None)
    known = known[:: max(1, round(1 / (o.epochs or 1)))]
    parts = Parts(*(coco.Split(tuple(part)) for part in (known, labels.part(records, PARTS["tuning"]))))
    run = path.parent / path.name.removesuffix(".weights.h5")
    run.mkdir(parents=True, exist_ok=True)
    loop.train(config, run, parts)
    keras.models.load_model(run / "network.keras", compile=False).save_weights(path)
    shutil.rmtree(run)


def counted(scenes: list, margin: float) -> np.ndarray:
    """UCR's prior (28, 18, 17), counted from the boxes' own keypoints."""
    places = [assign.places(s.candidates, s.boxes, margin)[s.owners, np.arange(len(s.owners))] for s in scenes]
    kinds = np.concatenate([s.candidates[:, 0] for s in scenes]).astype(int)
    return prn.prior(np.concatenate(places), kinds, PRIOR, COCO17.count)


def shared(score: Callable) -> Callable:
    """Scores of a scene, and a box's share of each candidate's sum."""

    def both(scene: scenes.Scene) -> tuple[np.ndarray, np.ndarray]:
        scores = score(scene)
        return scores, prn.shares(scores)

    return both


def figures(find: Callable, measured: list, truth: dict, rank: str) -> dict[str, float]:
    """{rule: AP} of what each rule makes of the scores; images without any candidate give nobody."""
    there = [s for s in measured if len(s.candidates)]
    results = {rule: [] for rule in assign.RULES}
    for scene in progress(there, len(there), "measured"):
        scores, shares = find(scene)
        for rule, found in results.items():
            chosen = assign.RULES[rule](scores, scene.candidates[:, 0].astype(int), COCO17.count)
            people = assign.poses(chosen, scene.candidates, shares, scene.boxes)
            if rank == "count":
                people = replace(people, scores=(people.keypoints[..., 2] > 0).mean(axis=1))
            found += people.to_coco(scene.image_id)
    ids = [scene.image_id for scene in measured]
    return {rule: coco_ap(truth, found, ids)["AP"] for rule, found in results.items()}


if __name__ == "__main__":
    main()
