#!/usr/bin/python3
"""Makes the container that the storage service keeps videos in, at Azure's emulator. It may be there already.

STORAGE_ENDPOINT, STORAGE_ACCOUNT_NAME, STORAGE_ACCESS_KEY and STORAGE_CONTAINER are those of the storage service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sys
import time
import urllib.error
import urllib.request
from email.utils import formatdate
from urllib.parse import urlsplit

API_VERSION = "2021-08-06"
SECONDS_TO_START = 60
IS_THERE_ALREADY = 409


def request(endpoint: str, account: str, key: str, container: str) -> urllib.request.Request:
    """A "Create Container", signed with the account's key ("Authorize with Shared Key", learn.microsoft.com)."""
    address = f"{endpoint}/{container}"
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": API_VERSION}
    # Eleven header fields that are empty here lie between the method and those of Microsoft's own.
    text = "PUT" + "\n" * 12 + "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    text += f"/{account}{urlsplit(address).path}\nrestype:container"
    signature = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
    headers |= {"Authorization": f"SharedKey {account}:{signature}", "Content-Length": "0"}
    return urllib.request.Request(f"{address}?restype=container", method="PUT", headers=headers)


def main() -> None:
    names = ("STORAGE_ENDPOINT", "STORAGE_ACCOUNT_NAME", "STORAGE_ACCESS_KEY", "STORAGE_CONTAINER")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        sys.exit(f"error: {missing[0]} is missing\n  remedy: docker-compose --env-file ops/azurite.env …")
    endpoint, account, key, container = (os.environ[name] for name in names)
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with urllib.request.urlopen(request(endpoint, account, key, container), timeout=5):
                return print(f"made the container {container}")
        except urllib.error.HTTPError as error:
            if error.code == IS_THERE_ALREADY:
                return print(f"the container {container} is there")
            sys.exit(f"error: {endpoint} refuses the container {container}: {error.code} {error.reason}")
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"error: {endpoint} does not answer: {error}")
            time.sleep(0.5)


if __name__ == "__main__":
    main()
