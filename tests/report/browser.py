"""A headless Chromium, driven over a pipe by its debugging protocol: what a page draws, logs, and asks the network."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
QUIET = (
    *("--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars", "--window-size=560,700"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"),
)
DRAWN_BY_CPU = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
WITHOUT_3D = ("--disable-gpu", "--disable-3d-apis")
LONGEST_S = 60.0


class Browser:
    """One page in a browser of its own; `told` holds what it logged, `asked` the addresses that it requested."""

    def __init__(self, *flags: str) -> None:
        assert CHROMIUM
        self.told: list[str] = []
        self.asked: list[str] = []
        self._folder = tempfile.mkdtemp()
        self._buffer, self._number, self._session = b"", 0, ""
        theirs, self._to = os.pipe()
        self._from, back = os.pipe()
        # The protocol wants its pipe at 3 and 4.
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$0" "$@" 3<&{theirs} 4>&{back}', CHROMIUM),
                *(*QUIET, *flags, f"--user-data-dir={self._folder}", "about:blank"),
            ],
            pass_fds=(theirs, back),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(back)
        pages = [target for target in self.call("Target.getTargets")["targetInfos"] if target["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result; events that come in between are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") == self._number:
                assert "error" not in got, got["error"]
                return dict(got["result"])
            self._keep(got)

    def open(self, page: Path) -> None:
        self.told.clear()
        self.asked.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.wait(f"location.href === {json.dumps(page.as_uri())} && document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """Return what an expression gives in the page."""
        got = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def wait(self, condition: str) -> None:
        end = time.monotonic() + LONGEST_S
        while not self.run(condition):
            assert time.monotonic() < end, f"{condition} never came; {self.told}"
            time.sleep(0.02)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key)

    def picture(self, number: int, redraw: str) -> np.ndarray:
        """Return what is on one canvas, right after it was drawn: rows, columns, red, green, blue in 0..255."""
        source = self.run(f"{redraw}; document.querySelectorAll('canvas')[{number}].toDataURL()")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB")).astype(int)

    def close(self) -> None:
        self.call("Browser.close")
        self._process.wait(LONGEST_S)
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._from, 1 << 20)
            assert part, "the browser has gone"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def _keep(self, event: dict[str, Any]) -> None:
        method, told = event.get("method"), event.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.told.append(json.dumps(told))
        elif method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"])
