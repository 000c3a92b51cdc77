"""about.json: what a run trains, in numbers that can be checked before it begins."""

from tfpose.data import pipeline
from tfpose.models import count
from tfpose.train.run import Run
from tfpose.watch import files, report


def facts(run: Run, replicas: int) -> dict[str, str]:
    """What there is to be learnt, from what and for how long, by its names."""
    network, train = run.system.build(), run.config.train
    known = {"parameters": f"{count.parameters(network)[0]:,}", "cost": f"{count.macs(network) / 1e9:.3f} GMAC"}
    for name, part in (("training part", run.parts.train), ("validation part", run.parts.validation)):
        known[name] = f"{len(part.records):,} images, {pipeline.people(part.records):,} people"
    rate = f"{train.optimizer.name}, {train.optimizer.learning_rate:g}, {train.schedule.name}"
    known |= {"epochs": f"{train.epochs:,}", "steps": f"{run.timeline.total:,}", "batch": f"{train.batch:,}"}
    return known | {"optimizer": rate, "replicas": f"{replicas}", "precision": train.precision}


def write(run: Run, known: dict[str, str]) -> None:
    """Writes the facts into the run's folder, for its report."""
    files.put(run.folder / report.ABOUT, files.dumped({"network": title(run), "facts": known}))


def title(run: Run) -> str:
    """The network's system and the size of its views."""
    height, width = run.system.size
    return f"{run.system.name} {height}x{width}"
