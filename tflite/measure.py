"""What a view costs on this device: warp, network and decoder in turns, and what each .tflite file needs besides."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np

from tflite import image, interpreter, memory, operations, peak
from tfpose import geometry
from tfpose import spec as specs
from tfpose.decode import decoder
from tfpose.litert import LiteRT

WARMUPS = 3


@dataclass(frozen=True, eq=False)
class Candidate:
    """A .tflite file that is measured."""

    path: Path
    network: LiteRT

    @cached_property
    def macs(self) -> dict[str, int]:
        """Its multiply-accumulates, see `operations.macs`."""
        return operations.macs(self.path)

    @property
    def peak(self) -> str:
        """Whose peak it is compared with: "int8" or "float32", what it mostly computes in."""
        return max(self.macs, key=self.macs.get)

    def costs(self, times: list[float], peak: float, threads: int) -> dict:
        """Its time, size and memory, its multiply-accumulates, and their rate as a share of a peak, both in GMAC/s."""
        gmacs = sum(self.macs.values()) / 1e9
        return {
            "milliseconds": median(times),
            "fastest": min(times),
            "megabytes": self.path.stat().st_size / 1e6,
            "memory": memory.peak(self.path, threads),
            "gmacs": gmacs,
            # A long run meets other programs more often than the peak's short one: the fastest of both are compared.
            "share": 1000 * gmacs / min(times) / peak,
        }


def measure(
    bundle: Path, photo: Path | None, threads: int = 1, runs: int = 50, kind: str = "", peers: tuple[Path, ...] = ()
) -> dict:
    """What a view costs: {"milliseconds": {part: median}, "files": {name: costs}, "peak": {kind: GMAC/s}, "threads"}.

    Costs of a file are "milliseconds" and "fastest", "megabytes", "memory" in MB (see `memory.peak`), "gmacs" and the
    "share" of its peak. Of a bundle all files are measured, or the one of a `kind`, and beside them `peers`, files of
    others that take an image; "int8/float32" is there where both are. ValueError for what is no bundle or cannot run.
    """
    candidates = _candidates(bundle, kind, peers, threads)
    photograph = _noise() if photo is None else image.read(photo)
    spec = specs.load(next(iter(candidates.values())).path.parent / interpreter.SPEC)
    parts = _around(photograph, spec, candidates, threads)
    for name, candidate in candidates.items():
        view = _view(photograph, candidate.network.size)
        parts[name] = lambda network=candidate.network, view=view: network(view)
    kinds = sorted({candidate.peak for candidate in candidates.values()})
    times = timed(parts | {f"peak {kind}": peak.convolution(kind, threads) for kind in kinds}, runs)
    peaks = {kind: peak.MACS / 1e6 / min(times.pop(f"peak {kind}")) for kind in kinds}
    costs = {name: c.costs(times[name], peaks[c.peak], threads) for name, c in candidates.items()}
    middle = {name: median(values) for name, values in times.items()}
    result = {"milliseconds": middle, "files": costs, "peak": peaks, "threads": threads}
    if {"int8.tflite", "float32.tflite"} <= set(middle):
        result["int8/float32"] = middle["int8.tflite"] / middle["float32.tflite"]
    return result


def timed(parts: dict[str, Callable], runs: int) -> dict[str, list[float]]:
    """The milliseconds of each run of each part, called in turns after a few calls that do not count."""
    times = {name: [] for name in parts}
    for run in range(WARMUPS + runs):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            if run >= WARMUPS:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def _candidates(bundle: Path, kind: str, peers: tuple[Path, ...], threads: int) -> dict[str, Candidate]:
    """The files by the names that the result calls them; each has run once."""
    own = [interpreter.choose(bundle, kind)] if kind else interpreter.files(bundle)
    found = {}
    for path in (*own, *peers):
        candidate = Candidate(path, LiteRT(path, threads))
        try:
            candidate.network(np.zeros((1, *candidate.network.size, 3), np.uint8))
        except ValueError as error:
            raise ValueError(f"{path}: does not take a uint8 image, as files of a bundle do: {error}") from error
        found[path.name if path.name not in found else str(path)] = candidate
    return found


def _around(photograph: np.ndarray, spec: specs.PoseSpec, candidates: dict[str, Candidate], threads: int) -> dict:
    """What a device does before and after a network: {name: call}; nothing after one that decodes itself."""
    affine = _affine(photograph, spec)
    parts = {f"warp, {name}": lambda w=w: w(photograph, affine, spec.size) for name, w in _warps(threads).items()}
    networks = [c.network for c in candidates.values() if "keypoints" not in c.network.outputs]
    own = [network for network in networks if network.size == spec.size]
    if own:
        maps, decode = own[0](image.warp(photograph, affine, spec.size)[None]), decoder(spec.decoder, spec.skeleton)
        parts["decode"] = lambda: decode(maps)
    return parts


def _affine(photograph: np.ndarray, spec: specs.PoseSpec) -> geometry.Affine:
    if spec.view == "image":
        return geometry.letterbox(photograph.shape[:2], spec.size)
    return geometry.crop((0, 0, photograph.shape[1], photograph.shape[0]), spec.size, padding=spec.padding)


def _view(photograph: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The whole photo as a view (1, height, width, 3): what is on it does not matter to a network's time."""
    return image.warp(photograph, geometry.letterbox(photograph.shape[:2], size), size)[None]


def _warps(threads: int) -> dict[str, Callable]:
    if image.cv2 is None:
        return {"Pillow": image.warp_by_pillow}
    image.cv2.setNumThreads(threads)
    return {"OpenCV": image.warp_by_opencv, "Pillow": image.warp_by_pillow}


def _noise() -> np.ndarray:
    # The time of every part is the same whatever is on the photo.
    return np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
