"""Watches a video in Chromium as a person would: a program, run where selenium is.

    browser_viewer.py PAGE

opens PAGE, which has a player, plays, seeks forward and back, and plays to the end; then a page of another origin, which this
program serves, reads a range of the same video with a script. Prints what it saw as one line of JSON for each, and fails with one line that says
what did not happen.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

SECONDS_TO_HAPPEN = 30
OPTIONS = (
    "--headless=new",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # Its sandbox wants more rights than a container gives, and refuses root; the pages are our own.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    # The certificate is one of the test's own.
    "--ignore-certificate-errors",
    "--no-proxy-server",
)
STATE = """
const video = document.querySelector('video');
const quality = video.getVideoPlaybackQuality();
return {
  duration: video.duration, position: video.currentTime, width: video.videoWidth, height: video.videoHeight,
  ended: video.ended, seeking: video.seeking, frames: quality.totalVideoFrames,
  error: video.error && video.error.message,
  protocol: performance.getEntriesByName(video.currentSrc).map(entry => entry.nextHopProtocol)[0] || null,
};
"""
# A field that makes the browser ask first (a preflight), and fields of the answer that a page sees only if it may.
READ_RANGE = """
const [address, done] = arguments;
fetch(address, {headers: {'Range': 'bytes=100-199', 'If-Unmodified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT'}})
  .then(async answer => done({
    status: answer.status, range: answer.headers.get('Content-Range'), tag: answer.headers.get('ETag'),
    bytes: Array.from(new Uint8Array(await answer.arrayBuffer())),
  }))
  .catch(error => done({error: String(error)}));
"""


class BlankPage(BaseHTTPRequestHandler):
    """Answers whatever is asked for with a page that has nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def another_origin() -> Iterator[str]:
    """A page that is somebody else's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BlankPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


class Viewer:
    """One browser with one page."""

    def __init__(self, browser: webdriver.Chrome):
        self._browser = browser
        self._wait = WebDriverWait(browser, SECONDS_TO_HAPPEN, poll_frequency=0.05)

    def watch(self, page: str) -> dict:
        """Plays, seeks and plays to the end."""
        self._browser.get(page)
        start = self._until("the player knows how long the film is", lambda state: (state["duration"] or 0) > 0)
        length = start["duration"]
        self._do("video.muted = true; video.play();")
        self._until("the film plays", lambda state: state["position"] > 1 and state["frames"] > 10)
        for share in (0.8, 0.2):
            self._do(f"video.currentTime = {share * length};")
            self._until(
                f"the film goes on at {share:.0%}",
                lambda state, share=share: not state["seeking"]
                and 0.5 < state["position"] - share * length < 0.15 * length + 0.5,
            )
        self._do(f"video.currentTime = {length - 1};")
        return self._until("the film ends", lambda state: state["ended"]) | {"title": self._browser.title}

    def read_from_elsewhere(self, page: str, address: str) -> dict:
        """Has a page of another origin read a range."""
        self._browser.get(page)
        self._browser.set_script_timeout(SECONDS_TO_HAPPEN)
        return self._browser.execute_async_script(READ_RANGE, address)

    def address(self) -> str:
        return self._browser.execute_script("return document.querySelector('video').src;")

    def _do(self, script: str) -> None:
        self._browser.execute_script(f"const video = document.querySelector('video'); {script}")

    def _until(self, what: str, holds: Callable[[dict], bool]) -> dict:
        state: dict = {}

        def look(browser: webdriver.Chrome) -> bool:
            state.update(browser.execute_script(STATE))
            if state["error"]:
                raise SystemExit(f"the player has failed: {state['error']}")
            return holds(state)

        try:
            self._wait.until(look)
        except WebDriverException:
            raise SystemExit(f"it did not happen that {what}; the player says {json.dumps(state)}") from None
        return state


def main(page: str) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in OPTIONS:
        options.add_argument(option)
    browser = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        viewer = Viewer(browser)
        print(json.dumps(viewer.watch(page)), flush=True)
        address = viewer.address()
        with another_origin() as other:
            print(json.dumps(viewer.read_from_elsewhere(other, address)), flush=True)
        print(json.dumps({"browser": browser.capabilities["browserVersion"]}), flush=True)
    finally:
        browser.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])
