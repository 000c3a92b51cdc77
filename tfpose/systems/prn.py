"""Whose keypoint is whose, the method: boxes and keypoints in, who owns what out; learnt from labels alone."""

from dataclasses import dataclass

from tfpose import losses
from tfpose.encode import instances
from tfpose.models import blocks
from tfpose.models.assignment import assignment
from tfpose.models.prn import prn
from tfpose.options import PRN
from tfpose.skeleton import Skeleton
from tfpose.systems.base import Counting, PoseSystem

RESIDUAL = "residual"


@dataclass(frozen=True)
class PRNSystem(PoseSystem):
    """The Pose Residual Network (Kocabas et al. 2018), box by box, or our assignment network, all boxes at once."""

    options: PRN
    skeleton: Skeleton
    name = "prn"
    view = "labels"
    stride = 1
    counting = Counting(unit=10**9, text="10^9 multiply-accumulates of a box")

    @property
    def size(self) -> tuple[int, int]:
        return self.options.grid

    @property
    def labels(self) -> tuple[str, ...]:
        return ("person",) if self.options.network == RESIDUAL else ("image",)

    @property
    def terms(self) -> tuple[str, ...]:
        if self.options.network == RESIDUAL:
            return ("poses",)
        return tuple(f"{side}/{i}" for i in range(self.options.passes) for side in ("boxes", "candidates"))

    def build(self, size=None):
        """The network; the assignment network sees `size` (boxes, candidates), or one box and one of each kind."""
        o, count = self.options, self.skeleton.count
        if o.network == RESIDUAL:
            shape = {"grid": o.grid, "keypoints": count}
            return prn(**shape, nodes=o.nodes, hidden=o.hidden, dropout=o.dropout, residual=o.residual)
        people, candidates = size or (1, count)
        shape = {"people": people, "candidates": candidates, "keypoints": count}
        return assignment(**shape, grid=o.grid, nodes=o.nodes, bells=o.bells, passes=o.passes)

    def encode(self, batch):
        o, names = self.options, {"annotation_id": batch["annotation_id"]}
        candidates, boxes = batch["candidates"], batch["boxes"]
        if o.network == RESIDUAL:
            maps = instances.inputs(candidates, boxes, o.grid, o.margin, self.skeleton.count)[:, 0]
            poses = instances.targets(batch["keypoints"], boxes, o.grid, o.margin)[:, 0]
            return names | {"maps": maps}, {"poses": poses}
        seen = instances.seen(candidates, boxes, o.margin, self.skeleton.count)
        owned = instances.owned(batch["owners"], seen["inside"])
        return names | seen, dict.fromkeys(self.terms, owned) | {name: seen[name] for name in ("inside", "kinds")}

    def loss(self, targets, outputs):
        if self.options.network == RESIDUAL:
            return {"poses": losses.cross_entropy(targets["poses"], outputs["poses"])}
        result, inside = {}, targets["inside"]
        for term in self.terms:
            if term.startswith("boxes"):
                cost = losses.whose(targets[term], outputs[term], inside)
            else:
                cost = losses.which(targets[term], outputs[term], inside, targets["kinds"])
            result[term] = cost / self.options.passes
        return result

    def decoder(self):
        o = self.options
        grid = {"grid": list(o.grid)} if o.network == RESIDUAL else {}
        return {"name": "owners", "network": o.network, **grid, "margin": o.margin, "rule": o.rule}

    def layout(self) -> dict:
        """What `decode.owners.save` must know of the network beside its weights."""
        o = self.options
        own = {"residual": o.residual} if o.network == RESIDUAL else {"passes": o.passes}
        common = {"network": o.network, "margin": o.margin, "grid": list(o.grid), "keypoints": self.skeleton.count}
        return common | own

    def deployed(self, network):
        return network if self.options.network == RESIDUAL else blocks.last_stage(network)


def make(options: PRN, skeleton: Skeleton) -> PRNSystem:
    """The system of a configuration."""
    return PRNSystem(options, skeleton)
