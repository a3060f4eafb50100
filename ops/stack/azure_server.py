"""A small Azure Blob Storage for tests: the calls that Millrace makes, over real HTTP, with blobs on disk.

What a signature has to be is not decided here: Microsoft's own client library computes it, for the request as it arrived.
Run as a program, in an environment that has `azure-storage-blob`; nothing else of Millrace is needed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import shutil
import socket
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

# The service refuses a request whose date is further off.
MOST_SECONDS_OFF = 15 * 60
# The service gives the MD5 of a range up to this size.
MOST_BYTES_WITH_MD5 = 4 * 1024 * 1024
MOST_BLOCKS = 50_000


class Refusal(Exception):
    """An answer that is no success, with the service's own code."""

    def __init__(self, status: int, code: str):
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class Block:
    path: Path
    size: int


@dataclass
class Blob:
    blocks: list[Block]
    content_type: str
    etag: str
    modified: float = field(default_factory=time.time)

    @property
    def size(self) -> int:
        return sum(block.size for block in self.blocks)


@dataclass
class Container:
    blobs: dict[str, Blob] = field(default_factory=dict)
    uncommitted: dict[str, dict[str, Block]] = field(default_factory=dict)
    touched: dict[str, float] = field(default_factory=dict)


class Account:
    """Containers and blobs. Every method is one atomic step."""

    def __init__(self, directory: Path):
        self._directory = directory
        self._lock = threading.Lock()
        self._containers: dict[str, Container] = {}
        self._numbers = itertools.count(1)

    def new_path(self) -> Path:
        return self._directory / f"{next(self._numbers)}.block"

    def _etag(self) -> str:
        return f'"0x8D{next(self._numbers):013X}"'

    def make(self, name: str) -> None:
        with self._lock:
            if name in self._containers:
                raise Refusal(409, "ContainerAlreadyExists")
            self._containers[name] = Container()

    def remove(self, name: str) -> None:
        with self._lock:
            container = self._find(name)
            del self._containers[name]
        for blob in container.blobs.values():
            forget(blob.blocks)
        for blocks in container.uncommitted.values():
            forget(list(blocks.values()))

    def _find(self, name: str) -> Container:
        if name not in self._containers:
            raise Refusal(404, "ContainerNotFound")
        return self._containers[name]

    def blob(self, container: str, name: str, if_match: str | None) -> Blob:
        with self._lock:
            return self._blob(self._find(container), name, if_match)

    @staticmethod
    def _blob(container: Container, name: str, if_match: str | None) -> Blob:
        blob = container.blobs.get(name)
        if blob is None:
            raise Refusal(404, "BlobNotFound")
        if if_match not in (None, "*", blob.etag):
            raise Refusal(412, "ConditionNotMet")
        return blob

    def keep_block(self, container: str, name: str, block_id: str, block: Block) -> None:
        with self._lock:
            found = self._find(container)
            blocks = found.uncommitted.setdefault(name, {})
            if any(len(other) != len(block_id) for other in blocks):
                raise Refusal(400, "InvalidBlobOrBlock")
            old = blocks.get(block_id)
            blocks[block_id] = block
            found.touched[name] = time.time()
        if old is not None:
            forget([old])

    def commit(self, container: str, name: str, ids: list[str] | None, content_type: str, is_new: bool) -> Blob:
        """Makes uncommitted blocks the blob; without ids, an empty blob. All uncommitted blocks are gone then."""
        with self._lock:
            found = self._find(container)
            old = found.blobs.get(name)
            if old is not None and is_new:
                raise Refusal(409, "BlobAlreadyExists")
            blocks = found.uncommitted.get(name, {})
            if any(block_id not in blocks for block_id in ids or []):
                raise Refusal(400, "InvalidBlockList")
            blob = Blob([blocks[block_id] for block_id in ids or []], content_type, self._etag())
            found.blobs[name] = blob
            found.uncommitted.pop(name, None)
        unused = [block for block in blocks.values() if block not in blob.blocks]
        forget(unused + (old.blocks if old is not None else []))
        return blob

    def uncommitted(self, container: str, name: str) -> dict[str, Block]:
        with self._lock:
            found = self._find(container)
            if name not in found.blobs and name not in found.uncommitted:
                raise Refusal(404, "BlobNotFound")
            return dict(found.uncommitted.get(name, {}))

    def delete(self, container: str, name: str, if_match: str | None) -> None:
        with self._lock:
            found = self._find(container)
            blob = self._blob(found, name, if_match)
            del found.blobs[name]
        forget(blob.blocks)

    def entries(self, container: str, with_uncommitted: bool) -> list[tuple[str, Blob | float]]:
        """All blobs by name; in the place of one that is not committed, when it was last touched."""
        with self._lock:
            found = self._find(container)
            entries: dict[str, Blob | float] = dict(found.blobs)
            if with_uncommitted:
                for name in found.uncommitted:
                    entries.setdefault(name, found.touched[name])
        return sorted(entries.items(), key=lambda entry: entry[0])


def forget(blocks: list[Block]) -> None:
    for block in blocks:
        block.path.unlink(missing_ok=True)


def expected_authorization(policy: SharedKeyCredentialPolicy, method: str, url: str, headers: dict[str, str]) -> str:
    """What Microsoft's library would have put into `Authorization`."""
    request = HttpRequest(method, url, headers={k: v for k, v in headers.items() if k != "authorization"})
    policy.on_request(PipelineRequest(request, PipelineContext(None)))
    return request.headers["Authorization"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: object) -> None:
        """Only refusals are worth a line; see `refuse`."""

    def handle_request(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            if len(body) != length:
                raise Refusal(400, "IncompleteBody")
            self.answer_request(body)
        except Refusal as refusal:
            self.refuse(refusal)

    do_GET = do_PUT = do_DELETE = do_HEAD = handle_request

    def answer_request(self, body: bytes) -> None:
        self.check_authorization()
        parts = urlsplit(self.path)
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        account, _, rest = parts.path.lstrip("/").partition("/")
        if account != self.server.account_name:
            raise Refusal(400, "InvalidUri")
        self.container, _, name = rest.partition("/")
        self.name = unquote(name)
        of = self.server.account
        comp = self.query.get("comp")
        match (self.command, bool(self.name), comp):
            case ("PUT", False, None):
                of.make(self.container)
                self.reply(201)
            case ("DELETE", False, None):
                of.remove(self.container)
                self.reply(202)
            case ("GET", False, "list"):
                self.list_blobs()
            case ("PUT", True, "block"):
                self.put_block(body)
            case ("PUT", True, "blocklist"):
                self.put_block_list(body)
            case ("GET", True, "blocklist"):
                self.get_block_list()
            case ("PUT", True, None) if self.headers.get("x-ms-blob-type") == "BlockBlob" and not body:
                self.commit(None)
            case ("GET", True, None) | ("HEAD", True, None):
                self.get_blob()
            case ("DELETE", True, None):
                of.delete(self.container, self.name, self.headers.get("If-Match"))
                self.reply(202)
            case _:
                raise Refusal(400, "UnsupportedRequest")

    def check_authorization(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = f"http://{headers.get('host', '')}{self.path}"
        try:
            age = time.time() - parsedate_to_datetime(headers["x-ms-date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            raise Refusal(403, "AuthenticationFailed") from None
        expected = expected_authorization(self.server.policy, self.command, url, headers)
        if headers.get("authorization") != expected or abs(age) > MOST_SECONDS_OFF or "x-ms-version" not in headers:
            raise Refusal(403, "AuthenticationFailed")

    # Blocks and blobs

    def put_block(self, body: bytes) -> None:
        block_id = self.query.get("blockid", "")
        if not body or not 0 < len(base64.b64decode(block_id, validate=True)) <= 64:
            raise Refusal(400, "InvalidBlockId" if body else "InvalidHeaderValue")
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        if self.headers.get("Content-MD5", digest) != digest:
            raise Refusal(400, "Md5Mismatch")
        path = self.server.account.new_path()
        path.write_bytes(body)
        self.server.account.keep_block(self.container, self.name, block_id, Block(path, len(body)))
        self.reply(201, {"Content-MD5": digest})

    def put_block_list(self, body: bytes) -> None:
        try:
            ids = [element.text or "" for element in ElementTree.fromstring(body)]
        except ElementTree.ParseError:
            raise Refusal(400, "InvalidXmlDocument") from None
        if len(ids) > MOST_BLOCKS:
            raise Refusal(400, "BlockListTooLong")
        self.commit(ids)

    def commit(self, ids: list[str] | None) -> None:
        is_new = self.headers.get("If-None-Match") == "*"
        content_type = self.headers.get("x-ms-blob-content-type", "application/octet-stream")
        blob = self.server.account.commit(self.container, self.name, ids, content_type, is_new)
        self.reply(201, {"ETag": blob.etag, "Last-Modified": formatdate(blob.modified, usegmt=True)})

    def get_block_list(self) -> None:
        blocks = self.server.account.uncommitted(self.container, self.name)
        items = "".join(f"<Block><Name>{i}</Name><Size>{b.size}</Size></Block>" for i, b in blocks.items())
        self.reply_xml(f"<BlockList><UncommittedBlocks>{items}</UncommittedBlocks></BlockList>")

    def get_blob(self) -> None:
        blob = self.server.account.blob(self.container, self.name, self.headers.get("If-Match"))
        headers = {
            "ETag": blob.etag,
            "Last-Modified": formatdate(blob.modified, usegmt=True),
            "Content-Type": blob.content_type,
            "Accept-Ranges": "bytes",
            "x-ms-blob-type": "BlockBlob",
        }
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        if wanted is None:
            self.reply(200, headers, self.bytes_of(blob, 0, blob.size), blob.size)
            return
        first_text, _, last_text = wanted.removeprefix("bytes=").partition("-")
        first, last = int(first_text), min(int(last_text or blob.size - 1), blob.size - 1)
        if first >= blob.size:
            raise Refusal(416, "InvalidRange")
        body = self.bytes_of(blob, first, last - first + 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
        if self.headers.get("x-ms-range-get-content-md5") == "true":
            if last - first + 1 > MOST_BYTES_WITH_MD5:
                raise Refusal(400, "OutOfRangeInput")
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        self.reply(206, headers, body)

    def bytes_of(self, blob: Blob, first: int, count: int) -> bytes:
        """Bytes of a blob; 404 when it is removed meanwhile."""
        if self.command == "HEAD":
            return b""
        parts = []
        start = 0
        for block in blob.blocks:
            skipped = max(0, first - start)
            wanted = min(block.size - skipped, first + count - start - skipped)
            if wanted > 0 and skipped < block.size:
                try:
                    with block.path.open("rb") as file:
                        file.seek(skipped)
                        parts.append(file.read(wanted))
                except FileNotFoundError:
                    raise Refusal(404, "BlobNotFound") from None
            start += block.size
        return b"".join(parts)

    def list_blobs(self) -> None:
        with_uncommitted = "uncommittedblobs" in self.query.get("include", "")
        entries = self.server.account.entries(self.container, with_uncommitted)
        marker = unquote(self.query.get("marker", ""))
        rest = [entry for entry in entries if entry[0] >= marker]
        most = int(self.query.get("maxresults", 5000))
        following = quote(rest[most][0], safe="") if len(rest) > most else ""
        blobs = "".join(describe(name, blob) for name, blob in rest[:most])
        self.reply_xml(
            f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{following}</NextMarker></EnumerationResults>"
        )

    # Answers

    def refuse(self, refusal: Refusal) -> None:
        print(refusal.status, refusal.code, self.command, self.path, flush=True)
        text = f"<Error><Code>{refusal.code}</Code><Message>It is refused here: {refusal.code}.</Message></Error>"
        self.reply_xml(text, refusal.status, {"x-ms-error-code": refusal.code})

    def reply_xml(self, text: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        # The service puts a byte order mark in front.
        body = b"\xef\xbb\xbf" + f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
        self.reply(status, {"Content-Type": "application/xml"} | (headers or {}), body)

    def reply(
        self, status: int, headers: dict[str, str] | None = None, body: bytes = b"", size: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def describe(name: str, blob: Blob | float) -> str:
    """An element of a list of blobs; one that is not committed has a size of 0 and no entity tag."""
    if isinstance(blob, Blob):
        modified, tag, size, content_type = blob.modified, blob.etag.strip('"'), blob.size, blob.content_type
    else:
        modified, tag, size, content_type = blob, "", 0, ""
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties>"
        f"<Last-Modified>{formatdate(modified, usegmt=True)}</Last-Modified><Etag>{tag}</Etag>"
        f"<Content-Length>{size}</Content-Length><Content-Type>{content_type}</Content-Type>"
        "<BlobType>BlockBlob</BlobType>"
        "</Properties></Blob>"
    )


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, account_name: str, key: str, directory: Path):
        super().__init__(("127.0.0.1", port), Handler)
        self.account_name = account_name
        self.account = Account(directory)
        self.policy = SharedKeyCredentialPolicy(account_name, key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--account", required=True)
    parser.add_argument("--key", required=True, help="the account's key in Base64")
    parser.add_argument("--directory", type=Path, required=True, help="where blobs are kept; emptied first")
    chosen = parser.parse_args()
    shutil.rmtree(chosen.directory, ignore_errors=True)
    chosen.directory.mkdir(parents=True)
    Server(chosen.port, chosen.account, chosen.key, chosen.directory).serve_forever()


if __name__ == "__main__":
    main()
