"""Seeks as a player makes them: the time from a request for a range at a random place to its first byte."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stack import network
from stack.failure import Failure

RANGE_BYTES = 65_536
# What plays beside the seeks: 4 Mbit/s, in steps of a quarter of a second.
PLAYING_BYTES_PER_STEP = 125_000
STEP_SECONDS = 0.25


class Viewer:
    """One connection of a player."""

    def __init__(self, port: int, path: str):
        self._path = path
        self._socket = socket.create_connection((network.HOST, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def ask(self, first: int, last: int) -> tuple[float, int]:
        """Asks for a range; gives the seconds to the first byte of its body, and how many bytes of the answer are left."""
        request = f"GET {self._path} HTTP/1.1\r\nHost: bench\r\nRange: bytes={first}-{last}\r\n\r\n".encode()
        began = time.perf_counter()
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received or received.endswith(b"\r\n\r\n"):
            more = self._socket.recv(65_536)
            if not more:
                raise Failure("the server closed a connection in the middle of an answer", "look at its log")
            received += more
        seconds = time.perf_counter() - began
        head, _, body = received.partition(b"\r\n\r\n")
        if b" 206 " not in head.split(b"\r\n")[0]:
            raise Failure(f"a range was answered with {head.split(chr(13).encode())[0]!r}", "look at the server's log")
        return seconds, last - first + 1 - len(body)

    def take(self, count: int) -> None:
        """Reads what is left of an answer."""
        while count > 0:
            more = self._socket.recv(min(count, 1 << 18))
            if not more:
                raise Failure("an answer was too short", "look at the server's log")
            count -= len(more)


def seek(port: int, path: str, size: int, count: int) -> list[int]:
    """The microseconds to the first byte of each of so many seeks, in order of size."""
    viewer = Viewer(port, path)
    times = []
    for _ in range(count):
        first = random.randrange(size - RANGE_BYTES)
        seconds, rest = viewer.ask(first, first + RANGE_BYTES - 1)
        viewer.take(rest)
        times.append(round(seconds * 1_000_000))
    viewer.close()
    return sorted(times)


@contextmanager
def playing(count: int, port: int, path: str, size: int) -> Iterator[None]:
    """So many viewers play at 4 Mbit/s while the block lasts."""
    ended = threading.Event()

    def play() -> None:
        viewer = Viewer(port, path)
        first = random.randrange(size // 2)
        _, rest = viewer.ask(first, size - 1)
        while not ended.wait(STEP_SECONDS) and rest > 0:
            step = min(rest, PLAYING_BYTES_PER_STEP)
            viewer.take(step)
            rest -= step
        viewer.close()

    threads = [threading.Thread(target=play, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(timeout=10)
