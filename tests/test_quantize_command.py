"""`tfpose quantize`: what it writes beside a run, what it prints, and what it refuses."""

import importlib.util
import shutil

import keras
import numpy as np
import pytest
import tiny

from tfpose import spec as specs
from tfpose import yaml_config
from tfpose.cli import main
from tfpose.litert import LiteRT
from tfpose.models import blocks

if not importlib.util.find_spec("tensorflow_model_optimization"):
    pytest.skip("needs the toolkit; pip install 'tfpose[quantize]'", allow_module_level=True)
from tfpose.export import bundle

SHORT = ["quantize.steps=2", "quantize.batch=8", "export.max_ap_drop=1", "export.calibration_views=8"]


@pytest.fixture
def run(tmp_path):
    """A finished run with a bundle of its network, and float32 and int8 files alone."""
    folder = shutil.copytree(tiny.run(), tmp_path / "run")
    network = blocks.last_stage(keras.models.load_model(folder / "network.keras", compile=False))
    bundle.write(network, tiny.spec(), folder / "bundle", ["float32", "int8"], tiny.views())
    return folder


@pytest.mark.slow
def test_an_aware_file_joins_the_bundle_and_the_run_stays(run, capsys):
    before = (run / "network.keras").read_bytes()
    assert main(["quantize", str(run), "--aware", *SHORT]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("network.keras", "int8.tflite", "aware.tflite", "Rescaling becomes"))
    assert specs.load(run / "bundle" / "pose.json").files["aware.tflite"]["kind"] == "aware"
    file = LiteRT(run / "bundle" / "aware.tflite")
    assert file.kind == "int8" and file(tiny.views(2))["heatmaps"].shape == (2, 16, 12, 17)
    assert (run / "network.keras").read_bytes() == before


@pytest.mark.slow
def test_a_pruned_run_is_a_run_folder_of_its_own(run, capsys):
    assert main(["quantize", str(run), "--prune", "0.5", *SHORT, "export.files=[float32, int8]"]) == 0
    network = keras.models.load_model(run / "pruned" / "network.keras", compile=False)
    kernels = [layer.get_weights()[0] for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert all(np.mean(kernel == 0) == pytest.approx(0.5, abs=0.5 / kernel.size) for kernel in kernels)
    assert {"network.keras", "float32.tflite", "int8.tflite"} <= {f.name for f in (run / "pruned" / "bundle").iterdir()}
    assert "gzip kB, before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prune", "1.5"], "--prune: found 1.5, expected a share between 0 and 1"),
        (["--cluster", "1"], "--cluster: found 1, expected at least 2 values"),
        (["--aware", "quantize.epochs=0"], "quantize.epochs: found 0; expected more than 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(arguments, message, capsys):
    assert main(["quantize", str(tiny.run()), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_network_of_labels_is_refused():
    from tfpose import quantize

    config = yaml_config.defaults(("system={name: prn}",))
    with pytest.raises(ValueError, match="prn sees labels alone; `tfpose export` quantizes it as it is"):
        _ = quantize.Finished(tiny.run(), config).system
