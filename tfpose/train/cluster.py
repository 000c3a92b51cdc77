"""Which processes train together: TF_CONFIG where it is set, else the cluster that Slurm or Kubernetes describes.

Every worker finds the same list of addresses, and its own number in it, from its environment alone.
"""

import json
import re
from collections.abc import Mapping

PORT = 12000
PORTS = 20000  # jobs of one machine get different ports by their number


def config(environment: Mapping[str, str]) -> dict:
    """A TF_CONFIG: {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}.

    Raises ValueError where nothing says who the workers are, and where what says so is not whole.
    """
    if "TF_CONFIG" in environment:
        return _checked(environment["TF_CONFIG"])
    if "SLURM_PROCID" in environment:
        return _slurm(environment)
    if "TFPOSE_WORKERS" in environment:
        return _kubernetes(environment)
    raise ValueError(
        "train.devices: multiworker, but nothing says who the workers are: set TF_CONFIG, or start with Slurm's srun, "
        "or in Kubernetes set TFPOSE_WORKERS and TFPOSE_ADDRESS (docs/scaling.md)"
    )


def _task(addresses: list[str], number: int, source: str) -> dict:
    if not 0 <= number < len(addresses):
        raise ValueError(f"{source}: this is worker {number}, but there are only {len(addresses)}; count from 0")
    return {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}


def _checked(text: str) -> dict:
    try:
        found = json.loads(text)
        addresses, task = found["cluster"]["worker"], found["task"]
        kinds, index = (set(found["cluster"]), task["type"]), int(task["index"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'TF_CONFIG: {error!r}; expected {{"cluster": {{"worker": ["HOST:PORT", ...]}}, '
            f'"task": {{"type": "worker", "index": 0}}}}'
        ) from error
    if kinds != ({"worker"}, "worker"):
        raise ValueError(f"TF_CONFIG: found {sorted(kinds[0])} and task {kinds[1]}; expected workers alone")
    return _task(addresses, index, "TF_CONFIG")


def _slurm(environment: Mapping[str, str]) -> dict:
    """One worker a task of the step, in the order of SLURM_PROCID, which `srun` deals out block by block."""
    hosts = hosts_of(_needed(environment, "SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"))
    counts = tasks_of(_needed(environment, "SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"))
    if len(counts) != len(hosts):
        raise ValueError(f"Slurm: {len(hosts)} nodes, but the tasks of {len(counts)}; start one step with srun")
    if environment.get("SLURM_DISTRIBUTION", "block").partition(":")[0] not in ("block", ""):
        raise ValueError("SLURM_DISTRIBUTION: tasks must be dealt out by block; call srun --distribution=block")
    port = PORT + int(_needed(environment, "SLURM_JOB_ID")) % PORTS
    addresses = [f"{host}:{port + local}" for host, count in zip(hosts, counts) for local in range(count)]
    return _task(addresses, int(environment["SLURM_PROCID"]), "SLURM_PROCID")


def _kubernetes(environment: Mapping[str, str]) -> dict:
    """TFPOSE_ADDRESS names a worker by {index}; an Indexed Job gives each pod its number."""
    address = _needed(environment, "TFPOSE_ADDRESS")
    number = int(_needed(environment, "TFPOSE_INDEX", "JOB_COMPLETION_INDEX"))
    if "{index}" not in address or ":" not in address:
        raise ValueError(
            f"TFPOSE_ADDRESS: found {address}; expected a place for the number, as in job-{{index}}.job:12000"
        )
    addresses = [address.replace("{index}", str(i)) for i in range(int(environment["TFPOSE_WORKERS"]))]
    return _task(addresses, number, "TFPOSE_WORKERS")


def _needed(environment: Mapping[str, str], *names: str) -> str:
    for name in names:
        if environment.get(name):
            return environment[name]
    raise ValueError(f"{' or '.join(names)}: not set, and the cluster cannot be read without it (docs/scaling.md)")


def hosts_of(nodes: str) -> list[str]:
    """The names of a Slurm node list: a[1-3,07],b -> a1 a2 a3 a07 b. ValueError where it cannot be read."""
    parts = re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", nodes)
    if ",".join(parts) != nodes:
        raise ValueError(f"Slurm: the node list {nodes!r} cannot be read")
    return [host for part in parts for host in _expanded(part)]


def _expanded(part: str) -> list[str]:
    bracket = re.search(r"\[([^\]]*)\]", part)
    if not bracket:
        return [part]
    found = []
    for piece in bracket[1].split(","):
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", piece)
        if not ends:
            raise ValueError(f"Slurm: the node list {part!r} cannot be read")
        numbers = range(int(ends[1]), int(ends[2] or ends[1]) + 1)
        found += [f"{number:0{len(ends[1])}d}" for number in numbers]
    return [host for n in found for host in _expanded(part[: bracket.start()] + n + part[bracket.end() :])]


def tasks_of(counts: str) -> list[int]:
    """The tasks of each node: 2(x3),1 -> 2 2 2 1. ValueError where it cannot be read."""
    found = []
    for piece in counts.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", piece)
        if not match:
            raise ValueError(f"Slurm: the tasks per node {counts!r} cannot be read")
        found += [int(match[1])] * int(match[2] or 1)
    return found
