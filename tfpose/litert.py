"""A .tflite file as a function from uint8 views to named float32 maps, run by LiteRT: NumPy and ai-edge-litert only."""

from pathlib import Path

import numpy as np


class LiteRT:
    """Calls of a .tflite file (a path, or its bytes): uint8 views (N, H, W, 3) -> {output name: float32 (N, ...)}.

    `size` is the (height, width) of its views, `kind` is "float32", "float16" or "int8". Outputs are bound by the names
    of the signature, since their order in the file is not the order of the network. Raises ValueError where there is no
    such file, no LiteRT, or no signature with one image as its input.
    """

    def __init__(self, model: Path | str | bytes, threads: int = 1):
        interpreter = _interpreter(model, threads)
        names = interpreter.get_signature_list()
        if len(names) != 1:
            raise ValueError(f"{_label(model)}: found signatures {list(names)}, expected one; export it again")
        self._call = interpreter.get_signature_runner(next(iter(names)))
        inputs = self._call.get_input_details()
        (self._input,) = inputs
        details = inputs[self._input]
        self.size = tuple(int(n) for n in details["shape"][1:3])
        self.kind = _kind(details, interpreter.get_tensor_details())
        self._levels = _levels(details) if self.kind == "int8" else None

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The maps of uint8 images (N, H, W, 3), one after the other: the file's batch is one."""
        if images.dtype != np.uint8 or images.shape[1:] != (*self.size, 3):
            raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 (N, {self.size}, 3); warp them")
        if self._levels is not None:
            images = self._levels[images]
        each = [self._call(**{self._input: image[None]}) for image in images]
        return {name: np.concatenate([maps[name] for maps in each]) for name in (each[0] if each else ())}


def _interpreter(model, threads: int):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ValueError(f"{_label(model)}: needs LiteRT; run `pip install ai-edge-litert`") from error
    if isinstance(model, bytes):
        return Interpreter(model_content=model, num_threads=threads)
    if not Path(model).is_file():
        raise ValueError(f"{model}: no such file; `tfpose export` writes .tflite files into a bundle")
    try:
        return Interpreter(model_path=str(model), num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{model}: not a .tflite file that LiteRT can run: {error}") from error


def _kind(details: dict, tensors: list[dict]) -> str:
    if details["quantization"][0]:
        return "int8"
    return "float16" if any(t["dtype"] == np.float16 for t in tensors) else "float32"


def _levels(details: dict) -> np.ndarray | None:
    """The quantized value of every grey level, (256,) uint8; None where each level is its own value.

    Scale 1 and zero point 0 hold only if calibration has seen levels 0 and 255.
    """
    scale, zero = details["quantization"]
    levels = np.clip(np.rint(np.arange(256) / scale) + zero, 0, 255).astype(np.uint8)
    return None if (levels == np.arange(256)).all() else levels


def _label(model) -> str:
    return f"a file of {len(model)} bytes" if isinstance(model, bytes) else str(model)
