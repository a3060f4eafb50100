"""The sample video: put into a new stack, and read back through the gateway to show that the main job works."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from . import commands
from .failure import Failure
from .layout import Layout
from .progress import Progress
from .services import Services

FOLDER = "ops/sample"
SECONDS_TO_READ = 60.0


def records(layout: Layout) -> Path:
    return layout.root / FOLDER / "videos.json"


def first_record(layout: Layout) -> dict[str, object]:
    return json.loads(records(layout).read_text())[0]


def identifier(layout: Layout) -> str:
    """The id of the sample's record, which is fixed so that its URL is always the same."""
    return first_record(layout)["_id"]["$oid"]


def url(gateway_url: str, layout: Layout) -> str:
    return f"{gateway_url}/video?id={identifier(layout)}"


def content(layout: Layout) -> bytes:
    return (records(layout).parent / str(first_record(layout)["videoPath"])).read_bytes()


def bring_in(services: Services, layout: Layout, progress: Progress) -> None:
    """Imports the sample with the operator's tool; what is there already is left as it is."""
    with progress.step("import the sample video") as step:
        commands.run(
            [str(services.products / "millrace"), "import", "--skip-existing", str(records(layout))],
            step,
            layout.log("import"),
            "read the log; `ops/up` tries again",
            environment=services.tool,
            folder=layout.root,
        )


def verify(gateway_url: str, layout: Layout, progress: Progress) -> None:
    """Reads the sample through the gateway and compares it byte for byte with the file, then asks for one range."""
    expected = content(layout)
    address = url(gateway_url, layout)
    with progress.step("read it back through the gateway") as step:
        step.detail = address
        _, whole = _get(address, {})
        if whole != expected:
            raise Failure(
                f"the gateway gives {len(whole)} bytes that are not the {len(expected)} bytes of the sample",
                f"was {layout.storage}/{first_record(layout)['videoPath']} changed? Delete it and start again",
                layout.log("video-streaming"),
            )
        first, last = len(expected) // 3, len(expected) // 3 + 65_535
        status, part = _get(address, {"Range": f"bytes={first}-{last}"})
        if status != 206 or part != expected[first : last + 1]:
            raise Failure(
                f"the range {first}-{last} came with status {status} and {len(part)} bytes, not as asked",
                "this is a defect of the gateway; look at its log",
                layout.log("video-streaming"),
            )
        step.detail = f"{len(expected):,} bytes, equal; and a range of them"


def _get(address: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and body of a GET that goes straight to the loopback address, whatever proxy the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=SECONDS_TO_READ) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        raise Failure(f"GET {address} failed: {error}", "look at the logs of the services") from error
