"""`tfpose quantize`: a finished run's network trained on for a little, so that its files lose less, or are smaller."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import keras

from tfpose import jobs, protocol
from tfpose import spec as specs
from tfpose.config import Config
from tfpose.data import pipeline
from tfpose.data.source import load_part
from tfpose.evaluate import MAIN
from tfpose.export import aware as rounded
from tfpose.export import bundle, calibrate, lean, twin, verify
from tfpose.export.finetune import finetune
from tfpose.predictions import fast_warp
from tfpose.skeleton import skeleton
from tfpose.systems.base import PoseSystem, system
from tfpose.train import devices, feed, stages
from tfpose.train.callbacks import save_network

AWARE, INT8 = "aware", "int8"


@dataclass(frozen=True)
class Finished:
    """A run that is trained on: its folder and configuration, and what follows from these."""

    folder: Path
    config: Config

    @cached_property
    def system(self) -> PoseSystem:
        method = system(self.config.system, skeleton(self.config.data.skeleton))
        if method.view == "labels":
            raise ValueError(f"{self.folder}: {method.name} sees labels alone; `tfpose export` quantizes it as it is")
        return method

    def part(self, name: str):
        """The records of the training or the validation part."""
        bodies = "mask" in self.system.labels
        return load_part(self.config.data, self.system.skeleton, name, bodies=bodies)

    def network(self, size: tuple[int, int]) -> keras.Model:
        """The network with all its stages, for views of one size."""
        network = self.system.build(size)
        network.set_weights(keras.models.load_model(self.folder / "network.keras", compile=False).get_weights())
        return network

    def steps(self, records: list) -> int:
        """How many steps are trained."""
        options = self.config.quantize
        epoch = pipeline.count(records, self.system.view) // options.batch
        return min(options.epochs * epoch, options.steps or options.epochs * epoch)

    def batches(self, records: list):
        """Endless batches, augmented as in training; of a run in stages as in the last, which every part has seen."""
        method, batch = self.system, self.config.quantize.batch
        config = replace(self.config, augment=stages.latest(self.config).augment)
        return feed.augmented(config, method, records, size=method.training_size, batch=batch)

    def bundle(self) -> Path:
        """The run's bundle, exported now where there is none."""
        folder = self.folder / "bundle"
        if not (folder / bundle.SPEC).is_file():
            jobs.export(self.folder, self.config, folder)
        return folder

    def figure(self) -> Callable[[Path], float]:
        """What gives a file's figure on the validation part, AP or PCK, 0 to 1."""
        exact = replace(self.config, evaluate=replace(self.config.evaluate, detections="", ensemble=(), scales=(1.0,)))
        split, main = self.part("validation"), MAIN[self.config.evaluate.metric]

        def figure(path: Path) -> float:
            predictor = protocol.predictor(path, exact.evaluate)
            return jobs.first(jobs.evaluations(predictor, split, exact)).figures[main]

        return figure


def aware(run: Path, config: Config) -> None:
    """Trains a run's network on as its int8 file computes, and puts that file into RUN/bundle as aware.tflite.

    Prints what the toolkit has no rule for, and a table of the bundle's int8 file, this one and the network in float.
    The run's own network stays as it is. ValueError where the file exceeds a limit: it is then not put there.
    """
    finished = Finished(run, config)
    folder, method, train = finished.bundle(), finished.system, finished.part("train").records
    network, spec = finished.network(method.training_size), specs.load(folder / bundle.SPEC)
    for line in rounded.remarks(network):
        print(line)
    count = config.export.calibration_views
    views = calibrate.views(train, spec, count, config.seed, fast_warp())
    copy = rounded.aware(network, rounded.ranges(finished.network(method.size), views))
    train_on(finished, copy, train)
    twin.back(copy, network)
    shipped = method.build()
    shipped.set_weights(network.get_weights())
    content = rounded.convert(method.deployed(shipped), rounded.learned(copy))
    compare(finished, folder, content)
    bundle.add(folder, AWARE, content)


def train_on(finished: Finished, copy, records: list, callback=None) -> None:
    """Trains a twin as the `quantize` section says, and prints the loss at both ends."""
    devices.threads()
    devices.seed(finished.config.seed)
    options = {"steps": finished.steps(records), "rate": finished.config.quantize.learning_rate}
    losses = finetune(copy, finished.system.loss, finished.batches(records), **options, callback=callback)
    some = max(len(losses) // 10, 1)
    first, last = (sum(part) / some for part in (losses[:some], losses[-some:]))
    print(f"loss over {some} of {len(losses)} steps: {first:.3e} at first, {last:.3e} at last", flush=True)


def compare(finished: Finished, folder: Path, content: bytes) -> None:
    """Prints the table of a bundle's network, of its int8 file and of a new one; ValueError as `aware` has it."""
    spec = specs.load(folder / bundle.SPEC)
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: what for name, what in spec.files.items() if what["kind"] in ("keras", INT8, bundle.ASSIGN)}
        for name in files:
            shutil.copyfile(folder / name, Path(scratch) / name)
        replace(spec, files=files).save(Path(scratch) / bundle.SPEC)
        bundle.add(scratch, AWARE, content)
        records = finished.part("validation").records
        views = calibrate.views(records, spec, 2 * verify.BATCH, finished.config.seed, fast_warp())
        report = verify.measure(scratch, views, finished.figure())
    print(report.table())
    own = replace(report, rows=tuple(row for row in report.rows if row.kind == AWARE))
    if failures := own.failures(verify.LIMITS, finished.config.export.max_ap_drop):
        raise ValueError(f"{folder}: {'; '.join(failures)}; not put there; raise quantize.epochs")


def prune(run: Path, config: Config, share: float) -> None:
    """Trains a run's network on while `share` of its convolutions' kernels become zero: a run folder, RUN/pruned."""
    if not 0 < share < 1:
        raise ValueError(f"--prune: found {share}, expected a share between 0 and 1, as in 0.5")
    finished = Finished(run, config)
    records = finished.part("train").records
    change = partial(lean.prune, share=share, steps=finished.steps(records))
    changed(finished, records, change, run / "pruned")


def cluster(run: Path, config: Config, count: int) -> None:
    """Trains a run's network on with at most `count` values in a convolution's kernel: a run folder, RUN/clustered."""
    if count < 2:
        raise ValueError(f"--cluster: found {count}, expected at least 2 values, as in 16")
    finished = Finished(run, config)
    changed(finished, finished.part("train").records, partial(lean.cluster, count=count), run / "clustered")


def changed(finished: Finished, records: list, change: Callable, folder: Path) -> None:
    """Writes the run folder of a changed network with its bundle, and prints what both compress to."""
    before, method, config = finished.bundle(), finished.system, finished.config
    network = finished.network(method.training_size)
    change(network, train=lambda copy, callback: train_on(finished, copy, records, callback))
    folder.mkdir(exist_ok=True)
    owners = method.spec(config.data.padding).beside(finished.folder).decoder.get("assign")
    for file in (finished.folder / "config.yaml", *([Path(owners)] if owners else [])):
        shutil.copyfile(file, folder / file.name)
    save_network(network, method, config, folder / bundle.KERAS)
    jobs.export(folder, config, folder / "bundle")
    print(sizes(before, folder / "bundle"))
    print(f"score before: {100 * finished.figure()(before / bundle.KERAS):.2f}; after: in the table above")


def sizes(before: Path, after: Path) -> str:
    """A table of two bundles' files as they are and after gzip, in kB."""
    lines = [f"{'file':<16}{'kB':>9}{'gzip kB, before':>18}{'after':>9}"]
    for name in (bundle.KERAS, *(bundle.FILES[kind] for kind in ("float32", INT8))):
        if (before / name).is_file() and (after / name).is_file():
            size, *zipped = (after / name).stat().st_size, lean.zipped(before / name), lean.zipped(after / name)
            lines.append(f"{name:<16}{size / 1e3:>9.1f}{zipped[0] / 1e3:>18.1f}{zipped[1] / 1e3:>9.1f}")
    return "\n".join(lines)
