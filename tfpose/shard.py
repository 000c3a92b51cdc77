"""`tfpose data shard`: a configuration's data as shards, of what its system will look at."""

from dataclasses import replace

from tfpose import yaml_config
from tfpose.config import Config
from tfpose.data.source import load_part
from tfpose.skeleton import skeleton


def shard(
    config: Config,
    folder,
    parts: tuple[str, ...],
    *,
    whole: bool = False,
    margin: float = 0.0,
    detail: float = 1.0,
    per_shard: int = 512,
    quality: int = 95,
    processes: int = 1,
) -> None:
    """Writes parts of the data into a folder and prints what it holds then: persons' crops, or `whole` photos.

    ValueError where the data are shards already, where the system looks at no photos, and as `sharding.write` has it.
    """
    from tfpose.data import sharding
    from tfpose.systems.base import system

    method = system(config.system, skeleton(config.data.skeleton))
    if config.data.format == "shards":
        raise ValueError("data.format: shards already; name the files that they are to be made from")
    if method.view == "labels":
        raise ValueError(f"data shard: {method.name} learns from labels alone and opens no photo; it needs no shards")
    if margin < 0 or (margin and method.view != "person"):
        raise ValueError(f"--margin: found {margin:g} for {method.name}; expected more than 0, of a system of crops")
    if detail <= 0:
        raise ValueError(f"--detail: found {detail:g}; expected more than 0")
    reach = None if whole or method.view != "person" else _reach(config, method, margin, detail)
    outlines = "mask" in method.labels
    how = sharding.How(reach, per_shard, quality, processes, outlines)
    origin = {"data": yaml_config.to_tree(replace(config.data, service="", warp="auto"))}
    for part in parts:
        split = load_part(config.data, method.skeleton, part, bodies=outlines)
        about = sharding.write(split.records, folder, part, method.skeleton, origin, how)
        size = sum(s.bytes for s in about.shards) / 2**20
        print(f"{part}: {about.people:,} people of {about.photos:,} photos as {about.kind}, ", end="")
        print(f"{about.left_out:,} photos without anybody left out; ", end="")
        print(f"{len(about.shards)} shards, {size:,.1f} MB in {folder}", flush=True)


def _reach(config: Config, method, margin: float, detail: float):
    from tfpose.data import crops

    largest = max((method.training_size, *(phase.size for phase in config.train.phases)))
    return crops.reach(largest, config.data.padding, config.augment, margin=margin, detail=detail)
