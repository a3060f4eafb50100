"""A viewer that watches a video over and over, slowly, and compares every byte."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# One play lasts some seconds, so that something can be killed in the middle of it.
READ_BYTES = 256 * 1024
SECONDS_FOR_A_PLAY = 8.0
# More than the gateway's own patience with a broker that is away (STALL_SECONDS).
SECONDS_TO_WAIT = 40.0
SECONDS_BETWEEN_TRIES = 0.2
# Much more than what lies in the buffers between gateway and viewer: else all would be on its way before anything is killed.
FILM_BYTES = 64 * 1024 * 1024


def upload_film(gateway_url: str, write_token: str) -> tuple[str, bytes]:
    """Puts a video of random bytes into the stack. Gives its address and its bytes."""
    film = random.Random(1).randbytes(FILM_BYTES)
    made = _send("POST", f"{gateway_url}/videos", json.dumps({"title": "A film"}).encode(), write_token)
    address = f"{gateway_url}/videos/{json.loads(made)['id']}/content"
    _send("PUT", address, film, write_token)
    return address, film


def _send(method: str, address: str, body: bytes, write_token: str) -> bytes:
    kind = "application/json" if method == "POST" else "video/mp4"
    headers = {"Authorization": f"Bearer {write_token}", "Content-Type": kind}
    request = urllib.request.Request(address, data=body, method=method, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=120) as response:
        return response.read()


@dataclass
class Play:
    """One request for the whole video."""

    began: float
    ended: float = 0.0
    # What went wrong; empty when all bytes came and were right.
    fault: str = ""
    # Bytes that were not those of the file. Nothing excuses them.
    is_wrong: bool = False


@dataclass
class Viewer:
    """Watches in a thread of its own until it is told to stop."""

    url: str
    expected: bytes
    plays: list[Play] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Viewer:
        self._thread = threading.Thread(target=self._watch, name="viewer", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def current(self) -> Play | None:
        """The play that is under way, once some of it has come."""
        return self.plays[-1] if self.plays and not self.plays[-1].ended else None

    def _watch(self) -> None:
        while not self._stop.is_set():
            play = Play(time.monotonic())
            self.plays.append(play)
            try:
                self._play(play)
            except (OSError, http.client.HTTPException) as error:
                play.fault = f"{type(error).__name__}: {error}"
            play.ended = time.monotonic()
            if play.fault:
                self._stop.wait(SECONDS_BETWEEN_TRIES)

    def _play(self, play: Play) -> None:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS_TO_WAIT)
        pause = SECONDS_FOR_A_PLAY * READ_BYTES / len(self.expected)
        try:
            connection.request("GET", address.path)
            response = connection.getresponse()
            if response.status != 200:
                play.fault = f"status {response.status}"
                return
            place = 0
            while piece := response.read(READ_BYTES):
                if self.expected[place : place + len(piece)] != piece:
                    play.is_wrong, play.fault = True, f"other bytes at {place}"
                    return
                place += len(piece)
                # Slowly to the end, unless nobody waits for it any more.
                self._stop.wait(pause)
            if place != len(self.expected):
                play.fault = f"cut after {place} of {len(self.expected)} bytes"
        finally:
            connection.close()
