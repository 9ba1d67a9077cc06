"""A browser without a window, driven over a pipe by Chrome's DevTools protocol; skipped where none is."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--window-size=1200,900",
    "--remote-debugging-pipe",
)
MIDDLE = """(() => {
  const element = document.querySelector(%s);
  element.scrollIntoView({block: "center", behavior: "instant"});
  const box = element.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return [x, y, element.contains(document.elementFromPoint(x, y))];
})()"""
PATIENCE_SECONDS = 60.0
"""How long a silent browser is waited for before the test fails."""


class Browser:
    """One tab. Clicks are the mouse's, at the middle of an element; what the page complains of is kept."""

    def __init__(self, sent: int, received: int) -> None:
        self._sent, self._received, self._buffer, self._number = sent, received, b"", 0
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the browser's answer to *method*."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._sent, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, place: Path) -> None:
        """Load the file at *place* and wait until it has loaded."""
        self.call("Page.navigate", url=place.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass
        self.call("Page.bringToFront")

    def value(self, expression: str) -> Any:
        """Return what *expression* is in the page, awaited if it is a promise."""
        asked = {"returnByValue": True, "awaitPromise": True, "userGesture": True}
        answer = self.call("Runtime.evaluate", expression=expression, **asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Press and release the mouse on the first element of *selector*, scrolled into view."""
        x, y, seen = self.value(MIDDLE % json.dumps(selector))
        assert seen, f"{selector} cannot be clicked: it is hidden, or something lies on it"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _next(self) -> dict[str, Any]:
        """Return the next message, after keeping what it complains of."""
        while b"\0" not in self._buffer:
            assert select.select([self._received], [], [], PATIENCE_SECONDS)[0], "the browser is silent"
            read = os.read(self._received, 1 << 16)
            assert read, "the browser has gone"
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(message["params"]))
        return message


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with an empty profile, ended with the module."""
    program = next((found for name in CHROMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    (to_read, sent), (received, to_write) = os.pipe(), os.pipe()
    command = [program, *SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]
    # The protocol's ends are file descriptors 3 and 4 of the browser.
    joined = f'exec 3<&{to_read} 4>&{to_write}; exec "$@"'
    with subprocess.Popen(
        ["bash", "-c", joined, "bash", *command],
        pass_fds=(to_read, to_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(to_read)
        os.close(to_write)
        try:
            yield Browser(sent, received)
        finally:
            os.close(sent)
            process.terminate()
            process.wait()
            os.close(received)
