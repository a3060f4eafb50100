"""Ports on this machine's loopback address: finding free ones and waiting for a server behind one."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below the kernel's range for outgoing connections (32768 and up), so that no client can take a port between our look
# and the server's start.
LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000


def is_free(port: int) -> bool:
    """True if nothing listens on the port, on any local IPv4 address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Different free ports, chosen at random so that two stacks that start together do not choose the same."""
    found: set[int] = set()
    for port in random.sample(range(LOWEST_PORT, HIGHEST_PORT), 2_000):
        if len(found) == count:
            break
        if is_free(port):
            found.add(port)
    if len(found) < count:
        raise OSError(f"no {count} free ports between {LOWEST_PORT} and {HIGHEST_PORT}")
    return list(found)


def accepts(port: int) -> bool:
    """True if a server takes connections on the port."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False
