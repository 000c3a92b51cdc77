"""A .tflite file as a function from uint8 views to named float32 maps, run by LiteRT: NumPy and ai-edge-litert only."""

import ctypes
from pathlib import Path

import numpy as np


class LiteRT:
    """Calls of a .tflite file (a path, or its bytes): uint8 views (N, H, W, 3) -> {output name: float32 (N, ...)}.

    `size` is the (height, width) of its views, `kind` is "float32", "float16", "dynamic", "int8" or "int16". `outputs`
    are bound by the names of the signature, since their order in the file is not the order of the network. `delegate`
    is the library (.so) of an accelerator, which takes what it can; `xnnpack` off leaves the CPU's part to LiteRT's own
    kernels. Raises ValueError where there is no such file, LiteRT or delegate, or no signature with one image as its
    input.
    """

    def __init__(self, model: Path | str | bytes, threads: int = 1, *, delegate: Path | str = "", xnnpack: bool = True):
        interpreter = _interpreter(model, threads, str(delegate), xnnpack)
        names = interpreter.get_signature_list()
        if len(names) != 1:
            raise ValueError(f"{_label(model)}: found signatures {list(names)}, expected one; export it again")
        self._call = interpreter.get_signature_runner(next(iter(names)))
        inputs = self._call.get_input_details()
        (self._input,) = inputs
        details = inputs[self._input]
        self.size = tuple(int(n) for n in details["shape"][1:3])
        self.outputs = tuple(self._call.get_output_details())
        self.kind = _kind(details, interpreter.get_tensor_details())
        self.levels = _levels(details) if details["quantization"][0] else None

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The maps of uint8 images (N, H, W, 3), one after the other: the file's batch is one."""
        if images.dtype != np.uint8 or images.shape[1:] != (*self.size, 3):
            raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 (N, {self.size}, 3); warp them")
        if self.levels is not None:
            images = self.levels[images]
        each = [self._call(**{self._input: image[None]}) for image in images]
        return {name: np.concatenate([maps[name] for maps in each]) for name in (each[0] if each else ())}


def _interpreter(model, threads: int, delegate: str, xnnpack: bool):
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ValueError(f"{_label(model)}: needs LiteRT; run `pip install ai-edge-litert`") from error
    kernels = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    delegates = [_delegate(delegate)] if delegate else None
    options = {
        "num_threads": threads,
        "experimental_delegates": delegates,
        "experimental_op_resolver_type": kernels,
    }
    if isinstance(model, bytes):
        return Interpreter(model_content=model, **options)
    if not Path(model).is_file():
        raise ValueError(f"{model}: no such file; `tfpose export` writes .tflite files into a bundle")
    try:
        return Interpreter(model_path=str(model), **options)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{model}: not a .tflite file that LiteRT can run: {error}") from error


def _delegate(library: str):
    from ai_edge_litert.interpreter import load_delegate

    # The system's libraries are meant by a name alone, files by their path.
    library = str(Path(library).resolve()) if Path(library).is_file() else library
    try:
        # Looked at first: LiteRT leaves half an object behind where it cannot load the library, which complains later.
        if not hasattr(ctypes.PyDLL(library), "tflite_plugin_create_delegate"):
            raise ValueError("it has no function tflite_plugin_create_delegate")
        return load_delegate(library)
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{library}: not a delegate that LiteRT can load: {reason}; leave it out to use the CPU"
        ) from error


def _kind(details: dict, tensors: list[dict]) -> str:
    if details["quantization"][0]:
        return "int16" if details["dtype"] == np.int16 else "int8"
    if any(t["dtype"] == np.float16 for t in tensors):
        return "float16"
    return "dynamic" if any(t["dtype"] == np.int8 for t in tensors) else "float32"


def _levels(details: dict) -> np.ndarray | None:
    """The quantized value of every grey level, (256,) of the input's type; None where each level is its own value.

    Scale 1 and zero point 0 hold only if calibration has seen levels 0 and 255.
    """
    scale, zero = details["quantization"]
    info = np.iinfo(details["dtype"])
    levels = np.clip(np.rint(np.arange(256) / scale) + zero, info.min, info.max).astype(info.dtype)
    return None if np.array_equal(levels, np.arange(256, dtype=np.uint8)) and info.dtype == np.uint8 else levels


def _label(model) -> str:
    return f"a file of {len(model)} bytes" if isinstance(model, bytes) else str(model)
