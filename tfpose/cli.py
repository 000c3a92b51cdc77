"""The command line: `tfpose COMMAND`. Exit code 0 for done, 1 for what could not be done, 2 for a mistyped command."""

import argparse
import json
import os
import sys
from pathlib import Path

from tfpose import __version__, paths, remote, yaml_config
from tfpose.config import Config

OVERRIDES = "changes to the configuration, as in train.batch=16 system.width=24"
QUICKSTART = "configs/tiny/ppnet_synthetic.yaml"
NETWORK = "a run folder, a bundle, a .keras, a SavedModel folder or a .tflite"


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit code. What a user can mend is one line on stderr, without a stack trace."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = parsed(arguments)
    try:
        options.command(options)
    except ImportError as error:
        print(f"tfpose {options.name}: {error}; pip install 'tfpose[train]'", file=sys.stderr)
        return 1
    except (ValueError, ArithmeticError, OSError) as error:
        print(f"tfpose {options.name}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"tfpose {options.name}: stopped; nothing that was written is lost", file=sys.stderr)
        return 1
    return 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command's options; SECTION.OPTION=VALUE may stand after a flag too, which argparse alone does not take."""
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
    top = argparse.ArgumentParser(prog="tfpose", description="Trains human-pose networks and puts them on devices.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    p = _command(commands, "train", train, "train a network, or continue where an earlier call stopped")
    _configuration(p)
    p.add_argument(
        "--workdir",
        type=paths.path,
        help="the run folder, gs://BUCKET/FOLDER too (default: runs/NAME OF THE CONFIGURATION)",
    )
    p.add_argument("--stage", default="", help="of a configuration with stages only the one of this name")

    p = _command(commands, "evaluate", evaluate, "COCO AP, PCK or PCKh of any file that predicts")
    p.add_argument("network", type=Path, metavar="NETWORK", help=NETWORK)
    _data(p)
    p.add_argument("--detections", type=Path, help="COCO results with person boxes: prints the AP with them as well")
    p.add_argument(
        "--ensemble", action="append", default=[], metavar="OTHER", help="average with its maps; may be repeated"
    )
    p.add_argument("--json", action="store_true", help="print the figures as JSON")

    p = _command(commands, "predict", predict, "find people's keypoints in photos: a COCO-format json and pictures")
    p.add_argument("network", type=Path, metavar="NETWORK", help=NETWORK)
    p.add_argument("photos", type=Path, nargs="+", metavar="PHOTO", help="image files or folders of them")
    people = p.add_mutually_exclusive_group()
    people.add_argument(
        "--box", type=box, action="append", default=[], metavar="X,Y,W,H", help="a person's box; may be repeated"
    )
    people.add_argument(
        "--boxes", type=Path, help="COCO file with file names and boxes (default: an image is a person)"
    )
    p.add_argument("--output", type=Path, default=Path("predictions"), help="folder for poses.json and the pictures")
    p.add_argument("--flip", action="store_true", help="average with the mirrored views: better, twice the time")

    p = _command(commands, "export", export, "write the bundle: SavedModel, TFLite files and pose.json, verified")
    p.add_argument("run", type=paths.path, metavar="RUN", help="the run folder of `tfpose train`, gs:// too")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)
    p.add_argument("--output", type=paths.path, help="the bundle's folder, gs:// too (default: RUN/bundle)")
    p.add_argument("--layers", action="store_true", help="write what each layer costs in 8 bits: layers.md, layers.png")
    p.add_argument(
        "--keep-float", action="append", default=[], metavar="LAYER", help="left in float32 in int8; may be repeated"
    )

    p = _command(commands, "quantize", quantize, "train a run on for a little: for int8, or for files that compress")
    p.add_argument("run", type=Path, metavar="RUN", help="the run folder of `tfpose train`")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)
    how = p.add_mutually_exclusive_group(required=True)
    how.add_argument("--aware", action="store_true", help="as its int8 file computes: aware.tflite in RUN/bundle")
    how.add_argument("--prune", type=float, metavar="SHARE", help="so much of its kernels zero, as in 0.5: RUN/pruned")
    how.add_argument("--cluster", type=int, metavar="COUNT", help="so many values in a kernel, as in 16: RUN/clustered")

    p = _command(commands, "sweep", sweep, "train with many values of some options: a grid, or drawn by chance")
    p.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file, such as those in configs/")
    p.add_argument(
        "overrides",
        nargs="+",
        metavar="SECTION.OPTION=VALUES",
        help="[16,32] are choices, 1e-4..1e-2 is a range, and anything else is the same for all",
    )
    p.add_argument("--workdir", type=Path, help="the sweep's folder (default: runs/sweep_NAME OF THE CONFIGURATION)")
    p.add_argument("--jobs", type=int, default=1, help="trainings at a time (default: %(default)s)")
    p.add_argument("--trials", type=int, default=0, help="so many drawn by chance (default: every combination)")
    p.add_argument("--seed", type=int, default=0, help="of chance (default: %(default)s)")
    p.add_argument("--metric", default="val_loss", help="of log.csv or `tfpose evaluate` (default: %(default)s)")
    way = p.add_mutually_exclusive_group()
    way.add_argument("--minimize", dest="highest", action="store_false", default=None, help="default for a loss")
    way.add_argument("--maximize", dest="highest", action="store_true", default=None, help="default for AP, PCK, PCKh")

    p = _command(commands, "find-rate", find_rate, "the learning rate, by some steps at ever higher ones")
    _configuration(p)
    p.add_argument("--from", dest="low", type=float, default=1e-7, help="the first rate (default: %(default)s)")
    p.add_argument("--to", dest="high", type=float, default=10.0, help="the last rate (default: %(default)s)")
    p.add_argument("--steps", type=int, default=200, help="from one to the other (default: %(default)s)")
    p.add_argument("--picture", type=Path, default=Path("rate.html"), help="its curve (default: %(default)s)")

    p = _command(commands, "show", show, "what a network costs, layer by layer, beside what its paper prints")
    _configuration(p)
    p.add_argument("--json", action="store_true", help="print the totals as JSON")
    p.add_argument(
        "--fields",
        type=Path,
        metavar="PHOTO",
        help=f"draw every step to its people, where CONFIG is {NETWORK}; of a YAML file what would be taught by that "
        "photo of its data, or by the first of a part: train or validation",
    )
    p.add_argument("--stage", default="", help="with --fields, what the stage of this name would be taught")
    p.add_argument("--picture", type=Path, default=Path("fields.png"), help="where it goes (default: %(default)s)")

    _data_commands(commands)

    p = _command(commands, "check-data", check_data, "look at a data set before training on it: a table and a picture")
    _data(p)
    p.add_argument("--part", choices=("train", "validation"), default="train")
    p.add_argument("--picture", type=Path, default=Path("data.png"), help="where the picture goes (default: data.png)")

    p = _command(
        commands, "serve", serve, "a bundle's SavedModel behind HTTP, as TensorFlow Serving has it, and a page"
    )
    p.add_argument("bundle", type=Path, metavar="BUNDLE", help="the folder that `tfpose export` wrote")
    p.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for other machines too (default: %(default)s)")
    p.add_argument("--port", type=int, default=8501, help="0 for one that is free (default: %(default)s)")
    p.add_argument("--name", dest="model", default="pose", help="the model's, in the address (default: %(default)s)")
    p.add_argument("--threads", type=int, default=0, help="that compute (default: one a core)")
    p.add_argument("--batch", type=int, default=16, help="most photos of a batch (default: %(default)s)")
    p.add_argument("--wait-ms", type=float, default=5, help="for a batch to fill (default: %(default)s)")
    p.add_argument("--queue", type=int, default=256, help="most photos that wait; then 503 (default: %(default)s)")
    p.add_argument("--body-mb", type=float, default=32, help="largest request (default: %(default)s)")
    p.add_argument("--megapixels", type=float, default=50, help="largest photo (default: %(default)s)")

    p = _command(commands, "quickstart", quickstart, "the whole way on drawn people: train, evaluate, export, predict")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)
    p.add_argument("--config", type=Path, default=Path(QUICKSTART), help="default: %(default)s")
    p.add_argument("--workdir", type=Path, default=Path("runs/quickstart"), help="default: %(default)s")
    return top


def _data_commands(commands) -> None:
    """Those of `tfpose data`."""
    text = "data at scale: shards to train from, and machines that make the batches"
    p = commands.add_parser("data", help=text, description=text[0].upper() + text[1:] + ".", epilog=EXAMPLES["data"])
    p.formatter_class = argparse.RawDescriptionHelpFormatter
    group = p.add_subparsers(required=True, metavar="COMMAND")

    p = _command(group, "data shard", data_shard, "write the data of a configuration as shards that training reads")
    _configuration(p)
    p.add_argument("--out", type=paths.path, required=True, metavar="FOLDER", help="where they go; gs:// too")
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
    p.add_argument("--processes", type=int, default=os.cpu_count(), help="that write (default: one a core)")

    p = _command(group, "data dispatcher", data_dispatcher, "hand out numbers of batches to workers (data.service)")
    p.add_argument("--port", type=int, default=5050, help="0 for one that is free (default: %(default)s)")

    p = _command(group, "data worker", data_worker, "make batches for data.service on this machine")
    p.add_argument("dispatcher", metavar="grpc://HOST:PORT", help="the dispatcher's address")
    p.add_argument("--host", default="localhost", help="this machine's name for the trainers (default: %(default)s)")
    p.add_argument("--port", type=int, default=0, help="where it listens (default: one that is free)")


def _command(commands, name: str, function, text: str) -> argparse.ArgumentParser:
    last = name.rpartition(" ")[2]
    p = commands.add_parser(last, help=text, description=text[0].upper() + text[1:] + ".", epilog=EXAMPLES[name])
    p.formatter_class = argparse.RawDescriptionHelpFormatter
    p.set_defaults(command=function, name=name)
    return p


def box(text: str) -> list[float]:
    """The four numbers of X,Y,W,H."""
    numbers = [float(number) for number in text.split(",")]
    if len(numbers) != 4:
        raise ValueError(text)
    return numbers


def _configuration(p: argparse.ArgumentParser) -> None:
    p.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file, such as those in configs/")
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)


def _data(p: argparse.ArgumentParser) -> None:
    p.add_argument("overrides", nargs="*", metavar="SECTION.OPTION=VALUE", help=OVERRIDES)
    p.add_argument("--config", type=Path, help="whose data section to use (default: the one in the run folder)")
    p.add_argument("--annotations", type=Path, help="another annotation file, COCO format")
    p.add_argument("--images", type=Path, help="the folder of its images")


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


def train(options) -> None:
    """`tfpose train`."""
    config = yaml_config.load(options.config, tuple(options.overrides))
    from tfpose.train import loop, stages

    with remote.here(options.workdir or Path("runs") / options.config.stem) as folder:
        if config.stages:
            stages.train(config, folder, options.stage)
        elif options.stage:
            raise ValueError(f"--stage: {options.config} has no stages; leave it out")
        else:
            loop.train(config, folder)


def evaluate(options) -> None:
    """`tfpose evaluate`."""
    from tfpose import evaluate as judge
    from tfpose import jobs

    if options.ensemble:
        options.overrides = [*options.overrides, f"evaluate.ensemble={json.dumps(options.ensemble)}"]
    config = data_config(options, options.network)
    figures = jobs.evaluate(options.network, config, options.detections)
    print(json.dumps({k: e.figures for k, e in figures.items()}) if options.json else judge.report(figures))


def predict(options) -> None:
    """`tfpose predict`."""
    from tfpose import predictions

    predictions.predict(options.network, options.photos, options.output, options.box, options.boxes, options.flip)


def export(options) -> None:
    """`tfpose export`."""
    from tfpose import jobs

    if options.keep_float:
        options.overrides = [*options.overrides, f"export.keep_float={json.dumps(options.keep_float)}"]
    with remote.here(options.run) as run, remote.here(options.output or run / "bundle") as output:
        config = yaml_config.load(run / "config.yaml", tuple(options.overrides))
        jobs.export(run, config, output, layers=options.layers)


def quantize(options) -> None:
    """`tfpose quantize`."""
    config = yaml_config.load(options.run / "config.yaml", tuple(options.overrides))
    try:
        from tfpose import quantize as smaller
    except ImportError as error:
        raise ValueError(f"{error}; pip install 'tfpose[train,quantize]'") from error
    if options.aware:
        smaller.aware(options.run, config)
    elif options.prune is not None:
        smaller.prune(options.run, config, options.prune)
    else:
        smaller.cluster(options.run, config, options.cluster)


def sweep(options) -> None:
    """`tfpose sweep`."""
    from tfpose.sweep import run

    if options.jobs < 1 or options.trials < 0:
        raise ValueError(f"--jobs and --trials: found {options.jobs} and {options.trials}; expected at least 1 and 0")
    folder = options.workdir or Path("runs") / f"sweep_{options.config.stem}"
    asked = {name: getattr(options, name) for name in ("trials", "seed", "metric", "highest")}
    run.run(run.planned(options.config, list(options.overrides), folder, **asked), options.jobs)


def find_rate(options) -> None:
    """`tfpose find-rate`."""
    config = yaml_config.load(options.config, tuple(options.overrides))
    if config.stages:
        raise ValueError(f"{options.config}: has stages; take the options of one, and 'stages=[]'")
    from tfpose.train import find_rate as finder

    found = finder.find(config, low=options.low, high=options.high, steps=options.steps)
    finder.write(found, options.picture, str(options.config))
    print(f"{finder.text(found)}\n{options.picture}")


def show(options) -> None:
    """`tfpose show`."""
    if options.fields and options.config.suffix != ".yaml":
        from tfpose import fields

        print(fields.write(options.config, options.fields, options.picture))
        return
    config = yaml_config.load(options.config, tuple(options.overrides))
    if options.fields:
        from tfpose import targets

        print(targets.write(config, options.fields, options.picture, options.stage))
        return
    from tfpose import show as costs

    print(json.dumps(costs.totals(config)) if options.json else costs.layers(config))


def data_shard(options) -> None:
    """`tfpose data shard`."""
    config = yaml_config.load(options.config, tuple(options.overrides))
    from tfpose import shard

    parts = (options.part,) if options.part else ("train", "validation")
    how = {"per_shard": options.per_shard, "quality": options.quality, "processes": options.processes}
    how |= {"whole": options.whole, "margin": options.margin, "detail": options.detail}
    shard.shard(config, options.out, parts, **how)


def data_dispatcher(options) -> None:
    """`tfpose data dispatcher`."""
    from tfpose.data import service

    service.dispatcher(options.port)


def data_worker(options) -> None:
    """`tfpose data worker`."""
    from tfpose.data import service

    service.worker(options.dispatcher, options.host, options.port)


def check_data(options) -> None:
    """`tfpose check-data`."""
    from tfpose import jobs

    print(jobs.check_data(data_config(options), options.part, options.picture))


def serve(options) -> None:
    """`tfpose serve`."""
    try:
        from tfpose.serving import server
        from tfpose.serving.batching import Limits
    except ImportError as error:
        raise ValueError(f"{error}; pip install 'tfpose[serve]'") from error
    for name in ("batch", "queue", "body_mb", "megapixels"):
        if getattr(options, name) <= 0:
            raise ValueError(f"--{name.replace('_', '-')}: found {getattr(options, name)}, expected more than 0")
    limits = Limits(options.batch, options.wait_ms / 1e3, options.queue, round(options.megapixels * 1e6))
    place = {"host": options.host, "port": options.port, "name": options.model}
    server.serve(options.bundle, **place, threads=options.threads, limits=limits, body=round(options.body_mb * 2**20))


def quickstart(options) -> None:
    """`tfpose quickstart`."""
    config = yaml_config.load(options.config, tuple(options.overrides))
    from tfpose import jobs

    jobs.quickstart(config, options.workdir)


def data_config(options, network: Path | None = None) -> Config:
    """The configuration that says which data: --config, or the run folder's; --annotations replaces both parts."""
    folders = [network, *list(network.parents)[:2]] if network else []
    found = next((f / "config.yaml" for f in folders if (f / "config.yaml").is_file()), None)
    overrides = list(options.overrides)
    if options.annotations:
        images = options.images or options.annotations.parent
        for part in ("train", "validation"):  # as JSON: YAML would read a folder named 2017 as a number
            overrides += [f"data.{part}.annotations={json.dumps(str(options.annotations))}"]
            overrides += [f"data.{part}.images={json.dumps(str(images))}"]
        overrides += ["data.format=coco", "data.holdout.every=0"]
    path = options.config or found
    if path is None and not any(o.startswith("data.") for o in overrides):
        raise ValueError("no data named: give --config CONFIG, or --annotations FILE and --images FOLDER")
    return yaml_config.load(path, tuple(overrides)) if path else yaml_config.defaults(tuple(overrides))
