"""What every test may ask for: real data where it is at hand, and short tests unless slow ones are wanted."""

import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest
import tiny

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config):
    """One place for what every process of a session needs; those that pytest-xdist starts find it by its name."""
    if tiny.HOME not in os.environ:
        os.environ[tiny.HOME] = tempfile.mkdtemp()
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(tiny.HOME), ignore_errors=True))


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes too")
    parser.addoption("--long", action="store_true", help="run these and those that they stand for")


def pytest_collection_modifyitems(config, items):
    long = config.getoption("--long")
    slow = long or config.getoption("--slow")
    for item in items:
        if "slow" in item.keywords and not slow:
            item.add_marker(pytest.mark.skip(reason="slow: runs with --slow"))
        elif "long" in item.keywords and not long:
            item.add_marker(pytest.mark.skip(reason="long: runs with --long"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real photographs are not at hand: no folder {folder}")
    return folder
