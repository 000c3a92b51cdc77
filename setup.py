"""Installs tfpose: alone it needs NumPy, Pillow and PyYAML; the extras add the edge, training and export."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = (ROOT / "tfpose" / "__init__.py").read_text().split('__version__ = "')[1].split('"')[0]

TENSORFLOW = "tensorflow==2.21.*"
# OpenCV is an option everywhere: where it is installed, warps are several times faster.
TRAIN = [TENSORFLOW, "keras==3.15.*", "pycocotools>=2.0.8", "tensorboard", "opencv-python-headless", "scipy>=1.13"]
EDGE = ["ai-edge-litert>=2.0"]
SERVE = [TENSORFLOW, "starlette>=0.40", "uvicorn>=0.30", "httptools", "uvloop", "orjson", "prometheus-client>=0.20"]
QUANTIZE = ["tensorflow-model-optimization==0.8.1", "tf-keras==2.21.*", "ai-edge-quantizer>=0.10", *EDGE]
TEST = ["pytest>=8", "pytest-xdist", "ruff==0.17.*", "jax", "httpx"]

setup(
    name="tfpose",
    version=VERSION,
    description="Human-pose networks in Keras 3 and TensorFlow, from an annotation file to an edge device",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["tfpose", "tfpose.*"]),
    package_data={"tfpose.serving": ["page.html"]},
    install_requires=["numpy>=2", "pillow>=10", "pyyaml>=6"],
    extras_require={"train": TRAIN, "edge": EDGE, "quantize": QUANTIZE, "serve": SERVE, "test": TEST},
    entry_points={"console_scripts": ["tfpose=tfpose.cli:main"]},
)
