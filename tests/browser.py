"""A headless Chromium for the tests of the page, driven by W3C WebDriver's requests."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=900,1000")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that WebDriver gives to a reference


def programs() -> list[str | None]:
    """The paths of a Chromium and of its driver, None for what is not installed."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return [chromium, shutil.which("chromedriver")]


@contextmanager
def browser():
    """A Browser with a new profile; it is gone at the end."""
    chromium, driver = programs()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        port = next(line for line in process.stdout if "successfully" in line).split()[-1].rstrip(".")
        options = {"binary": chromium, "args": [*FLAGS, *QUIET, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        found = Browser(f"http://127.0.0.1:{port}")
        try:
            session = found.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            found.place += f"/session/{session['sessionId']}"
            yield found
            found.ask("DELETE", "")
        finally:
            process.terminate()
            process.wait(20)


class Browser:
    """One window."""

    def __init__(self, place: str):
        self.place = place

    def ask(self, method: str, path: str, content: dict | None = None):
        """What the driver answers to a request."""
        data = json.dumps(content or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.place + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, address: str) -> None:
        """Goes to a page."""
        self.ask("POST", "/url", {"url": address})

    def run(self, script: str, *arguments):
        """What a function's body returns in the page."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def choose(self, field: str, file: Path) -> None:
        """Gives a file to a field for files."""
        element = self.ask("POST", "/element", {"using": "css selector", "value": field})[ELEMENT]
        self.ask("POST", f"/element/{element}/value", {"text": str(file)})

    def wait(self, script: str, seconds: float = 30):
        """What a script returns once it is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)) and time.monotonic() < end:
            time.sleep(0.05)
        assert found, script
        return found

    def log(self, kind: str) -> list[dict]:
        """What the console ("browser") or the network ("performance") had to say."""
        return self.ask("POST", "/se/log", {"type": kind})

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.ask("GET", "/screenshot"))
