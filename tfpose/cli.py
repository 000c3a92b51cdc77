"""The command line: `tfpose COMMAND`. Exit code 0 for done, 1 for what could not be done, 2 for a mistyped command."""

import json
import os
import sys
from pathlib import Path

from tfpose import arguments, remote, yaml_config
from tfpose.config import Config
from tfpose.paths import Remote


def main(words: list[str] | None = None) -> int:
    """Runs a command; returns its exit code. What a user can mend is one line on stderr, without a stack trace."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = arguments.parsed(words)
    try:
        COMMANDS[options.name](options)
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


def train(options) -> None:
    """`tfpose train`."""
    config = yaml_config.load(options.config, tuple(options.overrides))
    from tfpose.train import loop, stages

    with remote.here(options.workdir or Path("runs") / options.config.stem, new=True) as folder:
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
    with remote.here(options.network) as network:
        figures = jobs.evaluate(network, config, options.detections)
    print(json.dumps({k: e.figures for k, e in figures.items()}) if options.json else judge.report(figures))


def predict(options) -> None:
    """`tfpose predict`."""
    from tfpose import predictions

    with remote.here(options.output, new=True) as output:
        network = remote.fetched(options.network)
        predictions.predict(network, options.photos, output, options.box, options.boxes, options.flip)


def export(options) -> None:
    """`tfpose export`."""
    from tfpose import jobs

    if options.keep_float:
        options.overrides = [*options.overrides, f"export.keep_float={json.dumps(options.keep_float)}"]
    with remote.here(options.run) as run, remote.here(options.output or run / "bundle", new=True) as output:
        config = yaml_config.load(run / "config.yaml", tuple(options.overrides))
        jobs.export(run, config, output, layers=options.layers)


def quantize(options) -> None:
    """`tfpose quantize`."""
    try:
        from tfpose import quantize as smaller
    except ImportError as error:
        raise ValueError(f"{error}; pip install 'tfpose[train,quantize]'") from error
    with remote.here(options.run) as run:
        config = yaml_config.load(run / "config.yaml", tuple(options.overrides))
        if options.aware:
            smaller.aware(run, config)
        elif options.prune is not None:
            smaller.prune(run, config, options.prune)
        else:
            smaller.cluster(run, config, options.cluster)


def sweep(options) -> None:
    """`tfpose sweep`."""
    from tfpose.sweep import run

    if options.jobs < 1 or options.trials < 0:
        raise ValueError(f"--jobs and --trials: found {options.jobs} and {options.trials}; expected at least 1 and 0")
    asked = {name: getattr(options, name) for name in ("trials", "seed", "metric", "highest")}
    place = options.workdir or Path("runs") / f"sweep_{options.config.stem}"
    with remote.here(place, new=True) as folder:
        run.run(run.planned(options.config, list(options.overrides), folder, **asked), options.jobs)


def find_rate(options) -> None:
    """`tfpose find-rate`."""
    config = yaml_config.load(options.config, tuple(options.overrides))
    if config.stages:
        raise ValueError(f"{options.config}: has stages; take the options of one, and 'stages=[]'")
    from tfpose.train import find_rate as finder

    found = finder.find(config, low=options.low, high=options.high, steps=options.steps)
    with remote.written(options.picture) as picture:
        finder.write(found, picture, str(options.config))
    print(f"{finder.text(found)}\n{options.picture}")


def show(options) -> None:
    """`tfpose show`."""
    if options.fields and options.config.suffix != ".yaml":
        from tfpose import fields

        with remote.written(options.picture) as picture:
            print(fields.write(remote.fetched(options.config), options.fields, picture))
        return
    config = yaml_config.load(options.config, tuple(options.overrides))
    if options.fields:
        from tfpose import targets

        with remote.written(options.picture) as picture:
            print(targets.write(config, options.fields, picture, options.stage))
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

    with remote.written(options.picture) as picture:
        print(jobs.check_data(data_config(options), options.part, picture))


def serve(options) -> None:
    """`tfpose serve`."""
    try:
        from tfpose.serving import server
        from tfpose.serving.batching import Limits
    except ImportError as error:
        raise ValueError(f"{error}; pip install 'tfpose[serve]'") from error
    for name in ("threads", "batch", "queue", "body_mb", "megapixels"):
        if getattr(options, name) <= 0:
            raise ValueError(f"--{name.replace('_', '-')}: found {getattr(options, name)}, expected more than 0")
    if options.at_once < 0:
        raise ValueError(f"--at-once: found {options.at_once}, expected at least 0: one a thread")
    pixels, at_once = round(options.megapixels * 1e6), options.at_once or options.threads
    limits = Limits(options.batch, options.wait_ms / 1e3, options.queue, pixels, at_once)
    place = {"host": options.host, "port": options.port, "name": options.model}
    server.serve(
        remote.fetched(options.bundle),
        **place,
        threads=options.threads,
        limits=limits,
        body=round(options.body_mb * 2**20),
    )


def quickstart(options) -> None:
    """`tfpose quickstart`."""
    config = yaml_config.load(options.config, tuple(options.overrides))
    from tfpose import jobs

    with remote.here(options.workdir, new=True) as folder:
        jobs.quickstart(config, folder)


def data_config(options, network: Path | Remote | None = None) -> Config:
    """The configuration that says which data: --config, or the run folder's; --annotations replaces both parts."""
    folders = [network, network.parent, network.parent.parent] if network else []
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


COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
    "quantize": quantize,
    "sweep": sweep,
    "find-rate": find_rate,
    "show": show,
    "data shard": data_shard,
    "data dispatcher": data_dispatcher,
    "data worker": data_worker,
    "check-data": check_data,
    "serve": serve,
    "quickstart": quickstart,
}
