"""`tfpose serve` as a process: its page works in a browser, and it ends without losing a request."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import browser
import pytest
import served

from benchmarks.http_load import request, run
from benchmarks.serving import PREDICT, body

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "import sys; from tfpose.cli import main; sys.exit(main())"
STATE = "return document.querySelector('#said.done, #said.error') && document.getElementById('said').textContent"
DROP = """
const data = new DataTransfer();
data.items.add(new File([Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0))], "photo", {type: "image/jpeg"}));
document.getElementById("said").className = "";
document.getElementById("place").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
"""
# The colours that a skeleton is drawn in, each on so many pixels.
COLOURS = """
const canvas = document.getElementById("picture");
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const found = [[255, 112, 32], [24, 148, 255]].map(([r, g, b]) => {
  let count = 0;
  for (let i = 0; i < data.length; i += 4) count += data[i] === r && data[i + 1] === g && data[i + 2] === b;
  return count;
});
return [canvas.width, canvas.height, ...found];
"""


@contextmanager
def serving(bundle, *options):
    """A server's process, and its address."""
    command = [sys.executable, "-c", PROGRAM, "serve", str(bundle), "--port", "0", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        found = re.search(r"http://([\d.]+):(\d+)/v1/models/pose:predict", process.stdout.readline())
        yield process, (found[1], int(found[2]))
    finally:
        process.kill()
        process.wait()


def photo(**options) -> bytes:
    return served.encoded(served.photo((300, 200)), **options)


def test_a_server_that_is_told_to_stop_loses_no_request_and_exits_with_0():
    with serving(served.person()) as (process, address):
        found = []
        asked = [request(PREDICT, body(photo()), address)]
        load = threading.Thread(target=lambda: found.append(run(address, asked, 8, seconds=60)))
        load.start()
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        load.join()
    assert found[0].lost == 0 and set(found[0].statuses) == {200} and len(found[0].seconds) >= 8


@pytest.mark.slow
@pytest.mark.skipif(None in browser.programs(), reason="no Chromium with its driver is installed")
def test_people_are_drawn_on_the_photo_that_is_dropped_on_the_page(tmp_path):
    with serving(served.fields()) as (_, (host, port)), browser.browser() as window:
        home = f"http://{host}:{port}/"
        window.open(home)
        (tmp_path / "photo.jpg").write_bytes(photo())
        window.choose("#photo", tmp_path / "photo.jpg")
        assert window.wait(STATE).startswith("3 people, 200 x 300 pixels, ")
        width, height, left, right = window.run(COLOURS)
        assert (width, height) == (600, 900) and min(left, right) > 100
        window.run(DROP, json.loads(body(b"no photo"))["instances"][0]["b64"])
        assert "no JPEG or PNG" in window.wait(STATE)
        window.run(DROP, json.loads(body(phone()))["instances"][0]["b64"])
        assert "3 people, 300 x 200 pixels" in window.wait(STATE)
        assert [e for e in window.log("browser") if e["source"] != "network"] == []
        asked = [json.loads(entry["message"])["message"] for entry in window.log("performance")]
        places = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
        places = [place for place in places if place.startswith("http")]  # the browser's own first page has others
        assert len(places) >= 5 and all(place.startswith(home) for place in places), places


def phone() -> bytes:
    """A photo that stands upright once it is turned by a quarter."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return photo(exif=exif)


def test_another_port_or_bundle_is_asked_for_in_one_line(capsys):
    from tfpose import cli

    with served_port() as port:
        assert cli.main(["serve", str(served.person()), "--port", str(port)]) == 1
    assert cli.main(["serve", "nowhere"]) == 1
    assert cli.main(["serve", "nowhere", "--batch", "0"]) == 1
    first, second, third = capsys.readouterr().err.strip().splitlines()[-3:]
    assert first.startswith(f"tfpose serve: 127.0.0.1:{port}: Address already in use")
    assert second.startswith("tfpose serve: nowhere/pose.json: no such file")
    assert third == "tfpose serve: --batch: found 0, expected more than 0"


@contextmanager
def served_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]
