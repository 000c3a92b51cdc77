"""What the documentation shows runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from tfpose import runners

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_a_training_script_of_ones_own_leaves_a_network_that_predicts(tmp_path):
    arguments = [str(tmp_path), *tiny.overrides("data.format=coco", "train.epochs=1")]
    done = subprocess.run(
        [sys.executable, "docs/own_fit.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    spec, run = runners.load(tmp_path)
    assert run(tiny.views(2))["heatmaps"].shape == (2, 16, 12, spec.skeleton.count)


def test_every_link_between_pages_leads_to_a_file():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
