"""What a configuration's network costs: a table of layers, and the totals beside what its paper prints."""

from tfpose.config import Config
from tfpose.models import count
from tfpose.skeleton import skeleton
from tfpose.systems.base import PoseSystem, system


def totals(config: Config) -> dict:
    """The network in numbers, computed from the network that is built.

    `macs` are those of the network that ships: heads that only training uses are left out; their weights are counted.
    """
    method = _method(config)
    network = method.build()
    trainable, kernel = count.parameters(network)
    return {
        "trainable_parameters": trainable,
        "kernel_parameters": kernel,
        "macs": count.macs(method.deployed(network)),
        "input_size": list(method.size),
        "outputs": {name: list(tensor.shape[1:]) for name, tensor in network.output.items()},
    }


def layers(config: Config) -> str:
    """A table of the layers with weights, what they add up to, and what the paper prints."""
    method = _method(config)
    network = method.build()
    rows = [r for r in count.table(network) if r.parameters or r.macs]
    lines = [f"{'layer':<42}{'kind':<20}{'output':<18}{'parameters':>12}{'MMAC':>10}"]
    for r in rows:
        shape = "x".join(str(s) for s in r.shape if s is not None)
        lines.append(f"{r.name:<42}{r.kind:<20}{shape:<18}{r.parameters:>12,}{r.macs / 1e6:>10.2f}")
    return "\n".join([*lines, "", *summary(config, method, network)])


def summary(config: Config, method: PoseSystem, network) -> list[str]:
    """The lines under the table: computed, in the paper's own way of counting, and published."""
    trainable, kernel = count.parameters(network)
    whole, shipped = count.macs(network), count.macs(method.deployed(network))
    lines = [f"{trainable:,} trainable parameters, {kernel:,} in kernels"]
    lines.append(f"{shipped / 1e9:.3f} G multiply-accumulates; {whole / 1e9:.3f} G with all that training uses")
    lines.append(f"{gflops(method, network):.3f} GFLOPs as the paper counts: {method.counting.text}")
    published = config.published
    if published.source:
        parameters = f"{published.parameters:g} M parameters" if published.parameters else "parameters not printed"
        cost = f"{published.gflops:g} GFLOPs" if published.gflops else "GFLOPs not printed"
        lines.append(f"published, {published.source}: {parameters}, {cost}")
    return lines


def gflops(method: PoseSystem, network) -> float:
    """What the paper of the method would print as this network's GFLOPs."""
    shipped, how = method.deployed(network), method.counting
    return count.macs(shipped, scattered_by_output=how.scattered_by_output) / how.unit


def _method(config: Config) -> PoseSystem:
    return system(config.system, skeleton(config.data.skeleton))
