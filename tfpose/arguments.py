"""The command line's words: every command, its options, what --help says of them, and an example of each."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from tfpose import __version__, paths

OVERRIDES = "changes to the configuration, as in train.batch=16 system.width=24"
QUICKSTART = "configs/tiny/ppnet_synthetic.yaml"
NETWORK = "a run folder, a bundle, a .keras, a SavedModel folder or a .tflite"
ELSEWHERE = "Files and folders may be elsewhere, as gs://bucket/run."


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """A command's `name` and options; SECTION.OPTION=VALUE may stand after a flag too, unlike in argparse alone."""
    top = parser()
    options, others = top.parse_known_args(arguments)
    wrong = [o for o in others if o.startswith("-") or "=" not in o or not hasattr(options, "overrides")]
    if wrong:
        top.error(f"{options.name}: {wrong[0]!r} is not known; see `tfpose {options.name} --help`")
    if others:
        options.overrides = [*options.overrides, *others]
    return options


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(
        prog="tfpose", description="Trains human-pose networks and puts them on devices.", epilog=ELSEWHERE
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, add in COMMANDS.items():
        _command(commands, name, add)
    return top


def _command(commands, name: str, add: Callable) -> None:
    """A command whose function adds its options; the function's docstring is what --help says."""
    text, examples = add.__doc__, EXAMPLES[name]
    p = commands.add_parser(name.rpartition(" ")[2], help=text[0].lower() + text[1:].rstrip("."), description=text)
    p.epilog, p.formatter_class = examples, argparse.RawDescriptionHelpFormatter
    p.set_defaults(name=name)
    add(p)


def _train(p: argparse.ArgumentParser) -> None:
    """Train a network, or continue where an earlier call stopped."""
    _configuration(p)
    p.add_argument("--workdir", type=paths.path, help="the run folder (default: runs/NAME OF THE CONFIGURATION)")
    p.add_argument("--stage", default="", help="of a configuration with stages only the one of this name")


def _evaluate(p: argparse.ArgumentParser) -> None:
    """COCO AP, PCK or PCKh of any file that predicts."""
    p.add_argument("network", type=paths.path, metavar="NETWORK", help=NETWORK)
    _data(p)
    p.add_argument(
        "--detections", type=paths.path, help="COCO results with person boxes: prints the AP with them as well"
    )
    p.add_argument(
        "--ensemble", action="append", default=[], metavar="OTHER", help="average with its maps; may be repeated"
    )
    p.add_argument("--json", action="store_true", help="print the figures as JSON")


def _predict(p: argparse.ArgumentParser) -> None:
    """Find people's keypoints in photos: a COCO-format json and pictures."""
    p.add_argument("network", type=paths.path, metavar="NETWORK", help=NETWORK)
    p.add_argument("photos", type=paths.path, nargs="+", metavar="PHOTO", help="image files or folders of them")
    people = p.add_mutually_exclusive_group()
    people.add_argument(
        "--box", type=box, action="append", default=[], metavar="X,Y,W,H", help="a person's box; may be repeated"
    )
    people.add_argument(
        "--boxes", type=paths.path, help="COCO file with file names and boxes (default: an image is a person)"
    )
    _output(p, "--output", Path("predictions"), "folder for poses.json and the pictures")
    p.add_argument("--flip", action="store_true", help="average with the mirrored views: better, twice the time")


def _export(p: argparse.ArgumentParser) -> None:
    """Write the bundle: SavedModel, TFLite files and pose.json, verified."""
    _run(p)
    p.add_argument("--output", type=paths.path, help="the bundle's folder (default: RUN/bundle)")
    p.add_argument("--layers", action="store_true", help="write what each layer costs in 8 bits: layers.md, layers.png")
    p.add_argument(
        "--keep-float", action="append", default=[], metavar="LAYER", help="left in float32 in int8; may be repeated"
    )


def _quantize(p: argparse.ArgumentParser) -> None:
    """Train a run on for a little: for int8, or for files that compress."""
    _run(p)
    how = p.add_mutually_exclusive_group(required=True)
    how.add_argument("--aware", action="store_true", help="as its int8 file computes: aware.tflite in RUN/bundle")
    how.add_argument("--prune", type=float, metavar="SHARE", help="so much of its kernels zero, as in 0.5: RUN/pruned")
    how.add_argument("--cluster", type=int, metavar="COUNT", help="so many values in a kernel, as in 16: RUN/clustered")


def _sweep(p: argparse.ArgumentParser) -> None:
    """Train with many values of some options: a grid, or drawn by chance."""
    p.add_argument("config", type=paths.path, metavar="CONFIG", help="a YAML file, such as those in configs/")
    p.add_argument(
        "overrides",
        nargs="+",
        metavar="SECTION.OPTION=VALUES",
        help="[16,32] are choices, 1e-4..1e-2 is a range, and anything else is the same for all",
    )
    p.add_argument(
        "--workdir", type=paths.path, help="the sweep's folder (default: runs/sweep_NAME OF THE CONFIGURATION)"
    )
    p.add_argument("--jobs", type=int, default=1, help="trainings at a time (default: %(default)s)")
    p.add_argument("--trials", type=int, default=0, help="so many drawn by chance (default: every combination)")
    p.add_argument("--seed", type=int, default=0, help="of chance (default: %(default)s)")
    p.add_argument("--metric", default="val_loss", help="of log.csv or `tfpose evaluate` (default: %(default)s)")
    way = p.add_mutually_exclusive_group()
    way.add_argument("--minimize", dest="highest", action="store_false", default=None, help="default for a loss")
    way.add_argument("--maximize", dest="highest", action="store_true", default=None, help="default for AP, PCK, PCKh")


def _find_rate(p: argparse.ArgumentParser) -> None:
    """The learning rate, by some steps at ever higher ones."""
    _configuration(p)
    p.add_argument("--from", dest="low", type=float, default=1e-7, help="the first rate (default: %(default)s)")
    p.add_argument("--to", dest="high", type=float, default=10.0, help="the last rate (default: %(default)s)")
    p.add_argument("--steps", type=int, default=200, help="from one to the other (default: %(default)s)")
    _output(p, "--picture", Path("rate.html"), "its curve")


def _show(p: argparse.ArgumentParser) -> None:
    """What a network costs, layer by layer, beside what its paper prints."""
    _configuration(p)
    p.add_argument("--json", action="store_true", help="print the totals as JSON")
    p.add_argument(
        "--fields",
        type=paths.path,
        metavar="PHOTO",
        help=f"draw every step to its people, where CONFIG is {NETWORK}; of a YAML file what would be taught by that "
        "photo of its data, or by the first of a part: train or validation",
    )
    p.add_argument("--stage", default="", help="with --fields, what the stage of this name would be taught")
    _output(p, "--picture", Path("fields.png"), "where it goes")


def _data_commands(p: argparse.ArgumentParser) -> None:
    """Data at scale: shards to train from, and machines that make the batches."""
    group = p.add_subparsers(required=True, metavar="COMMAND")
    for name, add in DATA_COMMANDS.items():
        _command(group, f"data {name}", add)


def _data_shard(p: argparse.ArgumentParser) -> None:
    """Write the data of a configuration as shards that training reads."""
    _configuration(p)
    p.add_argument("--out", type=paths.path, required=True, metavar="FOLDER", help="where they go")
    p.add_argument("--part", choices=("train", "validation"), help="only this one (default: both)")
    how = p.add_mutually_exclusive_group()
    how.add_argument("--whole", action="store_true", help="whole photos, byte for byte, for a system of crops too")
    how.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="TIMES",
        help="crops of so many times the person's box (default: all that the augmentation can look at)",
    )
    p.add_argument(
        "--detail",
        type=float,
        default=1.0,
        metavar="TIMES",
        help="most pixels of a crop to one of a view at scale 1 (default: 1); 1.5 is sharper where chance looks closer",
    )
    p.add_argument("--per-shard", type=int, default=512, metavar="COUNT", help="photos or crops (default: %(default)s)")
    p.add_argument("--quality", type=int, default=95, help="of the crops' JPEG (default: %(default)s)")
    p.add_argument("--processes", type=int, default=cores(), help="that write (default: one a core)")


def _data_dispatcher(p: argparse.ArgumentParser) -> None:
    """Hand out numbers of batches to workers (data.service)."""
    p.add_argument("--port", type=int, default=5050, help="0 for one that is free (default: %(default)s)")


def _data_worker(p: argparse.ArgumentParser) -> None:
    """Make batches for data.service on this machine."""
    p.add_argument("dispatcher", metavar="grpc://HOST:PORT", help="the dispatcher's address")
    p.add_argument("--host", default="localhost", help="this machine's name for the trainers (default: %(default)s)")
    p.add_argument("--port", type=int, default=0, help="where it listens (default: one that is free)")


def _check_data(p: argparse.ArgumentParser) -> None:
    """Look at a data set before training on it: a table and a picture."""
    _data(p)
    p.add_argument("--part", choices=("train", "validation"), default="train")
    _output(p, "--picture", Path("data.png"), "where the picture goes")


def _serve(p: argparse.ArgumentParser) -> None:
    """A bundle's SavedModel behind HTTP, as TensorFlow Serving has it, and a page."""
    p.add_argument("bundle", type=paths.path, metavar="BUNDLE", help="the folder that `tfpose export` wrote")
    p.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for other machines too (default: %(default)s)")
    p.add_argument("--port", type=int, default=8501, help="0 for one that is free (default: %(default)s)")
    p.add_argument("--name", dest="model", default="pose", help="the model's, in the address (default: %(default)s)")
    p.add_argument("--threads", type=int, default=cores(), help="that compute (default: one a core, %(default)s)")
    p.add_argument("--at-once", type=int, default=0, help="batches that share the threads (default: one a thread)")
    p.add_argument("--batch", type=int, default=16, help="most photos of a batch (default: %(default)s)")
    p.add_argument("--wait-ms", type=float, default=5, help="for a batch to fill (default: %(default)s)")
    p.add_argument("--queue", type=int, default=256, help="most photos that wait; then 503 (default: %(default)s)")
    p.add_argument("--body-mb", type=float, default=32, help="largest request (default: %(default)s)")
    p.add_argument("--megapixels", type=float, default=50, help="largest photo (default: %(default)s)")


def _quickstart(p: argparse.ArgumentParser) -> None:
    """The whole way on drawn people: train, evaluate, export, predict."""
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)
    p.add_argument("--config", type=paths.path, default=Path(QUICKSTART), help="default: %(default)s")
    _output(p, "--workdir", Path("runs/quickstart"), "the run folder")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def box(text: str) -> list[float]:
    """The four numbers of X,Y,W,H."""
    numbers = [float(number) for number in text.split(",")]
    if len(numbers) != 4:
        raise ValueError(text)
    return numbers


def _configuration(p: argparse.ArgumentParser) -> None:
    p.add_argument("config", type=paths.path, metavar="CONFIG", help="a YAML file, such as those in configs/")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)


def _run(p: argparse.ArgumentParser) -> None:
    p.add_argument("run", type=paths.path, metavar="RUN", help="the run folder of `tfpose train`")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)


def _data(p: argparse.ArgumentParser) -> None:
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)
    p.add_argument("--config", type=paths.path, help="whose data section to use (default: the one in the run folder)")
    p.add_argument("--annotations", type=paths.path, help="another annotation file, COCO format")
    p.add_argument("--images", type=paths.path, help="the folder of its images")


def _output(p: argparse.ArgumentParser, flag: str, default: Path, text: str) -> None:
    p.add_argument(flag, type=paths.path, default=default, help=f"{text} (default: %(default)s)")


DATA_COMMANDS = {"shard": _data_shard, "dispatcher": _data_dispatcher, "worker": _data_worker}
COMMANDS = {
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "export": _export,
    "quantize": _quantize,
    "sweep": _sweep,
    "find-rate": _find_rate,
    "show": _show,
    "data": _data_commands,
    "check-data": _check_data,
    "serve": _serve,
    "quickstart": _quickstart,
}
EXAMPLES = {
    "train": "example:\n  tfpose train configs/tiny/ppnet_synthetic.yaml train.epochs=5 --workdir runs/try",
    "evaluate": "examples:\n  tfpose evaluate runs/try\n  tfpose evaluate runs/try/bundle/int8.tflite --json\n"
    "  tfpose evaluate runs/try --annotations val.json --images val/\n"
    "  tfpose evaluate runs/try --detections boxes.json evaluate.nms=soft evaluate.refine=dark evaluate.blur=11\n"
    "  tfpose evaluate runs/try --ensemble runs/other",
    "predict": "examples:\n  tfpose predict runs/try photo.jpg --box 50,20,200,400\n  tfpose predict runs/try folder/",
    "export": "examples:\n  tfpose export runs/try export.files=[int8,dynamic]\n"
    "  tfpose export runs/try export.files=[int8,decoded_int8] export.photo=[480,640]\n"
    "  tfpose export runs/try --layers\n  tfpose export runs/try --keep-float stem_conv1\n"
    "  tfpose export runs/try export.calibration=percentile export.percentile=99.999",
    "quantize": "examples:\n  tfpose quantize runs/try --aware quantize.epochs=2\n"
    "  tfpose quantize runs/try --prune 0.5\n  tfpose quantize runs/try --cluster 16",
    "sweep": "examples:\n  tfpose sweep configs/tiny/ppnet_synthetic.yaml 'train.batch=[16,32]' "
    "'system.width=[16,24]' --metric AP\n"
    "  tfpose sweep CONFIG train.optimizer.learning_rate=1e-4..1e-2 train.batch=16..64 --trials 20 --jobs 2",
    "find-rate": "example:\n  tfpose find-rate configs/tiny/ppnet_synthetic.yaml --steps 100",
    "show": "examples:\n  tfpose show configs/ppnet/m2-d2-w32_256x192_coco.yaml\n"
    "  tfpose show CONFIG system.width=48 --json\n"
    "  tfpose show runs/crowd --fields photo.jpg\n"
    "  tfpose show configs/multiposenet/r50_480x480_coco.yaml --stage detector --fields train",
    "data": "examples:\n  tfpose data shard configs/ppnet/m2-d2-w32_256x192_coco.yaml --out shards/\n"
    "  tfpose data worker grpc://data:5050 --host worker1\n  tfpose data shard --help",
    "data shard": "It continues where an earlier call stopped. Persons' crops are written for systems that see one\n"
    "person, whole photos for others; what chance can do to a view is that of CONFIG's augment section.\n\n"
    "examples:\n  tfpose data shard configs/ppnet/m2-d2-w32_256x192_coco.yaml --out shards/\n"
    "  tfpose train configs/ppnet/m2-d2-w32_256x192_coco.yaml data.format=shards data.folder=shards/\n"
    "  tfpose data shard CONFIG --whole --out gs://bucket/photos --processes 16\n"
    "  tfpose check-data --config CONFIG data.format=shards data.folder=shards/",
    "data dispatcher": "example, on three machines and the trainer's:\n  tfpose data dispatcher --port 5050\n"
    "  tfpose data worker grpc://data:5050 --host worker1\n  tfpose data worker grpc://data:5050 --host worker2\n"
    "  tfpose train CONFIG data.service=grpc://data:5050",
    "data worker": "example:\n  tfpose data worker grpc://data:5050 --host worker1 --port 5051",
    "check-data": "examples:\n  tfpose check-data --config configs/tiny/ppnet_synthetic.yaml\n"
    "  tfpose check-data --annotations people.json --images photos/",
    "serve": "example:\n  tfpose serve runs/try/bundle --port 8501",
    "quickstart": "example:\n  tfpose quickstart --workdir runs/quickstart",
}
