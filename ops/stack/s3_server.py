"""moto's server, which speaks as S3 does, with blobs that stay on disk.

As it comes, moto reads the whole blob into memory for each range that is asked for, and holds all parts several times in
memory while it puts them together: a film could not be tried on it. Here a range of a blob that came in parts is sent by
the kernel, so that in a benchmark the server takes little from those who are measured. Nothing of what it answers is
changed, but for a checksum of the whole blob that nobody has asked for. Connections are kept, as S3 keeps them;
Werkzeug, which serves moto, closes each after one answer. Run as a program, in an environment that has `moto`, of exactly
the version in object_stores.txt.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from hashlib import md5
from typing import BinaryIO

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeKey, FakeMultipart, MultipartChecksumBuilder
from moto.s3.responses import S3Response
from moto.settings import S3_UPLOAD_PART_MIN_SIZE
from werkzeug.exceptions import ClientDisconnected, InternalServerError
from werkzeug.serving import run_simple
from werkzeug.test import run_wsgi_app
from werkzeug.wsgi import LimitedStream

# Of what a body still has when its answer is there, this much is read at a time.
BLOCK_BYTES = 1 << 16
# A status without a body has no length either (RFC 9110 section 8.6).
WITHOUT_BODY = (204, 304)
RANGE = re.compile(r"bytes=(\d+)-(\d*)")

_whole_value = FakeKey.value
_get_object = S3Response.get_object
_complete = FakeMultipart.complete
# What the request of this thread wants.
_request = threading.local()


class FilePart:
    """Some bytes of a blob's file, which the kernel sends from its page cache. It outlives the blob.

    What a body is made of, as WSGI has it: one piece, which is this.
    """

    def __init__(self, file: BinaryIO, first: int, count: int):
        self._file = os.fdopen(os.dup(file.fileno()), "rb")
        self._first = first
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[FilePart]:
        yield self

    def send(self, connection: socket.socket) -> None:
        sent = connection.sendfile(self._file, self._first, self._count)
        if sent != self._count:
            raise EOFError(f"of {self._count} bytes at {self._first}, {sent} were there")

    def close(self) -> None:
        self._file.close()


class StoredBytes:
    """A blob's bytes, of which only those are read that are asked for."""

    def __init__(self, key: FakeKey):
        self._key = key

    def __len__(self) -> int:
        return self._key.contentsize

    def __getitem__(self, wanted: slice) -> bytes | FilePart:
        first, end, _ = wanted.indices(len(self))
        with self._key.lock:
            file = self._key._value_buffer
            if not isinstance(file, tempfile.SpooledTemporaryFile):
                return FilePart(file, first, end - first)
            # It may be in memory.
            file.seek(first)
            return file.read(end - first)


class JoinedParts:
    """All parts of an upload, in a file that becomes the blob's."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()
        self.size = 0

    def add(self, part: bytes) -> None:
        self.file.write(part)
        self.size += len(part)


def get_object(response: S3Response):
    """As moto's, but a range is not cut out of the whole blob."""
    wanted = RANGE.fullmatch(response.headers.get("range") or "")
    _request.wants_range = wanted is not None and (not wanted[2] or int(wanted[1]) <= int(wanted[2]))
    try:
        return _get_object(response)
    finally:
        _request.wants_range = False


def value(key: FakeKey) -> bytes | StoredBytes:
    return StoredBytes(key) if getattr(_request, "wants_range", False) else _whole_value.fget(key)


def set_value(key: FakeKey, new_value: bytes | JoinedParts) -> None:
    if isinstance(new_value, JoinedParts):
        new_value.file.flush()
        key._value_buffer.close()
        key._value_buffer, key.contentsize = new_value.file, new_value.size
    else:
        _whole_value.fset(key, new_value)


def complete(upload: FakeMultipart, body: Iterator[tuple[int, str]]):
    """As moto's, one part after the other."""
    algorithm, kind = (upload.metadata.get(f"x-amz-checksum-{name}") for name in ("algorithm", "type"))
    checksums = MultipartChecksumBuilder(algorithm, kind)
    if algorithm is not None and checksums.checksum_type != "COMPOSITE":
        return _complete(upload, body)
    joined, digests, last, count = JoinedParts(), b"", None, 0
    for number, tag in body:
        part = upload.parts.get(number)
        if part is None or part.etag.strip('"') != tag.strip('"'):
            raise InvalidPart()
        if last is not None and last.contentsize < S3_UPLOAD_PART_MIN_SIZE:
            raise EntityTooSmall()
        part_bytes = part.value
        joined.add(part_bytes)
        digests += bytes.fromhex(part.etag.strip('"'))
        if algorithm is not None:
            checksums.addPart(part_bytes)
        last, count = part, count + 1
    if last is None:
        raise MalformedXML
    upload.dispose()
    tag = f"{md5(digests, usedforsecurity=False).hexdigest()}-{count}"
    return joined, tag, checksums.build() if algorithm is not None else None


class Handler(MotoRequestHandler):
    """As moto's, but a connection takes any number of requests, one after the other, and only refusals are logged."""

    protocol_version = "HTTP/1.1"
    # For a client that says nothing; longer than Millrace's keeps a connection without a request.
    timeout = 120

    def setup(self) -> None:
        super().setup()
        # Head and body are sent one after the other: without this the end of a body waits for an acknowledgement.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if int(code) >= 400:
            super().log_request(code, size)

    def run_wsgi(self) -> None:
        # A request that waits for leave to send its body has it by now, from `http.server`.
        environ = self.make_environ()
        if "wsgi.input_terminated" not in environ:
            # The next request follows the body, so nobody may read on.
            environ["wsgi.input"] = LimitedStream(self.rfile, int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input_terminated"] = True
        try:
            self.answer(*self.response_to(environ))
            while environ["wsgi.input"].read(BLOCK_BYTES):
                pass
        except (ConnectionError, ClientDisconnected) as error:
            self.close_connection = True
            self.connection_dropped(error)

    def response_to(self, environ: dict):
        try:
            return run_wsgi_app(self.server.app, environ)
        except (ConnectionError, ClientDisconnected):
            raise
        except Exception:
            traceback.print_exc()
            return run_wsgi_app(InternalServerError(), environ)

    def answer(self, pieces: Iterator[bytes | FilePart], status: str, headers) -> None:
        number, _, reason = status.partition(" ")
        self.send_response(int(number), reason)
        for name, field in headers:
            self.send_header(name, field)
        if "Content-Length" not in headers and self.command != "HEAD" and int(number) not in WITHOUT_BODY:
            # Where its length is not known, the end of a body is the end of the connection.
            self.send_header("Connection", "close")
        self.end_headers()
        try:
            for piece in pieces:
                if isinstance(piece, FilePart):
                    piece.send(self.connection)
                else:
                    self.wfile.write(piece)
        except Exception:
            # Nobody may take what has come for the whole answer.
            self.close_connection = True
            raise
        finally:
            getattr(pieces, "close", lambda: None)()


S3Response.get_object = get_object
FakeKey.value = property(value, set_value)
FakeMultipart.complete = complete


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # moto's own server looks through the folders of all services that it knows, for each request, to find which is meant.
    app = create_backend_app("s3")
    run_simple(chosen.host, chosen.port, app, threaded=True, request_handler=Handler)


if __name__ == "__main__":
    main()
