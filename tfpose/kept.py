"""What `tfpose evaluate` found of a run, kept in its folder: a row of its report, pictures, precision and recall."""

from dataclasses import asdict
from pathlib import Path

from tfpose import evaluate, poses, precision, runners, yaml_config
from tfpose.config import Config
from tfpose.data.source import locate
from tfpose.evaluate import Evaluation
from tfpose.skeleton import Skeleton
from tfpose.watch import accuracy, report, samples


def belongs(network: Path) -> bool:
    """Whether a network was named by the folder of the run that made it."""
    return network.is_dir() and (network / "config.yaml").is_file() and (network / "pose.json").is_file()


def keep(run: Path, config: Config, found: dict[str, Evaluation], records: list, body: Skeleton) -> None:
    """Writes what was found into a run's folder, and its report anew; `body` is the skeleton of the records."""
    annotations, _ = locate(config.data, "validation")
    own = yaml_config.load(run / "config.yaml")
    common = {"network": runners.network_file(run).name, "data": str(annotations), "options": changes(own, config)}
    curves = {what: _curves(config, annotations, one, records, body) for what, one in found.items()}
    accuracy.add(run, [common | _row(what, one, curves[what]) for what, one in found.items()])
    rows = report.log(run / "log.csv")
    epoch = int(rows[-1]["epoch"]) if rows else 0
    first = next(iter(found))
    if ranked := samples.pairs(records, people(found[first], records, body), body):
        samples.write(run, ranked, body, epoch=epoch)
    report.write(run)
    if curves[first]:
        from tfpose.train import pr_curves

        pr_curves.write(run / "tensorboard", curves[first], epoch)


def _row(what: str, one: Evaluation, curves: dict) -> dict:
    figures = {name: value for name, value in one.figures.items() if isinstance(value, float)}
    return {"what": what, "figures": figures, "curve": {f"{k:g}": curve.shown() for k, curve in curves.items()}}


def _curves(config: Config, annotations: Path, one: Evaluation, records: list, body: Skeleton) -> dict:
    if config.evaluate.metric != "oks":
        return {}
    truth = evaluate.comparable(evaluate.content(annotations), records)
    return precision.curves(truth, one.results, [r.image_id for r in records], body.sigmas)


def people(one: Evaluation, records: list, body: Skeleton) -> list[poses.Poses]:
    """The people found on each record."""
    by_image = {r.image_id: [] for r in records}
    for result in one.results:
        by_image[result["image_id"]].append(result)
    return [poses.from_coco(by_image[r.image_id], body.count) for r in records]


def changes(own: Config, asked: Config) -> str:
    """How a run was evaluated, where it was not as its configuration says."""
    before, after = asdict(own.evaluate), asdict(asked.evaluate)
    return " ".join(f"{name}={_plain(value)}" for name, value in after.items() if value != before[name])


def _plain(value) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)
